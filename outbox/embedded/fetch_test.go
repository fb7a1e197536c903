package embedded

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// jar returns an archive as repositories have it, with one program.
func jar(t *testing.T, program string) []byte {
	t.Helper()
	var plain bytes.Buffer
	w := tar.NewWriter(&plain)
	for _, h := range []*tar.Header{
		{Typeflag: tar.TypeDir, Name: "bin/", Mode: 0o755},
		{Typeflag: tar.TypeReg, Name: "bin/postgres", Mode: 0o755, Size: int64(len(program))},
		{Typeflag: tar.TypeSymlink, Name: "bin/postmaster", Linkname: "postgres"},
	} {
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if h.Size > 0 {
			if _, err := w.Write([]byte(program)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	compress := exec.Command("python3", "-c", "import lzma, sys; sys.stdout.buffer.write(lzma.compress(sys.stdin.buffer.read()))")
	compress.Stdin = &plain
	packed, err := compress.Output()
	if err != nil {
		t.Fatalf("compress: %v", err)
	}
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	entry, err := z.Create("postgres.txz")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := entry.Write(packed); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// The programs are fetched once, whole or not at all, and only those that we know.
func TestFetch(t *testing.T) {
	const program = "#!/bin/sh\n"
	archive := jar(t, program)
	asked := 0
	repository := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked++
		if !strings.HasPrefix(r.URL.Path, "/maven/io/zonky/test/postgres/embedded-postgres-binaries-"+platform()+"/") {
			http.NotFound(w, r)
			return
		}
		w.Write(archive)
	}))
	defer repository.Close()
	f := fetcher{repository: repository.URL + "/maven/", cache: filepath.Join(t.TempDir(), "cache"), log: slog.New(slog.DiscardHandler)}

	if _, err := f.fetch(t.Context()); err == nil || !strings.Contains(err.Error(), "its SHA-256 is") {
		t.Fatalf("an archive that is not the one we know: got error %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(f.cache, "*")); len(left) > 0 {
		t.Errorf("it left %v", left)
	}

	known := sums[platform()]
	defer func() { sums[platform()] = known }()
	sum := sha256.Sum256(archive)
	sums[platform()] = hex.EncodeToString(sum[:])
	for range 2 {
		p, err := f.fetch(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"postgres", "postmaster"} {
			if got, err := os.ReadFile(p.path(name)); err != nil || string(got) != program {
				t.Errorf("%s: got %q, %v", name, got, err)
			}
		}
	}
	if asked != 2 {
		t.Errorf("the repository was asked %d times, want twice: once for the wrong archive, once for the right one", asked)
	}
	if _, err := (fetcher{cache: t.TempDir(), log: f.log}).fetch(t.Context()); err == nil || !strings.Contains(err.Error(), "no Maven repository is named") {
		t.Errorf("without a repository: got error %v", err)
	}
}
