package engine

import (
	"time"

	"github.com/fairlead/fairlead/connections/mq/mqi"
)

// GMO are the options of MQGET.
type GMO struct {
	Options       int32
	WaitInterval  int32 // milliseconds, or MQWI_UNLIMITED
	MatchOptions  int32
	Properties    int64 // message handle, or 0
	ResolvedQName string
}

// Get is MQGET: it returns the message, cut to size, and its real length. md
// says which message is wanted, and then what it is.
func (c *Conn) Get(handle int32, md *mqi.MD, gmo *GMO, size int) (data []byte, length int, r Result) {
	var timeout <-chan time.Time
	if gmo.Options&mqi.MQGMO_WAIT != 0 && gmo.WaitInterval != mqi.MQWI_UNLIMITED {
		timer := time.NewTimer(time.Duration(gmo.WaitInterval) * time.Millisecond)
		defer timer.Stop()
		timeout = timer.C
	}
	for verb := "MQGET"; ; verb = "MQGET waiting" {
		data, length, changed, r := c.tryGet(verb, handle, md, gmo, size)
		if r.Reason != mqi.MQRC_NO_MSG_AVAILABLE || gmo.Options&mqi.MQGMO_WAIT == 0 || changed == nil {
			return data, length, r
		}
		if !c.await(handle, changed, timeout) {
			return nil, 0, r
		}
	}
}

// await waits until something has changed. It returns false when the time is up.
func (c *Conn) await(handle int32, changed <-chan struct{}, timeout <-chan time.Time) bool {
	defer c.waits(handle)()
	select {
	case <-changed:
	case <-c.lost:
	case <-timeout:
		return false
	}
	return true
}

// waits counts one that waits, until the function that it returns is called.
func (c *Conn) waits(handle int32) (ends func()) {
	m := c.manager
	m.mu.Lock()
	defer m.mu.Unlock()
	o := c.objects[handle]
	if o == nil {
		return func() {}
	}
	o.queue.waiting++
	return func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		o.queue.waiting--
	}
}

// tryGet looks once. Where there is no message, it returns what to wait for.
func (c *Conn) tryGet(verb string, handle int32, md *mqi.MD, gmo *GMO, size int) ([]byte, int, <-chan struct{}, Result) {
	o, r := c.onQueue(verb, handle)
	defer c.manager.mu.Unlock()
	if r == ok {
		r = c.mayGet(o, gmo)
	}
	if r != ok {
		return nil, 0, nil, r
	}
	msg, r := c.choose(o, md, gmo)
	if r != ok {
		return nil, 0, o.queue.changes(), r
	}
	return c.deliver(o, msg, md, gmo, size)
}

const browseOptions = mqi.MQGMO_BROWSE_FIRST | mqi.MQGMO_BROWSE_NEXT | mqi.MQGMO_BROWSE_MSG_UNDER_CURSOR

func (c *Conn) mayGet(o *object, gmo *GMO) Result {
	browse := gmo.Options&browseOptions != 0
	switch {
	case c.manager.quiescing && gmo.Options&mqi.MQGMO_FAIL_IF_QUIESCING != 0:
		return failed(mqi.MQRC_Q_MGR_QUIESCING)
	case browse && o.options&mqi.MQOO_BROWSE == 0:
		return failed(mqi.MQRC_NOT_OPEN_FOR_BROWSE)
	case !browse && o.options&inputOptions == 0:
		return failed(mqi.MQRC_NOT_OPEN_FOR_INPUT)
	case browse && gmo.Options&mqi.MQGMO_SYNCPOINT != 0:
		return failed(mqi.MQRC_OPTIONS_ERROR)
	case o.queue.InhibitGet:
		return failed(mqi.MQRC_GET_INHIBITED)
	}
	return ok
}

// choose returns the message that is wanted.
func (c *Conn) choose(o *object, md *mqi.MD, gmo *GMO) (*message, Result) {
	if gmo.Options&(mqi.MQGMO_MSG_UNDER_CURSOR|mqi.MQGMO_BROWSE_MSG_UNDER_CURSOR) != 0 {
		if o.cursor == nil || !o.cursor.visible() {
			return nil, failed(mqi.MQRC_NO_MSG_UNDER_CURSOR)
		}
		return o.cursor, ok
	}
	after := o.cursor
	if gmo.Options&mqi.MQGMO_BROWSE_NEXT == 0 {
		after = nil
	}
	for msg := range c.manager.live(o.queue) {
		if msg.behind(after) && matches(msg, md, gmo.MatchOptions) {
			return msg, ok
		}
	}
	return nil, failed(mqi.MQRC_NO_MSG_AVAILABLE)
}

// behind reports whether m comes after other in its queue.
func (m *message) behind(other *message) bool {
	if other == nil {
		return true
	}
	if p := other.md.Priority; m.md.Priority != p && !m.queue.FIFO {
		return m.md.Priority < p
	}
	return m.order > other.order
}

func matches(msg *message, md *mqi.MD, options int32) bool {
	is := func(option int32, wanted, has mqi.ID) bool {
		return options&option == 0 || wanted.IsZero() || wanted == has
	}
	return is(mqi.MQMO_MATCH_MSG_ID, md.MsgID, msg.md.MsgID) &&
		is(mqi.MQMO_MATCH_CORREL_ID, md.CorrelID, msg.md.CorrelID) &&
		is(mqi.MQMO_MATCH_GROUP_ID, md.GroupID, msg.md.GroupID)
}

// deliver hands msg over, unless it is too long and must not be cut.
func (c *Conn) deliver(o *object, msg *message, md *mqi.MD, gmo *GMO, size int) ([]byte, int, <-chan struct{}, Result) {
	got, data, r := c.detach(msg, gmo)
	if r != ok {
		return nil, 0, nil, r
	}
	length := len(data)
	if length > size {
		data = data[:size]
		r = warning(mqi.MQRC_TRUNCATED_MSG_ACCEPTED)
		if gmo.Options&mqi.MQGMO_ACCEPT_TRUNCATED_MSG == 0 {
			*md = got
			return data, length, nil, warning(mqi.MQRC_TRUNCATED_MSG_FAILED)
		}
	}
	if !msg.expires.IsZero() {
		got.Expiry = max(1, int32(time.Until(msg.expires)/(100*time.Millisecond)))
	}
	*md = got
	gmo.ResolvedQName = o.queue.name
	c.take(o, msg, gmo)
	if f := c.manager.fault("MQGET done", o.queue.name); f != nil {
		r = warning(f.Reason)
	}
	return data, length, nil, r
}

// take does with msg what the options say.
func (c *Conn) take(o *object, msg *message, gmo *GMO) {
	if gmo.Options&browseOptions != 0 {
		o.cursor = msg
		return
	}
	if o.options&mqi.MQOO_SAVE_ALL_CONTEXT != 0 {
		o.context = &mqi.MD{}
		copyContext(o.context, &msg.md)
	}
	persistent := msg.md.Persistence == mqi.MQPER_PERSISTENT
	if gmo.Options&mqi.MQGMO_SYNCPOINT != 0 || gmo.Options&mqi.MQGMO_SYNCPOINT_IF_PERSISTENT != 0 && persistent {
		msg.gotBy = c
		c.gets = append(c.gets, msg)
		return
	}
	o.queue.remove(msg)
}
