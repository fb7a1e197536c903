package embedded

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// TestMain lets a test run this program again as one that starts a Postgres and
// is then killed.
func TestMain(m *testing.M) {
	dir := os.Getenv("EMBEDDED_TEST_DIR")
	if dir == "" {
		os.Exit(m.Run())
	}
	s, err := Start(context.Background(), Config{Dir: dir})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(s.URL())
	select {}
}

func started(t *testing.T, dir string) *Server {
	t.Helper()
	s, err := Start(t.Context(), Config{Dir: dir, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func execute(t *testing.T, url, sql string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	if _, err := conn.Exec(t.Context(), sql); err != nil {
		t.Fatal(err)
	}
}

func needPostgres(t *testing.T) {
	t.Helper()
	if _, ok := installed(0); !ok {
		t.Skip("service missing: postgres is not installed")
	}
}

func TestDataOutlivesTheServer(t *testing.T) {
	t.Parallel()
	needPostgres(t)
	dir := filepath.Join(folder(t), "pg")
	first := started(t, dir)
	execute(t, first.URL(), `create table kept ()`)
	first.Close()
	if err := ask(t.Context(), first.URL()); err == nil {
		t.Error("it answers after Close")
	}
	second := started(t, dir)
	if first.URL() != second.URL() {
		t.Errorf("got URL %s, want that of the first time, %s", second.URL(), first.URL())
	}
	execute(t, second.URL(), `select from kept`)
}

func TestKilledPostgresIsStartedAgain(t *testing.T) {
	t.Parallel()
	needPostgres(t)
	s := started(t, filepath.Join(folder(t), "pg"))
	execute(t, s.URL(), `create table kept ()`)
	s.Kill()
	await(t, "it answers again", func() bool { return ask(t.Context(), s.URL()) == nil && !gone(t, s.URL(), "kept") })
}

func gone(t *testing.T, url, table string) bool {
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		return true
	}
	defer conn.Close(t.Context())
	_, err = conn.Exec(t.Context(), `select from `+table)
	return err != nil
}

func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !ok(); <-time.After(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("still not after 30 s: %s", what)
		}
	}
}

// Two programs use one folder: the second one takes over when the first one is
// killed, at the same address; when it is killed, too, Postgres ends.
func TestPostgresDiesWithItsProgram(t *testing.T) {
	t.Parallel()
	needPostgres(t)
	dir := filepath.Join(folder(t), "pg")
	first, url := program(t, dir)
	second, other := program(t, dir)
	if url != other {
		t.Fatalf("got URL %s in the second program, want %s", other, url)
	}
	execute(t, url, `create table kept ()`)
	first()
	await(t, "the second program has started it again", func() bool { return !gone(t, url, "kept") })
	second()
	await(t, "Postgres has ended", func() bool { return ask(t.Context(), url) != nil })
}

// program starts a program that starts a Postgres, and returns how to kill it.
func program(t *testing.T, dir string) (kill func(), url string) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "EMBEDDED_TEST_DIR="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill = func() {
		cmd.Process.Signal(syscall.SIGKILL)
		cmd.Wait()
	}
	t.Cleanup(kill)
	if _, err := fmt.Fscanln(out, &url); err != nil {
		t.Fatalf("the program said nothing: %v", err)
	}
	return kill, url
}

// folder is t.TempDir for a Postgres that may still be writing when the test ends.
func folder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "embedded")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		await(t, "everything is removed", func() bool { return os.RemoveAll(dir) == nil })
	})
	return dir
}
