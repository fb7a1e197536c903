package stored

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"
)

// A Secret is a secret of the store.
type Secret struct {
	Name string
	Sealed
	Changed time.Time
	By      string
}

// Sealed is a text that only who has the master key can read. It is encrypted
// with a random key of its own, and that key with the master key.
type Sealed struct {
	KeyID string // of the master key
	Key   []byte // encrypted
	Value []byte // likewise
}

// ErrNoKey says that there is no master key, and what to do.
var ErrNoKey = errors.New("there is no master key to keep secrets with: set FAIRLEAD_MASTER_KEY, or FAIRLEAD_MASTER_KEY_FILE, " +
	"for every replica to the same random text, such as what \"openssl rand -base64 32\" prints, and start the program again")

// ErrOtherKey is wrapped by errors about a secret that is kept under a master key
// which this program does not have.
var ErrOtherKey = errors.New("it is kept under another master key; give that one to this program as FAIRLEAD_MASTER_KEY_OLD, or set the secret again")

// Keys are the master keys that a program has. The zero Keys has none.
type Keys struct {
	current, old *masterKey
}

// A masterKey encrypts the keys of secrets.
type masterKey struct {
	id  string
	key []byte
}

// minMaster is how many bytes a master key has at least.
const minMaster = 32

// LoadKeys reads the master keys that the environment names:
// FAIRLEAD_MASTER_KEY or the file FAIRLEAD_MASTER_KEY_FILE, and the one before,
// FAIRLEAD_MASTER_KEY_OLD or the file FAIRLEAD_MASTER_KEY_OLD_FILE. No error
// holds a key. A variable that is not set, or empty, names none, and neither does a
// file for the one before that is not there.
func LoadKeys(lookup func(string) (string, bool)) (k Keys, err error) {
	var first, second error
	k.current, first = loadKey(lookup, "FAIRLEAD_MASTER_KEY")
	if k.old, second = loadKey(lookup, "FAIRLEAD_MASTER_KEY_OLD"); errors.Is(second, fs.ErrNotExist) {
		second = nil
	}
	return k, errors.Join(first, second)
}

func loadKey(lookup func(string) (string, bool), name string) (*masterKey, error) {
	text, _ := lookup(name)
	secret := []byte(text)
	if path, _ := lookup(name + "_FILE"); text == "" && path != "" {
		name += "_FILE"
		var err error
		if secret, err = os.ReadFile(path); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	secret = bytes.TrimRight(secret, "\r\n")
	switch {
	case len(secret) == 0:
		return nil, nil
	case len(secret) < minMaster:
		return nil, fmt.Errorf("%s: found %d bytes, expected at least %d random ones, such as what \"openssl rand -base64 32\" prints", name, len(secret), minMaster)
	}
	return newMasterKey(secret)
}

const keySize = 32

func newMasterKey(secret []byte) (*masterKey, error) {
	key, err := hkdf.Key(sha256.New, secret, nil, "fairlead master key", keySize)
	if err != nil {
		return nil, err
	}
	const idSize = 8
	id, err := hkdf.Key(sha256.New, secret, nil, "fairlead master key id", idSize)
	if err != nil {
		return nil, err
	}
	return &masterKey{hex.EncodeToString(id), key}, nil
}

// Seal encrypts a secret. The error is [ErrNoKey] if there is no master key.
func (k Keys) Seal(name, value string) (Sealed, error) {
	if k.current == nil {
		return Sealed{}, ErrNoKey
	}
	key := make([]byte, keySize)
	if _, err := rand.Read(key); err != nil {
		return Sealed{}, err
	}
	return k.current.wrap(name, key, encrypt(key, []byte(value), name)), nil
}

// wrap encrypts the key of a secret.
func (m *masterKey) wrap(name string, key, value []byte) Sealed {
	return Sealed{m.id, encrypt(m.key, key, m.id+" "+name), value}
}

// Open decrypts a secret.
func (k Keys) Open(name string, s Sealed) (string, error) {
	key, err := k.unwrap(name, s)
	if err != nil {
		return "", err
	}
	value, err := decrypt(key, s.Value, name)
	if err != nil {
		return "", fmt.Errorf("the secret %s is damaged", name)
	}
	return string(value), nil
}

// Has reports whether a secret can be opened, as far as its key goes.
func (k Keys) Has(s Sealed) bool { return k.find(s.KeyID) != nil }

func (k Keys) find(id string) *masterKey {
	for _, m := range []*masterKey{k.current, k.old} {
		if m != nil && m.id == id {
			return m
		}
	}
	return nil
}

// unwrap decrypts the key of a secret.
func (k Keys) unwrap(name string, s Sealed) ([]byte, error) {
	m := k.find(s.KeyID)
	switch {
	case m == nil && k.current == nil:
		return nil, fmt.Errorf("the secret %s cannot be read: %w", name, ErrNoKey)
	case m == nil:
		return nil, fmt.Errorf("the secret %s cannot be read: %w", name, ErrOtherKey)
	}
	key, err := decrypt(m.key, s.Key, m.id+" "+name)
	if err != nil {
		return nil, fmt.Errorf("the key of the secret %s is damaged", name)
	}
	return key, nil
}

// rewrap encrypts the key of a secret with the current master key, unless it is.
func (k Keys) rewrap(name string, s Sealed) (_ Sealed, changed bool, _ error) {
	if k.current == nil {
		return s, false, ErrNoKey
	}
	if s.KeyID == k.current.id {
		return s, false, nil
	}
	key, err := k.unwrap(name, s)
	if err != nil {
		return s, false, err
	}
	return k.current.wrap(name, key, s.Value), true, nil
}

// encrypt returns a random nonce and what AES-256-GCM makes of data; of, which is
// authenticated, says what it is.
func encrypt(key, data []byte, of string) []byte {
	return sealer(key).Seal(nil, nil, data, []byte(of))
}

func decrypt(key, sealed []byte, of string) ([]byte, error) {
	return sealer(key).Open(nil, nil, sealed, []byte(of))
}

// sealer returns AES-256-GCM with nonces of its own before the text. Its key has
// the right size, as it is one of ours, or one that was authenticated.
func sealer(key []byte) cipher.AEAD {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err)
	}
	return aead
}
