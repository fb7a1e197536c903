package outbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/framework"
)

// storeError adds what was being done to an error of Postgres, and marks it with
// [framework.ErrUnavailable] if Postgres, not the statement, is to blame.
func storeError(what string, err error) error {
	if err == nil {
		return nil
	}
	if unavailable(err) && !errors.Is(err, framework.ErrUnavailable) {
		return fmt.Errorf("%s: store %w: %w", what, framework.ErrUnavailable, err)
	}
	return fmt.Errorf("%s: %w", what, err)
}

// unavailable reports whether err says that Postgres cannot be reached, or
// serves nobody at the moment.
func unavailable(err error) bool {
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		switch pg.Code {
		case "57P01", "57P02", "57P03", // shutting down, crashed, starting up
			"53000", "53100", "53200", "53300", // out of disk, memory, connections
			"25006", // read-only: a standby
			"55P03", // lock_not_available
			"57014", // query_canceled: our deadline, or an administrator
			"XX000":
			return true
		}
		return strings.HasPrefix(pg.Code, "08")
	}
	switch {
	case errors.Is(err, pgx.ErrNoRows), errors.Is(err, pgx.ErrTxClosed), errors.Is(err, pgx.ErrTxCommitRollback):
		return false
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, framework.ErrUnavailable):
		return true
	}
	_, connect := errors.AsType[*pgconn.ConnectError](err)
	_, network := errors.AsType[net.Error](err)
	return connect || network || pgconn.Timeout(err) || pgconn.SafeToRetry(err) ||
		errors.Is(err, pgconn.ErrConnClosed) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}

// neverSent reports whether err means that Postgres cannot have seen the statement.
func neverSent(err error) bool {
	_, connect := errors.AsType[*pgconn.ConnectError](err)
	return connect || pgconn.SafeToRetry(err)
}

// backOff returns how long to wait after the given failure in a row, from 1.
func backOff(try int) time.Duration { return connections.Reconnect{}.Wait(try) }

// sleep waits for d, or for ctx to end.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
