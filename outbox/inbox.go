package outbox

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// Received is the identity of an event, by which the inbox knows it: what
// triggered its function, its source and its id. Data tells events apart whose
// sender has used an id twice.
type Received struct {
	Trigger string
	Source  string
	ID      string
	Data    []byte

	// Unstable says that the id is random, and the event will have another one when
	// it is delivered again: there is no use in remembering it.
	Unstable bool

	// Replayed says that it shall run although the inbox may remember it.
	Replayed bool
}

// key returns the identity as the tables have it. What is too long for an
// index, or no text, is replaced by its hash.
func (r *Received) key() (trigger, source, id string, hash []byte) {
	sum := sha256.Sum256(r.Data)
	return keyText(r.Trigger, MaxName), keyText(r.Source, MaxSource), keyText(r.ID, 2*MaxName), sum[:16]
}

func keyText(s string, longest int) string {
	if len(s) <= longest && storable(s) {
		return s
	}
	sum := sha256.Sum256([]byte(s))
	return "sha256:" + hex.EncodeToString(sum[:])
}

const (
	rememberSQL = `insert into {schema}.inbox (trigger, source, event_id, body_hash) values ($1, $2, $3, $4)
on conflict do nothing returning exists (
	select from {schema}.inbox where trigger = $1 and source = $2 and event_id = $3 and body_hash <> $4)`
	rememberAgainSQL = `insert into {schema}.inbox (trigger, source, event_id, body_hash) values ($1, $2, $3, $4)
on conflict (trigger, source, event_id, body_hash) do update set at = now() returning false`
	seenSQL = `select exists (select from {schema}.inbox
	where trigger = $1 and source = $2 and event_id = $3 and body_hash = $4)`
)

// remember writes the inbox row in tx and reports whether the event is fresh. It
// waits for another transaction that works on the same event right now.
func (s *Store) remember(ctx context.Context, tx pgx.Tx, r Received) (fresh bool, err error) {
	if r.Unstable {
		return true, nil
	}
	sql := rememberSQL
	if r.Replayed {
		sql = rememberAgainSQL
	}
	trigger, source, id, hash := r.key()
	var reused bool
	err = tx.QueryRow(ctx, s.sql(sql), trigger, source, id, hash).Scan(&reused)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("inbox: %w", err)
	case reused:
		s.log.WarnContext(ctx, "two events with different data have the same id; both are worked on",
			"trigger", r.Trigger, "source", r.Source, "id", r.ID)
	}
	return true, nil
}

// Seen reports whether the effects of an event are committed.
func (s *Store) Seen(ctx context.Context, r Received) (seen bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	trigger, source, id, hash := r.key()
	pool, err := s.work(ctx)
	if err == nil {
		err = pool.QueryRow(ctx, s.sql(seenSQL), trigger, source, id, hash).Scan(&seen)
	}
	return seen, storeError("look into the inbox", err)
}
