package services

import (
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
)

// pgbouncer is PgBouncer, which lets its clients share four sessions of
// PostgreSQL, from transaction to transaction.
func pgbouncer() service {
	return service{
		name:    "pgbouncer",
		ports:   map[string]int{"sql": 0, "postgres": 0},
		theirs:  "postgres",
		prepare: func(s site) error { return s.render("pgbouncer/pgbouncer.ini", "pgbouncer.ini") },
		command: func(s site) (cmd *exec.Cmd, err error) {
			cmd = exec.Command(pgbouncerProgram(), filepath.Join(s.Dir, "pgbouncer.ini"))
			cmd.SysProcAttr, err = postgresUser() // it does not run as root either
			return cmd, err
		},
		ready: "process up",
		stop:  syscall.SIGINT,
	}
}

// pgbouncerProgram returns the path of PgBouncer, which Debian keeps where only
// root's PATH leads; empty if there is none.
func pgbouncerProgram() string {
	for _, name := range []string{"pgbouncer", "/usr/sbin/pgbouncer"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}

// PgBouncer returns the URL of a database as seen through a PgBouncer of the
// test's own, in transaction mode and with four sessions. It ends with the test.
func PgBouncer(t testing.TB, database string) string {
	t.Helper()
	running(t)
	if pgbouncerProgram() == "" {
		missing(t, "pgbouncer is not installed")
	}
	address, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	s := pgbouncer()
	at := site{Dir: readable(t, s.name), Ports: reserveNamed(t, s.ports)}
	if at.Ports[s.theirs], err = strconv.Atoi(address.Port()); err != nil {
		t.Fatalf("port of %s: %v", database, err)
	}
	if err := s.prepare(at); err != nil {
		t.Fatal(err)
	}
	p, err := s.launch(t.Context(), at, dieWithUs)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.stop(s.stop); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("end of the log of %s:\n%s", s.name, p.tail())
		}
	})
	address.Host = at.address("sql")
	return address.String()
}

// readable returns a folder of the test's own into which other users may look, as
// they may not into that of t.TempDir.
func readable(t testing.TB, name string) string {
	t.Helper()
	p, err := here()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp(p.run, name+"-")
	if err == nil {
		err = os.Chmod(dir, 0o755)
	}
	if err != nil {
		t.Fatal(fmt.Errorf("make a folder for %s: %w", name, err))
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}
