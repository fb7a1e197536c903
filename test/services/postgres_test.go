package services_test

import (
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/fairlead/fairlead/test/services"
)

// Two databases of one test are not the same, and both go with the test.
func TestPostgres(t *testing.T) {
	outer := services.Postgres(t)
	var inner string
	t.Run("inner", func(t *testing.T) {
		inner = services.Postgres(t)
		query(t, outer, "create table mark (n int)")
		query(t, inner, "create table mark (n int)")
	})
	if conn, err := pgx.Connect(withLimit(t), inner); err == nil {
		conn.Close(withLimit(t))
		t.Error("the database of an ended test: got a connection, want none")
	}
	query(t, outer, "drop table mark")
}

func query(t *testing.T, url, statement string) {
	t.Helper()
	conn, err := pgx.Connect(withLimit(t), url)
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	defer conn.Close(withLimit(t))
	if _, err := conn.Exec(withLimit(t), statement); err != nil {
		t.Errorf("%s: %v", statement, err)
	}
}
