package mqdouble

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/fairlead/fairlead/test/mqdouble/headers"
)

//go:embed shim
var shim embed.FS

// A Library is the header files and libmqm_r.so that mq-golang is compiled with.
type Library struct {
	Dir  string // holds include and lib
	Hash string // of all sources: Go's build cache must know when they change
}

// Env returns the settings to compile with, as KEY=VALUE. No path of IBM's own
// client is searched before these.
func (l Library) Env() []string {
	include, lib := filepath.Join(l.Dir, "include"), filepath.Join(l.Dir, "lib")
	return []string{
		"CGO_ENABLED=1",
		fmt.Sprintf("CGO_CFLAGS=-I%s -g -O2 -DMQ_DOUBLE_SHA=%s", include, l.Hash),
		fmt.Sprintf("CGO_LDFLAGS=-L%s -Wl,-rpath,%s", lib, lib),
	}
}

// Cache returns the folder that libraries are built in where nobody says another.
func Cache() string {
	dir, err := os.UserCacheDir()
	if err != nil {
		dir = os.TempDir()
	}
	return filepath.Join(dir, "fairlead-mqdouble")
}

// Build makes the library below dir, in a folder named after its sources, unless
// it is there already. With asan it is built for the address sanitizer, as
// programs are by "go build -asan".
func Build(ctx context.Context, dir string, asan bool) (Library, error) {
	file, err := headers.Source()
	if err != nil {
		return Library{}, err
	}
	constants, err := headers.Read(file)
	if err != nil {
		return Library{}, err
	}
	hash, err := hash(constants, asan)
	if err != nil {
		return Library{}, err
	}
	l := Library{Dir: filepath.Join(dir, hash), Hash: hash}
	if _, err := os.Stat(l.Dir); err == nil {
		return l, nil
	}
	return l, l.build(ctx, constants, asan)
}

// hash names what is built by what it is built from.
func hash(constants []headers.Constant, asan bool) (string, error) {
	h := sha256.New()
	fmt.Fprintln(h, constants, flags(asan))
	err := fs.WalkDir(shim, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := shim.ReadFile(path)
		fmt.Fprintf(h, "%s %d\n%s", path, len(data), data)
		return err
	})
	return hex.EncodeToString(h.Sum(nil)[:8]), err
}

// build works in a folder beside and renames it, so that a build that is cut
// short, or runs twice at once, leaves nothing half done.
func (l Library) build(ctx context.Context, constants []headers.Constant, asan bool) error {
	if err := os.MkdirAll(filepath.Dir(l.Dir), 0o777); err != nil {
		return err
	}
	work, err := os.MkdirTemp(filepath.Dir(l.Dir), "build-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	if err := sources(work, constants); err != nil {
		return err
	}
	if err := compile(ctx, work, asan); err != nil {
		return err
	}
	if err := os.Rename(work, l.Dir); err != nil {
		if _, there := os.Stat(l.Dir); there != nil {
			return err
		}
	}
	return nil
}

// sources writes all that is compiled into folders of dir.
func sources(dir string, constants []headers.Constant) error {
	include := filepath.Join(dir, "include")
	if err := errors.Join(os.Mkdir(include, 0o777), os.Mkdir(filepath.Join(dir, "lib"), 0o777)); err != nil {
		return err
	}
	if err := headers.Write(include, constants); err != nil {
		return err
	}
	types, err := shim.ReadFile("shim/types.h")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(include, "types.h"), types, 0o666); err != nil {
		return err
	}
	return os.CopyFS(dir, shim)
}

func compile(ctx context.Context, dir string, asan bool) error {
	files, err := filepath.Glob(filepath.Join(dir, "shim", "*.c"))
	if err != nil {
		return err
	}
	args := append(flags(asan), "-I"+filepath.Join(dir, "include"), "-o", filepath.Join(dir, "lib", "libmqm_r.so"))
	out, err := exec.CommandContext(ctx, compiler(), append(args, files...)...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("compile the shim: %w\n%s", err, out)
	}
	return nil
}

func flags(asan bool) []string {
	flags := []string{
		"-std=c11", "-D_GNU_SOURCE", "-D_REENTRANT", "-O2", "-g", "-Wall", "-Wextra", "-Werror",
		"-fPIC", "-fvisibility=hidden", "-shared", "-pthread",
	}
	if asan {
		flags = append(flags, "-fsanitize=address,undefined", "-fno-sanitize-recover=undefined")
	}
	return flags
}

func compiler() string {
	if cc := os.Getenv("CC"); cc != "" {
		return cc
	}
	return "gcc"
}
