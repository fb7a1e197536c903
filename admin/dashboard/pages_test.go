package dashboard_test

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/admin"
	"github.com/fairlead/fairlead/admin/access"
)

// pages are all pages, with the least role that sees them.
var pages = []struct {
	path string
	role access.Role
}{
	{"/", access.Viewer}, {"/connections", access.Viewer}, {"/connections/local", access.Viewer}, {"/connections/other", access.Viewer},
	{"/triggers", access.Viewer}, {"/triggers/orders", access.Viewer}, {"/triggers/web", access.Viewer},
	{"/bindings", access.Viewer}, {"/bindings/shipping", access.Viewer}, {"/bindings/any", access.Viewer},
	{"/functions", access.Viewer}, {"/functions/order.received", access.Viewer}, {"/functions/price", access.Viewer},
	{"/topics", access.Viewer}, {"/topics/topic:orders", access.Viewer}, {"/topics/orders?skip=25", access.Viewer}, {"/topics/topic:orders/purge", access.Operator},
	{"/topics/orders/subscriptions/gone%3Cscript%3Ealert%28%22x%22%29%3C%2Fscript%3E/delete", access.Operator},
	{"/deadletters", access.Viewer}, {"/deadletters?function=order.received&since=2026-01-02T03:04&before=9", access.Viewer}, {"/deadletters/60", access.Viewer},
	{"/deadletters/59", access.Viewer}, {"/deadletters/60?as=hex", access.Viewer}, {"/deadletters/60?as=text", access.Viewer},
	{"/deadletters/replay?id=60&id=59", access.Operator}, {"/deadletters/discard?all=true", access.Operator},
	{"/queues", access.Viewer}, {"/queues?connection=local&queue=ORDERS", access.Viewer},
	{"/config", access.Viewer}, {"/config/import", access.Admin}, {"/audit", access.Viewer}, {"/audit?kind=triggers", access.Viewer}, {"/security", access.Viewer},
	{"/security/accounts/ann/delete", access.Admin}, {"/security/tokens/ci/revoke", access.Admin}, {"/security/secrets/old/delete", access.Admin},
	{"/edit/connections", access.Admin}, {"/edit/connections?type=amqp", access.Admin}, {"/edit/connections?type=amqp&as=yaml", access.Admin}, {"/edit/connections/local", access.Admin},
	{"/edit/connections/other", access.Admin}, {"/edit/triggers", access.Admin}, {"/edit/triggers/orders", access.Admin}, {"/edit/bindings", access.Admin}, {"/edit/bindings/shipping?as=yaml", access.Admin},
	{"/edit/security?type=jwt", access.Admin}, {"/edit/functions/order.received", access.Admin}, {"/delete/triggers/orders", access.Admin}, {"/password/local", access.Admin},
}

func TestEveryPageIsForItsRoleAndEscapesEverything(t *testing.T) {
	for _, p := range pages {
		for _, role := range []access.Role{access.Viewer, access.Operator, access.Admin} {
			t.Run(fmt.Sprint(p.path, role), func(t *testing.T) {
				w := newSite(t, populated(), role).get(p.path)
				want := http.StatusOK
				if role < p.role {
					want = http.StatusForbidden
				}
				if w.Code != want {
					t.Fatalf("got %d, want %d\n%s", w.Code, want, w.Body)
				}
				wellFormed(t, w.Body.String())
				if want == http.StatusForbidden && !strings.Contains(w.Body.String(), "ann has the role "+role.String()) {
					t.Errorf("got %s, want what is missing", w.Body)
				}
			})
		}
	}
}

