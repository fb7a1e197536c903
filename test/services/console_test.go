package services

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// TestArtemisConsole asks the console about its broker, with and without a password.
func TestArtemisConsole(t *testing.T) {
	i, address, broker := ArtemisConsole(t)
	ask := func(password string) (int, string) {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet,
			"http://"+address+`/console/jolokia/read/org.apache.activemq.artemis:broker="`+broker+`"/Version`, nil)
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
	if status, text := ask(i.Password); status != http.StatusOK || !strings.Contains(text, `"value":"2.`) {
		t.Errorf("got %d %s, want the version", status, text)
	}
	if status, text := ask("wrong"); status == http.StatusOK {
		t.Errorf("with a wrong password got %d %s", status, text)
	}
}
