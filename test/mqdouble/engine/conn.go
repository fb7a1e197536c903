package engine

import (
	"slices"

	"github.com/fairlead/fairlead/connections/mq/mqi"
)

// A Login is what an application says of itself when it connects.
type Login struct {
	QueueManager, Channel, User, Password, ApplName string
}

// A Conn is one connection handle. One verb at a time runs on it.
type Conn struct {
	manager *Manager
	login   Login

	lost    chan struct{} // closed when the connection is broken
	dropped bool
	objects map[int32]*object
	handles map[int64]*properties // message handles
	next    int64
	puts    []*message // of the unit of work
	gets    []*message
}

// An object is what MQOPEN opened: a queue, or the queue manager (queue is nil).
type object struct {
	queue   *queue
	alias   *queue // by which it was opened, or nil
	options int32
	cursor  *message // browsed last
	context *mqi.MD  // of the message got last, if that is to be saved
}

// Connect is MQCONNX.
func (m *Manager) Connect(l Login) (*Conn, Result) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if r := m.admit(l); r != ok {
		return nil, r
	}
	c := &Conn{
		manager: m, login: l, lost: make(chan struct{}),
		objects: make(map[int32]*object), handles: make(map[int64]*properties),
	}
	m.conns[c] = struct{}{}
	return c, ok
}

func (m *Manager) admit(l Login) Result {
	switch {
	case m.down:
		return failed(mqi.MQRC_Q_MGR_NOT_AVAILABLE)
	case m.quiescing:
		return failed(mqi.MQRC_Q_MGR_QUIESCING)
	case m.cfg.Channels != nil && !slices.Contains(m.cfg.Channels, l.Channel):
		return failed(mqi.MQRC_UNKNOWN_CHANNEL_NAME)
	case l.QueueManager != "" && l.QueueManager != m.cfg.Name && l.QueueManager[0] != '*':
		return failed(mqi.MQRC_Q_MGR_NAME_ERROR)
	}
	if password, known := m.cfg.Users[l.User]; m.cfg.Users != nil && (!known || password != l.Password) {
		return failed(mqi.MQRC_NOT_AUTHORIZED)
	}
	if f := m.fault("MQCONNX", ""); f != nil {
		return failed(f.Reason)
	}
	return ok
}

// Lost is closed when the connection is broken.
func (c *Conn) Lost() <-chan struct{} { return c.lost }

// drop breaks the connection: what is not committed is backed out.
func (c *Conn) drop() {
	if c.dropped {
		return
	}
	c.backOut()
	c.forget()
	close(c.lost)
}

// Drop is what happens when the application dies.
func (c *Conn) Drop() {
	c.manager.mu.Lock()
	defer c.manager.mu.Unlock()
	c.drop()
}

// forget closes all objects.
func (c *Conn) forget() {
	for _, o := range c.objects {
		o.release()
	}
	c.dropped = true
	c.objects = nil
	delete(c.manager.conns, c)
}

func (o *object) release() {
	if o.queue == nil {
		return
	}
	if o.options&inputOptions != 0 {
		o.queue.inputs--
	}
	if o.options&mqi.MQOO_OUTPUT != 0 {
		o.queue.outputs--
	}
	if o.queue.exclusive == o {
		o.queue.exclusive = nil
	}
}

// begin is what every verb does first. It locks the manager; the caller unlocks
// it whatever the result is.
func (c *Conn) begin(verb, queue string) Result {
	c.manager.mu.Lock()
	if c.dropped {
		return failed(mqi.MQRC_CONNECTION_BROKEN)
	}
	f := c.manager.fault(verb, queue)
	if f == nil {
		return ok
	}
	return c.suffer(f)
}

// Disconnect is MQDISC: it commits.
func (c *Conn) Disconnect() Result {
	r := c.begin("MQDISC", "")
	defer c.manager.mu.Unlock()
	if r == ok {
		c.commit()
		c.forget()
	}
	return r
}

// Commit is MQCMIT.
func (c *Conn) Commit() Result {
	r := c.begin("MQCMIT", "")
	defer c.manager.mu.Unlock()
	if r == ok {
		c.commit()
	}
	return r
}

func (c *Conn) commit() {
	for _, m := range c.gets {
		m.queue.remove(m)
	}
	for _, m := range c.puts {
		m.putBy = nil
		m.queue.change()
	}
	c.gets, c.puts = nil, nil
}

// Back is MQBACK.
func (c *Conn) Back() Result {
	r := c.begin("MQBACK", "")
	defer c.manager.mu.Unlock()
	if r == ok {
		c.backOut()
	}
	return r
}

func (c *Conn) backOut() {
	for _, m := range c.puts {
		m.queue.remove(m)
	}
	for _, m := range c.gets {
		m.gotBy = nil
		m.md.BackoutCount++
		m.queue.change()
	}
	c.gets, c.puts = nil, nil
}
