package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/fairlead/fairlead/admin/access"
)

// A LetterStore is the part of a [Backend] that answers for what has failed for
// good. Its errors are as those of [TopicStore].
type LetterStore interface {
	// DeadLetters returns up to limit of those that f selects, the newest first,
	// without the bodies of their messages. before is the Next of the page before;
	// 0: the first page.
	DeadLetters(ctx context.Context, f LetterFilter, before int64, limit int) (LetterPage, error)

	// DeadLetter returns one with all it has.
	DeadLetter(ctx context.Context, id int64) (Letter, error)

	// Replay hands those that f selects back to what failed on them and returns how
	// many. It ends when ctx does; what was not replayed by then stays a dead
	// letter. progress is called with the number so far.
	Replay(ctx context.Context, f LetterFilter, o ReplayOptions, progress func(n int)) (int, error)

	// Discard removes those that f selects, for good, and returns how many. It may
	// return both a number and an error.
	Discard(ctx context.Context, f LetterFilter) (int, error)
}

// A LetterFilter selects dead letters; each field that is set narrows it. In a
// query its fields are id (any number of times), trigger, function, source,
// event, cause, since and until. One without any of these needs all=true where
// it is not only for looking.
type LetterFilter struct {
	IDs      []int64
	Trigger  string
	Function string
	Source   string    // as [Letter] has it
	EventID  string    // likewise
	Cause    string    // a part of the error, in any case
	Since    time.Time // died at this time or later
	Until    time.Time // died before this time
}

// All reports whether f selects everything.
func (f LetterFilter) All() bool {
	return f.IDs == nil && f.Trigger == "" && f.Function == "" && f.Source == "" && f.EventID == "" && f.Cause == "" &&
		f.Since.IsZero() && f.Until.IsZero()
}

// Query returns f as the parameters of a URL.
func (f LetterFilter) Query() url.Values {
	q := make(url.Values)
	for _, id := range f.IDs {
		q.Add("id", strconv.FormatInt(id, 10))
	}
	for name, v := range map[string]string{"trigger": f.Trigger, "function": f.Function, "source": f.Source, "event": f.EventID, "cause": f.Cause} {
		if v != "" {
			q.Set(name, v)
		}
	}
	for name, t := range map[string]time.Time{"since": f.Since, "until": f.Until} {
		if !t.IsZero() {
			q.Set(name, t.UTC().Format(time.RFC3339Nano))
		}
	}
	return q
}

func (p *parameters) filter() LetterFilter {
	f := LetterFilter{
		Trigger: p.text("trigger"), Function: p.text("function"), Source: p.text("source"), EventID: p.text("event"),
		Cause: p.text("cause"), Since: p.time("since"), Until: p.time("until"),
	}
	for _, text := range p.list("id") {
		id, err := strconv.ParseInt(text, 10, 64)
		if err != nil || id < 1 {
			p.bad("id", text, "the number of a dead letter")
		}
		f.IDs = append(f.IDs, id)
	}
	return f
}

// selection is a filter for what is done to dead letters: everything is only
// meant where it is said.
func (p *parameters) selection() LetterFilter {
	f := p.filter()
	switch all := p.flag("all"); {
	case p.err != nil:
	case f.All() && !all:
		p.err = fmt.Errorf("%w: found no filter, expected one, or all=true", ErrBadRequest)
	case !f.All() && all:
		p.err = fmt.Errorf("%w: found a filter and all=true, expected one of them", ErrBadRequest)
	}
	return f
}

// selected is the inverse of selection.
func (f LetterFilter) selected() url.Values {
	q := f.Query()
	if f.All() {
		q.Set("all", "true")
	}
	return q
}

// A Letter is a dead letter.
type Letter struct {
	ID          int64     `json:"id"`
	EventID     string    `json:"eventId,omitempty"`
	Type        string    `json:"type,omitempty"`        // of the event
	Source      string    `json:"source"`                // "/CONNECTION/DESTINATION" on a broker, else what it was published to, or the binding's name
	Trigger     string    `json:"trigger"`               // what started the function; the binding's name for a staged send
	Function    string    `json:"function"`              // which failed
	Connection  string    `json:"connection,omitempty"`  // empty for what was published
	Destination string    `json:"destination,omitempty"` // the queue or topic; for what was published, its target
	Key         string    `json:"key,omitempty"`
	Attempts    int       `json:"attempts"` // calls of the function that failed
	Error       string    `json:"error"`    // of the last one
	Stack       string    `json:"stack,omitempty"`
	First       time.Time `json:"first"` // the first failure
	Last        time.Time `json:"last"`  // the last one
	Died        time.Time `json:"died"`  // when it became a dead letter

	Message *Message `json:"message,omitempty"` // as it came: bytes, headers and ids; not in a page
}

