package security

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"

	"github.com/fairlead/fairlead/framework"
)

type mtls struct{ roots *x509.CertPool }

func newMTLS(pem []byte) (*mtls, error) {
	m := &mtls{roots: x509.NewCertPool()}
	if !m.roots.AppendCertsFromPEM(pem) {
		return nil, errors.New("ca: found no certificate in the file, expected PEM")
	}
	return m, nil
}

// check verifies the certificate itself: the server's handshake takes any, and proves
// only that the client has its key.
func (m *mtls) check(r *http.Request) (framework.Caller, error) {
	if r.TLS == nil || len(r.TLS.PeerCertificates) == 0 {
		return framework.Caller{}, errAbsent
	}
	leaf := r.TLS.PeerCertificates[0]
	o := x509.VerifyOptions{Roots: m.roots, Intermediates: x509.NewCertPool(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
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
