package broker

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/go-stomp/stomp/v3/frame"
	"github.com/google/go-cmp/cmp"
)

func TestReadFrame(t *testing.T) {
	for _, test := range []struct {
		name, in string
		version  version
		headers  []string // names and values in turn
		body     string
	}{
		{"no headers", "BEGIN\n\n\x00", v12, nil, ""},
		{"after heart-beats", "\n\r\n\nBEGIN\n\n\x00", v12, nil, ""},
		{"lines that end with CR LF", "SEND\r\na:b\r\n\r\nx\r\n\x00", v12, []string{"a", "b"}, "x\r\n"},
		{"first of repeated headers", "SEND\na:1\nb:2\na:3\n\n\x00", v12, []string{"a", "1", "b", "2"}, ""},
		{"spaces count", "SEND\na: b \n\n\x00", v12, []string{"a", " b "}, ""},
		{"body until NUL", "SEND\n\nbody\nof lines\x00rest", v12, nil, "body\nof lines"},
		{"content-length", "SEND\ncontent-length:3\n\n\x00\x01\x00\x00", v12, []string{"content-length", "3"}, "\x00\x01\x00"},
		{"escapes", `SEND` + "\n" + `a\cb:\\c\n\r` + "\n\n\x00", v12, []string{"a:b", "\\c\n\r"}, ""},
		{"escapes in 1.1", `SEND` + "\n" + `a:\\n\c` + "\n\n\x00", v11, []string{"a", `\n:`}, ""},
		{"1.0 has no escapes", `SEND` + "\n" + `a:\\n\c:` + "\n\n\x00", v10, []string{"a", `\\n\c:`}, ""},
		{"nor has CONNECT", `CONNECT` + "\n" + `passcode:\t\c` + "\n\n\x00", "", []string{"passcode", `\t\c`}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := newFrameReader(strings.NewReader(test.in), 100)
			r.version = test.version
			f, err := r.read()
			if err != nil {
				t.Fatal(err)
			}
			var headers []string
			for i := range f.Header.Len() {
				key, value := f.Header.GetAt(i)
				headers = append(headers, key, value)
			}
			if diff := cmp.Diff(test.headers, headers); diff != "" {
				t.Errorf("headers (-want +got):\n%s", diff)
			}
			if string(f.Body) != test.body {
				t.Errorf("body: got %q, want %q", f.Body, test.body)
			}
		})
	}
}

func TestReadFrameRefuses(t *testing.T) {
	manyHeaders := strings.Repeat("a:\n", maxEntries) // repeated ones do not count
	for i := range maxEntries + 1 {
		manyHeaders += fmt.Sprintf("h%d:\n", i)
	}
	for _, test := range []struct{ name, in, want string }{
		{"another protocol", "GET / HTTP/1.1\r\n\r\n", `"GET / HTTP/1.1" is not a command`},
		{"a server's command", "MESSAGE\n\n\x00", "not a command of a STOMP client"},
		{"endless command", strings.Repeat("x", maxLine+1), "line has more than"},
		{"endless header", "SEND\na:" + strings.Repeat("x", maxLine), "line has more than"},
		{"endless headers", "SEND\n" + strings.Repeat("a:"+strings.Repeat("x", 1000)+"\n", 100), "more than 65536 bytes"},
		{"too many headers", "SEND\n" + manyHeaders, "1000 entries"},
		{"no colon", "SEND\nheader\n\n\x00", "expected name:value"},
		{"no name", "SEND\n:value\n\n\x00", "expected name:value"},
		{"unknown escape", "SEND\na:\\t\n\n\x00", "begins no escape"},
		{"half an escape", "SEND\na:\\\n\n\x00", "begins no escape"},
		{"content-length of no number", "SEND\ncontent-length:1x\n\n\x00", "expected a number of bytes"},
		{"negative content-length", "SEND\ncontent-length:-1\n\n\x00", "expected a number of bytes"},
		{"content-length too short", "SEND\ncontent-length:1\n\nab\x00", "not followed by a NUL"},
		{"content-length too big", "SEND\ncontent-length:101\n\n", "more than 100 bytes"},
		{"body too long", "SEND\n\n" + strings.Repeat("x", 101) + "\x00", "more than 100 bytes"},
		{"endless body", "SEND\n\n" + strings.Repeat("x", 3*maxLine), "more than 100 bytes"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := newFrameReader(strings.NewReader(test.in), 100)
			r.version = v12
			f, err := r.read()
			var refused *refusal
			if !errors.As(err, &refused) || !strings.Contains(refused.text, test.want) {
				t.Errorf("got %v, %v, want a refusal with %q", f, err, test.want)
			}
		})
	}
}

