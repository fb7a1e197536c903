package admin_test

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/fairlead/fairlead/admin"
)

// openReplay starts a replay of everything and returns what reads its next line,
// and what hangs up.
func openReplay(t *testing.T, c *admin.Client) (next func() admin.ReplayProgress, hangUp func()) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, c.URL+"/api/v1/deadletters/replay?all=true", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	lines := json.NewDecoder(resp.Body)
	return func() (line admin.ReplayProgress) {
		t.Helper()
		if err := lines.Decode(&line); err != nil {
			t.Fatal(err)
		}
		return line
	}, func() { resp.Body.Close() }
}
