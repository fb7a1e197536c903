package host

import (
	"context"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/outbox"
	"github.com/fairlead/fairlead/test/services"
)

// What schemathesis checks. It leaves out two things that the API means otherwise:
// null for a member of an object is as good as leaving the member out, and what a
// schema allows may still be refused for what it says.
const apiChecks = "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance," +
	"response_schema_conformance,missing_required_header,unsupported_method,allow_header_conformance,ignored_auth"

// The driver in memory neither counts nor shows what waits in a queue, and says so
// with 501.
const apiSettings = `
[[operations]]
include-path-regex = "/queues/"
checks.not_a_server_error.expected-statuses = ["2xx", "4xx", 501]
parameters = { name = "x", queue = "in" }
`

// What everything is called that there is, so that requests find it.
const apiNames = `
[[operations]]
include-path-regex = "/(bindings|functions|triggers|topics|secrets|connections/[^/]*/p)"
parameters = { name = "x", subscription = "x" }

[[operations]]
include-path-regex = "/config/"
parameters = { kind = "triggers", name = "y" }

[[operations]]
include-path-regex = "/deadletters/.id"
parameters = { "path.id" = "1" }

[[operations]]
include-path-regex = "/accounts/"
parameters = { name = "jane" }
`

func TestTheManagementAPIIsAsItsDocumentSays(t *testing.T) {
	services.Schemathesis(t)
	for name, tt := range map[string]struct {
		settings string
		phases   string
	}{
		"any names":   {apiSettings, "examples,coverage"},
		"known names": {apiSettings + apiNames, "fuzzing"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFleet(t, 0, "")
			r := f.start("connections: {x: {type: memory}}\ntriggers: {x: {connection: x, queue: in, function: x}}\nbindings: {x: {connection: x}}\n",
				map[string]string{"FAIRLEAD_MASTER_KEY": testKey}, "x")
			store, err := r.Store(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for range 3 {
				err := store.Bury(t.Context(), outbox.Letter{
					Trigger: "x", Function: "x", Connection: "x", Destination: "in", Cause: "no", Attempts: 5, First: time.Now(), Last: time.Now(),
					Message: connections.Message{Body: []byte{0xff}, Header: map[string]any{"a": 1}},
				})
				if err != nil {
					t.Fatal(err)
				}
			}
			conform(t, r.host, tt.settings, tt.phases)
		})
	}
}

// conform runs schemathesis on the management API of a host.
func conform(t *testing.T, h *host, settings, phases string) {
	const token = "the token of this test"
	server := httptest.NewUnstartedServer(nil)
	a := h.newAccess(h.config.Load(), token, server.Listener.Addr())
	pages := h.newDashboard(a)
	t.Cleanup(pages.Close)
	server.Config.Handler = h.management(a, pages)
	server.Start()
	t.Cleanup(server.Close)

	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "schemathesis.toml"), []byte(settings), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, services.Schemathesis(t), "run", server.URL+"/openapi.json", "--header", "Authorization: Bearer "+token,
		"--phases", phases, "--max-examples", "5", "--suppress-health-check", "too_slow", "--checks", apiChecks, "--seed", "1", "--no-color", "--request-timeout", "60",
		"--exclude-operation-id", "postConnectionsNameReceive") // it receives until its client hangs up
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
