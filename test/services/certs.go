package services

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// authority signs the test certificates.
type authority struct {
	cert *x509.Certificate
	key  *rsa.PrivateKey
}

// makeCerts fills dir as Broker.Certs promises. The keys are RSA because
// Broker-J reads no others from PEM files.
func makeCerts(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	ca, err := newAuthority(dir)
	if err != nil {
		return fmt.Errorf("make the test CA: %w", err)
	}
	for name, template := range map[string]*x509.Certificate{
		"server": {
			Subject:     pkix.Name{CommonName: "localhost"},
			DNSNames:    []string{"localhost"},
			IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
			ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		},
		"client": {
			Subject:     pkix.Name{CommonName: "fnclient", Organization: []string{"Fairlead"}},
			ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		},
		"client2": {
			Subject:     pkix.Name{CommonName: "stranger"},
			ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		},
	} {
		if err := ca.issue(dir, name, template); err != nil {
			return fmt.Errorf("make the certificate %s: %w", name, err)
		}
	}
	return nil
}

func newAuthority(dir string) (*authority, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		Subject:               pkix.Name{CommonName: "fairlead-test-ca"},
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	ca := &authority{cert: template, key: key}
	der, err := ca.sign(template, &key.PublicKey)
	if err != nil {
		return nil, err
	}
	if ca.cert, err = x509.ParseCertificate(der); err != nil {
		return nil, err
	}
	return ca, writePEM(dir, "ca.pem", block("CERTIFICATE", der))
}

// issue writes NAME.crt, NAME.key and both in NAME.pem.
func (a *authority) issue(dir, name string, template *x509.Certificate) error {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	template.KeyUsage = x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment
	der, err := a.sign(template, &key.PublicKey)
	if err != nil {
		return err
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	cert, private := block("CERTIFICATE", der), block("PRIVATE KEY", secret)
	for file, blocks := range map[string][]byte{
		name + ".crt": cert,
		name + ".key": private,
		name + ".pem": append(cert[:len(cert):len(cert)], private...),
	} {
		if err := writePEM(dir, file, blocks); err != nil {
			return err
		}
	}
	return nil
}

func (a *authority) sign(template *x509.Certificate, public *rsa.PublicKey) ([]byte, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, err
	}
	template.SerialNumber = serial
	template.NotBefore = time.Now().Add(-time.Hour) // clocks differ
	template.NotAfter = time.Now().AddDate(1, 0, 0)
	return x509.CreateCertificate(rand.Reader, template, a.cert, public, a.key)
}

func block(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func writePEM(dir, name string, blocks []byte) error {
	return os.WriteFile(filepath.Join(dir, name), blocks, 0o644)
}
