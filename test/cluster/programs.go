package cluster

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// A source is a module beside this package, and what is built from it.
type source struct {
	dir      string
	ldflags  string
	packages []string // each becomes a program of the same name
}

// kubernetesVersion makes programs say which Kubernetes they are: a client does
// not understand one that does not know.
const kubernetesVersion = "-X k8s.io/component-base/version.gitVersion=v1.36.3 -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=36"

var (
	etcd       = source{"etcd", "", []string{"."}}
	kubernetes = source{"kubernetes", kubernetesVersion, []string{"k8s.io/kubernetes/cmd/kube-apiserver", "k8s.io/kubernetes/cmd/kube-controller-manager", "k8s.io/kubernetes/cmd/kubectl"}}
	keda       = source{"keda", "", []string{"github.com/kedacore/keda/v2/cmd/operator", "github.com/kedacore/keda/v2/cmd/adapter"}}
	fairlead   = source{"../..", "", []string{"github.com/fairlead/fairlead/cmd/fairlead"}}
)

// cacheFolder is where programs are kept, as those of package services.
func cacheFolder() (string, error) {
	if dir := os.Getenv("FAIRLEAD_TEST_CACHE"); dir != "" {
		return filepath.Abs(dir)
	}
	dir, err := os.UserCacheDir()
	return filepath.Join(dir, "fairlead-test"), err
}

// need builds the programs of a source, unless they are in the cache.
func (c *cluster) need(t testing.TB, s source) error {
	t.Helper()
	cache, err := cacheFolder()
	if err != nil {
		return err
	}
	dir, err := s.build(t, filepath.Join(cache, "cluster"))
	if err != nil {
		return fmt.Errorf("build %v: %w", s.packages, err)
	}
	c.path = append(c.path, dir)
	return nil
}

// build returns the folder with the programs of a source.
func (s source) build(t testing.TB, cache string) (string, error) {
	t.Helper()
	key, err := s.key()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, filepath.Base(s.dir)+"-"+key)
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	begin := time.Now()
	unfinished := fmt.Sprint(dir, ".", os.Getpid())
	defer os.RemoveAll(unfinished)
	if err := os.MkdirAll(unfinished, 0o755); err != nil {
		return "", err
	}
	fmt.Printf("building %v; this is done once, and takes minutes\n", s.packages)
	if _, err := s.compile(t.Context(), unfinished); err != nil {
		return "", err
	}
	t.Logf("built %v in %v", s.packages, time.Since(begin).Round(time.Second))
	return dir, os.Rename(unfinished, dir)
}

// key identifies the programs of a source by all that they are built from.
func (s source) key() (string, error) {
	sum := sha256.New()
	fmt.Fprintln(sum, s.ldflags, s.packages)
	for _, name := range []string{"go.mod", "go.sum"} {
		text, err := os.ReadFile(filepath.Join(s.dir, name))
		if err != nil {
			return "", err
		}
		sum.Write(text)
	}
	return fmt.Sprintf("%x", sum.Sum(nil))[:12], nil
}

// compile builds the programs into a folder, and returns it.
func (s source) compile(ctx context.Context, into string) (string, error) {
	args := []string{"build", "-trimpath", "-ldflags=-s -w " + s.ldflags, "-o", into + string(filepath.Separator)}
	cmd := exec.CommandContext(ctx, "go", append(args, s.packages...)...)
	cmd.Dir = s.dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	return into, nil
}
