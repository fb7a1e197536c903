package amqp

import (
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/connections/amqp/gssapi"
)

// A mechanism is one way to authenticate, used for one connection.
type mechanism interface {
	// Start returns what goes to the broker first.
	Start(ctx context.Context) ([]byte, error)

	// Next answers a challenge of the broker. An error refuses the broker.
	Next(challenge []byte) ([]byte, error)

	// End sees what the broker sent with its success, nil if nothing. It refuses a
	// broker that had to prove who it is and did not.
	End(data []byte) error
}

// The mechanisms by their names in the registry of IANA.
const (
	external    = "EXTERNAL"
	kerberos    = "GSSAPI"
	scramSHA512 = "SCRAM-SHA-512"
	scramSHA256 = "SCRAM-SHA-256"
	scramSHA1   = "SCRAM-SHA-1"
	xoauth2     = "XOAUTH2"
	plain       = "PLAIN"
	anonymous   = "ANONYMOUS"
)

func strongestFirst() []string {
	return []string{external, kerberos, scramSHA512, scramSHA256, scramSHA1, xoauth2, plain, anonymous}
}

func needsPassword(name string) bool {
	return name != external && name != anonymous && name != kerberos
}

// tellsSecret says that whoever reads the connection learns the password.
func tellsSecret(name string) bool { return name == plain || name == xoauth2 }

// A login is who authenticates.
type login struct {
	user, password string
	tickets        gssapi.Login
}

func (c *Connection) login(a address) login {
	l := login{user: c.User, password: c.Password, tickets: gssapi.Login{Keytab: c.SASL.Keytab, Principal: c.SASL.Principal}}
	if a.user != "" {
		l.user, l.password = a.user, a.password
	}
	return l
}

// mechanism returns the one of that name, for the broker known as host.
func (l login) mechanism(name, host string) mechanism {
	switch name {
	case kerberos:
		return &gssapi.Exchange{Service: "amqp/" + strings.ToLower(host), Login: l.tickets}
	case scramSHA512:
		return &scram{login: l, hash: sha512.New}
	case scramSHA256:
		return &scram{login: l, hash: sha256.New}
	case scramSHA1:
		return &scram{login: l, hash: sha1.New}
	case xoauth2:
		return &bearer{login: l}
	case plain:
		return oneMessage("\x00" + l.user + "\x00" + l.password)
	case anonymous:
		return oneMessage("anonymous")
	}
	return oneMessage("") // EXTERNAL: who the certificate says
}

// oneMessage is a mechanism that says all it has to say at the start.
type oneMessage string

func (m oneMessage) Start(context.Context) ([]byte, error) { return []byte(m), nil }
func (m oneMessage) Next([]byte) ([]byte, error)           { return nil, errors.New("unexpected challenge") }
func (m oneMessage) End([]byte) error                      { return nil }

// bearer is XOAUTH2: a token in place of the password. A broker that does not
// accept it says why in a challenge, which has an empty answer.
type bearer struct {
	login login
	said  string // by the broker
}

// Start implements mechanism.
func (b *bearer) Start(context.Context) ([]byte, error) {
	if strings.ContainsAny(b.login.user+b.login.password, "\x01") {
		return nil, errors.New("user or token have a control character")
	}
	return []byte("user=" + b.login.user + "\x01auth=Bearer " + b.login.password + "\x01\x01"), nil
}

// Next implements mechanism.
func (b *bearer) Next(challenge []byte) ([]byte, error) {
	if b.said != "" {
		return nil, errors.New("unexpected challenge")
	}
	var failure struct {
		Status string `json:"status"`
	}
	b.said = "no reason given"
	if json.Unmarshal(challenge, &failure) == nil && mechanismName(failure.Status) { // a number, as a rule
		b.said = "status " + failure.Status
	}
	return []byte{}, nil
}

// End implements mechanism.
func (b *bearer) End([]byte) error {
	if b.said != "" {
		return fmt.Errorf("it refused the token (%s), and then did not", b.said)
	}
	return nil
}

func (s *SASL) enabled() bool { return s.Enabled == nil || *s.Enabled }

func (s *SASL) allowInsecure(a address) bool {
	if s.AllowInsecure == nil {
		return a.loopback()
	}
	return *s.AllowInsecure
}

// listening says that somebody on the way to a could learn the password by that
// mechanism, and that this is not allowed.
func (s *SASL) listening(a address, name string) bool {
	return tellsSecret(name) && !a.tls && !s.allowInsecure(a)
}

// mechanisms returns the names of those that may be used at a, strongest first.
func (c *Connection) mechanisms(a address) []string {
	return slices.DeleteFunc(strongestFirst(), func(name string) bool {
		return !c.wants(name, a) || c.SASL.listening(a, name)
	})
}

// wants says that a mechanism is in the list, or would be in one that the other
// settings suggest.
func (c *Connection) wants(name string, a address) bool {
	if len(c.SASL.Mechanisms) > 0 {
		return slices.Contains(c.SASL.Mechanisms, name)
	}
	user, tickets := c.login(a).user != "", c.SASL.Keytab != ""
	switch name {
	case kerberos:
		return tickets
	case xoauth2:
		return false // the password would have to be a token
	case external:
		return !user && !tickets && c.hasCertificate(a)
	case anonymous:
		return !user && !tickets
	}
	return user
}

func (c *Connection) hasCertificate(a address) bool { return a.tls && c.TLS != nil && c.TLS.Cert != "" }

// checkSASL says what is wrong with how a would be authenticated to.
func (c *Connection) checkSASL(a address) error {
	var errs []error
	wrong := func(field, found, want string) {
		errs = append(errs, &connections.SettingError{Field: field, Found: found, Want: want})
	}
	if !c.SASL.enabled() {
		if c.login(a).user != "" || len(c.SASL.Mechanisms) > 0 || c.SASL.Keytab != "" {
			wrong("sasl.enabled", "false", "true, because there is a user, a keytab or a mechanism")
		}
		return errors.Join(errs...)
	}
	for _, name := range c.SASL.Mechanisms {
		errs = append(errs, c.checkMechanism(name, a))
	}
	switch {
	case c.SASL.Keytab != "" && !c.wants(kerberos, a):
		wrong("sasl.keytab", "", "GSSAPI among sasl.mechanisms")
	case c.SASL.Keytab != "" && c.SASL.Principal == "":
		wrong("sasl.principal", "", "whose key in sasl.keytab to use, such as app@EXAMPLE.COM")
	case c.SASL.Keytab == "" && c.SASL.Principal != "":
		wrong("sasl.keytab", "", "the file with the key of sasl.principal")
	}
	return errors.Join(errs...)
}

// checkClear says which password would be told to whoever listens on the way to a.
func (c *Connection) checkClear(a address) error {
	var errs []error
	for _, name := range []string{plain, xoauth2} {
		if c.SASL.enabled() && c.wants(name, a) && c.SASL.listening(a, name) {
			errs = append(errs, &connections.SettingError{Field: "sasl.allowInsecure",
				Want: fmt.Sprintf("true, or a URL with amqps://, or sasl.mechanisms without %s: the password would go to %s in clear", name, a)})
		}
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
