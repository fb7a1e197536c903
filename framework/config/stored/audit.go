package stored

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/fairlead/fairlead/outbox"
)

// An Entry is one change of one object.
type Entry struct {
	ID                              int64
	At                              time.Time
	Actor, Role, Action, Kind, Name string
	Generation                      int64
	Before, After                   string // of the object, as in a document; of secrets nothing
}

// Note writes an entry about something else than the configuration, in tx, or in
// a transaction of its own if that is nil. It takes no ID, At and Generation.
func Note(ctx context.Context, db *outbox.Store, tx pgx.Tx, e Entry) error {
	const what = "write the audit log"
	if tx == nil {
		return db.Tx(ctx, what, pgx.TxOptions{}, func(tx pgx.Tx) error { return Note(ctx, db, tx, e) })
	}
	const sql = `insert into {schema}.audit (actor, role, action, kind, name, generation, before, after)
values ($1, $2, $3, $4, $5, 0, nullif($6, ''), nullif($7, ''))`
	_, err := tx.Exec(ctx, db.InSchema(sql), e.Actor, e.Role, e.Action, e.Kind, e.Name, e.Before, e.After)
	return outbox.DatabaseError(what, err)
}

// NoteFile writes entries about what a file changed, but those that another replica
// with the same file has written already. It takes no ID and At.
func NoteFile(ctx context.Context, db *outbox.Store, entries []Entry) error {
	const what = "write the audit log"
	const sql = `insert into {schema}.audit (actor, role, action, kind, name, generation, before, after)
select $1, $2, $3, $4, $5, $6, nullif($7, ''), nullif($8, '') where not exists (
	select from (select * from {schema}.audit where kind = $4 and name = $5 order by id desc limit 1) last
	where actor = $1 and action = $3 and before is not distinct from nullif($7, '') and after is not distinct from nullif($8, ''))`
	return db.Tx(ctx, what, pgx.TxOptions{}, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, db.InSchema(`select from {schema}.config for update`)); err != nil { // one replica after the other
			return outbox.DatabaseError(what, err)
		}
		for _, e := range entries {
			if _, err := tx.Exec(ctx, db.InSchema(sql), e.Actor, e.Role, e.Action, e.Kind, e.Name, e.Generation, e.Before, e.After); err != nil {
				return outbox.DatabaseError(what, err)
			}
		}
		return nil
	})
}

// A Filter selects entries; what is empty matches all.
type Filter struct {
	Kind, Name, Action, Actor string
	Since, Until              time.Time
}

// Audit returns up to limit entries that match, newest first, with ids below
// before (0: all).
func Audit(ctx context.Context, db *outbox.Store, f Filter, before int64, limit int) (entries []Entry, err error) {
	const what = "read the audit log"
	const sql = `select id, at, actor, role, action, kind, name, generation, coalesce(before, ''), coalesce(after, '') from {schema}.audit
where ($1::bigint = 0 or id < $1) and ($2 = '' or kind = $2) and ($3 = '' or name = $3) and ($4 = '' or action = $4) and ($5 = '' or actor = $5)
	and ($6::timestamptz is null or at >= $6) and ($7::timestamptz is null or at < $7)
order by id desc limit $8`
	err = db.Tx(ctx, what, pgx.TxOptions{AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, db.InSchema(sql), before, f.Kind, f.Name, f.Action, f.Actor, known(f.Since), known(f.Until), limit)
		if err == nil {
			entries, err = pgx.CollectRows(rows, pgx.RowToStructByPos[Entry])
		}
		return outbox.DatabaseError(what, err)
	})
	return entries, err
}

func known(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
