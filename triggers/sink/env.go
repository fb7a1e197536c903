package sink

import (
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// FromEnv returns the sink that the variables of the environment, and files, describe
// which Knative sets for an event source:
//
//	K_SINK          its URL; sink, if not empty, wins
//	K_CE_OVERRIDES  {"extensions": {"NAME": "VALUE"}}, set on every event
//	K_CA_CERTS      certificates in PEM, trusted beside the system's
//	K_SINK_TIMEOUT  how long one request may take, in seconds; -1 or none: as long as the trigger lets it
//	/oidc/token     the OIDC token for the sink of K_SINK, if that wants one
//	/knative-custom-certs  files with more certificates in PEM, of the cluster's trust bundles
//
// token, if not empty, is the file of an OIDC token for whichever sink it is. The
// error says what is wrong, and [ErrNoSink] that there is no URL.
func FromEnv(sink, token string, getenv func(string) string) (*Sink, error) {
	name, override := "--sink", sink != ""
	if !override {
		name, sink = "K_SINK", getenv("K_SINK")
	}
	if sink == "" {
		return nil, ErrNoSink
	}
	extensions, err := readOverrides(getenv("K_CE_OVERRIDES"))
	if err != nil {
		err = fmt.Errorf("K_CE_OVERRIDES: %w", err)
	}
	authorities, caErr := readAuthorities(getenv("K_CA_CERTS"), trustBundles)
	timeout, timeoutErr := readTimeout(getenv("K_SINK_TIMEOUT"))
	tokenFile, tokenErr := findToken(token, knativeToken, override)
	if err := errors.Join(checkURL(name, sink), err, caErr, timeoutErr, tokenErr); err != nil {
		return nil, err
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: authorities}
	return &Sink{URL: sink, Extensions: extensions, TokenFile: tokenFile, Client: NewClient(transport, timeout)}, nil
}

// checkURL does not show the URL: it may hold a password.
func checkURL(name, text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil || u.Scheme != "http" && u.Scheme != "https" {
		return fmt.Errorf("%s: expected a URL that begins with http:// or https:// and names a host, and no user", name)
	}
	return nil
}

// readOverrides reads the extensions of K_CE_OVERRIDES.
func readOverrides(text string) (map[string]string, error) {
	if text == "" {
		return nil, nil
	}
	const want = `{"extensions": {"NAME": "VALUE"}}`
	var overrides struct {
		Extensions map[string]string `json:"extensions"`
	}
	dec := json.NewDecoder(strings.NewReader(text))
	if err := dec.Decode(&overrides); err != nil {
		return nil, fmt.Errorf("expected %s: %w", want, err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("expected %s and nothing after it", want)
	}
	for _, name := range slices.Sorted(maps.Keys(overrides.Extensions)) {
		if !extensionName(name) {
			return nil, fmt.Errorf("found the extension %.40q, expected letters a to z and digits, and no attribute of every CloudEvent", name)
		}
	}
	return overrides.Extensions, nil
}

// attributes are those that the specification knows, and data.
var attributes = []string{"specversion", "id", "source", "type", "subject", "time", "datacontenttype", "dataschema", "data"}

func extensionName(name string) bool {
	legal := func(c rune) bool { return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' }
	return name != "" && strings.IndexFunc(name, func(c rune) bool { return !legal(c) }) < 0 && !slices.Contains(attributes, name)
}

func readTimeout(text string) (time.Duration, error) {
	if text == "" || text == "-1" {
		return 0, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return 0, fmt.Errorf("K_SINK_TIMEOUT: found %.20q, expected a number of seconds from 1, or -1", text)
	}
	return time.Duration(n) * time.Second, nil
}
