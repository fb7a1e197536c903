package amqp_test

import (
	"errors"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/connections/amqp"
	"github.com/fairlead/fairlead/test/services"
)

// Whoever refuses whom, the error says so, and has no secret in it.
func TestRefusals(t *testing.T) {
	artemis, brokerj, classic := services.Artemis(t), services.BrokerJ(t), services.Classic(t)
	realm := services.Kerberos(t)
	t.Setenv("KRB5_CONFIG", realm.Config)
	t.Setenv("KRB5CCNAME", filepath.Join(t.TempDir(), "none"))
	named := func(address string) string { return strings.Replace(address, "127.0.0.1", "localhost", 1) }
	with := func(url, user string, mechanisms ...string) *amqp.Connection {
		c := &amqp.Connection{URL: url, User: user, SASL: amqp.SASL{Mechanisms: mechanisms}}
		if user != "" {
			c.Password = "s3cret"
		}
		return c
	}
	trusting := func(c *amqp.Connection, own string) *amqp.Connection {
		c.TLS = certificate(artemis, own)
		return c
	}
	ticket := func(address string, tickets amqp.SASL) *amqp.Connection {
		return &amqp.Connection{URL: "amqp://" + address, SASL: tickets}
	}
	wrongUser := `the broker says that user or password of "app" is wrong `
	for _, tt := range []struct {
		name     string
		settings *amqp.Connection
		want     string
		gentle   bool // it is a failure, not a refusal
	}{
		{"our trust", with("amqps://"+artemis.AMQPS, ""), "refused: we do not trust the broker's certificate: ", false},
		{"no certificate, Artemis", trusting(with("amqps://"+artemis.AMQPExternal, ""), ""), "refused: the broker wants a client certificate (tls.cert): ", false},
		{"no certificate, Broker-J", trusting(with("amqps://"+brokerj.AMQPExternal, ""), ""), "it had asked for a client certificate (tls.cert): ", true},
		{"stranger's certificate", trusting(with("amqps://"+artemis.AMQPExternal, ""), "client2"), "refused: amqp:unauthorized-access", false},
		{"mechanism, Artemis", with("amqp://"+artemis.AMQP, "app", "SCRAM-SHA-256"), "refused: no SASL mechanism in common: the broker offers PLAIN, ANONYMOUS, we may use SCRAM-SHA-256", false},
		{"mechanism, Classic", with("amqp://"+classic.AMQP, "app", "SCRAM-SHA-1", "SCRAM-SHA-512"), "refused: no SASL mechanism in common: the broker offers PLAIN, ANONYMOUS, we may use SCRAM-SHA-512, SCRAM-SHA-1", false},
		{"mechanism, Broker-J", with("amqp://"+brokerj.AMQPAnonymous, "app"), "refused: no SASL mechanism in common: the broker offers ANONYMOUS, we may use SCRAM-SHA-512, SCRAM-SHA-256, SCRAM-SHA-1, PLAIN", false},
		{"PLAIN, Artemis", with("amqp://"+artemis.AMQP, "app", "PLAIN"), "refused: " + wrongUser + "(PLAIN)", false},
		{"PLAIN, Classic", with("amqp://"+classic.AMQP, "app", "PLAIN"), "refused: " + wrongUser + "(PLAIN)", false},
		{"PLAIN, Broker-J", with("amqp://"+brokerj.AMQP, "app", "PLAIN"), "refused: " + wrongUser + "(PLAIN)", false},
		{"PLAIN over TLS, Artemis", trusting(with("amqps://"+artemis.AMQPS, "app", "PLAIN"), ""), "refused: " + wrongUser + "(PLAIN)", false},
		{"PLAIN over TLS, Classic", trusting(with("amqps://"+classic.AMQPS, "app", "PLAIN"), ""), "refused: " + wrongUser + "(PLAIN)", false},
		{"SCRAM-SHA-512, Artemis", with("amqp://"+artemis.AMQPSCRAM, "app", "SCRAM-SHA-512"), "refused: " + wrongUser + "(SCRAM-SHA-512)", false},
		{"SCRAM-SHA-256, Artemis", with("amqp://"+artemis.AMQPSCRAM, "app", "SCRAM-SHA-256"), "refused: " + wrongUser + "(SCRAM-SHA-256)", false},
		{"SCRAM-SHA-256, Broker-J", with("amqp://"+brokerj.AMQPSCRAM, "app", "SCRAM-SHA-256"), "refused: " + wrongUser + "(SCRAM-SHA-256)", false},
		{"SCRAM-SHA-1, Broker-J", with("amqp://"+brokerj.AMQPSCRAM, "app", "SCRAM-SHA-1"), "refused: " + wrongUser + "(SCRAM-SHA-1)", false},
		{"unknown user, SCRAM, Artemis", with("amqp://"+artemis.AMQPSCRAM, "nobody", "SCRAM-SHA-256"), `refused: the broker says that user or password of "nobody" is wrong (SCRAM-SHA-256)`, false},
		{"unknown user, SCRAM, Broker-J", with("amqp://"+brokerj.AMQPSCRAM, "nobody", "SCRAM-SHA-256"), `refused: the broker says that user or password of "nobody" is wrong (SCRAM-SHA-256)`, false},
		{"nobody, Classic", with("amqp://"+classic.AMQP, ""), "refused: the broker says that nobody may come in without a name (ANONYMOUS)", false},
		{"no such service", ticket(artemis.AMQPGSSAPI, amqp.SASL{Keytab: realm.Keytab, Principal: realm.Principal}), "GSSAPI: refused: get a ticket of client@FAIRLEAD.TEST for amqp/127.0.0.1: the KDC says no: ", false},
		{"no such principal", ticket(named(artemis.AMQPGSSAPI), amqp.SASL{Keytab: realm.Keytab, Principal: "nobody"}), "GSSAPI: refused: log nobody@FAIRLEAD.TEST in with the keytab ", false},
		{"no such realm", ticket(named(artemis.AMQPGSSAPI), amqp.SASL{Keytab: realm.Keytab, Principal: "client@ELSEWHERE"}), "GSSAPI: log client@ELSEWHERE in with the keytab ", true},
		{"no keytab", ticket(named(artemis.AMQPGSSAPI), amqp.SASL{Keytab: "/does/not/exist", Principal: "client"}), "GSSAPI: sasl.keytab: open /does/not/exist", true},
		{"no ticket", ticket(named(artemis.AMQPGSSAPI), amqp.SASL{Mechanisms: []string{"GSSAPI"}}), "GSSAPI: credential cache (KRB5CCNAME; kinit makes one): ", true},
		{"TLS wanted", with("amqp://"+say(t, "\x15\x03\x03\x00\x02\x02\x28"+"\x00"), ""), "the broker wants TLS there (amqps://)", true},
		{"TLS not wanted", with("amqps://"+say(t, "AMQP\x00\x01\x00\x00"), ""), "the broker does not speak TLS there: ", true},
		{"nobody listens", with("amqp://127.0.0.1:1", ""), "connection refused", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := tryDial(t, tt.settings)
			switch {
			case err == nil || !strings.Contains(err.Error(), tt.want):
				t.Fatalf("got error %v, want one with %q", err, tt.want)
			case errors.Is(err, connections.ErrRefused) == tt.gentle:
				t.Errorf("got error %v, want one that is ErrRefused: %t", err, !tt.gentle)
			case strings.Contains(err.Error(), "s3cret"):
				t.Errorf("got error %v, want none with the password in it", err)
			}
			t.Log(err)
		})
	}
}

