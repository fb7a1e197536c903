// Package dashboard serves the management of a running host as web pages: what
// runs, how it does, and forms for what an operator may do. The pages are made
// here, from templates that are part of the program; they can be read and used
// without JavaScript. With it they stay up to date by themselves while somebody
// looks (server-sent events), and forms are sent without leaving the page.
//
// Every page and every action asks the [admin.Backend] that the API asks, and
// requires the role that the API requires for the same thing (package access).
// The package itself keeps nothing but what is shown: the rates of the last
// minutes, the results of recent actions and the bulk replays that run.
package dashboard

import (
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/fairlead/fairlead/admin"
	"github.com/fairlead/fairlead/admin/access"
)

//go:embed templates static
var files embed.FS

// Options complete a [Dashboard].
type Options struct {
	// Schema returns the JSON Schema of a configuration (config.Schema), which the
	// forms for its objects are made from. It is called once, when it is needed.
	Schema func() []byte

	// Accounts is who may use the pages and the API.
	Accounts Accounts

	// Log takes what goes wrong while pages are made. Default: slog.Default.
	Log *slog.Logger
}

// A Dashboard serves the pages below "/". Whoever makes one closes it.
type Dashboard struct {
	backend admin.Backend
	options Options
	kinds   func() (kinds, error)
	pages   func() (map[string]*template.Template, error)
	mux     *http.ServeMux // empty before the first request
	routed  sync.Once
	history history
	results results
	replays replays
	streams atomic.Int64 // live pages

	closing chan struct{} // closed by Close: live pages end
	once    sync.Once
}

// New returns a Dashboard of what b answers for. What pages need is prepared when
// the first one is asked for: a program that nobody looks at starts without.
func New(b admin.Backend, o Options) *Dashboard {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	d := &Dashboard{backend: b, options: o, pages: sync.OnceValues(parseTemplates), mux: http.NewServeMux(), closing: make(chan struct{})}
	d.kinds = sync.OnceValues(func() (kinds, error) { return readKinds(o.Schema()) })
	return d
}

// Close ends what runs on behalf of pages, and returns when it has ended. What a
// bulk replay has not replayed by then stays a dead letter.
func (d *Dashboard) Close() {
	d.once.Do(func() { close(d.closing) })
	d.replays.close()
}

// ServeHTTP serves a page, an action or a file of the pages.
func (d *Dashboard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d.routed.Do(d.route)
	d.mux.ServeHTTP(w, r)
}

// route lists everything there is, with the least role that is let in.
func (d *Dashboard) route() {
	static, err := fs.Sub(files, "static")
	if err != nil {
		panic(err) // the folder is embedded
	}
	d.mux.Handle("GET /static/", http.StripPrefix("/static/", cached(http.FileServerFS(static))))
	d.mux.Handle("GET /live", d.guard(access.Viewer, http.HandlerFunc(d.live)))

	d.page("GET /{$}", "overview", d.overview, "overview-now")
	d.page("GET /connections", "connections", d.connections, "connections-list")
	d.page("GET /connections/{name}", "connection", d.connection, "connection-state")
	d.action("POST /connections/{name}/ping", access.Operator, d.ping)
	d.page("GET /triggers", "triggers", d.triggers, "triggers-list")
	d.page("GET /triggers/{name}", "trigger", d.trigger, "trigger-state", "trigger-switch")
	d.action("POST /triggers/{name}/pause", access.Operator, d.pause)
	d.action("POST /triggers/{name}/resume", access.Operator, d.resume)
	d.page("GET /bindings", "bindings", d.bindings, "bindings-list")
	d.page("GET /bindings/{name}", "binding", d.binding, "binding-state")
	d.action("POST /bindings/{name}/send", access.Operator, d.send)
	d.page("GET /functions", "functions", d.functions, "functions-list")
	d.page("GET /functions/{name}", "function", d.function, "function-state")
	d.action("POST /functions/{name}/invoke", access.Operator, d.invoke)
	d.routeTopics()
	d.routeLetters()
	d.page("GET /queues", "queues", d.queues)
	d.routeConfig()
	d.routeEdit()
	d.page("GET /audit", "audit", d.audit)
	d.routeSecurity()
	d.mux.Handle("/", d.guard(access.Viewer, http.HandlerFunc(d.absent)))
}

// cached lets browsers keep the files of the pages, as long as the server says
// that they are the same.
func cached(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-cache")
		w.Header().Set("ETag", staticTag())
		next.ServeHTTP(w, r)
	})
}

// guard lets only those pass who have a role; others sign in first.
func (d *Dashboard) guard(role access.Role, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := access.From(r.Context())
		switch {
		case id.Role == access.None:
			signIn(w, r)
		case id.Role < role:
			d.fail(w, r, fmt.Errorf("%w: %s has the role %s, and this needs %s", errForbidden, id.Name, id.Role, role))
		default:
			r.Body = http.MaxBytesReader(w, r.Body, maxForm)
			next.ServeHTTP(w, r)
		}
	})
}

// maxForm is the longest request body, in bytes.
const maxForm = 16 << 20

func (d *Dashboard) absent(w http.ResponseWriter, r *http.Request) {
	d.fail(w, r, fmt.Errorf("%w: there is no page %s", admin.ErrNotFound, r.URL.Path))
}
