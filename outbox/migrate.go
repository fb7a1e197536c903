package outbox

import (
	"context"
	"embed"
	"fmt"
	"hash/fnv"
	"io/fs"
	"path"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
)

// DefaultSchema is the schema that the tables are in unless told otherwise.
const DefaultSchema = "fairlead"

//go:embed migrations/*.sql
var files embed.FS

// A migration takes the tables from one version to the next. Versions count
// from 1, without gaps, and a released one never changes.
type migration struct {
	version int
	name    string
	sql     string
}

// migrations returns all migrations for the tables in schema, in order.
func migrations(schema string) ([]migration, error) {
	entries, err := fs.ReadDir(files, "migrations")
	if err != nil {
		return nil, err
	}
	ms := make([]migration, len(entries))
	for i, e := range entries {
		number, name, _ := strings.Cut(strings.TrimSuffix(e.Name(), ".sql"), "_")
		version, err := strconv.Atoi(number)
		if err != nil || version != i+1 {
			return nil, fmt.Errorf("migration %s: expected version %d", e.Name(), i+1)
		}
		text, err := files.ReadFile(path.Join("migrations", e.Name()))
		if err != nil {
			return nil, err
		}
		ms[i] = migration{version, name, inSchema(schema, string(text))}
	}
	return ms, nil
}

// inSchema puts the quoted name of a schema wherever sql says {schema}, and the
// name of its notification channel, which is the same, wherever it says {channel}.
func inSchema(schema, sql string) string {
	name := schemaName(schema)
	quoted := pgx.Identifier{name}.Sanitize()
	return strings.NewReplacer(
		"'{schema}.", "'"+strings.ReplaceAll(quoted, "'", "''")+".",
		"{schema}", quoted,
		"{channel}", strings.ReplaceAll(name, "'", "''"),
	).Replace(sql)
}

func checkSchema(schema string) error {
	if len(schema) > 63 || strings.ContainsRune(schema, 0) || strings.HasPrefix(schema, "pg_") {
		return fmt.Errorf("schema: found %q, expected a name of at most 63 bytes that does not begin with pg_", schema)
	}
	return nil
}

// A VersionError says that the tables belong to another version of Fairlead.
type VersionError struct {
	Schema string
	Found  int // the version of the tables; 0: there are none
	Known  int // the version that this program works with
}

func (e *VersionError) Error() string {
	s := fmt.Sprintf("the tables in schema %q have version %d, this program works with version %d", e.Schema, e.Found, e.Known)
	if e.Found > e.Known {
		return s + ": they were made by a newer program and are never taken back; run that one, or a newer one"
	}
	return s + ": apply the migrations"
}

const (
	journalSQL = `create table if not exists {schema}.migration (
	version    int primary key,
	name       text not null,
	applied_at timestamptz not null default now()
);
`
	appliedSQL = `insert into {schema}.migration (version, name) values (%d, '%s');
`
)

// Migrate brings the tables in schema (empty: [DefaultSchema]) up to date. Any
// number of programs may do so at once: one does the work, the others wait for
// it. Tables of a newer version are a [*VersionError] and stay as they are.
func Migrate(ctx context.Context, conn *pgx.Conn, schema string) error {
	if err := checkSchema(schema); err != nil {
		return err
	}
	ms, err := migrations(schema)
	if err != nil {
		return err
	}
	if err := checkVersion(ctx, conn, schema, len(ms)); err == nil {
		return nil
	}
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `select pg_advisory_xact_lock($1, 0)`, lockClass(schema)); err != nil {
			return fmt.Errorf("migrate: %w", err)
		}
		return migrate(ctx, tx, schema, ms)
	})
}

func migrate(ctx context.Context, tx pgx.Tx, schema string, ms []migration) error {
	found, err := version(ctx, tx, schema)
	if err != nil {
		return err
	}
	if found > len(ms) {
		return &VersionError{schemaName(schema), found, len(ms)}
	}
	if found == len(ms) {
		return nil
	}
	if _, err := tx.Exec(ctx, script(schema, ms[found:], found == 0)); err != nil {
		return fmt.Errorf("migrate schema %s from version %d to %d: %w", schemaName(schema), found, len(ms), err)
	}
	return nil
}

// MigrationSQL returns what [Migrate] would do to a schema whose tables have
// version from (0: there are none yet), for those who apply their own.
func MigrationSQL(schema string, from int) (string, error) {
	if err := checkSchema(schema); err != nil {
		return "", err
	}
	ms, err := migrations(schema)
	if err != nil {
		return "", err
	}
	if from < 0 || from > len(ms) {
		return "", fmt.Errorf("migration from version %d: expected 0 to %d", from, len(ms))
	}
	return "begin;\n" + script(schema, ms[from:], from == 0) + "commit;\n", nil
}

func script(schema string, ms []migration, first bool) string {
	var b strings.Builder
	if first {
		b.WriteString(inSchema(schema, "create schema if not exists {schema};\n"+journalSQL))
	}
	for _, m := range ms {
		fmt.Fprintf(&b, "\n-- version %d: %s\n%s", m.version, m.name, m.sql)
		b.WriteString(inSchema(schema, fmt.Sprintf(appliedSQL, m.version, m.name)))
	}
	return b.String()
}

type queryRower interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// version returns the version of the tables in schema, 0 if there are none.
func version(ctx context.Context, db queryRower, schema string) (int, error) {
	// to_regclass would answer from a cache that a wait for the lock does not refresh.
	const thereSQL = `select exists (select from pg_class c join pg_namespace n on n.oid = c.relnamespace
		where n.nspname = $1 and c.relname = 'migration')`
	var there bool
	if err := db.QueryRow(ctx, thereSQL, schemaName(schema)).Scan(&there); err != nil {
		return 0, fmt.Errorf("read version of the tables: %w", err)
	}
	if !there {
		return 0, nil
	}
	var v int
	if err := db.QueryRow(ctx, inSchema(schema, `select coalesce(max(version), 0) from {schema}.migration`)).Scan(&v); err != nil {
		return 0, fmt.Errorf("read version of the tables: %w", err)
	}
	return v, nil
}

// checkVersion returns a *VersionError unless the tables have the known version.
func checkVersion(ctx context.Context, db queryRower, schema string, known int) error {
	found, err := version(ctx, db, schema)
	if err == nil && found != known {
		return &VersionError{schemaName(schema), found, known}
	}
	return err
}

func schemaName(schema string) string {
	if schema == "" {
		return DefaultSchema
	}
	return schema
}

// lockClass is the first half of the advisory locks of a schema; the second is
// a queue, or 0 for the migrations.
func lockClass(schema string) int32 {
	h := fnv.New32a()
	h.Write([]byte("fairlead " + schemaName(schema)))
	return int32(h.Sum32())
}
