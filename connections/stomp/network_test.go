package stomp_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-stomp/stomp/v3/frame"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/connections/stomp"
	"github.com/fairlead/fairlead/framework"
	"github.com/fairlead/fairlead/test/services"
)

// A function that is slower than the heart-beat, with many messages waiting for
// it, does not cost the connection.
func TestSlowFunction(t *testing.T) {
	everywhere(t, func(t *testing.T, b services.Broker) {
		const n = 150
		s, q := settingsOf(b), newQueue()
		s.Heartbeat = new(time.Second)
		send(t, s, q, make([]connections.Message, n)...)
		c := dial(t, s)
		r := receiver(t, c, &stomp.Source{Destination: queue(q)}, n)
		for i := range n {
			d := receive(t, r)
			if i < 2 {
				select { // the function
				case <-c.(connections.Watched).Done():
					_, err := r.Receive(t.Context())
					t.Fatalf("the connection was lost while the function worked: %v", err)
				case <-time.After(3500 * time.Millisecond):
				}
			}
			settle(t, d, framework.Accept)
		}
		wantNothing(t, r)
	})
}

// A connection whose TCP lives, but through which nothing comes, is lost within
// twice the heart-beat.
func TestBlackHole(t *testing.T) {
	everywhere(t, func(t *testing.T, b services.Broker) {
		s, proxy := throughProxy(t, b)
		const heartbeat = 4 * time.Second
		s.Heartbeat = new(heartbeat)
		c := dial(t, s)
		r := receiver(t, c, &stomp.Source{Destination: queue(newQueue())}, 1)
		start := time.Now()
		proxy.BlackHole()
		_, err := r.Receive(t.Context())
		if !errors.Is(err, connections.ErrConnLost) || time.Since(start) > 2*heartbeat {
			t.Errorf("got error %v after %v, want ErrConnLost within %v", err, time.Since(start), 2*heartbeat)
		}
		select {
		case <-c.(connections.Watched).Done():
		case <-time.After(heartbeat):
			t.Error("Done of the lost conn is not closed")
		}
	})
}

// While nothing answers, Send ends with its ctx.
func TestSendIntoABlackHole(t *testing.T) {
	everywhere(t, func(t *testing.T, b services.Broker) {
		s, proxy := throughProxy(t, b)
		out := sender(t, dial(t, s), queue(newQueue()))
		proxy.BlackHole()
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if errs := out.Send(ctx, words("a")); !errors.Is(errs[0], context.DeadlineExceeded) {
			t.Errorf("got error %v, want ctx's", errs[0])
		}
	})
}

// A broker that comes back is never taken for one that refuses us: that would
// make everyone wait for a minute.
func TestRestart(t *testing.T) {
	for _, name := range []string{"artemis", "classic", "rabbitmq"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := services.Private(t, name)
			s, q := settingsOf(b.Broker), newQueue()
			send(t, s, q, words("a")...)
			if name == "rabbitmq" { // which may lose a queue that it is killed soon after it was made
				b.Stop()
				b.Start()
			}
			c := dial(t, s)
			r := receiver(t, c, &stomp.Source{Destination: queue(q)}, 1)
			d := receive(t, r)
			b.Kill()
			<-c.(connections.Watched).Done()
			if err := d.Settle(t.Context(), framework.Accept); !errors.Is(err, connections.ErrConnLost) {
				t.Errorf("settle: got error %v, want ErrConnLost", err)
			}
			started := make(chan bool)
			go func() {
				defer close(started)
				b.Start()
			}()
			for {
				_, err := tryDial(t, s)
				if err == nil {
					break
				}
				if errors.Is(err, connections.ErrRefused) || errors.Is(err, connections.ErrStandby) {
					t.Errorf("while the broker starts: %v", err)
				}
				time.Sleep(20 * time.Millisecond)
			}
			<-started
			take(t, s, q, "a")
		})
	}
}

func tlsSettings(b services.Broker, change func(*connections.TLS)) *stomp.Connection {
	s := settingsOf(b)
	s.URL = "stomps://" + b.STOMPS
	s.TLS = &connections.TLS{CA: filepath.Join(b.Certs, "ca.pem")}
	change(s.TLS)
	return s
}

