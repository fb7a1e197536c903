package stomp

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"runtime"
	"runtime/metrics"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/go-stomp/stomp/v3/frame"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// headersOf returns name, value, name, value …
func headersOf(f *frame.Frame) []string {
	var all []string
	for i := range f.Header.Len() {
		name, value := f.Header.GetAt(i)
		all = append(all, name, value)
	}
	return all
}

func TestReader(t *testing.T) {
	tests := []struct {
		name    string
		version version
		in      string
		headers []string
		body    string
	}{
		{"sized body", v12, "MESSAGE\ncontent-length:3\na:b\n\nx\x00y\x00", []string{"content-length", "3", "a", "b"}, "x\x00y"},
		{"unsized body", v12, "MESSAGE\na:b\n\nxy\x00", []string{"a", "b"}, "xy"},
		{"no headers, no body", v12, "MESSAGE\n\n\x00", nil, ""},
		{"heart-beats before it", v12, "\n\r\n\nMESSAGE\na:b\n\n\x00", []string{"a", "b"}, ""},
		{"carriage returns in 1.2", v12, "MESSAGE\r\na:b\r\n\r\nx\x00", []string{"a", "b"}, "x"},
		{"a carriage return in 1.1 is the value's", v11, "MESSAGE\na:b\r\n\nx\x00", []string{"a", "b\r"}, "x"},
		{"escapes of 1.2", v12, "MESSAGE\na\\cb:\\\\c\\n\\r\\t\\\n\nx\x00", []string{"a:b", "\\c\n\r\\t\\"}, "x"},
		{"escapes of 1.1", v11, "MESSAGE\na\\cb:\\\\c\\n\\r\n\nx\x00", []string{"a:b", "\\c\n\\r"}, "x"},
		{"no escapes in 1.0", v10, "MESSAGE\na\\c:b:\\\\c\\n\n\nx\x00", []string{"a\\c", "b:\\\\c\\n"}, "x"},
		{"no escapes before a version is known", "", "CONNECTED\nsession:ID:x\\c\n\n\x00", []string{"session", "ID:x\\c"}, ""},
		{"escapes in the answer that refuses", "", "ERROR\nmessage:no\\c not you\n\n\x00", []string{"message", "no: not you"}, ""},
		{"repeated and empty headers", v12, "MESSAGE\na:1\na:2\nb:\n\n\x00", []string{"a", "1", "a", "2", "b", ""}, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := newFrameReader(iotest.OneByteReader(strings.NewReader(test.in)))
			r.version = test.version
			f, err := r.next()
			if err != nil || f.bad != nil {
				t.Fatalf("got errors %v, %v, want none", err, f.bad)
			}
			if diff := cmp.Diff(test.headers, headersOf(f.Frame)); diff != "" || string(f.Body) != test.body {
				t.Errorf("got body %q, want %q; headers, -want +got:\n%s", f.Body, test.body, diff)
			}
			if _, err := r.next(); err != io.EOF {
				t.Errorf("got error %v after the last frame, want EOF", err)
			}
		})
	}
}

func TestReaderRefuses(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"another protocol", "HTTP/1.1 200 OK\r\n\r\n\x00", "not what a STOMP broker says"},
		{"a client's command", "SEND\n\n\x00", "not what a STOMP broker says"},
		{"a line that is no header", "MESSAGE\nabc\n\n\x00", `"abc" is not a header`},
		{"a content-length that is no number", "MESSAGE\ncontent-length:-1\n\n\x00", `content-length is "-1"`},
		{"a content-length of more than 2 GiB", "MESSAGE\ncontent-length:2147483648\n\n\x00", `content-length is "2147483648"`},
		{"a body that goes on", "MESSAGE\ncontent-length:1\n\nab\x00", "no NUL"},
		{"an end within the headers", "MESSAGE\na:b", io.ErrUnexpectedEOF.Error()},
		{"an end within the body", "MESSAGE\ncontent-length:9\n\nab", io.ErrUnexpectedEOF.Error()},
		{"an end within an unsized body", "MESSAGE\n\nab", io.ErrUnexpectedEOF.Error()},
		{"headers without end", "MESSAGE\n" + strings.Repeat("a:"+strings.Repeat("x", 1000)+"\n", maxDropped/1000+100), "headers of more than"},
		{"a header without end", "MESSAGE\na:" + strings.Repeat("x", maxDropped+2*MaxHeader), "headers of more than"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := newFrameReader(strings.NewReader(test.in))
			r.version = v12
			if f, err := r.next(); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got frame %v, error %v, want one with %q", f, err, test.want)
			}
		})
	}
}

