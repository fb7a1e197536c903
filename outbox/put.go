package outbox

import (
	"context"
	"fmt"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/fairlead/fairlead/framework"
)

// Publish stores an event for a function, or for every subscriber of
// "topic:NAME", and returns its id. With the ctx of [Store.Transact] it is staged
// and becomes part of that transaction; else it is stored when Publish returns.
func (s *Store) Publish(ctx context.Context, target string, ev event.Event, o framework.PublishOptions) (id string, err error) {
	p, err := newPublication(target, ev, o)
	if err != nil {
		return "", fmt.Errorf("publish to %s: %w", target, err)
	}
	if err := s.put(ctx, p); err != nil {
		return "", fmt.Errorf("publish to %s: %w", target, err)
	}
	return p.id, nil
}

// put stages p in the transaction that ctx belongs to, or stores it.
func (s *Store) put(ctx context.Context, p *publication) error {
	if sc := s.scope(ctx); sc != nil {
		return sc.stage(p)
	}
	if err := s.insert(ctx, p); err != nil {
		return err
	}
	s.consumers.wake(listening(p.kind, p.topic))
	return nil
}

// insert stores p in a transaction of its own. While the store is out of reach
// it waits as long as ctx lasts. When a connection is lost after the statement
// was sent, nobody knows whether it was stored, and the caller is told.
func (s *Store) insert(ctx context.Context, p *publication) error {
	for try := 1; ; try++ {
		pool, err := s.work(ctx)
		if err != nil {
			return err
		}
		err = s.insertOnce(ctx, pool, p)
		if err == nil || !neverSent(err) {
			return storeError("store the event", err)
		}
		if sleep(ctx, backOff(try)) != nil {
			return storeError("store the event", err)
		}
	}
}

// insertOnce bounds one try, because a connection that was cut off would leave it
// without an answer for as long as ctx lasts.
func (s *Store) insertOnce(ctx context.Context, pool *pgxpool.Pool, p *publication) error {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	conn, err := pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	return p.store(ctx, pgxQuerier{conn}, s.cfg.Schema)
}
