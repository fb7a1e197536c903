package gssapi

import (
	"bytes"
	"context"
	"encoding/asn1"
	"encoding/binary"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jcmturner/gokrb5/v8/asn1tools"
	"github.com/jcmturner/gokrb5/v8/crypto"
	"github.com/jcmturner/gokrb5/v8/gssapi"
	"github.com/jcmturner/gokrb5/v8/iana/asnAppTag"
	"github.com/jcmturner/gokrb5/v8/iana/keyusage"
	"github.com/jcmturner/gokrb5/v8/iana/msgtype"
	"github.com/jcmturner/gokrb5/v8/keytab"
	"github.com/jcmturner/gokrb5/v8/messages"
	"github.com/jcmturner/gokrb5/v8/types"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/test/services"
)

func key(t testing.TB, b byte) types.EncryptionKey {
	t.Helper()
	return types.EncryptionKey{KeyType: 18, KeyValue: bytes.Repeat([]byte{b}, 32)}
}

// asked returns an exchange that has sent its first token, with a session key of 1s.
func asked(t testing.TB) *Exchange {
	t.Helper()
	x := &Exchange{ticket: ticket{key: key(t, 1)}}
	x.proof = types.Authenticator{CTime: time.Unix(1700000000, 0), Cusec: 5, SeqNumber: 77}
	x.step = x.identify
	return x
}

// An acceptor answers as a broker would, with what it is told to do wrong.
type acceptor struct {
	key    types.EncryptionKey // that it uses; a ticket's key unless it could not open that
	subkey *types.EncryptionKey
	time   time.Time
	layers byte
}

func honest(t testing.TB) acceptor {
	return acceptor{key: key(t, 1), time: time.Unix(1700000000, 0), layers: 7}
}

// proof is the broker's first token.
func (a acceptor) proof(t testing.TB) []byte {
	t.Helper()
	part := struct {
		CTime  time.Time           `asn1:"generalized,explicit,tag:0"`
		Cusec  int                 `asn1:"explicit,tag:1"`
		Subkey types.EncryptionKey `asn1:"optional,explicit,tag:2"`
	}{a.time.UTC(), 5, types.EncryptionKey{}}
	if a.subkey != nil {
		part.Subkey = *a.subkey
	}
	plain := must(asn1.Marshal(part))(t)
	sealed := must(crypto.GetEncryptedData(asn1tools.AddASNAppTag(plain, asnAppTag.EncAPRepPart), a.key, keyusage.AP_REP_ENCPART, 0))(t)
	reply := must(asn1.Marshal(messages.APRep{PVNO: 5, MsgType: msgtype.KRB_AP_REP, EncPart: sealed}))(t)
	return seal(apReply, asn1tools.AddASNAppTag(reply, asnAppTag.APREP))
}

// offer is the broker's second token.
func (a acceptor) offer(t testing.TB) []byte {
	t.Helper()
	k, flags := a.key, byte(1)
	if a.subkey != nil {
		k, flags = *a.subkey, 5
	}
	w := gssapi.WrapToken{Flags: flags, EC: 12, SndSeqNum: 1, Payload: []byte{a.layers, 0, 255, 255}}
	if err := w.SetCheckSum(k, keyusage.GSSAPI_ACCEPTOR_SEAL); err != nil {
		t.Fatal(err)
	}
	return must(w.Marshal())(t)
}

func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func TestExchange(t *testing.T) {
	own := key(t, 2)
	for name, a := range map[string]acceptor{"session key": honest(t), "broker's key": func() acceptor { a := honest(t); a.subkey = &own; return a }()} {
		for _, rotation := range []uint16{0, 12, 28} {
			x := asked(t)
			if answer, err := x.Next(a.proof(t)); err != nil || len(answer) != 0 {
				t.Fatalf("%s: proof: got %x and error %v, want an empty answer", name, answer, err)
			}
			answer, err := x.Next(rotate(a.offer(t), rotation))
			if err != nil {
				t.Fatalf("%s, rotated by %d: offer: %v", name, rotation, err)
			}
			var w gssapi.WrapToken
			if err := w.Unmarshal(answer, false); err != nil {
				t.Fatal(err)
			}
			if ok, err := w.Verify(x.ticket.key, keyusage.GSSAPI_INITIATOR_SEAL); !ok || !bytes.Equal(w.Payload, []byte{1, 0, 0, 0}) || w.SndSeqNum != 77 {
				t.Errorf("%s: got token %+v (%v), want no layer, signed", name, w, err)
			}
			if wantFlags := map[bool]byte{true: subkeyFlag}[a.subkey != nil]; w.Flags != wantFlags {
				t.Errorf("%s: got flags %d, want %d", name, w.Flags, wantFlags)
			}
			if err := x.End(nil); err != nil {
				t.Errorf("%s: end: %v", name, err)
			}
			if _, err := x.Next(nil); err == nil {
				t.Errorf("%s: one more challenge: got no error, want one", name)
			}
		}
	}
}

