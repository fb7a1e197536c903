package outbox

import (
	"errors"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/fairlead/fairlead/framework"
	"github.com/fairlead/fairlead/test/services"
)

// A subscription that a transaction has made itself may be rolled back: what
// comes later on the same connection must not rely on it.
func TestSeenSubscriptionsAreCommitted(t *testing.T) {
	t.Parallel()
	undone := errors.New("undone")
	publish := func(t *testing.T, tx pgx.Tx) {
		t.Helper()
		for range 3 {
			if err := Publish(t.Context(), tx, "f", "data"); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, undo := range map[string]func(t *testing.T, conn *pgx.Conn){
		"transaction rolled back": func(t *testing.T, conn *pgx.Conn) {
			err := pgx.BeginFunc(t.Context(), conn, func(tx pgx.Tx) error {
				publish(t, tx)
				return undone
			})
			if !errors.Is(err, undone) {
				t.Fatal(err)
			}
			if err := pgx.BeginFunc(t.Context(), conn, func(tx pgx.Tx) error { publish(t, tx); return nil }); err != nil {
				t.Fatal(err)
			}
		},
		"savepoint rolled back": func(t *testing.T, conn *pgx.Conn) {
			err := pgx.BeginFunc(t.Context(), conn, func(tx pgx.Tx) error {
				err := pgx.BeginFunc(t.Context(), tx, func(sp pgx.Tx) error {
					publish(t, sp)
					return undone
				})
				if !errors.Is(err, undone) {
					t.Fatal(err)
				}
				publish(t, tx)
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pool := migrated(t)
			conn, err := pool.Acquire(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Release()
			undo(t, conn.Conn())
			if n := one[int](t, pool, `select count(*) from fairlead.subscription s join fairlead.delivery d on d.queue = s.id`); n != 3 {
				t.Errorf("got %d events of a subscription that is there, want 3", n)
			}
			f := target{kindFunction, "f"}
			if seenOn(conn.Conn()).holds(statementsOf(""), f) {
				t.Error("trusted from the transaction that made it")
			}
			if err := pgx.BeginFunc(t.Context(), conn, func(tx pgx.Tx) error { publish(t, tx); return undone }); !errors.Is(err, undone) {
				t.Fatal(err)
			}
			if !seenOn(conn.Conn()).holds(statementsOf(""), f) {
				t.Error("not trusted from the next transaction, although the subscription is committed")
			}
		})
	}
}

// Events that come for a function after its subscription was deleted are there to
// see: from a transaction that was open, and from one that did not know.
func TestEventsForADeletedSubscription(t *testing.T) {
	t.Parallel()
	url := services.Postgres(t)
	s, pool := start(t, url), connect(t, url)
	depth := func(function string) int {
		topic, err := s.Topic(t.Context(), function)
		if err != nil && !errors.Is(err, ErrNotFound) {
			t.Fatal(err)
		}
		return topic.Depth
	}
	for function, publish := range map[string]func(remove func()) error{
		"open": func(remove func()) error {
			return pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error {
				defer remove()
				return Publish(t.Context(), tx, "open", "data")
			})
		},
		"trusting": func(remove func()) error {
			return pool.AcquireFunc(t.Context(), func(conn *pgxpool.Conn) error {
				in := func() error {
					return pgx.BeginFunc(t.Context(), conn, func(tx pgx.Tx) error { return Publish(t.Context(), tx, "trusting", "data") })
				}
				if err := in(); err != nil {
					return err
				}
				remove()
				return in()
			})
		},
	} {
		if _, err := s.Publish(t.Context(), function, data(t, "first"), framework.PublishOptions{}); err != nil {
			t.Fatal(err)
		}
		err := publish(func() {
			if _, err := s.DeleteSubscription(t.Context(), function, function); err != nil {
				t.Error(err)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		await(t, "the event for "+function+" is listed", func() bool { return depth(function) == 1 })
	}
}
