package security

import (
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"

	"github.com/fairlead/fairlead/framework"
)

// mtls recognises callers by certificates that those in a file have signed.
type mtls struct {
	roots *Renewable[*x509.CertPool]
}

func newMTLS(path string) (*mtls, error) {
	roots, err := NewRenewable("the certificates of those who sign clients' certificates", []string{path}, slog.Default(), func() (*x509.CertPool, error) {
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		roots := x509.NewCertPool()
		if !roots.AppendCertsFromPEM(data) {
			return nil, errors.New("ca: found no certificate in the file, expected PEM")
		}
		return roots, nil
	})
	return &mtls{roots}, err
}

// check verifies the certificate itself: the server's handshake takes any, and
// proves only that the client has its key.
func (m *mtls) check(r *http.Request) (framework.Caller, error) {
	if r.TLS == nil || len(r.TLS.PeerCertificates) == 0 {
		return framework.Caller{}, errAbsent
	}
	leaf := r.TLS.PeerCertificates[0]
	o := x509.VerifyOptions{Roots: m.roots.Get(), Intermediates: x509.NewCertPool(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
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