// A message over a limit is received as far as it can be settled and told of,
// and so is the next one.
func TestReaderLimits(t *testing.T) {
	long := strings.Repeat("x", MaxBody+1)
	tests := []struct{ name, in, want string }{
		{"a sized body", fmt.Sprintf("MESSAGE\nmessage-id:7\ncontent-length:%d\n\n%s\x00", len(long), long), "a body of 67108865 bytes"},
		{"an unsized body", "MESSAGE\nmessage-id:7\n\n" + long + "\x00", "a body of 67108865 bytes"},
		{"one header", "MESSAGE\nlong:" + long[:MaxHeader] + "\nmessage-id:7\n\n\x00", "too long headers"},
		{"headers together", "MESSAGE\n" + strings.Repeat("a:"+long[:10_000]+"\n", 9) + "message-id:7\ncontent-length:0\n\n\x00", "too long headers"},
		{"number of headers", "MESSAGE\n" + strings.Repeat("a:\n", 2*MaxHeaders) + "message-id:7\n\n\x00", "too many"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := newFrameReader(strings.NewReader(test.in + "MESSAGE\n\nnext\x00"))
			r.version = v12
			f, err := r.next()
			if err != nil || f.bad == nil || !strings.Contains(f.bad.Error(), test.want) {
				t.Fatalf("got errors %v and bad %v, want none and one with %q", err, f.bad, test.want)
			}
			if got := f.Header.Get(frame.MessageId); got != "7" || len(f.Body) != 0 {
				t.Errorf("got message-id %q and %d bytes, want 7 and none", got, len(f.Body))
			}
			if f, err = r.next(); err != nil || string(f.Body) != "next" {
				t.Errorf("got %v, error %v after it, want the next message", f, err)
			}
		})
	}
}

func TestBodyOfMaxBody(t *testing.T) {
	body := bytes.Repeat([]byte("x"), MaxBody)
	for _, head := range []string{"MESSAGE\n\n", fmt.Sprintf("MESSAGE\ncontent-length:%d\n\n", len(body))} {
		r := newFrameReader(io.MultiReader(strings.NewReader(head), bytes.NewReader(body), strings.NewReader("\x00")))
		f, err := r.next()
		if err != nil || f.bad != nil || !bytes.Equal(f.Body, body) {
			t.Errorf("%q: got %d bytes, errors %v, %v, want all %d", head, len(f.Body), err, f.bad, len(body))
		}
	}
}

// allocated returns how many bytes f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func TestClaimIsNotAllocated(t *testing.T) {
	for _, claim := range []int{MaxBody, 1<<31 - 1} {
		r := newFrameReader(strings.NewReader(fmt.Sprintf("MESSAGE\ncontent-length:%d\n\n", claim)))
		n := allocated(func() {
			if _, err := r.next(); !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("got error %v, want that the input ended", err)
			}
		})
		if n > 64<<10 {
			t.Errorf("a frame that claims %d bytes made %d be allocated, want at most 64 KiB", claim, n)
		}
	}
}

