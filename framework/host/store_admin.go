package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/fairlead/fairlead/admin"
	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/framework"
	"github.com/fairlead/fairlead/framework/config"
	"github.com/fairlead/fairlead/framework/config/stored"
	"github.com/fairlead/fairlead/outbox"
)

// A StoreOperator answers for what a store keeps, as the management API and the
// CLI ask for it.
type StoreOperator struct {
	store func(context.Context) (*outbox.Store, error)
}

var (
	_ admin.TopicStore  = StoreOperator{}
	_ admin.LetterStore = StoreOperator{}
)

// OpenStore connects to the store of a configuration, for a program that runs no
// functions; stop ends that. It tries once: the error of a store that is out of
// reach wraps [admin.ErrUnavailable], and that of a configuration that does not
// say where its store is, [admin.ErrNoStore].
func OpenStore(ctx context.Context, cfg *config.Config, log *slog.Logger) (_ StoreOperator, stop func(), _ error) {
	if cfg.Store.URL == "" {
		return StoreOperator{}, nil, fmt.Errorf("%w: the configuration has no store.url", admin.ErrNoStore)
	}
	store, err := outbox.Open(storeConfig(cfg.Store, log))
	if err != nil {
		return StoreOperator{}, nil, err
	}
	life, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		store.Run(life) // its status says how it does, and its only end is life's
	}()
	stop = func() { cancel(); <-done }
	if err := answered(ctx, store); err != nil {
		stop()
		return StoreOperator{}, nil, classified{fmt.Errorf("open the store: %w", err), admin.ErrUnavailable}
	}
	return StoreOperator{func(context.Context) (*outbox.Store, error) { return store, nil }}, stop, nil
}