var (
	inline    = regexp.MustCompile(`(?i)<style|\sstyle=|\son[a-z]+=|javascript:`)
	scripts   = regexp.MustCompile(`<script[^>]*>`)
	heading   = regexp.MustCompile(`<h([1-6])`)
	control   = regexp.MustCompile(`<(input|select|textarea)[^>]*>`)
	id        = regexp.MustCompile(`\sid="([^"]+)"`)
	postForm  = regexp.MustCompile(`(?s)<form method="post".*?</form>`)
	labelFor  = regexp.MustCompile(`<label for="([^"]+)"`)
	insideTag = regexp.MustCompile(`(?s)<label[^>]*>.*?</label>`)
)

// wellFormed checks what every page must be: nothing from outside is markup, no
// script or style is in it, each control has a label, each form its csrf token,
// ids are unique and headings in order.
func wellFormed(t *testing.T, page string) {
	t.Helper()
	if strings.Contains(page, hostile) || strings.Contains(page, "ZgotmplZ") {
		t.Errorf("what comes from outside is not escaped:\n%s", page)
	}
	if found := inline.FindString(page); found != "" {
		t.Errorf("found %q in the page, which the content security policy forbids", found)
	}
	if found := scripts.FindAllString(page, -1); len(found) != 1 {
		t.Errorf("got the scripts %q, want one", found)
	}
	level := 0
	for _, h := range heading.FindAllStringSubmatch(page, -1) {
		now := int(h[1][0] - '0')
		if now > level+1 && level > 0 {
			t.Errorf("a heading of level %d follows one of level %d", now, level)
		}
		level = now
	}
	if n := strings.Count(page, "<h1"); n != 1 {
		t.Errorf("got %d headings of level 1, want one", n)
	}
	seen := make(map[string]bool)
	for _, m := range id.FindAllStringSubmatch(page, -1) {
		if seen[m[1]] {
			t.Errorf("the id %s is there twice", m[1])
		}
		seen[m[1]] = true
	}
	labelled := strings.Join(insideTag.FindAllString(page, -1), "\n")
	for _, m := range labelFor.FindAllStringSubmatch(page, -1) {
		labelled += fmt.Sprintf(` id="%s"`, m[1])
	}
	for _, c := range control.FindAllString(page, -1) {
		m := id.FindStringSubmatch(c)
		if !strings.Contains(c, `type="hidden"`) && !strings.Contains(labelled, c) && (m == nil || !strings.Contains(labelled, m[0])) {
			t.Errorf("%s has no label", c)
		}
	}
	for _, f := range postForm.FindAllString(page, -1) {
		if !strings.Contains(f, `name="csrf"`) {
			t.Errorf("a form has no csrf token: %s", f)
		}
	}
}

func TestWhatIsNotThereIsSaidPlainly(t *testing.T) {
	s := newSite(t, populated(), access.Admin)
	for path, want := range map[string]string{
		"/connections/nobody": "there is no connection", "/triggers/nobody": "no &#34;nobody&#34; among the triggers", "/bindings/nobody": "there is no binding", "/functions/nobody": "there is no function",
		"/topics/nobody": "topic &#34;nobody&#34;", "/deadletters/999": "no dead letter 999", "/deadletters/x": "its id is a number", "/replays/x": "no replay", "/nowhere": "there is no page /nowhere",
		"/edit/nothing": "there is no kind", "/edit/connections/nobody": "no &#34;nobody&#34;",
	} {
		w := s.get(path)
		if w.Code != http.StatusNotFound || !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s: got %d\n%s\nwant 404 and %q", path, w.Code, w.Body, want)
		}
		wellFormed(t, w.Body.String())
	}
	for _, path := range []string{"/deadletters?since=yesterday", "/deadletters?before=-1", "/topics/orders?skip=x", "/deadletters/replay", "/deadletters/discard?id=0", "/edit/connections?type=nothing"} {
		if w := s.get(path); w.Code != http.StatusBadRequest {
			t.Errorf("%s: got %d, want 400\n%s", path, w.Code, w.Body)
		}
	}
}

