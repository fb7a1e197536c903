package outbox

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/fairlead/fairlead/framework"
	"github.com/fairlead/fairlead/test/services"
)

func TestTopicsToLookAt(t *testing.T) {
	t.Parallel()
	s := start(t, services.Postgres(t))
	ctx := t.Context()
	publish := func(target, id string, opts ...framework.PublishOption) {
		t.Helper()
		opts = append(opts, framework.ID(id))
		if _, err := s.Publish(ctx, target, data(t, "data of "+id), framework.NewPublishOptions(opts...)); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"fast", "slow"} {
		if _, err := s.subscription(ctx, kindTopic, "prices", name); err != nil {
			t.Fatal(err)
		}
	}
	publish("topic:prices", "p1")
	publish("topic:prices", "p2", framework.Key("gold"))
	publish("topic:prices", "p3", framework.After(time.Hour))
	publish("topic:unheard", "u1")
	publish("nobody.serves", "n1")
	publish("failing", "f1")
	publish("failing", "f2", framework.Key("k"))
	publish("failing", "f3", framework.Key("k"))
	stop := subscribe(t, s, Subscription{Target: "topic:prices", Trigger: "fast", Handle: func(context.Context, *Delivery) error { return nil }})
	stopFailing := subscribe(t, s, Subscription{
		Target: "failing", Retry: framework.RetryPolicy{First: time.Hour, Max: time.Hour},
		Handle: func(context.Context, *Delivery) error { return errors.New("no") },
	})
	var topics []Topic
	await(t, "things have settled", func() bool {
		var err error
		if topics, err = s.Topics(ctx); err != nil {
			t.Fatal(err)
		}
		return len(topics) == 4 && topics[0].Subscriptions[0].Retrying == 3 && topics[2].Subscriptions[0].Depth == 0 &&
			topics[2].Subscriptions[0].Served && topics[0].Subscriptions[0].Served
	})
	want := []Topic{
		{Name: "failing", Target: "failing", Function: true, Depth: 3, LastID: "f3", Subscriptions: []SubscriptionStatus{
			{Name: "failing", Served: true, Depth: 3, Retrying: 3, Error: "no"}}},
		{Name: "nobody.serves", Target: "nobody.serves", Function: true, Depth: 1, LastID: "n1", Subscriptions: []SubscriptionStatus{
			{Name: "nobody.serves", Depth: 1}}},
		{Name: "prices", Target: "topic:prices", Depth: 3, Delayed: 1, LastID: "p2", Subscriptions: []SubscriptionStatus{
			{Name: "fast", Served: true}, {Name: "slow", Depth: 2}}},
		{Name: "unheard", Target: "topic:unheard", Depth: 1, LastID: "u1", Subscriptions: []SubscriptionStatus{{Depth: 1}}},
	}
	times := cmpopts.IgnoreTypes(time.Time{})
	if diff := cmp.Diff(want, topics, times, cmpopts.IgnoreFields(Topic{}, "LastID")); diff != "" {
		t.Errorf("topics (-want +got):\n%s", diff)
	}
	for i, topic := range topics {
		if topic.Oldest.IsZero() || time.Since(topic.Oldest) > time.Minute {
			t.Errorf("%s: oldest is %v", topic.Name, topic.Oldest)
		}
		if i > 0 && topic.LastID != want[i].LastID {
			t.Errorf("%s: got last id %s, want %s", topic.Name, topic.LastID, want[i].LastID)
		}
	}

	events, err := s.Browse(ctx, "topic:prices", 0, 10)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range events {
		got = append(got, fmt.Sprint(e.Place, " ", e.Subscription, " ", e.Event.ID(), " ", string(e.Event.Data()), " ", e.Key))
	}
	if diff := cmp.Diff([]string{"queued slow p1 data of p1 ", "queued slow p2 data of p2 gold", "delayed  p3 data of p3 "}, got); diff != "" {
		t.Errorf("browse prices (-want +got):\n%s", diff)
	}
	events, err = s.Browse(ctx, "failing", 0, 10)
	if err != nil || len(events) != 3 {
		t.Fatal(err, len(events))
	}
	places := map[Place]int{}
	for _, e := range events {
		places[e.Place]++
		if e.Place == Retrying && (e.Attempts != 1 || e.Cause != "no" || time.Until(e.Due) < 30*time.Minute) {
			t.Errorf("got %+v", e)
		}
	}
	if places[Retrying] != 2 || places[Behind] != 1 {
		t.Errorf("got places %v, want 2 retrying and 1 behind", places)
	}
	if events, err := s.Browse(ctx, "failing", 2, 10); err != nil || len(events) != 1 {
		t.Errorf("browse with skip 2: got %d, %v; want 1", len(events), err)
	}
	if _, err := s.Browse(ctx, "no such", 0, 1); !errors.Is(err, ErrNotFound) {
		t.Errorf("got error %v, want ErrNotFound", err)
	}
	if topic, err := s.Topic(ctx, "unheard"); err != nil || topic.Target != "topic:unheard" {
		t.Errorf("got %+v, %v", topic, err)
	}

	if _, err := s.DeleteSubscription(ctx, "failing", "failing"); !errors.Is(err, ErrServed) {
		t.Errorf("got error %v, want ErrServed", err)
	}
	stop()
	stopFailing()
	if n, err := s.Purge(ctx, "failing"); n != 3 || err != nil {
		t.Errorf("purge: got %d, %v; want 3", n, err)
	}
	if n, err := s.DeleteSubscription(ctx, "topic:prices", "slow"); n != 2 || err != nil {
		t.Errorf("delete subscription: got %d, %v; want 2", n, err)
	}
	if n, err := s.Purge(ctx, "prices"); n != 1 || err != nil {
		t.Errorf("purge: got %d, %v; want 1, the delayed one", n, err)
	}
}