func TestReadFrameEnds(t *testing.T) {
	whole := "SEND\na:b\ncontent-length:2\n\nxy\x00"
	for n := range len(whole) {
		if f, err := newFrameReader(strings.NewReader(whole[:n]), 100).read(); err != io.EOF {
			t.Errorf("after %q: got %v, %v, want io.EOF", whole[:n], f, err)
		}
	}
}

func TestClaimedLengthIsNotAllocated(t *testing.T) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := newFrameReader(strings.NewReader("SEND\ncontent-length:2000000000\n\nshort"), 1<<31-1).read()
	runtime.ReadMemStats(&after)
	if got := after.TotalAlloc - before.TotalAlloc; err == nil || got > 1<<20 {
		t.Errorf("a frame that claims 2 GB: got error %v and %d bytes allocated, want io.EOF and less than 1 MiB", err, got)
	}
}

func TestWriteFrame(t *testing.T) {
	const value = "a:b\\c\nd\re"
	for _, test := range []struct {
		command string
		version version
		want    string
	}{
		{"MESSAGE", v10, `a:b\c\nd\re`},
		{"MESSAGE", v11, "a\\cb\\\\c\\nd\re"},
		{"MESSAGE", v12, `a\cb\\c\nd\re`},
		{"CONNECTED", v12, `a:b\c\nd\re`},
		{"ERROR", "", `a:b\c\nd\re`},
	} {
		var out bytes.Buffer
		w := bufio.NewWriter(&out)
		f := frame.New(test.command, "h", value)
		f.Body = []byte("body")
		writeFrame(w, f, test.version)
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		if got, want := out.String(), test.command+"\nh:"+test.want+"\n\nbody\x00"; got != want {
			t.Errorf("%s in %s: got %q, want %q", test.command, test.version, got, want)
		}
	}
}

func FuzzReadFrame(f *testing.F) {
	f.Add("SEND\na:b\n\nbody\x00", "1.2")
	f.Add("\n\r\nSEND\r\ncontent-length:4\r\na\\cb:\\n\r\n\r\n\x00\x00\x00\x00\x00", "1.1")
	f.Add("CONNECT\naccept-version:1.0\n\n\x00", "")
	f.Fuzz(func(t *testing.T, in, v string) {
		r := newFrameReader(strings.NewReader(in), 1000)
		r.version = version(v)
		first, err := r.read()
		if err != nil {
			return
		}
		var out bytes.Buffer
		w := bufio.NewWriter(&out)
		writeFrame(w, first, v12)
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		r = newFrameReader(&out, 1000)
		r.version = v12
		if first.Command == frame.CONNECT || first.Command == frame.STOMP {
			return // never escaped when read, always when written: it is a client's
		}
		again, err := r.read()
		if err != nil {
			t.Fatalf("%q is read but not read again when written: %v", in, err)
		}
		if diff := cmp.Diff(first, again, cmp.AllowUnexported(frame.Header{}), cmp.Transformer("body", func(b []byte) string { return string(b) })); diff != "" {
			t.Errorf("%q written and read again (-want +got):\n%s", in, diff)
		}
	})
}
