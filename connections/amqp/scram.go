package amqp

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"strconv"
	"strings"
)

// maxIterations bounds the work that a broker may ask for.
const maxIterations = 1 << 20

// scram is the client's side of RFC 5802, without channel binding. Both sides
// prove that they know the password, and neither tells it. User and password
// are taken as they are, without SASLprep.
type scram struct {
	login login
	hash  func() hash.Hash

	nonce    string // the client's half
	first    string // client-first-message-bare
	proof    []byte // what the broker has to send; nil until it was asked
	verified bool
}

func (s *scram) start() ([]byte, error) {
	name := strings.NewReplacer("=", "=3D", ",", "=2C").Replace(s.login.user)
	s.nonce = rand.Text()
	s.first = "n=" + name + ",r=" + s.nonce
	return []byte("n,," + s.first), nil
}

func (s *scram) next(challenge []byte) ([]byte, error) {
	if s.proof != nil {
		return nil, s.verify(challenge)
	}
	nonce, salt, iterations, err := s.read(string(challenge))
	if err != nil {
		return nil, err
	}
	salted, err := pbkdf2.Key(s.hash, s.login.password, salt, iterations, s.hash().Size())
	if err != nil {
		return nil, err
	}
	final := "c=biws,r=" + nonce // biws: base64 of "n,,"
	auth := s.first + "," + string(challenge) + "," + final
	s.proof = s.mac(s.mac(salted, "Server Key"), auth)

	proof := s.mac(salted, "Client Key")
	stored := s.hash()
	stored.Write(proof)
	for i, b := range s.mac(stored.Sum(nil), auth) {
		proof[i] ^= b
	}
	return []byte(final + ",p=" + base64.StdEncoding.EncodeToString(proof)), nil
}

// read takes the broker's first message apart.
func (s *scram) read(challenge string) (nonce string, salt []byte, iterations int, err error) {
	fields := strings.Split(challenge, ",")
	if len(fields) < 3 || !strings.HasPrefix(fields[0], "r="+s.nonce) || !strings.HasPrefix(fields[1], "s=") || !strings.HasPrefix(fields[2], "i=") {
		return "", nil, 0, errors.New("SCRAM: the challenge is not one for this exchange")
	}
	if salt, err = base64.StdEncoding.DecodeString(fields[1][2:]); err != nil {
		return "", nil, 0, fmt.Errorf("SCRAM: salt: %w", err)
	}
	if iterations, err = strconv.Atoi(fields[2][2:]); err != nil || iterations < 1 || iterations > maxIterations {
		return "", nil, 0, fmt.Errorf("SCRAM: found %q iterations, expected 1 to %d", fields[2][2:], maxIterations)
	}
	return fields[0][2:], salt, iterations, nil
}

// end implements mechanism: some brokers prove themselves in a challenge, others
// together with their success.
func (s *scram) end(data []byte) error {
	if s.verified {
		return nil
	}
	return s.verify(data)
}

func (s *scram) verify(data []byte) error {
	want := "v=" + base64.StdEncoding.EncodeToString(s.proof)
	if s.proof == nil || !hmac.Equal(data, []byte(want)) {
		return errors.New("SCRAM: the broker did not prove that it knows the password")
	}
	s.verified = true
	return nil
}

func (s *scram) mac(key []byte, text string) []byte {
	h := hmac.New(s.hash, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}