// rotate does what rotated undoes.
func rotate(token []byte, by uint16) []byte {
	head, body := bytes.Clone(token[:gssapi.HdrLen]), token[gssapi.HdrLen:]
	binary.BigEndian.PutUint16(head[6:], by)
	n := len(body) - int(by)%len(body)
	return append(append(head, body[n:]...), body[:n]...)
}

// A broker that cannot open the ticket, or somebody in its place, is not trusted.
func TestFalseBroker(t *testing.T) {
	broken := func(change func(*acceptor)) acceptor {
		a := honest(t)
		change(&a)
		return a
	}
	said := messages.NewKRBError(types.PrincipalName{NameString: []string{"amqp", "h"}}, "R", 37, "clocks")
	refusal := must(said.Marshal())(t)
	for _, tt := range []struct {
		name   string
		tokens [][]byte
		want   string
	}{
		{"success at once", nil, "did not prove"},
		{"success after its proof", [][]byte{honest(t).proof(t)}, "did not prove"},
		{"another key", [][]byte{broken(func(a *acceptor) { a.key = key(t, 9) }).proof(t)}, "the broker's proof"},
		{"another request", [][]byte{broken(func(a *acceptor) { a.time = a.time.Add(time.Second) }).proof(t)}, "not for our request"},
		{"our own token", [][]byte{seal(apRequest, []byte{1})}, "found a token of kind 0x0100"},
		{"says no", [][]byte{seal(krbError, refusal)}, "the broker refuses our ticket: KRB Error: (37)"},
		{"signed by another", [][]byte{honest(t).proof(t), broken(func(a *acceptor) { a.key = key(t, 9) }).offer(t)}, "the signature is wrong"},
		{"wants a layer", [][]byte{honest(t).proof(t), broken(func(a *acceptor) { a.layers = 6 }).offer(t)}, "insists on a security layer"},
		{"empty proof", [][]byte{{}}, "the broker's token"},
		{"empty offer", [][]byte{honest(t).proof(t), {}}, "offer of security layers"},
		{"offer of the old kind", [][]byte{honest(t).proof(t), seal(0x0201, make([]byte, 20))}, "RC4 and DES"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			x := asked(t)
			var err error
			for _, token := range tt.tokens {
				if _, err = x.Next(token); err != nil {
					break
				}
			}
			if err == nil {
				err = x.End(nil)
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got error %v, want one with %q", err, tt.want)
			}
		})
	}
}

func FuzzTokens(f *testing.F) {
	f.Add(honest(f).proof(f), honest(f).offer(f))
	f.Add(seal(krbError, []byte{0x7e, 0}), []byte{5, 4, 1, 0xff})
	f.Fuzz(func(t *testing.T, first, second []byte) {
		x := asked(t)
		if _, err := x.Next(first); err != nil {
			return
		}
		if _, err := x.Next(second); err == nil && x.End(nil) != nil {
			t.Error("the exchange was done, and then not")
		}
	})
}

// kerberos sets the environment to that of a user of the shared realm who has no tickets.
func kerberos(t *testing.T) services.KDC {
	t.Helper()
	realm := services.Kerberos(t)
	t.Setenv("KRB5_CONFIG", filepath.Join(t.TempDir(), "none")+":"+realm.Config)
	t.Setenv("KRB5CCNAME", "FILE:"+filepath.Join(t.TempDir(), "cache"))
	return realm
}

