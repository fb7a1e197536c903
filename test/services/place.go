package services

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
)

// Ports stay below the range that Linux takes outgoing connections' ports from:
// otherwise one of those can hold a port that a broker wants, or a loop that
// waits for a port can connect to itself and call it open.
const (
	defaultBase   = 17000
	sharedPorts   = 3000 // the shared services have base to base+sharedPorts
	privatePorts  = 1000 // those of tests' own follow, at least so many
	lastBase      = firstOutgoing - sharedPorts - privatePorts
	firstOutgoing = 32768
)

// place says which ports the services of one block use, and where they keep
// what is installed for them and what they write while they run.
type place struct {
	base  int
	cache string
	run   string
}

// here returns the place that the environment names: FAIRLEAD_TEST_PORTS (the
// first port), FAIRLEAD_TEST_CACHE and FAIRLEAD_TEST_RUN (folders). The default
// run folder is not in the repository because PostgreSQL, which refuses to be
// root, could often not look into it there.
func here() (place, error) {
	p := place{base: defaultBase, cache: os.Getenv("FAIRLEAD_TEST_CACHE"), run: os.Getenv("FAIRLEAD_TEST_RUN")}
	if text := os.Getenv("FAIRLEAD_TEST_PORTS"); text != "" {
		base, err := strconv.Atoi(text)
		if err != nil || base < 1024 || base > lastBase {
			return place{}, fmt.Errorf("FAIRLEAD_TEST_PORTS is %q: want the first port of a block, 1024 to %d", text, lastBase)
		}
		p.base = base
	}
	if p.cache == "" {
		dir, err := os.UserCacheDir()
		if err != nil {
			return place{}, fmt.Errorf("find a folder for downloads: %w; or set FAIRLEAD_TEST_CACHE", err)
		}
		p.cache = filepath.Join(dir, "fairlead-test")
	}
	if p.run == "" {
		p.run = filepath.Join(os.TempDir(), fmt.Sprintf("fairlead-services-%d-%d", os.Getuid(), p.base))
	}
	return p, p.absolute()
}

// absolute makes the folders absolute: services run with another working
// directory than the command that starts them.
func (p *place) absolute() error {
	for _, dir := range []*string{&p.cache, &p.run} {
		abs, err := filepath.Abs(*dir)
		if err != nil {
			return err
		}
		*dir = abs
	}
	return nil
}

func (p place) certs() string { return filepath.Join(p.run, "certs") }
