package stored

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/fairlead/fairlead/outbox"
)

// A Replica is one program that shares the store.
type Replica struct {
	ID         int
	Name       string
	Started    time.Time
	Generation int64  // that it runs; 0: none yet
	Refused    string // why it does not run a newer one
}

// A Look is what a replica needs to know often.
type Look struct {
	Generation int64
	Replicas   []Replica // that live
}

// LookUp returns the generation and the replicas.
func LookUp(ctx context.Context, db *outbox.Store) (l Look, err error) {
	const what = "look at the configuration in the store"
	const sql = `select c.generation, coalesce(r.id, 0), coalesce(r.name, ''), coalesce(r.started_at, now()), coalesce(r.generation, 0), coalesce(r.refused, '')
from {schema}.config c left join {schema}.replica r on r.expires_at > now() order by r.id`
	err = db.Tx(ctx, what, pgx.TxOptions{AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, db.InSchema(sql))
		if err != nil {
			return outbox.DatabaseError(what, err)
		}
		var r Replica
		_, err = pgx.ForEachRow(rows, []any{&l.Generation, &r.ID, &r.Name, &r.Started, &r.Generation, &r.Refused}, func() error {
			if r.ID != 0 {
				l.Replicas = append(l.Replicas, r)
			}
			return nil
		})
		return outbox.DatabaseError(what, err)
	})
	return l, err
}

// Acknowledge tells the others what a replica runs. It reports nothing if the
// replica has no lease any more.
func Acknowledge(ctx context.Context, db *outbox.Store, r Replica) error {
	const what = "acknowledge the configuration"
	return db.Tx(ctx, what, pgx.TxOptions{}, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, db.InSchema(`update {schema}.replica set generation = $2, refused = $3 where id = $1`), r.ID, r.Generation, r.Refused)
		return outbox.DatabaseError(what, err)
	})
}
