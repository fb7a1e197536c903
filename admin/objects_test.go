package admin_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/admin"
	"github.com/fairlead/fairlead/admin/access"
)

// An editor is a ConfigEditor that notes what it is asked and by whom, and returns
// err.
type editor struct {
	asked []string
	err   error
}

func (e *editor) note(ctx context.Context, format string, args ...any) error {
	e.asked = append(e.asked, access.From(ctx).Name+" "+fmt.Sprintf(format, args...))
	return e.err
}

func (e *editor) Put(ctx context.Context, kind, name, text string, version int64) (admin.Object, error) {
	return admin.Object{Kind: kind, Name: name, Version: 7, Text: text}, e.note(ctx, "put %s %s %q %d", kind, name, text, version)
}

func (e *editor) Delete(ctx context.Context, kind, name string, version int64) error {
	return e.note(ctx, "delete %s %s %d", kind, name, version)
}

func (e *editor) Apply(ctx context.Context, d admin.Document, o admin.ApplyOptions) (admin.Applied, error) {
	return admin.Applied{Generation: 3, Objects: []admin.Result{{Kind: "triggers", Name: "t", Action: admin.Created, Version: 3}}}, e.note(ctx, "apply %+v %+v", d, o)
}

func (e *editor) SetPassword(ctx context.Context, connection, password string) error {
	return e.note(ctx, "password %s %s", connection, password)
}

func (e *editor) Secrets(ctx context.Context) ([]admin.Secret, error) {
	return []admin.Secret{{Name: "x", By: "jane", Usable: true, UsedBy: []string{"connections.a"}}}, e.note(ctx, "secrets")
}

func (e *editor) SetSecret(ctx context.Context, name, value string) error {
	return e.note(ctx, "secret %s %s", name, value)
}

func (e *editor) DeleteSecret(ctx context.Context, name string) error {
	return e.note(ctx, "forget %s", name)
}

func (e *editor) RotateSecrets(ctx context.Context) (int, error) { return 4, e.note(ctx, "rotate") }

func (e *editor) Audit(ctx context.Context, f admin.AuditFilter, before int64, limit int) (admin.AuditPage, error) {
	return admin.AuditPage{Entries: []admin.AuditEntry{{ID: 5, Actor: "jane"}}, Next: 5}, e.note(ctx, "audit %+v %d %d", f, before, limit)
}

// TestEditor asks for each change through the client.
func TestEditor(t *testing.T) {
	e := &editor{}
	c := serve(t, &fake{ConfigEditor: e})
	ctx := t.Context()
	since := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	o, err := c.Put(ctx, "triggers", "a b/c", "queue: \"in\"\n", admin.NoVersion)
	if diff := cmp.Diff(admin.Object{Kind: "triggers", Name: "a b/c", Version: 7, Text: "queue: \"in\"\n"}, o); err != nil || diff != "" {
		t.Errorf("put: error %v (-want +got):\n%s", err, diff)
	}
	_, second := c.Put(ctx, "triggers", "t", "{}", 7)
	_, third := c.Put(ctx, "triggers", "t", "{}", admin.AnyVersion)
	a, fourth := c.Apply(ctx, admin.Document{File: "f", Text: "version: 1"}, admin.ApplyOptions{Prune: true, DryRun: true})
	secrets, fifth := c.Secrets(ctx)
	n, sixth := c.RotateSecrets(ctx)
	page, seventh := c.Audit(ctx, admin.AuditFilter{Kind: "secrets", Name: "x", Action: "changed", Actor: "j", Since: since, Until: since}, 9, 3)
	err = errors.Join(second, third, fourth, fifth, sixth, seventh,
		c.Delete(ctx, "triggers", "a b/c", 3), c.Delete(ctx, "triggers", "t", admin.AnyVersion),
		c.SetPassword(ctx, "a b", "geheim"), c.SetSecret(ctx, "a/b", "geheim"), c.DeleteSecret(ctx, "a/b"))
	if err != nil || a.Generation != 3 || len(secrets) != 1 || n != 4 || page.Next != 5 {
		t.Errorf("got error %v, %+v, %+v, %d, %+v", err, a, secrets, n, page)
	}
	if diff := cmp.Diff([]string{
		`local put triggers a b/c "queue: \"in\"\n" 0`, `local put triggers t "{}" 7`, `local put triggers t "{}" -1`,
		"local apply {File:f Text:version: 1} {Prune:true DryRun:true}", "local secrets", "local rotate",
		fmt.Sprintf("local audit {Kind:secrets Name:x Action:changed Actor:j Since:%v Until:%v} 9 3", since, since),
		"local delete triggers a b/c 3", "local delete triggers t -1",
		"local password a b geheim", "local secret a/b geheim", "local forget a/b",
	}, e.asked); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
}

// TestEditorErrors has a status for each class of error, and none has a value in it.
func TestEditorErrors(t *testing.T) {
	e := &editor{}
	c := serve(t, &fake{ConfigEditor: e})
	for want, err := range map[int]error{
		400: admin.ErrBadRequest, 404: admin.ErrNotFound, 409: admin.ErrConflict, 422: admin.ErrRefused, 501: admin.ErrNoStore, 503: admin.ErrUnavailable,
	} {
		e.err = fmt.Errorf("change: %w", err)
		got := c.SetSecret(t.Context(), "x", "geheim")
		if p, ok := errors.AsType[*admin.Problem](got); !ok || p.Status != want || strings.Contains(p.Detail, "geheim") {
			t.Errorf("got %v, want status %d", got, want)
		}
	}
	conflict := &admin.VersionConflict{Kind: "triggers", Name: "t", Expected: 3, Found: 5, Difference: "- a\n+ b\n"}
	e.err = conflict
	_, err := c.Put(t.Context(), "triggers", "t", "{}", 3)
	if got, ok := errors.AsType[*admin.VersionConflict](err); !ok || *got != *conflict {
		t.Errorf("got error %+v, want the conflict with its difference", err)
	}
	if got, ok := errors.AsType[*admin.VersionConflict](c.Delete(t.Context(), "triggers", "t", 3)); !ok || got.Found != 5 {
		t.Error("delete: got no conflict")
	}
}

// TestConditions sends conditions as an HTTP client has them.
func TestConditions(t *testing.T) {
	e := &editor{}
	c := serve(t, &fake{ConfigEditor: e})
	for _, tt := range []struct {
		name, value string
		status      int
		version     string
	}{
		{"If-Match", `"3"`, 200, "3"},
		{"If-Match", "3", 200, "3"},
		{"If-Match", "*", 200, "-1"},
		{"If-None-Match", "*", 200, "0"},
		{"X-Nothing", "", 200, "-1"},
		{"If-Match", `"x"`, 400, ""},
		{"If-Match", `"0"`, 400, ""},
		{"If-None-Match", `"3"`, 400, ""},
	} {
		e.asked = nil
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, c.URL+"/api/v1/config/triggers/t", strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
		req.Header.Set(tt.name, tt.value)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != tt.status || tt.status == 200 && (!strings.HasSuffix(e.asked[0], " "+tt.version) || resp.Header.Get("ETag") != `"7"`) {
			t.Errorf("%s: %s: got status %d, ETag %s, asked %v", tt.name, tt.value, resp.StatusCode, resp.Header.Get("ETag"), e.asked)
		}
	}
}
