package admin_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/admin"
)

// letters are dead letters, replayed and discarded as its fields say.
type letters struct {
	page    admin.LetterPage
	letter  admin.Letter
	err     error
	replay  func(ctx context.Context, o admin.ReplayOptions, progress func(int)) (int, error)
	discard func() (int, error)

	filter admin.LetterFilter // of the last question
	before int64
	limit  int
}

func (l *letters) DeadLetters(_ context.Context, f admin.LetterFilter, before int64, limit int) (admin.LetterPage, error) {
	l.filter, l.before, l.limit = f, before, limit
	return l.page, l.err
}

func (l *letters) DeadLetter(_ context.Context, id int64) (admin.Letter, error) {
	l.filter = admin.LetterFilter{IDs: []int64{id}}
	return l.letter, l.err
}

func (l *letters) Replay(ctx context.Context, f admin.LetterFilter, o admin.ReplayOptions, progress func(int)) (int, error) {
	l.filter = f
	return l.replay(ctx, o, progress)
}

func (l *letters) Discard(_ context.Context, f admin.LetterFilter) (int, error) {
	l.filter = f
	return l.discard()
}

// request makes a request as it is and returns the answer's status and body. An
// error must be a problem.
func request(t *testing.T, c *admin.Client, method, path, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, c.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer bytes.Buffer
	if _, err := answer.ReadFrom(resp.Body); err != nil {
		t.Fatal(err)
	}
	if got := resp.Header.Get("Content-Type"); resp.StatusCode >= 400 && got != "application/problem+json" {
		t.Errorf("%s %s: got Content-Type %q with %s, want a problem", method, path, got, resp.Status)
	}
	return resp.StatusCode, strings.NewReplacer(`\"`, `"`).Replace(answer.String())
}

// everyField is a filter with all that one may have.
var everyField = admin.LetterFilter{
	IDs: []int64{3, 4}, Trigger: "t&1", Function: "f", Source: "/c/q", EventID: "e", Cause: "no such", Since: at, Until: at.Add(time.Hour),
}

func TestDeadLetters(t *testing.T) {
	f := &letters{
		page: admin.LetterPage{Letters: []admin.Letter{{ID: 2, Source: "/c/q", Trigger: "t", First: at, Last: at, Died: at}}, Total: 9, Next: 2},
		letter: admin.Letter{
			ID: 1, EventID: "e", Type: "ty", Source: "/c/q", Trigger: "t", Function: "f", Connection: "c", Destination: "q", Key: "k", Attempts: 5,
			Error: "boom", Stack: "goroutine 1", First: at, Last: at, Died: at, Message: &whole,
		},
	}
	c := serve(t, &fake{LetterStore: f})
	page, err := c.DeadLetters(t.Context(), everyField, 7, 50)
	if diff := cmp.Diff(f.page, page); diff != "" || err != nil {
		t.Errorf("error %v (-want +got):\n%s", err, diff)
	}
	if diff := cmp.Diff(everyField, f.filter); diff != "" || f.before != 7 || f.limit != 50 {
		t.Errorf("asked before %d, limit %d (-want +got):\n%s", f.before, f.limit, diff)
	}
	letter, err := c.DeadLetter(t.Context(), 1)
	if diff := cmp.Diff(f.letter, letter); diff != "" || err != nil || f.filter.IDs[0] != 1 {
		t.Errorf("error %v (-want +got):\n%s", err, diff)
	}
	f.page = admin.LetterPage{}
	if status, body := request(t, c, http.MethodGet, "/api/v1/deadletters", ""); status != 200 || strings.TrimSpace(body) != `{"letters":[],"total":0}` || f.limit != admin.DefaultLimit {
		t.Errorf("got %d %s with limit %d, want an empty list", status, body, f.limit)
	}
}

func TestDiscard(t *testing.T) {
	f := &letters{page: admin.LetterPage{Total: 2}, discard: func() (int, error) { return 2, nil }}
	c := serve(t, &fake{LetterStore: f})
	for _, filter := range []admin.LetterFilter{everyField, {}, {IDs: []int64{1}}} {
		n, err := c.Discard(t.Context(), filter)
		if diff := cmp.Diff(filter, f.filter); n != 2 || err != nil || diff != "" {
			t.Errorf("got %d, %v (-want +got):\n%s", n, err, diff)
		}
	}
	if status, body := request(t, c, http.MethodDelete, "/api/v1/deadletters/5", ""); status != 200 || strings.TrimSpace(body) != `{"removed":2}` || f.filter.IDs[0] != 5 {
		t.Errorf("got %d %s for %v", status, body, f.filter)
	}
	f.discard = func() (int, error) { return 1000, errors.New("gone") }
	if status, body := request(t, c, http.MethodDelete, "/api/v1/deadletters/5", ""); status != 502 || !strings.Contains(body, "1000 were removed, and then: gone") {
		t.Errorf("got %d %s, want what was done before the error", status, body)
	}
}

