package connections

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
)

// TLS holds the settings of an encrypted connection. Files are in PEM. They are
// read again for each connection, so that a renewed certificate needs no
// restart.
type TLS struct {
	CA          string `yaml:"ca,omitempty" path:"true" doc:"file with the certificates that are trusted; default: the system's"`
	Cert        string `yaml:"cert,omitempty" path:"true" doc:"file with the client certificate"`
	Key         string `yaml:"key,omitempty" path:"true" doc:"file with the client's private key; default: the one in cert"`
	KeyPassword string `yaml:"keyPassword,omitempty" secret:"true" doc:"password of the private key"`
	ServerName  string `yaml:"serverName,omitempty" doc:"name that the broker's certificate must have; default: the host of the URL"`
	MinVersion  string `yaml:"minVersion,omitempty" enum:"1.2,1.3" doc:"oldest TLS version allowed; default 1.2"`
	Verify      *bool  `yaml:"verify,omitempty" doc:"false: accept any certificate. Default true"`
}

// Check returns what is wrong with the settings, doing no I/O.
func (t *TLS) Check() error {
	switch {
	case t == nil:
		return nil
	case t.MinVersion != "" && t.MinVersion != "1.2" && t.MinVersion != "1.3":
		return &SettingError{Field: "tls.minVersion", Found: fmt.Sprintf("%q", t.MinVersion), Want: `"1.2" or "1.3"`}
	case t.Key != "" && t.Cert == "":
		return &SettingError{Field: "tls.key", Want: "a client certificate in tls.cert, too"}
	}
	return nil
}

// Config reads the files and returns the configuration for a connection to host.
// t may be nil.
func (t *TLS) Config(host string) (*tls.Config, error) {
	cfg := &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12}
	if t == nil {
		return cfg, nil
	}
	if t.ServerName != "" {
		cfg.ServerName = t.ServerName
	}
	if t.MinVersion == "1.3" {
		cfg.MinVersion = tls.VersionTLS13
	}
	cfg.InsecureSkipVerify = t.Verify != nil && !*t.Verify
	if t.CA != "" {
		data, err := os.ReadFile(t.CA)
		if err != nil {
			return nil, fmt.Errorf("tls.ca: %w", err)
		}
		cfg.RootCAs = x509.NewCertPool()
		if !cfg.RootCAs.AppendCertsFromPEM(data) {
			return nil, fmt.Errorf("tls.ca: %s holds no certificate in PEM", t.CA)
		}
	}
	if t.Cert != "" {
		cert, err := t.certificate()
		if err != nil {
			return nil, err
		}
		cfg.Certificates = []tls.Certificate{cert}
	}
	return cfg, nil
}

func (t *TLS) certificate() (tls.Certificate, error) {
	cert, err := os.ReadFile(t.Cert)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("tls.cert: %w", err)
	}
	key := cert
	if t.Key != "" {
		if key, err = os.ReadFile(t.Key); err != nil {
			return tls.Certificate{}, fmt.Errorf("tls.key: %w", err)
		}
	}
	if t.KeyPassword != "" {
		if key, err = decryptKey(key, t.KeyPassword); err != nil {
			return tls.Certificate{}, fmt.Errorf("tls.key: %w", err)
		}
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return pair, fmt.Errorf("tls.cert: %w", err)
	}
	return pair, nil
}

// decryptKey opens a key encrypted as RFC 1423 says ("Proc-Type: 4,ENCRYPTED").
func decryptKey(data []byte, password string) ([]byte, error) {
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "CERTIFICATE" {
			continue
		}
		if block.Type == "ENCRYPTED PRIVATE KEY" {
			return nil, errors.New("encrypted PKCS #8 keys are not supported; convert it with openssl pkey, or protect the file instead")
		}
		//lint:ignore SA1019 brokers' tools still write such keys
		der, err := x509.DecryptPEMBlock(block, []byte(password)) //nolint:staticcheck
		if err != nil {
			return nil, err
		}
		return pem.EncodeToMemory(&pem.Block{Type: block.Type, Bytes: der}), nil
	}
	return nil, errors.New("no private key in PEM")
}
