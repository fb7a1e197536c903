package triggers

import "sync"

// groups keep the messages of one group in order although several workers take
// them: one of a group is worked on, or waits for its next attempt, at a time,
// and the others stand behind it. They belong to one session; its prefetch
// bounds how many stand.
type groups struct {
	mu     sync.Mutex
	behind map[string][]*job // who stands behind the one that is worked on, by group
}

// enter reports whether j may be worked on now; else it stands behind another.
func (g *groups) enter(j *job) bool {
	key := j.delivery.Key
	if key == "" {
		return true
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	standing, busy := g.behind[key]
	if busy {
		g.behind[key] = append(standing, j)
		return false
	}
	if g.behind == nil {
		g.behind = make(map[string][]*job)
	}
	g.behind[key] = nil
	return true
}

// leave is called when j is settled or given back, and returns the next of its
// group, or nil.
func (g *groups) leave(j *job) *job {
	key := j.delivery.Key
	if key == "" {
		return nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	standing := g.behind[key]
	if len(standing) == 0 {
		delete(g.behind, key)
		return nil
	}
	g.behind[key] = standing[1:]
	return standing[0]
}

// clear returns all that stand, and forgets them.
func (g *groups) clear() (jobs []*job) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for key, standing := range g.behind {
		jobs = append(jobs, standing...)
		g.behind[key] = nil
	}
	return jobs
}
