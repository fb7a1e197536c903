package amqp

import (
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/fairlead/fairlead/connections"
)

// DefaultIdleTimeout is how long a connection may be silent before it counts as
// lost. Both sides send heart-beats, so a live one never is.
const DefaultIdleTimeout = 30 * time.Second

// Connection is the settings of a connection.
type Connection struct {
	URL         string           `yaml:"url,omitempty" secret:"url" doc:"address of the broker, such as amqps://broker.example.com:5671"`
	URLs        []string         `yaml:"urls,omitempty" secret:"url" doc:"addresses that are tried in turn until one answers"`
	File        string           `yaml:"file,omitempty" path:"true" doc:"a connect.json that says address, user, sasl and tls. Without it, and without any other key, the first of $MESSAGING_CONNECT_FILE, ./connect.json, ~/.config/messaging/connect.json and /etc/messaging/connect.json"`
	User        string           `yaml:"user,omitempty" doc:"name to authenticate with; none: anonymous, or by client certificate"`
	Password    string           `yaml:"password,omitempty" secret:"true" doc:"password of the user"`
	ContainerID string           `yaml:"containerId,omitempty" doc:"first part of the container id of durable subscriptions that are not shared; other connections have random ones"`
	IdleTimeout time.Duration    `yaml:"idleTimeout,omitempty" doc:"how long the broker may be silent before the connection counts as lost; default 30s"`
	SASL        SASL             `yaml:"sasl,omitempty" doc:"how to authenticate"`
	TLS         *connections.TLS `yaml:"tls,omitempty" doc:"certificates, for amqps"`
}

// SASL is settings of the authentication.
type SASL struct {
	Mechanisms    []string `yaml:"mechanisms,omitempty" doc:"mechanisms allowed (EXTERNAL, GSSAPI, SCRAM-SHA-512, SCRAM-SHA-256, SCRAM-SHA-1, XOAUTH2, PLAIN, ANONYMOUS); the strongest that the broker offers is taken. Default: GSSAPI with a keytab; with a user SCRAM and PLAIN; without either EXTERNAL where there is a client certificate, and ANONYMOUS"`
	Enabled       *bool    `yaml:"enabled,omitempty" doc:"false: open AMQP without a SASL layer. Default true"`
	AllowInsecure *bool    `yaml:"allowInsecure,omitempty" doc:"send passwords and tokens in clear (PLAIN and XOAUTH2 without TLS); default true for loopback hosts, false elsewhere"`
	Keytab        string   `yaml:"keytab,omitempty" path:"true" doc:"GSSAPI: file with the key of principal; default: the tickets that kinit got (KRB5CCNAME)"`
	Principal     string   `yaml:"principal,omitempty" doc:"GSSAPI: whose key in keytab to use, such as app@EXAMPLE.COM"`
}

// Source is the settings of a trigger.
type Source struct {
	connections.Destination `yaml:",inline"`

	Subscription string `yaml:"subscription,omitempty" doc:"name of a durable subscription to the topic, which collects messages while nobody receives"`
	Shared       bool   `yaml:"shared,omitempty" doc:"true: several receivers share the subscription, and it needs no containerId"`
	Selector     string `yaml:"selector,omitempty" doc:"which messages to receive, as a JMS selector, such as \"colour = 'red'\""`

	Dynamic      bool     `yaml:"dynamic,omitempty" doc:"true: the queue is a temporary one that the broker makes and names; a replyTo calls it dynamic:NAME"`
	Capabilities []string `yaml:"capabilities,omitempty" doc:"what the broker is told about the address; default: queue or topic; []: nothing"`
}

// Target is the settings of a binding.
type Target struct {
	connections.Destination `yaml:",inline"`

	Headers      map[string]string `yaml:"headers,omitempty" doc:"application properties of every message, unless it has its own"`
	ReplyTo      string            `yaml:"replyTo,omitempty" doc:"where answers are to go, unless a message says: a queue, topic:NAME, or dynamic:NAME, the dynamic queue of a trigger on this connection"`
	JMS          string            `yaml:"jms,omitempty" doc:"what JMS clients are to receive: map (the data is a JSON object), stream (a JSON array) or object (a serialized Java object); default: text or bytes, by the media type"`
	Presettled   bool              `yaml:"presettled,omitempty" doc:"true: send and forget; the broker confirms nothing, and what it refuses or loses is lost"`
	Capabilities []string          `yaml:"capabilities,omitempty" doc:"what the broker is told about the address; default: queue or topic; []: nothing"`

	each bool // the address is one of many: of a binding that has none of its own
}

// SetAddress implements [connections.Addressed].
func (t *Target) SetAddress(name string, native bool) {
	before, _ := t.Address()
	t.each = t.each || before == ""
	t.Destination.SetAddress(name, native)
}

