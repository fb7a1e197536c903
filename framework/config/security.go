package config

import (
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// A Security is one way to recognise who calls by HTTP.
type Security struct {
	Type string `yaml:"type" doc:"how callers are recognised"`

	// Settings is an *APIKey, *Basic, *JWT or *MTLS, as Type says.
	Settings any `yaml:"-"`
}

// An APIKey recognises callers by a key in a header.
type APIKey struct {
	Header string   `yaml:"header,omitempty" doc:"header that holds the key; default X-API-Key"`
	Keys   []string `yaml:"keys,omitempty" secret:"true" doc:"keys that are valid; several let clients change theirs one by one; default none: nobody gets in"`
}

// A Basic recognises callers by name and password.
type Basic struct {
	Users map[string]string `yaml:"users,omitempty" secret:"true" doc:"passwords by user; default none: nobody gets in"`
}

// A JWT recognises callers by a signed token (RFC 7519).
type JWT struct {
	Issuer     string        `yaml:"issuer" doc:"what the token's iss must be"`
	Audience   string        `yaml:"audience" doc:"what must be in the token's aud"`
	JWKS       string        `yaml:"jwks" doc:"URL of the issuer's public keys, https unless it is on this machine"`
	Algorithms []string      `yaml:"algorithms,omitempty" enum:"RS256,RS384,RS512,PS256,PS384,PS512,ES256,ES384,ES512,EdDSA" doc:"signatures that are accepted; default RS256, ES256"`
	Skew       time.Duration `yaml:"skew,omitempty" doc:"how far clocks may be apart; default 30s"`
}

// An MTLS recognises callers by the certificate of their TLS connection.
type MTLS struct {
	CA string `yaml:"ca" path:"true" doc:"file with the certificates (PEM) of those who sign clients' certificates"`
}

// securityTypes returns new settings for each type of definition.
func securityTypes() map[string]any {
	return map[string]any{"apikey": new(APIKey), "basic": new(Basic), "jwt": new(JWT), "mtls": new(MTLS)}
}

// extend implements extensible.
func (s *Security) extend(r *reader, n *node) (any, func(string) bool) {
	types := securityTypes()
	switch t := n.get("type"); {
	case t == nil:
		r.below(n, "type", "nothing", oneOf("", slices.Collect(maps.Keys(types))))
		return nil, anyKey
	case types[t.text] == nil:
		if t.kind == text && !r.wrong[t] {
			r.at(t, t.describe(), oneOf(t.text, slices.Collect(maps.Keys(types))))
		}
		return nil, anyKey
	default:
		s.Settings = types[t.text]
		return s.Settings, nil
	}
}

func (r *reader) checkSecurity(n *node, s Security) {
	switch s := s.Settings.(type) {
	case *APIKey:
		if h := n.get("header"); r.ok(h) && !validHeader(s.Header) {
			r.at(h, h.describe(), "the name of a header, such as X-API-Key")
		}
	case *Basic:
		for _, user := range n.get("users").named() {
			if strings.Contains(user.key, ":") {
				r.atKey(user, "a user's name with a colon", "one without: it ends the name in an Authorization header")
			}
		}
	case *JWT:
		if j := n.get("jwks"); r.ok(j) && !Fetchable(s.JWKS) {
			r.at(j, j.describe(), "a URL that begins with https://, or http:// on this machine")
		}
		if a := n.get("algorithms"); r.ok(a) && len(s.Algorithms) == 0 {
			r.at(a, "an empty list", "the names of algorithms, such as RS256")
		}
	}
}

func validHeader(name string) bool {
	const token = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-.^_`|~"
	return name != "" && strings.Trim(name, token) == "" && http.CanonicalHeaderKey(name) != "Host"
}

// Fetchable reports whether what is at a URL can be trusted to be the issuer's.
func Fetchable(s string) bool {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	local := u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
	return u.Scheme == "https" || u.Scheme == "http" && local
}
