package amqp

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/Azure/go-amqp"

	"github.com/fairlead/fairlead/connections"
)

// Somebody in the broker's place, or between, gets neither the password nor a
// connection.
func TestDowngrade(t *testing.T) {
	const password = "s3cret"
	challenge := func(text string) saslFrame { return saslFrame{saslChallenge, []any{[]byte(text)}} }
	extending := "r=%s" // the client's nonce comes here
	first := extending + "xyz,s=QSXCR+Q6sek8bf92,i=4096"
	clear := address{host: "broker.example.com", port: "5672"}
	secure := address{host: "broker.example.com", port: "5671", tls: true}
	for _, tt := range []struct {
		name    string
		address address
		sasl    SASL
		offer   []amqp.Symbol
		answers []saslFrame // with the client's nonce in place of %s
		want    string
		silent  bool // nothing is said to it beyond the headers
	}{
		{"SCRAM is taken off the list", clear, SASL{}, []amqp.Symbol{plain, anonymous}, nil, "PLAIN without TLS would tell others the password", true},
		{"SCRAM is taken off our list's list", clear, SASL{Mechanisms: []string{scramSHA256}}, []amqp.Symbol{plain}, nil, "the broker offers PLAIN, we may use SCRAM-SHA-256", true},
		{"only a weaker hash is offered", secure, SASL{Mechanisms: []string{scramSHA512, scramSHA256}}, []amqp.Symbol{scramSHA1, plain}, nil, "the broker offers SCRAM-SHA-1, PLAIN, we may use SCRAM-SHA-512, SCRAM-SHA-256", true},
		{"only ANONYMOUS is offered", clear, SASL{}, []amqp.Symbol{anonymous}, nil, "the broker offers ANONYMOUS", true},
		{"a token is asked for in clear", clear, SASL{Mechanisms: []string{xoauth2, scramSHA256}}, []amqp.Symbol{xoauth2}, nil, "XOAUTH2 without TLS would tell others the password", true},
		{"names that differ little", secure, SASL{}, []amqp.Symbol{"plain", "PLAIN ", "SCRAM-SHA-256-PLUS"}, nil, "no SASL mechanism in common", true},
		{"success at once", clear, SASL{}, []amqp.Symbol{scramSHA256}, []saslFrame{outcome(0)}, "did not prove", false},
		{"success at once, with a proof of nothing", clear, SASL{}, []amqp.Symbol{scramSHA256}, []saslFrame{outcome(0, []byte("v="))}, "did not prove", false},
		{"success without a proof", clear, SASL{}, []amqp.Symbol{scramSHA256}, []saslFrame{challenge(first), outcome(0)}, "did not prove", false},
		{"success with a wrong proof", clear, SASL{}, []amqp.Symbol{scramSHA256}, []saslFrame{challenge(first), outcome(0, []byte("v=rmF9pqV8S7suAoZWja4dJRkFsKQ="))}, "did not prove", false},
		{"wrong proof in a challenge", clear, SASL{}, []amqp.Symbol{scramSHA512}, []saslFrame{challenge(first), challenge("v=AAAA"), outcome(0)}, "did not prove", false},
		{"second salt", clear, SASL{}, []amqp.Symbol{scramSHA1}, []saslFrame{challenge(first), challenge(first)}, "did not prove", false},
		{"one iteration", clear, SASL{}, []amqp.Symbol{scramSHA256}, []saslFrame{challenge(extending + "x,s=QSXCR+Q6sek8bf92,i=1")}, "it asks for 1 iterations, expected 4096 to 1048576", false},
		{"work for hours", clear, SASL{}, []amqp.Symbol{scramSHA256}, []saslFrame{challenge(extending + "x,s=QSXCR+Q6sek8bf92,i=2147483647")}, "it asks for 2147483647 iterations", false},
		{"nonce of another exchange", clear, SASL{}, []amqp.Symbol{scramSHA256}, []saslFrame{challenge("r=replayed,s=QSXCR+Q6sek8bf92,i=4096")}, "its challenge is not one for this exchange", false},
		{"unknown extension", clear, SASL{}, []amqp.Symbol{scramSHA256}, []saslFrame{challenge("m=x," + first)}, "its challenge is not one for this exchange", false},
		{"challenge to PLAIN", secure, SASL{Mechanisms: []string{plain}}, []amqp.Symbol{plain}, []saslFrame{challenge("again")}, "PLAIN: unexpected challenge", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := dialer{settings: &Connection{User: "user", Password: password, SASL: tt.sasl}, address: tt.address}
			got, err := d.talk(t, tt.offer, tt.answers)
			if !errors.Is(err, connections.ErrRefused) || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), password) {
				t.Errorf("got error %v, want a refusal with %q", err, tt.want)
			}
			if tt.silent != (len(got) == 0) {
				t.Errorf("the other side got %d frames, want none: %t", len(got), tt.silent)
			}
			for _, f := range got {
				if tt.sasl.Mechanisms == nil && bytes.Contains(f.bytes(1), []byte(password)) {
					t.Errorf("the other side got %q, want no password", f.bytes(1))
				}
			}
		})
	}
}

// talk authenticates to one who offers and answers what it is told to, and returns
// what that one got.
func (d *dialer) talk(t *testing.T, offer []amqp.Symbol, answers []saslFrame) (got []saslFrame, err error) {
	t.Helper()
	client, server := net.Pipe()
	served := make(chan struct{})
	go func() {
		defer close(served)
		defer server.Close()
		other, header := exchange{conn: server}, make([]byte, protocolHeader)
		if _, err := io.ReadFull(server, header); err != nil {
			return
		}
		server.Write(header)
		other.write(saslFrame{saslMechanisms, []any{offer}})
		for {
			f, err := other.read()
			if err != nil {
				return
			}
			got = append(got, f)
			if len(got) <= len(answers) {
				other.write(withNonce(answers[len(got)-1], got[0]))
			}
		}
	}()
	x := d.exchange()
	x.conn = client
	err = x.run(t.Context())
	client.Close()
	<-served
	return got, err
}

// withNonce returns a challenge with the nonce of the first message in it.
func withNonce(answer, first saslFrame) saslFrame {
	text := string(answer.bytes(0))
	if !strings.Contains(text, "%s") {
		return answer
	}
	_, nonce, _ := strings.Cut(string(first.bytes(1)), ",r=")
	return saslFrame{answer.code, []any{fmt.Appendf(nil, text, nonce)}}
}
