package outbox

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/framework"
	"github.com/fairlead/fairlead/test/services"
)

// letterOf returns a letter about a message of a broker.
func letterOf(t testing.TB, trigger, id, body string) Letter {
	t.Helper()
	ev := event.New()
	ev.SetID(id)
	ev.SetSource("/orders/in")
	ev.SetType(connections.PlainType)
	ev.SetSubject("a subject")
	at := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
	return Letter{
		Trigger: trigger, Function: "order.received", Connection: "orders", Destination: "in", Event: ev,
		Message: connections.Message{
			Body: []byte(body), ContentType: "text/plain", Identity: id, ID: "ID:" + id,
			Header: map[string]any{"n": int64(5), "raw": []byte{0, 1}, "odd": "a\x00\xff", "ok": true, "nothing": nil},
			Time:   at, ReplyTo: "answers", Correlate: id, Key: "group",
		},
		Cause: "it failed", Stack: "at main", Attempts: 2, First: at, Last: at.Add(time.Minute),
	}
}

func TestParkedRetryComesBack(t *testing.T) {
	t.Parallel()
	s := start(t, services.Postgres(t))
	parked := letterOf(t, "orders-in", "1", "body")
	begin := time.Now()
	for range 3 { // as if settling it had failed
		if err := s.Park(t.Context(), parked, 300*time.Millisecond); err != nil {
			t.Fatal(err)
		}
	}
	got := make(chan Letter, 10)
	retries, err := s.Retries(Retries{
		Trigger: "orders-in", Function: "order.received", Grace: time.Second,
		Retry: framework.RetryPolicy{Attempts: 4, First: time.Millisecond},
		Handle: func(_ context.Context, l *Letter) error {
			got <- *l
			if l.Attempts < 3 {
				return errors.New("again")
			}
			return nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	background(t, retries.Run)
	l := receive(t, got)
	if d := time.Since(begin); d < 300*time.Millisecond {
		t.Errorf("it came back after %v, want 300 ms or more", d)
	}
	if diff := cmp.Diff(parked.Message, l.Message); diff != "" {
		t.Errorf("the message is not what was parked (-want +got):\n%s", diff)
	}
	if l.Attempts != 2 || !l.First.Equal(parked.First) || l.Event.ID() != "1" || l.Event.Subject() != "a subject" || l.Source() != "/orders/in" {
		t.Errorf("got %+v", l)
	}
	if l := receive(t, got); l.Attempts != 3 {
		t.Errorf("got %d attempts at the second call, want 3", l.Attempts)
	}
	await(t, "nothing is parked", func() bool {
		queues, err := s.ParkedRetries(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return len(queues) == 1 && queues[0].Depth == 0
	})
	if len(got) > 0 {
		t.Errorf("it came back %d times more", len(got))
	}
}

// Attempts go on counting on another replica; the last one buries the message,
// in the store or where the trigger says.
func TestParkedRetriesAreBuried(t *testing.T) {
	t.Parallel()
	url := services.Postgres(t)
	one, two := start(t, url), start(t, url)
	var calls atomic.Int64
	elsewhere := make(chan Letter, 10)
	var refuse atomic.Bool
	refuse.Store(true)
	for _, s := range []*Store{one, two} {
		for _, trigger := range []string{"here", "elsewhere"} {
			r := Retries{
				Trigger: trigger, Function: "f", Retry: framework.RetryPolicy{Attempts: 7, First: time.Millisecond, Max: 2 * time.Millisecond},
				Handle: func(context.Context, *Letter) error { calls.Add(1); return errors.New("always") },
				Stack:  func(error) string { return "deep" },
			}
			if trigger == "elsewhere" {
				r.Bury = func(_ context.Context, l *Letter) error {
					if refuse.Swap(false) {
						return errors.New("the dead letter queue is away")
					}
					elsewhere <- *l
					return nil
				}
			}
			c, err := s.Retries(r)
			if err != nil {
				t.Fatal(err)
			}
			background(t, c.Run)
		}
	}
	for _, trigger := range []string{"here", "elsewhere"} {
		if err := one.Park(t.Context(), letterOf(t, trigger, "1", "body"), 0); err != nil {
			t.Fatal(err)
		}
	}
	l := receive(t, elsewhere)
	if l.Attempts != 7 || l.Cause != "always" || l.Stack != "deep" || string(l.Message.Body) != "body" {
		t.Errorf("elsewhere: got %+v", l)
	}
	var letters []Letter
	await(t, "the other is a dead letter", func() bool {
		var err error
		letters, err = one.DeadLetters(t.Context(), Filter{}, 0, 10)
		if err != nil {
			t.Fatal(err)
		}
		return len(letters) == 1
	})
	if l := letters[0]; l.Trigger != "here" || l.Attempts != 7 || l.Cause != "always" || l.Connection != "orders" || l.Destination != "in" {
		t.Errorf("here: got %+v", l)
	}
	if n := calls.Load(); n != 5+5+1 { // from the third to the seventh; once more after the refusal
		t.Errorf("got %d calls, want 11", n)
	}
}

func TestBuryIsOnce(t *testing.T) {
	t.Parallel()
	s := start(t, services.Postgres(t))
	l := letterOf(t, "orders-in", "1", "body")
	if err := s.Park(t.Context(), l, time.Hour); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := s.Bury(t.Context(), l); err != nil {
			t.Fatal(err)
		}
	}
	other := letterOf(t, "orders-in", "1", "another body")
	if err := s.Bury(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	for range 2 { // messages that could not be read, and that nobody can tell apart
		if err := s.Bury(t.Context(), Letter{Trigger: "orders-in", Cause: "not understood", Attempts: 1, Message: connections.Message{Body: []byte("?")}}); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := s.CountDeadLetters(t.Context(), Filter{}); n != 4 || err != nil {
		t.Errorf("got %d dead letters, %v; want 4", n, err)
	}
	queues, err := s.ParkedRetries(t.Context())
	if err != nil || len(queues) != 1 || queues[0].Depth != 0 {
		t.Errorf("got %+v, %v: want the parked copy gone", queues, err)
	}
	letters, err := s.DeadLetters(t.Context(), Filter{Source: "/orders/in"}, 0, 10)
	if err != nil || len(letters) != 2 {
		t.Fatalf("got %d letters, %v; want 2", len(letters), err)
	}
	got, err := s.DeadLetter(t.Context(), letters[1].ID)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(l.Message, got.Message); diff != "" {
		t.Errorf("the message is not what was buried (-want +got):\n%s", diff)
	}
	if !got.First.Equal(l.First) || !got.Last.Equal(l.Last) || got.Attempts != 2 || got.Cause != "it failed" || got.Stack != "at main" {
		t.Errorf("got %+v", got)
	}
	if _, err := s.DeadLetter(t.Context(), 1<<40); !errors.Is(err, ErrNotFound) {
		t.Errorf("got error %v, want ErrNotFound", err)
	}
}

func TestDeadLetterFilters(t *testing.T) {
	t.Parallel()
	s := start(t, services.Postgres(t))
	begin := time.Now().Add(-time.Minute)
	for i := range 6 {
		l := letterOf(t, fmt.Sprint("trigger", i%2), fmt.Sprint("id", i), "x")
		l.Function = fmt.Sprint("function", i%3)
		l.Cause = fmt.Sprint("Cause ", i)
		if err := s.Bury(t.Context(), l); err != nil {
			t.Fatal(err)
		}
	}
	all, err := s.DeadLetters(t.Context(), Filter{}, 0, 100)
	if err != nil || len(all) != 6 {
		t.Fatalf("got %d letters, %v", len(all), err)
	}
	for _, c := range []struct {
		filter Filter
		want   int
	}{
		{Filter{}, 6},
		{Filter{IDs: []int64{all[0].ID, all[3].ID, 0}}, 2},
		{Filter{IDs: []int64{}}, 0},
		{Filter{Trigger: "trigger1"}, 3},
		{Filter{Function: "function0"}, 2},
		{Filter{Trigger: "trigger1", Function: "function0"}, 1},
		{Filter{EventID: "id4"}, 1},
		{Filter{Cause: "cAUSE 5"}, 1},
		{Filter{Cause: "%"}, 0},
		{Filter{Source: "/orders/in"}, 6},
		{Filter{Source: "orders"}, 0},
		{Filter{Since: begin, Until: time.Now().Add(time.Minute)}, 6},
		{Filter{Until: begin}, 0},
		{Filter{Trigger: "'; drop table fairlead.dead; --"}, 0},
	} {
		n, err := s.CountDeadLetters(t.Context(), c.filter)
		if err != nil || n != c.want {
			t.Errorf("%+v: got %d, %v; want %d", c.filter, n, err, c.want)
		}
	}
	page, err := s.DeadLetters(t.Context(), Filter{}, all[3].ID, 2)
	if err != nil || len(page) != 2 || page[0].ID != all[4].ID || page[1].ID != all[5].ID {
		t.Errorf("second page: got %v, %v", page, err)
	}
	if n, err := s.Discard(t.Context(), Filter{Trigger: "trigger0"}); n != 3 || err != nil {
		t.Errorf("discard: got %d, %v; want 3", n, err)
	}
	if n, err := s.CountDeadLetters(t.Context(), Filter{}); n != 3 || err != nil {
		t.Errorf("after discard: got %d, %v; want 3", n, err)
	}
}
