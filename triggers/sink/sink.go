// Package sink posts events to an HTTP address, as a Knative event source does,
// where else a function is called: [Sink.Post] is a handler like any other. It
// tells the engine what a refusal means by the rules of Knative's dispatcher, so
// that a sink sees the same requests behind this source as behind a broker.
package sink

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"

	"github.com/fairlead/fairlead/framework"
	httptrigger "github.com/fairlead/fairlead/triggers/http"
)

// A Sink takes events by HTTP. Its fields are not changed while it is used.
type Sink struct {
	URL        string
	Extensions map[string]string // set on every event, over what it has
	TokenFile  string            // holds the bearer token of each request, read each time; empty: there is none
	Client     *http.Client      // see NewClient
}

var _ framework.Handler = (*Sink)(nil).Post

// maxAnswer is the longest answer that is read, in bytes.
const maxAnswer = 8 << 20

// maxRetryAfter is the longest wait that a sink may ask for.
const maxRetryAfter = time.Minute

// Post posts an event as a CloudEvent in binary mode, and returns the answer if
// that is an event, too. Another answer is dropped.
//
// An answer of 2xx is success. 404, 408, 409, 429 and 5xx can be retried, and so
// can a request without an answer; Retry-After is honoured with 429 and 503, up to
// a minute. 3xx and other 4xx are terminal. These errors are a [*Refusal]. Where
// no connection could be made, or 401 refuses our token, or that cannot be read, the
// event is not to blame: the error wraps [framework.ErrUnavailable]. An answer of 2xx
// that claims to be an event and is none, or is longer than 8 MiB, is a terminal
// error.
func (s *Sink) Post(ctx context.Context, in event.Event) (*event.Event, error) {
	if len(s.Extensions) > 0 {
		in = in.Clone()
		for name, v := range s.Extensions {
			in.SetExtension(name, v) // FromEnv has checked the name
		}
	}
	connected := false
	resp, err := s.do(ctx, in, &connected)
	if err != nil {
		return nil, s.unanswered(ctx, err, connected)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case s.unauthorized(resp):
		return nil, unavailable(ctx, errors.New("it refuses the OIDC token (401)"))
	case resp.StatusCode < 200 || resp.StatusCode > 299:
		return nil, s.refused(resp, body)
	case err != nil:
		return nil, &Refusal{URL: s.URL, err: fmt.Errorf("read the answer: %w", err)}
	case len(body) > maxAnswer:
		return nil, framework.Terminal(&Refusal{s.URL, resp.StatusCode, nil, fmt.Errorf("found an answer that is longer than %d bytes", maxAnswer)})
	}
	out, err := httptrigger.ReadEvent(resp.Header, body)
	if err != nil {
		return nil, framework.Terminal(&Refusal{s.URL, resp.StatusCode, body, fmt.Errorf("the answer is not valid: %w", err)})
	}
	return out, nil
}

// do makes the request. connected is set once there is a connection for it.
func (s *Sink) do(ctx context.Context, in event.Event, connected *bool) (*http.Response, error) {
	var got atomic.Bool // the transport may go on after Do has returned
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { got.Store(true) }})
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.URL, bytes.NewReader(in.Data()))
	if err != nil {
		return nil, err
	}
	httptrigger.SetEvent(r.Header, in)
	r.Header.Set("Prefer", "reply")
	r.Header.Set("User-Agent", "fairlead")
	if err := s.authorize(r.Header); err != nil {
		return nil, err
	}
	resp, err := s.Client.Do(r)
	*connected = got.Load()
	return resp, err
}

// unanswered is the error of a request without an answer.
func (s *Sink) unanswered(ctx context.Context, err error, connected bool) error {
	if connected {
		return &Refusal{URL: s.URL, err: err}
	}
	return unavailable(ctx, err)
}

// unavailable is the error of an event that the sink may take later, as it is.
func unavailable(ctx context.Context, err error) error {
	err = fmt.Errorf("sink %w: %w", framework.ErrUnavailable, err)
	if inv := framework.FromContext(ctx); inv != nil {
		inv.Blame(err)
	}
	return err
}

// refused is the error of an answer that is not 2xx.
func (s *Sink) refused(resp *http.Response, body []byte) error {
	refusal := &Refusal{URL: s.URL, Code: resp.StatusCode, Body: body}
	if !Retryable(resp.StatusCode) {
		return framework.Terminal(refusal)
	}
	if d := retryAfter(resp, time.Now()); d > 0 {
		return framework.RetryAfter(min(d, maxRetryAfter), refusal)
	}
	return refusal
}

// Retryable reports whether a request that was answered with a status other than
// 2xx may succeed when it is made again.
func Retryable(status int) bool {
	switch status {
	case http.StatusNotFound, // the pod is about to be ready
		http.StatusRequestTimeout, http.StatusConflict, http.StatusTooManyRequests:
		return true
	}
	return status >= http.StatusInternalServerError
}

// retryAfter returns how long a sink wants to be left alone; 0 if it does not say.
func retryAfter(resp *http.Response, now time.Time) time.Duration {
	if resp.StatusCode != http.StatusTooManyRequests && resp.StatusCode != http.StatusServiceUnavailable {
		return 0
	}
	text := resp.Header.Get("Retry-After")
	if n, err := strconv.Atoi(text); err == nil {
		return time.Duration(min(n, int(maxRetryAfter/time.Second))) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return at.Sub(now)
	}
	return 0
}

// NewClient returns a client for posting to a sink. It keeps a connection for each
// call that runs at once, and follows no redirect. transport, of its own, is
// changed; timeout bounds each request, 0: its ctx does.
func NewClient(transport *http.Transport, timeout time.Duration) *http.Client {
	transport.MaxIdleConns = 0 // no limit: there are never more than calls at once
	transport.MaxIdleConnsPerHost = maxIdle
	return &http.Client{
		Transport: transport, Timeout: timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// maxIdle is more than there are calls at once: 0 would mean 2.
const maxIdle = 1 << 16

// ErrNoSink says that nobody said where events are to be posted to.
var ErrNoSink = errors.New("there is no sink: expected its URL in K_SINK, as Knative's SinkBinding sets it, or by --sink URL")
