package engine

import (
	"bytes"
	"time"

	"github.com/fairlead/fairlead/connections/mq/mqi"
)

// PMO are the options of MQPUT.
type PMO struct {
	Options       int32
	Context       int32 // handle of the queue whose context is passed on
	Properties    int64 // message handle, or 0
	ResolvedQName string
	ResolvedQMgr  string
}

// Put is MQPUT. md says afterwards what became of its defaults.
func (c *Conn) Put(handle int32, md *mqi.MD, pmo *PMO, data []byte) Result {
	o, r := c.onQueue("MQPUT", handle)
	defer c.manager.mu.Unlock()
	if r != ok {
		return r
	}
	if o.options&mqi.MQOO_OUTPUT == 0 {
		return failed(mqi.MQRC_NOT_OPEN_FOR_OUTPUT)
	}
	return c.put(o, md, pmo, data)
}

// PutOne is MQPUT1.
func (c *Conn) PutOne(od *OD, md *mqi.MD, pmo *PMO, data []byte) Result {
	r := c.begin("MQPUT1", od.Name)
	defer c.manager.mu.Unlock()
	if r != ok {
		return r
	}
	o, r := c.open(od, mqi.MQOO_OUTPUT|pmo.Options&contextOptions)
	if r != ok {
		return r
	}
	defer o.release()
	return c.put(o, md, pmo, data)
}

// contextOptions are the same bits for opening and putting.
const contextOptions = mqi.MQPMO_PASS_IDENTITY_CONTEXT | mqi.MQPMO_PASS_ALL_CONTEXT |
	mqi.MQPMO_SET_IDENTITY_CONTEXT | mqi.MQPMO_SET_ALL_CONTEXT

func (c *Conn) put(o *object, md *mqi.MD, pmo *PMO, data []byte) Result {
	m, q := c.manager, o.queue
	msg := &message{md: *md, data: bytes.Clone(data)}
	if r := c.attach(msg, pmo.Properties); r != ok {
		return r
	}
	dropEmpty(msg)
	if r := m.check(q, msg, pmo); r != ok {
		return r
	}
	if r := c.setContext(o, &msg.md, pmo); r != ok {
		return r
	}
	m.complete(q, &msg.md, pmo)
	if e := msg.md.Expiry; e > 0 {
		msg.expires = time.Now().Add(time.Duration(e) * 100 * time.Millisecond)
	}
	m.order++
	msg.order = m.order
	q.add(msg)
	if pmo.Options&mqi.MQPMO_SYNCPOINT != 0 {
		msg.putBy = c
		c.puts = append(c.puts, msg)
	} else {
		q.change()
	}
	format, encoding, ccsid := md.Format, md.Encoding, md.CodedCharSetID
	*md = msg.md
	md.Format, md.Encoding, md.CodedCharSetID = format, encoding, ccsid // properties are the queue manager's business
	pmo.ResolvedQName, pmo.ResolvedQMgr = q.name, m.cfg.Name
	if md.Priority > maxPriority { // it keeps that, but its place is that of the highest
		return warning(mqi.MQRC_PRIORITY_EXCEEDS_MAXIMUM)
	}
	return ok
}

// check refuses what a queue manager refuses.
func (m *Manager) check(q *queue, msg *message, pmo *PMO) Result {
	md := &msg.md
	switch {
	case m.quiescing && pmo.Options&mqi.MQPMO_FAIL_IF_QUIESCING != 0:
		return failed(mqi.MQRC_Q_MGR_QUIESCING)
	case q.InhibitPut:
		return failed(mqi.MQRC_PUT_INHIBITED)
	case len(msg.data) > int(q.MaxMsgLength):
		return failed(mqi.MQRC_MSG_TOO_BIG_FOR_Q)
	case len(msg.data) > int(m.cfg.MaxMsgLength):
		return failed(mqi.MQRC_MSG_TOO_BIG_FOR_Q_MGR)
	case q.depth >= int(q.MaxDepth):
		return failed(mqi.MQRC_Q_FULL)
	case md.Priority < mqi.MQPRI_PRIORITY_AS_Q_DEF:
		return failed(mqi.MQRC_PRIORITY_ERROR)
	case md.Persistence < 0 || md.Persistence > mqi.MQPER_PERSISTENCE_AS_Q_DEF:
		return failed(mqi.MQRC_PERSISTENCE_ERROR)
	case q.dynamic && (md.Persistence == mqi.MQPER_PERSISTENT || md.Persistence == mqi.MQPER_PERSISTENCE_AS_Q_DEF && q.DefPersistent):
		return failed(mqi.MQRC_PERSISTENT_NOT_ALLOWED)
	case md.Expiry <= 0 && md.Expiry != mqi.MQEI_UNLIMITED:
		return failed(mqi.MQRC_EXPIRY_ERROR)
	case md.ReplyToQ == "" && (md.MsgType == mqi.MQMT_REQUEST || md.Report&reports != 0):
		return failed(mqi.MQRC_MISSING_REPLY_TO_Q)
	case md.MsgSeqNumber < 1:
		return failed(mqi.MQRC_MD_ERROR)
	}
	return ok
}

