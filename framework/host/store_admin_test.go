package host

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/url"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/cloudevents/sdk-go/v2/types"
	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/fairlead/fairlead/admin"
	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/framework"
	"github.com/fairlead/fairlead/framework/config"
	"github.com/fairlead/fairlead/outbox"
	"github.com/fairlead/fairlead/test/services"
)

// openOperator returns an operator of a store of the test's own, and the store.
func openOperator(t *testing.T) (StoreOperator, *outbox.Store) {
	t.Helper()
	cfg := &config.Config{Store: config.Store{URL: services.Postgres(t)}}
	o, stop, err := OpenStore(t.Context(), cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	s, err := o.store(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return o, s
}

func published(body string) admin.Publication { return admin.Publication{Message: message(body)} }

func buried(i int) outbox.Letter {
	ec := &event.EventContextV1{ID: fmt.Sprint("e", i), Type: "order", Source: types.URIRef{URL: url.URL{Path: "/c/q"}}}
	return outbox.Letter{
		Trigger: "in", Function: "f", Connection: "c", Destination: "q", Event: event.Event{Context: ec},
		Message: connections.Message{Body: []byte{0xff, 0}, ID: "m", ContentType: "a/b", ReplyTo: "back", Header: map[string]any{"n": int64(1), "nan": math.NaN()}},
		Cause:   "boom", Stack: "goroutine 1", Attempts: 2, First: time.Now().Add(-time.Hour), Last: time.Now().Add(-time.Minute),
	}
}

func TestOperatorPublishesAndBrowses(t *testing.T) {
	o, _ := openOperator(t)
	priority, due := 9, time.Now().Add(time.Hour)
	whole := published("Grüße")
	whole.ID, whole.ContentType, whole.Header, whole.Key, whole.Priority, whole.TTL = "mine", "text/x", map[string]any{"color": "red"}, "k", &priority, admin.Duration(time.Hour)
	for _, p := range []admin.Publication{whole, whole, published("second"), {Message: message("later"), At: &due}, {Message: message("too"), After: admin.Duration(time.Minute)}} {
		if id, err := o.Publish(t.Context(), "f", p); err != nil || id == "" || p.ID != "" && id != p.ID {
			t.Fatalf("got id %q, error %v", id, err)
		}
	}
	events, err := o.Browse(t.Context(), "f", 0, 10)
	if err != nil || len(events) != 4 {
		t.Fatalf("got %d events, error %v; want 4, the one with an id once", len(events), err)
	}
	first := events[0]
	if first.ID != "mine" || string(first.Body()) != "Grüße" || first.ContentType != "text/x" || first.Header["color"] != "red" || first.Key != "k" ||
		first.Place != "queued" || first.Expires == nil || first.Due != nil || first.Source == "" || first.Type == "" {
		t.Errorf("got %+v", first)
	}
	if last := events[3]; last.Place != "delayed" || last.Due == nil || time.Until(*last.Due) < time.Second {
		t.Errorf("got %+v, want an event that is not due yet", last)
	}
	topics, err := o.Topics(t.Context())
	if err != nil || len(topics) != 1 {
		t.Fatalf("got %+v, %v; want one topic", topics, err)
	}
	topic, err := o.Topic(t.Context(), "f")
	if diff := cmp.Diff(topics[0], topic); diff != "" || err != nil {
		t.Errorf("error %v (-list +one):\n%s", err, diff)
	}
	if topic.Name != "f" || topic.Target != "f" || topic.Kind != admin.KindFunction || topic.Depth != 4 || topic.Delayed != 2 || topic.Oldest == nil || topic.Last == nil || len(topic.Subscriptions) != 1 {
		t.Errorf("got %+v", topic)
	}
	if n, err := o.Purge(t.Context(), "f"); n != 4 || err != nil {
		t.Errorf("purge: got %d, %v; want 4", n, err)
	}
}

func TestOperatorIsRefused(t *testing.T) {
	o, s := openOperator(t)
	consumer, err := s.Subscribe(outbox.Subscription{Target: "served", Handle: func(context.Context, *outbox.Delivery) error { return nil }})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- consumer.Run(ctx) }()
	defer func() {
		cancel()
		<-done
	}()
	isServed := func() bool {
		topic, err := o.Topic(t.Context(), "served")
		return err == nil && topic.Subscriptions[0].Served
	}
	for end := time.Now().Add(20 * time.Second); !isServed(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("nobody serves the function")
		}
	}
	bad := published("x")
	bad.Key = strings.Repeat("k", outbox.MaxName+1)
	for name, tt := range map[string]struct {
		ask  func() error
		want error
	}{
		"publish to nothing":       {func() error { _, err := o.Publish(t.Context(), "", published("x")); return err }, admin.ErrBadRequest},
		"a key over its limit":     {func() error { _, err := o.Publish(t.Context(), "f", bad); return err }, admin.ErrBadRequest},
		"topic":                    {func() error { _, err := o.Topic(t.Context(), "none"); return err }, admin.ErrNotFound},
		"browse":                   {func() error { _, err := o.Browse(t.Context(), "none", 0, 1); return err }, admin.ErrNotFound},
		"purge":                    {func() error { _, err := o.Purge(t.Context(), "none"); return err }, admin.ErrNotFound},
		"subscription":             {func() error { _, err := o.DeleteSubscription(t.Context(), "served", "none"); return err }, admin.ErrNotFound},
		"subscription that serves": {func() error { _, err := o.DeleteSubscription(t.Context(), "served", "served"); return err }, admin.ErrConflict},
		"dead letter":              {func() error { _, err := o.DeadLetter(t.Context(), 1); return err }, admin.ErrNotFound},
	} {
		if err := tt.ask(); !errors.Is(err, tt.want) || !errors.Is(classify(err), tt.want) {
			t.Errorf("%s: got %v, want %v", name, err, tt.want)
		}
	}
}

