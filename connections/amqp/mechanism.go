package amqp

import (
	"crypto/sha256"
	"crypto/sha512"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/fairlead/fairlead/connections"
)

// A mechanism is one way to authenticate, used for one connection.
type mechanism interface {
	// start returns what goes to the broker first.
	start() ([]byte, error)

	// next answers a challenge of the broker.
	next(challenge []byte) ([]byte, error)

	// end sees what the broker sent with its success, nil if nothing. It refuses a
	// broker that had to prove who it is and did not.
	end(data []byte) error
}

// The mechanisms by their names in the registry of IANA, strongest first.
const (
	external    = "EXTERNAL"
	scramSHA512 = "SCRAM-SHA-512"
	scramSHA256 = "SCRAM-SHA-256"
	plain       = "PLAIN"
	anonymous   = "ANONYMOUS"
)

func strongestFirst() []string {
	return []string{external, scramSHA512, scramSHA256, plain, anonymous}
}

func needsPassword(name string) bool { return name != external && name != anonymous }

// A login is who authenticates.
type login struct{ user, password string }

func (c *Connection) login(a address) login {
	if a.user != "" {
		return login{a.user, a.password}
	}
	return login{c.User, c.Password}
}

func (l login) mechanism(name string) mechanism {
	switch name {
	case scramSHA512:
		return &scram{login: l, hash: sha512.New}
	case scramSHA256:
		return &scram{login: l, hash: sha256.New}
	case plain:
		return oneMessage("\x00" + l.user + "\x00" + l.password)
	case anonymous:
		return oneMessage("anonymous")
	}
	return oneMessage("") // EXTERNAL: who the certificate says
}

// oneMessage is a mechanism that says all it has to say at the start.
type oneMessage string

func (m oneMessage) start() ([]byte, error)      { return []byte(m), nil }
func (m oneMessage) next([]byte) ([]byte, error) { return nil, errors.New("unexpected challenge") }
func (m oneMessage) end([]byte) error            { return nil }

func (s *SASL) enabled() bool { return s.Enabled == nil || *s.Enabled }

func (s *SASL) allowInsecure(a address) bool {
	if s.AllowInsecure == nil {
		return a.loopback()
	}
	return *s.AllowInsecure
}

// mechanisms returns the names of those that may be used at a, strongest first.
func (c *Connection) mechanisms(a address) []string {
	allowed := func(name string) bool { return slices.Contains(c.SASL.Mechanisms, name) }
	if len(c.SASL.Mechanisms) == 0 {
		allowed = func(name string) bool {
			switch name {
			case external:
				return c.login(a).user == "" && c.hasCertificate(a)
			case anonymous:
				return c.login(a).user == ""
			}
			return c.login(a).user != ""
		}
	}
	return slices.DeleteFunc(strongestFirst(), func(name string) bool { return !allowed(name) })
}

func (c *Connection) hasCertificate(a address) bool { return a.tls && c.TLS != nil && c.TLS.Cert != "" }

// checkSASL says what is wrong with how a would be authenticated to.
func (c *Connection) checkSASL(a address) error {
	user := c.login(a).user
	if !c.SASL.enabled() {
		if user != "" || len(c.SASL.Mechanisms) > 0 {
			return &connections.SettingError{Field: "sasl.enabled", Found: "false", Want: "true, because there is a user or a mechanism"}
		}
		return nil
	}
	var errs []error
	for _, name := range c.SASL.Mechanisms {
		errs = append(errs, c.checkMechanism(name, a))
	}
	if slices.Contains(c.mechanisms(a), plain) && !a.tls && !c.SASL.allowInsecure(a) {
		errs = append(errs, &connections.SettingError{Field: "sasl.allowInsecure",
			Want: fmt.Sprintf("true, or a URL with amqps://, or sasl.mechanisms without PLAIN: the password would go to %s in clear", a)})
	}
	return errors.Join(errs...)
}

func (c *Connection) checkMechanism(name string, a address) error {
	user := c.login(a).user
	switch {
	case !slices.Contains(strongestFirst(), name):
		return &connections.SettingError{Field: "sasl.mechanisms", Found: fmt.Sprintf("%q", name), Want: "some of " + strings.Join(strongestFirst(), ", ")}
	case name == anonymous && user != "":
		return &connections.SettingError{Field: "sasl.mechanisms", Found: name, Want: "none that ignores the user"}
	case needsPassword(name) && user == "":
		return &connections.SettingError{Field: "user", Want: "a user for " + name}
	case name == external && !c.hasCertificate(a):
		return &connections.SettingError{Field: "tls.cert", Want: "a client certificate for EXTERNAL, and a URL with amqps://"}
	}
	return nil
}
