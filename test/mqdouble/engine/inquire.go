package engine

import (
	"github.com/fairlead/fairlead/connections/mq/mqi"
)

// Inquire is MQINQ: it returns an int32 or a string for each selector.
func (c *Conn) Inquire(handle int32, selectors []int32) ([]any, Result) {
	r := c.begin("MQINQ", "")
	defer c.manager.mu.Unlock()
	if r != ok {
		return nil, r
	}
	o := c.objects[handle]
	if o == nil {
		return nil, failed(mqi.MQRC_HOBJ_ERROR)
	}
	if o.options&mqi.MQOO_INQUIRE == 0 {
		return nil, failed(mqi.MQRC_NOT_OPEN_FOR_INQUIRE)
	}
	values := make([]any, len(selectors))
	for i, s := range selectors {
		v := c.manager.attribute(o.queue, s)
		if v == nil {
			return nil, failed(mqi.MQRC_SELECTOR_ERROR)
		}
		if o.alias != nil {
			if v = o.alias.aliasAttribute(s); v == nil { // its base has it
				return nil, warning(mqi.MQRC_SELECTOR_NOT_FOR_TYPE)
			}
		}
		values[i] = v
	}
	return values, ok
}

// aliasAttribute returns what an alias itself has.
func (q *queue) aliasAttribute(selector int32) any {
	switch selector {
	case mqi.MQCA_Q_NAME:
		return q.name
	case mqi.MQCA_BASE_Q_NAME:
		return q.Base
	case mqi.MQIA_Q_TYPE:
		return mqi.MQQT_ALIAS
	}
	return nil
}

func (m *Manager) attribute(q *queue, selector int32) any {
	if q == nil {
		return m.ownAttribute(selector)
	}
	return q.attribute(selector)
}

func (m *Manager) ownAttribute(selector int32) any {
	switch selector {
	case mqi.MQCA_Q_MGR_NAME:
		return m.cfg.Name
	case mqi.MQCA_Q_MGR_IDENTIFIER:
		return m.identifier()
	case mqi.MQCA_DEAD_LETTER_Q_NAME:
		return m.cfg.DeadLetterQueue
	case mqi.MQIA_MAX_MSG_LENGTH:
		return m.cfg.MaxMsgLength
	case mqi.MQIA_MAX_PRIORITY:
		return int32(maxPriority)
	case mqi.MQIA_CODED_CHAR_SET_ID:
		return int32(1208)
	case mqi.MQIA_COMMAND_LEVEL:
		return int32(940)
	case mqi.MQIA_PLATFORM:
		return mqi.MQPL_UNIX
	}
	return nil
}

func (q *queue) attribute(selector int32) any {
	switch selector {
	case mqi.MQCA_Q_NAME:
		return q.name
	case mqi.MQCA_BASE_Q_NAME:
		return q.Base
	case mqi.MQCA_BACKOUT_REQ_Q_NAME:
		return q.BackoutQueue
	case mqi.MQIA_BACKOUT_THRESHOLD:
		return q.BackoutThreshold
	case mqi.MQIA_CURRENT_Q_DEPTH:
		return int32(q.depth)
	case mqi.MQIA_MAX_Q_DEPTH:
		return q.MaxDepth
	case mqi.MQIA_MAX_MSG_LENGTH:
		return q.MaxMsgLength
	case mqi.MQIA_INHIBIT_GET:
		return flag(q.InhibitGet)
	case mqi.MQIA_INHIBIT_PUT:
		return flag(q.InhibitPut)
	case mqi.MQIA_DEF_PRIORITY:
		return q.DefPriority
	case mqi.MQIA_DEF_PERSISTENCE:
		return flag(q.DefPersistent)
	case mqi.MQIA_OPEN_INPUT_COUNT:
		return int32(q.inputs)
	case mqi.MQIA_OPEN_OUTPUT_COUNT:
		return int32(q.outputs)
	case mqi.MQIA_Q_TYPE:
		return mqi.MQQT_LOCAL
	case mqi.MQIA_SHAREABILITY:
		return mqi.MQQA_SHAREABLE
	case mqi.MQIA_DEFINITION_TYPE:
		if q.dynamic {
			return mqi.MQQDT_TEMPORARY_DYNAMIC
		}
		return mqi.MQQDT_PREDEFINED
	}
	return nil
}

func flag(on bool) int32 {
	if on {
		return 1
	}
	return 0
}

// Set is MQSET, for the attributes that say whether a queue may be used.
func (c *Conn) Set(handle int32, values map[int32]int32) Result {
	o, r := c.onQueue("MQSET", handle)
	defer c.manager.mu.Unlock()
	if r != ok {
		return r
	}
	if o.options&mqi.MQOO_SET == 0 {
		return failed(mqi.MQRC_NOT_OPEN_FOR_SET)
	}
	for selector, v := range values {
		switch selector {
		case mqi.MQIA_INHIBIT_GET:
			o.queue.InhibitGet = v != 0
		case mqi.MQIA_INHIBIT_PUT:
			o.queue.InhibitPut = v != 0
		default:
			return failed(mqi.MQRC_SELECTOR_ERROR)
		}
	}
	o.queue.change()
	return ok
}
