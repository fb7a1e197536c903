package outbox

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/fairlead/fairlead/framework"
	"github.com/fairlead/fairlead/test/services"
)

// Behind PgBouncer in transaction mode, where each transaction may have another
// session, and there are fewer of them than connections: two replicas publish, in
// transactions of their own and of functions, and deliver each event once, in the
// order of its key.
func TestPgBouncer(t *testing.T) {
	t.Parallel()
	const keys, perKey = 8, 25
	direct := services.Postgres(t)
	url := services.PgBouncer(t, direct)
	pool := connect(t, direct)
	if _, err := pool.Exec(t.Context(), `create table effect (n bigint generated always as identity, key text, event text)`); err != nil {
		t.Fatal(err)
	}
	var stores []*Store
	for range 2 {
		s, _ := startStop(t, Config{URL: url, Poll: true})
		stores = append(stores, s)
		retry := framework.RetryPolicy{First: time.Millisecond, Attempts: 10}
		subscribe(t, s, Subscription{Target: "first", Concurrency: 4, Retry: retry, Handle: func(ctx context.Context, d *Delivery) error {
			_, err := s.Transact(ctx, d.Received(), func(ctx context.Context, tx pgx.Tx) error {
				o := framework.NewPublishOptions(framework.Key(d.Key), framework.ID(d.Event.ID()))
				_, err := s.Publish(ctx, "second", d.Event, o)
				if d.Attempt == 1 && string(d.Event.Data()) == d.Key+"/7" {
					return errors.New("once more")
				}
				return err
			})
			return err
		}})
		subscribe(t, s, Subscription{Target: "second", Concurrency: 4, Retry: retry, Handle: func(ctx context.Context, d *Delivery) error {
			_, err := s.Transact(ctx, d.Received(), func(ctx context.Context, tx pgx.Tx) error {
				_, err := tx.Exec(ctx, `insert into effect (key, event) values ($1, $2)`, d.Key, string(d.Event.Data()))
				return err
			})
			return err
		}})
	}
	var publishers sync.WaitGroup
	for k := range keys {
		publishers.Go(func() {
			key := fmt.Sprint("k", k)
			for i := range perKey {
				id := fmt.Sprint(key, "/", i)
				_, err := stores[k%2].Publish(t.Context(), "first", data(t, id), framework.NewPublishOptions(framework.Key(key)))
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	publishers.Wait()
	await(t, "all events are done", func() bool {
		return one[int](t, pool, `select count(distinct event) from effect`) == keys*perKey &&
			one[int](t, pool, `select (select count(*) from fairlead.delivery) + (select count(*) from fairlead.parked)`) == 0
	})
	rows, err := pool.Query(t.Context(), `select key, array_agg(event order by n) from effect group by key order by key`)
	if err != nil {
		t.Fatal(err)
	}
	var key string
	var got []string
	n := 0
	_, err = pgx.ForEachRow(rows, []any{&key, &got}, func() error {
		n++
		for i, id := range got {
			if want := fmt.Sprint(key, "/", i); id != want {
				return fmt.Errorf("event %d of key %s: got %s, want %s, of %v", i, key, id, want, got)
			}
		}
		return nil
	})
	if err != nil || n != keys {
		t.Errorf("got %d keys, want %d: %v", n, keys, err)
	}
}
