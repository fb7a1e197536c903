package grpc

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// The methods of the server under test.
func methods() Server {
	return Server{
		"/test/Echo": func(_ context.Context, request []byte, send func([]byte) error) error { return send(request) },
		"/test/Count": func(_ context.Context, _ []byte, send func([]byte) error) error {
			return errors.Join(send([]byte("1")), send(nil), send([]byte("3")))
		},
		"/test/Refuse": func(context.Context, []byte, func([]byte) error) error {
			return Errorf(InvalidArgument, "found 100%%, expected\n„wörter“")
		},
		"/test/Fail": func(context.Context, []byte, func([]byte) error) error { return io.ErrNoProgress },
		"/test/Wait": func(ctx context.Context, _ []byte, _ func([]byte) error) error {
			<-ctx.Done()
			return ctx.Err()
		},
	}
}

// serve returns a client of the server, which speaks HTTP/2 in clear, and its URL.
func serve(t *testing.T) (*http.Client, string) {
	t.Helper()
	server := httptest.NewUnstartedServer(methods())
	server.Config.Protocols = new(http.Protocols)
	server.Config.Protocols.SetUnencryptedHTTP2(true)
	server.Config.Protocols.SetHTTP1(true)
	server.Start()
	t.Cleanup(server.Close)
	transport := &http.Transport{Protocols: new(http.Protocols)}
	transport.Protocols.SetUnencryptedHTTP2(true)
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}, server.URL
}

// frame is a message as it is on the wire.
func frame(text string) string { return string([]byte{0, 0, 0, 0, byte(len(text))}) + text }

func TestCalls(t *testing.T) {
	client, url := serve(t)
	for name, tt := range map[string]struct {
		path, body, timeout   string
		answer, code, message string
	}{
		"unary":                 {"/test/Echo", frame("hello"), "", frame("hello"), "0", ""},
		"unary, in time":        {"/test/Echo", frame("hello"), "10S", frame("hello"), "0", ""},
		"an empty message":      {"/test/Echo", frame(""), "", frame(""), "0", ""},
		"a stream":              {"/test/Count", frame(""), "", frame("1") + frame("") + frame("3"), "0", ""},
		"a status":              {"/test/Refuse", frame(""), "", "", "3", "found 100%25, expected%0A%E2%80%9Ew%C3%B6rter%E2%80%9C"},
		"another error":         {"/test/Fail", frame(""), "", "", "2", "multiple Read calls return no data or error"},
		"the deadline":          {"/test/Wait", frame(""), "50m", "", "4", "the time for it is over"},
		"no such method":        {"/test/Nothing", frame(""), "", "", "12", `there is no method "/test/Nothing"; there are: /test/Count, /test/Echo, /test/Fail, /test/Refuse, /test/Wait`},
		"a bad timeout":         {"/test/Echo", frame(""), "5", "", "13", "header grpc-timeout"},
		"a longer timeout":      {"/test/Echo", frame(""), "123456789S", "", "13", "header grpc-timeout"},
		"no message":            {"/test/Echo", "", "", "", "13", "read the request"},
		"half a message":        {"/test/Echo", frame("hello")[:7], "", "", "13", "read the request"},
		"two messages":          {"/test/Echo", frame("a") + frame("b"), "", "", "13", "more than one request"},
		"a compressed message":  {"/test/Echo", "\x01" + frame("hello")[1:], "", "", "12", "compressed"},
		"a message that is big": {"/test/Echo", "\x00\xff\xff\xff\xff", "", "", "8", "4294967295 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+tt.path, strings.NewReader(tt.body))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Content-Type", "application/grpc+proto")
			if tt.timeout != "" {
				r.Header.Set("Grpc-Timeout", tt.timeout)
			}
			resp, err := client.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			answer, err := io.ReadAll(resp.Body)
			if err != nil {
				t.Fatal(err)
			}
			if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "application/grpc+proto" {
				t.Errorf("got %s of type %q, want 200 and the type of the request", resp.Status, resp.Header.Get("Content-Type"))
			}
			if !bytes.Equal(answer, []byte(tt.answer)) {
				t.Errorf("got the answer %q, want %q", answer, tt.answer)
			}
			if code, message := resp.Trailer.Get("Grpc-Status"), resp.Trailer.Get("Grpc-Message"); code != tt.code || !strings.Contains(message, tt.message) {
				t.Errorf("got status %s %q, want %s %q", code, message, tt.code, tt.message)
			}
		})
	}
}

// What is no gRPC is told so by HTTP.
func TestOthers(t *testing.T) {
	client, url := serve(t)
	for name, tt := range map[string]struct {
		client    *http.Client
		mediaType string
	}{
		"HTTP/1.1":   {http.DefaultClient, "application/grpc"},
		"JSON":       {client, "application/json"},
		"its cousin": {client, "application/grpc-web"},
	} {
		resp, err := tt.client.Post(url+"/test/Echo", tt.mediaType, strings.NewReader(frame("")))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusUnsupportedMediaType {
			t.Errorf("%s: got %s, want 415", name, resp.Status)
		}
	}
}

func TestTimeouts(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"1H": time.Hour, "2M": 2 * time.Minute, "3S": 3 * time.Second, "4m": 4 * time.Millisecond, "5u": 5 * time.Microsecond, "6n": 6, "99999999H": longest,
	} {
		if got, err := timeout(text); got != want || err != nil {
			t.Errorf("%s: got %v, %v; want %v", text, got, err, want)
		}
	}
}
