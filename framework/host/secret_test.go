package host

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/admin"
	"github.com/fairlead/fairlead/admin/access"
	"github.com/fairlead/fairlead/connections/memory"
	"github.com/fairlead/fairlead/test/services"
)

// The secrets that the tests must not find anywhere.
const (
	password = "geheim-Wort-1"
	apiKey   = "geheim-Wort-2"
	setting  = "geheim-Wort-3"
)

// TestSecretsAreKept puts objects with secrets in clear into the store, and looks for
// them in all that is emitted, and in the database.
func TestSecretsAreKept(t *testing.T) {
	f := newFleet(t, 2, "connections: {m: {type: memory}}\n")
	b, ctx := f.all[0].edits()
	document := fmt.Sprintf(`
connections: {s: {type: stomp, url: "stomp://127.0.0.1:1", user: u, password: %s}}
security: {partners: {type: apikey, keys: [%s]}}
functions: {f: {settings: {password: %s, region: eu}}}
triggers:
  h: {http: POST /x, function: f, security: [partners]}
  t: {connection: m, queue: in, function: g}
`, password, apiKey, setting)
	dry, err := b.Apply(ctx, admin.Document{Text: document}, admin.ApplyOptions{DryRun: true})
	if err != nil {
		t.Fatal(err)
	}
	applied, err := b.Apply(ctx, admin.Document{Text: document}, admin.ApplyOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(dry.Plan, applied.Plan); diff != "" {
		t.Errorf("what was tried is not what was done (-tried +done):\n%s", diff)
	}
	withKey := func(r *replica, key string) int {
		req := httptest.NewRequest(http.MethodPost, "/x", strings.NewReader("{}"))
		req.Header.Set("X-API-Key", key)
		w := httptest.NewRecorder()
		r.Handle(w, req)
		return w.Code
	}
	f.everywhere("the key opens the door", func(r *replica) bool { return withKey(r, apiKey) == http.StatusNoContent })

	again, err := b.Apply(ctx, admin.Document{Text: document}, admin.ApplyOptions{})
	if err != nil || again.Generation != applied.Generation {
		t.Errorf("the same again made generation %d, error %v", again.Generation, err)
	}
	before := map[*replica]*runningTrigger{}
	for _, r := range f.all {
		before[r] = r.triggers()["t"]
	}
	if err := b.SetSecret(ctx, "security.partners.keys[0]", "another key"); err != nil {
		t.Fatal(err)
	}
	f.everywhere("the new key opens the door, and the old one does not", func(r *replica) bool {
		return withKey(r, "another key") == http.StatusNoContent && withKey(r, apiKey) == http.StatusUnauthorized
	})
	for _, r := range f.all {
		if r.triggers()["t"] != before[r] {
			t.Error("a trigger was restarted that the secret is not about")
		}
	}
	if err := b.SetSecret(ctx, "security.partners.keys[0]", apiKey); err != nil {
		t.Fatal(err)
	}
	secrets, err := b.Secrets(ctx)
	if err != nil || len(secrets) != 3 || secrets[2].Name != "security.partners.keys[0]" || secrets[2].UsedBy[0] != "security.partners" || !secrets[0].Usable {
		t.Errorf("got %+v, error %v", secrets, err)
	}
	if err := b.DeleteSecret(ctx, "connections.s.password"); !errors.Is(err, admin.ErrConflict) {
		t.Errorf("delete a secret that is used: got error %v", err)
	}

	// What is wrong beside a secret is said without it.
	_, err = b.Put(ctx, "connections", "w", fmt.Sprintf("{type: stomp, url: \"stomp://u:%s@\", password: [%s]}", password, password), admin.AnyVersion)
	if err == nil {
		t.Error("a wrong connection: no error")
	}
	emitted := []string{fmt.Sprint(err)}
	for _, r := range f.all {
		r.log.mu.Lock()
		emitted = append(emitted, r.log.text.String())
		r.log.mu.Unlock()
		emitted = append(emitted, pages(t, r)...)
	}
	emitted = append(emitted, tables(t, f)...)
	for _, text := range emitted {
		for _, secret := range []string{password, apiKey, setting, testKey} {
			if strings.Contains(text, secret) {
				t.Errorf("%q is in\n%.2000s", secret, text)
			}
		}
	}
	if err := b.Delete(ctx, "connections", "s", admin.AnyVersion); err != nil {
		t.Fatal(err)
	}
	if secrets, err := b.Secrets(ctx); err != nil || len(secrets) != 2 {
		t.Errorf("the secret of what is gone is still there: %+v, error %v", secrets, err)
	}
}

// pages returns what the management API answers.
func pages(t *testing.T, r *replica) (all []string) {
	t.Helper()
	server := httptest.NewServer(admin.Handler(r.Backend(), access.New(access.Options{Token: "t"})))
	defer server.Close()
	for _, path := range []string{
		"status", "config", "config/connections", "config/connections/s", "config/security", "config/functions", "config/functions/f", "config/triggers", "secrets", "audit",
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/api/v1/"+path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer t")
		resp, err := server.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		if resp.Body.Close(); err != nil || resp.StatusCode != http.StatusOK {
			t.Errorf("%s: got status %d, error %v", path, resp.StatusCode, err)
		}
		all = append(all, path+" "+string(body))
	}
	return all
}

