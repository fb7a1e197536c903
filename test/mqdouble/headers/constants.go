// Package headers makes the C header files that mq-golang is compiled with, for
// tests against the queue-manager double. All constants come from mq-golang's
// own Go sources (Apache License 2.0); structures and prototypes are written by
// hand in types.h beside the shim, and are checked there against the lengths
// among the constants. No header of IBM's client is used or needed.
package headers

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// module is where the constants come from.
const module = "github.com/ibm-messaging/mq-golang/v5"

// Source returns the file of mq-golang that holds the constants, of the version
// that go.mod of the current folder names.
func Source() (string, error) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", module).Output()
	if err != nil {
		return "", fmt.Errorf("find %s: %w", module, err)
	}
	dir := strings.TrimSpace(string(out))
	if dir == "" {
		return "", fmt.Errorf("%s is not downloaded; run: go mod download %s", module, module)
	}
	return filepath.Join(dir, "ibmmq", "cmqc_linux_amd64.go"), nil
}

// A Constant is one constant of the MQI.
type Constant struct {
	Name string
	Type string // int32, string or rune
	Text string // the value as Go writes it
}

// Int returns the value of an integer.
func (c Constant) Int() (int64, bool) {
	n, err := strconv.ParseInt(c.Text, 10, 64)
	return n, err == nil
}

// Read reads the constants of a file of mq-golang, in the order of the file.
func Read(file string) ([]Constant, error) {
	tree, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		return nil, err
	}
	var constants []Constant
	for _, d := range tree.Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok || g.Tok != token.CONST {
			continue
		}
		for _, s := range g.Specs {
			c, err := constant(s.(*ast.ValueSpec))
			if err != nil {
				return nil, err
			}
			constants = append(constants, c)
		}
	}
	return constants, nil
}

func constant(s *ast.ValueSpec) (Constant, error) {
	if len(s.Names) != 1 || len(s.Values) != 1 {
		return Constant{}, fmt.Errorf("constants %v: expected one name and one value", s.Names)
	}
	c := Constant{Name: s.Names[0].Name}
	if t, ok := s.Type.(*ast.Ident); ok {
		c.Type = t.Name
	}
	value := s.Values[0]
	if minus, ok := value.(*ast.UnaryExpr); ok && minus.Op == token.SUB {
		c.Text, value = "-", minus.X
	}
	literal, ok := value.(*ast.BasicLit)
	if !ok {
		return c, fmt.Errorf("constant %s: its value is no literal", c.Name)
	}
	c.Text += literal.Value
	return c, nil
}
