package amqp_test

import (
	"crypto/rand"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/connections/amqp"
	"github.com/fairlead/fairlead/test/services"
)

// identify starts what the broker asks whose a token is: that is app's, and no
// other is anybody's. It waits for another test that has the broker's attention.
func identify(t *testing.T, broker services.Broker, token string) {
	t.Helper()
	var (
		listener net.Listener
		err      error
	)
	for end := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		if listener, err = net.Listen("tcp", broker.Identity); err == nil {
			break
		}
		if time.Now().After(end) {
			t.Fatal(err)
		}
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if !strings.HasSuffix(r.Header.Get("Authorization"), " "+token) {
			w.WriteHeader(http.StatusUnauthorized)
			io.WriteString(w, `{"message": "Bad credentials"}`)
			return
		}
		io.WriteString(w, `{"login": "app"}`)
	})}
	done := make(chan struct{})
	go func() {
		defer close(done)
		server.ServeTLS(listener, filepath.Join(broker.Certs, "server.crt"), filepath.Join(broker.Certs, "server.key"))
	}()
	t.Cleanup(func() {
		server.Close()
		<-done
	})
}

func TestToken(t *testing.T) {
	broker := services.BrokerJ(t)
	token := rand.Text()
	identify(t, broker, token)
	c := &amqp.Connection{URL: "amqps://" + broker.AMQPToken, User: "app", Password: token, TLS: certificate(broker, "")}
	if err := refused(t, c); !strings.Contains(err.Error(), "the broker offers XOAUTH2") {
		t.Errorf("XOAUTH2 not listed: got error %v, want one that names it", err)
	}
	c.SASL.Mechanisms = []string{"XOAUTH2"}
	works(t, c)
	c.URL = "amqp://" + broker.AMQPToken // loopback
	works(t, c)
	c.Password = rand.Text()
	if err := refused(t, c); !strings.Contains(err.Error(), `the broker says that the token of "app" is not valid (XOAUTH2)`) || strings.Contains(err.Error(), c.Password) {
		t.Errorf("another token: got error %v, want it said, without the token", err)
	}
}
