package bindings

// OpenSenders counts the idle senders of a pool.
func OpenSenders(p *Pool) (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.link != nil {
		for _, t := range p.link.targets {
			n += len(t.idle)
		}
	}
	return n
}
