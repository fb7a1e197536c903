package amqp

import (
	"context"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"strconv"
	"strings"
)

// Iterations that a broker may ask for: fewer would let whoever pretends to be
// the broker try passwords quickly (RFC 7677 says at least 4096), more would keep
// us busy.
const (
	minIterations = 4096
	maxIterations = 1 << 20
)

// withoutBinding is how the client says that it does not bind the exchange to the
// channel, and what it repeats of that, in base64.
const (
	withoutBinding       = "n,,"
	withoutBindingEchoed = "biws"
)

// scram is the client's side of RFC 5802, without channel binding. Both sides
// prove that they know the password, and neither tells it. It is our own, as the
// library for it has tables that take each program longer to start, be there a
// broker or none.
type scram struct {
	login login
	hash  func() hash.Hash

	password string // prepared
	nonce    string
	first    string // what we began with, without how the channel is bound
	proof    []byte // that the broker owes; nil before its challenge
	proved   bool
}

// Start implements mechanism.
func (s *scram) Start(context.Context) ([]byte, error) { return s.start(rand.Text()) }

func (s *scram) start(nonce string) ([]byte, error) {
	user, err := saslprep(s.login.user)
	if err == nil {
		s.password, err = saslprep(s.login.password)
	}
	if err != nil {
		return nil, errors.New("user or password have characters that SCRAM does not allow (SASLprep)")
	}
	s.nonce = nonce
	s.first = "n=" + strings.NewReplacer("=", "=3D", ",", "=2C").Replace(user) + ",r=" + nonce
	return []byte(withoutBinding + s.first), nil
}

// Next implements mechanism.
func (s *scram) Next(challenge []byte) ([]byte, error) {
	if s.proof != nil {
		return nil, s.verify(challenge)
	}
	nonce, salt, count, err := s.parse(string(challenge))
	if err != nil {
		return nil, fmt.Errorf("its challenge is not one for this exchange: %w", err)
	}
	if count < minIterations || count > maxIterations {
		return nil, fmt.Errorf("it asks for %d iterations, expected %d to %d", count, minIterations, maxIterations)
	}
	salted, err := pbkdf2.Key(s.hash, s.password, salt, count, s.hash().Size())
	if err != nil {
		return nil, err
	}
	final := "c=" + withoutBindingEchoed + ",r=" + nonce
	exchange := s.first + "," + string(challenge) + "," + final
	s.proof = s.sign(s.sign(salted, "Server Key"), exchange)
	key := s.sign(salted, "Client Key")
	stored := s.hash()
	stored.Write(key)
	proof := make([]byte, len(key))
	subtle.XORBytes(proof, key, s.sign(stored.Sum(nil), exchange))
	return []byte(final + ",p=" + base64.StdEncoding.EncodeToString(proof)), nil
}

// parse reads the broker's challenge, r=NONCE,s=SALT,i=COUNT. What may follow are
// extensions that one need not know.
func (s *scram) parse(challenge string) (nonce string, salt []byte, count int, err error) {
	fields := strings.Split(challenge, ",")
	if len(fields) < 3 {
		return "", nil, 0, errors.New("expected a nonce, a salt and a count")
	}
	for i, prefix := range []string{"r=", "s=", "i="} {
		value, ok := strings.CutPrefix(fields[i], prefix)
		if !ok {
			return "", nil, 0, fmt.Errorf("expected %s", prefix)
		}
		fields[i] = value
	}
	nonce = fields[0]
	if more, ok := strings.CutPrefix(nonce, s.nonce); !ok || more == "" {
		return "", nil, 0, errors.New("its nonce does not go on with ours")
	}
	if salt, err = base64.StdEncoding.DecodeString(fields[1]); err != nil || len(salt) == 0 {
		return "", nil, 0, errors.New("expected a salt in base64")
	}
	count, err = strconv.Atoi(fields[2])
	return nonce, salt, count, err
}

func (s *scram) sign(key []byte, text string) []byte {
	h := hmac.New(s.hash, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

// End implements mechanism: some brokers prove themselves in a challenge, others
// together with their success.
func (s *scram) End(data []byte) error {
	if s.proved {
		return nil
	}
	return s.verify(data)
}

func (s *scram) verify(data []byte) error {
	value, ok := strings.CutPrefix(string(data), "v=")
	value, _, _ = strings.Cut(value, ",") // extensions
	got, err := base64.StdEncoding.DecodeString(value)
	if s.proof == nil || s.proved || !ok || err != nil || !hmac.Equal(got, s.proof) {
		return errors.New("it did not prove that it knows the password")
	}
	s.proved = true
	return nil
}
