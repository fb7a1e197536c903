// Package function takes orders and confirms them, each once. The row of an
// order, the event that asks for its confirmation and the memory of the request
// are committed in one transaction: after a crash all of them are there, or none.
package function

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/jackc/pgx/v5"

	"github.com/fairlead/fairlead/framework"
	"github.com/fairlead/fairlead/framework/host"
)

// New returns what serves the functions. "fairlead run" and Knative's func call it.
func New() *host.Host { return host.New(Functions) }

// Functions are those of this program, by the names that they are called by.
var Functions = framework.Functions{
	"order.received": framework.Transactional(Received),
	"order.confirm":  framework.Sink(Confirm),
}

// An Order is what comes in, in JSON.
type Order struct {
	ID    string  `json:"id"`
	Total float64 `json:"total"`
}

// table is here to keep the example in one file; a program of yours has migrations.
const table = `create table if not exists orders (id text primary key, total double precision not null)`

// Received stores an order and asks for its confirmation. tx belongs to
// Fairlead, which commits it when Received returns nil.
func Received(ctx context.Context, tx pgx.Tx, o Order) error {
	if o.ID == "" {
		return framework.Terminal(errors.New("an order without an id"))
	}
	if _, err := tx.Exec(ctx, table); err != nil {
		return fmt.Errorf("create the table of orders: %w", err)
	}
	if _, err := tx.Exec(ctx, `insert into orders (id, total) values ($1, $2) on conflict (id) do nothing`, o.ID, o.Total); err != nil {
		return fmt.Errorf("store order %s: %w", o.ID, err)
	}
	return framework.Publish(ctx, "order.confirm", o, framework.Key(o.ID)) // orders of one id stay in their order
}

// Confirm runs after the commit, in any process that shares the store, and again
// until it returned nil.
func Confirm(ctx context.Context, o Order) error {
	slog.InfoContext(ctx, "confirmed", "order", o.ID, "total", o.Total)
	return nil
}
