// Package stored keeps the part of the configuration that is in the store: the
// objects that no file owns, secrets, which triggers are paused, and the audit log
// of who changed what.
//
// Each change is one transaction. It locks the row that holds the generation, so
// that changes follow one another on all replicas; it writes what changes and an
// entry of the audit log for each object; it makes the next generation and
// notifies the replicas, which read all of it again. A replica that missed the
// notification sees the generation when it looks next.
package stored

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/fairlead/fairlead/framework/config"
	"github.com/fairlead/fairlead/outbox"
)

// ErrBusy is returned by a change that waited too long for another to end.
var ErrBusy = errors.New("another change of the configuration is being made")

// An Object is an object of the store.
type Object struct {
	config.Object
	Version int64     // the generation that wrote it
	Changed time.Time // when that was
	By      string    // who did it
}

// A Snapshot is what the store holds at one generation.
type Snapshot struct {
	Generation int64 // 0: nothing was ever there
	Objects    []Object
	Secrets    map[string]Secret // by name
	Paused     []string          // names of triggers
}

// Object returns an object, if it is there.
func (s Snapshot) Object(kind, name string) (Object, bool) {
	i := slices.IndexFunc(s.Objects, func(o Object) bool { return o.Kind == kind && o.Name == name })
	if i < 0 {
		return Object{}, false
	}
	return s.Objects[i], true
}

// Document returns the objects as package config takes them.
func (s Snapshot) Document() []config.Object {
	all := make([]config.Object, len(s.Objects))
	for i, o := range s.Objects {
		all[i] = o.Object
	}
	return all
}

// Read returns what the store holds now.
func Read(ctx context.Context, db *outbox.Store) (s Snapshot, err error) {
	const what = "read the configuration in the store"
	err = db.Tx(ctx, what, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		if err := tx.QueryRow(ctx, db.InSchema(`select generation from {schema}.config`)).Scan(&s.Generation); err != nil {
			return outbox.DatabaseError(what, err)
		}
		return outbox.DatabaseError(what, s.read(ctx, db, tx))
	})
	return s, err
}

func (s *Snapshot) read(ctx context.Context, db *outbox.Store, tx pgx.Tx) error {
	rows, err := tx.Query(ctx, db.InSchema(`select kind, name, spec, version, changed_at, changed_by from {schema}.object order by kind, name`))
	if err != nil {
		return err
	}
	s.Objects, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (Object, error) {
		var o Object
		var text string
		if err := row.Scan(&o.Kind, &o.Name, &text, &o.Version, &o.Changed, &o.By); err != nil {
			return o, err
		}
		var err error
		o.Object, err = config.NewObject(o.Kind, o.Name, text)
		return o, err
	})
	if err != nil {
		return err
	}
	if rows, err = tx.Query(ctx, db.InSchema(`select name, key_id, key, value, changed_at, changed_by from {schema}.secret`)); err != nil {
		return err
	}
	secrets, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Secret])
	if err != nil {
		return err
	}
	s.Secrets = make(map[string]Secret, len(secrets))
	for _, secret := range secrets {
		s.Secrets[secret.Name] = secret
	}
	if rows, err = tx.Query(ctx, db.InSchema(`select trigger from {schema}.pause order by 1`)); err != nil {
		return err
	}
	s.Paused, err = pgx.CollectRows(rows, pgx.RowTo[string])
	return err
}

// An Author is who makes a change.
type Author struct{ Name, Role string }

// A Change is a transaction that changes what the store holds. Its Snapshot is
// how that will be.
type Change struct {
	Snapshot

	ctx    context.Context
	db     *outbox.Store
	tx     pgx.Tx
	author Author
	dirty  bool
}

// lockTimeout is how long a change waits for another.
const lockTimeout = 15 * time.Second

