package embedded

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/xi2/xz"
)

// What is fetched: PostgreSQL as the Zonky project builds it for Maven repositories.
const (
	fetchedVersion = "16.10.0"
	fetchedMajor   = 16
	longestJar     = 64 << 20
)

// sums are the SHA-256 of the archives, by platform.
var sums = map[string]string{
	"linux-amd64":        "17a8ded28bde97fe66247387806af30ee26190fc96503c47c3eaa4fcbdcff8b6",
	"linux-arm64v8":      "96e6e62674dfbb2fb16081a05525c0454290e163a8d7ae225512cf60ee908371",
	"linux-amd64-alpine": "acba52bee5feeba55edfb4c221ad36592105887ebd7852e1a6cb3e203c6f03db",
	"darwin-amd64":       "1814e19b24cff2171515dd8d173e35ec4e9ce8f9b68784d3a5471764a47311dd",
	"darwin-arm64v8":     "8b1933ae6912399902ac901f2633f22c5e92ca81585297ba0e2b835e25208459",
}

// platform names this machine as the archives do.
func platform() string {
	arch := map[string]string{"amd64": "amd64", "arm64": "arm64v8"}[runtime.GOARCH]
	name := runtime.GOOS + "-" + arch
	if musl, _ := filepath.Glob("/lib/ld-musl-*"); len(musl) > 0 {
		name += "-alpine"
	}
	return name
}

// A fetcher gets the programs, once, into a folder of the cache.
type fetcher struct {
	repository string
	cache      string
	log        *slog.Logger
}

func (f fetcher) fetch(ctx context.Context) (programs, error) {
	sum, ok := sums[platform()]
	if !ok {
		return programs{}, fmt.Errorf("there are no programs for %s; install PostgreSQL, or set store.url", platform())
	}
	dir := filepath.Join(f.cache, "postgres-"+fetchedVersion+"-"+platform())
	p := programs{dir: filepath.Join(dir, "bin"), library: filepath.Join(dir, "lib"), major: fetchedMajor}
	if _, err := os.Stat(p.path("postgres")); err == nil {
		return p, nil
	}
	jar, err := f.download(ctx)
	if err != nil {
		return p, err
	}
	if got := sha256.Sum256(jar); hex.EncodeToString(got[:]) != sum {
		return p, fmt.Errorf("%s: its SHA-256 is %x, expected %s", f.address(), got, sum)
	}
	return p, f.install(jar, dir)
}

func (f fetcher) address() string {
	name := "embedded-postgres-binaries-" + platform()
	return fmt.Sprintf("%s/io/zonky/test/postgres/%s/%s/%s-%s.jar", strings.TrimSuffix(f.repository, "/"), name, fetchedVersion, name, fetchedVersion)
}

func (f fetcher) download(ctx context.Context) ([]byte, error) {
	if f.repository == "" {
		return nil, errors.New("no Maven repository is named (FAIRLEAD_POSTGRES_REPOSITORY); install PostgreSQL, or set store.url")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, f.address(), nil)
	if err != nil {
		return nil, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", f.address(), res.Status)
	}
	var jar bytes.Buffer
	progress := &progress{Writer: &jar, log: f.log, size: res.ContentLength}
	f.log.Info("fetching PostgreSQL, once", "version", fetchedVersion, "from", f.address(), "MB", res.ContentLength>>20)
	if _, err := io.Copy(progress, io.LimitReader(res.Body, longestJar)); err != nil {
		return nil, fmt.Errorf("%s: %w", f.address(), err)
	}
	return jar.Bytes(), nil
}

// progress says every second how far a download is.
type progress struct {
	io.Writer
	log        *slog.Logger
	done, size int64
	said       time.Time
}

func (p *progress) Write(b []byte) (int, error) {
	n, err := p.Writer.Write(b)
	p.done += int64(n)
	if p.size > 0 && time.Since(p.said) > time.Second {
		p.said = time.Now()
		p.log.Info("fetching PostgreSQL", "percent", 100*p.done/p.size)
	}
	return n, err
}

// install unpacks the archive into dir: all of it, or nothing.
func (f fetcher) install(jar []byte, dir string) error {
	if err := os.MkdirAll(f.cache, 0o755); err != nil {
		return err
	}
	part, err := os.MkdirTemp(f.cache, "postgres.part.")
	if err != nil {
		return err
	}
	defer os.RemoveAll(part)
	if err := os.Chmod(part, 0o755); err != nil {
		return err
	}
	if err := unpack(jar, part); err != nil {
		return fmt.Errorf("unpack PostgreSQL: %w", err)
	}
	err = os.Rename(part, dir)
	if _, there := os.Stat(filepath.Join(dir, "bin", "postgres")); err != nil && there == nil {
		return nil // another program was faster
	}
	return err
}

// unpack unpacks the tar.xz in a jar.
func unpack(jar []byte, dir string) error {
	archive, err := zip.NewReader(bytes.NewReader(jar), int64(len(jar)))
	if err != nil {
		return err
	}
	for _, entry := range archive.File {
		if !strings.HasSuffix(entry.Name, ".txz") {
			continue
		}
		r, err := entry.Open()
		if err != nil {
			return err
		}
		defer r.Close()
		x, err := xz.NewReader(r, 0)
		if err != nil {
			return err
		}
		return untar(tar.NewReader(x), dir)
	}
	return errors.New("the archive has no .txz")
}

func untar(r *tar.Reader, dir string) error {
	root, err := os.OpenRoot(dir) // nothing gets out of dir, whatever it is called
	if err != nil {
		return err
	}
	defer root.Close()
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := untarEntry(root, h, r); err != nil {
			return fmt.Errorf("%s: %w", h.Name, err)
		}
	}
}

func untarEntry(root *os.Root, h *tar.Header, r io.Reader) error {
	name := filepath.Clean(h.Name)
	switch h.Typeflag {
	case tar.TypeDir:
		return root.MkdirAll(name, 0o755)
	case tar.TypeSymlink:
		return root.Symlink(h.Linkname, name)
	case tar.TypeReg:
		if err := root.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return err
		}
		f, err := root.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, os.FileMode(h.Mode).Perm())
		if err != nil {
			return err
		}
		_, err = io.Copy(f, r)
		return errors.Join(err, f.Close())
	}
	return nil
}
