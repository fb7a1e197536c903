package mq

import (
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/connections/mq/mqi"
)

// Connection is the settings of a connection.
type Connection struct {
	Address      string `yaml:"address,omitempty" doc:"where the queue manager listens, as host(port), or several with commas between, which are tried in turn"`
	QueueManager string `yaml:"queueManager,omitempty" doc:"name of the queue manager; default: whichever listens there"`
	Channel      string `yaml:"channel,omitempty" doc:"name of the server-connection channel"`
	CCDT         string `yaml:"ccdt,omitempty" doc:"client channel definition table, as the full path of a file or a URL, instead of address and channel"`
	User         string `yaml:"user,omitempty" doc:"name to authenticate with; none: no credentials are sent"`
	Password     string `yaml:"password,omitempty" secret:"true" doc:"password of the user"`
	JMS          bool   `yaml:"jms,omitempty" doc:"true: write messages as JMS clients do, with an MQRFH2 header that carries properties. Both are read in either case"`
	ApplName     string `yaml:"applName,omitempty" doc:"name that the queue manager shows for this application; default fairlead"`
	TLS          *TLS   `yaml:"tls,omitempty" doc:"encryption. All connections of one process must have the same"`
}

// TLS is settings of an encrypted connection. IBM's client takes keys and
// certificates from a key repository.
type TLS struct {
	KeyRepository         string `yaml:"keyRepository,omitempty" path:"true" doc:"file with keys and certificates, as the client wants it: PKCS #12, or a CMS key database without its suffix"`
	KeyRepositoryPassword string `yaml:"keyRepositoryPassword,omitempty" secret:"true" doc:"its password; default: its stash file"`
	CertificateLabel      string `yaml:"certificateLabel,omitempty" doc:"label of the client certificate"`
	CipherSpec            string `yaml:"cipherSpec,omitempty" doc:"default ANY_TLS12_OR_HIGHER"`
	PeerName              string `yaml:"peerName,omitempty" doc:"what the queue manager's certificate must say, such as CN=QM1,O=Example"`
}

// Source is the settings of a trigger.
type Source struct {
	connections.Destination `yaml:",inline"`

	Batch int `yaml:"batch,omitempty" doc:"how many messages may share a unit of work. More is faster, but what a crash or a failure gives back is all of them. Default 1"`
}

// Target is the settings of a binding.
type Target struct {
	connections.Destination `yaml:",inline"`

	Headers map[string]string `yaml:"headers,omitempty" doc:"properties of every message, unless it has its own; needs jms: true"`
	Atomic  bool              `yaml:"atomic,omitempty" doc:"true: what a function sends to the connection that its message came from is committed together with that message"`
}

// WantsAtomic implements [connections.AtomicTarget].
func (t *Target) WantsAtomic() bool { return t.Atomic }

const (
	defaultApplName = "fairlead"
	maxBatch        = 1000
)

// problems collects what is wrong with settings.
type problems []error

func (p *problems) add(wrong bool, field, found, want string) {
	if !wrong {
		return
	}
	if found != "" {
		found = strconv.Quote(found)
	}
	*p = append(*p, &connections.SettingError{Field: field, Found: found, Want: want})
}

// tooLong checks the length of a text, which the client would cut silently.
func (p *problems) tooLong(field, text string, most int32) {
	p.add(len(text) > int(most), field, text, fmt.Sprintf("at most %d characters", most))
}

// name checks the name of an MQ object, if there is one.
func (p *problems) name(field, name string, most int32) {
	p.add(name != "" && !isName(name, most), field, name, nameRule(most))
}

