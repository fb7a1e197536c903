package host

import (
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/fairlead/fairlead/admin"
	"github.com/fairlead/fairlead/admin/access"
	"github.com/fairlead/fairlead/framework"
)

// served returns how the CLI finds the management API of a host that runs sections.
func served(t *testing.T, r *rig, sections string) ServerFile {
	t.Helper()
	cfg := r.parse("version: 1\nstore: none\n" + sections)
	cfg.File = filepath.Join(t.TempDir(), "fairlead.yaml")
	if err := r.Apply(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	failed := make(chan error, 1)
	a, err := r.serveAdmin(cfg, failed)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		a.close()
		if err := <-failed; !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("served until %v", err)
		}
	})
	if err := a.tell(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(a.file)
	if err != nil {
		t.Fatal(err)
	}
	var f ServerFile
	if err := json.Unmarshal(data, &f); err != nil {
		t.Fatal(err)
	}
	return f
}

func TestTheManagementAPIOnTLS(t *testing.T) {
	dir := t.TempDir()
	writePair(t, dir, "admin")
	writePair(t, dir, "other")
	r := newRig(t, framework.Functions{"f": framework.Sink(nothing)})
	f := served(t, r, "admin: {listen: \"0.0.0.0:0\", tls: {cert: "+filepath.Join(dir, "admin.pem")+", key: "+filepath.Join(dir, "admin-key.pem")+"}}\n")
	s, err := f.Client().Session(t.Context())
	if err != nil || s != (admin.Session{Name: "local", Role: access.Admin, Kind: access.Local}) {
		t.Errorf("got %+v, %v", s, err)
	}
	if link, err := f.Client().Link(t.Context()); err != nil || len(link) < len(f.URL)+40 {
		t.Errorf("got link %q, %v", link, err)
	}
	f.Cert = filepath.Join(dir, "other.pem")
	if _, err := f.Client().Session(t.Context()); err == nil {
		t.Error("the client trusts a server with another certificate than it was told of")
	}
}

func TestWhatEverybodyMayRead(t *testing.T) {
	r := newRig(t, framework.Functions{"f": framework.Sink(nothing)})
	f := served(t, r, "admin: {listen: \"127.0.0.1:0\"}\n")
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	for path, want := range map[string]int{
		"/openapi.json": 200, "/signin": 200, "/static/app.css": 200, "/": 303, "/topics": 303, "/live?page=/": 303,
		"/api/v1/status": 401, "/api/v1/nothing": 401, "/metrics": 401,
	} {
		resp, err := client.Get(f.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("%s: got %d, want %d", path, resp.StatusCode, want)
		}
	}
}
