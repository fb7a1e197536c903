package amqp_test

import (
	"errors"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/connections/amqp"
	"github.com/fairlead/fairlead/test/services"
)

// kerberos returns the settings of a connection to a broker that takes tickets,
// with the keytab of its client.
func kerberos(t *testing.T, find func(testing.TB) services.Broker) *amqp.Connection {
	t.Helper()
	realm := services.Kerberos(t)
	t.Setenv("KRB5_CONFIG", realm.Config)
	t.Setenv("KRB5CCNAME", filepath.Join(t.TempDir(), "cache")) // nobody's, until kinit
	return &amqp.Connection{
		URL:  "amqp://" + strings.Replace(find(t).AMQPGSSAPI, "127.0.0.1", "localhost", 1),
		SASL: amqp.SASL{Keytab: realm.Keytab, Principal: realm.Principal},
	}
}

func TestKeytab(t *testing.T) {
	for _, find := range []func(testing.TB) services.Broker{services.Artemis, services.BrokerJ} {
		t.Run(find(t).Name, func(t *testing.T) {
			c := kerberos(t, find)
			works(t, c)
			c.SASL.Principal = "client" // of the default realm
			works(t, c)
		})
	}
}

func TestKinit(t *testing.T) {
	for _, find := range []func(testing.TB) services.Broker{services.Artemis, services.BrokerJ} {
		t.Run(find(t).Name, func(t *testing.T) {
			c := kerberos(t, find)
			c.SASL = amqp.SASL{Mechanisms: []string{"GSSAPI"}}
			if _, err := tryDial(t, c); err == nil || errors.Is(err, connections.ErrRefused) || !strings.Contains(err.Error(), "KRB5CCNAME; kinit makes one") {
				t.Errorf("before kinit: got error %v, want one that says what is missing, and may be tried again soon", err)
			}
			kinit(t)
			works(t, c)
		})
	}
}

// kinit fills the credential cache.
func kinit(t *testing.T, options ...string) {
	t.Helper()
	realm := services.Kerberos(t)
	args := append(options, "-k", "-t", realm.Keytab, realm.Principal)
	if out, err := exec.CommandContext(t.Context(), "kinit", args...).CombinedOutput(); err != nil {
		t.Fatalf("kinit %s: %v\n%s", args, err, out)
	}
}

// Kerberos vouches for somebody whom the broker does not know.
func TestUnknownPrincipal(t *testing.T) {
	c := kerberos(t, services.Artemis)
	c.SASL.Keytab, c.SASL.Principal = services.Kerberos(t).Stranger, "stranger"
	_, err := dial(t, c).Receiver(within(t), queueSource("DLQ"), 1)
	wantError(t, err, connections.ErrRefused)
}