// check returns where to connect, in the order of urls, or everything that is
// wrong with the settings. What a connect.json says is looked at later.
func (c *Connection) check() ([]address, error) {
	var errs []error
	wrong := func(field, found, want string) {
		errs = append(errs, &connections.SettingError{Field: field, Found: found, Want: want})
	}
	if c.IdleTimeout != 0 && c.IdleTimeout < time.Second {
		wrong("idleTimeout", c.IdleTimeout.String(), "at least 1s")
	}
	switch given := c.places(); {
	case c.fromFile():
		errs = append(errs, c.checkFile())
	case given != 1:
		wrong("url", "", "one of url, urls and file, or no key but the type: then a connect.json is searched for")
	}
	addresses := make([]address, len(c.urls()))
	for i, u := range c.urls() {
		var err error
		if addresses[i], err = parseURL(u); err != nil {
			wrong(c.urlField(i), "", err.Error())
			continue
		}
		if addresses[i].user != "" && c.User != "" {
			wrong("user", "", "the user either here or in "+c.urlField(i))
		}
		errs = append(errs, c.checkSASL(addresses[i]), c.checkClear(addresses[i]))
	}
	errs = append(errs, c.TLS.Check())
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return addresses, nil
}

// places returns how many keys say where to connect.
func (c *Connection) places() (given int) {
	for _, there := range []bool{c.URL != "", len(c.URLs) > 0, c.File != ""} {
		if there {
			given++
		}
	}
	return given
}

// fromFile says that a connect.json has the settings.
func (c *Connection) fromFile() bool {
	return c.File != "" && c.places() == 1 || reflect.ValueOf(*c).IsZero()
}

// checkFile says what is here that belongs into the file.
func (c *Connection) checkFile() error {
	var errs []error
	for _, key := range []struct {
		field string
		there bool
	}{
		{"user", c.User != ""},
		{"password", c.Password != ""},
		{"sasl", !reflect.ValueOf(c.SASL).IsZero()},
		{"tls", c.TLS != nil},
	} {
		if key.there {
			errs = append(errs, &connections.SettingError{Field: key.field, Want: "this in the connect.json, or url in place of file"})
		}
	}
	return errors.Join(errs...)
}

func (c *Connection) urls() []string {
	if c.URL != "" {
		return []string{c.URL}
	}
	return c.URLs
}

func (c *Connection) urlField(i int) string {
	if c.URL != "" {
		return "url"
	}
	return fmt.Sprintf("urls[%d]", i)
}

func (c *Connection) idleTimeout() time.Duration {
	if c.IdleTimeout == 0 {
		return DefaultIdleTimeout
	}
	return c.IdleTimeout
}

// exclusive says that s is a durable subscription which one receiver holds.
func (s *Source) exclusive() bool { return s.Subscription != "" && !s.Shared }

func (s *Source) check(c *Connection) error {
	var errs []error
	wrong := func(field, want string) {
		errs = append(errs, &connections.SettingError{Field: field, Want: want})
	}
	if (s.Queue == "") == (s.Topic == "") {
		wrong("queue", "either queue or topic")
	}
	if strings.HasPrefix(s.Queue, dynamicPrefix) {
		errs = append(errs, dynamicNowhere("queue", s.Queue))
	}
	if s.Dynamic && s.Queue == "" {
		wrong("dynamic", "a queue, too: the name that it has here")
	}
	if s.Subscription != "" && s.Topic == "" {
		wrong("subscription", "a topic, too")
	}
	if s.Shared && s.Subscription == "" {
		wrong("shared", "a subscription, too")
	}
	if s.exclusive() && c.ContainerID == "" {
		wrong("subscription", "containerId on the connection, or shared: true here")
	}
	return errors.Join(errs...)
}

func (t *Target) check() error {
	var errs []error
	if t.Queue != "" && t.Topic != "" {
		errs = append(errs, &connections.SettingError{Field: "queue", Want: "at most one of queue and topic"})
	}
	if strings.HasPrefix(t.Queue, dynamicPrefix) {
		errs = append(errs, dynamicNowhere("queue", t.Queue))
	}
	if !knownKind(t.JMS) {
		errs = append(errs, &connections.SettingError{Field: "jms", Found: t.JMS, Want: "map, stream or object"})
	}
	return errors.Join(errs...)
}

// dynamicNowhere is the error of a dynamic queue where nobody could find it.
func dynamicNowhere(field, found string) error {
	return &connections.SettingError{Field: field, Found: strconv.Quote(found), Want: "the name of a queue: dynamic:NAME has a meaning only as the replyTo of a binding"}
}

// AnsweredAt implements [connections.Answered].
func (t *Target) AnsweredAt() (queue string, ok bool) {
	return strings.CutPrefix(t.ReplyTo, dynamicPrefix)
}

// IsTemporary implements [connections.Temporary].
func (s *Source) IsTemporary() bool { return s.Dynamic }

// Durable implements [connections.Durable].
func (s *Source) Durable() (subscription, terms string) {
	return s.Subscription, s.Topic + "\x00" + s.Selector
}

var (
	_ connections.Addressed = (*Source)(nil)
	_ connections.Durable   = (*Source)(nil)
	_ connections.Addressed = (*Target)(nil)
	_ connections.Answered  = (*Target)(nil)
	_ connections.Temporary = (*Source)(nil)
)