// answered returns when the store runs, or with the reason why it does not.
func answered(ctx context.Context, store *outbox.Store) error {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		switch s := store.Status(); {
		case s.State == outbox.Running:
			return nil
		case s.Err != nil:
			return s.Err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// asked returns what ask gets from the store, with an error of the classes that
// package admin tells apart.
func asked[T any](ctx context.Context, o StoreOperator, ask func(*outbox.Store) (T, error)) (v T, err error) {
	store, err := o.store(ctx)
	if err == nil {
		v, err = ask(store)
	}
	return v, classify(err)
}

// classify adds to an error of the store what class it is of.
func classify(err error) error {
	for _, c := range [...]struct{ is, class error }{
		{errNoStore, admin.ErrNoStore},
		{outbox.ErrNotFound, admin.ErrNotFound},
		{outbox.ErrServed, admin.ErrConflict},
		{stored.ErrBusy, admin.ErrConflict},
		{framework.ErrUnavailable, admin.ErrUnavailable},
	} {
		if errors.Is(err, c.is) {
			return classified{err, c.class}
		}
	}
	if framework.IsTerminal(err) {
		return classified{err, admin.ErrBadRequest}
	}
	return err
}

// A classified error is also of a class, and says so in no more words.
type classified struct{ error, class error }

func (c classified) Error() string   { return c.error.Error() }
func (c classified) Unwrap() []error { return []error{c.error, c.class} }

// Publish implements [admin.TopicStore].
func (o StoreOperator) Publish(ctx context.Context, target string, p admin.Publication) (string, error) {
	if err := p.Check(); err != nil {
		return "", err
	}
	options := framework.PublishOptions{Header: p.Header, ID: p.ID, Key: p.Key, Priority: p.Priority, TTL: time.Duration(p.TTL)}
	switch {
	case p.At != nil:
		options.At = *p.At
	case p.After != 0:
		options.At = time.Now().Add(time.Duration(p.After))
	}
	return asked(ctx, o, func(s *outbox.Store) (string, error) { return s.Publish(ctx, target, plainEvent(p.Message), options) })
}

// Topics implements [admin.TopicStore].
func (o StoreOperator) Topics(ctx context.Context) ([]admin.Topic, error) {
	topics, err := asked(ctx, o, func(s *outbox.Store) ([]outbox.Topic, error) { return s.Topics(ctx) })
	return each(topics, adminTopic), err
}

// Topic implements [admin.TopicStore].
func (o StoreOperator) Topic(ctx context.Context, name string) (admin.Topic, error) {
	t, err := asked(ctx, o, func(s *outbox.Store) (outbox.Topic, error) { return s.Topic(ctx, name) })
	return adminTopic(t), err
}

// Browse implements [admin.TopicStore].
func (o StoreOperator) Browse(ctx context.Context, topic string, skip, limit int) ([]admin.StoredEvent, error) {
	events, err := asked(ctx, o, func(s *outbox.Store) ([]outbox.StoredEvent, error) { return s.Browse(ctx, topic, skip, limit) })
	return each(events, adminEvent), err
}

// Purge implements [admin.TopicStore].
func (o StoreOperator) Purge(ctx context.Context, topic string) (int, error) {
	return asked(ctx, o, func(s *outbox.Store) (int, error) { return s.Purge(ctx, topic) })
}

// DeleteSubscription implements [admin.TopicStore].
func (o StoreOperator) DeleteSubscription(ctx context.Context, topic, subscription string) (int, error) {
	return asked(ctx, o, func(s *outbox.Store) (int, error) { return s.DeleteSubscription(ctx, topic, subscription) })
}

// DeadLetters implements [admin.LetterStore].
func (o StoreOperator) DeadLetters(ctx context.Context, f admin.LetterFilter, before int64, limit int) (page admin.LetterPage, err error) {
	letters, err := asked(ctx, o, func(s *outbox.Store) (letters []outbox.Letter, err error) {
		if page.Total, err = s.CountDeadLetters(ctx, outbox.Filter(f)); err != nil {
			return nil, err
		}
		return s.DeadLetters(ctx, outbox.Filter(f), before, limit+1) // one more, to know whether there are more
	})
	if len(letters) > limit {
		letters = letters[:limit]
		page.Next = letters[limit-1].ID
	}
	page.Letters = each(letters, adminLetter)
	return page, err
}

// DeadLetter implements [admin.LetterStore].
func (o StoreOperator) DeadLetter(ctx context.Context, id int64) (admin.Letter, error) {
	l, err := asked(ctx, o, func(s *outbox.Store) (outbox.Letter, error) { return s.DeadLetter(ctx, id) })
	if err != nil {
		return admin.Letter{}, err
	}
	letter := adminLetter(l)
	letter.Message = adminMessage(l.Message)
	return letter, nil
}

// Replay implements [admin.LetterStore].
func (o StoreOperator) Replay(ctx context.Context, f admin.LetterFilter, r admin.ReplayOptions, progress func(int)) (int, error) {
	if err := r.Check(); err != nil {
		return 0, err
	}
	options := outbox.ReplayOptions{PerSecond: r.PerSecond, BypassInbox: r.BypassInbox, Progress: progress}
	return asked(ctx, o, func(s *outbox.Store) (int, error) { return s.Replay(ctx, outbox.Filter(f), options) })
}

// Discard implements [admin.LetterStore].
func (o StoreOperator) Discard(ctx context.Context, f admin.LetterFilter) (int, error) {
	return asked(ctx, o, func(s *outbox.Store) (int, error) { return s.Discard(ctx, outbox.Filter(f)) })
}

// each returns what f makes of each of them.
func each[In, Out any](in []In, f func(In) Out) []Out {
	out := make([]Out, 0, len(in))
	for _, v := range in {
		out = append(out, f(v))
	}
	return out
}

func adminTopic(t outbox.Topic) admin.Topic {
	kind := admin.KindTopic
	if t.Function {
		kind = admin.KindFunction
	}
	return admin.Topic{
		Name: t.Name, Target: t.Target, Kind: kind, Depth: t.Depth, Delayed: t.Delayed,
		Oldest: known(t.Oldest), Last: known(t.Last), LastID: t.LastID, Subscriptions: each(t.Subscriptions, adminSubscription),
	}
}

func adminSubscription(s outbox.SubscriptionStatus) admin.Subscription {
	return admin.Subscription{
		Name: s.Name, Served: s.Served, Depth: s.Depth, Retrying: s.Retrying, InFlight: s.InFlight,
		Oldest: known(s.Oldest), Created: s.Created.UTC(), Error: s.Error,
	}
}

func adminEvent(e outbox.StoredEvent) admin.StoredEvent {
	out := admin.StoredEvent{
		Subscription: e.Subscription, Key: e.Key, Place: string(e.Place), Published: e.Published.UTC(),
		Due: known(e.Due), Expires: known(e.Expires), Attempts: e.Attempts, Error: e.Cause,
	}
	if e.Err != nil {
		out.Error = e.Err.Error()
	}
	if ev := e.Event; ev.Context != nil {
		out.Source, out.Type = ev.Source(), ev.Type()
		out.ID, out.ContentType, out.Header = ev.ID(), ev.DataContentType(), presentable(ev.Extensions())
	}
	out.SetBody(e.Event.Data())
	return out
}

func adminLetter(l outbox.Letter) admin.Letter {
	out := admin.Letter{
		ID: l.ID, Source: l.Source(), Trigger: l.Trigger, Function: l.Function, Connection: l.Connection, Destination: l.Destination,
		Key: l.Key, Attempts: l.Attempts, Error: l.Cause, Stack: l.Stack, First: l.First.UTC(), Last: l.Last.UTC(), Died: l.Died.UTC(),
	}
	if l.Event.Context != nil {
		out.EventID, out.Type = l.Event.ID(), l.Event.Type()
	}
	return out
}

func adminMessage(m connections.Message) *admin.Message {
	out := &admin.Message{
		ID: idText(m.ID), ContentType: m.ContentType, CorrelationID: idText(m.CorrelationID), ReplyTo: m.ReplyTo, Header: presentable(m.Header),
	}
	out.SetBody(m.Body)
	return out
}

// presentable returns headers that JSON can hold: a value that it cannot becomes text.
func presentable(header map[string]any) map[string]any {
	if len(header) == 0 {
		return nil
	}
	out := make(map[string]any, len(header))
	for name, v := range header {
		if _, err := json.Marshal(v); err != nil {
			v = fmt.Sprint(v)
		}
		out[name] = v
	}
	return out
}

// known returns t, in UTC, unless it is zero.
func known(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}