// tables returns the tables of the configuration as text.
func tables(t *testing.T, f *fleet) (all []string) {
	t.Helper()
	db := (&storeRig{t: t, url: f.url}).db()
	for _, table := range []string{"object", "secret", "audit", "config", "pause", "replica"} {
		var text string
		if err := db.QueryRow(t.Context(), `select coalesce(string_agg(r::text, e'\n'), '') from fairlead.`+table+` r`).Scan(&text); err != nil {
			t.Fatal(err)
		}
		all = append(all, table+" "+text)
	}
	return all
}

// TestMasterKeyIsRotated gives a replica a new master key, and wraps the secrets with
// it.
func TestMasterKeyIsRotated(t *testing.T) {
	f := &fleet{t: t, url: services.Postgres(t), broker: new(memory.Broker)}
	const sections = "connections: {m: {type: memory}}\n"
	f.start(sections, nil)
	b, ctx := f.all[0].edits()
	if err := b.SetSecret(ctx, "x", "v"); !errors.Is(err, admin.ErrRefused) || !strings.Contains(err.Error(), "FAIRLEAD_MASTER_KEY") {
		t.Errorf("without a master key: got error %v", err)
	}
	file := filepath.Join(t.TempDir(), "key")
	save(t, file, testKey+"\n")
	r := f.start(sections, map[string]string{"FAIRLEAD_MASTER_KEY_FILE": file, "FAIRLEAD_MASTER_KEY_OLD_FILE": file + ".old"})
	save(t, file+".old", "")
	b, ctx = r.edits()
	if err := b.SetSecret(ctx, "x", "in"); err != nil {
		t.Fatal(err)
	}
	r.put("triggers", "t", `{connection: m, queue: "${secret:x}", function: f}`, admin.NoVersion)
	key := func() string {
		secrets, err := b.Secrets(ctx)
		if err != nil || len(secrets) != 1 {
			t.Fatalf("got %+v, error %v", secrets, err)
		}
		return fmt.Sprint(secrets[0].Key, secrets[0].Usable)
	}
	first := key()
	save(t, file, strings.ToUpper("another master key, of 32 bytes or more"))
	if got := key(); got != strings.Replace(first, "true", "false", 1) {
		t.Errorf("with another key alone: got %s", got)
	}
	if _, err := b.RotateSecrets(ctx); !errors.Is(err, admin.ErrRefused) || !strings.Contains(err.Error(), "FAIRLEAD_MASTER_KEY_OLD") {
		t.Errorf("rotate without the old key: got error %v", err)
	}
	save(t, file+".old", testKey)
	if n, err := b.RotateSecrets(ctx); n != 1 || err != nil {
		t.Errorf("rotated %d secrets, error %v", n, err)
	}
	if err := os.Remove(file + ".old"); err != nil {
		t.Fatal(err)
	}
	if got := key(); got == first || !strings.HasSuffix(got, "true") {
		t.Errorf("after the rotation: got %s", got)
	}
	before := r.triggers()["t"]
	r.put("bindings", "out", "{connection: m}", admin.NoVersion)
	if r.triggers()["t"] != before {
		t.Error("the trigger was restarted, though its secret is the same")
	}
	f.all[0].until("the replica without a key says what it lacks", func() bool {
		return strings.Contains(f.all[0].Backend().Status().Config.Refused, "FAIRLEAD_MASTER_KEY")
	})
}
