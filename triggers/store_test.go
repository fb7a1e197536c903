package triggers_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/framework"
	"github.com/fairlead/fairlead/outbox/ledger"
	"github.com/fairlead/fairlead/triggers"
)

// parking is a store that remembers what it was given.
type parking struct {
	letters []triggers.Letter
	delays  []time.Duration
	err     error
	marks   map[string]int
}

func (p *parking) Park(_ context.Context, l triggers.Letter, delay time.Duration) error {
	if p.err != nil {
		return p.err
	}
	p.letters, p.delays = append(p.letters, l), append(p.delays, delay)
	return nil
}

func (p *parking) Mark(_ context.Context, _, _, id string) (int, error) {
	p.marks[id]++
	return p.marks[id] - 1, p.err
}

func (p *parking) Unmark(_ context.Context, _, _, id string) error {
	delete(p.marks, id)
	return p.err
}

func TestParking(t *testing.T) {
	for name, tt := range map[string]struct {
		wait   time.Duration
		change func(*triggers.Spec, *parking)
		key    string
		parked bool
	}{
		"a long wait":               {wait: 2 * time.Second, parked: true},
		"a short wait":              {wait: time.Second},
		"the store is away":         {wait: 2 * time.Second, change: func(_ *triggers.Spec, p *parking) { p.err = errors.New("away") }},
		"an ordered trigger":        {wait: 2 * time.Second, change: func(s *triggers.Spec, _ *parking) { s.Ordered = true }},
		"a message that has a key":  {wait: 2 * time.Second, key: "k"},
		"a trigger without a store": {wait: 2 * time.Second, change: func(s *triggers.Spec, _ *parking) { s.Store = nil }},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := new(parking)
				var attempts []int
				r := newRig(t, func(ctx context.Context, in event.Event) error {
					attempts = append(attempts, framework.Source(ctx).Attempt)
					if len(attempts) == 1 {
						return framework.RetryAfter(tt.wait, errors.New("later"))
					}
					return nil
				})
				r.spec.Store = p
				if tt.change != nil {
					tt.change(&r.spec, p)
				}
				r.broker.Put("in", connections.Message{Body: []byte("x"), Text: true, Key: tt.key, ID: "1"})
				r.start()
				pass(time.Second / 2)
				if got := len(p.letters) == 1; got != tt.parked {
					t.Fatalf("parked: %t, want %t", got, tt.parked)
				}
				if waiting := r.Status().Waiting + r.Status().InFlight; waiting > 0 == tt.parked {
					t.Errorf("%d messages are in hand", waiting)
				}
				if tt.parked {
					if l := p.letters[0]; l.Cause.Error() != "later" || l.Attempts != 1 || p.delays[0] != tt.wait || l.Event.ID() == "" {
						t.Errorf("got %+v after %v", l, p.delays[0])
					}
					if err := r.Resume(t.Context(), p.letters[0]); err != nil {
						t.Error(err)
					}
				}
				pass(time.Minute)
				if fmt.Sprint(attempts) != "[1 2]" {
					t.Errorf("got attempts %v, want 1 and 2", attempts)
				}
			})
		})
	}
}

func TestResumeSaysWhatWentWrong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var fault error
		r := newRig(t, func(ctx context.Context, in event.Event) error {
			if fault != nil {
				framework.FromContext(ctx).Blame(fault)
			}
			return errors.New("failed")
		})
		r.start()
		l := triggers.Letter{Message: connections.Message{Body: []byte("x"), Text: true}, Cause: errors.New("before")}
		if err := r.Resume(t.Context(), l); err == nil || errors.Is(err, framework.ErrUnavailable) {
			t.Errorf("the function's error: got %v", err)
		}
		fault = errors.New("nobody listens")
		if err := r.Resume(t.Context(), l); !errors.Is(err, framework.ErrUnavailable) {
			t.Errorf("a fault: got %v, want it to wrap ErrUnavailable", err)
		}
		l.Message = connections.Message{Body: []byte("{"), ContentType: "application/cloudevents+json"}
		if err := r.Resume(t.Context(), l); !framework.IsTerminal(err) {
			t.Errorf("a message that cannot be read: got %v, want it to be terminal", err)
		}
	})
}

// A batch that the broker moved aside as a whole was never read; a replay of it
// calls the function with each of its events.
func TestResumeOfABatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ids []string
		r := newRig(t, func(_ context.Context, in event.Event) error {
			ids = append(ids, in.ID())
			return nil
		})
		r.start()
		batch := `[{"specversion":"1.0","id":"a","source":"/s","type":"t"},{"specversion":"1.0","id":"b","source":"/s","type":"t"}]`
		l := triggers.Letter{
			Message: connections.Message{Body: []byte(batch), ContentType: "application/cloudevents-batch+json"},
			Cause:   errors.New("delivered too often"),
		}
		if err := r.Resume(t.Context(), l); err != nil {
			t.Fatal(err)
		}
		if fmt.Sprint(ids) != "[a b]" {
			t.Errorf("got calls for %v, want a and b", ids)
		}
	})
}

// A message that killed three processes is not given to a fourth.
func TestMessagesThatKill(t *testing.T) {
	dir := t.TempDir()
	for range 3 { // processes that died with the call in their ledger
		l, err := ledger.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		l.Begin("t", "/main/in", "1")
		left, err := filepath.Glob(filepath.Join(dir, "*.ledger"))
		if err != nil || len(left) != 1 {
			t.Fatalf("got ledgers %v, %v", left, err)
		}
		data, err := os.ReadFile(left[0])
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Close(); err != nil { // as the kernel does, but the call is still in the file
			t.Fatal(err)
		}
		if err := os.WriteFile(left[0], data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	l, err := ledger.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		r := newRig(t, func(context.Context, event.Event) error { calls++; return nil })
		r.spec.Ledger = l
		r.broker.Put("in", connections.Message{Body: []byte("x"), Text: true, ID: "1"})
		r.start()
		if m := r.take("in.DLQ"); !strings.Contains(fmt.Sprint(m.Header["fairlead_error"]), "the process died 3 times") || calls != 0 {
			t.Errorf("got %v after %d calls", m.Header, calls)
		}
	})
}
