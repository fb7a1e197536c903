package dashboard_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/admin"
	"github.com/fairlead/fairlead/admin/access"
)

func (s *site) post(path string, form url.Values) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return s.do(r)
}

// follow posts a form and returns the page that it leads to.
func (s *site) follow(path string, form url.Values) string {
	s.t.Helper()
	w := s.post(path, form)
	if w.Code != http.StatusSeeOther {
		s.t.Fatalf("%s: got %d, want 303\n%s", path, w.Code, w.Body)
	}
	page := s.get(w.Header().Get("Location"))
	if page.Code != http.StatusOK {
		s.t.Fatalf("%s: the page after it: got %d\n%s", w.Header().Get("Location"), page.Code, page.Body)
	}
	return page.Body.String()
}

func TestActions(t *testing.T) {
	for _, tt := range []struct {
		path string
		form url.Values
		role access.Role
		does string
		says string
	}{
		{"/connections/local/ping", url.Values{"back": {"/connections"}}, access.Operator, "ping local", "local answered in 3.2 ms"},
		{"/triggers/orders/pause", nil, access.Operator, "pause orders", "orders is paused"},
		{"/triggers/orders/resume", nil, access.Operator, "resume orders", "orders receives again"},
		{"/bindings/shipping/send", url.Values{"destination": {"Q"}, "body": {"{\"a\":\r\n1}"}, "headers": {"x: 1\r\ny: a: b"}}, access.Operator, "send shipping to Q: application/json {\"a\":\n1} map[x:1 y:a: b]", "ID-7"},
		{"/functions/price/invoke", url.Values{"body": {"hello"}, "as": {"mq"}}, access.Operator, `invoke price as "mq": text/plain hello`, "price was done in"},
		{"/topics/topic:orders/publish", url.Values{"body": {"{}"}, "key": {"k"}, "after": {"90s"}}, access.Operator, `publish to topic:orders key "k" after 1m30s: {}`, "ID-8"},
		{"/topics/topic:orders/purge", url.Values{"sure": {"yes"}}, access.Operator, "purge topic:orders", "Removed 3 events of topic:orders"},
		{"/topics/orders/subscriptions/gone/delete", url.Values{"sure": {"yes"}}, access.Operator, "unsubscribe gone from orders", "Subscription gone is deleted"},
		{"/deadletters/replay", url.Values{"id": {"60"}}, access.Operator, "replay [60] all=false {PerSecond:0 BypassInbox:false}", "Dead letter 60 is replayed"},
		{"/deadletters/discard", url.Values{"id": {"60", "59"}, "sure": {"yes"}}, access.Operator, "discard [60 59] all=false function=", "Removed 2 dead letters"},
		{"/deadletters/discard", url.Values{"function": {"price"}, "sure": {"yes"}}, access.Operator, "discard [] all=false function=price", "Removed 1 dead letter"},
		{"/config/apply", url.Values{"text": {"version: 1\r\n"}, "name": {"x.yaml"}, "prune": {"yes"}}, access.Admin, "apply x.yaml prune=true dry=false: version: 1\n", "Applied: 1 objects changed"},
		{"/edit/triggers", url.Values{"name": {"new"}, "version": {"0"}, "field.function": {"price"}, "field.connection": {"local"}, "field.queue": {"Q"}, "field.concurrency": {"4"}, "field.ordered": {"false"}, "field.retry.attempts": {"3"}, "field.retry.first": {"1s"}, "field.headers": {"a: b"}}, access.Admin, "put triggers.new version 0\nfunction: price\nconnection: local\nqueue: Q\nconcurrency: 4\nheaders:\n  a: b\nordered: false\nretry:\n  attempts: 3\n  first: 1s\n", ""},
		{"/edit/connections/local", url.Values{"type": {"amqp"}, "version": {"5"}, "field.url": {"amqp://b"}, "field.user": {"u"}, "field.password": {""}}, access.Admin, "put connections.local version 5\ntype: amqp\nurl: amqp://b\nuser: u\npassword: ${secret:connections.local.password}\n", "The connection local is saved"},
		{"/edit/bindings/shipping", url.Values{"as": {"yaml"}, "version": {"5"}, "text": {"connection: local\r\n"}}, access.Admin, "put bindings.shipping version 5\nconnection: local\n", "The binding shipping is saved"},
		{"/delete/triggers/orders", url.Values{"version": {"5"}, "sure": {"yes"}}, access.Admin, "delete triggers.orders version 5", "The trigger orders is deleted"},
		{"/password/local", url.Values{"password": {"new"}, "password2": {"new"}}, access.Admin, "password of local: new", "The password of local is changed"},
		{"/security/password", url.Values{"current-password": {"a"}, "password": {"b"}, "password2": {"b"}}, access.Viewer, "change password a to b", "Your password is changed"},
		{"/security/accounts", url.Values{"name": {"bob"}, "role": {"viewer"}, "password": {"b"}, "password2": {"b"}}, access.Admin, "create account bob viewer b", "bob has an account now"},
		{"/security/accounts/bob/role", url.Values{"role": {"operator"}}, access.Admin, "role of bob: operator", "bob has the role operator now"},
		{"/security/accounts/bob/delete", url.Values{"sure": {"yes"}}, access.Admin, "delete account bob", "The account bob is deleted"},
		{"/security/tokens", url.Values{"name": {"ci"}, "role": {"viewer"}, "days": {"30"}}, access.Admin, "create token ci viewer expires true", "flt_token"},
		{"/security/tokens/ci/revoke", url.Values{"sure": {"yes"}}, access.Admin, "revoke ci", "The token ci is revoked"},
		{"/security/secrets", url.Values{"name": {"s"}, "password": {"v"}}, access.Admin, "secret s: v", "The secret s is set"},
		{"/security/secrets/s/delete", url.Values{"sure": {"yes"}}, access.Admin, "delete secret s", "The secret s is deleted"},
		{"/security/secrets/rotate", nil, access.Admin, "rotate", "2 secrets were kept under another master key"},
	} {
		t.Run(tt.path, func(t *testing.T) {
			s := newSite(t, populated(), tt.role-1)
			if w := s.post(tt.path, tt.form); tt.role > access.Viewer && w.Code != http.StatusForbidden || len(s.b.did()) > 0 {
				t.Errorf("with a lower role: got %d, want 403", w.Code)
			}
			s.role = tt.role
			w := s.post(tt.path, tt.form)
			if w.Code != http.StatusSeeOther {
				t.Fatalf("got %d, want 303\n%s", w.Code, w.Body)
			}
			if diff := cmp.Diff([]string{tt.does}, s.b.did()); diff != "" {
				t.Errorf("what was done (-want +got):\n%s", diff)
			}
			if tt.says == "" {
				return // its page shows an object that the backend did not keep
			}
			page := s.get(w.Header().Get("Location")).Body.String()
			if !strings.Contains(page, tt.says) {
				t.Errorf("got %s\nwant %q", page, tt.says)
			}
			wellFormed(t, page)
		})
	}
}