func TestTLS(t *testing.T) {
	for _, b := range []services.Broker{services.Artemis(t), services.Classic(t)} {
		s, q := tlsSettings(b, func(*connections.TLS) {}), newQueue()
		send(t, s, q, words("a")...)
		take(t, s, q, "a")
		for name, change := range map[string]func(*connections.TLS){
			"untrusted": func(c *connections.TLS) { c.CA = "" },
			"misnamed":  func(c *connections.TLS) { c.ServerName = "elsewhere" },
		} {
			_, err := tryDial(t, tlsSettings(b, change))
			if !errors.Is(err, connections.ErrRefused) || !strings.Contains(err.Error(), "we do not trust the broker's certificate") {
				t.Errorf("%s, %s: got error %v, want ErrRefused, and who does not trust whom", b.Name, name, err)
			}
		}
	}
}

// The files are those of the moment: a renewed certificate is used by the next
// connection, and half of one by none.
func TestRenewedCertificate(t *testing.T) {
	b, dir := services.Artemis(t), t.TempDir()
	s := tlsSettings(b, func(c *connections.TLS) { c.Cert = filepath.Join(dir, "client.pem") })
	s.User, s.Password = "", ""
	put := func(text []byte) {
		t.Helper()
		if err := os.WriteFile(s.TLS.Cert, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pem := func(name string) []byte {
		t.Helper()
		text, err := os.ReadFile(filepath.Join(b.Certs, name))
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	put(pem("client2.pem"))
	dial, err := stomp.Driver().Open("test", s)
	if err != nil {
		t.Fatal(err)
	}
	allowed := func(want bool) {
		t.Helper()
		conn, err := dial(t.Context())
		if err == nil {
			conn.Close()
		}
		if (err == nil) != want || err != nil && !errors.Is(err, connections.ErrRefused) {
			t.Errorf("got error %v, want to be let in: %t", err, want)
		}
	}
	allowed(false) // a stranger's
	put(pem("client.pem"))
	allowed(true)
	put(pem("client2.pem")[:900])
	allowed(true)
	put(pem("client2.pem"))
	allowed(false)
}

// A client certificate says who we are, with no user and no password.
func TestClientCertificate(t *testing.T) {
	b := services.Artemis(t)
	with := func(name string) *stomp.Connection {
		s := tlsSettings(b, func(c *connections.TLS) {
			c.Cert, c.Key = filepath.Join(b.Certs, name+".crt"), filepath.Join(b.Certs, name+".key")
		})
		s.User, s.Password = "", ""
		return s
	}
	q := newQueue()
	send(t, with("client"), q, words("a")...)
	take(t, with("client"), q, "a")
	if _, err := tryDial(t, with("client2")); !errors.Is(err, connections.ErrRefused) {
		t.Errorf("with a stranger's certificate: got error %v, want ErrRefused", err)
	}
}

func TestVersions(t *testing.T) {
	for _, version := range []string{"1.0", "1.1", "1.2"} {
		t.Run(version, func(t *testing.T) {
			everywhere(t, func(t *testing.T, b services.Broker) {
				s, q := settingsOf(b), newQueue()
				s.Headers = map[string]string{"accept-version": version}
				batch := words("text é", "last")
				batch[0].Header = map[string]any{"path": `C\D E=F;é`, "time": "10-20"}
				if version != "1.0" {
					batch[0].Header["all"] = "a:b\n\\c"
				}
				if b.Name == "rabbitmq" { // which escapes in 1.0, too
					delete(batch[0].Header, "path")
				}
				send(t, s, q, batch...)
				c := dial(t, s)
				r := receiver(t, c, &stomp.Source{Destination: queue(q)}, 2)
				d := receive(t, r)
				for name, want := range batch[0].Header {
					if d.Header[name] != want {
						t.Errorf("got header %s %q, want %q", name, d.Header[name], want)
					}
				}
				settle(t, d, framework.Accept)
				receive(t, r)
				if err := r.Close(); err != nil {
					t.Fatal(err)
				}
				take(t, s, q, "last")
				if err := c.(connections.Pinger).Ping(t.Context()); err != nil {
					t.Errorf("ping: %v", err)
				}
			})
		})
	}
}

// A Receiver keeps the order, also of what was given back; but Artemis may deliver
// to the next subscription before it has taken back what the last one had.
func TestOrder(t *testing.T) {
	everywhere(t, func(t *testing.T, b services.Broker) {
		const n, prefetch = 1000, 20
		s, q := settingsOf(b), newQueue()
		var batch []string
		for i := range n {
			batch = append(batch, fmt.Sprint(i))
		}
		send(t, s, q, words(batch...)...)
		c := dial(t, s)
		for next := 0; next < n; {
			r := receiver(t, c, &stomp.Source{Destination: queue(q)}, prefetch)
			run := 190
			if b.Name == "artemis" {
				run = n
			}
			for range run {
				d := receive(t, r)
				if want := fmt.Sprint(next); string(d.Body) != want {
					t.Fatalf("got message %s, want %s; %v", d.Body, want, d.Native.(*frame.Frame).Header)
				}
				settle(t, d, framework.Accept)
				if next++; next == n {
					break
				}
			}
			for range min(prefetch, n-next) {
				receive(t, r) // and not settled
			}
			if err := r.Close(); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// Where the broker's answer tells, a message that it refuses is a SendError, and
// the next one is not concerned.
func TestRefusedByTheBroker(t *testing.T) {
	tests := map[string]struct {
		user, password string
		to             connections.Destination
		words          string
	}{
		"artemis":  {"sender", "senderpw", queue("new." + newQueue()), "CREATE_ADDRESS"},
		"rabbitmq": {"", "", queue("/exchange/none-" + newQueue() + "/key"), "NOT_FOUND"},
		"classic":  {"", "", queue("/remote-temp-queue/ID:gone:1"), "does not exist"}, // where a requester was
	}
	everywhere(t, func(t *testing.T, b services.Broker) {
		test := tests[b.Name]
		s := settingsOf(b)
		if test.user != "" {
			s.User, s.Password = test.user, test.password
		}
		c := dial(t, s)
		out := sender(t, c, test.to)
		for range 2 {
			var refused *framework.SendError
			errs := out.Send(t.Context(), words("a", "b"))
			for _, err := range errs {
				if !errors.As(err, &refused) || !strings.Contains(refused.Condition+refused.Description, test.words) {
					t.Errorf("got error %v, want a SendError with %q", err, test.words)
				}
			}
		}
		select {
		case <-c.(connections.Watched).Done():
			t.Error("the conn is lost")
		default:
		}
	})
}

// RabbitMQ would ignore a selector and deliver everything.
func TestNoSelectorOnRabbitMQ(t *testing.T) {
	c := dial(t, settingsOf(services.RabbitMQ(t)))
	_, err := c.Receiver(t.Context(), &stomp.Source{Destination: queue(newQueue()), Selector: "a = 1"}, 1)
	var wrong *connections.SettingError
	if !errors.As(err, &wrong) || wrong.Field != "selector" {
		t.Errorf("got error %v, want a SettingError of selector", err)
	}
}

// A user who may not receive is refused, and told so.
func TestReceiveWithoutPermission(t *testing.T) {
	b := services.Artemis(t)
	s, q := settingsOf(b), newQueue()
	send(t, s, q, words("a")...)
	s.User, s.Password = "sender", "senderpw"
	_, err := dial(t, s).Receiver(t.Context(), &stomp.Source{Destination: queue(q)}, 1)
	if !errors.Is(err, connections.ErrRefused) {
		t.Errorf("got error %v, want ErrRefused", err)
	}
	take(t, settingsOf(b), q, "a")
}

// Text too long for one of the broker's buffers is text, too.
func TestLargeText(t *testing.T) {
	everywhere(t, func(t *testing.T, b services.Broker) {
		s, q := settingsOf(b), newQueue()
		body := strings.Repeat("é漢字 ", 40_000)
		send(t, s, q, words(body)...)
		if d := take(t, s, q, body); d.Text != (b.Name != "rabbitmq") {
			t.Errorf("got text %t", d.Text)
		}
	})
}