func (c *Connection) check() error {
	var p problems
	if c.CCDT != "" {
		_, err := c.ccdtURL()
		p.add(err != nil, "ccdt", c.CCDT, "the full path of a file, or a URL that begins with file://, http://, https:// or ftp://")
		p.add(c.Address != "", "address", c.Address, "either address and channel, or ccdt")
		p.add(c.Channel != "", "channel", c.Channel, "either address and channel, or ccdt")
	} else {
		p.add(c.Address == "", "address", "", "where the queue manager listens, as host(port), or a ccdt")
		p.add(c.Address != "" && !isAddress(c.Address), "address", c.Address, addressRule)
		p.add(c.Channel == "", "channel", "", "the name of a server-connection channel, or a ccdt")
	}
	p.name("channel", c.Channel, mqi.MQ_CHANNEL_NAME_LENGTH)
	p.name("queueManager", strings.TrimPrefix(c.QueueManager, "*"), mqi.MQ_OBJECT_NAME_LENGTH)
	p.add(c.Password != "" && c.User == "", "password", "", "a user, too")
	p.add(len(c.Password) > int(mqi.MQ_CSP_PASSWORD_LENGTH), "password", "", fmt.Sprintf("at most %d characters", mqi.MQ_CSP_PASSWORD_LENGTH))
	p.tooLong("applName", c.ApplName, mqi.MQ_APPL_NAME_LENGTH)
	c.TLS.check(&p)
	return errors.Join(p...)
}

func (t *TLS) check(p *problems) {
	if t == nil {
		return
	}
	p.add(t.KeyRepository == "", "tls.keyRepository", "", "a file with keys and certificates")
	p.tooLong("tls.keyRepository", t.KeyRepository, mqi.MQ_SSL_KEY_REPOSITORY_LENGTH)
	p.tooLong("tls.certificateLabel", t.CertificateLabel, mqi.MQ_CERT_LABEL_LENGTH)
	p.tooLong("tls.cipherSpec", t.CipherSpec, mqi.MQ_SSL_CIPHER_SPEC_LENGTH)
	p.tooLong("tls.peerName", t.PeerName, mqi.MQ_SSL_PEER_NAME_LENGTH)
}

// ccdtURL returns the table as the client wants it named.
func (c *Connection) ccdtURL() (string, error) {
	if filepath.IsAbs(c.CCDT) {
		return "file://" + filepath.ToSlash(c.CCDT), nil
	}
	u, err := url.Parse(c.CCDT)
	if err != nil {
		return "", err
	}
	switch u.Scheme {
	case "file", "http", "https", "ftp":
		return c.CCDT, nil
	}
	return "", fmt.Errorf("scheme %s", u.Scheme)
}

const addressRule = "host(port), or several with commas between, in at most 264 characters"

// isAddress reports whether a is a list of hosts with ports. A port behind a
// colon, as elsewhere, is not MQ's way.
func isAddress(a string) bool {
	if len(a) > int(mqi.MQ_CONN_NAME_LENGTH) {
		return false
	}
	pattern := regexp.MustCompile(`^[A-Za-z0-9._%:-]+(?:\(([0-9]+)\))?$`)
	for one := range strings.SplitSeq(a, ",") {
		one = strings.TrimSpace(one)
		m := pattern.FindStringSubmatch(one)
		if m == nil || strings.Count(one, ":") == 1 || m[1] != "" && !isPort(m[1]) {
			return false
		}
	}
	return true
}

func isPort(text string) bool {
	n, err := strconv.ParseUint(text, 10, 16)
	return err == nil && n > 0
}

func (c *Connection) applName() string {
	if c.ApplName == "" {
		return defaultApplName
	}
	return c.ApplName
}

func (s *Source) check() error {
	var p problems
	p.destination(&s.Destination)
	p.add(s.Queue == "", "queue", "", "the name of a queue")
	p.name("queue", s.Queue, mqi.MQ_OBJECT_NAME_LENGTH)
	p.add(s.Batch < 0 || s.Batch > maxBatch, "batch", strconv.Itoa(s.Batch), fmt.Sprintf("1 to %d", maxBatch))
	return errors.Join(p...)
}

func (t *Target) check(c *Connection) error {
	var p problems
	p.destination(&t.Destination)
	if t.Queue != "" {
		_, err := parseAddress(t.Queue)
		p.add(err != nil, "queue", t.Queue, nameRule(mqi.MQ_OBJECT_NAME_LENGTH)+", or queue://MANAGER/QUEUE")
	}
	p.add(len(t.Headers) > 0 && !c.JMS, "headers", "", "a connection with jms: true, because plain messages have no properties")
	return errors.Join(p...)
}

func (p *problems) destination(d *connections.Destination) {
	p.add(d.Topic != "", "topic", d.Topic, "a queue; topics of IBM MQ are not supported")
}
