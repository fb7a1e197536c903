package dashboard

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"path"
	"strings"
	"sync"

	"github.com/fairlead/fairlead/admin"
	"github.com/fairlead/fairlead/admin/access"
)

// parseTemplates reads the templates of all pages: the layout around a page, what
// pages share, and its own. A file of a page defines "title" and "content", and
// its live regions by their names.
func parseTemplates() (map[string]*template.Template, error) {
	shared, err := template.New("").Funcs(functions).ParseFS(files, "templates/layout.html", "templates/parts.html")
	if err != nil {
		return nil, err
	}
	names, err := fs.Glob(files, "templates/*.html")
	if err != nil {
		return nil, err
	}
	pages := make(map[string]*template.Template)
	for _, file := range names {
		name := strings.TrimSuffix(path.Base(file), ".html")
		if name == "layout" || name == "parts" {
			continue
		}
		t, err := template.Must(shared.Clone()).ParseFS(files, file)
		if err != nil {
			return nil, err
		}
		pages[name] = t
	}
	return pages, nil
}

// staticTag changes with any file of the pages.
var staticTag = sync.OnceValue(func() string {
	sum := sha256.New()
	err := fs.WalkDir(files, "static", func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		data, err := files.ReadFile(path)
		sum.Write(data)
		return err
	})
	if err != nil {
		panic(err) // the files are embedded
	}
	return `"` + hex.EncodeToString(sum.Sum(nil)[:8]) + `"`
})

// A view is what the templates of a page get.
type view struct {
	Path    string // of the page, with its query
	Section string // that the menu marks
	Who     access.Identity
	CSRF    string
	Status  admin.Status
	Result  *result  // of the action that led here
	Problem *problem // why there is no content
	Live    bool     // the page has regions that change
	Data    any
}

// May reports whether who looks has a role: viewer, operator or admin.
func (v view) May(role string) (bool, error) {
	least, err := access.ParseRole(role)
	return v.Who.Role >= least, err
}

// A section is an entry of the menu.
type section struct{ Path, Title string }

// Menu lists the sections.
func (v view) Menu() []section {
	return []section{
		{"/", "Overview"}, {"/connections", "Connections"}, {"/triggers", "Triggers"}, {"/bindings", "Bindings"},
		{"/functions", "Functions"}, {"/topics", "Topics"}, {"/deadletters", "Dead letters"}, {"/queues", "Queues"},
		{"/config", "Configuration"}, {"/audit", "Audit"}, {"/security", "Security"},
	}
}

// A load gets what a page shows.
type load func(*http.Request) (any, error)

// A pageHandler serves one page, or its live regions.
type pageHandler struct {
	*Dashboard
	name    string
	load    load
	regions []string
}

// page serves a page, which viewers may see.
func (d *Dashboard) page(pattern, name string, l load, regions ...string) {
	d.pageFor(access.Viewer, pattern, name, l, regions...)
}

// pageFor serves a page to those who have a role.
func (d *Dashboard) pageFor(role access.Role, pattern, name string, l load, regions ...string) {
	d.mux.Handle(pattern, d.guard(role, &pageHandler{d, name, l, regions}))
}

func (p *pageHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	data, err := p.load(r)
	if f := fragmentsOf(r.Context()); f != nil {
		f.fill(p, r, data, err)
		return
	}
	if err != nil {
		p.fail(w, r, err)
		return
	}
	v := p.view(r)
	v.Data, v.Live = data, len(p.regions) > 0
	p.render(w, http.StatusOK, p.name, v)
}

// view returns what all pages show of a request.
func (d *Dashboard) view(r *http.Request) view {
	status := d.backend.Status()
	d.history.add(status)
	return view{
		Path: pagePath(r.URL), Section: sectionOf(r.URL.Path), Who: access.From(r.Context()), CSRF: access.CSRF(r.Context()),
		Status: status, Result: d.results.get(r.URL.Query().Get(resultKey), access.From(r.Context()).Name),
	}
}

// sectionOf returns the path of the section that a page belongs to.
func sectionOf(path string) string {
	first, rest, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	switch first {
	case "edit", "delete":
		first, _, _ = strings.Cut(rest, "/")
	case "password":
		first = "connections"
	case "replays":
		first = "deadletters"
	}
	return "/" + first
}

// pagePath returns path and query of a page, without the result of an action.
func pagePath(u *url.URL) string {
	q := u.Query()
	q.Del(resultKey)
	return (&url.URL{Path: u.Path, RawPath: u.RawPath, RawQuery: q.Encode()}).RequestURI()
}

