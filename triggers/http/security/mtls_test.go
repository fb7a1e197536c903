package security_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/fairlead/fairlead/framework/config"
)

// An authority signs certificates.
type authority struct {
	t    testing.TB
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t testing.TB, name string) *authority {
	a := &authority{t: t}
	a.cert, a.key = a.sign(&x509.Certificate{Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign})
	return a
}

func (a *authority) sign(c *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	c.SerialNumber = big.NewInt(time.Now().UnixNano())
	if c.NotAfter.IsZero() {
		c.NotBefore, c.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	}
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = c, key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, key.Public(), signer)
	if err != nil {
		a.t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return cert, key
}

func (a *authority) client(name string, usage x509.ExtKeyUsage, end time.Time) tls.Certificate {
	c := &x509.Certificate{Subject: pkix.Name{CommonName: name}, ExtKeyUsage: []x509.ExtKeyUsage{usage}}
	if !end.IsZero() {
		c.NotBefore, c.NotAfter = end.Add(-time.Hour), end
	}
	cert, key := a.sign(c)
	return tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key}
}

func (a *authority) definition() config.Security {
	path := filepath.Join(a.t.TempDir(), "ca.pem")
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw}), 0o600); err != nil {
		a.t.Fatal(err)
	}
	return config.Security{Type: "mtls", Settings: &config.MTLS{CA: path}}
}

func TestClientCertificates(t *testing.T) {
	ours, theirs, evil := newAuthority(t, "ours"), newAuthority(t, "theirs"), newAuthority(t, "ours")
	s := set(t, map[string]config.Security{"machines": ours.definition(), "others": theirs.definition()})
	gate := s.Gate([]string{"machines"})
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		caller, refusal := gate.Admit(r)
		if refusal != nil {
			w.WriteHeader(refusal.Status)
			return
		}
		w.Header().Set("Caller", caller.Security+" "+caller.Name)
	}))
	if !s.WantsCertificates() {
		t.Error("the set does not want certificates")
	}
	server.TLS = &tls.Config{ClientAuth: tls.RequestClientCert}
	server.StartTLS()
	defer server.Close()
	const client = x509.ExtKeyUsageClientAuth
	for name, tt := range map[string]struct {
		cert   tls.Certificate
		status int
		caller string
	}{
		"ours":                 {ours.client("m1", client, time.Time{}), 200, "machines CN=m1"},
		"none":                 {tls.Certificate{}, 401, ""},
		"another definition's": {theirs.client("m2", client, time.Time{}), 403, ""},
		"another authority":    {evil.client("m1", client, time.Time{}), 401, ""},
		"expired":              {ours.client("m1", client, time.Now().Add(-time.Minute)), 401, ""},
		"a server's":           {ours.client("m1", x509.ExtKeyUsageServerAuth, time.Time{}), 401, ""},
	} {
		roots := x509.NewCertPool()
		roots.AddCert(server.Certificate())
		c := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return &tt.cert, nil
		}}}}
		resp, err := c.Get(server.URL)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		resp.Body.Close()
		if resp.StatusCode != tt.status || resp.Header.Get("Caller") != tt.caller {
			t.Errorf("%s: got %d, caller %q, want %d, %q", name, resp.StatusCode, resp.Header.Get("Caller"), tt.status, tt.caller)
		}
	}
	if _, refusal := gate.Admit(request()); refusal == nil || refusal.Status != http.StatusUnauthorized {
		t.Errorf("without TLS: got %+v", refusal)
	}
}

func TestAuthoritiesAreReadAgain(t *testing.T) {
	ours, theirs := newAuthority(t, "ours"), newAuthority(t, "theirs")
	definition := ours.definition()
	path := definition.Settings.(*config.MTLS).CA
	next, err := os.ReadFile(theirs.definition().Settings.(*config.MTLS).CA)
	if err != nil {
		t.Fatal(err)
	}
	r := request()
	leaf, err := x509.ParseCertificate(theirs.client("m", x509.ExtKeyUsageClientAuth, time.Time{}).Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	r.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{leaf}}
	gate := set(t, map[string]config.Security{"machines": definition}).Gate([]string{"machines"})
	if _, refusal := gate.Admit(r); refusal == nil {
		t.Error("let in before the file has changed")
	}
	if err := os.WriteFile(path, next, 0o600); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		if _, refusal := gate.Admit(r); refusal == nil {
			return
		}
		if time.Now().After(end) {
			t.Fatal("not let in 30 s after the file has changed")
		}
	}
}
