package http_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
)

// These tests go over a real connection, for what net/http makes of it.

// raw sends bytes, ends the sending side and returns the answer.
func raw(t *testing.T, request string) *http.Response {
	t.Helper()
	server := httptest.NewServer(newHandler(t))
	t.Cleanup(server.Close)
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	return resp
}

func TestBodyThatEndsEarly(t *testing.T) {
	for name, request := range map[string]string{
		"short":    "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc",
		"none":     "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n",
		"chunked":  "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
		"no chunk": "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			resp := raw(t, request)
			if resp.StatusCode != http.StatusBadRequest {
				t.Fatalf("got %s, want 400", resp.Status)
			}
			checkProblem(t, resp, "body")
		})
	}
}

func TestLongBodyThatEndsEarly(t *testing.T) {
	const length = 1 << 20 // more than is believed before it is there
	h := newHandler(t)
	h.MaxBody = 2 * length
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodPost, "/", io.MultiReader(strings.NewReader("abc"), failing{}))
	r.ContentLength = length
	h.ServeHTTP(w, r)
	if w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), "1048576") {
		t.Errorf("got %d %s, want 400 and the length", w.Code, w.Body)
	}
}

// failing is the rest of a body whose connection has ended.
type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// endless is a body that never ends; it counts what was read of it.
type endless struct{ n int64 }

func (e *endless) Read(p []byte) (int, error) {
	e.n += int64(len(p))
	return len(p), nil
}

// TestChunkedBodyOverTheLimit sends a body whose length nobody knows and which
// never ends: what is kept of it must not grow past the limit.
func TestChunkedBodyOverTheLimit(t *testing.T) {
	h := newHandler(t)
	h.MaxBody = 1 << 20
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	e := new(endless)
	r := httptest.NewRequest(http.MethodPost, "/", e)
	r.ContentLength = -1
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	runtime.ReadMemStats(&after)
	if w.Code != http.StatusRequestEntityTooLarge {
		t.Fatalf("got %d, want 413", w.Code)
	}
	if e.n > 2*h.MaxBody {
		t.Errorf("%d bytes were read, want hardly more than %d", e.n, h.MaxBody)
	}
	if got, most := after.TotalAlloc-before.TotalAlloc, uint64(8*h.MaxBody); got > most {
		t.Errorf("%d bytes were allocated, want at most %d", got, most)
	}
}

func TestChunkedBodyOverTheLimitOnTheWire(t *testing.T) {
	server := httptest.NewServer(newHandler(t))
	t.Cleanup(server.Close)
	body := struct{ io.Reader }{strings.NewReader(strings.Repeat("x", maxBody+1))} // its type hides the length
	resp, err := http.Post(server.URL, "text/plain", body)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusRequestEntityTooLarge {
		t.Fatalf("got %s, want 413", resp.Status)
	}
	checkProblem(t, resp, fmt.Sprint(maxBody))
}

func TestClaimedLengthIsNotAllocated(t *testing.T) {
	h := newHandler(t)
	h.MaxBody = 1 << 40
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader("abc"))
	r.ContentLength = 1 << 39 // half a terabyte, if it were believed
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		t.Errorf("got %d %s, want 200", w.Code, w.Body)
	}
}
