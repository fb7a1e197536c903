package access

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
	"golang.org/x/text/unicode/norm"
)

// Lengths of a password: in characters, and in bytes.
const (
	minPassword = 12
	maxPassword = 256
)

// fewCharacters is how many different characters are too few.
const fewCharacters = 5

// checkPassword says what is wrong with a password that is to be set. There are
// no rules about kinds of characters: length is what counts (NIST SP 800-63B).
func checkPassword(name, password string) error {
	lower := strings.ToLower(password)
	different := make(map[rune]bool)
	for _, r := range lower {
		different[r] = true
	}
	switch {
	case !utf8.ValidString(password) || strings.ContainsFunc(password, unicode.IsControl):
		return fmt.Errorf("%w: password: found characters that nobody can type", ErrInvalid)
	case utf8.RuneCountInString(password) < minPassword || len(password) > maxPassword:
		return fmt.Errorf("%w: password: found %d characters, expected %d or more, and at most %d bytes", ErrInvalid, utf8.RuneCountInString(password), minPassword, maxPassword)
	case len(different) < fewCharacters:
		return fmt.Errorf("%w: password: found %d different characters, expected %d or more", ErrInvalid, len(different), fewCharacters)
	case strings.Contains(lower, "fairlead") || len(name) > 2 && strings.Contains(lower, strings.ToLower(name)):
		return fmt.Errorf("%w: password: found the account's name or Fairlead's in it, expected something harder to guess", ErrInvalid)
	case strings.Contains("abcdefghijklmnopqrstuvwxyz 01234567890123456789 qwertyuiopasdfghjklzxcvbnm", lower):
		return fmt.Errorf("%w: password: found a sequence of keys, expected something harder to guess", ErrInvalid)
	}
	return nil
}

// A cost is how much work a hash of a password is.
type cost struct {
	memory  uint32 // KiB
	passes  uint32
	threads uint8
}

// usual is the cost of new hashes: what OWASP's Password Storage Cheat Sheet asks
// of Argon2id.
var usual = cost{memory: 19 << 10, passes: 2, threads: 1}

// greatest bounds what a hash that is read may cost.
var greatest = cost{memory: 256 << 10, passes: 16, threads: 8}

// Lengths in bytes.
const (
	saltLength = 16
	hashLength = 32
	maxLength  = 64
)

// A hashed password is one in the PHC string format:
// $argon2id$v=19$m=19456,t=2,p=1$SALT$HASH.
type hashed struct {
	cost
	salt, hash []byte
}

// newHash hashes a password with a salt of its own.
func newHash(password string) hashed {
	h := hashed{cost: usual, salt: make([]byte, saltLength)}
	rand.Read(h.salt) // it never fails
	h.hash = h.derive(password, hashLength)
	return h
}

// derive hashes a password as h was hashed. Keyboards compose accented letters in
// different ways; their normal form is the same.
func (h hashed) derive(password string, length uint32) []byte {
	return argon2.IDKey([]byte(norm.NFKC.String(password)), h.salt, h.passes, h.memory, h.threads, length)
}

// matches reports whether a password is the one that was hashed.
func (h hashed) matches(password string) bool {
	got := h.derive(password, uint32(len(h.hash)))
	return subtle.ConstantTimeCompare(got, h.hash) == 1
}

// String returns the PHC string.
func (h hashed) String() string {
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, h.memory, h.passes, h.threads, b64.EncodeToString(h.salt), b64.EncodeToString(h.hash))
}

// errHash is the error of a PHC string that cannot be read. It does not repeat it.
var errHash = errors.New("found a password hash that is not one of Argon2id, or of unreasonable cost")

// parseHash reads a PHC string.
func parseHash(text string) (h hashed, err error) {
	parts := strings.Split(text, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return h, errHash
	}
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &h.memory, &h.passes, &h.threads); err != nil {
		return h, errHash
	}
	b64 := base64.RawStdEncoding.Strict()
	if h.salt, err = b64.DecodeString(parts[4]); err != nil {
		return h, errHash
	}
	if h.hash, err = b64.DecodeString(parts[5]); err != nil {
		return h, errHash
	}
	if !h.reasonable() || h.String() != text {
		return h, errHash
	}
	return h, nil
}

func (h hashed) reasonable() bool {
	return h.passes >= 1 && h.passes <= greatest.passes && h.threads >= 1 && h.threads <= greatest.threads &&
		h.memory >= 8*uint32(h.threads) && h.memory <= greatest.memory &&
		len(h.salt) >= 8 && len(h.salt) <= maxLength && len(h.hash) >= saltLength && len(h.hash) <= maxLength
}

// Bounds of hashing: so many hashes at once, and so many callers who wait for
// their turn. Each takes 19 MiB while it lasts.
const (
	hashesAtOnce  = 2
	hashesWaiting = 16
)

// A hasher hashes passwords, a few at a time, so that signing in cannot take all
// memory.
type hasher struct {
	queue   chan struct{} // callers, those at work included
	working chan struct{}
}

func newHasher() *hasher {
	return &hasher{make(chan struct{}, hashesAtOnce+hashesWaiting), make(chan struct{}, hashesAtOnce)}
}

// do runs f in its turn. The error is a *WaitError if too many wait already.
func (h *hasher) do(ctx context.Context, f func()) error {
	select {
	case h.queue <- struct{}{}:
		defer func() { <-h.queue }()
	default:
		return &WaitError{busyPause}
	}
	select {
	case h.working <- struct{}{}:
		defer func() { <-h.working }()
	case <-ctx.Done():
		return ctx.Err()
	}
	f()
	return nil
}
