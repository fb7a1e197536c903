package dashboard

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/fairlead/fairlead/admin"
	"github.com/fairlead/fairlead/admin/access"
)

// An outcome is what an action leads to: a page, and what that says about it.
type outcome struct {
	to     string // path of the page; empty: the one that the form was on
	result result
}

// A result is what a page says about an action that led to it.
type result struct {
	Title  string
	Detail string
	Bad    *problem // why it did not work; nil: it did
	Reply  *content // what a function answered
	ID     string   // of what was sent
	Token  string   // that was created
	Form   url.Values
}

// actionTimeout bounds what one action asks of a broker, a function or the store.
const actionTimeout = 60 * time.Second

// action serves what a form asks for, and leads to a page that says how it went.
func (d *Dashboard) action(pattern string, role access.Role, do func(*http.Request) (outcome, error)) {
	d.mux.Handle(pattern, d.guard(role, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		o, err := d.attempt(r, do)
		if err != nil {
			o.result = result{Bad: explain(err), Form: kept(r.PostForm)}
		}
		to := local(o.to)
		if o.to == "" {
			to = local(r.PostFormValue("back"))
		}
		if o.result.Title != "" || o.result.Bad != nil {
			to = d.results.put(to, access.From(r.Context()).Name, o.result)
		}
		http.Redirect(w, r, to, http.StatusSeeOther)
	})))
}

func (d *Dashboard) attempt(r *http.Request, do func(*http.Request) (outcome, error)) (outcome, error) {
	if err := parseForm(r); err != nil {
		return outcome{}, err
	}
	return do(r)
}

// formInMemory is what is kept in memory of the files in a form, in bytes.
const formInMemory = 1 << 20

// parseForm reads the form that a request has, with or without files.
func parseForm(r *http.Request) error {
	err := r.ParseForm()
	if err == nil {
		err = r.ParseMultipartForm(formInMemory)
	}
	if err != nil && !errors.Is(err, http.ErrNotMultipart) {
		return fmt.Errorf("%w: form: %w", admin.ErrBadRequest, err)
	}
	return nil
}

// keptMost is how much of what was typed into a form is kept, in bytes.
const keptMost = 128 << 10

// kept returns what was typed into a form, but passwords, and nothing of a form
// that is too long.
func kept(form url.Values) url.Values {
	out := make(url.Values)
	size := 0
	for name, values := range form {
		if name == "csrf" || strings.Contains(name, "password") {
			continue
		}
		out[name] = values
		for _, v := range values {
			size += len(v)
		}
	}
	if size > keptMost {
		return nil
	}
	return out
}

// local returns the path of a page of ours; of anything else the first one's.
func local(path string) string {
	u, err := url.Parse(path)
	if err != nil || u.IsAbs() || u.Host != "" || !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") || strings.Contains(path, `\`) {
		return "/"
	}
	return path
}

// The results of actions wait for the page that shows them.
const (
	resultKey   = "result" // of a query
	resultsMost = 200
	resultsFor  = 15 * time.Minute
)

// results keeps the results of recent actions. The zero value is ready to use.
type results struct {
	mu   sync.Mutex
	kept []keptResult // the oldest first
}

type keptResult struct {
	id, owner string
	at        time.Time
	result
}

// put keeps a result and returns the path of the page that shows it.
func (s *results) put(path, owner string, r result) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.kept) > 0 && (len(s.kept) >= resultsMost || time.Since(s.kept[0].at) > resultsFor) {
		s.kept = s.kept[1:]
	}
	id := rand.Text()
	s.kept = append(s.kept, keptResult{id, owner, time.Now(), r})
	u, err := url.Parse(path)
	if err != nil {
		u = &url.URL{Path: "/"}
	}
	q := u.Query()
	q.Set(resultKey, id)
	u.RawQuery = q.Encode()
	return u.String()
}

// get returns a result to whom it belongs.
func (s *results) get(id, owner string) *result {
	if id == "" {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, k := range s.kept {
		if k.id == id && k.owner == owner {
			shown := k.result
			s.kept[i].Token = "" // once only
			return &shown
		}
	}
	return nil
}
