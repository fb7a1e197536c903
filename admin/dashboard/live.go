package dashboard

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/fairlead/fairlead/admin"
)

// How live pages are kept up to date.
const (
	liveEvery   = 2 * time.Second
	liveFor     = 5 * time.Minute // then the browser connects again, and is recognised again
	liveTimeout = 10 * time.Second
	liveMost    = 100 // streams at once; whoever comes then has a page that stays as it is
)

// fragments are the live regions of a page, made in place of the page.
type fragments struct {
	html    map[string]string
	problem error
}

type fragmentsKey struct{}

// fragmentsOf returns where the live regions of a page go, or nil if ctx is not
// that of a stream.
func fragmentsOf(ctx context.Context) *fragments {
	f, _ := ctx.Value(fragmentsKey{}).(*fragments)
	return f
}

// fill makes the regions of a page.
func (f *fragments) fill(p *pageHandler, r *http.Request, data any, err error) {
	if f.problem = err; err != nil {
		return
	}
	v := p.view(r)
	v.Data = data
	for _, name := range append([]string{"health"}, p.regions...) {
		var b bytes.Buffer
		if f.problem = p.execute(&b, p.name, name, v); f.problem != nil {
			return
		}
		f.html[name] = b.String()
	}
}

// live streams the regions of the page that the query names, each when it has
// changed. It costs nothing when nobody looks: the script hangs up when its page
// is hidden.
func (d *Dashboard) live(w http.ResponseWriter, r *http.Request) {
	target, err := url.ParseRequestURI(r.URL.Query().Get("page"))
	if err != nil || target.Host != "" || target.Path == r.URL.Path {
		d.fail(w, r, fmt.Errorf("%w: page: expected the path of a page", admin.ErrBadRequest))
		return
	}
	defer d.streams.Add(-1)
	if d.streams.Add(1) > liveMost {
		http.Error(w, "too many live pages", http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	ctx, cancel := context.WithTimeout(r.Context(), liveFor)
	defer cancel()
	s := stream{d, w, make(map[string]string)}
	tick := time.NewTicker(liveEvery)
	defer tick.Stop()
	for s.send(r.Clone(ctx), target) == nil {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		case <-d.closing:
			return
		}
	}
}

// A stream sends what has changed since it was sent last.
type stream struct {
	*Dashboard
	w    http.ResponseWriter
	sent map[string]string
}

func (s stream) send(r *http.Request, page *url.URL) error {
	changed := make(map[string]string)
	for name, html := range s.regions(r, page) {
		if before, ok := s.sent[name]; !ok || before != html {
			changed[name], s.sent[name] = html, html
		}
	}
	data, err := json.Marshal(changed)
	if err != nil {
		return err
	}
	if len(changed) == 0 {
		_, err = fmt.Fprint(s.w, ": nothing changed\n\n")
	} else {
		_, err = fmt.Fprintf(s.w, "data: %s\n\n", data)
	}
	if err != nil {
		return err
	}
	return http.NewResponseController(s.w).Flush()
}

// regions makes the live regions of a page anew; trouble is what says that this
// does not work at the moment.
func (s stream) regions(r *http.Request, page *url.URL) map[string]string {
	f := &fragments{html: make(map[string]string)}
	ctx, cancel := context.WithTimeout(context.WithValue(r.Context(), fragmentsKey{}, f), liveTimeout)
	defer cancel()
	asked := r.Clone(ctx)
	asked.URL, asked.RequestURI, asked.Pattern = page, page.RequestURI(), ""
	s.mux.ServeHTTP(discard{}, asked)
	var b bytes.Buffer
	var trouble *problem
	if f.problem != nil {
		trouble = explain(f.problem)
	}
	if err := s.execute(&b, "problem", "trouble", trouble); err != nil {
		s.options.Log.Error("a live region cannot be made", "err", err)
	}
	f.html["trouble"] = b.String()
	return f.html
}

// discard is a ResponseWriter for what answers through its fragments.
type discard struct{}

func (discard) Header() http.Header         { return make(http.Header) }
func (discard) Write(b []byte) (int, error) { return len(b), nil }
func (discard) WriteHeader(int)             {}
