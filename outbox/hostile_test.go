package outbox

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/framework"
	"github.com/fairlead/fairlead/test/services"
)

// A schema may have any name; it is quoted wherever it appears.
func TestOddSchemaNames(t *testing.T) {
	t.Parallel()
	url := services.Postgres(t)
	for _, schema := range []string{`we"ird '%s`, `{schema}.{channel}`, `a'; drop table x; --\`, strings.Repeat("ä", 31)} {
		t.Run(schema, func(t *testing.T) {
			t.Parallel()
			s, _ := startStop(t, Config{URL: url, Schema: schema})
			got := make(chan string, 2)
			subscribe(t, s, Subscription{Target: "f", Retry: framework.RetryPolicy{Attempts: 1}, Handle: func(_ context.Context, d *Delivery) error {
				got <- string(d.Event.Data())
				return errors.New("to the dead letters")
			}})
			if _, err := s.Publish(t.Context(), "f", data(t, "here"), framework.PublishOptions{}); err != nil {
				t.Fatal(err)
			}
			if g := receive(t, got); g != "here" {
				t.Errorf("got %q, want what was published", g)
			}
			await(t, "it is a dead letter", func() bool {
				n, err := s.CountDeadLetters(t.Context(), Filter{})
				return n == 1 && err == nil
			})
		})
	}
}

// What a function returns as its error may hold bytes that Postgres cannot, and
// be of any length. The row goes its way all the same.
func TestErrorsThatAreNoText(t *testing.T) {
	t.Parallel()
	s := start(t, services.Postgres(t))
	bad := "a\x00b\xff" + strings.Repeat("long \x00", 1<<20)
	subscribe(t, s, Subscription{
		Target: "f", Retry: framework.RetryPolicy{Attempts: 3, First: time.Millisecond},
		Stack:  func(error) string { return bad },
		Handle: func(context.Context, *Delivery) error { return errors.New(bad) },
	})
	if _, err := s.Publish(t.Context(), "f", data(t, "x"), framework.PublishOptions{}); err != nil {
		t.Fatal(err)
	}
	var letters []Letter
	await(t, "it is a dead letter", func() (dead bool) {
		var err error
		letters, err = s.DeadLetters(t.Context(), Filter{}, 0, 1)
		return err == nil && len(letters) == 1
	})
	l := letters[0]
	if l.Attempts != 3 || !strings.HasPrefix(l.Cause, "a\uFFFDb\uFFFD") || !utf8.ValidString(l.Cause) {
		t.Errorf("got %d attempts and the cause %.20q, want 3 and the error", l.Attempts, l.Cause)
	}
	if len(l.Cause) > 3*maxCause || len(l.Stack) > 3*maxStack {
		t.Errorf("got a cause of %d bytes and a stack of %d, want them cut", len(l.Cause), len(l.Stack))
	}
}

// Headers come back with the types and values they had.
func TestHeadersKeepTheirTypes(t *testing.T) {
	t.Parallel()
	s := start(t, services.Postgres(t))
	want := map[string]any{
		"bool": true, "string": "ä", "nothing": nil, "odd": "a\x00\xff",
		"int": math.MinInt, "int8": int8(-128), "int16": int16(-1), "int32": int32(math.MinInt32), "int64": int64(math.MaxInt64),
		"uint": uint(math.MaxUint), "uint8": uint8(255), "uint16": uint16(1), "uint32": uint32(math.MaxUint32), "uint64": uint64(math.MaxUint64),
		"float32": float32(0.1), "float64": 1e-300, "infinity": math.Inf(-1), "largest": math.MaxFloat64,
		"bytes": []byte{0, 255}, "time": time.Date(2026, 11, 21, 1, 2, 3, 456789, time.UTC), "uuid": [16]byte{1, 2, 15: 3},
		"list": []any{int64(1), "two", []any{nil}}, "map": map[string]any{"n": uint8(1)},
	}
	got := make(chan map[string]any, 1)
	subscribe(t, s, Subscription{Target: "f", Handle: func(_ context.Context, d *Delivery) error {
		got <- d.Header
		return nil
	}})
	if _, err := s.Publish(t.Context(), "f", data(t, "x"), framework.PublishOptions{Header: want}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, receive(t, got)); diff != "" {
		t.Errorf("got other headers (-want +got):\n%s", diff)
	}
}

// Brokers have times that JSON has not. A message that has one can be parked, and
// comes back; an event is refused.
func TestTimesBeyondJSON(t *testing.T) {
	t.Parallel()
	s := start(t, services.Postgres(t))
	far := time.Date(12026, 1, 1, 0, 0, 0, 0, time.UTC)
	ev := data(t, "x")
	ev.SetTime(far)
	if _, err := s.Publish(t.Context(), "f", ev, framework.PublishOptions{}); !framework.IsTerminal(err) {
		t.Errorf("got %v, want a terminal error about the time", err)
	}
	l := letterOf(t, "in", "id", "body")
	l.Message.Time = far
	l.Message.Header = map[string]any{"far": far}
	l.Event.SetTime(far)
	if err := s.Park(t.Context(), l, 0); err != nil {
		t.Fatal(err)
	}
	got := make(chan connections.Message, 1)
	retries, err := s.Retries(Retries{Trigger: "in", Handle: func(_ context.Context, l *Letter) error {
		got <- l.Message
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	background(t, retries.Run)
	if m := receive(t, got); string(m.Body) != "body" || !m.Time.IsZero() || m.Header["far"] != far.String() {
		t.Errorf("got body %q, time %v and header %v; want the body, no time and the text of the header", m.Body, m.Time, m.Header)
	}
}

// Of large messages a relay takes as many as fit into memory, not a whole batch.
func TestLargeMessagesAreFewAtOnce(t *testing.T) {
	t.Parallel()
	url := services.Postgres(t)
	s := start(t, url)
	pool := connect(t, url)
	const n, size = 24, 2 << 20
	body := make([]byte, size)
	for range n {
		if err := s.StageSend(t.Context(), Send{Binding: "out", Message: connections.Message{Body: body}}); err != nil {
			t.Fatal(err)
		}
	}
	sizes := make(chan int, n)
	claimed := make(chan int, n)
	r, err := s.Relay(Relay{Binding: "out", Send: func(_ context.Context, batch []StagedSend) []error {
		sizes <- len(batch)
		claimed <- one[int](t, pool, `select count(*) from fairlead.delivery where seq in (select unnest(seqs) from fairlead.claim)`)
		return make([]error, len(batch))
	}})
	if err != nil {
		t.Fatal(err)
	}
	background(t, r.Run)
	for sent := 0; sent < n; {
		batch, held := receive(t, sizes), receive(t, claimed)
		if batch > mostMemory/size || held > 4*mostMemory/size {
			t.Errorf("got a batch of %d and %d in hand, want at most %d and few more", batch, held, mostMemory/size)
		}
		sent += batch
	}
}
