package stomp

import (
	"errors"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/go-stomp/stomp/v3/frame"

	"github.com/fairlead/fairlead/connections"
)

// DefaultHeartbeat is how often both sides say that they live.
const DefaultHeartbeat = 10 * time.Second

// embeddedURL is the url that asks for the development broker.
const embeddedURL = "embedded"

// Connection is the settings of a connection.
type Connection struct {
	URL       string            `yaml:"url,omitempty" secret:"url" doc:"address of the broker, such as stomp://broker.example.com:61613 or stomps://…:61614 (TLS); embedded: the development broker in this process"`
	URLs      []string          `yaml:"urls,omitempty" secret:"url" doc:"addresses that are tried in turn until one answers"`
	User      string            `yaml:"user,omitempty" doc:"name to authenticate with; none: anonymous, or by client certificate"`
	Password  string            `yaml:"password,omitempty" secret:"true" doc:"password of the user"`
	VHost     string            `yaml:"vhost,omitempty" doc:"virtual host; default /"`
	ClientID  string            `yaml:"clientId,omitempty" doc:"first part of the client id that durable subscriptions belong to; other connections have none"`
	Heartbeat *time.Duration    `yaml:"heartbeat,omitempty" doc:"how often both sides say that they live; silence of twice that is a lost connection; 0: never. Default 10s"`
	Headers   map[string]string `yaml:"headers,omitempty" doc:"further headers of CONNECT; accept-version may be among them"`
	TLS       *connections.TLS  `yaml:"tls,omitempty" doc:"certificates, for stomps"`
}

// Source is the settings of a trigger.
type Source struct {
	connections.Destination `yaml:",inline"`

	Subscription string            `yaml:"subscription,omitempty" doc:"name of a durable subscription to the topic, which collects messages while nobody receives"`
	Selector     string            `yaml:"selector,omitempty" doc:"which messages to receive, as a JMS selector, such as \"colour = 'red'\"; RabbitMQ has none"`
	Headers      map[string]string `yaml:"headers,omitempty" doc:"further headers of SUBSCRIBE; one that the driver sets, too, replaces that"`
}

// Target is the settings of a binding.
type Target struct {
	connections.Destination `yaml:",inline"`

	Headers map[string]string `yaml:"headers,omitempty" doc:"headers of every message, unless it has its own"`
}

// Durable implements [connections.Durable].
func (s *Source) Durable() (subscription, terms string) {
	return s.Subscription, s.Topic + "\x00" + s.Selector
}

var (
	_ connections.Embeddable = (*Connection)(nil)
	_ connections.Durable    = (*Source)(nil)
	_ connections.Addressed  = (*Source)(nil)
	_ connections.Addressed  = (*Target)(nil)
)

// WantsEmbedded implements [connections.Embeddable].
func (c *Connection) WantsEmbedded() bool { return slices.Contains(c.urls(), embeddedURL) }

// check returns where to connect by the URLs, or everything that is wrong with
// the settings.
func (c *Connection) check() (map[string]address, error) {
	var errs []error
	if (c.URL == "") == (len(c.URLs) == 0) {
		errs = append(errs, &connections.SettingError{Field: "url", Want: "either url or urls"})
	}
	if h := c.heartbeat(); h != 0 && h < time.Second {
		errs = append(errs, &connections.SettingError{Field: "heartbeat", Found: h.String(), Want: "0, or at least 1s"})
	}
	addresses := make(map[string]address)
	for i, u := range c.urls() {
		a, err := parseURL(u)
		if err == nil && a.user != "" && c.User != "" {
			err = errors.New("a URL without a user, because user says who")
		}
		if err != nil {
			errs = append(errs, &connections.SettingError{Field: c.urlField(i), Want: err.Error()})
		}
		addresses[u] = a
	}
	errs = append(errs, c.TLS.Check(),
		checkHeaders(c.Headers, frame.Login, frame.Passcode, frame.Host, frame.HeartBeat, clientIDHeader))
	return addresses, errors.Join(errs...)
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
	return "urls[" + strconv.Itoa(i) + "]"
}

func (c *Connection) vhost() string {
	if c.VHost == "" {
		return "/"
	}
	return c.VHost
}

func (c *Connection) heartbeat() time.Duration {
	if c.Heartbeat == nil {
		return DefaultHeartbeat
	}
	return *c.Heartbeat
}

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
	if s.Subscription != "" && c.ClientID == "" {
		wrong("subscription", "clientId on the connection: a durable subscription belongs to it")
	}
	return errors.Join(append(errs, checkHeaders(s.Headers, frame.Id, frame.Ack, frame.Destination, frame.Receipt))...)
}

func (t *Target) check() error {
	var err error
	if t.Queue != "" && t.Topic != "" {
		err = &connections.SettingError{Field: "queue", Want: "at most one of queue and topic"}
	}
	var own []string
	for name := range t.Headers {
		if isOwn(name) {
			own = append(own, name)
		}
	}
	return errors.Join(err, checkHeaders(t.Headers, own...))
}

// checkHeaders refuses those headers that the driver itself has to set.
func checkHeaders(h map[string]string, reserved ...string) error {
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(h)) {
		if name == "" || slices.Contains(reserved, name) {
			errs = append(errs, &connections.SettingError{Field: "headers", Found: strconv.Quote(name), Want: "headers that the driver does not set itself"})
		}
	}
	return errors.Join(errs...)
}
