package connections

import (
	"crypto/tls"
	"fmt"
)

// TLS holds the settings of an encrypted connection. Files are in PEM. They are
// read again for each connection, so that a renewed certificate needs no
// restart; see [Handshake].
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
	case t.KeyPassword != "" && t.Cert == "":
		return &SettingError{Field: "tls.keyPassword", Want: "a client certificate in tls.cert, too"}
	}
	return nil
}

// Handshake returns what dials with these settings; t may be nil.
func (t *TLS) Handshake() *Handshake {
	if t == nil {
		t = new(TLS)
	}
	return &Handshake{settings: *t}
}

// version returns the oldest version allowed.
func (t *TLS) version() uint16 {
	if t.MinVersion == "1.3" {
		return tls.VersionTLS13
	}
	return tls.VersionTLS12
}

func (t *TLS) verify() bool { return t.Verify == nil || *t.Verify }
