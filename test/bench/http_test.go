package bench

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"

	"github.com/fairlead/fairlead/framework"
	"github.com/fairlead/fairlead/framework/frameworktest"
	httptrigger "github.com/fairlead/fairlead/triggers/http"
)

const (
	requestsPerRound = 20_000
	callers          = 8
	payload          = `{"id":"1","customer":"7","total":12.5,"lines":[{"item":"x","count":2}]}`
)

// binaryEvent is a CloudEvent in binary mode, as it is on the wire.
var binaryEvent = fmt.Appendf(nil, "POST /orders HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n"+
	"Ce-Specversion: 1.0\r\nCe-Id: 1\r\nCe-Source: /bench\r\nCe-Type: order.created\r\nCe-Time: 2026-01-02T03:04:05Z\r\n\r\n%s", len(payload), payload)

// bare is what nobody can be faster than: net/http with the body read.
func bare(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil || len(body) != len(payload) {
		http.Error(w, "wrong body", http.StatusBadRequest)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// channel serves a function that takes the event.
func channel(tb testing.TB) http.Handler {
	h := &httptrigger.Handler{
		Functions: framework.Functions{"f": framework.Sink(func(_ context.Context, in event.Event) error {
			if len(in.Data()) != len(payload) {
				return io.ErrUnexpectedEOF
			}
			return nil
		})},
		Default: "f", Runtime: frameworktest.New(tb), MaxBody: 8 << 20,
		Timeout: func(string) time.Duration { return 30 * time.Second },
	}
	return httptrigger.NewRouter(h, false, []httptrigger.Channel{{Trigger: "orders", Route: "POST /orders", Function: "f"}}, nil, nil)
}

// BenchmarkHTTP compares a channel with a bare handler, on real connections.
func BenchmarkHTTP(b *testing.B) {
	var raw, ours sample
	run := func(s *sample, h http.Handler) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			b.Fatal(err)
		}
		server := &http.Server{Handler: h}
		served := make(chan error, 1)
		go func() { served <- server.Serve(l) }()
		s.add(requestsPerRound, func(string) func() {
			return func() { load(b, l.Addr().String()) }
		})
		server.Close()
		<-served
	}
	for range rounds {
		run(&raw, http.HandlerFunc(bare))
		run(&ours, channel(b))
	}
	report(b, raw, ours)
}

// load makes requestsPerRound requests on several connections.
func load(b *testing.B, address string) {
	errs := make(chan error, callers)
	for range callers {
		go func() { errs <- call(address, requestsPerRound/callers) }()
	}
	for range callers {
		if err := <-errs; err != nil {
			b.Fatal(err)
		}
	}
}

func call(address string, n int) error {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return err
	}
	defer conn.Close()
	in := bufio.NewReader(conn)
	for range n {
		if _, err := conn.Write(binaryEvent); err != nil {
			return err
		}
		status, err := in.ReadSlice('\n')
		if err != nil {
			return err
		}
		if !bytes.HasPrefix(status, []byte("HTTP/1.1 204 ")) {
			return fmt.Errorf("got %q", status)
		}
		for line := status; len(line) > 2; {
			if line, err = in.ReadSlice('\n'); err != nil {
				return err
			}
		}
	}
	return nil
}

// BenchmarkHTTPHandler measures what the package itself takes of a request, and
// what a bare handler takes.
func BenchmarkHTTPHandler(b *testing.B) {
	for name, h := range map[string]http.Handler{"bare": http.HandlerFunc(bare), "channel": channel(b)} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(binaryEvent)))
			if err != nil {
				b.Fatal(err)
			}
			body := bytes.NewReader([]byte(payload))
			r.Body = io.NopCloser(body)
			w := &discard{header: make(http.Header)}
			for b.Loop() {
				body.Reset([]byte(payload))
				clear(w.header)
				h.ServeHTTP(w, r)
				if w.status != http.StatusNoContent {
					b.Fatalf("got %d", w.status)
				}
			}
		})
	}
}

type discard struct {
	header http.Header
	status int
}

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) WriteHeader(status int)      { d.status = status }
func (d *discard) Write(b []byte) (int, error) { return len(b), nil }