func TestWhatGoesWrongIsSaidWithWhatWasTyped(t *testing.T) {
	b := populated()
	b.fail = errors.New("the broker says no" + hostile)
	s := newSite(t, b, access.Admin)
	page := s.follow("/bindings/shipping/send", url.Values{"back": {"/bindings/shipping"}, "destination": {"Q9"}, "body": {"typed"}})
	for _, want := range []string{"the broker says no&lt;script&gt;", `value="Q9"`, ">typed</textarea>"} {
		if !strings.Contains(page, want) {
			t.Errorf("got %s\nwant %q", page, want)
		}
	}
	wellFormed(t, page)
	page = s.follow("/password/local", url.Values{"password": {"geheim"}, "password2": {"geheim"}})
	if strings.Contains(page, "geheim") {
		t.Errorf("the password is in the page: %s", page)
	}
}

func TestNothingIsRemovedUnlessConfirmed(t *testing.T) {
	s := newSite(t, populated(), access.Admin)
	for _, path := range []string{"/topics/topic:orders/purge", "/topics/orders/subscriptions/gone/delete", "/deadletters/discard", "/delete/triggers/orders", "/security/accounts/ann/delete", "/security/tokens/ci/revoke", "/security/secrets/old/delete"} {
		w := s.post(path, url.Values{"id": {"60"}, "version": {"5"}})
		if w.Code != http.StatusSeeOther || len(s.b.did()) > 0 {
			t.Errorf("%s: got %d, and something was done", path, w.Code)
		}
	}
	if page := s.follow("/deadletters/discard", url.Values{"sure": {"yes"}}); !strings.Contains(page, "no dead letter is selected") || len(s.b.did()) > 0 {
		t.Errorf("got %s, want that nothing is selected", page)
	}
}