// A LetterPage is a part of a list of dead letters.
type LetterPage struct {
	Letters []Letter `json:"letters"`
	Total   int      `json:"total"`          // how many the filter selects
	Next    int64    `json:"next,omitempty"` // what asks for the next page; 0: this is the last one
}

// ReplayOptions say how dead letters are replayed.
type ReplayOptions struct {
	PerSecond   float64 // at most this many; 0: as fast as it goes
	BypassInbox bool    // functions run though the event's effects are committed
}

// Rates that a replay may have.
const (
	minRate = 1e-6
	maxRate = 1e9
)

// Check says what is wrong with o. The error wraps [ErrBadRequest].
func (o ReplayOptions) Check() error {
	if o.PerSecond != 0 && !(o.PerSecond >= minRate && o.PerSecond <= maxRate) {
		return fmt.Errorf("%w: perSecond: found %v, expected a number above 0", ErrBadRequest, o.PerSecond)
	}
	return nil
}

// ReplayState says where a replay is.
type ReplayState string

// The states of a replay.
const (
	ReplayRunning ReplayState = "running"
	ReplayDone    ReplayState = "done"
	ReplayStopped ReplayState = "stopped" // on demand
	ReplayFailed  ReplayState = "failed"
)

// A ReplayProgress is one line of the answer to a replay. The last line has
// another State than running.
type ReplayProgress struct {
	ID       string      `json:"id"` // for DELETE /api/v1/replays/ID, which stops it
	State    ReplayState `json:"state"`
	Replayed int         `json:"replayed"`
	Of       int         `json:"of"` // how many there were when it began
	Error    string      `json:"error,omitempty"`
}

func (s *server) letterRoutes() []route {
	filter := filterParameters()
	selection := append(slices.Clip(filter), parameter{name: "all", kind: typeOf[bool](), doc: "true: there is no filter, and all are meant"})
	return []route{
		{
			method: "GET", path: "/api/v1/deadletters", role: access.Viewer, summary: "Dead letters, the newest first",
			query: append(slices.Clip(filter), parameter{name: "before", kind: typeOf[uint](), doc: "the next of the page before"}, limitParameter(MaxLetters)),
			out:   typeOf[LetterPage](), serve: s.deadLetters,
		}, {
			method: "GET", path: "/api/v1/deadletters/{id}", role: access.Viewer, summary: "One dead letter with its message",
			out: typeOf[Letter](), serve: s.deadLetter,
		}, {
			method: "DELETE", path: "/api/v1/deadletters", role: access.Operator, summary: "Remove dead letters, for good",
			query: selection, out: typeOf[Removal](), serve: s.discard,
		}, {
			method: "DELETE", path: "/api/v1/deadletters/{id}", role: access.Operator, summary: "Remove one dead letter, for good",
			out: typeOf[Removal](), serve: s.discardOne,
		}, {
			method: "POST", path: "/api/v1/deadletters/replay", role: access.Operator, summary: "Hand dead letters back to what failed on them",
			query: append(slices.Clip(selection),
				parameter{name: "perSecond", kind: typeOf[float64](), doc: "at most so many; 0: no limit"},
				parameter{name: "bypassInbox", kind: typeOf[bool](), doc: "run functions though the event's effects are committed"}),
			out: typeOf[ReplayProgress](), media: lines, serve: s.replay,
		}, {
			method: "DELETE", path: "/api/v1/replays/{id}", role: access.Operator, summary: "Stop a replay",
			serve: s.stopReplay,
		},
	}
}

// filterParameters are those of a [LetterFilter].
func filterParameters() []parameter {
	text := typeOf[string]()
	return []parameter{
		{name: "id", kind: typeOf[int64](), list: true, doc: "only these"},
		{name: "trigger", kind: text, doc: "only of this trigger"},
		{name: "function", kind: text, doc: "only of this function"},
		{name: "source", kind: text, doc: "only from this source"},
		{name: "event", kind: text, doc: "only of the event with this id"},
		{name: "cause", kind: text, doc: "only where the error contains this, in any case"},
		{name: "since", kind: typeOf[time.Time](), doc: "only what died at this time or later"},
		{name: "until", kind: typeOf[time.Time](), doc: "only what died before this time"},
	}
}

func (s *server) deadLetters(w http.ResponseWriter, r *http.Request) {
	q := parameters{values: r.URL.Query()}
	f, before, limit := q.filter(), q.number("before", 0), q.limit(MaxLetters)
	if err := q.end(); err != nil {
		fail(w, err)
		return
	}
	answer(w, r, func(ctx context.Context) (LetterPage, error) {
		page, err := s.backend.DeadLetters(ctx, f, int64(before), limit)
		page.Letters = orEmpty(page.Letters)
		return page, err
	})
}

