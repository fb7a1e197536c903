// Package templates holds the templates that "fairlead create" scaffolds functions
// from. Each is a real module below go/, where Knative's func finds it, too. A
// module within a module cannot be embedded, so what is embedded is an archive of
// them; "go generate" writes it anew, and a test fails while it is stale.
package templates

import (
	_ "embed"
	"fmt"
	"path"
	"strings"

	"golang.org/x/tools/txtar"
)

//go:generate go run ./generate

// Version is the version of Fairlead that the go.mod of a template requires.
const Version = "v0.1.0"

//go:embed templates.txtar
var archive []byte

// A Template is what a function begins as.
type Template struct {
	Name    string
	Summary string // what its function does, as part of a sentence
	Try     string // a command that calls its function, while "fairlead run" serves it
}

// All returns the templates; the first is for who names none.
func All() []Template {
	const order = `'{"id": "7", "total": 12.5}'`
	return []Template{
		{"http", "answers HTTP requests", `fairlead invoke greeting '{"name": "Ada"}'`},
		{"cloudevents", "takes CloudEvents and answers with others", "fairlead invoke order.received " + order},
		{"mq-trigger", "is called for the messages of an IBM MQ queue", "fairlead invoke order.received --as mq " + order},
		{"stomp-trigger", "is called for the messages of a STOMP queue", "fairlead send broker orders " + order},
		{"amqp-trigger", "is called for the messages of an AMQP 1.0 queue", "fairlead send broker orders " + order},
		{"publish", "stores what it gets and publishes an event, in one transaction", "fairlead invoke order.received " + order},
		{"schedule", "is called by the clock", "fairlead invoke report.build now"},
	}
}

// A File is one file of a template.
type File struct {
	Name string // its path in the folder of the function, with slashes
	Data []byte
}

// Files returns the files of the template of that name.
func Files(name string) ([]File, error) {
	var files []File
	for _, f := range txtar.Parse(archive).Files {
		if rest, ok := strings.CutPrefix(f.Name, path.Join("go", name)+"/"); ok {
			files = append(files, File{rest, f.Data})
		}
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("there is no template %q", name)
	}
	return files, nil
}
