package access

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

func FuzzCookies(f *testing.F) {
	f.Add("fairlead-80=" + newSecret())
	f.Add("fairlead-80=; fairlead-80=x; a=b")
	f.Add(`fairlead-80="` + newSecret() + `"`)
	f.Fuzz(func(t *testing.T, header string) {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Cookie", header)
		if s := sessionOf(r); s != "" && (!isSecret(s) || !strings.Contains(header, s)) {
			t.Errorf("%q: got %q", header, s)
		}
	})
}

func FuzzInside(f *testing.F) {
	for _, seed := range []string{"/", "/topics?a=b", "//example.com", `/\example.com`, "https://example.com", "/signin", "javascript:alert(1)", "/%2f/x", "/a\r\nb"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, path string) {
		got := inside(path)
		u, err := (&url.URL{Scheme: "http", Host: "host"}).Parse(got)
		if err != nil || u.Host != "host" || u.Scheme != "http" || !strings.HasPrefix(got, "/") || strings.ContainsAny(got, "\\\r\n\t") {
			t.Errorf("%q: got %q, which leads to %v", path, got, u)
		}
	})
}
