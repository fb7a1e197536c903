package mq

import (
	"fmt"
	"math"
	"time"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/connections/mq/mqi"
)

// descriptor returns the message descriptor of m, but for format, encoding and
// character set, which headers and body decide.
func (e *encoder) descriptor(m *connections.Message, from *Message) (mqi.MD, error) {
	md := mqi.NewMD()
	md.Persistence = mqi.MQPER_PERSISTENT
	if from != nil {
		md = relayed(&from.MD)
	}
	if m.Priority != nil {
		md.Priority = int32(*m.Priority)
	}
	_, dead := m.Header[deadLetterMark+"error"]
	if m.TTL > 0 || dead {
		md.Expiry = expiryOf(m.TTL)
	}
	if err := setReplyTo(&md, m.ReplyTo); err != nil && !dead { // which must find its place, even if it has a topic there
		return md, err
	}
	if m.Key != "" {
		setGroup(&md, m, from)
	}
	if err := setID(&md.MsgID, m.ID, mqi.HashID); err != nil {
		return md, fmt.Errorf("id: %w", err)
	}
	return md, e.correlate(&md, m.CorrelationID)
}

// relayed returns what a descriptor keeps when its message is sent on: not what
// belongs to one delivery, and no reports, which need a queue for answers.
func relayed(from *mqi.MD) mqi.MD {
	md := *from
	md.MsgID, md.BackoutCount, md.Report = mqi.ID{}, 0, mqi.MQRO_NONE
	md.ReplyToQ, md.ReplyToQMgr = "", ""
	md.MsgFlags &= mqi.MQMF_MSG_IN_GROUP | mqi.MQMF_LAST_MSG_IN_GROUP
	md.Offset, md.OriginalLength = 0, mqi.MQOL_UNDEFINED
	if md.MsgType == mqi.MQMT_REQUEST {
		md.MsgType = mqi.MQMT_DATAGRAM
	}
	return md
}

// expiryOf returns a time to live as a descriptor has it; none if it is 0.
func expiryOf(ttl time.Duration) int32 {
	if ttl <= 0 {
		return mqi.MQEI_UNLIMITED
	}
	units := max(1, (ttl+expiryUnit-1)/expiryUnit)
	return int32(min(units, math.MaxInt32))
}

func setReplyTo(md *mqi.MD, to string) error {
	if to == "" {
		return nil
	}
	a, err := parseAddress(to)
	if err != nil {
		return fmt.Errorf("reply-to: %w", err)
	}
	md.ReplyToQ, md.ReplyToQMgr, md.MsgType = a.queue, a.manager, mqi.MQMT_REQUEST
	return nil
}

// setGroup sets the group from the key of m. A relay of a message that keeps its
// key keeps its place there, too.
func setGroup(md *mqi.MD, m *connections.Message, from *Message) {
	if from == nil || m.Key != from.key() {
		md.GroupID, md.MsgFlags, md.MsgSeqNumber = mqi.ID{}, mqi.MQMF_NONE, 1
	}
	if md.GroupID.IsZero() {
		md.GroupID = mqi.ParseID(m.Key)
	}
	md.MsgFlags |= mqi.MQMF_MSG_IN_GROUP
	if order, ok := groupOrder(m); ok {
		md.MsgSeqNumber = order
	}
}

// setID sets an identifier from what a Message has for it.
func setID(id *mqi.ID, from any, parse func(string) mqi.ID) error {
	switch from := from.(type) {
	case nil:
	case mqi.ID:
		*id = from
	case []byte:
		if len(from) > len(id) {
			return fmt.Errorf("found %d bytes, expected at most %d", len(from), len(id))
		}
		*id = mqi.ID{}
		copy(id[:], from)
	default:
		*id = parse(fmt.Sprint(from))
	}
	return nil
}

// correlate sets the correlation id, and what else an answer must have.
func (e *encoder) correlate(md *mqi.MD, id any) error {
	if c, ok := id.(Correlation); ok {
		if c.MsgID != "" {
			md.MsgID = mqi.ParseID(c.MsgID)
		}
		if c.Expiry > 0 && md.Expiry == mqi.MQEI_UNLIMITED {
			md.Expiry = c.Expiry
		}
		id = c.CorrelationID
	}
	if e.answers && md.MsgType != mqi.MQMT_REQUEST { // with or without a correlation id
		md.MsgType = mqi.MQMT_REPLY
	}
	if err := setID(&md.CorrelID, id, mqi.ParseID); err != nil {
		return fmt.Errorf("correlation id: %w", err)
	}
	return nil
}

// correlationText is the correlation id in full, which a descriptor may have to
// cut.
func correlationText(m *connections.Message, from *Message) string {
	switch id := m.CorrelationID.(type) {
	case nil:
	case []byte:
		return mqi.ParseID(string(id)).String()
	case mqi.ID:
		return id.String()
	default:
		return fmt.Sprint(id)
	}
	if from == nil {
		return ""
	}
	for _, p := range from.folder(folderJMS) {
		if p.Name == "Cid" && p.Value != nil {
			return fmt.Sprint(p.Value)
		}
	}
	return ""
}

// groupText is the key in full.
func groupText(m *connections.Message, from *Message) string {
	if m.Key != "" || from == nil {
		return m.Key
	}
	return from.key()
}

// key is the key that n was received with.
func (n *Message) key() string {
	for _, p := range n.folder(folderJMS) {
		if p.Name == "Gid" && p.Value != nil {
			return fmt.Sprint(p.Value)
		}
	}
	return n.MD.GroupID.String()
}

// groupOrder is the place of the message in its group, if a header says that.
func groupOrder(m *connections.Message) (order int32, ok bool) {
	v, err := valueOf(m.Header[headerOrder])
	order, ok = v.(int32)
	return order, ok && err == nil && order >= 1
}