func TestAConflictShowsTheDifference(t *testing.T) {
	b := populated()
	b.fail = &admin.VersionConflict{Kind: "triggers", Name: "orders", Expected: 5, Found: 6, Difference: "-queue: a\n+queue: b" + hostile}
	s := newSite(t, b, access.Admin)
	w := s.post("/edit/triggers/orders", url.Values{"as": {"yaml"}, "version": {"5"}, "text": {"queue: b"}})
	if w.Code != http.StatusPreconditionFailed {
		t.Errorf("got %d, want 412", w.Code)
	}
	for _, want := range []string{"-queue: a\n&#43;queue: b&lt;script", `name="version" value="6"`, "queue: b</textarea>", "found version 6, expected version 5"} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("got %s\nwant %q", w.Body, want)
		}
	}
	wellFormed(t, w.Body.String())
}

func TestPlanWithAndWithoutAStore(t *testing.T) {
	b := populated()
	s := newSite(t, b, access.Admin)
	w := s.post("/config/import", url.Values{"text": {"version: 1\n"}})
	if diff := cmp.Diff([]string{"apply pasted.yaml prune=false dry=true: version: 1\n"}, b.did()); diff != "" {
		t.Error(diff)
	}
	if !strings.Contains(w.Body.String(), "drained, then started again") || !strings.Contains(w.Body.String(), `action="/config/apply"`) {
		t.Errorf("got %s", w.Body)
	}
	b.noStore = true
	w = s.post("/config/import", url.Values{"text": {"version: 1\n"}})
	if diff := cmp.Diff([]string{"plan pasted.yaml: version: 1\n"}, b.did()); diff != "" {
		t.Error(diff)
	}
	if !strings.Contains(w.Body.String(), "drained, then started again") || strings.Contains(w.Body.String(), `action="/config/apply"`) {
		t.Errorf("got %s", w.Body)
	}
	if w := s.post("/config/import", nil); w.Code != http.StatusBadRequest {
		t.Errorf("an empty form: got %d", w.Code)
	}
}

func TestABulkReplayShowsItsProgressAndCanBeCancelled(t *testing.T) {
	b := populated()
	began := make(chan struct{})
	b.replay = func(ctx context.Context, progress func(int)) (int, error) {
		progress(17)
		close(began)
		<-ctx.Done()
		return 18, ctx.Err()
	}
	s := newSite(t, b, access.Operator)
	w := s.post("/deadletters/replay", url.Values{"all": {"true"}, "perSecond": {"5"}})
	path, _, _ := strings.Cut(w.Header().Get("Location"), "?")
	<-began
	if page := s.get(path).Body.String(); !strings.Contains(page, "<b>17</b> of 60") {
		t.Errorf("got %s", page)
	}
	if page := s.get("/deadletters").Body.String(); !strings.Contains(page, "A replay runs: 17 of 60") {
		t.Errorf("the list: got %s", page)
	}
	s.follow(path+"/cancel", nil)
	until(t, func() error {
		if page := s.get(path).Body.String(); !strings.Contains(page, "stopped") || !strings.Contains(page, "<b>18</b> of 60") {
			return errors.New(page)
		}
		return nil
	})
	if page := s.follow(path+"/cancel", nil); !strings.Contains(page, "runs here") {
		t.Errorf("a second cancel: got %s", page)
	}
}

