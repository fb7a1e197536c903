package rfh2

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"
)

// An RFH2 is an MQRFH2: properties in folders.
type RFH2 struct {
	Next    Layout // of what follows it
	Flags   int32
	Folders []Folder
}

// maxFolders bounds the folders of one header. Three are usual.
const maxFolders = 256

// Decode reads an MQRFH2. What is in its folders is not read.
func Decode(h Header) (*RFH2, error) {
	folders, err := AppendFolders(make([]Folder, 0, 4), h)
	if err != nil {
		return nil, err
	}
	return &RFH2{Next: h.Next, Flags: int32(order(h.Encoding).Uint32(h.Raw[28:])), Folders: folders}, nil
}

// AppendFolders is Decode for the folders alone, which it appends to dst.
func AppendFolders(dst []Folder, h Header) ([]Folder, error) {
	if h.Format != FormatRFH2 || len(h.Raw) < fixedRFH2 {
		return nil, fmt.Errorf("header %s: expected %s", h.Format, FormatRFH2)
	}
	o := order(h.Encoding)
	if v := o.Uint32(h.Raw[4:]); v != 2 {
		return nil, fmt.Errorf("MQRFH2: found version %d, expected 2", v)
	}
	text := nameValues{data: h.Raw[fixedRFH2:], ccsid: int32(o.Uint32(h.Raw[32:])), order: o}
	most := len(dst) + maxFolders
	for at := 0; at < len(text.data); {
		rest := text.data[at:]
		if len(rest) < 4 {
			return nil, fmt.Errorf("MQRFH2: found %d bytes, expected the length of a folder", len(rest))
		}
		n := o.Uint32(rest)
		if at += 4; uint64(n) > uint64(len(text.data)-at) {
			return nil, fmt.Errorf("MQRFH2: the length of a folder says %d, expected at most %d", n, len(text.data)-at)
		}
		end := at + int(n)
		s, err := text.part(at, end)
		if err == nil {
			dst, err = appendFolders(dst, s, most)
		}
		if err != nil {
			return nil, fmt.Errorf("MQRFH2: %w", err)
		}
		at = end
	}
	return dst, nil
}

// nameValues is all that stands behind the fixed part of an MQRFH2.
type nameValues struct {
	data  []byte
	ccsid int32
	order binary.ByteOrder
	all   string // data, if that is UTF-8 and was asked for
}

// part returns a part of the text in UTF-8.
func (v *nameValues) part(from, to int) (string, error) {
	switch v.ccsid {
	case UTF8, ccsidOfQueueManager:
		if v.all == "" {
			v.all = string(v.data) // all at once: the folders are parts of it
		}
		return v.all[from:to], nil
	case 1200, 13488, 17584:
		text, err := fromUTF16(v.order, v.data[from:to])
		return string(text), err
	}
	set, ok := charsets(v.ccsid) // IBM allows none of those, and some senders do not know that
	if !ok {
		return "", fmt.Errorf("found NameValueCCSID %d, which is not supported", v.ccsid)
	}
	return string(set.decode(v.data[from:to])), nil
}

// appendFolders appends the folders in text, of which there is usually one.
func appendFolders(dst []Folder, text string, most int) ([]Folder, error) {
	for len(text) > 0 && (text[len(text)-1] == ' ' || text[len(text)-1] == 0) {
		text = text[:len(text)-1]
	}
	if name := alone(text); name != "" {
		return append(dst, Folder{Name: name, Text: text}), nil
	}
	s := scanner{text: text}
	for s.skipSpace(); s.more(); s.skipSpace() {
		if len(dst) >= most {
			return nil, fmt.Errorf("more than %d folders", maxFolders)
		}
		e, err := s.element()
		if err != nil {
			return nil, err
		}
		dst = append(dst, Folder{Name: e.name, Text: e.text})
	}
	return dst, nil
}

// alone returns the name of the folder that all of text is, without reading what
// is in it; empty if it takes more to know that.
func alone(text string) string {
	if text == "" || text[0] != '<' {
		return ""
	}
	name := text[1 : 1+nameLength(text[1:])]
	end := len(text) - len("</>") - len(name)
	if name == "" || end <= 0 || text[len(text)-1] != '>' {
		return ""
	}
	closing := text[end:]
	if closing[0] != '<' || closing[1] != '/' || closing[2:len(closing)-1] != name || strings.Index(text, closing[1:]) != end+1 {
		return ""
	}
	return name
}

// Folder returns the first folder of that name.
func (r *RFH2) Folder(name string) (Folder, bool) {
	for _, f := range r.Folders {
		if f.Name == name {
			return f, true
		}
	}
	return Folder{}, false
}

// Len returns how many bytes Append appends.
func (r *RFH2) Len() int {
	size := fixedRFH2
	for _, f := range r.Folders {
		size += 4 + padded(len(f.Text))
	}
	return size
}

// Append appends the header with its integers in the given encoding, which the
// message descriptor, or the header before it, must name together with UTF8.
func (r *RFH2) Append(dst []byte, encoding int32) ([]byte, error) {
	size := r.Len()
	if size > math.MaxInt32 {
		return dst, errors.New("MQRFH2: longer than 2 GiB")
	}
	o := appendOrder(encoding)
	dst = append(dst, "RFH "...)
	dst = o.AppendUint32(dst, 2)
	dst = o.AppendUint32(dst, uint32(size))
	dst = appendLayout(dst, o, r.Next)
	dst = o.AppendUint32(dst, uint32(r.Flags))
	dst = o.AppendUint32(dst, uint32(UTF8))
	for _, f := range r.Folders {
		n := padded(len(f.Text))
		dst = o.AppendUint32(dst, uint32(n))
		dst = appendPadded(dst, f.Text, n)
	}
	return dst, nil
}

// padded returns n rounded up to a multiple of four.
func padded(n int) int { return (n + 3) &^ 3 }
