package rfh2

import (
	"bytes"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func golden(t testing.TB, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name+".hex"))
	if err != nil {
		t.Fatal(err)
	}
	data, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

type folders map[string][]Property

// TestGolden reads what IBM's classes wrote, compares what it means, and writes
// the same bytes again, from the meaning alone.
func TestGolden(t *testing.T) {
	typed := folders{
		"mcd": {{"Msd", "jms_text"}},
		"jms": {{"Dst", "queue:///Q1"}, {"Rto", "queue:///REPLY"}, {"Tms", "1700000000123"}, {"Cid", "corr-1"}, {"Dlv", "2"}},
		"usr": {
			{"str", `a<b&"c'dé>`}, {"i4", int32(42)}, {"i8", int64(9223372036854775807)}, {"bool", "1"},
			{"i1", "-5"}, {"i2", int16(300)}, {"r4", float32(1.5)}, {"r8", 2.25}, {"bin", "01ff"},
		},
	}
	for _, test := range []struct {
		name     string
		encoding int32
		order    []string
		folders  folders
		next     Layout
		body     string
	}{
		{"headers-typed-546", LittleEndian, []string{"mcd", "jms", "usr"}, typed, Layout{FormatString, 273, 1208}, ""},
		{"headers-typed-273", BigEndian, []string{"mcd", "jms", "usr"}, typed, Layout{FormatString, 273, 1208}, ""},
		{"headers-pad0", LittleEndian, []string{"usr"}, folders{"usr": {{"k", ""}}}, Layout{FormatString, 546, 1208}, ""},
		{"headers-pad1", LittleEndian, []string{"usr"}, folders{"usr": {{"k", "x"}}}, Layout{FormatString, 546, 1208}, ""},
		{"headers-pad3", LittleEndian, []string{"usr"}, folders{"usr": {{"k", "xxx"}}}, Layout{FormatString, 546, 1208}, ""},
		{"jms-text-null", BigEndian, []string{"mcd", "jms"}, folders{
			"mcd": {{"Msd", "jms_text"}, {"msgbody", nil}},
			"jms": {{"Dst", "queue:///Q1"}, {"Tms", "1795244870127"}, {"Dlv", "2"}},
		}, Layout{FormatString, 273, 1208}, ""},
		{"jms-none", BigEndian, []string{"mcd", "jms"}, folders{
			"mcd": {{"Msd", "jms_none"}},
			"jms": {{"Dst", "queue:///Q1"}, {"Tms", "1795244870259"}, {"Dlv", "2"}},
		}, Layout{FormatNone, 273, 1208}, ""},
		{"jms-bytes", BigEndian, []string{"mcd", "jms"}, folders{
			"mcd": {{"Msd", "jms_bytes"}},
			"jms": {{"Dst", "queue:///Q1"}, {"Tms", "1795244870133"}, {"Dlv", "2"}},
		}, Layout{FormatNone, 273, 1208}, "\x00\x00\x00\x07"},
	} {
		t.Run(test.name, func(t *testing.T) {
			data := golden(t, test.name)
			headers, next, body, err := Split(Layout{FormatRFH2, test.encoding, 819}, data)
			if err != nil || len(headers) != 1 {
				t.Fatalf("got %d headers, error %v; want one", len(headers), err)
			}
			if next != test.next || string(body) != test.body {
				t.Errorf("got %+v and body %q behind the header, want %+v and %q", next, body, test.next, test.body)
			}
			r, err := Decode(headers[0])
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.folders, meaning(t, r)); diff != "" {
				t.Errorf("properties (-want +got):\n%s", diff)
			}
			again := compose(t, test.order, test.folders, test.next, test.encoding)
			if want := headers[0].Raw; !bytes.Equal(again, want) {
				t.Errorf("written again:\n got %x\nwant %x", again, want)
			}
		})
	}
}

// meaning returns the properties of each folder.
func meaning(t *testing.T, r *RFH2) folders {
	t.Helper()
	got := make(folders)
	for _, f := range r.Folders {
		properties, err := f.Properties()
		if err != nil {
			t.Fatal(err)
		}
		got[f.Name] = properties
	}
	return got
}

func compose(t *testing.T, order []string, all folders, next Layout, encoding int32) []byte {
	t.Helper()
	r := &RFH2{Next: next}
	for _, name := range order {
		f, err := NewFolder(name, all[name])
		if err != nil {
			t.Fatal(err)
		}
		r.Folders = append(r.Folders, f)
	}
	data, err := r.Append(nil, encoding)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