func TestOperatorOfNoStore(t *testing.T) {
	if _, _, err := OpenStore(t.Context(), config.Empty(), slog.Default()); !errors.Is(err, admin.ErrNoStore) {
		t.Errorf("got %v, want ErrNoStore", err)
	}
	if _, err := newHost().Backend().Topics(t.Context()); !errors.Is(err, admin.ErrNoStore) {
		t.Errorf("got %v, want ErrNoStore", err)
	}
	away := &config.Config{Store: config.Store{URL: "postgres://app:geheim@127.0.0.1:1/x"}, File: filepath.Join(t.TempDir(), "fairlead.yaml")}
	_, _, err := OpenStore(t.Context(), away, slog.New(slog.DiscardHandler))
	if !errors.Is(err, admin.ErrUnavailable) || !strings.Contains(err.Error(), "refused") || strings.Contains(err.Error(), "geheim") {
		t.Errorf("got %v, want ErrUnavailable with the reason", err)
	}
	h := newHost()
	defer h.Stop(context.Background())
	if err := h.Connect(away); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := h.Backend().Topics(ctx); !errors.Is(err, admin.ErrUnavailable) {
		t.Errorf("got %v, want ErrUnavailable", err)
	}
}

func TestOperatorLooksAtDeadLetters(t *testing.T) {
	o, s := openOperator(t)
	for i := range 5 {
		if err := s.Bury(t.Context(), buried(i)); err != nil {
			t.Fatal(err)
		}
	}
	var seen []string
	for before := int64(0); ; {
		page, err := o.DeadLetters(t.Context(), admin.LetterFilter{Trigger: "in"}, before, 2)
		if err != nil || page.Total != 5 {
			t.Fatalf("got %+v, %v; want 5 in all", page, err)
		}
		for _, l := range page.Letters {
			seen = append(seen, l.EventID)
		}
		if before = page.Next; before == 0 {
			break
		}
	}
	if diff := cmp.Diff([]string{"e4", "e3", "e2", "e1", "e0"}, seen); diff != "" {
		t.Errorf("pages (-want +got):\n%s", diff)
	}
	l, err := o.DeadLetter(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	want := admin.Message{ID: "m", ContentType: "a/b", ReplyTo: "back", Data: []byte{0xff, 0}, Header: map[string]any{"n": int64(1), "nan": "NaN"}}
	if diff := cmp.Diff(&want, l.Message); diff != "" {
		t.Errorf("message (-want +got):\n%s", diff)
	}
	if l.EventID != "e0" || l.Type != "order" || l.Source != "/c/q" || l.Trigger != "in" || l.Function != "f" || l.Attempts != 2 || l.Error != "boom" || l.Stack != "goroutine 1" || !l.First.Before(l.Last) {
		t.Errorf("got %+v", l)
	}
	if n, err := o.Discard(t.Context(), admin.LetterFilter{EventID: "e1"}); n != 1 || err != nil {
		t.Errorf("discard: got %d, %v; want 1", n, err)
	}
}

// What a replay says when it is cancelled is what it has done, to the letter:
// each event is still dead, or comes to its function, once.
func TestOperatorStopsAReplay(t *testing.T) {
	o, s := openOperator(t)
	const total = 1000
	for i := range total {
		if err := s.Bury(t.Context(), buried(i)); err != nil {
			t.Fatal(err)
		}
	}
	for name, rate := range map[string]float64{"at full speed": 0, "slowly": 500} {
		left, err := s.CountDeadLetters(t.Context(), outbox.Filter{})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		n, err := o.Replay(ctx, admin.LetterFilter{}, admin.ReplayOptions{PerSecond: rate}, func(n int) {
			if n >= 100 {
				cancel()
			}
		})
		if !errors.Is(err, context.Canceled) || n < 100 || n == left {
			t.Errorf("%s: got %d of %d, %v; want a part, and context.Canceled", name, n, left, err)
		}
		if now, err := s.CountDeadLetters(t.Context(), outbox.Filter{}); now != left-n || err != nil {
			t.Errorf("%s: %d are still dead, error %v; want %d less %d", name, now, err, left, n)
		}
	}
	if _, err := o.Replay(t.Context(), admin.LetterFilter{}, admin.ReplayOptions{}, func(int) {}); err != nil {
		t.Fatal(err)
	}
	if n := runAll(t, s, total); n != total {
		t.Errorf("the function ran %d times, want %d", n, total)
	}
}

// runAll lets a function work on what was replayed for trigger "in" until nothing
// is left, and returns how often it ran.
func runAll(t *testing.T, s *outbox.Store, want int) int {
	t.Helper()
	var ran atomic.Int64
	c, err := s.Retries(outbox.Retries{Trigger: "in", Function: "f", Concurrency: 4, Retry: framework.RetryPolicy{Attempts: 1},
		Handle: func(context.Context, *outbox.Letter) error { ran.Add(1); return nil }})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	depth := func() (n int) {
		queues, err := s.ParkedRetries(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, q := range queues {
			n += q.Depth
		}
		return n
	}
	for end := time.Now().Add(time.Minute); depth() > 0 || int(ran.Load()) < want; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d of %d ran", ran.Load(), want)
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	return int(ran.Load())
}

// Who operates a store whose tables are somebody else's does not make them either.
func TestOpenStoreLeavesTheTablesAlone(t *testing.T) {
	url, migrate := services.Postgres(t), false
	cfg := &config.Config{Store: config.Store{URL: url, Migrate: &migrate}}
	_, _, err := OpenStore(t.Context(), cfg, slog.New(slog.DiscardHandler))
	if _, ok := errors.AsType[*outbox.VersionError](err); !ok {
		t.Errorf("got error %v, want one about the version of the tables", err)
	}
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	var made bool
	if err := conn.QueryRow(t.Context(), "select to_regnamespace('fairlead') is not null").Scan(&made); err != nil || made {
		t.Errorf("the schema was made: %t, %v", made, err)
	}
}
