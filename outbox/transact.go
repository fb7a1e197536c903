package outbox

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/fairlead/fairlead/framework"
)

// Transact runs work in a transaction and commits what it did with tx, what was
// published and staged with its ctx, and the memory of the event together. It
// reports whether work ran: false and nil mean that the event was done before.
//
// The tx refuses Commit and Rollback; an error of work rolls back. Where ctx
// belongs to a transaction already, work runs in a savepoint of that one, the
// event is not remembered apart, and an error undoes what work did and staged.
//
// An error wraps [framework.ErrUnavailable] if the store is to blame, even if
// work returned another one after its connection was lost. A statement that work
// cut off, by a ctx of its own, is not the store's fault, nor is that work took
// longer than ctx: that is an error which wraps [context.DeadlineExceeded]. Whether a commit that
// lost its connection took place shows when the event comes again.
func (s *Store) Transact(ctx context.Context, r Received, work func(context.Context, pgx.Tx) error) (ran bool, err error) {
	if outer := s.scope(ctx); outer != nil {
		return true, s.unlessLate(ctx, outer.transact(ctx, work))
	}
	pool, err := s.work(ctx)
	if err != nil {
		return false, err
	}
	tx, err := pool.Begin(ctx)
	if err != nil {
		return false, storeError("begin transaction", err)
	}
	defer rollback(ctx, tx)
	fresh, err := s.remember(ctx, tx, r)
	if err != nil || !fresh {
		return false, storeError("transaction", err)
	}
	sc := &scope{store: s, tx: tx, received: r, sends: new(atomic.Int64)}
	return true, s.unlessLate(ctx, sc.run(ctx, work))
}

// run calls work and commits.
func (sc *scope) run(ctx context.Context, work func(context.Context, pgx.Tx) error) error {
	defer sc.end()
	err := work(context.WithValue(ctx, scopeKey{}, sc), guardedTx{sc.tx})
	staged := sc.end()
	if err == nil && sc.tx.Conn().IsClosed() {
		err = errClosed
	}
	if err != nil {
		return sc.blame(err)
	}
	if sc.tx.Conn().PgConn().TxStatus() == 'I' {
		return framework.Terminal(errors.New("the function ended the transaction that it was given; what it published and sent with it is not stored"))
	}
	if err := sc.commit(ctx, staged); err != nil {
		return err
	}
	sc.wake(staged)
	return nil
}

// commit writes what was staged and commits. Work may take its time, this may not.
func (sc *scope) commit(ctx context.Context, staged []*publication) error {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	if err := sc.flush(ctx, staged); err != nil {
		return storeError("store what was published and sent", err)
	}
	return storeError("commit", sc.tx.Commit(ctx))
}

var errClosed = errors.New("the connection of the transaction is closed, because a statement failed or its ctx ended")

// blame marks an error of work if the connection was lost under it. While the
// store is well, one that a ctx of work's own has cut off does not count: else
// an event whose statements are too slow would be tried for ever.
func (sc *scope) blame(err error) error {
	if errors.Is(err, framework.ErrUnavailable) {
		return err
	}
	conn := sc.tx.Conn()
	if conn.IsClosed() && !(wasCutOff(conn) && sc.store.Status().State == Running) {
		return fmt.Errorf("store %w: the connection was lost: %w", framework.ErrUnavailable, err)
	}
	return err
}

// wake tells the consumers of this process about what was committed.
func (sc *scope) wake(staged []*publication) {
	for _, p := range staged {
		sc.store.consumers.wake(listening(p.kind, p.topic))
	}
}

// transact runs work in a savepoint. Nested transactions take turns.
func (sc *scope) transact(ctx context.Context, work func(context.Context, pgx.Tx) error) error {
	sc.nested.Lock()
	defer sc.nested.Unlock()
	sp, err := sc.tx.Begin(ctx)
	if err != nil {
		return storeError("savepoint", err)
	}
	defer rollback(ctx, sp)
	inner := &scope{store: sc.store, tx: sp, received: sc.received, sends: sc.sends}
	defer inner.end()
	if err := work(context.WithValue(ctx, scopeKey{}, inner), guardedTx{sp}); err != nil {
		return inner.blame(err)
	}
	if err := sp.Commit(ctx); err != nil {
		return storeError("release savepoint", err)
	}
	for _, p := range inner.end() {
		if err := sc.stage(p); err != nil {
			return err
		}
	}
	return nil
}

// rollback ends a transaction that was not committed, even if ctx is over.
func rollback(ctx context.Context, tx pgx.Tx) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	tx.Rollback(ctx) // of a committed one, or on a lost connection: nothing to do
}
