package amqp

import (
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"hash"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/Azure/go-amqp"

	"github.com/fairlead/fairlead/connections"
)

// A saslBroker is the other side of an exchange: it offers mechanisms, and
// answers what it gets frame by frame.
type saslBroker struct {
	offer   any // a symbol or an array of them
	answers []saslFrame
	got     []saslFrame
}

func (b *saslBroker) serve(conn net.Conn) error {
	header := make([]byte, 8)
	if _, err := io.ReadFull(conn, header); err != nil {
		return err
	}
	if _, err := conn.Write(header); err != nil {
		return err
	}
	x := exchange{conn: conn}
	if err := x.write(saslFrame{saslMechanisms, []any{b.offer}}); err != nil {
		return err
	}
	for _, answer := range b.answers {
		f, err := x.read()
		if err != nil {
			return err
		}
		b.got = append(b.got, f)
		if err := x.write(answer); err != nil {
			return err
		}
	}
	return nil
}

// exchange authenticates to the broker as who with the mechanisms named.
func (b *saslBroker) exchange(t *testing.T, who login, names ...string) error {
	t.Helper()
	client, server := net.Pipe()
	defer client.Close()
	served := make(chan error, 1)
	go func() {
		defer server.Close()
		served <- b.serve(server)
	}()
	err := exchange{conn: client, host: "broker.example.com", who: who, names: names}.run(t.Context())
	client.Close()
	if serveErr := <-served; serveErr != nil && err == nil {
		t.Fatalf("broker: %v", serveErr)
	}
	return err
}

func outcome(code uint8, data ...any) saslFrame {
	return saslFrame{saslOutcome, append([]any{code}, data...)}
}

func TestSASL(t *testing.T) {
	someone := login{user: "user", password: "s3cret"}
	for _, tt := range []struct {
		name   string
		offer  any
		who    login
		use    []string
		answer []saslFrame
		init   []any  // what the broker got
		want   string // part of the error; empty: let in
		is     error
	}{
		{name: "PLAIN", offer: amqp.Symbol(plain), who: someone, use: []string{plain}, answer: []saslFrame{outcome(0)},
			init: []any{plain, []byte("\x00user\x00s3cret"), "broker.example.com"}},
		{name: "first of ours that is offered", offer: []amqp.Symbol{plain, "X", external}, use: []string{scramSHA256, external, plain}, answer: []saslFrame{outcome(0)},
			init: []any{external, []byte{}, "broker.example.com"}},
		{name: "ANONYMOUS", offer: []amqp.Symbol{anonymous}, use: []string{anonymous}, answer: []saslFrame{outcome(0)},
			init: []any{anonymous, []byte("anonymous"), "broker.example.com"}},
		{name: "wrong password", offer: amqp.Symbol(plain), who: someone, use: []string{plain}, answer: []saslFrame{outcome(1)},
			want: `user or password of "user" is wrong`, is: connections.ErrRefused},
		{name: "XOAUTH2", offer: []amqp.Symbol{xoauth2, plain}, who: someone, use: []string{xoauth2, plain}, answer: []saslFrame{outcome(0)},
			init: []any{xoauth2, []byte("user=user\x01auth=Bearer s3cret\x01\x01"), "broker.example.com"}},
		{name: "token refused", offer: amqp.Symbol(xoauth2), who: someone, use: []string{xoauth2},
			answer: []saslFrame{{saslChallenge, []any{[]byte(`{"status":"401"}`)}}, outcome(1)},
			want:   `the broker says that the token of "user" is not valid`, is: connections.ErrRefused},
		{name: "token refused and let in", offer: amqp.Symbol(xoauth2), who: someone, use: []string{xoauth2},
			answer: []saslFrame{{saslChallenge, []any{[]byte(`{"status":"401"}`)}}, outcome(0)},
			want:   "it refused the token (status 401), and then did not", is: connections.ErrRefused},
		{name: "wrong certificate", offer: amqp.Symbol(external), use: []string{external}, answer: []saslFrame{outcome(1)},
			want: "the broker says that it does not know the owner of our certificate (EXTERNAL)", is: connections.ErrRefused},
		{name: "broker in trouble", offer: amqp.Symbol(plain), who: someone, use: []string{plain}, answer: []saslFrame{outcome(4)},
			want: "SASL code 4"},
		{name: "nothing in common", offer: []amqp.Symbol{"GSSAPI", "XOAUTH2"}, who: someone, use: []string{plain},
			want: "the broker offers GSSAPI, XOAUTH2, we may use PLAIN", is: connections.ErrRefused},
		{name: "strange names", offer: []amqp.Symbol{"a\nb", "NAME-THAT-IS-LONGER-THAN-ANY", ""}, who: someone, use: []string{plain},
			want: `the broker offers "a\nb", "NAME-THAT-IS-LONGER-", "", we may use PLAIN`, is: connections.ErrRefused},
		{name: "many names", offer: slices.Repeat([]amqp.Symbol{"X"}, 1000), who: someone, use: []string{plain},
			want: "X, 984 more, we may use PLAIN", is: connections.ErrRefused},
		{name: "nothing offered", offer: nil, who: someone, use: []string{plain},
			want: "no SASL mechanism", is: connections.ErrRefused},
		{name: "challenge to PLAIN", offer: amqp.Symbol(plain), who: someone, use: []string{plain}, answer: []saslFrame{{saslChallenge, []any{[]byte("?")}}},
			want: "unexpected challenge", is: connections.ErrRefused},
		{name: "nonsense", offer: amqp.Symbol(plain), who: someone, use: []string{plain}, answer: []saslFrame{{0x10, nil}},
			want: "unexpected SASL frame 0x10"},
		{name: "outcome without a code", offer: amqp.Symbol(plain), who: someone, use: []string{plain}, answer: []saslFrame{{saslOutcome, nil}},
			want: "without a code"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := saslBroker{offer: tt.offer, answers: tt.answer}
			err := b.exchange(t, tt.who, tt.use...)
			switch {
			case tt.want == "" && err != nil:
				t.Fatalf("got error %v, want none", err)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Fatalf("got error %v, want one with %q", err, tt.want)
			case tt.is != nil && !errors.Is(err, tt.is), tt.is == nil && errors.Is(err, connections.ErrRefused):
				t.Fatalf("got error %v, want one that is %v", err, tt.is)
			case err != nil && strings.Contains(err.Error(), someone.password):
				t.Fatalf("got error %v, want none with the password in it", err)
			}
			if tt.init != nil && (len(b.got) != 1 || b.got[0].code != saslInit || !slices.EqualFunc(b.got[0].fields, tt.init, equalField)) {
				t.Fatalf("broker got %v, want %v", b.got, tt.init)
			}
		})
	}
}