// reports are the options that ask for a report, which needs a queue to go to.
const reports = mqi.MQRO_EXCEPTION_WITH_FULL_DATA | mqi.MQRO_EXPIRATION_WITH_FULL_DATA |
	mqi.MQRO_COA_WITH_FULL_DATA | mqi.MQRO_COD_WITH_FULL_DATA | mqi.MQRO_PAN | mqi.MQRO_NAN | mqi.MQRO_ACTIVITY

// complete fills in what the application left to the queue manager.
func (m *Manager) complete(q *queue, md *mqi.MD, pmo *PMO) {
	md.BackoutCount = 0
	if md.MsgID.IsZero() || pmo.Options&mqi.MQPMO_NEW_MSG_ID != 0 {
		md.MsgID = m.newID()
	}
	if pmo.Options&mqi.MQPMO_NEW_CORREL_ID != 0 {
		md.CorrelID = m.newID()
	}
	if md.Priority == mqi.MQPRI_PRIORITY_AS_Q_DEF {
		md.Priority = q.DefPriority
	}
	if md.Persistence == mqi.MQPER_PERSISTENCE_AS_Q_DEF {
		md.Persistence = mqi.MQPER_NOT_PERSISTENT
		if q.DefPersistent {
			md.Persistence = mqi.MQPER_PERSISTENT
		}
	}
	if md.ReplyToQ != "" && md.ReplyToQMgr == "" {
		md.ReplyToQMgr = m.cfg.Name
	}
	if md.CodedCharSetID == mqi.MQCCSI_Q_MGR {
		md.CodedCharSetID = 1208
	}
}

// setContext says who put the message, and when.
func (c *Conn) setContext(o *object, md *mqi.MD, pmo *PMO) Result {
	switch {
	case pmo.Options&mqi.MQPMO_SET_ALL_CONTEXT != 0:
		if o.options&mqi.MQOO_SET_ALL_CONTEXT == 0 {
			return failed(mqi.MQRC_NOT_OPEN_FOR_SET_ALL)
		}
	case pmo.Options&mqi.MQPMO_PASS_ALL_CONTEXT != 0:
		if o.options&mqi.MQOO_PASS_ALL_CONTEXT == 0 {
			return failed(mqi.MQRC_NOT_OPEN_FOR_PASS_ALL)
		}
		from := c.objects[pmo.Context]
		if from == nil || from.options&mqi.MQOO_SAVE_ALL_CONTEXT == 0 {
			return failed(mqi.MQRC_CONTEXT_HANDLE_ERROR)
		}
		if from.context == nil {
			return failed(mqi.MQRC_CONTEXT_NOT_AVAILABLE)
		}
		copyContext(md, from.context)
	default:
		own := mqi.MD{UserIdentifier: c.login.User, PutApplType: mqi.MQAT_UNIX, PutApplName: c.login.ApplName}
		own.UserIdentifier = own.UserIdentifier[:min(12, len(own.UserIdentifier))]
		own.PutDate, own.PutTime = mqi.PutStamp(time.Now())
		copyContext(md, &own)
	}
	return ok
}

func copyContext(to, from *mqi.MD) {
	to.UserIdentifier, to.AccountingToken, to.ApplIdentityData = from.UserIdentifier, from.AccountingToken, from.ApplIdentityData
	to.PutApplType, to.PutApplName, to.ApplOriginData = from.PutApplType, from.PutApplName, from.ApplOriginData
	to.PutDate, to.PutTime = from.PutDate, from.PutTime
}