func TestBadQuestionsAboutDeadLetters(t *testing.T) {
	none := &letters{}
	c := serve(t, &fake{LetterStore: none}) // neither replay nor discard may be reached
	for _, tt := range []struct {
		method, path, says string
		want               int
	}{
		{"GET", "/api/v1/deadletters?triger=x", `unknown parameter "triger"`, 400},
		{"GET", "/api/v1/deadletters?id=x", "id", 400},
		{"GET", "/api/v1/deadletters?since=yesterday", "since", 400},
		{"GET", "/api/v1/deadletters?limit=1001", "1 to 1000", 400},
		{"GET", "/api/v1/deadletters?before=x", "before", 400},
		{"GET", "/api/v1/deadletters/x", "its id is a number", 404},
		{"DELETE", "/api/v1/deadletters/x", "its id is a number", 404},
		{"DELETE", "/api/v1/deadletters/1", "there is no such dead letter", 404},
		{"DELETE", "/api/v1/deadletters", "expected one, or all=true", 400},
		{"DELETE", "/api/v1/deadletters?all=false", "expected one, or all=true", 400},
		{"DELETE", "/api/v1/deadletters?all=yes", "true or false", 400},
		{"DELETE", "/api/v1/deadletters?all=true&trigger=x", "expected one of them", 400},
		{"DELETE", "/api/v1/deadletters?trigger=x&limit=1", `unknown parameter "limit"`, 400},
		{"POST", "/api/v1/deadletters/replay", "expected one, or all=true", 400},
		{"POST", "/api/v1/deadletters/replay?id=1", "there is no such dead letter", 404},
		{"POST", "/api/v1/deadletters/replay?all=true&perSecond=-1", "perSecond", 400},
		{"POST", "/api/v1/deadletters/replay?all=true&perSecond=fast", "perSecond", 400},
		{"POST", "/api/v1/deadletters/replay?all=true&perSecond=1e-9", "perSecond", 400},
		{"POST", "/api/v1/deadletters/replay?all=true&perSecond=NaN", "perSecond", 400},
		{"POST", "/api/v1/deadletters/replay?all=true&bypassInbox=maybe", "bypassInbox", 400},
		{"DELETE", "/api/v1/replays/x", `no replay "x" runs here`, 404},
	} {
		status, body := request(t, c, tt.method, tt.path, "")
		if status != tt.want || !strings.Contains(body, tt.says) {
			t.Errorf("%s %s: got %d %s, want %d and %q", tt.method, tt.path, status, body, tt.want, tt.says)
		}
	}
}

func TestReplay(t *testing.T) {
	f := &letters{page: admin.LetterPage{Total: 3}}
	f.replay = func(_ context.Context, o admin.ReplayOptions, progress func(int)) (int, error) {
		if want := (admin.ReplayOptions{PerSecond: 0.5, BypassInbox: true}); o != want {
			return 0, fmt.Errorf("got %+v, want %+v", o, want)
		}
		progress(1)
		progress(3)
		return 3, nil
	}
	c := serve(t, &fake{LetterStore: f})
	var seen []int
	n, err := c.Replay(t.Context(), everyField, admin.ReplayOptions{PerSecond: 0.5, BypassInbox: true}, func(n int) { seen = append(seen, n) })
	if diff := cmp.Diff([]int{0, 1, 3}, seen); n != 3 || err != nil || diff != "" {
		t.Errorf("got %d, %v; progress (-want +got):\n%s", n, err, diff)
	}
	if diff := cmp.Diff(everyField, f.filter); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}

	f.replay = func(_ context.Context, _ admin.ReplayOptions, progress func(int)) (int, error) {
		progress(1)
		return 2, errors.New("the store is gone")
	}
	n, err = c.Replay(t.Context(), admin.LetterFilter{}, admin.ReplayOptions{}, func(int) {})
	if n != 2 || err == nil || err.Error() != "the store is gone" {
		t.Errorf("got %d, %v; want what was done and why no more", n, err)
	}
}

// stepping replays one at a time until its ctx ends, and says so.
func stepping(ended chan<- error) func(context.Context, admin.ReplayOptions, func(int)) (int, error) {
	return func(ctx context.Context, _ admin.ReplayOptions, progress func(int)) (int, error) {
		for n := 1; ; n++ {
			progress(n)
			select {
			case <-ctx.Done():
				ended <- ctx.Err()
				return n + 1, ctx.Err() // one more was done meanwhile
			case <-time.After(time.Millisecond):
			}
		}
	}
}

// The client that stops a replay learns how many were replayed, the last step included.
func TestReplayIsStoppedByItsClient(t *testing.T) {
	ended := make(chan error, 1)
	c := serve(t, &fake{LetterStore: &letters{page: admin.LetterPage{Total: 1000}, replay: stepping(ended)}})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	last := 0
	n, err := c.Replay(ctx, admin.LetterFilter{}, admin.ReplayOptions{}, func(n int) {
		if last = n; n == 5 {
			cancel()
		}
	})
	<-ended // else the test never ends
	if !errors.Is(err, context.Canceled) || n != last+1 {
		t.Errorf("got %d after %d and %v, want the last word of the server and context.Canceled", n, last, err)
	}
}

func TestReplayIsStoppedBySomebodyElse(t *testing.T) {
	ended := make(chan error, 1)
	c := serve(t, &fake{LetterStore: &letters{page: admin.LetterPage{Total: 1000}, replay: stepping(ended)}})
	lines, stop := openReplay(t, c)
	defer stop()
	other := &admin.Client{URL: c.URL, Token: token}
	if status, body := request(t, other, http.MethodDelete, "/api/v1/replays/"+lines().ID, ""); status != 204 {
		t.Fatalf("got %d %s", status, body)
	}
	<-ended
	for {
		if line := lines(); line.State != admin.ReplayRunning {
			if line.State != admin.ReplayStopped || line.Of != 1000 || line.Error != "" {
				t.Errorf("got %+v, want that it was stopped", line)
			}
			break
		}
	}
}

// Whoever is gone cannot ask to stop: the replay stops by itself.
func TestReplayEndsWithItsClient(t *testing.T) {
	ended := make(chan error, 1)
	c := serve(t, &fake{LetterStore: &letters{page: admin.LetterPage{Total: 1000}, replay: stepping(ended)}})
	lines, hangUp := openReplay(t, c)
	lines()
	hangUp()
	<-ended // else the test never ends
}
