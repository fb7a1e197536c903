package connections

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
)

// A Handshake opens encrypted connections with one [TLS]. Each has the
// certificates that are in the files at that time. Once files could be used,
// those that cannot (half of a new one is written, or the certificate is new and
// its key is not) leave what there was in use. It is safe for concurrent use.
type Handshake struct {
	settings TLS

	asked atomic.Bool // the broker wanted a client certificate, and there is none

	mu    sync.Mutex
	good  *certificates // as last read; nil before. Guarded by mu
	stale error         // why good is older than the files; guarded by mu
}

// certificates is what the files hold.
type certificates struct {
	trusted *x509.CertPool   // nil: the system's
	own     *tls.Certificate // nil: none
}

// Dial connects to address, a host and a port, over TLS. Host is the name that
// the certificate there must have unless the settings have another. An error
// wraps [ErrRefused] if one side refused the other.
func (h *Handshake) Dial(ctx context.Context, address, host string) (net.Conn, error) {
	cfg, err := h.Config(host)
	if err != nil {
		return nil, err
	}
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	secure := tls.Client(conn, cfg)
	if err := secure.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, h.Refusal(err)
	}
	return secure, nil
}

// Config returns the configuration of a connection to host.
func (h *Handshake) Config(host string) (*tls.Config, error) {
	found, err := h.read()
	if err != nil {
		return nil, err
	}
	name, _, _ := strings.Cut(host, "%") // the zone of an IPv6 address is in no certificate
	if h.settings.ServerName != "" {
		name = h.settings.ServerName
	}
	cfg := &tls.Config{
		ServerName:         name,
		MinVersion:         h.settings.version(),
		InsecureSkipVerify: !h.settings.verify(),
		RootCAs:            found.trusted,
	}
	// Our certificate goes also to a broker whose list of authorities lacks the one
	// that signed it: the broker then says that it does not trust us, not that we
	// showed nothing.
	cfg.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		if found.own != nil {
			return found.own, nil
		}
		h.asked.Store(true)
		return new(tls.Certificate), nil
	}
	return cfg, nil
}

// read returns what the files hold, or what they held.
func (h *Handshake) read() (*certificates, error) {
	h.mu.Lock() // also while the files are read: what is older must not replace what is newer
	defer h.mu.Unlock()
	found, err := h.settings.read()
	if err == nil {
		h.good, h.stale = found, nil
		return found, nil
	}
	if h.good == nil {
		return nil, err
	}
	h.stale = err
	return h.good, nil
}

func (t *TLS) read() (*certificates, error) {
	found := new(certificates)
	if t.CA != "" {
		data, err := os.ReadFile(t.CA)
		if err != nil {
			return nil, fmt.Errorf("tls.ca: %w", err)
		}
		found.trusted = x509.NewCertPool()
		if !found.trusted.AppendCertsFromPEM(data) {
			return nil, fmt.Errorf("tls.ca: %s holds no certificate in PEM", t.CA)
		}
	}
	if t.Cert != "" {
		own, err := t.certificate()
		if err != nil {
			return nil, err
		}
		found.own = &own
	}
	return found, nil
}

func (t *TLS) certificate() (tls.Certificate, error) {
	cert, err := os.ReadFile(t.Cert)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("tls.cert: %w", err)
	}
	field, path, key := "tls.cert", t.Cert, cert
	if t.Key != "" {
		field, path = "tls.key", t.Key
		if key, err = os.ReadFile(path); err != nil {
			return tls.Certificate{}, fmt.Errorf("%s: %w", field, err)
		}
	}
	if key, err = openKey(key, t.KeyPassword); err != nil {
		return tls.Certificate{}, fmt.Errorf("%s: %s: %w", field, path, err)
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return pair, fmt.Errorf("tls.cert: %s: %w", t.Cert, err)
	}
	return pair, nil
}

// Refusal returns err, which a handshake returned or the first Read or Write
// after it (with TLS 1.3 a client learns only there that its certificate was
// refused). It wraps [ErrRefused] and says who refused what, if that is what
// happened.
func (h *Handshake) Refusal(err error) error {
	_, noTLS := errors.AsType[tls.RecordHeaderError](err)
	hungUp := errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET)
	switch why := h.refusal(err); {
	case why != "":
		return h.withStale(fmt.Errorf("%w: %s: %w", ErrRefused, why, err))
	case noTLS:
		return fmt.Errorf("the broker does not speak TLS there: %w", err)
	case hungUp && h.asked.Load():
		return fmt.Errorf("the broker hung up; it had asked for a client certificate (tls.cert): %w", err)
	}
	return err
}

// withStale says why the files were not what was used.
func (h *Handshake) withStale(err error) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.stale == nil {
		return err
	}
	return fmt.Errorf("%w (what was used is old: %w)", err, h.stale)
}

// refusal says who refused what, or nothing.
func (h *Handshake) refusal(err error) string {
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return "we do not trust the broker's certificate"
	}
	alert, ok := remoteAlert(err)
	switch {
	case !ok:
		return ""
	case alert == protocolVersion:
		return "the broker speaks no version of TLS that tls.minVersion allows"
	case alert == handshakeFailure || alert == insufficientSecurity:
		return "the broker refuses the TLS handshake" + h.certificateHint()
	case alert == unrecognizedName:
		return "the broker knows no name such as the one asked for (tls.serverName)"
	case h.settings.Cert == "" && aboutCertificates(alert):
		return "the broker wants a client certificate (tls.cert)"
	case aboutCertificates(alert):
		return "the broker does not trust our certificate (tls.cert)"
	}
	return "the broker refuses the TLS handshake"
}

// certificateHint is for brokers that do not say more.
func (h *Handshake) certificateHint() string {
	if h.settings.Cert == "" {
		return "; it may want a client certificate (tls.cert)"
	}
	return ""
}

// Alerts of TLS (RFC 8446, section 6.2).
const (
	handshakeFailure     tls.AlertError = 40
	badCertificate       tls.AlertError = 42
	unknownAuthority     tls.AlertError = 48
	accessDenied         tls.AlertError = 49
	protocolVersion      tls.AlertError = 70
	insufficientSecurity tls.AlertError = 71
	unrecognizedName     tls.AlertError = 112
	certificateRequired  tls.AlertError = 116
)

func aboutCertificates(a tls.AlertError) bool {
	return a >= badCertificate && a <= unknownAuthority && a != 47 || a == accessDenied || a == certificateRequired
}

// remoteAlert returns the alert that the other side sent. Package crypto/tls keeps
// its number to itself, but for QUIC; the texts are the same.
func remoteAlert(err error) (tls.AlertError, bool) {
	remote, ok := errors.AsType[*net.OpError](err)
	if !ok || remote.Op != "remote error" {
		return 0, false
	}
	for a := range tls.AlertError(255) {
		if a.Error() == remote.Err.Error() {
			return a, true
		}
	}
	return 255, true
}
