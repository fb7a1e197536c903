package rfh2

// sizeDLH is the length of an MQDLH.
const sizeDLH = 172

// A DeadLetterHeader is an MQDLH, which stands in front of a message on a
// dead-letter queue.
type DeadLetterHeader struct {
	Reason       int32
	Queue        string // where the message was meant to go
	QueueManager string
	Next         Layout // of the message behind it
	PutApplType  int32
	PutApplName  string
	PutDate      string // YYYYMMDD
	PutTime      string // HHMMSSTH
}

// Append appends the header with its integers in the given encoding.
func (d *DeadLetterHeader) Append(dst []byte, encoding int32) []byte {
	o := appendOrder(encoding)
	dst = append(dst, "DLH "...)
	dst = o.AppendUint32(dst, 1)
	dst = o.AppendUint32(dst, uint32(d.Reason))
	dst = appendPadded(dst, d.Queue, 48)
	dst = appendPadded(dst, d.QueueManager, 48)
	dst = appendLayout(dst, o, d.Next)
	dst = o.AppendUint32(dst, uint32(d.PutApplType))
	dst = appendPadded(dst, d.PutApplName, 28)
	dst = appendPadded(dst, d.PutDate, 8)
	return appendPadded(dst, d.PutTime, 8)
}

// DecodeDeadLetter reads an MQDLH.
func DecodeDeadLetter(h Header) (*DeadLetterHeader, bool) {
	if h.Format != FormatDeadLetter || len(h.Raw) != sizeDLH {
		return nil, false
	}
	o, ebcdic := order(h.Encoding), isEBCDIC(h.Raw)
	field := func(from, to int) string { return trim(ascii(ebcdic, h.Raw[from:to])) }
	return &DeadLetterHeader{
		Reason: int32(o.Uint32(h.Raw[8:])), Queue: field(12, 60), QueueManager: field(60, 108), Next: h.Next,
		PutApplType: int32(o.Uint32(h.Raw[124:])), PutApplName: field(128, 156), PutDate: field(156, 164), PutTime: field(164, 172),
	}, true
}
