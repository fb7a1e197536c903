package stomp

import (
	"errors"
	"net"
	"net/url"
)

// An address is where a broker listens, and who says so.
type address struct {
	embedded       bool // the development broker's
	host, port     string
	tls            bool
	user, password string // as in the URL; usually empty
}

// parseURL reads stomp://[USER[:PASSWORD]@]HOST[:PORT]. Its errors say what was
// expected and never repeat the URL, which may hold a password.
func parseURL(text string) (address, error) {
	if text == embeddedURL {
		return address{embedded: true}, nil
	}
	u, err := url.Parse(text)
	if err != nil {
		return address{}, errors.New("a URL such as stomp://host:61613; in a password / @ : and % are written %2F %40 %3A %25")
	}
	a := address{host: u.Hostname(), port: u.Port(), tls: u.Scheme == "stomps", user: u.User.Username()}
	a.password, _ = u.User.Password()
	switch {
	case u.Scheme != "stomp" && u.Scheme != "stomps":
		return address{}, errors.New("a URL that begins with stomp:// or stomps://, or embedded")
	case a.host == "":
		return address{}, errors.New("a URL with a host, such as stomp://host:61613")
	case u.Path != "" && u.Path != "/", u.RawQuery != "", u.Fragment != "":
		return address{}, errors.New("a URL that ends after the port; other settings have keys of their own, such as vhost")
	}
	if a.port == "" {
		a.port = "61613"
		if a.tls {
			a.port = "61614"
		}
	}
	return a, nil
}

// String returns host and port.
func (a address) String() string { return net.JoinHostPort(a.host, a.port) }
