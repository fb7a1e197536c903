package dockerfile

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

func read(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// parse reads a Dockerfile as BuildKit does.
func parse(t *testing.T, text []byte) ([]instructions.Stage, error) {
	t.Helper()
	result, err := parser.Parse(bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	stages, _, err := instructions.Parse(result.AST, nil)
	return stages, err
}

// TestDockerfiles checks that BuildKit reads them, and what the last stage is: not
// root, without a shell, stopped in a way that lets the program drain.
func TestDockerfiles(t *testing.T) {
	for _, name := range []string{"Dockerfile", "Dockerfile.mq"} {
		stages, err := parse(t, read(t, filepath.Join("../..", name)))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var user, stop string
		last := stages[len(stages)-1]
		for _, command := range last.Commands {
			switch c := command.(type) {
			case *instructions.UserCommand:
				user = c.User
			case *instructions.StopSignalCommand:
				stop = c.Signal
			case *instructions.CopyCommand:
				if c.From != "" && !slices.ContainsFunc(stages, func(s instructions.Stage) bool { return s.Name == c.From }) {
					t.Errorf("%s copies from %s, which is no stage", name, c.From)
				}
			case *instructions.RunCommand:
				t.Errorf("%s runs %v in an image without a shell", name, c.CmdLine)
			}
		}
		if user != "65532:65532" || stop != "SIGTERM" || !strings.Contains(last.BaseName, "distroless") {
			t.Errorf("%s: user %q, stop signal %q, on %s", name, user, stop, last.BaseName)
		}
	}
}

// TestBrokenDockerfiles checks that the parser notices.
func TestBrokenDockerfiles(t *testing.T) {
	text := read(t, "../../Dockerfile")
	for from, to := range map[string]string{
		"ENTRYPOINT": "ENTRYPOIN", "STOPSIGNAL SIGTERM": "STOPSIGNAL", "FROM gcr.io": "FROM a b gcr.io", "COPY --from=build /out/app /app": "COPY --form=build /out/app /app",
	} {
		broken := bytes.Replace(text, []byte(from), []byte(to), 1)
		if bytes.Equal(broken, text) {
			t.Fatalf("the Dockerfile has no %s", from)
		}
		if _, err := parse(t, broken); err == nil {
			t.Errorf("nobody noticed %s", to)
		}
	}
}

// TestTemplatesHaveTheSame checks that each template has the Dockerfile of the
// repository, or for IBM MQ the other one.
func TestTemplatesHaveTheSame(t *testing.T) {
	folders, err := filepath.Glob("../../templates/go/*/go.mod")
	if err != nil || len(folders) == 0 {
		t.Fatalf("found %d templates, error %v", len(folders), err)
	}
	for _, mod := range folders {
		name := "Dockerfile"
		if filepath.Base(filepath.Dir(mod)) == "mq-trigger" {
			name = "Dockerfile.mq"
		}
		for _, name := range []string{name, ".dockerignore"} {
			if path := filepath.Join(filepath.Dir(mod), name); !bytes.Equal(read(t, path), read(t, filepath.Join("../..", name))) {
				t.Errorf("%s is not the one of the repository: copy it, and go generate ./templates", path)
			}
		}
	}
}
