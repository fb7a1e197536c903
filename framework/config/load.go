package config

import (
	"fmt"
	"io"
	"maps"
	"os"
	"reflect"
	"slices"

	"github.com/fairlead/fairlead/connections"
)

// Options is what reading a document depends on.
type Options struct {
	// Drivers are the kinds of brokers, by the type that a connection names.
	Drivers map[string]connections.Driver

	// Functions are the names of the functions that there are. Nil: any name
	// will do.
	Functions []string

	// NoPostgres says that this program starts no Postgres of its own: where the
	// document has no store.url there is no store, and what needs one is a problem.
	NoPostgres bool

	// Sink is the function that triggers call which name none, as under "fairlead
	// source": then the document has triggers on brokers only, and no store. Empty:
	// each trigger names a function.
	Sink string

	// LookupEnv reads ${env:NAME}. Nil: os.LookupEnv.
	LookupEnv func(name string) (string, bool)

	// Secret reads ${secret:NAME}. Nil: such a reference is a problem. Its error
	// is shown and holds no secret; what wraps [ErrNotYet] is none, and locks the
	// object that refers to the secret.
	Secret func(name string) (string, error)

	// Objects are added to the document as if they stood in it, where the document
	// has none of the same kind and name. A trigger among them whose function is
	// not there waits for it.
	Objects []Object
}

// Load reads and checks the document in a file. The error is [Problems] if the
// document is wrong; else it says why the file cannot be read.
func Load(path string, o Options) (*Config, error) {
	data, err := ReadFile(path)
	if err != nil {
		return nil, err
	}
	return Parse(data, path, o)
}

// ReadFile returns the text of a document; of one that is longer than any may
// be, no more than [Parse] needs to say so.
func ReadFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxBytes+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return data, nil
}

// Parse reads and checks a document. file is its name in problems, and relative
// paths start at its folder. The error is [Problems].
func Parse(data []byte, file string, o Options) (*Config, error) {
	if o.LookupEnv == nil {
		o.LookupEnv = os.LookupEnv
	}
	r := newReader(file, o)
	c := &Config{File: file}
	if r.root = r.parse(data); r.root != nil {
		r.adopt(o.Objects)
		r.value(r.root, reflect.ValueOf(c).Elem(), "")
		r.failed = maps.Clone(r.wrong)
		r.source(c)
		r.check(c)
	}
	if len(r.found) > 0 {
		return nil, r.sorted()
	}
	c.literals, c.defaults, c.root = r.literals, r.defaults, r.root
	slices.Sort(r.files)
	c.files = slices.Compact(r.files)
	c.shadowed, c.locked, c.secretUsers = r.shadowed, r.locked, r.secretUsers
	c.setDefaults()
	r.park(c)
	c.Store.None = c.Store.None || r.noURL(c)
	return c, nil
}

// A reader reads one document, or one Node of it. It collects problems and goes
// on.
type reader struct {
	problems
	options  Options
	lenient  bool           // a Node for a type that is not ours: no key is required, zero is a value like others
	root     *node          // the document
	failed   map[*node]bool // what could not be decoded, and what it is part of
	literals []string       // see Config.Literals
	defaults []string       // see Config.SecretDefaults
	files    []string       // see Config.Files
	deferred bool           // references stay as they are

	shadowed    []string            // see Config.Shadowed
	locked      map[string]string   // see Config.Locked; by path
	unknown     map[*node]bool      // objects of which not all is known yet: problems with them are not reported
	secretUsers map[string][]string // see Config.SecretUsers
}

func newReader(file string, o Options) *reader {
	unknown := make(map[*node]bool)
	return &reader{
		problems: problems{file: file, wrong: make(map[*node]bool), said: make(map[string]bool), mute: unknown}, options: o,
		locked: make(map[string]string), unknown: unknown, secretUsers: make(map[string][]string),
	}
}