// A broker that hangs up, or says nonsense, at any place of the handshake is a
// failure that says where.
func TestBrokenHandshakes(t *testing.T) {
	header := "AMQP\x03\x01\x00\x00"
	mechanisms := header + "\x00\x00\x00\x15\x02\x01\x00\x00\x00\x53\x40\xc0\x08\x01\xa3\x05PLAIN"
	for name, tt := range map[string]struct{ says, want string }{
		"nothing":            {"", "exchange SASL headers"},
		"half a header":      {header[:5], "exchange SASL headers"},
		"another protocol":   {"HTTP/1.1 400 Bad Request\r\n\r\n", `found protocol header "HTTP/1.1"`},
		"no mechanisms":      {header, "wait for the SASL mechanisms"},
		"half the mechanism": {mechanisms[:20], "wait for the SASL mechanisms"},
		"no outcome":         {mechanisms, "PLAIN: wait for the broker's answer"},
		"long frame":         {header + "\xff\xff\xff\xff\x02\x01\x00\x00", "found frame header"},
		"AMQP frame":         {header + "\x00\x00\x00\x0c\x02\x00\x00\x00\x00\x53\x10\x45", "found frame header"},
		"nonsense":           {header + "\x00\x00\x00\x0c\x02\x01\x00\x00\x01\x02\x03\x04", "SASL frame without a description"},
		"only the outcome":   {header + "\x00\x00\x00\x10\x02\x01\x00\x00\x00\x53\x44\xc0\x03\x01\x50\x00", "found SASL frame 0x44, expected the mechanisms offered"},
		"let in, then gone":  {mechanisms + "\x00\x00\x00\x10\x02\x01\x00\x00\x00\x53\x44\xc0\x03\x01\x50\x00", "dial test ("},
	} {
		t.Run(name, func(t *testing.T) {
			c := &amqp.Connection{URL: "amqp://" + say(t, tt.says), User: "app", Password: "s3cret"}
			_, err := tryDial(t, c)
			if err == nil || !strings.Contains(err.Error(), tt.want) || errors.Is(err, connections.ErrRefused) || strings.Contains(err.Error(), "s3cret") {
				t.Errorf("got error %v, want one with %q that is no refusal", err, tt.want)
			}
		})
	}
}

// say starts a peer that says text to whoever comes, and hangs up when it has
// heard what there was to hear. It returns where it listens.
func say(t *testing.T, text string) string {
	t.Helper()
	listener := check(net.Listen("tcp", "127.0.0.1:0"))(t)
	done := make(chan struct{})
	go func() {
		defer close(done)
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		io.WriteString(conn, text)
		conn.(*net.TCPConn).CloseWrite()
		io.Copy(io.Discard, conn)
	}()
	t.Cleanup(func() {
		listener.Close()
		<-done
	})
	return listener.Addr().String()
}
