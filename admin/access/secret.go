package access

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"strings"
)

// tokenPrefix begins each token, so that scanners for secrets know it.
const tokenPrefix = "fl_"

// secretBytes are the random bytes of a token, a session or a link.
const secretBytes = 32

// A digest is the SHA-256 of a secret, which is all that is kept of it.
type digest [sha256.Size]byte

func digestOf(secret string) digest { return sha256.Sum256([]byte(secret)) }

// newSecret returns 256 random bits as text.
func newSecret() string {
	b := make([]byte, secretBytes)
	rand.Read(b) // it never fails
	return base64.RawURLEncoding.EncodeToString(b)
}

// isSecret reports whether text could be one that newSecret returned.
func isSecret(text string) bool {
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	return err == nil && len(b) == secretBytes && base64.RawURLEncoding.EncodeToString(b) == text
}

// isToken reports whether text could be a token.
func isToken(text string) bool {
	secret, ok := strings.CutPrefix(text, tokenPrefix)
	return ok && isSecret(secret)
}

// derived returns another secret for a purpose, which tells nothing of the first.
func derived(secret, purpose string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(purpose))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}
