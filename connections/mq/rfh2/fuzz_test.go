package rfh2

import (
	"bytes"
	"fmt"

	"path/filepath"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func utf16Of(s string) []uint16 { return utf16.Encode([]rune(s)) }

// FuzzSplit reads whole messages, and writes again what it could read: the
// meaning must be the same.
func FuzzSplit(f *testing.F) {
	files, err := filepath.Glob("testdata/*.hex")
	if err != nil || len(files) == 0 {
		f.Fatalf("no golden files: %v", err)
	}
	for _, file := range files {
		data := golden(f, strings.TrimSuffix(filepath.Base(file), ".hex"))
		f.Add(FormatRFH2, BigEndian, UTF8, data)
		f.Add(FormatRFH2, LittleEndian, int32(37), data)
	}
	dead := DeadLetterHeader{Next: plain}
	f.Add(FormatDeadLetter, LittleEndian, int32(819), append(dead.Append(nil, LittleEndian), header(f, Layout{}, "<usr><a dt='i4'>1</a></usr>")...))
	f.Fuzz(func(t *testing.T, format string, encoding, ccsid int32, data []byte) {
		headers, next, body, err := Split(Layout{format, encoding, ccsid}, data)
		n := len(body)
		for _, h := range headers {
			n += len(h.Raw)
			if r, err := Decode(h); err == nil {
				rewrite(t, r)
			}
			DecodeDeadLetter(h)
		}
		if n != len(data) {
			t.Fatalf("headers and body are %d bytes, want %d", n, len(data))
		}
		if err != nil {
			return
		}
		text, err := Text(next.CCSID, next.Encoding, body)
		if err == nil && len(text) > 3*len(body) {
			t.Errorf("%d bytes of text from %d bytes", len(text), len(body))
		}
	})
}

func rewrite(t *testing.T, r *RFH2) {
	again, err := r.Append(nil, LittleEndian)
	if err != nil {
		t.Fatal(err)
	}
	headers, _, _, err := Split(Layout{FormatRFH2, LittleEndian, UTF8}, again)
	if err != nil {
		t.Fatal(err)
	}
	back, err := Decode(headers[0])
	if err != nil {
		t.Fatal(err)
	}
	back.Next = r.Next // not always what was written: 0 means "as before"
	if diff := cmp.Diff(r, back, cmpopts.EquateEmpty()); diff != "" {
		t.Fatalf("written and read again (-want +got):\n%s", diff)
	}
	for _, folder := range r.Folders {
		refold(t, folder)
	}
}

// refold makes a new folder of the properties of another.
func refold(t *testing.T, f Folder) {
	properties, err := f.Properties()
	wantSlowly(t, f, properties, err)
	wantTexts(t, f, properties, err)
	if err != nil {
		return
	}
	again, err := NewFolder(f.Name, properties)
	if err != nil {
		return // a name that is read but never written
	}
	back, err := again.Properties()
	if err != nil {
		t.Fatalf("%q, written again as %q: %v", f.Text, again.Text, err)
	}
	if diff := cmp.Diff(properties, back, cmpopts.EquateNaNs()); diff != "" {
		t.Fatalf("%q, written again as %q (-want +got):\n%s", f.Text, again.Text, diff)
	}
}

// wantSlowly reads a folder without the short ways, and fails if that has another
// result.
func wantSlowly(t *testing.T, f Folder, want []Property, wantErr error) {
	got := []Property{}
	inner, err := within(f.Text)
	s := scanner{text: inner}
	for s.skipSpace(); err == nil && s.more(); s.skipSpace() {
		var e element
		if e, err = s.element(); err == nil {
			var p Property
			p, err = e.property(byElement)
			got = append(got, p)
		}
		if len(got) > most(inner, byElement) {
			return
		}
	}
	if (err == nil) != (wantErr == nil) {
		t.Fatalf("%q: got error %v, want %v", f.Text, wantErr, err)
	}
	if diff := cmp.Diff(got, want, cmpopts.EquateNaNs()); err == nil && diff != "" {
		t.Fatalf("%q (-want +got):\n%s", f.Text, diff)
	}
}

// wantTexts reads a folder as text, and fails if that says anything else.
func wantTexts(t *testing.T, f Folder, want []Property, wantErr error) {
	texts, err := f.AppendTexts(nil)
	if (err == nil) != (wantErr == nil) || len(texts) != len(want) {
		t.Fatalf("%q: got %v and error %v as text, want %v and error %v", f.Text, texts, err, want, wantErr)
	}
	for i, p := range want {
		text := ""
		if p.Value != nil {
			text = fmt.Sprint(p.Value)
		}
		if got := texts[i]; got != (PropertyText{p.Name, text, p.Value == nil}) {
			t.Errorf("%q: got %v as text, want %v", f.Text, got, p)
		}
	}
}

// FuzzBody reads map and stream bodies and writes them again.
func FuzzBody(f *testing.F) {
	f.Add([]byte(`<map><elt name="k" dt='i4'>1</elt><b/></map>`))
	f.Add([]byte(`<stream><elt dt='char'>&#65;</elt></stream>`))
	f.Fuzz(func(t *testing.T, body []byte) {
		if entries, err := DecodeMap(body); err == nil {
			again, err := EncodeMap(entries)
			if err != nil {
				return
			}
			back, err := DecodeMap(again)
			if diff := cmp.Diff(entries, back, cmpopts.EquateNaNs()); err != nil || diff != "" {
				t.Fatalf("%q written again as %q: %v (-want +got):\n%s", body, again, err, diff)
			}
		}
		if values, err := DecodeStream(body); err == nil {
			if again, err := EncodeStream(values); err == nil && !bytes.HasPrefix(again, []byte("<stream>")) {
				t.Fatalf("got %q", again)
			}
		}
	})
}