// render writes a page. It is made before the first byte goes out, so that an
// error in it is an error page and not half a page.
func (d *Dashboard) render(w http.ResponseWriter, status int, name string, v view) {
	var b bytes.Buffer
	if err := d.execute(&b, name, "layout", v); err != nil {
		d.options.Log.Error("a page of the dashboard cannot be made", "page", name, "err", err)
		http.Error(w, "this page cannot be made; the log says why", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	if _, err := b.WriteTo(w); err != nil {
		d.options.Log.Debug("the browser did not wait for its page", "err", err)
	}
}

// execute makes a part of a page.
func (d *Dashboard) execute(w io.Writer, page, part string, data any) error {
	pages, err := d.pages()
	if err != nil {
		return err
	}
	t := pages[page]
	if t == nil {
		return fmt.Errorf("there is no template %s", page)
	}
	return t.ExecuteTemplate(w, part, data)
}

// fail shows what went wrong in place of a page.
func (d *Dashboard) fail(w http.ResponseWriter, r *http.Request, err error) {
	if f := fragmentsOf(r.Context()); f != nil {
		f.problem = err
		return
	}
	v := d.view(r)
	v.Problem = explain(err)
	d.render(w, v.Problem.Status, "problem", v)
}

// errForbidden is wrapped by errors about what a role does not allow.
var errForbidden = errors.New("not allowed")

// A problem is an error as a page shows it.
type problem struct {
	Status int
	Title  string
	Detail string
	Advice string
}

// problems are the classes of errors, with what a person can do about them.
var problems = []struct {
	is error
	problem
}{
	{errForbidden, problem{http.StatusForbidden, "Your role does not allow this", "", "Somebody with the role admin can give you another role, under Security."}},
	{admin.ErrNotFound, problem{http.StatusNotFound, "There is no such thing", "", "It may have been removed or renamed since the page with the link was made."}},
	{admin.ErrBadRequest, problem{http.StatusBadRequest, "That cannot be done as it was asked", "", "Correct what the message names and try again."}},
	{admin.ErrConflict, problem{http.StatusConflict, "It is in use", "", "Stop what uses it, or wait until it is done, and try again."}},
	{admin.ErrNoStore, problem{http.StatusNotImplemented, "There is no store", "", "What this page shows is kept in Postgres. Set store.url in the configuration; docs/configuration.md says how."}},
	{admin.ErrUnavailable, problem{http.StatusServiceUnavailable, "The store does not answer", "", "It is tried again by itself. Check that the Postgres of store.url runs and can be reached from here."}},
	{admin.ErrRefused, problem{http.StatusUnprocessableEntity, "It was refused, and nothing is changed", "", "What ran before goes on."}},
	{access.ErrInvalid, problem{http.StatusBadRequest, "That cannot be done as it was asked", "", "Correct what the message names and try again."}},
	{access.ErrTaken, problem{http.StatusConflict, "The name is taken", "", "Choose another, or remove the one that has it."}},
	{access.ErrRefused, problem{http.StatusForbidden, "The password is wrong", "", "Try again; after ten wrong ones you have to wait."}},
	{access.ErrNotFound, problem{http.StatusNotFound, "There is no such thing", "", "It may have been removed since the page with the link was made."}},
	{access.ErrNoStore, problem{http.StatusNotImplemented, "There is no store", "", "Accounts and tokens are kept in Postgres. Set store.url in the configuration; docs/configuration.md says how."}},
	{errors.ErrUnsupported, problem{http.StatusNotImplemented, "This broker cannot do that", "", "Its own tools may."}},
	{context.DeadlineExceeded, problem{http.StatusGatewayTimeout, "It took too long", "", "What was asked may still happen. Look before you try again."}},
}

// explain returns err as a page shows it.
func explain(err error) *problem {
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return &problem{http.StatusRequestEntityTooLarge, "That is too long", fmt.Sprintf("found more than %d bytes", large.Limit), "Send less, or use the command line."}
	}
	if _, ok := errors.AsType[*admin.VersionConflict](err); ok {
		return &problem{http.StatusPreconditionFailed, "Somebody else has changed it meanwhile", err.Error(), "Look at the difference below, and save again if yours shall win."}
	}
	for _, p := range problems {
		if errors.Is(err, p.is) {
			known := p.problem
			known.Detail = detail(err, p.is)
			return &known
		}
	}
	return &problem{http.StatusBadGateway, "That did not work", err.Error(), ""}
}

// detail returns what err says beyond its class.
func detail(err, class error) string {
	return cmp.Or(strings.TrimPrefix(err.Error(), class.Error()+": "), err.Error())
}

// signIn sends somebody unknown to the page where one signs in.
func signIn(w http.ResponseWriter, r *http.Request) {
	if fragmentsOf(r.Context()) != nil || r.Method != http.MethodGet {
		http.Error(w, "sign in first", http.StatusUnauthorized)
		return
	}
	http.Redirect(w, r, "/signin?"+url.Values{"next": {pagePath(r.URL)}}.Encode(), http.StatusSeeOther)
}

// Typed returns what was typed into a field of the form that led here.
func (v view) Typed(name string) string {
	if v.Result == nil {
		return ""
	}
	return v.Result.Form.Get(name)
}
