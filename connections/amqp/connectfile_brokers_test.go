package amqp_test

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/fairlead/fairlead/connections/amqp"
	"github.com/fairlead/fairlead/test/services"
)

// A connect.json leads to each broker, found or given.
func TestConnectFileLeadsToBrokers(t *testing.T) {
	artemis, brokerj, classic := services.Artemis(t), services.BrokerJ(t), services.Classic(t)
	for name, tt := range map[string]struct{ address, rest string }{
		"SCRAM over TLS": {artemis.AMQPSSCRAM, fmt.Sprintf(`"user": %q, "password": %q, "sasl": {"mechanisms": "SCRAM-SHA-512 PLAIN"}, "tls": {"ca": "%s/ca.pem"}`, artemis.User, artemis.Password, artemis.Certs)},
		"EXTERNAL":       {brokerj.AMQPExternal, fmt.Sprintf(`"tls": {"ca": %[1]q, "cert": %[2]q, "key": %[3]q}`, brokerj.Certs+"/ca.pem", brokerj.Certs+"/client.crt", brokerj.Certs+"/client.key")},
		"any server":     {classic.AMQPS, fmt.Sprintf(`"user": %q, "password": %q, "tls": {"verify": false}`, classic.User, classic.Password)},
		"SCRAM in clear": {brokerj.AMQP, fmt.Sprintf(`"scheme": "amqp", "user": %q, "password": %q`, brokerj.User, brokerj.Password)},
		"PLAIN in clear": {classic.AMQP, fmt.Sprintf(`"scheme": "amqp", "user": %q, "password": %q, "sasl": {"allow_insecure": true}`, classic.User, classic.Password)},
		"ANONYMOUS":      {artemis.AMQPAnonymous, `"scheme": "amqp"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			t.Setenv("MESSAGING_CONNECT_FILE", "")
			host, port, err := net.SplitHostPort(tt.address)
			if err != nil {
				t.Fatal(err)
			}
			text := fmt.Sprintf("// %s\n{\"host\": %q, \"port\": %s, %s}\n", name, host, port, tt.rest)
			if err := os.WriteFile("connect.json", []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			works(t, new(amqp.Connection))
			path, err := filepath.Abs("connect.json")
			if err != nil {
				t.Fatal(err)
			}
			works(t, &amqp.Connection{File: path})
		})
	}
}
