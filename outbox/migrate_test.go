package outbox

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/fairlead/fairlead/test/services"
)

// Eight programs migrate an empty database at once; each schema is its own.
func TestMigrateAtOnce(t *testing.T) {
	t.Parallel()
	url := services.Postgres(t)
	var all sync.WaitGroup
	for i := range 8 {
		schema := []string{"", `we"ird schema'`}[i%2]
		all.Go(func() {
			conn, err := pgx.Connect(t.Context(), url)
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close(t.Context())
			for range 2 {
				if err := Migrate(t.Context(), conn, schema); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	pool := connect(t, url)
	ms, err := migrations("")
	if err != nil {
		t.Fatal(err)
	}
	if n := one[int](t, pool, `select count(*) from fairlead.migration`); n != len(ms) {
		t.Errorf("got %d migrations applied, want %d", n, len(ms))
	}
	one[int](t, pool, `select count(*) from "we""ird schema'".delivery`)
}

// The printed SQL makes the same tables.
func TestMigrationSQL(t *testing.T) {
	t.Parallel()
	const columns = `select string_agg(format('%s.%s %s %s', table_name, column_name, data_type, coalesce(column_default, '')), e'\n' order by 1)
		from (select * from information_schema.columns where table_schema = 'fairlead' order by table_name, column_name) c`
	migrated := migrated(t)
	byHand := connect(t, services.Postgres(t))
	sql, err := MigrationSQL("", 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := byHand.Exec(t.Context(), sql); err != nil {
		t.Fatal(err)
	}
	if a, b := one[string](t, migrated, columns), one[string](t, byHand, columns); a != b {
		t.Errorf("Migrate made\n%s\nthe printed SQL made\n%s", a, b)
	}
	s, _ := startStop(t, Config{URL: byHand.Config().ConnString(), CheckOnly: true})
	if _, err := s.work(t.Context()); err != nil {
		t.Errorf("a store with CheckOnly: %v", err)
	}
	if _, err := MigrationSQL("", 99); err == nil {
		t.Error("SQL from version 99 on: no error")
	}
}

func TestMigrateNeverGoesBack(t *testing.T) {
	t.Parallel()
	pool := migrated(t)
	if _, err := pool.Exec(t.Context(), `insert into fairlead.migration values (99, 'from the future')`); err != nil {
		t.Fatal(err)
	}
	conn, err := pool.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	err = Migrate(t.Context(), conn.Conn(), "")
	if v, ok := errors.AsType[*VersionError](err); !ok || v.Found != 99 || !strings.Contains(err.Error(), "newer") {
		t.Errorf("got error %v, want a VersionError", err)
	}
	s, err := Open(Config{URL: pool.Config().ConnString(), Log: testLog(t)})
	if err != nil {
		t.Fatal(err)
	}
	background(t, s.Run)
	await(t, "the store says why it does not start", func() bool {
		_, ok := errors.AsType[*VersionError](s.Status().Err)
		return ok && !s.Ready()
	})
}
