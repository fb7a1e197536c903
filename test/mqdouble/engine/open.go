package engine

import (
	"fmt"
	"strings"

	"github.com/fairlead/fairlead/connections/mq/mqi"
)

const inputOptions = mqi.MQOO_INPUT_AS_Q_DEF | mqi.MQOO_INPUT_SHARED | mqi.MQOO_INPUT_EXCLUSIVE

// An OD is an object descriptor.
type OD struct {
	Type             int32 // MQOT_Q or MQOT_Q_MGR
	Name             string
	QueueManager     string
	DynamicName      string
	ResolvedName     string
	ResolvedQMgrName string
}

// Open is MQOPEN.
func (c *Conn) Open(od *OD, options int32) (int32, Result) {
	r := c.begin("MQOPEN", od.Name)
	defer c.manager.mu.Unlock()
	if r != ok {
		return mqi.MQHO_UNUSABLE_HOBJ, r
	}
	o, r := c.open(od, options)
	if r != ok {
		return mqi.MQHO_UNUSABLE_HOBJ, r
	}
	c.next++
	c.objects[int32(c.next)] = o
	return int32(c.next), ok
}

func (c *Conn) open(od *OD, options int32) (*object, Result) {
	m := c.manager
	if m.quiescing && options&mqi.MQOO_FAIL_IF_QUIESCING != 0 {
		return nil, failed(mqi.MQRC_Q_MGR_QUIESCING)
	}
	switch od.Type {
	case mqi.MQOT_Q_MGR:
		return &object{options: options}, ok
	case mqi.MQOT_Q:
	default:
		return nil, failed(mqi.MQRC_OBJECT_TYPE_ERROR)
	}
	if od.QueueManager != "" && od.QueueManager != m.cfg.Name {
		return nil, failed(mqi.MQRC_UNKNOWN_REMOTE_Q_MGR)
	}
	q, r := m.find(od)
	if r != ok {
		return nil, r
	}
	if q.NoInquire && options&mqi.MQOO_INQUIRE != 0 {
		return nil, failed(mqi.MQRC_NOT_AUTHORIZED)
	}
	var alias *queue
	if q.Base != "" {
		alias = q
		if q, r = m.find(&OD{Name: alias.Base}); r != ok {
			return nil, r
		}
		if q.Base != "" {
			return nil, failed(mqi.MQRC_ALIAS_BASE_Q_TYPE_ERROR)
		}
	}
	od.ResolvedName, od.ResolvedQMgrName = q.name, m.cfg.Name
	o := &object{queue: q, alias: alias, options: options}
	return o, o.claim()
}

// find returns the queue that od names, and makes it if that is what is wanted.
func (m *Manager) find(od *OD) (*queue, Result) {
	q := m.queues[od.Name]
	switch {
	case q == nil && m.cfg.Define != nil && od.Name != "":
		q = m.define(od.Name, *m.cfg.Define)
	case q == nil:
		return nil, failed(mqi.MQRC_UNKNOWN_OBJECT_NAME)
	case q.Forbidden:
		return nil, failed(mqi.MQRC_NOT_AUTHORIZED)
	case q.Model:
		attributes := q.Attributes
		attributes.Model = false
		q = m.define(m.dynamicName(od.DynamicName), attributes)
		q.dynamic = true
		od.Name = q.name
	}
	return q, ok
}

func (m *Manager) dynamicName(pattern string) string {
	name, generic := strings.CutSuffix(pattern, "*")
	if !generic {
		return name
	}
	m.unique++
	return fmt.Sprintf("%s%016X", name[:min(len(name), 32)], m.unique)
}

// claim counts the handle with its queue.
func (o *object) claim() Result {
	q := o.queue
	if o.options&inputOptions != 0 {
		if q.exclusive != nil || o.options&mqi.MQOO_INPUT_EXCLUSIVE != 0 && q.inputs > 0 {
			return failed(mqi.MQRC_OBJECT_IN_USE)
		}
		if o.options&mqi.MQOO_INPUT_EXCLUSIVE != 0 {
			q.exclusive = o
		}
		q.inputs++
	}
	if o.options&mqi.MQOO_OUTPUT != 0 {
		q.outputs++
	}
	return ok
}

// Close is MQCLOSE.
func (c *Conn) Close(handle, options int32) Result {
	r := c.begin("MQCLOSE", "")
	defer c.manager.mu.Unlock()
	if r != ok {
		return r
	}
	o := c.objects[handle]
	if o == nil {
		return failed(mqi.MQRC_HOBJ_ERROR)
	}
	o.release()
	delete(c.objects, handle)
	if q := o.queue; q != nil && q.dynamic && (options&(mqi.MQCO_DELETE|mqi.MQCO_DELETE_PURGE) != 0 || q.inputs+q.outputs == 0) {
		delete(c.manager.queues, q.name)
	}
	return ok
}

// onQueue begins a verb on an open queue. Like begin, it locks the manager.
func (c *Conn) onQueue(verb string, handle int32) (*object, Result) {
	c.manager.mu.Lock()
	o := c.objects[handle]
	c.manager.mu.Unlock()
	name := ""
	if o != nil && o.queue != nil {
		name = o.queue.name
	}
	r := c.begin(verb, name)
	if r == ok && (o == nil || o.queue == nil) {
		r = failed(mqi.MQRC_HOBJ_ERROR)
	}
	return o, r
}
