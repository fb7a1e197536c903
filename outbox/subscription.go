package outbox

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"

	"github.com/jackc/pgx/v5"
)

// queueID is the id of a subscription. It follows from the names, so that an
// event can be stored for a subscription that cannot be seen yet.
func queueID(kind, topic, name string) int64 {
	b := make([]byte, 0, 128)
	for i, s := range [...]string{kind, topic, name} {
		if i > 0 {
			b = append(b, ' ')
		}
		b = strconv.AppendQuote(b, s)
	}
	sum := sha256.Sum256(b)
	return int64(binary.BigEndian.Uint64(sum[:]))
}

// firstQueue is the id of a target's first, or only, subscription. What was
// published to a topic before anyone subscribed is in it.
func firstQueue(kind, topic string) int64 { return queueID(kind, topic, firstName(kind, topic)) }

// firstName is the name of the subscription that the first event for a target makes.
func firstName(kind, topic string) string {
	if kind == kindTopic {
		return ""
	}
	return topic
}

const (
	// A transaction may stay open for long after it has made a subscription. Whoever
	// makes one holds a lock, and nobody waits for it.
	ensureSQL = `insert into {schema}.subscription (kind, topic, name, id)
select $1, $2, $3, $4 where pg_try_advisory_xact_lock($5::bigint)
and not exists (select from {schema}.subscription where kind = $1 and topic = $2)
on conflict do nothing returning id`

	noteNameSQL = `insert into {schema}.newcomer (kind, topic)
select $1, $2 where not exists (select from {schema}.newcomer where kind = $1 and topic = $2) returning 1`
)

// ensure makes the first subscription of a target, unless there is one, or
// another transaction is just making it.
func ensure(ctx context.Context, db querier, s *statements, schema, kind, topic string) error {
	var id int64
	lock := queueID("lock "+schemaName(schema), kind, topic)
	err := db.queryRow(ctx, s.ensure, []any{kind, topic, firstName(kind, topic), firstQueue(kind, topic), lock}, &id)
	if err != nil && !nothing(err) {
		return fmt.Errorf("make subscription: %w", err)
	}
	return nil
}

// note remembers that a target was used whose subscription cannot be seen: should
// the transaction that makes it roll back, the store makes it.
func note(ctx context.Context, db querier, s *statements, kind, topic string) error {
	var one int
	if err := db.queryRow(ctx, s.note, []any{kind, topic}, &one); err != nil && !nothing(err) {
		return fmt.Errorf("note target: %w", err)
	}
	return nil
}

// nothing reports whether err says that a query returned no row.
func nothing(err error) bool { return errors.Is(err, pgx.ErrNoRows) || errors.Is(err, sql.ErrNoRows) }

// subscription returns the id of a subscription, which it makes if need be.
func (s *Store) subscription(ctx context.Context, kind, topic, name string) (id int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	pool, err := s.own(ctx)
	if err != nil {
		return 0, err
	}
	if kind == kindTopic {
		err = pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) (err error) {
			id, err = s.join(ctx, tx, topic, name)
			return err
		})
	} else {
		id, err = firstQueue(kind, topic), s.serve(ctx, pool, kind, topic)
	}
	return id, storeError("subscribe to "+topic, err)
}

// serve makes the subscription of a function, a trigger or a binding, or notes
// that it is to be made.
func (s *Store) serve(ctx context.Context, db pgxDB, kind, topic string) error {
	q, stmts := pgxQuerier{db}, statementsOf(s.cfg.Schema)
	if err := ensure(ctx, q, stmts, s.cfg.Schema, kind, topic); err != nil {
		return err
	}
	var there bool
	err := db.QueryRow(ctx, s.sql(`select exists (select from {schema}.subscription where kind = $1 and topic = $2)`), kind, topic).Scan(&there)
	if err != nil || there {
		return err
	}
	return note(ctx, q, stmts, kind, topic)
}

const (
	joinLockSQL = `select pg_advisory_xact_lock($1::bigint)`
	findSQL     = `select id, name = $2 from {schema}.subscription where kind = 'topic' and topic = $1 and name <> ''
order by name = $2 desc limit 1`
	joinSQL = `insert into {schema}.subscription (kind, topic, name, id) values ('topic', $1, $2, $3)`

	// The first subscriber takes the place of nobody.
	nobodySQL = `delete from {schema}.subscription where kind = 'topic' and topic = $1 and name = ''`
)

// join returns the id of a subscription of a topic. Those who join take turns.
func (s *Store) join(ctx context.Context, tx pgx.Tx, topic, name string) (id int64, err error) {
	if _, err := tx.Exec(ctx, joinLockSQL, queueID("join "+schemaName(s.cfg.Schema), kindTopic, topic)); err != nil {
		return 0, err
	}
	var mine bool
	err = tx.QueryRow(ctx, s.sql(findSQL), topic, name).Scan(&id, &mine)
	switch {
	case err == nil && mine:
		return id, nil
	case err == nil:
		id = queueID(kindTopic, topic, name)
	case nothing(err):
		id = firstQueue(kindTopic, topic)
		if _, err := tx.Exec(ctx, s.sql(nobodySQL), topic); err != nil {
			return 0, err
		}
	default:
		return 0, err
	}
	_, err = tx.Exec(ctx, s.sql(joinSQL), topic, name, id)
	return id, err
}

// welcome makes the subscriptions of newcomers whose maker rolled back, and
// removes the subscription of nobody where somebody has joined meanwhile.
func (s *Store) welcome(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	pool, err := s.own(ctx)
	if err != nil {
		return err
	}
	rows, err := pool.Query(ctx, s.sql(`select distinct kind, topic from {schema}.newcomer limit 100`))
	if err != nil {
		return err
	}
	targets, err := pgx.CollectRows(rows, scanTarget)
	if err != nil {
		return err
	}
	for _, t := range targets {
		if err := ensure(ctx, pgxQuerier{pool}, statementsOf(s.cfg.Schema), s.cfg.Schema, t.kind, t.topic); err != nil {
			return err
		}
		if _, err := pool.Exec(ctx, s.sql(welcomeSQL), t.kind, t.topic); err != nil {
			return err
		}
	}
	_, err = pool.Exec(ctx, s.sql(`delete from {schema}.subscription n where n.kind = 'topic' and n.name = '' and exists (
		select from {schema}.subscription s where s.kind = 'topic' and s.topic = n.topic and s.id = n.id and s.name <> '')`))
	return err
}

const welcomeSQL = `delete from {schema}.newcomer where kind = $1 and topic = $2
and exists (select from {schema}.subscription where kind = $1 and topic = $2)`

func scanTarget(row pgx.CollectableRow) (t target, err error) {
	err = row.Scan(&t.kind, &t.topic)
	return t, err
}
