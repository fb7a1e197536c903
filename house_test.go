package fairlead_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const module = "github.com/fairlead/fairlead"

// A listed package, as "go list" describes it.
type listed struct {
	ImportPath string
	Dir        string
	Doc        string
	Imports    []string
}

func packages(t *testing.T) []listed {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Dir,Doc,Imports", "./...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []listed
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

func TestEveryPackageHasADocSentence(t *testing.T) {
	for _, p := range packages(t) {
		if p.Doc == "" || !strings.HasSuffix(strings.TrimSpace(p.Doc), ".") {
			t.Errorf("%s: doc %q, want a sentence that says what the package provides", p.ImportPath, p.Doc)
		}
	}
}

// vague are names that say nothing about what a package provides.
var vague = regexp.MustCompile(`^(util|utils|common|types|pkg|helper|helpers|misc|base)$`)

func TestPackagesAreNamedForWhatTheyProvide(t *testing.T) {
	for _, p := range packages(t) {
		if vague.MatchString(filepath.Base(p.ImportPath)) {
			t.Errorf("%s: the name says nothing", p.ImportPath)
		}
	}
}

func isDriver(path string) bool {
	rest, ok := strings.CutPrefix(path, module+"/connections/")
	return ok && !strings.HasPrefix(rest, "connectiontest") && rest != "drivers"
}

func top(path string) string {
	rest, _, _ := strings.Cut(strings.TrimPrefix(path, module+"/"), "/")
	return rest
}

// forbidden says why from may not import to, or nothing.
func forbidden(from, to string) string {
	switch {
	case !strings.HasPrefix(to, module+"/"):
		return ""
	case from == module+"/framework":
		return "framework imports nothing of ours"
	case isDriver(from) && isDriver(to):
		if a, b := driverFolder(from), driverFolder(to); a != b {
			return "a driver never imports another"
		}
	case isDriver(from) && (top(to) == "triggers" || to == module+"/framework/host"):
		return "a driver knows neither the engine nor the host"
	case isDriver(to) && (top(from) == "triggers" || top(from) == "bindings" || top(from) == "outbox" || top(from) == "admin"):
		return "only the list of drivers imports drivers"
	case to == module+"/connections/drivers" && from != module+"/framework/host" && top(from) != "cmd" && top(from) != "test":
		return "the list of drivers is for the host, the CLI and tests"
	}
	return ""
}

func driverFolder(path string) string {
	rest, _, _ := strings.Cut(strings.TrimPrefix(path, module+"/connections/"), "/")
	return rest
}

func TestImportRules(t *testing.T) {
	for _, p := range packages(t) {
		for _, to := range p.Imports {
			if why := forbidden(p.ImportPath, to); why != "" {
				t.Errorf("%s imports %s: %s", p.ImportPath, to, why)
			}
		}
	}
}

func TestFrameworkStaysSmall(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-f", `{{join .Imports "\n"}}`, module+"/framework").Output()
	if err != nil {
		t.Fatal(err)
	}
	for path := range strings.Lines(string(out)) {
		path = strings.TrimSpace(path)
		if strings.Contains(path, ".") && path != "github.com/cloudevents/sdk-go/v2/event" && path != "github.com/jackc/pgx/v5" {
			t.Errorf("framework imports %s", path)
		}
	}
}

// heavy are packages that cost start-up time; the host must not link them.
// (Kerberos is none of them: TestStartUpCost of connections/amqp measures it.)
var heavy = []string{"github.com/santhosh-tekuri/jsonschema", "google.golang.org/grpc", "github.com/coreos/go-oidc", "github.com/fergusstrange", "github.com/spf13/cobra"}

func TestTheHostLinksNothingHeavy(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", module+"/framework/host").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range heavy {
		if bytes.Contains(out, []byte(h)) {
			t.Errorf("framework/host links %s", h)
		}
	}
}

// largestFunction is how many bytes the compiler may make of a package that only
// composes functions: more means that it compiles parts of the host for each (see
// host.Host).
const largestFunction = 1 << 20

func TestFunctionsCompileFast(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-export", "-f", "{{.Export}}", module).Output()
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(strings.TrimSpace(string(out)))
	if err != nil {
		t.Fatal(err)
	}
	if info.Size() > largestFunction {
		t.Errorf("%s compiles to %d bytes, want at most %d", module, info.Size(), largestFunction)
	}
}

// brands are names of brokers; they belong into their drivers' folders.
var brands = regexp.MustCompile(`(?i)artemis|activemq|rabbitmq|qpid`)

// brandsAllowed are the folders and files that may name a broker.
var brandsAllowed = regexp.MustCompile(`^(connections/[a-z]+|test|examples|cmd|docs|house_test\.go)(/|$)`)

func TestBrandsStayInTheirFolders(t *testing.T) {
	eachGoFile(t, func(path string, f *ast.File, fset *token.FileSet) {
		if brandsAllowed.MatchString(path) {
			return
		}
		ast.Inspect(f, func(n ast.Node) bool { // code, not comments
			switch n := n.(type) {
			case *ast.Ident:
				if brands.MatchString(n.Name) {
					t.Errorf("%s: %s names a broker", fset.Position(n.Pos()), n.Name)
				}
			case *ast.BasicLit:
				if brands.MatchString(n.Value) {
					t.Errorf("%s: %s names a broker", fset.Position(n.Pos()), n.Value)
				}
			}
			return true
		})
	})
}

func TestNoInit(t *testing.T) {
	eachGoFile(t, func(path string, f *ast.File, fset *token.FileSet) {
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
				t.Errorf("%s: registries are values, not init()", fset.Position(fn.Pos()))
			}
		}
	})
}

// eachGoFile parses every Go file of the repository; path is relative to its root.
func eachGoFile(t *testing.T, see func(path string, f *ast.File, fset *token.FileSet)) {
	t.Helper()
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && path != "." && strings.HasPrefix(d.Name(), ".") {
			return filepath.SkipDir
		}
		if filepath.Ext(path) != ".go" {
			return nil
		}
		fset := token.NewFileSet()
		f, err := parser.ParseFile(fset, path, nil, 0)
		if err != nil {
			return err
		}
		see(filepath.ToSlash(path), f, fset)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
