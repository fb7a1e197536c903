package sink

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
)

// knativeToken is where a SinkBinding puts the token of its OIDC identity, made out
// to the audience of its sink, if the cluster has that feature and the sink an audience.
const knativeToken = "/oidc/token"

// findToken returns the file of the token that is sent: named, or Knative's, which is
// for no other sink than Knative's. Empty: there is none.
func findToken(named, knatives string, override bool) (string, error) {
	if named != "" {
		_, err := readToken(named)
		return named, err
	}
	if _, err := os.Stat(knatives); override || errors.Is(err, os.ErrNotExist) {
		return "", nil
	}
	_, err := readToken(knatives)
	return knatives, err
}

// readToken reads a token, which is renewed in its file.
func readToken(file string) (string, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("OIDC token: %w", err)
	}
	token := strings.TrimSpace(string(text))
	if token == "" || strings.ContainsFunc(token, func(c rune) bool { return c <= ' ' || c > '~' }) {
		return "", fmt.Errorf("OIDC token: found something else in %s, expected one token", file)
	}
	return token, nil
}

// authorize adds the token to a request. It is read for each, as it is renewed.
func (s *Sink) authorize(h http.Header) error {
	if s.TokenFile == "" {
		return nil
	}
	token, err := readToken(s.TokenFile)
	if err == nil {
		h.Set("Authorization", "Bearer "+token)
	}
	return err
}

// unauthorized reports whether an answer says that the token is not good: the next
// one may be, and the event is not to blame.
func (s *Sink) unauthorized(resp *http.Response) bool {
	return s.TokenFile != "" && resp.StatusCode == http.StatusUnauthorized
}
