package outbox

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	_ "github.com/jackc/pgx/v5/stdlib"

	"github.com/fairlead/fairlead/framework"
	"github.com/fairlead/fairlead/test/services"
)

func TestPublishCommitsWithTheCaller(t *testing.T) {
	t.Parallel()
	pool := migrated(t)
	rolledBack := errors.New("rolled back")
	err := pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error {
		if err := Publish(t.Context(), tx, "invoice.create", "lost"); err != nil {
			t.Fatal(err)
		}
		return rolledBack
	})
	if !errors.Is(err, rolledBack) {
		t.Fatal(err)
	}
	if n := one[int](t, pool, `select count(*) from fairlead.delivery`); n != 0 {
		t.Fatalf("got %d deliveries of a transaction that was rolled back, want 0", n)
	}
	inTx(t, pool, func(tx pgx.Tx) error { return Publish(t.Context(), tx, "invoice.create", "kept") })
	if got := one[string](t, pool, `select convert_from(data, 'UTF8') from fairlead.delivery`); got != "kept" {
		t.Errorf("got data %q, want kept", got)
	}
}

func TestPublishSQL(t *testing.T) {
	t.Parallel()
	url := services.Postgres(t)
	s := start(t, url)
	got := make(chan *Delivery, 2)
	subscribe(t, s, Subscription{Target: "topic:orders.created", Trigger: "on-order", Handle: func(_ context.Context, d *Delivery) error {
		got <- d
		return nil
	}})
	await(t, "the subscription is there", func() bool { _, err := s.Topic(t.Context(), "orders.created"); return err == nil })
	db, err := sql.Open("pgx", url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := PublishSQL(t.Context(), tx, "topic:orders.created", map[string]int{"order": 1},
		framework.Key("customer"), framework.ID("order-1"), framework.Header("region", "eu"), framework.TTL(time.Hour), framework.Priority(7)); err != nil {
		t.Fatal(err)
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	d := receive(t, got)
	if err := d.Event.Validate(); err != nil {
		t.Errorf("the event is not a valid CloudEvent: %v", err)
	}
	if d.Event.ID() != "order-1" || string(d.Event.Data()) != `{"order":1}` || d.Key != "customer" || d.Attempt != 1 || d.Trigger != "on-order" {
		t.Errorf("got %+v", d)
	}
	if d.Event.Extensions()["region"] != "eu" || d.Header["region"] != "eu" {
		t.Errorf("got extensions %v and header %v, want region eu in both", d.Event.Extensions(), d.Header)
	}
}

func TestPublishRefusesBadInput(t *testing.T) {
	t.Parallel()
	pool := migrated(t)
	bad := event.New()
	bad.SetID("1")
	bad.SetSource("/a")
	bad.SetType("t")
	bad.SetSubject("a\x00b")
	ctx := t.Context()
	for name, publish := range map[string]func(tx pgx.Tx) error{
		"unserialisable value": func(tx pgx.Tx) error { return Publish(ctx, tx, "f", make(chan int)) },
		"no target":            func(tx pgx.Tx) error { return Publish(ctx, tx, "", 1) },
		"no topic":             func(tx pgx.Tx) error { return Publish(ctx, tx, "topic:", 1) },
		"long target":          func(tx pgx.Tx) error { return Publish(ctx, tx, strings.Repeat("x", MaxName+1), 1) },
		"target with NUL":      func(tx pgx.Tx) error { return Publish(ctx, tx, "a\x00", 1) },
		"long key":             func(tx pgx.Tx) error { return Publish(ctx, tx, "f", 1, framework.Key(strings.Repeat("k", MaxName+1))) },
		"key of bytes":         func(tx pgx.Tx) error { return Publish(ctx, tx, "f", 1, framework.Key("\xff")) },
		"long id":              func(tx pgx.Tx) error { return Publish(ctx, tx, "f", 1, framework.ID(strings.Repeat("i", MaxName+1))) },
		"TTL in the past":      func(tx pgx.Tx) error { return Publish(ctx, tx, "f", 1, framework.TTL(-time.Second)) },
		"TTL before it is due": func(tx pgx.Tx) error {
			return Publish(ctx, tx, "f", 1, framework.TTL(time.Second), framework.After(time.Minute))
		},
		"priority 10":      func(tx pgx.Tx) error { return Publish(ctx, tx, "f", 1, framework.Priority(10)) },
		"subject with NUL": func(tx pgx.Tx) error { return Publish(ctx, tx, "f", bad) },
		"too much data":    func(tx pgx.Tx) error { return Publish(ctx, tx, "f", make([]byte, MaxPayload+1)) },
		"too much header": func(tx pgx.Tx) error {
			return Publish(ctx, tx, "f", 1, framework.Header("x", strings.Repeat("x", MaxHeader)))
		},
	} {
		inTx(t, pool, func(tx pgx.Tx) error {
			err := publish(tx)
			if !framework.IsTerminal(err) {
				t.Errorf("%s: got error %v, want a Terminal one", name, err)
			}
			var one int
			return tx.QueryRow(ctx, `select 1`).Scan(&one) // the transaction is still good
		})
	}
	if n := one[int](t, pool, `select (select count(*) from fairlead.delivery) + (select count(*) from fairlead.subscription)`); n != 0 {
		t.Errorf("got %d rows after errors alone, want 0", n)
	}
}

func TestPublishSameIDIsOnce(t *testing.T) {
	t.Parallel()
	pool := migrated(t)
	ctx := t.Context()
	ev := event.New()
	ev.SetID("e")
	ev.SetSource("/elsewhere")
	ev.SetType("t")
	for range 3 {
		inTx(t, pool, func(tx pgx.Tx) error {
			return errors.Join(
				Publish(ctx, tx, "f", 1, framework.ID("a")),
				Publish(ctx, tx, "f", 1, framework.ID("b")),
				Publish(ctx, tx, "g", 1, framework.ID("a")),
				Publish(ctx, tx, "topic:f", 1, framework.ID("a")),
				Publish(ctx, tx, "f", ev),
				Publish(ctx, tx, "delayed", 1, framework.ID("a"), framework.After(time.Hour)),
			)
		})
	}
	got := one[string](t, pool, `select string_agg(kind || ' ' || topic || ' ' || event_id, ', ' order by kind, topic, event_id)
		from fairlead.delivery d join fairlead.subscription s on s.id = d.queue`)
	want := "function f a, function f b, function f e, function g a, topic f a"
	if got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if n := one[int](t, pool, `select count(*) from fairlead.delayed`); n != 1 {
		t.Errorf("got %d delayed events, want 1", n)
	}
}

// Two transactions that publish the same id at once: the second waits for the
// first, and stores the event only if that one rolled back.
func TestPublishSameIDAtOnce(t *testing.T) {
	t.Parallel()
	pool := migrated(t)
	ctx := t.Context()
	for _, commit := range []bool{true, false} {
		target := fmt.Sprint("commit.", commit)
		first, err := pool.Begin(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if err := Publish(ctx, first, target, 1, framework.ID("a")); err != nil {
			t.Fatal(err)
		}
		second := make(chan error)
		go func() {
			second <- pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error { return Publish(ctx, tx, target, 1, framework.ID("a")) })
		}()
		await(t, "the second waits", func() bool {
			return one[int](t, pool, `select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`) == 1
		})
		if commit {
			err = first.Commit(ctx)
		} else {
			err = first.Rollback(ctx)
		}
		if err := errors.Join(err, receive(t, second)); err != nil {
			t.Fatal(err)
		}
		if n := one[int](t, pool, `select count(*) from fairlead.delivery where queue = $1`, firstQueue(kindFunction, target)); n != 1 {
			t.Errorf("first commits = %v: got %d deliveries, want 1", commit, n)
		}
	}
}

func TestPayloadIsStoredOnce(t *testing.T) {
	t.Parallel()
	s := start(t, services.Postgres(t))
	pool, err := s.work(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"one", "two", "three"} {
		if _, err := s.subscription(t.Context(), kindTopic, "prices", name); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Publish(t.Context(), "topic:prices", data(t, "gold"), framework.PublishOptions{}); err != nil {
		t.Fatal(err)
	}
	type counts struct{ Deliveries, Inline, Payloads int }
	count := func() (c counts) {
		err := pool.QueryRow(t.Context(), `select count(*), count(data), (select count(*) from fairlead.payload) from fairlead.delivery`).
			Scan(&c.Deliveries, &c.Inline, &c.Payloads)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	if diff := cmp.Diff(counts{3, 0, 1}, count()); diff != "" {
		t.Fatalf("an event for three subscriptions (-want +got):\n%s", diff)
	}
	got := make(chan string, 3)
	for _, name := range []string{"one", "two", "three"} {
		subscribe(t, s, Subscription{Target: "topic:prices", Trigger: name, Handle: func(_ context.Context, d *Delivery) error {
			got <- d.Trigger + " " + string(d.Event.Data())
			return nil
		}})
	}
	seen := map[string]bool{receive(t, got): true, receive(t, got): true, receive(t, got): true}
	if want := map[string]bool{"one gold": true, "two gold": true, "three gold": true}; !cmp.Equal(seen, want) {
		t.Errorf("got %v, want %v", seen, want)
	}
	await(t, "the rows are gone", func() bool { return count().Deliveries == 0 })
	if n := count().Payloads; n > 1 {
		t.Errorf("got %d payloads", n)
	}
}

// What is published to a topic before anyone subscribed is for the first who does.
func TestTopicKeepsEventsForItsFirstSubscriber(t *testing.T) {
	t.Parallel()
	s := start(t, services.Postgres(t))
	if _, err := s.Publish(t.Context(), "topic:early", data(t, "bird"), framework.PublishOptions{}); err != nil {
		t.Fatal(err)
	}
	first, second := make(chan string, 2), make(chan string, 2)
	stop := subscribe(t, s, Subscription{Target: "topic:early", Trigger: "first", Handle: func(_ context.Context, d *Delivery) error {
		first <- string(d.Event.Data())
		return nil
	}})
	if got := receive(t, first); got != "bird" {
		t.Errorf("first subscriber got %q, want bird", got)
	}
	subscribe(t, s, Subscription{Target: "topic:early", Trigger: "second", Handle: func(_ context.Context, d *Delivery) error {
		second <- string(d.Event.Data())
		return nil
	}})
	await(t, "the second subscription is there", func() bool {
		topic, err := s.Topic(t.Context(), "topic:early")
		return err == nil && len(topic.Subscriptions) == 2
	})
	stop()
	if _, err := s.Publish(t.Context(), "topic:early", data(t, "worm"), framework.PublishOptions{}); err != nil {
		t.Fatal(err)
	}
	if got := receive(t, second); got != "worm" {
		t.Errorf("second subscriber got %q, want worm", got)
	}
	topic, err := s.Topic(t.Context(), "topic:early")
	if err != nil {
		t.Fatal(err)
	}
	if topic.Depth != 1 { // for the first, which is stopped
		t.Errorf("got %+v, want depth 1", topic)
	}
}

func TestDelayAndExpiry(t *testing.T) {
	t.Parallel()
	url := services.Postgres(t)
	s := start(t, url)
	published := time.Now()
	for _, o := range []framework.PublishOptions{
		framework.NewPublishOptions(framework.ID("later"), framework.After(400*time.Millisecond)),
		framework.NewPublishOptions(framework.ID("past"), framework.At(published.Add(-time.Hour))),
		framework.NewPublishOptions(framework.ID("short"), framework.TTL(50*time.Millisecond)),
		framework.NewPublishOptions(framework.ID("long"), framework.TTL(time.Hour)),
	} {
		if _, err := s.Publish(t.Context(), "timed", data(t, o.ID), o); err != nil {
			t.Fatal(err)
		}
	}
	<-time.After(100 * time.Millisecond)
	type arrival struct {
		id    string
		after time.Duration
	}
	got := make(chan arrival, 10)
	subscribe(t, s, Subscription{Target: "timed", Handle: func(_ context.Context, d *Delivery) error {
		got <- arrival{d.Event.ID(), time.Since(published)}
		return nil
	}})
	seen := map[string]time.Duration{}
	for range 3 {
		a := receive(t, got)
		seen[a.id] = a.after
	}
	if seen["later"] < 400*time.Millisecond {
		t.Errorf("an event with After(400ms) came after %v", seen["later"])
	}
	if len(seen) != 3 || seen["past"] == 0 || seen["long"] == 0 {
		t.Errorf("got %v, want past, long and later", seen)
	}
	letters, err := s.DeadLetters(t.Context(), Filter{}, 0, 10)
	if err != nil {
		t.Fatal(err)
	}
	if len(letters) != 1 || letters[0].Event.ID() != "short" || letters[0].Cause != "expired" || letters[0].Attempts != 0 {
		t.Errorf("got dead letters %+v, want the one that expired", letters)
	}
}

// An event for a function that nobody serves expires, too.
func TestExpiryWithoutConsumer(t *testing.T) {
	t.Parallel()
	s := start(t, services.Postgres(t))
	if _, err := s.Publish(t.Context(), "nobody", data(t, "x"), framework.NewPublishOptions(framework.TTL(time.Millisecond))); err != nil {
		t.Fatal(err)
	}
	var letters []Letter
	await(t, "it is a dead letter", func() bool {
		var err error
		if letters, err = s.DeadLetters(t.Context(), Filter{Cause: "EXPIRED"}, 0, 10); err != nil {
			t.Fatal(err)
		}
		return len(letters) == 1
	})
	if l := letters[0]; l.Function != "nobody" || l.Source() != "nobody" {
		t.Errorf("got %+v", l)
	}
}

func TestPriorityGoesFirst(t *testing.T) {
	t.Parallel()
	s := start(t, services.Postgres(t))
	for p := range 10 {
		o := framework.NewPublishOptions(framework.Priority(p))
		if _, err := s.Publish(t.Context(), "urgent", data(t, fmt.Sprint(p)), o); err != nil {
			t.Fatal(err)
		}
	}
	got := make(chan string, 10)
	subscribe(t, s, Subscription{Target: "urgent", Handle: func(_ context.Context, d *Delivery) error {
		got <- string(d.Event.Data())
		return nil
	}})
	var order []string
	for range 10 {
		order = append(order, receive(t, got))
	}
	if want := "9876543210"; strings.Join(order, "") != want {
		t.Errorf("got %v, want %s", order, want)
	}
}

// data returns v as the event that framework.Publish makes of it.
func data(t testing.TB, v any) event.Event {
	t.Helper()
	ev, err := framework.Data(v)
	if err != nil {
		t.Fatal(err)
	}
	return ev
}