func TestPagesWithoutAStore(t *testing.T) {
	b := populated()
	b.noStore = true
	s := newSite(t, b, access.Admin)
	for _, p := range pages {
		needsStore := strings.HasPrefix(p.path, "/topics") || strings.HasPrefix(p.path, "/deadletters") || strings.HasPrefix(p.path, "/audit")
		want := http.StatusOK
		if needsStore {
			want = http.StatusNotImplemented
		}
		w := s.get(p.path)
		if w.Code != want {
			t.Errorf("%s: got %d, want %d", p.path, w.Code, want)
		}
		if needsStore && !strings.Contains(w.Body.String(), "store.url") {
			t.Errorf("%s: got %s, want what to do", p.path, w.Body)
		}
	}
}

func TestAStoreOutOfReachIsNoStackTrace(t *testing.T) {
	b := populated()
	b.fail = fmt.Errorf("%w: dial tcp: refused", admin.ErrUnavailable)
	s := newSite(t, b, access.Admin)
	if w := s.get("/topics"); w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), "The store does not answer") {
		t.Errorf("got %d\n%s", w.Code, w.Body)
	}
	if w := s.get("/"); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "the store does not answer") {
		t.Errorf("the overview: got %d\n%s", w.Code, w.Body)
	}
}

func TestWhoIsUnknownSignsIn(t *testing.T) {
	s := newSite(t, populated(), access.None)
	w := s.get("/deadletters?function=price")
	if w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/signin?next=%2Fdeadletters%3Ffunction%3Dprice" {
		t.Errorf("got %d to %q", w.Code, w.Header().Get("Location"))
	}
	if w := s.post("/triggers/orders/pause", nil); w.Code != http.StatusUnauthorized || len(s.b.did()) > 0 {
		t.Errorf("got %d, want 401", w.Code)
	}
	if w := s.get("/static/app.css"); w.Code != http.StatusOK {
		t.Errorf("the style sheet: got %d", w.Code)
	}
}

func TestButtonsAreShownToWhoMayUseThem(t *testing.T) {
	for _, tt := range []struct {
		role  access.Role
		path  string
		shown []string
		not   []string
	}{
		{access.Viewer, "/connections/local", nil, []string{"/ping", "/password/", "/edit/", "/delete/"}},
		{access.Operator, "/connections/local", []string{"/connections/local/ping"}, []string{"/password/", "/edit/"}},
		{access.Admin, "/connections/local", []string{"/ping", "/password/local", "/edit/connections/local", "/delete/connections/local"}, nil},
		{access.Admin, "/connections/other", []string{"/ping"}, []string{"/edit/connections/other"}}, // it is in a file
		{access.Viewer, "/triggers", nil, []string{"/pause", "/resume"}},
		{access.Operator, "/triggers", []string{"/triggers/orders/pause", "/triggers/idle/resume"}, nil},
		{access.Viewer, "/deadletters", nil, []string{"Discard", "Replay"}},
		{access.Operator, "/deadletters", []string{"Discard selected", "Replay all 60"}, nil},
		{access.Viewer, "/functions/price", nil, []string{"Invoke"}},
		{access.Viewer, "/bindings/shipping", nil, []string{"Send a message"}},
		{access.Viewer, "/topics/orders", nil, []string{"Purge", "Publish"}},
		{access.Viewer, "/config", []string{"Export"}, []string{"Plan a change"}},
		{access.Operator, "/security", []string{"partners"}, []string{"ci", "New account", "***\n"}},
		{access.Admin, "/security", []string{"New account", "New token", "connections.local.password"}, nil},
	} {
		page := newSite(t, populated(), tt.role).get(tt.path).Body.String()
		_, page, _ = strings.Cut(page, "<main")
		for _, want := range tt.shown {
			if !strings.Contains(page, want) {
				t.Errorf("%s as %s: %q is missing", tt.path, tt.role, want)
			}
		}
		for _, not := range tt.not {
			if strings.Contains(page, not) {
				t.Errorf("%s as %s: found %q", tt.path, tt.role, not)
			}
		}
	}
}
