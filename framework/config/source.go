package config

// ForSource reports whether c is a document for "fairlead source": it has
// triggers, and none of them names a function. Where the functions are not known
// ([Options.Functions]), such a document is not wrong.
func (c *Config) ForSource() bool {
	for _, t := range c.Triggers {
		if t.Function != "" {
			return false
		}
	}
	return len(c.Triggers) > 0
}

// source makes the document one of a program that hands messages on and keeps
// nothing: its triggers call [Options.Sink].
func (r *reader) source(c *Config) {
	if r.options.Sink == "" {
		return
	}
	if n := r.root.get("store"); r.ok(n) && !c.Store.None {
		r.atKey(n, "a store", "none: a source keeps nothing")
	}
	c.Store.None = true
	if c.HTTP.Direct == nil {
		c.HTTP.Direct = new(bool) // what is posted comes from brokers
	}
	if len(r.root.get("triggers").named()) == 0 {
		r.below(r.root, "triggers", "nothing", "triggers, each with a connection and a queue or a topic")
	}
	for _, n := range r.root.get("triggers").named() {
		t := c.Triggers[n.key]
		if n.get("connection") == nil {
			r.below(n, "connection", "nothing", "the name of a connection: a source hands on what brokers deliver")
		}
		if n.get("function") == nil {
			t.Function = r.options.Sink
			c.Triggers[n.key] = t
		}
	}
}
