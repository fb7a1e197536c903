package amqp_test

import (
	"crypto/rand"
	"errors"
	"testing"
	"time"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/connections/amqp"
	"github.com/fairlead/fairlead/framework"
	"github.com/fairlead/fairlead/test/services"
)

// newTopic returns the name of a topic; on Broker-J that is a routing key of an exchange.
func newTopic(broker services.Broker) string {
	if broker.Name == "brokerj" {
		return "amq.topic/" + rand.Text()
	}
	return "topic." + rand.Text()
}

func topicTarget(name string) *amqp.Target {
	return &amqp.Target{Destination: connections.Destination{Topic: name}}
}

func topicSource(name, subscription string, shared bool) *amqp.Source {
	return &amqp.Source{Destination: connections.Destination{Topic: name}, Subscription: subscription, Shared: shared}
}

// A durable subscription belongs to the container id, not to the connection, and
// outlives receivers and connections.
func TestDurableSubscription(t *testing.T) {
	eachBroker(t, func(t *testing.T, broker services.Broker) {
		c, topic := settings(broker), newTopic(broker)
		c.ContainerID = "c-" + rand.Text()
		source := topicSource(topic, "prices", false)
		conn := dial(t, c)
		r := receiver(t, conn, source, 5)
		send(t, dial(t, c), topicTarget(topic), text("1"), text("2"))
		take(t, r, "1")
		r.Close()
		send(t, conn, topicTarget(topic), text("3"))
		r = receiver(t, conn, source, 5)
		take(t, r, "2")
		conn.Close()
		send(t, dial(t, c), topicTarget(topic), text("4"))
		r = receiver(t, dial(t, c), source, 5)
		take(t, r, "3")
		take(t, r, "4")
		nothing(t, r)
	})
}

// Two triggers of one connection have two subscriptions, each on a connection of
// its own, because Classic lets nobody in with a container id that is in use.
func TestTwoDurableSubscriptions(t *testing.T) {
	eachBroker(t, func(t *testing.T, broker services.Broker) {
		c, topic := settings(broker), newTopic(broker)
		c.ContainerID = "c-" + rand.Text()
		first := receiver(t, dial(t, c), topicSource(topic, "first", false), 5)
		second := receiver(t, dial(t, c), topicSource(topic, "second", false), 5)
		send(t, dial(t, c), topicTarget(topic), text("m"))
		take(t, first, "m")
		take(t, second, "m")
	})
}

// While one receiver holds a subscription, the others stand by.
func TestStandby(t *testing.T) {
	for _, find := range []func(testing.TB) services.Broker{services.Artemis, services.Classic} {
		broker := find(t)
		t.Run(broker.Name, func(t *testing.T) {
			c, topic := settings(broker), newTopic(broker)
			c.ContainerID = "c-" + rand.Text()
			source := topicSource(topic, "s", false)
			held, other := receiver(t, dial(t, c), source, 5), dial(t, c)
			_, err := other.Receiver(within(t), source, 5)
			wantError(t, err, connections.ErrStandby)
			if errors.Is(err, connections.ErrConnLost) || errors.Is(err, connections.ErrRefused) {
				t.Errorf("got error %v, want only ErrStandby", err)
			}
			held.Close()
			eventually(t, func() error { _, err := other.Receiver(within(t), source, 5); return err })
		})
	}
}

// Broker-J lets the second take it from the first, as the standard says. The
// first learns that it is another's now, so that they do not take turns.
func TestStolen(t *testing.T) {
	broker := services.BrokerJ(t)
	c, topic := settings(broker), newTopic(broker)
	c.ContainerID = "c-" + rand.Text()
	source := topicSource(topic, "s", false)
	first := receiver(t, dial(t, c), source, 5)
	second := receiver(t, dial(t, c), source, 5)
	err := receiveError(t, first)
	wantError(t, err, connections.ErrConnLost)
	wantError(t, err, connections.ErrStandby)
	send(t, dial(t, c), topicTarget(topic), text("m"))
	take(t, second, "m")
}

func TestSharedSubscription(t *testing.T) {
	for _, find := range []func(testing.TB) services.Broker{services.Artemis, services.BrokerJ} {
		broker := find(t)
		t.Run(broker.Name, func(t *testing.T) {
			c, topic := settings(broker), newTopic(broker)
			source := topicSource(topic, "shared-"+rand.Text(), true)
			both := []connections.Receiver{receiver(t, dial(t, c), source, 1), receiver(t, dial(t, c), source, 1)}
			sender := dial(t, c)
			send(t, sender, topicTarget(topic), text("a"), text("b"))
			seen := make(map[string]bool)
			for _, r := range both { // each can take one, and has to settle it before the next
				d := receive(t, r)
				seen[string(d.Body)] = true
				settle(t, d, framework.Accept)
			}
			if len(seen) != 2 {
				t.Errorf("got %v, want both messages", seen)
			}
			both[0].Close()
			both[1].Close()
			send(t, sender, topicTarget(topic), text("while away"))
			take(t, receiver(t, dial(t, c), source, 1), "while away") // by another container id
		})
	}
	t.Run("classic", func(t *testing.T) { // it would make one subscription for each replica, for ever
		broker := services.Classic(t)
		_, err := dial(t, settings(broker)).Receiver(within(t), topicSource(newTopic(broker), "s", true), 1)
		wantError(t, err, connections.ErrRefused)
	})
}

func TestSelector(t *testing.T) {
	eachBroker(t, func(t *testing.T, broker services.Broker) {
		conn, queue := dial(t, settings(broker)), newQueue()
		var batch []connections.Message
		for _, colour := range []string{"red", "blue", "red"} {
			m := text(colour)
			m.Header = map[string]any{"colour": colour, "n": int32(5)}
			batch = append(batch, m)
		}
		send(t, conn, queueTarget(queue), batch...)
		source := queueSource(queue)
		source.Selector = "colour = 'blue' AND n > 4"
		r := receiver(t, conn, source, 5)
		take(t, r, "blue")
		nothing(t, r)

		source.Selector = "colour = = 'blue'"
		_, err := conn.Receiver(within(t), source, 5)
		if err == nil || errors.Is(err, connections.ErrConnLost) {
			t.Errorf("wrong selector: got error %v, want one that leaves the connection alone", err)
		}
	})
}

// eventually tries until there is no error.
func eventually(t *testing.T, f func() error) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	ctx := within(t)
	for {
		err := f()
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatal(err)
		}
	}
}
