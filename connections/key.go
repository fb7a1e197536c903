package connections

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"crypto/pbkdf2"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"hash"
	"strings"
)

// openKey returns the first private key in PEM, decrypted where it is encrypted,
// as PKCS #8 (RFC 8018, PBES2) or as RFC 1423 ("Proc-Type: 4,ENCRYPTED") says.
func openKey(data []byte, password string) ([]byte, error) {
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		//lint:ignore SA1019 brokers' tools still write such keys
		old := x509.IsEncryptedPEMBlock(block)
		switch {
		case !strings.HasSuffix(block.Type, "PRIVATE KEY"):
			continue
		case block.Type != "ENCRYPTED PRIVATE KEY" && !old:
			return data, nil
		case password == "":
			return nil, errors.New("the private key is encrypted; its password belongs into tls.keyPassword")
		}
		der, err := decrypt(block, password)
		if err != nil {
			return nil, err
		}
		kind := "PRIVATE KEY"
		if old {
			kind = block.Type
		}
		return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), nil
	}
	return nil, errors.New("no private key in PEM")
}

// errKeyPassword says that what came out of a decryption is no key.
var errKeyPassword = errors.New("tls.keyPassword does not open the private key")

func decrypt(block *pem.Block, password string) ([]byte, error) {
	if block.Type == "ENCRYPTED PRIVATE KEY" {
		return decryptPKCS8(block.Bytes, password)
	}
	//lint:ignore SA1019 see openKey
	der, err := x509.DecryptPEMBlock(block, []byte(password))
	if errors.Is(err, x509.IncorrectPasswordError) {
		return nil, errKeyPassword
	}
	return der, err
}

// The structures of RFC 5958 and RFC 8018.
type (
	encryptedKey struct {
		Algorithm pkix.AlgorithmIdentifier
		Data      []byte
	}
	pbes2 struct{ Derivation, Cipher pkix.AlgorithmIdentifier }
	pbkdf struct {
		Salt       []byte
		Iterations int
		Length     int                      `asn1:"optional"`
		PRF        pkix.AlgorithmIdentifier `asn1:"optional"`
	}
)

// The algorithms by their object identifiers.
const (
	oidPBES2  = "1.2.840.113549.1.5.13"
	oidPBKDF2 = "1.2.840.113549.1.5.12"
)

// maxKeyIterations bounds the work that a file may ask for.
const maxKeyIterations = 5_000_000

func decryptPKCS8(der []byte, password string) ([]byte, error) {
	var (
		key        encryptedKey
		scheme     pbes2
		derivation pbkdf
	)
	if _, err := asn1.Unmarshal(der, &key); err != nil {
		return nil, fmt.Errorf("encrypted PKCS #8: %w", err)
	}
	if id := key.Algorithm.Algorithm.String(); id != oidPBES2 {
		return nil, fmt.Errorf("encrypted PKCS #8: found scheme %s, expected PBES2 (openssl pkcs8 -topk8 -v2 aes-256-cbc)", id)
	}
	if _, err := asn1.Unmarshal(key.Algorithm.Parameters.FullBytes, &scheme); err != nil {
		return nil, fmt.Errorf("encrypted PKCS #8: %w", err)
	}
	if id := scheme.Derivation.Algorithm.String(); id != oidPBKDF2 {
		return nil, fmt.Errorf("encrypted PKCS #8: found key derivation %s, expected PBKDF2", id)
	}
	if _, err := asn1.Unmarshal(scheme.Derivation.Parameters.FullBytes, &derivation); err != nil {
		return nil, fmt.Errorf("encrypted PKCS #8: %w", err)
	}
	return derivation.open(scheme.Cipher, key.Data, password)
}

// open decrypts data with the key that the password gives.
func (d pbkdf) open(how pkix.AlgorithmIdentifier, data []byte, password string) ([]byte, error) {
	prf := pseudorandom(d.PRF.Algorithm)
	newCipher, length := blockCipher(how.Algorithm)
	var iv []byte
	switch _, err := asn1.Unmarshal(how.Parameters.FullBytes, &iv); {
	case prf == nil:
		return nil, fmt.Errorf("encrypted PKCS #8: unknown pseudorandom function %s", d.PRF.Algorithm)
	case newCipher == nil:
		return nil, fmt.Errorf("encrypted PKCS #8: unknown cipher %s, expected AES or 3DES in CBC mode", how.Algorithm)
	case err != nil:
		return nil, fmt.Errorf("encrypted PKCS #8: %w", err)
	case d.Iterations < 1 || d.Iterations > maxKeyIterations:
		return nil, fmt.Errorf("encrypted PKCS #8: found %d iterations, expected 1 to %d", d.Iterations, maxKeyIterations)
	}
	key, err := pbkdf2.Key(prf, password, d.Salt, d.Iterations, length)
	if err != nil {
		return nil, fmt.Errorf("encrypted PKCS #8: %w", err)
	}
	block, err := newCipher(key)
	if err != nil {
		return nil, fmt.Errorf("encrypted PKCS #8: %w", err)
	}
	size := block.BlockSize()
	if len(iv) != size || len(data) == 0 || len(data)%size != 0 {
		return nil, errors.New("encrypted PKCS #8: the data are not whole blocks")
	}
	plain := make([]byte, len(data))
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(plain, data)
	padding := int(plain[len(plain)-1])
	if padding < 1 || padding > size || !bytes.Equal(plain[len(plain)-padding:], bytes.Repeat([]byte{byte(padding)}, padding)) {
		return nil, errKeyPassword
	}
	plain = plain[:len(plain)-padding]
	if _, err := x509.ParsePKCS8PrivateKey(plain); err != nil {
		return nil, errKeyPassword
	}
	return plain, nil
}

// pseudorandom returns the hash of a function, nil if it is unknown; none is the
// standard's default.
func pseudorandom(id asn1.ObjectIdentifier) func() hash.Hash {
	switch id.String() {
	case "", "1.2.840.113549.2.7":
		return sha1.New
	case "1.2.840.113549.2.8":
		return sha256.New224
	case "1.2.840.113549.2.9":
		return sha256.New
	case "1.2.840.113549.2.10":
		return sha512.New384
	case "1.2.840.113549.2.11":
		return sha512.New
	}
	return nil
}

// blockCipher returns a cipher and the length of its key, nil if it is unknown.
func blockCipher(id asn1.ObjectIdentifier) (func(key []byte) (cipher.Block, error), int) {
	switch id.String() {
	case "2.16.840.1.101.3.4.1.2":
		return aes.NewCipher, 16
	case "2.16.840.1.101.3.4.1.22":
		return aes.NewCipher, 24
	case "2.16.840.1.101.3.4.1.42":
		return aes.NewCipher, 32
	case "1.2.840.113549.3.7":
		return des.NewTripleDESCipher, 24
	}
	return nil, 0
}
