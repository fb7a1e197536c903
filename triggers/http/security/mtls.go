package security

import (
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/fairlead/fairlead/framework"
)

// filePause is how often a file is looked at, at most.
const filePause = 5 * time.Second

// mtls recognises callers by certificates that those in a file have signed. The
// file is read again when it changes.
type mtls struct {
	path string

	mu      sync.Mutex
	roots   *x509.CertPool
	changed time.Time // of the file that roots was read from
	looked  time.Time
}

func newMTLS(path string) (*mtls, error) {
	m := &mtls{path: path}
	return m, m.read()
}

// read reads the file if it has changed.
func (m *mtls) read() error {
	m.looked = time.Now()
	info, err := os.Stat(m.path)
	if err != nil {
		return err
	}
	if m.roots != nil && info.ModTime().Equal(m.changed) {
		return nil
	}
	data, err := os.ReadFile(m.path)
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(data) {
		return errors.New("ca: found no certificate in the file, expected PEM")
	}
	m.roots, m.changed = roots, info.ModTime()
	return nil
}

// authorities returns who signs. While the file is wrong, as between two writes,
// it is who did before.
func (m *mtls) authorities() *x509.CertPool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if time.Since(m.looked) >= filePause {
		if err := m.read(); err != nil {
			slog.Warn("the certificates of those who sign clients' certificates cannot be read again; those before are used", "err", err)
		}
	}
	return m.roots
}

// check verifies the certificate itself: the server's handshake takes any, and
// proves only that the client has its key.
func (m *mtls) check(r *http.Request) (framework.Caller, error) {
	if r.TLS == nil || len(r.TLS.PeerCertificates) == 0 {
		return framework.Caller{}, errAbsent
	}
	leaf := r.TLS.PeerCertificates[0]
	o := x509.VerifyOptions{Roots: m.authorities(), Intermediates: x509.NewCertPool(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	for _, c := range r.TLS.PeerCertificates[1:] {
		o.Intermediates.AddCert(c)
	}
	if _, err := leaf.Verify(o); err != nil {
		return framework.Caller{}, fmt.Errorf("%w: the certificate is not valid here", errWrong)
	}
	return framework.Caller{Name: leaf.Subject.String()}, nil
}

func (m *mtls) challenge(name string, _ error) string {
	return fmt.Sprintf("ClientCertificate realm=%q", name)
}

func (m *mtls) headers() []string { return nil }
