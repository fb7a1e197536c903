package dashboard_test

import (
	"bufio"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/admin/access"
)

// watch opens the stream of a page and returns what takes its next change.
func (s *site) watch(page string) func() map[string]string {
	s.t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.d.ServeHTTP(w, r.WithContext(access.With(r.Context(), access.Identity{Name: "ann", Role: s.role})))
	}))
	s.t.Cleanup(server.Close)
	resp, err := http.Get(server.URL + "/live?page=" + url.QueryEscape(page))
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { resp.Body.Close() })
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "text/event-stream" {
		s.t.Fatalf("got %s %v", resp.Status, resp.Header)
	}
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 1<<20)
	return func() map[string]string {
		s.t.Helper()
		for lines.Scan() {
			if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				var regions map[string]string
				if err := json.Unmarshal([]byte(data), &regions); err != nil {
					s.t.Fatal(err)
				}
				return regions
			}
		}
		s.t.Fatalf("the stream has ended: %v", lines.Err())
		return nil
	}
}

func TestALivePageSendsWhatChanges(t *testing.T) {
	s := newSite(t, populated(), access.Operator)
	next := s.watch("/triggers/orders")
	first := next()
	for _, region := range []string{"health", "trigger-state", "trigger-switch", "trouble"} {
		if _, ok := first[region]; !ok {
			t.Errorf("the region %s is missing in %v", region, first)
		}
	}
	if strings.Contains(first["trigger-state"], hostile) || !strings.Contains(first["trigger-state"], "12\u202f345") {
		t.Errorf("got %s", first["trigger-state"])
	}
	s.b.mu.Lock()
	s.b.status.Triggers[0].State = "paused"
	s.b.mu.Unlock()
	for {
		change := next()
		if _, ok := change["trouble"]; ok {
			t.Errorf("a region that is the same is sent again: %v", change)
		}
		if html, ok := change["trigger-switch"]; ok {
			if !strings.Contains(html, "Resume") {
				t.Errorf("got %s", html)
			}
			return
		}
	}
}

func TestALivePageSaysWhatIsWrong(t *testing.T) {
	b := populated()
	b.noStore = true
	regions := newSite(t, b, access.Viewer).watch("/topics")()
	if !strings.Contains(regions["trouble"], "There is no store") {
		t.Errorf("got %v", regions)
	}
}

func TestALivePageIsForWhoMaySeeIt(t *testing.T) {
	regions := newSite(t, populated(), access.Viewer).watch("/password/local")()
	if len(regions) != 1 || !strings.Contains(regions["trouble"], "Your role does not allow this") {
		t.Errorf("got %v", regions)
	}
	s := newSite(t, populated(), access.Viewer)
	for _, page := range []string{"", "https://evil.example/", "/live?page=/", "connections"} {
		if w := s.get("/live?page=" + url.QueryEscape(page)); w.Code != http.StatusBadRequest {
			t.Errorf("page %q: got %d, want 400", page, w.Code)
		}
	}
}

func TestCloseEndsLivePages(t *testing.T) {
	s := newSite(t, populated(), access.Viewer)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.d.ServeHTTP(w, r.WithContext(access.With(r.Context(), access.Identity{Name: "ann", Role: s.role})))
	}))
	defer server.Close()
	resp, err := http.Get(server.URL + "/live?page=/")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	s.d.Close()
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); { // until it ends
	}
}