func (s *server) deadLetter(w http.ResponseWriter, r *http.Request) {
	id, err := letterID(r)
	if err != nil {
		fail(w, err)
		return
	}
	answer(w, r, func(ctx context.Context) (Letter, error) { return s.backend.DeadLetter(ctx, id) })
}

func letterID(r *http.Request) (int64, error) {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%w: dead letter %q: its id is a number", ErrNotFound, r.PathValue("id"))
	}
	return id, nil
}

// reach counts what a filter selects. A store that does not answer shows here,
// before anything is done.
func (s *server) reach(r *http.Request, f LetterFilter) (int, error) {
	ctx, cancel := context.WithTimeout(r.Context(), storeTimeout)
	defer cancel()
	page, err := s.backend.DeadLetters(ctx, f, 0, 1)
	if err == nil && page.Total == 0 && len(f.IDs) > 0 {
		err = fmt.Errorf("%w: there is no such dead letter", ErrNotFound)
	}
	return page.Total, err
}

func (s *server) discard(w http.ResponseWriter, r *http.Request) {
	q := parameters{values: r.URL.Query()}
	f := q.selection()
	if err := q.end(); err != nil {
		fail(w, err)
		return
	}
	s.remove(w, r, f)
}

func (s *server) discardOne(w http.ResponseWriter, r *http.Request) {
	id, err := letterID(r)
	if err != nil {
		fail(w, err)
		return
	}
	s.remove(w, r, LetterFilter{IDs: []int64{id}})
}

func (s *server) remove(w http.ResponseWriter, r *http.Request, f LetterFilter) {
	if _, err := s.reach(r, f); err != nil {
		fail(w, err)
		return
	}
	n, err := s.backend.Discard(r.Context(), f)
	removed(w, n, err)
}

// replay answers with one ReplayProgress a line. It ends with its client.
func (s *server) replay(w http.ResponseWriter, r *http.Request) {
	q := parameters{values: r.URL.Query()}
	f, o := q.selection(), ReplayOptions{PerSecond: q.rate("perSecond"), BypassInbox: q.flag("bypassInbox")}
	err := q.end()
	if err == nil {
		err = o.Check()
	}
	if err != nil {
		fail(w, err)
		return
	}
	total, err := s.reach(r, f)
	if err != nil {
		fail(w, err)
		return
	}
	ctx, id, end := s.replays.begin(r.Context())
	defer end()
	w.Header().Set("Content-Type", "application/x-ndjson")
	w.Header().Set("Cache-Control", "no-store")
	out := replayStream{json.NewEncoder(w), http.NewResponseController(w), end}
	line := ReplayProgress{ID: id, State: ReplayRunning, Of: total}
	out.write(line)
	line.Replayed, err = s.backend.Replay(ctx, f, o, func(n int) {
		line.Replayed = n
		out.write(line)
	})
	line.State = ReplayDone
	if err != nil {
		line.State, line.Error = ReplayFailed, err.Error()
	}
	if errors.Is(err, context.Canceled) {
		line.State, line.Error = ReplayStopped, ""
	}
	out.write(line)
}

// A replayStream writes lines as they come. A client that is gone stops the replay.
type replayStream struct {
	lines *json.Encoder
	flush *http.ResponseController
	stop  func()
}

func (s replayStream) write(line ReplayProgress) {
	if err := errors.Join(s.lines.Encode(line), s.flush.Flush()); err != nil {
		s.stop()
	}
}

func (s *server) stopReplay(w http.ResponseWriter, r *http.Request) {
	if !s.replays.stop(r.PathValue("id")) {
		fail(w, fmt.Errorf("%w: no replay %q runs here", ErrNotFound, r.PathValue("id")))
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

const lettersPath = "/api/v1/deadletters"

// DeadLetters is [LetterStore.DeadLetters], for up to [MaxLetters] letters.
func (c *Client) DeadLetters(ctx context.Context, f LetterFilter, before int64, limit int) (LetterPage, error) {
	var page LetterPage
	q := f.Query()
	q.Set("before", strconv.FormatInt(before, 10))
	q.Set("limit", strconv.Itoa(limit))
	_, err := c.call(ctx, http.MethodGet, lettersPath+"?"+q.Encode(), nil, &page)
	return page, err
}

// DeadLetter is [LetterStore.DeadLetter].
func (c *Client) DeadLetter(ctx context.Context, id int64) (Letter, error) {
	var l Letter
	_, err := c.call(ctx, http.MethodGet, lettersPath+"/"+strconv.FormatInt(id, 10), nil, &l)
	return l, err
}

// Discard is [LetterStore.Discard].
func (c *Client) Discard(ctx context.Context, f LetterFilter) (int, error) {
	var r Removal
	_, err := c.call(ctx, http.MethodDelete, lettersPath+"?"+f.selected().Encode(), nil, &r)
	return r.Removed, err
}
