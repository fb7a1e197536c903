package outbox

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
)

// A cutOff ends a statement when its ctx does, as connections of pgx do, and
// remembers that. Such a connection is closed afterwards, and looks as if it had
// been lost.
type cutOff struct {
	pgconn.DeadlineContextWatcherHandler
	done atomic.Bool
}

// HandleCancel implements [ctxwatch.Handler].
func (c *cutOff) HandleCancel(ctx context.Context) {
	c.done.Store(true)
	c.DeadlineContextWatcherHandler.HandleCancel(ctx)
}

// cutOffKey finds a connection's cutOff in its custom data.
const cutOffKey = "fairlead cut off"

func watchCutOff(conn *pgconn.PgConn) ctxwatch.Handler {
	c := &cutOff{DeadlineContextWatcherHandler: pgconn.DeadlineContextWatcherHandler{Conn: conn.Conn()}}
	conn.CustomData()[cutOffKey] = c
	return c
}

// wasCutOff reports whether a ctx has ended a statement on conn.
func wasCutOff(conn *pgx.Conn) bool {
	c, ok := conn.PgConn().CustomData()[cutOffKey].(*cutOff)
	return ok && c.done.Load()
}

// unlessLate returns the error of a transaction, but while the store is well, and
// ctx is over, work took all its time: whatever the store says of the rest, it is
// not to blame.
func (s *Store) unlessLate(ctx context.Context, err error) error {
	if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) && s.Status().State == Running {
		return fmt.Errorf("transaction: %w (%v)", context.DeadlineExceeded, err)
	}
	return err
}
