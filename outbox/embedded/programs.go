package embedded

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"
)

// oldest is the oldest PostgreSQL that will do.
const oldest = 15

// programs are those of one PostgreSQL.
type programs struct {
	dir     string // initdb and postgres are in it
	library string // folder of its libraries, if they are not where the system looks
	major   int
}

func (p programs) path(name string) string { return filepath.Join(p.dir, name) }

// installed finds the newest PostgreSQL on this machine, or the given major
// version if it is not 0.
func installed(major int) (programs, bool) {
	var found []programs
	for _, dir := range folders() {
		if v := versionOf(dir); v >= oldest && (major == 0 || v == major) {
			found = append(found, programs{dir: dir, major: v})
		}
	}
	if len(found) == 0 {
		return programs{}, false
	}
	return slices.MaxFunc(found, func(a, b programs) int { return a.major - b.major }), true
}

// Available reports whether [Start] will find programs, or knows where to fetch
// them from. It runs none.
func Available(cfg Config) bool {
	return cfg.Repository != "" || slices.ContainsFunc(folders(), func(dir string) bool {
		_, err := os.Stat(filepath.Join(dir, "initdb"))
		return err == nil
	})
}

// folders lists where programs of PostgreSQL may be: distributions keep the
// server's out of PATH.
func folders() []string {
	var dirs []string
	for _, pattern := range []string{
		"/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/usr/lib/postgresql*/bin", "/usr/libexec/postgresql*",
		"/opt/homebrew/opt/postgresql@*/bin", "/usr/local/opt/postgresql@*/bin", "/Applications/Postgres.app/Contents/Versions/*/bin",
		"/usr/local/pgsql/bin",
	} {
		found, _ := filepath.Glob(pattern) // fails for a malformed pattern alone
		dirs = append(dirs, found...)
	}
	if path, err := exec.LookPath("postgres"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil {
			dirs = append(dirs, filepath.Dir(path))
		}
	}
	return dirs
}

// versionOf returns the major version of the PostgreSQL in dir, or 0.
func versionOf(dir string) int {
	if _, err := os.Stat(filepath.Join(dir, "initdb")); err != nil {
		return 0
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, filepath.Join(dir, "postgres"), "--version").Output()
	if err != nil {
		return 0
	}
	var major int
	if _, err := fmt.Sscanf(string(out), "postgres (PostgreSQL) %d", &major); err != nil {
		return 0
	}
	return major
}