// until polls until check returns nil.
func until(t *testing.T, check func() error) {
	t.Helper()
	var err error
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if err = check(); err == nil {
			return
		}
	}
	t.Fatal(err)
}

func TestCloseStopsReplays(t *testing.T) {
	b := populated()
	ended := make(chan struct{})
	b.replay = func(ctx context.Context, _ func(int)) (int, error) {
		defer close(ended)
		<-ctx.Done()
		return 0, ctx.Err()
	}
	s := newSite(t, b, access.Operator)
	s.post("/deadletters/replay", url.Values{"all": {"true"}})
	s.d.Close()
	select {
	case <-ended:
	default:
		t.Error("Close returned while a replay ran")
	}
	if page := s.follow("/deadletters/replay", url.Values{"all": {"true"}}); !strings.Contains(page, "the program is stopping") {
		t.Errorf("got %s", page)
	}
}

func TestResultsAreForWhoGotThemAndATokenIsShownOnce(t *testing.T) {
	s := newSite(t, populated(), access.Admin)
	to := s.post("/security/tokens", url.Values{"name": {"ci"}, "role": {"viewer"}}).Header().Get("Location")
	r := httptest.NewRequest(http.MethodGet, to, nil)
	w := httptest.NewRecorder()
	s.d.ServeHTTP(w, r.WithContext(access.With(r.Context(), access.Identity{Name: "eve", Role: access.Admin})))
	if strings.Contains(w.Body.String(), "flt_token") {
		t.Error("somebody else sees the token")
	}
	for i, want := range []bool{true, false} {
		if got := strings.Contains(s.get(to).Body.String(), "flt_token"); got != want {
			t.Errorf("time %d: the token is shown: %v, want %v", i+1, got, want)
		}
	}
}

func TestNoRedirectLeavesTheSite(t *testing.T) {
	s := newSite(t, populated(), access.Operator)
	for _, back := range []string{"https://evil.example", "//evil.example", `/\evil.example`, "javascript:alert(1)", "", "%"} {
		to := s.post("/triggers/orders/pause", url.Values{"back": {back}}).Header().Get("Location")
		if !strings.HasPrefix(to, "/?result=") {
			t.Errorf("back %q leads to %q", back, to)
		}
	}
	to := s.post("/triggers/orders/pause", url.Values{"back": {"/deadletters?function=a&id=1"}}).Header().Get("Location")
	if !strings.HasPrefix(to, "/deadletters?function=a&id=1&result=") {
		t.Errorf("got %q", to)
	}
}

func TestDownloads(t *testing.T) {
	s := newSite(t, populated(), access.Viewer)
	for path, want := range map[string]string{"/config/export": `attachment; filename="fairlead.yaml"`, "/deadletters/60/body": `attachment; filename="deadletter-60.bin"`} {
		w := s.get(path)
		if w.Code != http.StatusOK || w.Header().Get("Content-Disposition") != want || w.Header().Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: got %d %v", path, w.Code, w.Header())
		}
	}
}

func TestALongFormIsRefused(t *testing.T) {
	s := newSite(t, populated(), access.Operator)
	page := s.follow("/functions/price/invoke", url.Values{"body": {strings.Repeat("x", 17<<20)}})
	if !strings.Contains(page, "That is too long") || len(s.b.did()) > 0 {
		t.Errorf("got %s", fmt.Sprintf("%.2000s", page))
	}
}
