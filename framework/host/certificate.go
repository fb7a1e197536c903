package host

import (
	"crypto/tls"
	"log/slog"
	"os"
	"sync"
	"time"
)

// certificatePause is how often the files of a certificate are looked at, at
// most, when somebody connects.
const certificatePause = 5 * time.Second

// A certificate is read again when its files change, as they do when it is
// renewed.
type certificate struct {
	cert, key string
	log       *slog.Logger

	mu      sync.Mutex
	current *tls.Certificate
	changed [2]time.Time // of the files of current
	looked  time.Time
}

func newCertificate(cert, key string, log *slog.Logger) (*certificate, error) {
	c := &certificate{cert: cert, key: key, log: log}
	return c, c.read()
}

// read reads the files if they have changed.
func (c *certificate) read() error {
	c.looked = time.Now()
	var changed [2]time.Time
	for i, path := range []string{c.cert, c.key} {
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		changed[i] = info.ModTime()
	}
	if c.current != nil && changed == c.changed {
		return nil
	}
	pair, err := tls.LoadX509KeyPair(c.cert, c.key)
	if err != nil {
		return err
	}
	c.current, c.changed = &pair, changed
	return nil
}

// get returns the certificate to show. While the files are wrong, as between two
// writes, it is the one before.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.looked) >= certificatePause {
		if err := c.read(); err != nil {
			c.log.Warn("the certificate of http.tls cannot be read again; the one before is used", "err", err)
		}
	}
	return c.current, nil
}
