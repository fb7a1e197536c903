package config_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/framework/config"
)

// broker is the settings of a connection to a broker that exists for these tests
// only. It has a field of each type that drivers use.
type broker struct {
	URL       string            `yaml:"url,omitempty" secret:"url" doc:"address of the broker"`
	URLs      []string          `yaml:"urls,omitempty" secret:"url" doc:"addresses that are tried in turn"`
	User      string            `yaml:"user,omitempty" doc:"name to authenticate with"`
	Password  string            `yaml:"password,omitempty" secret:"true" doc:"password of the user"`
	ClientID  string            `yaml:"clientId,omitempty" doc:"id of durable subscriptions"`
	Limit     int               `yaml:"limit,omitempty" doc:"how many messages a queue holds"`
	CCSID     uint16            `yaml:"ccsid,omitempty" doc:"character set"`
	Factor    float64           `yaml:"factor,omitempty" doc:"how much longer each wait is"`
	Idle      time.Duration     `yaml:"idle,omitempty" doc:"how long a connection may be silent"`
	Heartbeat *time.Duration    `yaml:"heartbeat,omitempty" doc:"how often both sides say that they live; 0: never"`
	JMS       bool              `yaml:"jms,omitempty" doc:"talk to JMS programs"`
	Headers   map[string]string `yaml:"headers,omitempty" doc:"headers of CONNECT"`
	SASL      sasl              `yaml:"sasl,omitempty" doc:"how to authenticate"`
	TLS       *connections.TLS  `yaml:"tls,omitempty" doc:"certificates"`
	Since     time.Time         `yaml:"since,omitempty" doc:"a type that reads its own text"`
}

type sasl struct {
	Mechanisms []string `yaml:"mechanisms,omitempty" doc:"mechanisms allowed"`
	Enabled    *bool    `yaml:"enabled,omitempty" doc:"whether to authenticate"`
}

type source struct {
	connections.Destination `yaml:",inline"`

	Subscription string `yaml:"subscription,omitempty" doc:"name of a durable subscription"`
	Selector     string `yaml:"selector,omitempty" doc:"which messages to receive"`
}

type target struct {
	connections.Destination `yaml:",inline"`

	Headers map[string]string `yaml:"headers,omitempty" doc:"headers of every message"`
}

// plain is the settings of a second kind of broker; its channel is required.
type plain struct {
	Channel string `yaml:"channel" doc:"name of the channel"`
}

type plainSource struct {
	connections.Destination `yaml:",inline"`

	Subscription int `yaml:"subscription,omitempty" doc:"number of a subscription"`
}

func drivers() map[string]connections.Driver {
	return map[string]connections.Driver{
		"test": {
			Connection:  func() any { return new(broker) },
			Source:      func() any { return new(source) },
			Target:      func() any { return new(target) },
			Open:        func(name string, settings any) (connections.Dial, error) { return dial, settings.(*broker).check(name) },
			CheckSource: func(connection, s any) error { return s.(*source).check(connection.(*broker)) },
			CheckTarget: func(_, t any) error { return t.(*target).check() },
		},
		"plain": {
			Connection: func() any { return new(plain) },
			Source:     func() any { return new(plainSource) },
			Target:     func() any { return new(target) },
			Open: func(_ string, settings any) (connections.Dial, error) {
				switch settings.(*plain).Channel {
				case "BROKEN":
					return nil, errors.New("the library\ndoes not start")
				case "NOT.BUILT":
					return nil, fmt.Errorf("the library is %w", connections.ErrNotBuilt)
				}
				return dial, nil
			},
		},
	}
}

func dial(context.Context) (connections.Conn, error) { return nil, errors.ErrUnsupported }

// check finds several problems at once, some of them wrapped.
func (b *broker) check(name string) error {
	var errs []error
	if b.URL == "" && len(b.URLs) == 0 {
		errs = append(errs, &connections.SettingError{Field: "url", Want: "either url or urls"})
	}
	for i, u := range b.URLs {
		if u == "bad" {
			errs = append(errs, &connections.SettingError{Field: "urls[" + strconv.Itoa(i) + "]", Want: "a URL"})
		}
	}
	if b.Limit > 100 {
		errs = append(errs, errors.Join(&connections.SettingError{Field: "limit", Found: strconv.Itoa(b.Limit), Want: "at most 100"}))
	}
	if b.SASL.Enabled != nil && !*b.SASL.Enabled && b.Password != "" {
		errs = append(errs, &connections.SettingError{Field: "sasl.enabled", Found: "false with a password", Want: "true"})
	}
	if err := b.TLS.Check(); err != nil {
		errs = append(errs, wrapped{name, err})
	}
	return errors.Join(errs...)
}

// wrapped is an error around another.
type wrapped struct {
	name string
	err  error
}

func (w wrapped) Error() string { return w.name + ": " + w.err.Error() }
func (w wrapped) Unwrap() error { return w.err }

func (s *source) check(b *broker) error {
	var errs []error
	if (s.Queue == "") == (s.Topic == "") {
		errs = append(errs, &connections.SettingError{Field: "queue", Want: "either queue or topic"})
	}
	if s.Subscription != "" && b.ClientID == "" {
		errs = append(errs, &connections.SettingError{Field: "subscription", Want: "clientId on the connection"})
	}
	return errors.Join(errs...)
}

func (t *target) check() error {
	if t.Headers["id"] != "" {
		return &connections.SettingError{Field: "headers", Found: `"id"`, Want: "headers that the driver does not set itself"}
	}
	return nil
}

// environment is what ${env:…} finds in the tests.
var environment = map[string]string{
	"PASSWORD": "geheim", "LIMIT": "7", "EMPTY": "", "YES": "true", "WAIT": "3s", "QUEUE": "CUSTOMER.1", "KIND": "test",
}

func options() config.Options {
	return config.Options{
		Drivers:   drivers(),
		Functions: []string{"greet", "order.received", "order.index"},
		LookupEnv: func(name string) (string, bool) { v, ok := environment[name]; return v, ok },
		Secret: func(name string) (string, error) {
			if name == "known" {
				return "geheim", nil
			}
			return "", errors.New("no secret named " + name)
		},
	}
}

// parse reads a document that must be right.
func parse(t testing.TB, text string) *config.Config {
	t.Helper()
	c, err := config.Parse([]byte(text), "fairlead.yaml", options())
	if err != nil {
		t.Fatalf("a good document: %v", err)
	}
	return c
}
