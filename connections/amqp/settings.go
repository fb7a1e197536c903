package amqp

import (
	"errors"
	"fmt"
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
	User        string           `yaml:"user,omitempty" doc:"name to authenticate with; none: anonymous, or by client certificate"`
	Password    string           `yaml:"password,omitempty" secret:"true" doc:"password of the user"`
	ContainerID string           `yaml:"containerId,omitempty" doc:"first part of the container id of durable subscriptions that are not shared; other connections have random ones"`
	IdleTimeout time.Duration    `yaml:"idleTimeout,omitempty" doc:"how long the broker may be silent before the connection counts as lost; default 30s"`
	SASL        SASL             `yaml:"sasl,omitempty" doc:"how to authenticate"`
	TLS         *connections.TLS `yaml:"tls,omitempty" doc:"certificates, for amqps"`
}

// SASL is settings of the authentication.
type SASL struct {
	Mechanisms    []string `yaml:"mechanisms,omitempty" doc:"mechanisms allowed (EXTERNAL, SCRAM-SHA-512, SCRAM-SHA-256, PLAIN, ANONYMOUS); the strongest that the broker offers is taken. Default: with a user those with a password, without one EXTERNAL where there is a client certificate, and ANONYMOUS"`
	Enabled       *bool    `yaml:"enabled,omitempty" doc:"false: open AMQP without a SASL layer. Default true"`
	AllowInsecure *bool    `yaml:"allowInsecure,omitempty" doc:"send passwords in clear (PLAIN without TLS); default true for loopback hosts, false elsewhere"`
}

// Source is the settings of a trigger.
type Source struct {
	connections.Destination `yaml:",inline"`

	Subscription string `yaml:"subscription,omitempty" doc:"name of a durable subscription to the topic, which collects messages while nobody receives"`
	Shared       bool   `yaml:"shared,omitempty" doc:"true: several receivers share the subscription, and it needs no containerId"`
	Selector     string `yaml:"selector,omitempty" doc:"which messages to receive, as a JMS selector, such as \"colour = 'red'\""`
}

// Target is the settings of a binding.
type Target struct {
	connections.Destination `yaml:",inline"`

	Headers map[string]string `yaml:"headers,omitempty" doc:"application properties of every message, unless it has its own"`
}

// check returns where to connect, in the order of urls, or everything that is
// wrong with the settings.
func (c *Connection) check() ([]address, error) {
	var errs []error
	wrong := func(field, found, want string) {
		errs = append(errs, &connections.SettingError{Field: field, Found: found, Want: want})
	}
	if (c.URL == "") == (len(c.URLs) == 0) {
		wrong("url", "", "either url or urls")
	}
	if c.IdleTimeout != 0 && c.IdleTimeout < time.Second {
		wrong("idleTimeout", c.IdleTimeout.String(), "at least 1s")
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
		errs = append(errs, c.checkSASL(addresses[i]))
	}
	errs = append(errs, c.TLS.Check())
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return addresses, nil
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
	if t.Queue != "" && t.Topic != "" {
		return &connections.SettingError{Field: "queue", Want: "at most one of queue and topic"}
	}
	return nil
}

var (
	_ connections.Addressed = (*Source)(nil)
	_ connections.Addressed = (*Target)(nil)
)
