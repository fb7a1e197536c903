package stomp_test

import (
	"strings"
	"testing"

	gostomp "github.com/go-stomp/stomp/v3"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/connections/stomp"
	"github.com/fairlead/fairlead/framework"
	"github.com/fairlead/fairlead/test/services"
)

// What each outcome is on each broker, and why NACK is none of ours.

func TestAccept(t *testing.T) {
	everywhere(t, func(t *testing.T, b services.Broker) {
		s, q := settingsOf(b), newQueue()
		send(t, s, q, words("a")...)
		take(t, s, q, "a")
		wantEmpty(t, s, q)
	})
}

// Giving back is no failure, however often it happens: the broker counts nothing
// and dead-letters nothing. On Artemis these queues allow three attempts.
func TestReleaseIsNotCounted(t *testing.T) {
	for _, o := range []framework.Outcome{framework.Release, framework.Modify} {
		t.Run(o.String(), func(t *testing.T) {
			everywhere(t, func(t *testing.T, b services.Broker) {
				s, q := settingsOf(b), "retry."+newQueue()
				send(t, s, q, words("a", "b")...)
				c := dial(t, s)
				for range 6 {
					r := receiver(t, c, &stomp.Source{Destination: queue(q)}, 2)
					for _, want := range []string{"a", "b"} {
						d := receive(t, r)
						if string(d.Body) != want {
							t.Fatalf("got %q, want %q: given back in order", d.Body, want)
						}
						settle(t, d, o)
					}
					if err := r.Close(); err != nil {
						t.Fatal(err)
					}
				}
				take(t, s, q, "a")
				take(t, s, q, "b")
			})
		})
	}
}

func TestReject(t *testing.T) {
	everywhere(t, func(t *testing.T, b services.Broker) {
		s, q := settingsOf(b), newQueue()
		m := words("a")
		m[0].Header = map[string]any{"colour": "red"}
		m[0].CorrelationID = "c-1"
		send(t, s, q, m...)
		c := dial(t, s)
		settle(t, receive(t, receiver(t, c, &stomp.Source{Destination: queue(q)}, 1)), framework.Reject)
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		wantEmpty(t, s, q)
		d := take(t, s, q+".DLQ", "a")
		if d.Header["colour"] != "red" || d.CorrelationID != "c-1" || d.ContentType != "text/plain" || d.Text != (b.Name != "rabbitmq") {
			t.Errorf("got %+v among the dead letters, want the message as it was", d.Message)
		}
	})
}

// A lost connection gives back everything. Artemis counts that against the
// message, and moves it to its own dead letters the third time here; hence the
// bound on what is prefetched. The others do not count.
func TestLostConnection(t *testing.T) {
	everywhere(t, func(t *testing.T, b services.Broker) {
		s, proxy := throughProxy(t, b)
		q := "retry." + newQueue()
		send(t, s, q, words("a")...)
		for range 3 {
			d := receive(t, receiver(t, dial(t, s), &stomp.Source{Destination: queue(q)}, 1))
			if string(d.Body) != "a" || d.Count != 0 {
				t.Errorf("got %q with Count %d, want a with 0: STOMP tells none", d.Body, d.Count)
			}
			proxy.Cut()
			proxy.Restore()
		}
		if b.Name != "artemis" {
			take(t, s, q, "a")
			return
		}
		wantEmpty(t, s, q)
	})
}

// nacked sends a NACK for the only message of a queue, and waits until the
// broker has processed it.
func nacked(t *testing.T, b services.Broker, q string) (again *gostomp.Message) {
	t.Helper()
	c := rawConn(t, b)
	t.Cleanup(func() { c.MustDisconnect() })
	sub, err := c.Subscribe("/queue/"+q, gostomp.AckClientIndividual)
	if err != nil {
		t.Fatal(err)
	}
	m := <-sub.C
	if m.Err != nil {
		t.Fatal(m.Err)
	}
	if err := c.Nack(m); err != nil {
		t.Fatal(err)
	}
	if b.Name == "rabbitmq" {
		return <-sub.C
	}
	if err := c.Disconnect(); err != nil {
		t.Fatal(err)
	}
	return nil
}

func TestArtemisForgetsWhatIsNacked(t *testing.T) {
	b := services.Artemis(t)
	s, q := settingsOf(b), "retry."+newQueue() // with a dead letter address
	send(t, s, q, words("a")...)
	nacked(t, b, q)
	wantEmpty(t, s, q)
}

func TestClassicBuriesWhatIsNacked(t *testing.T) {
	b := services.Classic(t)
	s, q := settingsOf(b), newQueue()
	send(t, s, q, words("a")...)
	nacked(t, b, q)
	wantEmpty(t, s, q)
	take(t, s, "DLQ."+q, "a")
}

func TestRabbitMQRepeatsWhatIsNacked(t *testing.T) {
	b := services.RabbitMQ(t)
	s, q := settingsOf(b), newQueue()
	send(t, s, q, words("a")...)
	if again := nacked(t, b, q); string(again.Body) != "a" || again.Header.Get("redelivered") != "true" {
		t.Errorf("got %q, %v, want a at once", again.Body, again.Header)
	}
}

// The same message has the same identity when it comes again over another
// connection: the broker's own, or the sender's where it gave one. RabbitMQ has
// none of its own.
func TestIdentityAcrossReconnect(t *testing.T) {
	everywhere(t, func(t *testing.T, b services.Broker) {
		s, proxy := throughProxy(t, b)
		q := newQueue()
		batch := words("broker's", "sender's")
		batch[1].ID = "id-1"
		send(t, s, q, batch...)
		var before []connections.Delivery
		for range 2 {
			r := receiver(t, dial(t, s), &stomp.Source{Destination: queue(q)}, 2)
			now := []connections.Delivery{receive(t, r), receive(t, r)}
			for i, d := range before {
				if now[i].Identity != d.Identity || now[i].ID != d.ID {
					t.Errorf("%s: got identity %q, id %v, want %q, %v as before", d.Body, now[i].Identity, now[i].ID, d.Identity, d.ID)
				}
			}
			if has := now[0].Identity != ""; has == (b.Name == "rabbitmq") {
				t.Errorf("got identity %q of the broker's", now[0].Identity)
			}
			if now[1].Identity != "id-1" || now[1].ID != "id-1" {
				t.Errorf("got identity %q, id %v, want the sender's id-1", now[1].Identity, now[1].ID)
			}
			before = now
			proxy.Cut()
			proxy.Restore()
		}
		take(t, s, q, "broker's")
		take(t, s, q, "sender's")
	})
}

// What a sender on Artemis puts into headers that the broker uses itself does
// not mislead us: the broker repeats them after, or for ack before, its own.
func TestFeignedHeaders(t *testing.T) {
	everywhere(t, func(t *testing.T, b services.Broker) {
		s, q := settingsOf(b), newQueue()
		c := rawConn(t, b)
		defer c.MustDisconnect()
		header := gostomp.SendOpt.Header
		err := c.Send("/queue/"+q, "", []byte("a"), gostomp.SendOpt.Receipt, header("ack", "evil"), header("subscription", "evil"), header("redelivered", "true"))
		if err != nil && strings.Contains(err.Error(), "Invalid header") {
			t.Skip("the broker refuses them")
		}
		if err != nil {
			t.Fatal(err)
		}
		take(t, s, q, "a")
		wantEmpty(t, s, q)
	})
}
