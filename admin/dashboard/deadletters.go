package dashboard

import (
	"context"
	"fmt"
	"html/template"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/fairlead/fairlead/admin"
	"github.com/fairlead/fairlead/admin/access"
)

func (d *Dashboard) routeLetters() {
	d.page("GET /deadletters", "deadletters", d.letters, "letters-count")
	d.page("GET /deadletters/{id}", "deadletter", d.letter)
	d.mux.Handle("GET /deadletters/{id}/body", d.guard(access.Viewer, http.HandlerFunc(d.letterBody)))
	d.pageFor(access.Operator, "GET /deadletters/replay", "replay", d.selected)
	d.action("POST /deadletters/replay", access.Operator, d.replay)
	d.pageFor(access.Operator, "GET /deadletters/discard", "discard", d.selected)
	d.action("POST /deadletters/discard", access.Operator, d.discard)
	d.page("GET /replays/{id}", "replaying", d.replaying, "replay-progress")
	d.action("POST /replays/{id}/cancel", access.Operator, d.cancelReplay)
}

// letters are recent dead letters of something, where that is not what a page is
// about.
type letters struct {
	admin.LetterPage
	Filter admin.LetterFilter
	Err    error // why they are not known
}

// Query selects them on the page of all.
func (l letters) Query() template.URL { return template.URL(l.Filter.Query().Encode()) }

func (d *Dashboard) recentLetters(r *http.Request, f admin.LetterFilter) letters {
	ctx, cancel := context.WithTimeout(r.Context(), storeTimeout)
	defer cancel()
	page, err := d.backend.DeadLetters(ctx, f, 0, recent)
	return letters{page, f, err}
}

// A lettersPage is a page of the list.
type lettersPage struct {
	admin.LetterPage
	Filter    admin.LetterFilter
	Query     url.Values // of the filter
	Functions []string
	Triggers  []string
	First     bool
	Replays   []admin.ReplayProgress // that run
}

// NextPage is the query of the page after this one.
func (p lettersPage) NextPage() template.URL {
	q := maps.Clone(p.Query)
	q.Set("before", strconv.FormatInt(p.Next, 10))
	return template.URL(q.Encode())
}

// FirstPage is the query of the page with the newest.
func (p lettersPage) FirstPage() template.URL { return template.URL(p.Query.Encode()) }

// Since and Until are the filter's times as browsers write them.
func (p lettersPage) Since() string { return inputText(p.Filter.Since) }

// Until is like Since.
func (p lettersPage) Until() string { return inputText(p.Filter.Until) }

func inputText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(inputTime)
}

// All is the query that selects what the filter selects, for the page that asks
// whether it is meant.
func (p lettersPage) All() template.URL {
	q := maps.Clone(p.Query)
	if p.Filter.All() {
		q.Set("all", "true")
	}
	return template.URL(q.Encode())
}

const lettersShown = 50

func (d *Dashboard) letters(r *http.Request) (any, error) {
	f, err := filterOf(r.URL.Query())
	if err != nil {
		return nil, err
	}
	before, err := whole(r, "before")
	if err != nil {
		return nil, err
	}
	page, err := d.backend.DeadLetters(r.Context(), f, int64(before), lettersShown)
	if err != nil {
		return nil, err
	}
	status := d.backend.Status()
	p := lettersPage{LetterPage: page, Filter: f, Query: f.Query(), Functions: status.Functions, First: before == 0, Replays: d.replays.running()}
	for _, t := range status.Triggers {
		p.Triggers = append(p.Triggers, t.Name)
	}
	return p, nil
}

// filterOf reads a filter as [admin.LetterFilter] has it in a query. Times may
// also be as browsers write them, in UTC.
func filterOf(q url.Values) (admin.LetterFilter, error) {
	f := admin.LetterFilter{
		Trigger: q.Get("trigger"), Function: q.Get("function"), Source: q.Get("source"), EventID: q.Get("event"), Cause: q.Get("cause"),
	}
	for _, text := range q["id"] {
		id, err := strconv.ParseInt(text, 10, 64)
		if err != nil || id < 1 {
			return f, fmt.Errorf("%w: id: found %q, expected the number of a dead letter", admin.ErrBadRequest, text)
		}
		f.IDs = append(f.IDs, id)
	}
	for name, to := range map[string]*time.Time{"since": &f.Since, "until": &f.Until} {
		t, err := timeIn(q.Get(name))
		if err != nil {
			return f, fmt.Errorf("%w: %s: found %q, expected a time such as 2026-01-02T15:04", admin.ErrBadRequest, name, q.Get(name))
		}
		*to = t
	}
	return f, nil
}

// inputTime is how browsers write a time; as it has no zone, it is UTC here.
const inputTime = "2006-01-02T15:04"

