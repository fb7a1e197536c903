package fairlead_test

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/connections/drivers"
	"github.com/fairlead/fairlead/framework/config"
)

// markdown returns the pages of the repository, by path.
func markdown(t *testing.T) map[string]string {
	t.Helper()
	pages := make(map[string]string)
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != "." && strings.HasPrefix(d.Name(), "."):
			return filepath.SkipDir
		case filepath.Ext(path) == ".md":
			pages[path] = read(t, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range []string{"README.md", filepath.Join("docs", "configuration.md")} {
		if pages[page] == "" {
			t.Fatalf("found no %s in %v", page, slices.Sorted(maps.Keys(pages)))
		}
	}
	return pages
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// A block is the text between two fences, and the line that it begins at.
type block struct {
	text string
	line int
}

// blocks returns the fenced blocks of a page that are in that language.
func blocks(page, language string) []block {
	var found []block
	lines := strings.Split(page, "\n")
	for i := 0; i < len(lines); i++ {
		fence, ok := strings.CutPrefix(lines[i], "```")
		if !ok {
			continue
		}
		first := i + 1
		for i = first; i < len(lines) && lines[i] != "```"; i++ {
		}
		if fence == language {
			found = append(found, block{strings.Join(lines[first:min(i, len(lines))], "\n") + "\n", first + 1})
		}
	}
	return found
}

// withoutComments returns text from its first line that is neither empty nor a
// comment.
func withoutComments(text, comment string) string {
	for line := range strings.Lines(text) {
		if s := strings.TrimSpace(line); s != "" && !strings.HasPrefix(s, comment) {
			return text
		}
		text = text[len(line):]
	}
	return text
}

var fileReference = regexp.MustCompile(`\$\{file:([^}]+)\}`)

// parse reads a document in an environment where every variable is set and
// empty, but passwords, and every relative file that it refers to exists.
func parse(t *testing.T, document string, o config.Options) error {
	t.Helper()
	dir := t.TempDir()
	for _, m := range fileReference.FindAllStringSubmatch(document, -1) {
		path := filepath.Join(dir, m[1])
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("secret"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	o.Drivers = drivers.All()
	o.LookupEnv = func(name string) (string, bool) {
		if strings.HasSuffix(name, "PASSWORD") {
			return "secret", true
		}
		return "", true
	}
	_, err := config.Parse([]byte(document), filepath.Join(dir, "fairlead.yaml"), o)
	return err
}

func TestDocumentsInTheDocsLoad(t *testing.T) {
	loaded := 0
	for path, page := range markdown(t) {
		for _, b := range blocks(page, "yaml") {
			if !strings.HasPrefix(withoutComments(b.text, "#"), "version: 1") {
				continue
			}
			loaded++
			if err := parse(t, b.text, config.Options{}); err != nil {
				t.Errorf("%s, document at line %d: %v", path, b.line, err)
			}
		}
	}
	if loaded == 0 {
		t.Error("found no document")
	}
}

func TestConfigurationsLoadWithTheExampleFunctions(t *testing.T) {
	paths, err := filepath.Glob(filepath.Join("examples", "*.yaml"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("examples: found %d configurations, error %v", len(paths), err)
	}
	for _, path := range append(paths, "fairlead.yaml") {
		if err := parse(t, read(t, path), config.Options{Functions: fairlead.New().Functions()}); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// keyTables are the headings of docs/configuration.md above the tables with the
// keys of each part of the document.
var keyTables = map[string][]string{
	"top level":          {"Top level"},
	"connections amqp":   {"Connections", "Connections of type amqp", "TLS"},
	"connections stomp":  {"Connections", "Connections of type stomp", "TLS"},
	"connections memory": {"Connections", "Connections of type memory"},
	"connections mq":     {"Connections", "Connections of type mq"},
	"triggers":           {"Triggers"},
	"bindings":           {"Bindings"},
	"security apikey":    {"Security", "Security of type apikey"},
	"security basic":     {"Security", "Security of type basic"},
	"security jwt":       {"Security", "Security of type jwt"},
	"security mtls":      {"Security", "Security of type mtls"},
	"functions":          {"Functions"},
	"examples":           {"Examples"},
}

func TestConfigurationPageHasEveryKeyAndNoOther(t *testing.T) {
	documented := documentedKeys(read(t, filepath.Join("docs", "configuration.md")))
	accepted := acceptedKeys(t)
	if diff := cmp.Diff(slices.Sorted(maps.Keys(keyTables)), slices.Sorted(maps.Keys(accepted))); diff != "" {
		t.Errorf("parts of the document (-documented +accepted):\n%s", diff)
	}
	for part, want := range accepted {
		var got []string
		for _, heading := range keyTables[part] {
			got = append(got, documented[heading]...)
		}
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("keys of %s (-accepted +documented):\n%s", part, diff)
		}
	}
}

var keyRow = regexp.MustCompile("^\\| `([a-zA-Z.]+)` \\|")

// documentedKeys returns the keys in the tables that begin with "key", by the
// headings above them.
func documentedKeys(page string) map[string][]string {
	keys := make(map[string][]string)
	var heading string
	table := false
	for line := range strings.Lines(page) {
		switch m := keyRow.FindStringSubmatch(line); {
		case strings.HasPrefix(line, "#"):
			heading = strings.TrimSpace(strings.TrimLeft(line, "#"))
		case strings.HasPrefix(line, "| key |"):
			table = true
		case !strings.HasPrefix(line, "|"):
			table = false
		case table && m != nil:
			keys[heading] = append(keys[heading], m[1])
		}
	}
	return keys
}

// A schema is the part of a JSON Schema that says what the keys are.
type schema struct {
	Properties           map[string]*schema
	AdditionalProperties json.RawMessage // a schema, or false
	AnyOf                []*schema
	AllOf                []struct{ Then *schema }
	Const                string
}

// acceptedKeys returns the keys of each part of the document as the schema has
// them, those of inner maps with a dot, sorted.
func acceptedKeys(t *testing.T) map[string][]string {
	t.Helper()
	var root schema
	if err := json.Unmarshal(config.Schema(drivers.All()), &root); err != nil {
		t.Fatal(err)
	}
	keys := make(map[string][]string)
	for _, section := range []string{"connections", "triggers", "bindings", "functions", "security", "examples"} {
		item := new(schema)
		if err := json.Unmarshal(root.Properties[section].AdditionalProperties, item); err != nil {
			t.Fatalf("schema of %s: %v", section, err)
		}
		for _, variant := range item.AllOf {
			keys[section+" "+variant.Then.Properties["type"].Const] = variant.Then.keys()
		}
		if len(item.AllOf) == 0 {
			keys[section] = item.keys()
		}
	}
	keys["top level"] = root.keys()
	return keys
}

func (s *schema) keys() []string {
	var keys []string
	for name, p := range s.Properties {
		if len(p.AnyOf) > 0 && len(p.AnyOf[0].Properties) > 0 { // a map that has a short form: the key alone
			keys = append(keys, name)
			p = p.AnyOf[0]
		}
		if len(p.Properties) == 0 {
			keys = append(keys, name)
		}
		for _, inner := range p.keys() {
			keys = append(keys, name+"."+inner)
		}
	}
	slices.Sort(keys)
	return keys
}

var (
	link   = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	inCode = regexp.MustCompile("`[^`]*`")
)

func TestLinksLeadToFiles(t *testing.T) {
	for path, page := range markdown(t) {
		for n, line := range strings.Split(page, "\n") {
			for _, m := range link.FindAllStringSubmatch(inCode.ReplaceAllString(line, ""), -1) {
				u, err := url.Parse(m[1])
				if err != nil {
					t.Errorf("%s:%d: link %s: %v", path, n+1, m[1], err)
				} else if u.Scheme == "" && u.Path != "" {
					if _, err := os.Stat(filepath.Join(filepath.Dir(path), filepath.FromSlash(u.Path))); err != nil {
						t.Errorf("%s:%d: link %s: %v", path, n+1, m[1], err)
					}
				}
			}
		}
	}
}

var declaration = regexp.MustCompile(`^(package|import|const|var|type|func)\b`)

func TestGoInTheDocsParses(t *testing.T) {
	parsed := 0
	for path, page := range markdown(t) {
		for _, b := range blocks(page, "go") {
			source := withoutComments(b.text, "//")
			if !declaration.MatchString(source) {
				continue
			}
			parsed++
			if !strings.HasPrefix(source, "package") {
				source = "package docs; " + source
			}
			if _, err := parser.ParseFile(token.NewFileSet(), "", source, parser.AllErrors); err != nil {
				t.Errorf("%s, block at line %d: %v", path, b.line, err)
			}
		}
	}
	if parsed == 0 {
		t.Error("found no declaration")
	}
}

// documentedPackages are those whose names the docs use, by their import names.
var documentedPackages = map[string]string{
	"framework":     "framework",
	"frameworktest": filepath.Join("framework", "frameworktest"),
	"host":          filepath.Join("framework", "host"),
}

var qualified = regexp.MustCompile(`\b(framework|frameworktest|host)\.([A-Z]\w*)`)

func TestNamesInTheDocsExist(t *testing.T) {
	exported := make(map[string]map[string]bool)
	for name, dir := range documentedPackages {
		exported[name] = exportedNames(t, dir)
	}
	for path, page := range markdown(t) {
		for n, line := range strings.Split(page, "\n") {
			for _, m := range qualified.FindAllStringSubmatch(line, -1) {
				if !exported[m[1]][m[2]] {
					t.Errorf("%s:%d: %s does not exist", path, n+1, m[0])
				}
			}
		}
	}
}

// exportedNames returns what a package declares for others; methods are in it by
// their own names, as in Host.Apply.
func exportedNames(t *testing.T, dir string) map[string]bool {
	t.Helper()
	names := make(map[string]bool)
	eachGoFile(t, func(path string, f *ast.File, _ *token.FileSet) {
		if filepath.Dir(filepath.FromSlash(path)) != dir || strings.HasSuffix(path, "_test.go") {
			return
		}
		for _, d := range f.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Recv == nil {
					names[d.Name.Name] = true
				}
			case *ast.GenDecl:
				for _, s := range d.Specs {
					switch s := s.(type) {
					case *ast.TypeSpec:
						names[s.Name.Name] = true
					case *ast.ValueSpec:
						for _, n := range s.Names {
							names[n.Name] = true
						}
					}
				}
			}
		}
	})
	return names
}
