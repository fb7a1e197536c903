package security

import "net/http"

// UseTransport makes a definition of type jwt fetch its keys by another way.
func (s *Set) UseTransport(name string, rt http.RoundTripper) {
	s.definitions[name].checker.(*token).keys.client.Transport = rt
}