// FuzzReader reads anything as frames. Nothing panics, memory is bounded by the
// input, and what was read can be written and read again.
func FuzzReader(f *testing.F) {
	for _, seed := range []string{
		"MESSAGE\ncontent-length:3\na:b\n\nx\x00y\x00\nRECEIPT\nreceipt-id:1\n\n\x00",
		"ERROR\r\nmessage:a\\cb\\\\\r\n\r\nwords\x00",
		"MESSAGE\ncontent-length:4294967295\n\n",
		"MESSAGE\n" + strings.Repeat("a:\n", 600) + "\n\x00",
		"CONNECTED\nversion:1.2\nheart-beat:0,0\n\n\x00\n\n",
	} {
		for v := range 4 {
			f.Add([]byte(seed), v)
		}
	}
	f.Fuzz(func(t *testing.T, in []byte, v int) {
		versions := []version{"", v10, v11, v12}
		r := newFrameReader(bytes.NewReader(in))
		r.version = versions[uint(v)%4]
		var frames []received
		before := heapAllocs()
		for {
			got, err := r.next()
			if err != nil {
				break
			}
			frames = append(frames, got)
		}
		if n, limit := heapAllocs()-before, uint64(4*len(in)+1<<20+512*len(frames)); n > limit {
			t.Errorf("%d bytes of input made %d be allocated, want at most %d", len(in), n, limit)
		}
		for _, got := range frames {
			again(t, got, r.version)
		}
	})
}

// heapAllocs is how many bytes were ever allocated. Small objects are counted
// late, hence the MiB that the limit allows; runtime.ReadMemStats is exact, and
// slow because it stops the world.
func heapAllocs() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

// again checks that a frame survives being written and read.
func again(t *testing.T, f received, v version) {
	if f.bad != nil {
		return
	}
	text, err := appendFrame(nil, f.Frame, v)
	if err != nil {
		return // a header that cannot be written
	}
	r := newFrameReader(bytes.NewReader(text))
	r.version = v
	got, err := r.next()
	if err != nil || got.bad != nil {
		t.Fatalf("read what was written: errors %v, %v\n%q", err, got.bad, text)
	}
	if diff := cmp.Diff(headersOf(f.Frame), headersOf(got.Frame)); diff != "" || !bytes.Equal(f.Body, got.Body) {
		t.Errorf("%q was read as body %q, headers -written +read:\n%s", text, got.Body, diff)
	}
}

func TestFrameRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.SampledFrom([]version{v10, v11, v12}).Draw(t, "version")
		chars := rapid.RuneFrom([]rune("ab\\\n\r:cnr é漢\t\""))
		f := frame.New(frame.MESSAGE)
		for range rapid.IntRange(0, 6).Draw(t, "headers") {
			f.Header.Add(rapid.StringOfN(chars, 0, 8, -1).Draw(t, "name"), rapid.StringOf(chars).Draw(t, "value"))
		}
		f.Body = rapid.SliceOf(rapid.Byte()).Draw(t, "body")
		f.Header.Add(frame.ContentLength, fmt.Sprint(len(f.Body)))
		text, err := appendFrame(nil, f, v)
		if err != nil {
			checkUnwritable(t, f, v)
			return
		}
		r := newFrameReader(bytes.NewReader(text))
		r.version = v
		got, err := r.next()
		if err != nil {
			t.Fatalf("read %q: %v", text, err)
		}
		if diff := cmp.Diff(headersOf(f), headersOf(got.Frame)); diff != "" || !bytes.Equal(got.Body, f.Body) {
			t.Fatalf("%q was read as body %q, headers -written +read:\n%s", text, got.Body, diff)
		}
	})
}

// checkUnwritable fails unless some header of f cannot be told from others in v.
func checkUnwritable(t *rapid.T, f *frame.Frame, v version) {
	for i := range f.Header.Len() {
		name, value := f.Header.GetAt(i)
		if name == "" || v == v10 && (strings.ContainsAny(name, ":\n") || strings.Contains(value, "\n")) {
			return
		}
	}
	t.Fatalf("STOMP %s refused to write %q", v, headersOf(f))
}

func TestWriteCONNECT(t *testing.T) {
	f := frame.New(frame.CONNECT, frame.Passcode, `a:b\c`)
	got, err := appendFrame(nil, f, v12)
	if want := "CONNECT\npasscode:a:b\\c\n\n\x00"; err != nil || string(got) != want {
		t.Errorf("got %q, error %v, want %q: CONNECT has no escapes", got, err, want)
	}
	f.Header.Set(frame.Passcode, "a\nlogin:b")
	if got, err := appendFrame(nil, f, v12); err == nil {
		t.Errorf("got %q, want an error: a password must not become another header", got)
	}
}
