package outbox

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/fairlead/fairlead/framework"
)

// buryLetterSQL keeps a message of a broker as a dead letter, once, and reports
// whether the trigger's subscription is there.
const buryLetterSQL = `with p as (
	delete from {schema}.parked where queue = $15::bigint and source = $2 and event_id = $3 and body_hash = $4
), d as (
	insert into {schema}.dead (kind, topic, name, trigger, source, event_id, body_hash, header, data, function, connection, destination,
		rank, attempts, error, stack, created_at, first_at, last_at)
	values ('trigger', $1, $1, $1, $2, $3, $4, $5::text::jsonb, $6, $7, $8, $9, 5, $10, $11, $12, now(),
		coalesce($13, clock_timestamp()), coalesce($14, clock_timestamp()))
	on conflict (trigger, source, event_id, body_hash) where body_hash is not null do update set
		attempts = excluded.attempts, error = excluded.error, stack = excluded.stack, last_at = excluded.last_at
) select exists (select from {schema}.subscription where kind = 'trigger' and topic = $1)`

// Bury stores a message of a broker as a dead letter. Once Bury has returned nil,
// the message is the store's: settle it. It is buried once, by trigger, source,
// id and content, however often Bury is called.
func (s *Store) Bury(ctx context.Context, l Letter) error {
	if err := l.check(); err != nil {
		return fmt.Errorf("dead letter: %w", err)
	}
	header, err := l.header()
	if err != nil {
		return fmt.Errorf("dead letter: %w", framework.Terminal(err))
	}
	trigger, source, id, hash := received(&l)
	args := []any{trigger, source, id, hash, header, body(&l),
		printable(l.Function, MaxName), printable(l.Connection, MaxName), printable(l.Destination, MaxHeader), l.Attempts,
		printable(orDefault(l.Cause, "unknown"), maxCause), textOrNull(l.Stack, maxStack), timeOrNull(l.First), timeOrNull(l.Last),
		firstQueue(kindTrigger, trigger)}
	return storeError("dead letter", s.keep(ctx, trigger, buryLetterSQL, args))
}

// A Filter selects dead letters. The zero Filter selects all; each field that is
// set narrows it.
type Filter struct {
	IDs      []int64
	Trigger  string
	Function string
	Source   string // as Letter.Source returns it
	EventID  string
	Cause    string    // a part of the cause, in any case
	Since    time.Time // died at this time or later
	Until    time.Time // died before this time
}

// where returns the filter as SQL that needs no more than the arguments. Others
// are $1 to $n.
func (f Filter) where(n int) (sql string, args []any) {
	var b strings.Builder
	b.WriteString("true")
	add := func(condition string, arg any) {
		args = append(args, arg)
		fmt.Fprintf(&b, " and "+condition, n+len(args))
	}
	if f.IDs != nil {
		add("id = any ($%d::bigint[])", f.IDs)
	}
	for _, c := range [...]struct{ condition, value string }{
		{"trigger = $%d", f.Trigger}, {"function = $%d", f.Function}, {"event_id = $%d", f.EventID},
		{"case when connection = '' then destination else '/' || connection || '/' || ltrim(destination, '/') end = $%d", f.Source},
		{"strpos(lower(error), lower($%d)) > 0", f.Cause},
	} {
		if c.value != "" {
			add(c.condition, printable(c.value, MaxHeader))
		}
	}
	if !f.Since.IsZero() {
		add("died_at >= $%d", f.Since)
	}
	if !f.Until.IsZero() {
		add("died_at < $%d", f.Until)
	}
	return b.String(), args
}

const letterColumns = `id, trigger, function, connection, destination, event_id, coalesce(key, ''), attempts, error,
	coalesce(stack, ''), first_at, last_at, died_at, header::text`

// DeadLetters returns up to limit dead letters, the newest first, without the
// bodies of their messages. before is the ID of the last one of the page before;
// 0: the first page.
func (s *Store) DeadLetters(ctx context.Context, f Filter, before int64, limit int) (letters []Letter, err error) {
	where, args := f.where(2)
	sql := `select ` + letterColumns + `, null::bytea from {schema}.dead where ($1::bigint = 0 or id < $1) and ` + where + ` order by id desc limit $2`
	err = s.ask(ctx, "list dead letters", func(ctx context.Context, db *pgxpool.Pool) error {
		rows, err := db.Query(ctx, inSchema(s.cfg.Schema, sql), append([]any{before, max(1, limit)}, args...)...)
		if err != nil {
			return err
		}
		letters, err = pgx.CollectRows(rows, scanLetter)
		return err
	})
	return letters, err
}

// DeadLetter returns one dead letter with all it has. The error of one that is
// not there wraps [ErrNotFound].
func (s *Store) DeadLetter(ctx context.Context, id int64) (l Letter, err error) {
	err = s.ask(ctx, fmt.Sprintf("dead letter %d", id), func(ctx context.Context, db *pgxpool.Pool) error {
		rows, err := db.Query(ctx, s.sql(`select `+letterColumns+`, data from {schema}.dead where id = $1`), id)
		if err != nil {
			return err
		}
		l, err = pgx.CollectExactlyOneRow(rows, scanLetter)
		return notFound(err)
	})
	return l, err
}

// CountDeadLetters returns how many dead letters f selects.
func (s *Store) CountDeadLetters(ctx context.Context, f Filter) (n int, err error) {
	where, args := f.where(0)
	err = s.ask(ctx, "count dead letters", func(ctx context.Context, db *pgxpool.Pool) error {
		return db.QueryRow(ctx, inSchema(s.cfg.Schema, `select count(*) from {schema}.dead where `+where), args...).Scan(&n)
	})
	return n, err
}

func scanLetter(rows pgx.CollectableRow) (l Letter, err error) {
	var id string
	var header, data []byte
	err = rows.Scan(&l.ID, &l.Trigger, &l.Function, &l.Connection, &l.Destination, &id, &l.Key, &l.Attempts, &l.Cause,
		&l.Stack, &l.First, &l.Last, &l.Died, &header, &data)
	if err != nil {
		return l, err
	}
	connection, destination := l.Connection, l.Destination
	if err := l.open(id, header, data); err != nil { // show what can be shown
		l.Cause += "; and the letter itself cannot be read: " + err.Error()
	}
	l.Connection, l.Destination = connection, destination
	return l, nil
}

// Discard removes the dead letters that f selects, for good, and returns how many.
func (s *Store) Discard(ctx context.Context, f Filter) (n int, err error) {
	where, args := f.where(1)
	sql := inSchema(s.cfg.Schema, `delete from {schema}.dead where id = any (array(
		select id from {schema}.dead where `+where+` order by id limit $1))`)
	return s.inBatches(ctx, "discard dead letters", func(ctx context.Context, db *pgxpool.Pool) (int64, error) {
		tag, err := db.Exec(ctx, sql, append([]any{removeAtOnce}, args...)...)
		return tag.RowsAffected(), err
	})
}

// removeAtOnce is how many rows one statement removes.
const removeAtOnce = 1000

// inBatches calls remove until it removes no more than a part of a batch, and
// returns how many it removed in all.
func (s *Store) inBatches(ctx context.Context, what string, remove func(context.Context, *pgxpool.Pool) (int64, error)) (n int, err error) {
	for {
		var removed int64
		err := s.ask(ctx, what, func(ctx context.Context, db *pgxpool.Pool) (err error) {
			removed, err = remove(ctx, db)
			return err
		})
		n += int(removed)
		if err != nil || removed < removeAtOnce {
			return n, err
		}
	}
}
