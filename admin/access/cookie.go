package access

import (
	"context"
	"crypto/subtle"
	"errors"
	"mime"
	"net"
	"net/http"
	"strings"
)

// A cookie's name on TLS says that it is this host's own (RFC 6265bis). In clear,
// on a loopback address, it has the port, since all ports share their cookies.
const (
	secureCookie = "__Host-fairlead"
	plainCookie  = "fairlead-"
)

func cookieName(r *http.Request) string {
	if r.TLS != nil {
		return secureCookie
	}
	port := "80"
	if a, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok {
		_, port, _ = net.SplitHostPort(a.String()) // of a listener: it has one
	}
	return plainCookie + port
}

// setCookie gives a browser what stands for its session; an empty secret takes it
// away.
func setCookie(w http.ResponseWriter, r *http.Request, secret string) {
	c := &http.Cookie{Name: cookieName(r), Value: secret, Path: "/", Secure: r.TLS != nil, HttpOnly: true, SameSite: http.SameSiteStrictMode}
	if secret == "" {
		c.MaxAge = -1
	}
	http.SetCookie(w, c)
}

// sessionOf returns the secret in the cookie of a request, or nothing.
func sessionOf(r *http.Request) string {
	for _, c := range r.CookiesNamed(cookieName(r)) {
		if isSecret(c.Value) {
			return c.Value
		}
	}
	return ""
}

type csrfKey struct{}

// CSRF returns what a form of the session that ctx belongs to sends back in the
// field csrf, and a script in the header X-CSRF-Token; nothing where there is no
// session.
func CSRF(ctx context.Context) string {
	s, _ := ctx.Value(csrfKey{}).(string)
	return s
}

// browser recognises the session of a browser, and refuses what another site may
// have made it send.
func (a *Access) browser(r *http.Request) (*http.Request, *refusal) {
	secret := sessionOf(r)
	if secret == "" {
		return r, nil
	}
	id, err := a.recognise(r.Context(), digestOf(secret), a.findSession)
	if err != nil {
		return nil, a.unchecked(r, err)
	}
	if id.Role == None {
		return r, nil
	}
	token := derived(secret, "csrf")
	if err := a.own(r, token); err != nil {
		a.Log.WarnContext(r.Context(), "refused a request that another site may have made a browser send", "err", err, "name", id.Name, "path", r.URL.Path)
		return nil, &refusal{http.StatusForbidden, err.Error()}
	}
	ctx := context.WithValue(With(r.Context(), id), csrfKey{}, token)
	return r.WithContext(ctx), nil
}

// maxForm is the longest form, in bytes, and formInMemory what of its files is
// kept in memory.
const (
	maxForm      = 16 << 20
	formInMemory = 1 << 20
)

// own says why a request that may change something may be another site's.
func (a *Access) own(r *http.Request, token string) error {
	if err := a.protect.Check(r); err != nil {
		return err
	}
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return nil
	}
	given := r.Header.Get("X-CSRF-Token")
	if given == "" && isForm(r) {
		r.Body = http.MaxBytesReader(nil, r.Body, maxForm)
		if err := r.ParseMultipartForm(formInMemory); err != nil && !errors.Is(err, http.ErrNotMultipart) {
			return errors.New("the form cannot be read")
		}
		given = r.PostFormValue("csrf")
	}
	if subtle.ConstantTimeCompare([]byte(given), []byte(token)) != 1 {
		return errors.New("the form is of another session, or its field csrf is missing: load the page again")
	}
	return nil
}

func isForm(r *http.Request) bool {
	t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return err == nil && (t == "application/x-www-form-urlencoded" || t == "multipart/form-data")
}

// expects reports whether a request is for this host. On a loopback address that
// is only one that names it so: a name whose owner lets it lead here would make
// his pages ours (DNS rebinding).
func (a *Access) expects(host string) bool {
	if !a.Loopback {
		return true
	}
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	name = strings.TrimSuffix(strings.Trim(name, "[]"), ".")
	ip := net.ParseIP(name)
	return strings.EqualFold(name, "localhost") || ip != nil && ip.IsLoopback()
}