// Make calls f with a change, and commits it if f returns nil and has changed
// anything; it returns the generation that there is then. f may take as long as
// hold; a program that dies in it blocks others no longer than that.
func Make(ctx context.Context, db *outbox.Store, author Author, hold time.Duration, f func(*Change) error) (int64, error) {
	const what = "change the configuration in the store"
	var generation int64
	err := db.Tx(ctx, what, pgx.TxOptions{}, func(tx pgx.Tx) error {
		c := &Change{ctx: ctx, db: db, tx: tx, author: author}
		if err := c.begin(hold); err != nil {
			return outbox.DatabaseError(what, err)
		}
		if err := f(c); err != nil {
			return err
		}
		generation = c.Generation
		if !c.dirty {
			return nil
		}
		const nextSQL = `update {schema}.config set generation = $1, changed_at = now()`
		if _, err := tx.Exec(ctx, db.InSchema(nextSQL), c.Generation); err != nil {
			return outbox.DatabaseError(what, err)
		}
		_, err := tx.Exec(ctx, db.InSchema(outbox.ConfiguredSQL))
		return outbox.DatabaseError(what, err)
	})
	return generation, err
}

func (c *Change) begin(hold time.Duration) error {
	const limitsSQL = `select set_config('lock_timeout', $1, true), set_config('idle_in_transaction_session_timeout', $2, true)`
	milliseconds := func(d time.Duration) string { return fmt.Sprintf("%dms", d.Milliseconds()) }
	if _, err := c.tx.Exec(c.ctx, limitsSQL, milliseconds(lockTimeout), milliseconds(hold)); err != nil {
		return err
	}
	err := c.tx.QueryRow(c.ctx, c.db.InSchema(`select generation from {schema}.config for update`)).Scan(&c.Generation)
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok && pg.Code == "55P03" { // lock_not_available
		return ErrBusy
	}
	if err != nil {
		return err
	}
	c.Generation++
	return c.read(c.ctx, c.db, c.tx)
}

func (c *Change) exec(what, sql string, args ...any) error {
	c.dirty = true
	_, err := c.tx.Exec(c.ctx, c.db.InSchema(sql), args...)
	return outbox.DatabaseError(what, err)
}

// Dirty reports whether anything was changed so far.
func (c *Change) Dirty() bool { return c.dirty }

// Actions of the audit log.
const (
	Created = "created"
	Changed = "changed"
	Removed = "removed"
	Paused  = "paused"
	Resumed = "resumed"
	Rotated = "rotated"
)

// Put creates or replaces an object, and returns what it did: [Created], [Changed],
// or nothing where it is the same already.
func (c *Change) Put(o config.Object) (action string, err error) {
	before, there := c.Object(o.Kind, o.Name)
	if there && before.Text == o.Text {
		return "", nil
	}
	next := Object{o, c.Generation, time.Now(), c.author.Name}
	const sql = `insert into {schema}.object (kind, name, spec, version, changed_by) values ($1, $2, $3, $4, $5)
on conflict (kind, name) do update set spec = excluded.spec, version = excluded.version, changed_at = now(), changed_by = excluded.changed_by`
	if err := c.exec("store "+o.String(), sql, o.Kind, o.Name, o.Text, next.Version, next.By); err != nil {
		return "", err
	}
	c.drop(o.Kind, o.Name)
	c.Objects = append(c.Objects, next)
	slices.SortFunc(c.Objects, func(a, b Object) int { return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name)) })
	action = Created
	if there {
		action = Changed
	}
	return action, c.note(action, o.Kind, o.Name, before.Text, o.Text)
}

// Delete removes an object that is there, and the pause of a trigger with it.
func (c *Change) Delete(kind, name string) error {
	before, _ := c.Object(kind, name)
	if err := c.exec("delete "+before.String(), `delete from {schema}.object where kind = $1 and name = $2`, kind, name); err != nil {
		return err
	}
	c.drop(kind, name)
	if kind == "triggers" {
		if err := c.Pause(name, false); err != nil {
			return err
		}
	}
	return c.note(Removed, kind, name, before.Text, "")
}

func (c *Change) drop(kind, name string) {
	c.Objects = slices.DeleteFunc(c.Objects, func(o Object) bool { return o.Kind == kind && o.Name == name })
}

// Pause notes that a trigger is paused, or not.
func (c *Change) Pause(trigger string, paused bool) error {
	if slices.Contains(c.Paused, trigger) == paused {
		return nil
	}
	if paused {
		c.Paused = append(c.Paused, trigger)
		err := c.exec("pause "+trigger, `insert into {schema}.pause (trigger, changed_by) values ($1, $2)`, trigger, c.author.Name)
		return errors.Join(err, c.note(Paused, "triggers", trigger, "", ""))
	}
	c.Paused = slices.DeleteFunc(c.Paused, func(name string) bool { return name == trigger })
	err := c.exec("resume "+trigger, `delete from {schema}.pause where trigger = $1`, trigger)
	return errors.Join(err, c.note(Resumed, "triggers", trigger, "", ""))
}

