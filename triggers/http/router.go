package http

import (
	"net/http"
	"reflect"
	"strings"
	"sync/atomic"
	"time"

	"github.com/fairlead/fairlead/triggers"
	"github.com/fairlead/fairlead/triggers/http/rate"
	"github.com/fairlead/fairlead/triggers/http/security"
)

// A Channel is a trigger for HTTP requests.
type Channel struct {
	Trigger  string         // its name
	Route    string         // METHOD /path/{variable}, as http.ServeMux takes it
	Function string         // what it calls
	Format   string         // "json" or "xml" to override the media type; empty to follow it
	Gate     *security.Gate // who may call; nil: everybody
	Limit    *rate.Limit    // how often one client may call; nil: no limit
	Paused   bool           // requests get 503
}

// DocumentPath is where the description of the channels is served.
const DocumentPath = "/openapi.json"

// A Router serves channels, and functions directly where no channel takes the
// request. It does not change: a change makes another Router, while requests that
// began with the old one end with it.
type Router struct {
	handler  *Handler
	direct   bool
	document func() []byte
	mux      *http.ServeMux
	channels map[string]*channel
}

// NewRouter returns a Router. The routes must be such that one http.ServeMux
// takes them all. The counts and limits of channels that are also in old, which
// may be nil, go on. document returns the OpenAPI document.
func NewRouter(h *Handler, direct bool, channels []Channel, document func() []byte, old *Router) *Router {
	rt := &Router{handler: h, direct: direct, document: document, mux: http.NewServeMux(), channels: make(map[string]*channel, len(channels))}
	documented := document != nil
	for _, spec := range channels {
		c := newChannel(h, spec)
		if old != nil {
			c.succeed(old.channels[spec.Trigger])
		}
		rt.channels[spec.Trigger] = c
		rt.mux.HandleFunc(spec.Route, c.serve)
		documented = documented && spec.Route != "GET "+DocumentPath
	}
	if documented {
		rt.mux.HandleFunc("GET "+DocumentPath, rt.describe)
	}
	return rt
}

// ServeHTTP serves one request.
func (rt *Router) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if len(rt.channels) == 0 && rt.direct && r.URL.Path != DocumentPath {
		rt.handler.ServeHTTP(w, r)
		return
	}
	s := &stray{ResponseWriter: w}
	rt.mux.ServeHTTP(s, r)
	if s.matched {
		return
	}
	switch {
	case s.status == http.StatusNotFound && rt.direct:
		s.clear()
		rt.handler.ServeHTTP(w, r)
	case s.status == http.StatusNotFound:
		problem(w, http.StatusNotFound, "nothing is served at "+r.URL.Path)
	case s.status == http.StatusMethodNotAllowed:
		problem(w, s.status, "found method "+r.Method+", expected "+w.Header().Get("Allow"))
	case s.status >= http.StatusBadRequest:
		problem(w, s.status, "")
	default:
		w.WriteHeader(s.status) // a redirect to the clean form of the path
	}
}

// A stray keeps what the mux says of a request that no channel takes.
type stray struct {
	http.ResponseWriter
	matched bool
	status  int
}

func (s *stray) WriteHeader(status int)      { s.status = status }
func (s *stray) Write(b []byte) (int, error) { return len(b), nil }

// clear removes the headers of the mux's own answer.
func (s *stray) clear() {
	s.Header().Del("Content-Type")
	s.Header().Del("X-Content-Type-Options")
}

// match returns the writer for a request that somebody takes.
func match(w http.ResponseWriter) http.ResponseWriter {
	s := w.(*stray) // only a Router's mux calls
	s.matched = true
	return s.ResponseWriter
}

func (rt *Router) describe(w http.ResponseWriter, _ *http.Request) {
	w = match(w)
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-cache")
	write(w, http.StatusOK, rt.document())
}

// Status returns how each channel is doing, by its trigger's name.
func (rt *Router) Status() map[string]triggers.Status {
	all := make(map[string]triggers.Status, len(rt.channels))
	for name, c := range rt.channels {
		s := c.counts.status()
		if c.paused {
			s.State = triggers.Paused
		}
		all[name] = s
	}
	return all
}

// A channel is a Channel that is served.
type channel struct {
	handler *Handler
	target
	counts *counts
	limit  *rate.Limit
	paused bool
}

func newChannel(h *Handler, spec Channel) *channel {
	return &channel{
		handler: h, counts: &counts{since: time.Now()}, limit: spec.Limit, paused: spec.Paused,
		target: target{
			trigger: spec.Trigger, function: spec.Function, format: spec.Format, params: variables(spec.Route),
			gate: spec.Gate, limit: newLimiter(spec.Limit),
		},
	}
}

// succeed goes on counting where old, which may be nil, was.
func (c *channel) succeed(old *channel) {
	if old == nil {
		return
	}
	c.counts = old.counts
	if reflect.DeepEqual(c.limit, old.limit) {
		c.target.limit = old.target.limit
	}
}

func (c *channel) serve(w http.ResponseWriter, r *http.Request) {
	if c.paused {
		problem(match(w), http.StatusServiceUnavailable, "this is paused by an operator")
		return
	}
	c.counts.inFlight.Add(1)
	defer c.counts.inFlight.Add(-1)
	called, err := c.handler.serve(match(w), r, &c.target)
	c.counts.add(called, err)
}

// variables returns the names of a route's variables.
func variables(route string) []string {
	var names []string
	for part := range strings.SplitSeq(route, "/") {
		name, ok := strings.CutPrefix(part, "{")
		if name = strings.TrimSuffix(strings.TrimSuffix(name, "}"), "..."); ok && name != "$" {
			names = append(names, name)
		}
	}
	return names
}

// counts is what became of a channel's requests.
type counts struct {
	since                       time.Time
	inFlight                    atomic.Int64
	received, succeeded, failed atomic.Uint64 // the rest of received was refused, or published
}

func (c *counts) add(called bool, err error) {
	c.received.Add(1)
	switch {
	case err != nil:
		c.failed.Add(1)
	case called:
		c.succeeded.Add(1)
	}
}

func (c *counts) status() triggers.Status {
	return triggers.Status{
		State: triggers.Running, Since: c.since, Subscribed: true, InFlight: int(c.inFlight.Load()),
		Received: c.received.Load(), Succeeded: c.succeeded.Load(), Failed: c.failed.Load(),
	}
}
