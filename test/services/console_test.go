package services

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// TestJolokia asks brokers about themselves by HTTP, with and without a password.
func TestJolokia(t *testing.T) {
	for name, tt := range map[string]struct {
		start             func(testing.TB) (i *Instance, address, broker string)
		attribute, begins string // path of the question, with BROKER; what its value begins with
	}{
		"artemis": {ArtemisConsole, `/console/jolokia/read/org.apache.activemq.artemis:broker="BROKER"/Version`, "2."},
		"classic": {ClassicJolokia, "/api/jolokia/read/org.apache.activemq:type=Broker,brokerName=BROKER/BrokerVersion", "6."},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i, address, broker := tt.start(t)
			ask := func(password string) (int, string) {
				request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+strings.ReplaceAll(tt.attribute, "BROKER", broker), nil)
				if err != nil {
					t.Fatal(err)
				}
				request.SetBasicAuth(i.User, password)
				request.Header.Set("Origin", "http://"+address)
				response, err := http.DefaultClient.Do(request)
				if err != nil {
					t.Fatal(err)
				}
				defer response.Body.Close()
				text, err := io.ReadAll(response.Body)
				if err != nil {
					t.Fatal(err)
				}
				return response.StatusCode, string(text)
			}
			if status, text := ask(i.Password); status != http.StatusOK || !strings.Contains(text, `"value":"`+tt.begins) {
				t.Errorf("got %d %s, want the version", status, text)
			}
			if status, text := ask("wrong"); status == http.StatusOK {
				t.Errorf("with a wrong password got %d %s", status, text)
			}
		})
	}
}
