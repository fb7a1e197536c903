package services

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// postgres is PostgreSQL, without fsync: a test may kill it, not the machine.
func postgres() service {
	return service{
		name:    "postgres",
		ports:   map[string]int{"sql": 432},
		prepare: preparePostgres,
		command: runPostgres,
		ready:   "database system is ready to accept connections",
		stop:    syscall.SIGINT, // with SIGTERM it waits for its clients
	}
}

func preparePostgres(s site) error {
	data := filepath.Join(s.Dir, "data")
	if err := os.MkdirAll(data, 0o700); err != nil {
		return err
	}
	as, err := postgresUser()
	if err != nil {
		return err
	}
	if as.Credential != nil {
		if err := os.Chown(data, int(as.Credential.Uid), int(as.Credential.Gid)); err != nil {
			return err
		}
	}
	initdb, err := postgresProgram("initdb")
	if err != nil {
		return err
	}
	cmd := exec.Command(initdb, "-D", data, "-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C")
	cmd.Dir, cmd.SysProcAttr = s.Dir, as
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w (may the user postgres look into %s?):\n%s", err, s.Dir, out)
	}
	return nil
}

func runPostgres(s site) (*exec.Cmd, error) {
	program, err := postgresProgram("postgres")
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(program, "-D", filepath.Join(s.Dir, "data"),
		"-c", "listen_addresses=127.0.0.1",
		"-c", "port="+s.port("sql"),
		"-c", "unix_socket_directories=",
		"-c", "fsync=off",
		"-c", "shared_buffers=64MB",
		"-c", "max_connections=300") // packages run side by side, with a pool per test
	if cmd.SysProcAttr, err = postgresUser(); err != nil {
		return nil, err
	}
	return cmd, nil
}

func postgresURL(s site) string {
	return "postgres://postgres@" + s.address("sql") + "/postgres?sslmode=disable"
}

// postgresUser makes a program of PostgreSQL, which refuses to run as root,
// run as the user postgres if we are root.
func postgresUser() (*syscall.SysProcAttr, error) {
	if os.Getuid() != 0 {
		return &syscall.SysProcAttr{}, nil
	}
	account, err := user.Lookup("postgres")
	if err != nil {
		return nil, fmt.Errorf("PostgreSQL does not run as root: %w", err)
	}
	uid, uidErr := strconv.ParseUint(account.Uid, 10, 32)
	gid, gidErr := strconv.ParseUint(account.Gid, 10, 32)
	if err := errors.Join(uidErr, gidErr); err != nil {
		return nil, err
	}
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}, nil
}

// postgresProgram finds a program of the newest PostgreSQL: Debian keeps the
// server's out of PATH.
func postgresProgram(name string) (string, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	if err != nil {
		return "", err
	}
	if len(found) > 0 {
		return found[len(found)-1], nil
	}
	return exec.LookPath(name)
}

// Postgres returns the URL of an empty database of the test's own, dropped when
// the test ends.
func Postgres(t testing.TB) string {
	t.Helper()
	server := running(t).Postgres
	if server == "" {
		missing(t, "postgres is not running")
	}
	name := "test_" + strings.ToLower(rand.Text())
	statement(t, server, "create database "+name)
	t.Cleanup(func() { statement(t, server, "drop database "+name+" with (force)") })
	address, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	address.Path = "/" + name
	return address.String()
}

func statement(t testing.TB, server, sql string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, server)
	if err != nil {
		t.Errorf("%s: %v", sql, err)
		return
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, sql); err != nil {
		t.Errorf("%s: %v", sql, err)
	}
}
