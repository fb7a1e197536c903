package amqp

import (
	"errors"
	"net"
	"net/url"
)

// An address is where a broker listens, and who says so.
type address struct {
	host, port     string
	tls            bool
	user, password string // as in the URL; usually empty
}

// parseURL reads amqp://[USER[:PASSWORD]@]HOST[:PORT]. Its errors say what was
// expected and never repeat the URL, which may hold a password.
func parseURL(text string) (address, error) {
	u, err := url.Parse(text)
	if err != nil {
		return address{}, errors.New("a URL such as amqp://host:5672; in a password / @ : and % are written %2F %40 %3A %25")
	}
	a := address{host: u.Hostname(), port: u.Port(), tls: u.Scheme == "amqps", user: u.User.Username()}
	a.password, _ = u.User.Password()
	switch {
	case u.Scheme != "amqp" && u.Scheme != "amqps":
		return address{}, errors.New("a URL that begins with amqp:// or amqps://")
	case a.host == "":
		return address{}, errors.New("a URL with a host, such as amqp://host:5672")
	case u.Path != "" && u.Path != "/", u.RawQuery != "", u.Fragment != "":
		return address{}, errors.New("a URL that ends after the port; other settings have keys of their own")
	}
	if a.port == "" {
		a.port = "5672"
		if a.tls {
			a.port = "5671"
		}
	}
	return a, nil
}

// String returns host and port.
func (a address) String() string { return net.JoinHostPort(a.host, a.port) }

// loopback says that what is sent there does not leave the machine.
func (a address) loopback() bool {
	ip := net.ParseIP(a.host)
	return a.host == "localhost" || ip != nil && ip.IsLoopback()
}
