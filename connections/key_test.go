package connections

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"strings"
	"testing"
)

// The keys were written by OpenSSL 3, each with the password "pass": openssl
// genpkey and pkcs8 -topk8, with the options in their names.
var encryptedKeys = map[string]string{
	"aes256": `-----BEGIN ENCRYPTED PRIVATE KEY-----
MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAiOdLxCjHChBAICA+gw
DAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEEPoHGBkVNnhDkk1kNQy5LcIEgZB3
oWRUhBjD+SrJXX/UE8JEr/spF30pLIK8pXUtJ2HewXPym0cd+bPCV8IRMcvJ745y
Mm27EYVHRGBE8R8R1NOJO6141ZHVbN7KMruOlKB+Jhn6rN+yamZOiHYANCmtkcDm
tKXNCTPzo+nDI9q25/FtnrExlFZZsLo8V1mRzqn0Pbu5LcYjwl3NUSupMKGu35Y=
-----END ENCRYPTED PRIVATE KEY-----
`,
	"aes128 sha1": `-----BEGIN ENCRYPTED PRIVATE KEY-----
MIHeMEkGCSqGSIb3DQEFDTA8MBsGCSqGSIb3DQEFDDAOBAgfIy0meMOwEwICA+gw
HQYJYIZIAWUDBAECBBCOQ4ylQi+OgePs/qPE1bajBIGQapalXRn9mOTOEBTqYJlu
UQ17xDaYi0piFLyBTB9KTlgm/oKbaZNs9PAuUxnaxIIcSysKcpNkNux12Gif72G/
ilhlshRXl8eIfMJZQqqgIAdmcWiytc9rtccvvrL4yN8Z44OZqIod5ue3BM3CtX3I
uULt5I8vN75zImo9V9as3rewo/OqEwcduZtgMxsmtsMQ
-----END ENCRYPTED PRIVATE KEY-----
`,
	"aes192 sha512": `-----BEGIN ENCRYPTED PRIVATE KEY-----
MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAhl1a8BrCnaPQICA+gw
DAYIKoZIhvcNAgsFADAdBglghkgBZQMEARYEEH+IoX91GMenzNoo4fPoOwMEgZAJ
tDqi/+C7fwXl97pdyMh0dVFcvO3XNoybNvTWUF5CmzDB7UxfnhkAzk6VQQH4uqkc
mSifoKnBUY89JXx3ihhD2ocn+x3BUEsyGikJVn9xNI2N74KKDJGkzLnaHy3r6WTb
a+o7BpHJXDnuMOBL6NYOkmLQwPv70tfAMkBxcn6hoymFAJW24f4vZ/Bhr4OnXfA=
-----END ENCRYPTED PRIVATE KEY-----
`,
	"3des": `-----BEGIN ENCRYPTED PRIVATE KEY-----
MIHjME4GCSqGSIb3DQEFDTBBMCkGCSqGSIb3DQEFDDAcBAhnPyNDfNlfIwICA+gw
DAYIKoZIhvcNAgkFADAUBggqhkiG9w0DBwQIUjZyRiFD9mIEgZAJlvmdD6Lw7Vdy
rYhHaWD6CQp7Ygi/aD0i7N5U4eDZmqITPZxMlTsUry9jzMcBWSFWBnNKgUzr+TQN
4vfHCwh2HsXoF1iQCqdQcFzkFFH3gHxfFSW6X6j9TKKDlM22KDXnymveDrmImiB9
qkz9dKpixa37gFaX6EheCHVKW3Hg+y96zf7qcxhMJ/CnT7QRnhY=
-----END ENCRYPTED PRIVATE KEY-----
`,
}

func TestOpenKey(t *testing.T) {
	for name, key := range encryptedKeys {
		t.Run(name, func(t *testing.T) {
			opened, err := openKey([]byte(key), "pass")
			if err != nil {
				t.Fatal(err)
			}
			block, _ := pem.Decode(opened)
			if _, err := x509.ParsePKCS8PrivateKey(block.Bytes); err != nil {
				t.Errorf("what was decrypted: %v", err)
			}
			for _, wrong := range []string{"Pass", "p"} {
				if _, err := openKey([]byte(key), wrong); err == nil || strings.Contains(err.Error(), wrong+" ") {
					t.Errorf("password %s: got error %v, want one without it", wrong, err)
				}
			}
			if _, err := openKey([]byte(key), ""); err == nil || !strings.Contains(err.Error(), "tls.keyPassword") {
				t.Errorf("no password: got error %v, want one that names the key", err)
			}
		})
	}
}

// RFC 1423 is what openssl rsa -aes256 wrote for long.
func TestOpenOldKey(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	//lint:ignore SA1019 brokers' tools still write such keys
	block, err := x509.EncryptPEMBlock(rand.Reader, "RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key), []byte("pass"), x509.PEMCipherAES256)
	if err != nil {
		t.Fatal(err)
	}
	opened, err := openKey(pem.EncodeToMemory(block), "pass")
	if err != nil {
		t.Fatal(err)
	}
	if plain, _ := pem.Decode(opened); plain.Type != "RSA PRIVATE KEY" {
		t.Errorf("got a block %q, want the key", plain.Type)
	}
	if _, err := openKey(pem.EncodeToMemory(block), "other"); err == nil {
		t.Error("wrong password: got no error, want one")
	}
}

func TestOpenPlainKey(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	text := string(pem.EncodeToMemory(&pem.Block{Type: "EC PARAMETERS", Bytes: []byte{6, 0}})) + string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}))
	if opened, err := openKey([]byte(text), "not needed"); err != nil || string(opened) != text {
		t.Errorf("got %q and error %v, want the key as it is", opened, err)
	}
	for _, none := range []string{"", "hello", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte{1}}))} {
		if _, err := openKey([]byte(none), ""); err == nil || !strings.Contains(err.Error(), "no private key") {
			t.Errorf("%q: got error %v, want one", none, err)
		}
	}
}

// No file, however broken, is more than an error.
func FuzzOpenKey(f *testing.F) {
	for _, key := range encryptedKeys {
		block, _ := pem.Decode([]byte(key))
		f.Add(block.Bytes)
	}
	f.Fuzz(func(t *testing.T, der []byte) {
		key := pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: der})
		opened, err := openKey(key, "p")
		if err == nil && opened == nil {
			t.Error("got nothing and no error")
		}
	})
}
