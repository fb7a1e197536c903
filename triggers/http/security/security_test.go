package security_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/framework/config"
	"github.com/fairlead/fairlead/triggers/http/security"
)

func set(t testing.TB, definitions map[string]config.Security) *security.Set {
	t.Helper()
	s, err := security.New(definitions, nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func apiKey(header string, keys ...string) config.Security {
	return config.Security{Type: "apikey", Settings: &config.APIKey{Header: header, Keys: keys}}
}

func users(pairs ...string) config.Security {
	b := &config.Basic{Users: make(map[string]string)}
	for i := 0; i < len(pairs); i += 2 {
		b.Users[pairs[i]] = pairs[i+1]
	}
	return config.Security{Type: "basic", Settings: b}
}

func request(header ...string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/", nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	return r
}

func login(user, password string) *http.Request {
	r := request()
	r.SetBasicAuth(user, password)
	return r
}

func TestKeysAndPasswords(t *testing.T) {
	s := set(t, map[string]config.Security{
		"keys": apiKey("", "geheim-1", "geheim-2"), "named": apiKey("x-partner", "geheim-3"), "nokeys": apiKey("X-None"),
		"unset": apiKey("X-Unset", ""), "staff": users("jane", "geheim-4", "joe", "", "ümit", "gehä:im"), "nobody": users(),
	})
	for name, tt := range map[string]struct {
		admits  []string
		request *http.Request
		status  int // 0: let in
		caller  string
	}{
		"a key":                        {[]string{"keys"}, request("X-API-Key", "geheim-1"), 0, ""},
		"the other key":                {[]string{"keys"}, request("x-api-key", "geheim-2"), 0, ""},
		"a header of one's own":        {[]string{"named"}, request("X-Partner", "geheim-3"), 0, ""},
		"nothing":                      {[]string{"keys"}, request(), 401, ""},
		"an empty key":                 {[]string{"keys"}, request("X-API-Key", ""), 401, ""},
		"a part of a key":              {[]string{"keys"}, request("X-API-Key", "geheim-"), 401, ""},
		"a key and more":               {[]string{"keys"}, request("X-API-Key", "geheim-1 "), 401, ""},
		"two keys":                     {[]string{"keys"}, request("X-API-Key", "geheim-1", "X-API-Key", "geheim-2"), 401, ""},
		"no key is set":                {[]string{"nokeys"}, request("X-None", ""), 401, ""},
		"no key is set, some key":      {[]string{"nokeys"}, request("X-None", "x"), 401, ""},
		"the key's variable is unset":  {[]string{"unset"}, request("X-Unset", ""), 401, ""},
		"the key of another":           {[]string{"named"}, request("X-API-Key", "geheim-1"), 403, ""},
		"a user":                       {[]string{"staff"}, login("jane", "geheim-4"), 0, "jane"},
		"a user, not only ASCII":       {[]string{"staff"}, login("ümit", "gehä:im"), 0, "ümit"},
		"a wrong password":             {[]string{"staff"}, login("jane", "geheim-5"), 401, ""},
		"an unknown user":              {[]string{"staff"}, login("jim", "geheim-4"), 401, ""},
		"no password is set":           {[]string{"staff"}, login("joe", ""), 401, ""},
		"no user is set":               {[]string{"nobody"}, login("", ""), 401, ""},
		"a user where keys are wanted": {[]string{"keys"}, login("jane", "geheim-4"), 403, ""},
		"any of two, the first":        {[]string{"keys", "staff"}, request("X-API-Key", "geheim-1"), 0, ""},
		"any of two, the second":       {[]string{"keys", "staff"}, login("jane", "geheim-4"), 0, "jane"},
		"one wrong, the other right":   {[]string{"keys", "staff"}, func() *http.Request { r := login("jane", "geheim-4"); r.Header.Set("X-API-Key", "x"); return r }(), 0, "jane"},
		"malformed":                    {[]string{"staff"}, request("Authorization", "Basic %%%"), 401, ""},
		"another scheme":               {[]string{"staff"}, request("Authorization", "Digest x"), 401, ""},
	} {
		caller, refusal := s.Gate(tt.admits).Admit(tt.request)
		switch {
		case refusal != nil && (refusal.Status != tt.status || strings.Contains(refusal.Detail, "geheim")):
			t.Errorf("%s: got %+v, want status %d", name, refusal, tt.status)
		case refusal != nil && refusal.Status == 401 && len(refusal.Challenges) != len(tt.admits):
			t.Errorf("%s: got challenges %q, want %d", name, refusal.Challenges, len(tt.admits))
		case refusal == nil && (tt.status != 0 || caller.Name != tt.caller || caller.Security == ""):
			t.Errorf("%s: %+v was let in, want status %d, caller %q", name, caller, tt.status, tt.caller)
		}
	}
}

func TestChallenges(t *testing.T) {
	s := set(t, map[string]config.Security{
		"keys": apiKey(""), "staff": users(),
		"company": {Type: "jwt", Settings: &config.JWT{JWKS: "http://127.0.0.1:1"}},
	})
	_, refusal := s.Gate([]string{"staff", "keys", "company"}).Admit(request())
	want := []string{`Bearer realm="company"`, `ApiKey realm="keys", header="X-Api-Key"`, `Basic realm="staff", charset="UTF-8"`}
	if diff := cmp.Diff(want, refusal.Challenges); diff != "" {
		t.Errorf("challenges (-want +got):\n%s", diff)
	}
}

func TestWithoutNamesEverybodyMayCall(t *testing.T) {
	if g := set(t, nil).Gate(nil); g != nil {
		t.Errorf("got %+v, want no gate", g)
	}
}

func TestCredentialsAreKnown(t *testing.T) {
	s := set(t, map[string]config.Security{"keys": apiKey("x-partner"), "staff": users()})
	got := s.Gate([]string{"keys"}).Credentials()
	if diff := cmp.Diff(map[string]bool{"X-Partner": true, "Authorization": true}, map[string]bool{got[0]: true, got[1]: true}); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
}

func TestFilesThatCannotBeRead(t *testing.T) {
	_, err := security.New(map[string]config.Security{
		"a": {Type: "mtls", Settings: &config.MTLS{CA: "nowhere.pem"}}, "b": {Type: "mtls", Settings: &config.MTLS{CA: "security_test.go"}},
	}, nil)
	if err == nil || !strings.Contains(err.Error(), "security.a: stat nowhere.pem") || !strings.Contains(err.Error(), "security.b: ca: found no certificate") {
		t.Errorf("got %v", err)
	}
}
