package function_test

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/fairlead/fairlead/framework"
	"github.com/fairlead/fairlead/framework/frameworktest"

	"function"
)

// A transaction stands in for one of a database and remembers what it was given.
// A test of your SQL gives the Runtime one of a real test database instead.
type transaction struct {
	pgx.Tx
	arguments []any // of the last statement
}

func (tx *transaction) Exec(_ context.Context, _ string, arguments ...any) (pgconn.CommandTag, error) {
	tx.arguments = arguments
	return pgconn.CommandTag{}, nil
}

func TestAnOrderIsStoredAndItsConfirmationPublished(t *testing.T) {
	tx := new(transaction)
	rt := frameworktest.New(t)
	rt.Tx = tx
	if _, err := rt.Run(function.Functions["order.received"], []byte(`{"id": "7", "total": 12.5}`)); err != nil {
		t.Fatal(err)
	}
	if len(tx.arguments) != 2 || tx.arguments[0] != "7" || tx.arguments[1] != 12.5 {
		t.Errorf("stored %v, want order 7 with 12.5", tx.arguments)
	}
	published := rt.Published()
	if len(published) != 1 || published[0].Target != "order.confirm" {
		t.Fatalf("published %+v, want one event for order.confirm", published)
	}
	if got, want := published[0].Data(), `{"id":"7","total":12.5}`; got != want {
		t.Errorf("published %s, want %s", got, want)
	}
}

func TestAnOrderWithoutAnIDIsNotTriedAgain(t *testing.T) {
	rt := frameworktest.New(t)
	rt.Tx = new(transaction)
	_, err := rt.Run(function.Functions["order.received"], []byte(`{}`))
	if !framework.IsTerminal(err) || len(rt.Published()) > 0 {
		t.Errorf("got %v and %d events published, want a terminal error and none", err, len(rt.Published()))
	}
}

func TestConfirm(t *testing.T) {
	if err := function.Confirm(frameworktest.New(t).Context(), function.Order{ID: "7"}); err != nil {
		t.Error(err)
	}
}