// SetSecret keeps a secret that [Keys.Seal] has encrypted.
func (c *Change) SetSecret(name string, s Sealed) error {
	action := Changed
	if _, there := c.Secrets[name]; !there {
		action = Created
	}
	if err := c.seal(name, s); err != nil {
		return err
	}
	return c.note(action, SecretKind, name, "", "")
}

func (c *Change) seal(name string, s Sealed) error {
	const sql = `insert into {schema}.secret (name, key_id, key, value, changed_by) values ($1, $2, $3, $4, $5)
on conflict (name) do update set key_id = excluded.key_id, key = excluded.key, value = excluded.value, changed_at = now(), changed_by = excluded.changed_by`
	c.Secrets = maps.Clone(c.Secrets)
	c.Secrets[name] = Secret{name, s, time.Now(), c.author.Name}
	return c.exec("store the secret "+name, sql, name, s.KeyID, s.Key, s.Value, c.author.Name)
}

// DeleteSecret removes a secret that is there.
func (c *Change) DeleteSecret(name string) error {
	if err := c.exec("delete the secret "+name, `delete from {schema}.secret where name = $1`, name); err != nil {
		return err
	}
	c.Secrets = maps.Clone(c.Secrets)
	delete(c.Secrets, name)
	return c.note(Removed, SecretKind, name, "", "")
}

// Rotate wraps the keys of all secrets with the current master key, and returns how
// many were wrapped with another.
func (c *Change) Rotate(k Keys) (int, error) {
	n := 0
	for _, name := range slices.Sorted(maps.Keys(c.Secrets)) {
		s, changed, err := k.rewrap(name, c.Secrets[name].Sealed)
		if err != nil {
			return 0, err
		}
		if !changed {
			continue
		}
		if err := c.exec("rotate the secret "+name, `update {schema}.secret set key_id = $2, key = $3 where name = $1`, name, s.KeyID, s.Key); err != nil {
			return 0, err
		}
		secret := c.Secrets[name]
		secret.Sealed = s
		c.Secrets[name] = secret
		n++
	}
	if n == 0 {
		return 0, nil
	}
	return n, c.note(Rotated, SecretKind, "*", "", "")
}

// SecretKind is the kind of secrets in the audit log.
const SecretKind = "secrets"

// note writes an entry of the audit log.
func (c *Change) note(action, kind, name, before, after string) error {
	const sql = `insert into {schema}.audit (actor, role, action, kind, name, generation, before, after)
values ($1, $2, $3, $4, $5, $6, nullif($7, ''), nullif($8, ''))`
	return c.exec("write the audit log", sql, c.author.Name, c.author.Role, action, kind, name, c.Generation, before, after)
}

// Difference shows how two texts differ, line by line: those of before alone with
// a minus, those of after alone with a plus.
func Difference(before, after string) string {
	a, b := lines(before), lines(after)
	common := make([][]int, len(a)+1) // length of the longest common part of a[i:] and b[j:]
	for i := range common {
		common[i] = make([]int, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if common[i][j] = max(common[i+1][j], common[i][j+1]); a[i] == b[j] {
				common[i][j] = common[i+1][j+1] + 1
			}
		}
	}
	var out strings.Builder
	for i, j := 0, 0; i < len(a) || j < len(b); {
		switch {
		case i < len(a) && j < len(b) && a[i] == b[j]:
			out.WriteString("  " + a[i] + "\n")
			i, j = i+1, j+1
		case j == len(b) || i < len(a) && common[i+1][j] >= common[i][j+1]:
			out.WriteString("- " + a[i] + "\n")
			i++
		default:
			out.WriteString("+ " + b[j] + "\n")
			j++
		}
	}
	return out.String()
}

// maxDifference is how many lines are compared at most.
const maxDifference = 1000

func lines(text string) []string {
	all := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if text == "" {
		return nil
	}
	return all[:min(len(all), maxDifference)]
}
