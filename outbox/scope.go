package outbox

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
)

// A scope is what a transaction of [Store.Transact] has staged: events and
// sends that are written just before the commit. A pgx.Tx is for one goroutine
// at a time, and functions may publish from several.
type scope struct {
	store    *Store
	tx       pgx.Tx
	received Received
	sends    *atomic.Int64 // staged so far, those undone included

	nested sync.Mutex // held by the nested transaction that runs

	mu     sync.Mutex
	staged []*publication
	ended  bool
}

type scopeKey struct{}

// scope returns the transaction that ctx belongs to, or nil.
func (s *Store) scope(ctx context.Context) *scope {
	if sc, ok := ctx.Value(scopeKey{}).(*scope); ok && sc.store == s {
		return sc
	}
	return nil
}

// InTransaction reports whether ctx belongs to a transaction of [Store.Transact].
func (s *Store) InTransaction(ctx context.Context) bool { return s.scope(ctx) != nil }

// WithoutTransaction returns a ctx that belongs to no transaction, for work that
// outlives it.
func WithoutTransaction(ctx context.Context) context.Context {
	return context.WithValue(ctx, scopeKey{}, nil)
}

var errScopeEnded = errors.New("the transaction that ctx belongs to has ended")

func (sc *scope) stage(p *publication) error {
	sc.mu.Lock()
	defer sc.mu.Unlock()
	if sc.ended {
		return errScopeEnded
	}
	sc.staged = append(sc.staged, p)
	return nil
}

// sendID returns an id for the next staged send. It is made of the event that is
// worked on: should that ever run again, its sends have the same ids, and a
// broker or receiver that knows them can tell.
func (sc *scope) sendID() string {
	n := sc.sends.Add(1)
	r := sc.received
	if r.Unstable || r.ID == "" {
		return rand.Text()
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %q %d", r.Trigger, r.Source, r.ID, n))
	return hex.EncodeToString(sum[:16])
}

// end closes the scope and returns what was staged.
func (sc *scope) end() []*publication {
	sc.mu.Lock()
	defer sc.mu.Unlock()
	sc.ended = true
	return sc.staged
}

// flush writes what was staged, in order, in one round trip.
func (sc *scope) flush(ctx context.Context, staged []*publication) error {
	if len(staged) == 0 {
		return nil
	}
	schema := sc.store.cfg.Schema
	stmts, db := statementsOf(schema), pgxQuerier{sc.tx}
	stored := make([]bool, len(staged))
	var b pgx.Batch
	for i, p := range staged {
		p.queue(&b, db, stmts, &stored[i])
	}
	if err := sc.tx.SendBatch(ctx, &b).Close(); err != nil {
		return err
	}
	for i, p := range staged {
		if stored[i] {
			continue
		}
		// It was published before, or nobody has used this target before: then all its
		// events are still to be written, and their order stays.
		if err := p.storeFirst(ctx, db, stmts, schema); err != nil {
			return fmt.Errorf("publish to %s: %w", p.target, err)
		}
	}
	return nil
}

// A guardedTx is the transaction as a function gets it. It can be used, and have
// savepoints, but its end is not the function's.
type guardedTx struct{ pgx.Tx }

var errGuarded = errors.New("the transaction belongs to the store: return nil to commit, or an error to roll back")

func (guardedTx) Commit(context.Context) error   { return errGuarded }
func (guardedTx) Rollback(context.Context) error { return errGuarded }
