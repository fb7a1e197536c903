package rfh2

import "fmt"

// A Header is one header in front of the body of a message.
type Header struct {
	Layout        // how the header itself is to be read; its format says which kind it is
	Next   Layout // of what follows it
	Raw    []byte // the whole header
}

// maxHeaders bounds a chain. More than two are rare.
const maxHeaders = 32

// Split takes the headers off a message. Format, encoding and CCSID of a message
// descriptor say what data begins with. A header that this package does not know
// ends the chain and belongs to the body.
func Split(first Layout, data []byte) (headers []Header, body Layout, rest []byte, err error) {
	return AppendHeaders(nil, first, data)
}

// AppendHeaders is Split that appends to dst.
func AppendHeaders(dst []Header, first Layout, data []byte) (headers []Header, body Layout, rest []byte, err error) {
	next, most := first, len(dst)+maxHeaders
	for len(dst) < most {
		k, ok := kinds(next.Format)
		if !ok {
			return dst, next, data, nil
		}
		h, err := k.cut(next, data)
		if err != nil {
			return dst, next, data, err
		}
		dst = append(dst, h)
		next, data = h.Next, data[len(h.Raw):]
	}
	return dst, next, data, fmt.Errorf("more than %d headers", maxHeaders)
}

// A kind is a kind of header.
type kind struct {
	id   string // the first four characters
	size int    // of the fixed part
	next int    // where the layout of what follows stands
	own  bool   // the header says its own length
}

const (
	common    = 12 // where most headers have the layout of what follows
	fixedRFH2 = 36
)

func kinds(format string) (kind, bool) {
	switch format {
	case FormatRFH2:
		return kind{"RFH ", fixedRFH2, common, true}, true
	case FormatDeadLetter:
		return kind{"DLH ", sizeDLH, 108, false}, true
	case "MQHRF":
		return kind{"RFH ", 32, common, true}, true
	case "MQCICS":
		return kind{"CIH ", 164, common, true}, true
	case "MQIMS":
		return kind{"IIH ", 84, common, true}, true
	case "MQHMDE":
		return kind{"MDE ", 72, common, true}, true
	case "MQHWIH":
		return kind{"WIH ", 120, common, true}, true
	}
	return kind{}, false
}

// cut takes one header of kind k off data.
func (k kind) cut(l Layout, data []byte) (Header, error) {
	if len(data) < k.size {
		return Header{}, fmt.Errorf("header %s: found %d bytes, expected at least %d", l.Format, len(data), k.size)
	}
	ebcdic := isEBCDIC(data)
	if id := ascii(ebcdic, data[:4]); id != k.id {
		return Header{}, fmt.Errorf("header %s: found %q, expected that it begins with %q", l.Format, id, k.id)
	}
	size := k.size
	if k.own {
		claimed := order(l.Encoding).Uint32(data[8:])
		if claimed < uint32(k.size) || uint64(claimed) > uint64(len(data)) {
			return Header{}, fmt.Errorf("header %s: its length says %d, expected %d to %d", l.Format, claimed, k.size, len(data))
		}
		size = int(claimed)
	}
	return Header{Layout: l, Next: readLayout(l, ebcdic, data[k.next:]), Raw: data[:size:size]}, nil
}
