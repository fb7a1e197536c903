package embedded

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// superuser is the role that everything is done as.
const superuser = "fairlead"

// A home is the folder of one Postgres: its data, its log, and how to reach it.
type home struct {
	dir string

	Port     int    `json:"port"`
	Password string `json:"password"`
}

// openHome reads a home, or makes it.
func openHome(dir string) (*home, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	h := &home{dir: dir}
	text, err := os.ReadFile(h.file())
	if errors.Is(err, fs.ErrNotExist) {
		return h, h.create()
	}
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(text, h); err != nil || h.Port == 0 || h.Password == "" {
		return nil, fmt.Errorf("%s cannot be read; remove it to start anew: %v", h.file(), err)
	}
	return h, nil
}

// create chooses a port and a password and writes them down. Where two programs
// do so at once, the first one's stay.
func (h *home) create() error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer l.Close()
	h.Port, h.Password = l.Addr().(*net.TCPAddr).Port, rand.Text()
	text, err := json.Marshal(h)
	if err != nil {
		return err
	}
	part := h.file() + "." + rand.Text()
	if err := os.WriteFile(part, text, 0o600); err != nil {
		return err
	}
	defer os.Remove(part)
	if err := os.Link(part, h.file()); !errors.Is(err, fs.ErrExist) {
		return err
	}
	other, err := openHome(h.dir)
	if err == nil {
		*h = *other
	}
	return err
}

func (h *home) file() string    { return filepath.Join(h.dir, "server.json") }
func (h *home) data() string    { return filepath.Join(h.dir, "data") }
func (h *home) logFile() string { return filepath.Join(h.dir, "postgres.log") }

// major returns the version of PostgreSQL that made the data, or 0.
func (h *home) major() int {
	text, err := os.ReadFile(filepath.Join(h.data(), "PG_VERSION"))
	if err != nil {
		return 0
	}
	n, _ := strconv.Atoi(strings.TrimSpace(string(text)))
	return n
}

// prepare makes the data, if there are none, and waits until a Postgres that an
// earlier program left behind has ended.
func (h *home) prepare(ctx context.Context, p programs, log *slog.Logger) error {
	if h.major() != 0 {
		return h.awaitEnd(ctx)
	}
	log.Info("making a database for this folder", "dir", h.dir, "version", p.major)
	part := h.data() + ".part"
	if err := os.RemoveAll(part); err != nil {
		return err
	}
	if err := h.initialise(ctx, p, part); err != nil {
		return err
	}
	return os.Rename(part, h.data()) // all of it, or nothing
}

func (h *home) initialise(ctx context.Context, p programs, data string) error {
	password := filepath.Join(h.dir, "password.part")
	if err := os.WriteFile(password, []byte(h.Password+"\n"), 0o600); err != nil {
		return err
	}
	defer os.Remove(password)
	cmd := exec.CommandContext(ctx, p.path("initdb"), "-D", data, "-U", superuser, "--pwfile", password,
		"-A", "scram-sha-256", "-E", "UTF8", "--no-locale", "--no-instructions")
	cmd.Dir, cmd.Env = h.dir, environment(p)
	drop, err := notRoot(h.dir, data, password)
	if err != nil {
		return err
	}
	cmd.SysProcAttr = drop
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, lastLine(out))
	}
	return nil
}

// awaitEnd waits for the process of postmaster.pid, if it lives: it lost its
// program and is shutting down.
func (h *home) awaitEnd(ctx context.Context) error {
	for end := time.Now().Add(30 * time.Second); ; wait(ctx, 50*time.Millisecond) {
		text, err := os.ReadFile(filepath.Join(h.data(), "postmaster.pid"))
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		pid, _, _ := strings.Cut(string(text), "\n")
		if n, err := strconv.Atoi(pid); err != nil || !alive(n) {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if time.Now().After(end) {
			return fmt.Errorf("another Postgres, with pid %s, uses %s", pid, h.data())
		}
	}
}

func environment(p programs) []string {
	env := []string{"LC_ALL=C", "PATH=" + os.Getenv("PATH"), "HOME=" + os.TempDir(), "TZ=UTC"}
	if p.library != "" {
		env = append(env, "LD_LIBRARY_PATH="+p.library, "DYLD_LIBRARY_PATH="+p.library)
	}
	return env
}

func lastLine(out []byte) string {
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	return strings.Join(lines[max(0, len(lines)-3):], " / ")
}
