package framework

import (
	"context"
	"fmt"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/jackc/pgx/v5"
)

// Transactional adapts a function whose effects must happen once. Its own SQL on
// tx, every [Send] and [Publish] made with its ctx, and the memory of the event
// commit together; the broker's message is settled after that. An event that is
// delivered again is recognised by its source and id, and settled without
// running the function. In is decoded as [Sink] says.
//
// The tx belongs to Fairlead: its Commit and Rollback are refused; return an
// error to roll back. It is used by one goroutine at a time. A Transactional
// function invoked by another runs in a savepoint of the same transaction; what
// is started by [InvokeAsync] is not part of it.
//
//go:noinline
func Transactional[In any](f func(context.Context, pgx.Tx, In) error) Handler {
	work := transactional(func(ctx context.Context, tx pgx.Tx, in In) (*event.Event, error) {
		return nil, f(ctx, tx, in)
	})
	return func(ctx context.Context, in event.Event) (*event.Event, error) {
		if asked(in, (*In)(nil), nil) {
			return nil, nil
		}
		return work(ctx, in)
	}
}

// TransactionalFunc is [Transactional] for a function that answers: the reply is
// staged in the same transaction. Out is as [Func] says.
//
//go:noinline
func TransactionalFunc[In, Out any](f func(context.Context, pgx.Tx, In) (Out, error)) Handler {
	work := transactional(f)
	return func(ctx context.Context, in event.Event) (*event.Event, error) {
		if asked(in, (*In)(nil), (*Out)(nil)) {
			return nil, nil
		}
		return work(ctx, in)
	}
}

func transactional[In, Out any](f func(context.Context, pgx.Tx, In) (Out, error)) Handler {
	return func(ctx context.Context, in event.Event) (*event.Event, error) {
		inv, err := running(ctx)
		if err != nil {
			return nil, fmt.Errorf("transactional function: %w", err)
		}
		out, err := inv.Runtime.Transact(ctx, in, func(ctx context.Context, tx pgx.Tx) (*event.Event, error) {
			v, err := decode[In](ctx, in)
			if err != nil {
				return nil, err
			}
			out, err := f(ctx, tx, v)
			if err != nil {
				return nil, err
			}
			return reply(out)
		})
		return out, inv.note(err)
	}
}