func equalField(a, b any) bool {
	if x, ok := a.([]byte); ok {
		y, ok := b.([]byte)
		return ok && slices.Equal(x, y)
	}
	return a == b
}

func TestSASLHeader(t *testing.T) {
	for answer, want := range map[string]string{
		"AMQP\x00\x01\x00\x00":             "sasl: {enabled: false}",
		"HTTP/1.1":                         "protocol header",
		"\x15\x03\x03\x00\x02\x02\x50\x00": "wants TLS",
		"AMQP\x03\x00\x09\x01":             "protocol header",
	} {
		client, server := net.Pipe()
		go func() {
			io.ReadFull(server, make([]byte, 8))
			io.WriteString(server, answer)
		}()
		if err := (exchange{conn: client, host: "h", names: []string{anonymous}}).run(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("answer %q: got error %v, want one with %q", answer, err, want)
		}
		client.Close()
		server.Close()
	}
}

func TestSASLEndsWithContext(t *testing.T) {
	client, server := net.Pipe()
	defer client.Close()
	defer server.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := (exchange{conn: client, host: "h", names: []string{anonymous}}).run(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("got error %v, want %v", err, context.DeadlineExceeded)
	}
}

// The exchanges of RFC 5802, section 5, and RFC 7677, section 3.
var scramExamples = []struct {
	name                       string
	hash                       func() hash.Hash
	nonce, first, final, proof string
}{
	{
		scramSHA1, sha1.New, "fyko+d2lbbFgONRv9qkxdawL",
		"r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
		"c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
		"v=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
	},
	{
		scramSHA256, sha256.New, "rOprNGfwEbeRWgbNEkqO",
		"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
		"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
		"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
	},
}

// scramWith returns an exchange that has begun, for user and pencil.
func scramWith(t testing.TB, newHash func() hash.Hash, nonce string) *scram {
	t.Helper()
	s := &scram{login: login{user: "user", password: "pencil"}, hash: newHash}
	if got, err := s.start(nonce); err != nil || string(got) != "n,,n=user,r="+nonce {
		t.Fatalf("got %q and error %v, want the first message", got, err)
	}
	return s
}

