package host

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/fairlead/fairlead/framework/config"
)

// defaultFile is the configuration that is read where none is named.
const defaultFile = "fairlead.yaml"

// read finds and reads the configuration: the file that FAIRLEAD_CONFIG names,
// in env or the environment, or ./fairlead.yaml; without either, an empty one.
func (h *host) read(env map[string]string) (*config.Config, error) {
	path, named := env["FAIRLEAD_CONFIG"]
	if !named {
		path = os.Getenv("FAIRLEAD_CONFIG")
	}
	return h.readFile(path, func(name string) (string, bool) {
		if v, ok := env[name]; ok {
			return v, true
		}
		return os.LookupEnv(name)
	})
}

func (h *host) readFile(path string, lookup func(string) (string, bool)) (*config.Config, error) {
	named := path != ""
	if !named {
		path = defaultFile
	}
	h.origin = origin{path, lookup}
	d, err := h.readDocument()
	if errors.Is(err, fs.ErrNotExist) && !named {
		d, err = noDocument, nil
	}
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	cfg, err := h.compose(d, nil)
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	h.sources.base = d
	return cfg, nil
}

// An origin is where the configuration is read from.
type origin struct {
	path   string
	lookup func(string) (string, bool) // of environment variables; nil: os.LookupEnv
}