func timeIn(text string) (t time.Time, err error) {
	if text == "" {
		return t, nil
	}
	for _, layout := range []string{inputTime, inputTime + ":05", time.RFC3339Nano} {
		if t, err = time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	return t, err
}

// A letterPage is one dead letter.
type letterPage struct {
	admin.Letter
	Content *content
	As      string
	Forms   []string
}

func (d *Dashboard) letter(r *http.Request) (any, error) {
	l, err := d.letterOf(r)
	if err != nil {
		return nil, err
	}
	p := letterPage{Letter: l, As: r.FormValue("as"), Forms: contentForms}
	if l.Message != nil {
		p.Content = show(l.Message, p.As)
	}
	return p, nil
}

func (d *Dashboard) letterOf(r *http.Request) (admin.Letter, error) {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil {
		return admin.Letter{}, fmt.Errorf("%w: dead letter %q: its id is a number", admin.ErrNotFound, r.PathValue("id"))
	}
	return d.backend.DeadLetter(r.Context(), id)
}

// letterBody lets one download the body as it came. It is never shown as what it
// says that it is.
func (d *Dashboard) letterBody(w http.ResponseWriter, r *http.Request) {
	l, err := d.letterOf(r)
	if err == nil && l.Message == nil {
		err = fmt.Errorf("%w: dead letter %d has no message", admin.ErrNotFound, l.ID)
	}
	if err != nil {
		d.fail(w, r, err)
		return
	}
	download(w, fmt.Sprintf("deadletter-%d.bin", l.ID), "application/octet-stream", l.Message.Body())
}

// download answers with a file to keep.
func download(w http.ResponseWriter, name, media string, data []byte) {
	w.Header().Set("Content-Type", media)
	w.Header().Set("Content-Disposition", `attachment; filename="`+name+`"`)
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Write(data) // if the browser does not wait for it, that is its business
}

// A selectedPage asks whether something shall be done to some dead letters.
type selectedPage struct {
	admin.LetterPage
	Filter admin.LetterFilter
	Fields []header // of the query, for the form
}

// More is how many it does not list.
func (p selectedPage) More() int { return p.Total - len(p.Letters) }

// selected shows what a query selects: it needs a filter, or all=true.
func (d *Dashboard) selected(r *http.Request) (any, error) {
	f, err := selection(r.URL.Query())
	if err != nil {
		return nil, err
	}
	page, err := d.backend.DeadLetters(r.Context(), f, 0, recent)
	if err != nil {
		return nil, err
	}
	p := selectedPage{LetterPage: page, Filter: f}
	q := f.Query()
	if f.All() {
		q.Set("all", "true")
	}
	for name, values := range q {
		for _, v := range values {
			p.Fields = append(p.Fields, header{name, v})
		}
	}
	return p, nil
}

// selection reads a filter for what is done to dead letters. One that selects
// everything is only meant where it is said.
func selection(q url.Values) (admin.LetterFilter, error) {
	f, err := filterOf(q)
	if err == nil && f.All() && q.Get("all") != "true" {
		err = fmt.Errorf("%w: no dead letter is selected", admin.ErrBadRequest)
	}
	return f, err
}

func (d *Dashboard) discard(r *http.Request) (outcome, error) {
	f, err := selection(r.PostForm)
	o := outcome{to: "/deadletters"}
	if err == nil {
		err = confirmed(r)
	}
	if err != nil {
		return o, err
	}
	n, err := d.backend.Discard(r.Context(), f)
	if err != nil {
		return o, fmt.Errorf("%d were removed, and then: %w", n, err)
	}
	o.result.Title = removed(n, "dead letter")
	return o, nil
}

// replay begins to replay what the form selects, and leads to the page that shows
// how far that is; one alone is replayed at once.
func (d *Dashboard) replay(r *http.Request) (outcome, error) {
	o := outcome{to: "/deadletters"}
	f, err := selection(r.PostForm)
	if err != nil {
		return o, err
	}
	options := admin.ReplayOptions{BypassInbox: r.PostFormValue("bypassInbox") != ""}
	if text := r.PostFormValue("perSecond"); text != "" {
		if options.PerSecond, err = strconv.ParseFloat(text, 64); err != nil {
			return o, fmt.Errorf("%w: per second: found %q, expected a number above 0", admin.ErrBadRequest, text)
		}
	}
	if err := options.Check(); err != nil {
		return o, err
	}
	if len(f.IDs) == 1 {
		return d.replayOne(r, f, options)
	}
	page, err := d.backend.DeadLetters(r.Context(), f, 0, 1)
	if err != nil {
		return o, err
	}
	id, err := d.replays.begin(r.Context(), page.Total, func(ctx context.Context, progress func(int)) (int, error) {
		return d.backend.Replay(ctx, f, options, progress)
	})
	if err != nil {
		return o, err
	}
	return outcome{to: pathOf("/replays", id)}, nil
}

func (d *Dashboard) replayOne(r *http.Request, f admin.LetterFilter, options admin.ReplayOptions) (outcome, error) {
	o := outcome{to: pathOf("/deadletters", f.IDs[0])}
	n, err := d.backend.Replay(r.Context(), f, options, func(int) {})
	if err != nil {
		return o, err
	}
	if n == 0 {
		return outcome{to: "/deadletters"}, fmt.Errorf("%w: there is no dead letter %d", admin.ErrNotFound, f.IDs[0])
	}
	return outcome{to: "/deadletters", result: result{Title: fmt.Sprintf("Dead letter %d is replayed", f.IDs[0]), Detail: "What failed on it gets it again. If it fails again, it comes back here under another number."}}, nil
}

func (d *Dashboard) replaying(r *http.Request) (any, error) {
	p, ok := d.replays.get(r.PathValue("id"))
	if !ok {
		return nil, fmt.Errorf("%w: this program knows of no replay %q", admin.ErrNotFound, r.PathValue("id"))
	}
	return p, nil
}

func (d *Dashboard) cancelReplay(r *http.Request) (outcome, error) {
	o := outcome{to: pathOf("/replays", r.PathValue("id"))}
	if !d.replays.stop(r.PathValue("id")) {
		return o, fmt.Errorf("%w: no replay %q runs here", admin.ErrNotFound, r.PathValue("id"))
	}
	return o, nil
}
