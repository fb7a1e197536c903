package triggers

import (
	"container/heap"
	"context"
	"sync"
	"time"
)

// waiting holds jobs until they are due, and tells a worker that waits for a
// delivery when to look here instead.
type waiting struct {
	mu     sync.Mutex
	jobs   byDue
	ctx    context.Context    // what a worker receives with; nil if none does
	cancel context.CancelFunc // of ctx
}

// add puts j off until due.
func (w *waiting) add(j *job, due time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	heap.Push(&w.jobs, delayed{j, due})
	w.interrupt()
}

// look returns the first job if it is due, else a ctx that ends with parent, when
// the first job is due, and when wake or add is called. While nothing happens it
// stays the same one.
func (w *waiting) look(parent context.Context) (*job, context.Context) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.jobs) > 0 && !w.jobs[0].due.After(time.Now()) {
		return heap.Pop(&w.jobs).(delayed).job, nil
	}
	if w.ctx != nil && w.ctx.Err() == nil {
		return nil, w.ctx
	}
	w.interrupt()
	if len(w.jobs) == 0 {
		w.ctx, w.cancel = context.WithCancel(parent)
	} else {
		w.ctx, w.cancel = context.WithDeadline(parent, w.jobs[0].due)
	}
	return nil, w.ctx
}

// wake ends the ctx that a worker receives with.
func (w *waiting) wake() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.interrupt()
}

func (w *waiting) interrupt() {
	if w.cancel != nil {
		w.cancel()
		w.ctx, w.cancel = nil, nil
	}
}

// clear returns all jobs and forgets them.
func (w *waiting) clear() []*job {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.interrupt()
	var jobs []*job
	for _, d := range w.jobs {
		jobs = append(jobs, d.job)
	}
	w.jobs = nil
	return jobs
}

func (w *waiting) len() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.jobs)
}

type delayed struct {
	job *job
	due time.Time
}

// byDue is a heap of jobs, the first one due on top.
type byDue []delayed

func (h byDue) Len() int           { return len(h) }
func (h byDue) Less(a, b int) bool { return h[a].due.Before(h[b].due) }
func (h byDue) Swap(a, b int)      { h[a], h[b] = h[b], h[a] }
func (h *byDue) Push(x any)        { *h = append(*h, x.(delayed)) }
func (h *byDue) Pop() any {
	last := len(*h) - 1
	x := (*h)[last]
	(*h)[last] = delayed{}
	*h = (*h)[:last]
	return x
}