func start(l Login) error {
	_, err := (&Exchange{Service: "amqp/localhost", Login: l}).Start(context.Background())
	return err
}

func TestTickets(t *testing.T) {
	realm := kerberos(t)
	if err := start(Login{Keytab: realm.Keytab, Principal: realm.Principal}); err != nil {
		t.Errorf("keytab: %v", err)
	}
	if err := start(Login{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("before kinit: got error %v, want one about the missing cache", err)
	}
	kinit(t, realm)
	if err := start(Login{}); err != nil {
		t.Errorf("after kinit: %v", err)
	}
	kinit(t, realm, "-l", "1s")
	expired := func() bool {
		err := start(Login{})
		return err != nil && strings.Contains(err.Error(), "expired at ") && strings.Contains(err.Error(), realm.Principal)
	}
	for end := time.Now().Add(20 * time.Second); !expired(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("ticket of 1 s: got error %v, want one that says when it expired", start(Login{}))
		}
	}
}

func kinit(t *testing.T, realm services.KDC, options ...string) {
	t.Helper()
	args := append(options, "-k", "-t", realm.Keytab, realm.Principal)
	if out, err := exec.CommandContext(t.Context(), "kinit", args...).CombinedOutput(); err != nil {
		t.Fatalf("kinit %s: %v\n%s", args, err, out)
	}
}

func TestNoTickets(t *testing.T) {
	realm := kerberos(t)
	file := func(text string) string {
		path := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	kinit(t, realm)
	cache := must(os.ReadFile(strings.TrimPrefix(os.Getenv("KRB5CCNAME"), "FILE:")))(t)
	nowhere := strings.ReplaceAll(string(must(os.ReadFile(realm.Config))(t)), "kdc = 127.0.0.1:", "kdc = 127.0.0.1:1 # ")
	for _, tt := range []struct {
		name, config, cache string
		login               Login
		want                string
		refused             bool
	}{
		{"kind of cache", realm.Config, "KCM:0", Login{}, "KRB5CCNAME begins with KCM:, expected a file", false},
		{"empty cache", realm.Config, file(""), Login{}, "kerberos: what was read makes no sense", false},
		{"half a cache", realm.Config, file(string(cache[:len(cache)/2])), Login{}, "kerberos: what was read makes no sense", false},
		{"no realms", "/does/not/exist", "", Login{}, "KRB5_CONFIG: open /does/not/exist", false},
		{"broken keytab", realm.Config, "", Login{Keytab: file("x"), Principal: "client"}, "", false},
		{"nobody's key", realm.Config, "", Login{Keytab: realm.Keytab, Principal: "nobody"}, "the KDC says no: (6)", true},
		{"KDC is down", file(nowhere), "", Login{Keytab: realm.Keytab, Principal: "client"}, "log client@FAIRLEAD.TEST in with the keytab", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv("KRB5_CONFIG", tt.config)
			t.Setenv("KRB5CCNAME", tt.cache)
			err := start(tt.login)
			if err == nil || !strings.Contains(err.Error(), tt.want) || errors.Is(err, connections.ErrRefused) != tt.refused {
				t.Errorf("got error %v, want one with %q, ErrRefused: %t", err, tt.want, tt.refused)
			}
		})
	}
}

// A KDC that does not answer keeps nobody longer than ctx allows.
func TestSilentKDC(t *testing.T) {
	silent := must(net.Listen("tcp", "127.0.0.1:0"))(t) // it accepts, and that is all
	defer silent.Close()
	config := filepath.Join(t.TempDir(), "krb5.conf")
	text := "[libdefaults]\ndefault_realm = R\nudp_preference_limit = 1\n[realms]\nR = {\nkdc = " + silent.Addr().String() + "\n}\n"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	keys := keytab.New()
	if err := keys.AddEntry("client", "R", "password", time.Now(), 1, 18); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "keytab")
	if err := os.WriteFile(path, must(keys.Marshal())(t), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("KRB5_CONFIG", config)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := (&Exchange{Service: "amqp/localhost", Login: Login{Keytab: path, Principal: "client"}}).Start(ctx)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got error %v, want %v", err, context.DeadlineExceeded)
	}
}