func TestSCRAM(t *testing.T) {
	for _, tt := range scramExamples {
		t.Run(tt.name, func(t *testing.T) {
			answer := func(challenge string) (*scram, string, error) {
				s := scramWith(t, tt.hash, tt.nonce)
				b, err := s.Next([]byte(challenge))
				return s, string(b), err
			}
			s, got, err := answer(tt.first)
			if err != nil || got != tt.final {
				t.Fatalf("got %q and error %v, want %q", got, err, tt.final)
			}
			if err := s.End([]byte(tt.proof)); err != nil {
				t.Errorf("proof with the outcome: got error %v, want none", err)
			}
			s, _, _ = answer(tt.first)
			if b, err := s.Next([]byte(tt.proof)); err != nil || len(b) != 0 {
				t.Errorf("proof in a challenge: got %q and error %v, want an empty answer", b, err)
			}
			if err := s.End(nil); err != nil {
				t.Errorf("after proof in a challenge: got error %v, want none", err)
			}
			if _, err := s.Next([]byte(tt.first)); err == nil {
				t.Error("another challenge: got no error, want one")
			}
			for _, false := range []string{"", "v=" + base64.StdEncoding.EncodeToString(make([]byte, 32)), "e=other-error", tt.proof + "x"} {
				s, _, _ := answer(tt.first)
				if s.End([]byte(false)) == nil {
					t.Errorf("proof %q: got no error, want one", false)
				}
			}
			if scramWith(t, tt.hash, tt.nonce).End(nil) == nil || scramWith(t, tt.hash, tt.nonce).End([]byte(tt.proof)) == nil {
				t.Error("success before any challenge: got no error, want one")
			}
			for _, challenge := range []string{
				"", "r=other,s=W22Z,i=4096", "m=ext," + tt.first,
				strings.Replace(tt.first, "i=4096", "i=0", 1), strings.Replace(tt.first, "i=4096", "i=1", 1),
				strings.Replace(tt.first, "i=4096", "i=4095", 1), strings.Replace(tt.first, "i=4096", "i=99999999", 1),
				strings.Replace(tt.first, "i=4096", "i=999999999999999999999999", 1), strings.Replace(tt.first, "i=4096", "i=-4096", 1),
				strings.Replace(tt.first, "i=4096", "i=x", 1), strings.Replace(tt.first, "s=", "s=*", 1), strings.Replace(tt.first, ",i=4096", "", 1),
			} {
				if _, _, err := answer(challenge); err == nil {
					t.Errorf("challenge %q: got no error, want one", challenge)
				}
			}
		})
	}
}

func TestSCRAMStart(t *testing.T) {
	s := &scram{login: login{user: "a=b,c", password: "p"}, hash: sha256.New}
	got, err := s.Start(t.Context())
	_, nonce, _ := strings.Cut(string(got), ",r=")
	if err != nil || !strings.HasPrefix(string(got), "n,,n=a=3Db=2Cc,r=") || len(nonce) < 20 {
		t.Fatalf("got %q and error %v, want n,,n=a=3Db=2Cc,r= and a nonce", got, err)
	}
	s = &scram{login: login{user: "a", password: "s3cret\x00"}, hash: sha256.New}
	if _, err := s.Start(t.Context()); err == nil || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("password with a control character: got error %v, want one without the password", err)
	}
}

// TestSASLprep has the examples of RFC 4013, section 3, and one of each table that
// they leave out.
func TestSASLprep(t *testing.T) {
	for in, want := range map[string]string{
		"I\u00adX": "IX", "user": "user", "USER": "USER", "\u00aa": "a", "\u2168": "IX",
		"a\u00a0b": "a b", "\u00e5": "\u00e5", "a\u030a": "\u00e5", "": "",
	} {
		if got, err := saslprep(in); got != want || err != nil {
			t.Errorf("%q: got %q and error %v, want %q", in, got, err, want)
		}
	}
	for _, in := range []string{"\u0007", "a\u0080", "\ue000", "\ufdd0", "\ufffd", "\xff", "\u2ff0", "\u202e", "\U000e0001"} {
		if got, err := saslprep(in); err == nil {
			t.Errorf("%q: got %q, want an error", in, got)
		}
	}
}

func FuzzSASLFrame(f *testing.F) {
	for _, frame := range []saslFrame{outcome(0, []byte("v=")), {saslMechanisms, []any{[]amqp.Symbol{plain, external}}}, {saslChallenge, []any{[]byte("r=")}}} {
		b := encoded(&amqp.Message{Value: frame.fields})
		b[2] = frame.code
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		frame, err := parseSASL(body)
		if err != nil {
			return
		}
		frame.symbols()
		frame.bytes(0)
		scramWith(t, sha256.New, "n").Next(frame.bytes(0))
		(&bearer{}).Next(frame.bytes(0))
	})
}
