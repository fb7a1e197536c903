package outbox

import (
	"context"
	"testing"
	"time"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/framework"
	"github.com/fairlead/fairlead/test/services"
)

// The time to live of a staged message counts from when it was staged: what is
// relayed late has less of it, and what is too late is a dead letter.
func TestStagedMessagesExpire(t *testing.T) {
	t.Parallel()
	url := services.Postgres(t)
	s, pool := start(t, url), connect(t, url)
	for id, ttl := range map[string]time.Duration{"short": 20 * time.Millisecond, "long": time.Hour} {
		send := Send{Binding: "late", Message: connections.Message{Body: []byte(id), TTL: ttl}}
		if err := s.StageSend(t.Context(), send); err != nil {
			t.Fatal(err)
		}
	}
	await(t, "the short one has expired", func() bool {
		return one[int](t, pool, `select count(*) from fairlead.delivery where expires_at <= clock_timestamp()`)+
			one[int](t, pool, `select count(*) from fairlead.dead`) == 1
	})
	sent := make(chan StagedSend, 10)
	r, err := s.Relay(Relay{Binding: "late", Grace: time.Second, Retry: DefaultRetry(), Send: func(_ context.Context, batch []StagedSend) []error {
		for _, m := range batch {
			sent <- m
		}
		return make([]error, len(batch))
	}})
	if err != nil {
		t.Fatal(err)
	}
	background(t, r.Run)
	if m := receive(t, sent); string(m.Message.Body) != "long" || m.Message.TTL >= time.Hour || m.Message.TTL < time.Minute {
		t.Errorf("got %s with %v left, want the long one with less than an hour", m.Message.Body, m.Message.TTL)
	}
	await(t, "the other one is a dead letter", func() bool {
		n, err := s.CountDeadLetters(t.Context(), Filter{Trigger: "late", Cause: "expired"})
		return err == nil && n == 1
	})
	letters, err := s.DeadLetters(t.Context(), Filter{}, 0, 10)
	if err != nil || len(letters) != 1 || letters[0].Attempts != 0 {
		t.Errorf("got %+v, %v; want one without attempts", letters, err)
	}
	if len(sent) > 0 {
		t.Errorf("%s was sent, too", (<-sent).Message.Body)
	}
}

// Where dead letters are not the store's, an event that expired while it waited is
// handed over like one that failed.
func TestExpiredEventIsBuriedElsewhere(t *testing.T) {
	t.Parallel()
	url := services.Postgres(t)
	s, pool := start(t, url), connect(t, url)
	began, goOn := make(chan string, 10), make(chan struct{})
	type letter struct {
		id, cause string
		attempt   int
	}
	buried := make(chan letter, 10)
	subscribe(t, s, Subscription{
		Target: "slow", Retry: DefaultRetry(),
		Handle: func(_ context.Context, d *Delivery) error {
			began <- d.Event.ID()
			<-goOn
			return nil
		},
		Bury: func(_ context.Context, d *Delivery, err error) error {
			buried <- letter{d.Event.ID(), err.Error(), d.Attempt}
			return nil
		},
	})
	publish := func(id string, opts ...framework.PublishOption) {
		t.Helper()
		if _, err := s.Publish(t.Context(), "slow", data(t, id), framework.NewPublishOptions(append(opts, framework.ID(id))...)); err != nil {
			t.Fatal(err)
		}
	}
	publish("first")
	receive(t, began)
	publish("second", framework.TTL(10*time.Millisecond))
	await(t, "it has expired, and the replica says whose it is", func() bool {
		return one[int](t, pool, `select count(*) from fairlead.delivery where expires_at <= clock_timestamp()`) == 1 &&
			one[int](t, pool, `select count(*) from fairlead.replica where elsewhere <> '{}'`) == 1
	})
	if err := s.expire(t.Context()); err != nil {
		t.Fatal(err)
	}
	close(goOn)
	if l := receive(t, buried); l != (letter{"second", "expired", 0}) {
		t.Errorf("got %+v, want the second one, expired, without an attempt", l)
	}
	await(t, "nothing is left", func() bool { return one[int](t, pool, `select count(*) from fairlead.delivery`) == 0 })
	if n := one[int](t, pool, `select count(*) from fairlead.dead`); n != 0 || len(began) != 0 {
		t.Errorf("got %d dead letters in the store and %d more calls, want none", n, len(began))
	}
}
