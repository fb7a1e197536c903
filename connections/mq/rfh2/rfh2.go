package rfh2

import (
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
	if h.Format != FormatRFH2 || len(h.Raw) < fixedRFH2 {
		return nil, fmt.Errorf("header %s: expected %s", h.Format, FormatRFH2)
	}
	o := order(h.Encoding)
	if v := o.Uint32(h.Raw[4:]); v != 2 {
		return nil, fmt.Errorf("MQRFH2: found version %d, expected 2", v)
	}
	r := &RFH2{Next: h.Next, Flags: int32(o.Uint32(h.Raw[28:])), Folders: make([]Folder, 0, 4)}
	ccsid := int32(o.Uint32(h.Raw[32:]))
	for data := h.Raw[fixedRFH2:]; len(data) > 0; {
		if len(data) < 4 {
			return nil, fmt.Errorf("MQRFH2: found %d bytes, expected the length of a folder", len(data))
		}
		n := o.Uint32(data)
		data = data[4:]
		if uint64(n) > uint64(len(data)) {
			return nil, fmt.Errorf("MQRFH2: the length of a folder says %d, expected at most %d", n, len(data))
		}
		if err := r.read(ccsid, h.Encoding, data[:n]); err != nil {
			return nil, fmt.Errorf("MQRFH2: %w", err)
		}
		data = data[n:]
	}
	return r, nil
}

// read adds the folders in data, of which there is usually one.
func (r *RFH2) read(ccsid, encoding int32, data []byte) error {
	switch ccsid {
	case UTF8, 1200, 13488, 17584, 0:
	default:
		return fmt.Errorf("found NameValueCCSID %d, expected 1208 or 1200", ccsid)
	}
	text, err := Text(ccsid, encoding, data)
	if err != nil {
		return err
	}
	for len(text) > 0 && (text[len(text)-1] == ' ' || text[len(text)-1] == 0) {
		text = text[:len(text)-1]
	}
	s := scanner{text: string(text)}
	if name := alone(s.text); name != "" {
		r.Folders = append(r.Folders, Folder{Name: name, Text: s.text})
		return nil
	}
	for s.skipSpace(); s.more(); s.skipSpace() {
		if len(r.Folders) == maxFolders {
			return fmt.Errorf("more than %d folders", maxFolders)
		}
		e, err := s.element()
		if err != nil {
			return err
		}
		r.Folders = append(r.Folders, Folder{Name: e.name, Text: e.text})
	}
	return nil
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
	closing := text[end : len(text)-1]
	if closing[:2] != "</" || closing[2:] != name || strings.Index(text, closing) != end {
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
