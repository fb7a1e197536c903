package amqp

import "encoding/binary"

// A transfer is what the guard has to know of a transfer frame.
type transfer struct {
	head          []byte // its first fields as they came
	fields        int    // how many those are, at most headFields
	handle        uint32
	more, aborted bool
	payload       []byte
}

// Fields of a transfer: handle, delivery-id, delivery-tag, message-format and
// settled (the head), more, rcv-settle-mode, state, resume, aborted and batchable.
// Those at the end may be missing; more and aborted are false then.
const (
	handleField  = 0
	headFields   = 5
	moreField    = 5
	abortedField = 9
)

// Constructors of values.
const (
	null, yes, no = 0x40, 0x41, 0x42
	boolean       = 0x56
	smallUint     = 0x52
	longUint      = 0x70
	longList      = 0xd0
	longMap       = 0xd1
	longBinary    = 0xb0
	uuidCode      = 0x98
)

// parseTransfer reads the body of a transfer frame, after its description.
func parseTransfer(b []byte) (t transfer, ok bool) {
	count, fields, err := compound(b[0], b[1:])
	if err != nil || !isList(b[0]) {
		return t, false
	}
	n, _ := size(b[0], b[1:]) // as compound found it
	t.head, t.fields, t.payload = fields, min(count, headFields), b[1+n:]
	rest := fields
	for i := range count {
		n, err := walk(rest, 0)
		if err != nil {
			return t, false
		}
		switch value := rest[:n]; i {
		case handleField:
			t.handle = readUint(value)
		case moreField:
			t.more = isTrue(value)
		case abortedField:
			t.aborted = isTrue(value)
		}
		rest = rest[n:]
		if i == headFields-1 {
			t.head = fields[:len(fields)-len(rest)]
		}
	}
	return t, count > 0
}

func readUint(value []byte) uint32 {
	switch value[0] {
	case smallUint:
		return uint32(value[1])
	case longUint:
		return binary.BigEndian.Uint32(value[1:])
	}
	return 0
}

func isTrue(value []byte) bool {
	return value[0] == yes || value[0] == boolean && value[1] != 0
}

// abortFrame takes back what go-amqp has of a delivery.
func abortFrame(l linkID) []byte {
	fields := binary.BigEndian.AppendUint32([]byte{longUint}, l.handle)
	fields = append(fields, null, null, null, null, no, null, null, null, yes)
	return buildTransfer(l.channel, 10, fields, nil)
}

// substitute returns the frame of a message that stands for p's.
func (p partial) substitute(l linkID, message []byte) []byte {
	return buildTransfer(l.channel, p.fields, p.head, message)
}

func buildTransfer(channel uint16, count int, fields, payload []byte) []byte {
	b := []byte{0, 0, 0, 0, 2, 0} // size, offset, type
	b = binary.BigEndian.AppendUint16(b, channel)
	b = append(b, described, smallCode, transferFrame, longList)
	b = binary.BigEndian.AppendUint32(b, uint32(4+len(fields)))
	b = binary.BigEndian.AppendUint32(b, uint32(count))
	b = append(append(b, fields...), payload...)
	binary.BigEndian.PutUint32(b, uint32(len(b)))
	return b
}
