package amqp_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/connections/amqp"
	"github.com/fairlead/fairlead/framework"
	"github.com/fairlead/fairlead/test/services"
)

// Browsing shows messages in order, and takes and counts nothing.
func TestBrowse(t *testing.T) {
	eachBroker(t, func(t *testing.T, broker services.Broker) {
		conn, queue := dial(t, settings(broker)), newQueue()
		var batch []connections.Message
		for i := range 20 {
			m := text(fmt.Sprint(i))
			m.Header = map[string]any{"even": i%2 == 0}
			batch = append(batch, m)
		}
		send(t, conn, queueTarget(queue), batch...)
		selected := queueSource(queue)
		selected.Selector = "even = TRUE"
		for _, tt := range []struct {
			source      *amqp.Source
			limit, want int
			step        int
		}{
			{queueSource(queue), 5, 5, 1}, {queueSource(queue), 100, 20, 1}, {selected, 100, 10, 2}, {queueSource(queue), 0, 0, 1}, {queueSource(newQueue()), 5, 0, 1},
		} {
			got := check(conn.(connections.Browser).Browse(within(t), tt.source, tt.limit))(t)
			if len(got) != tt.want {
				t.Fatalf("limit %d, selector %q: got %d messages, want %d", tt.limit, tt.source.Selector, len(got), tt.want)
			}
			for i, m := range got {
				if string(m.Body) != fmt.Sprint(i*tt.step) {
					t.Errorf("limit %d: got %q as message %d, want %d", tt.limit, m.Body, i, i*tt.step)
				}
			}
		}
		r := receiver(t, conn, queueSource(queue), 5)
		for i := range 20 {
			if d := take(t, r, fmt.Sprint(i)); d.Count != 0 {
				t.Errorf("message %d: got Count %d after browsing, want 0", i, d.Count)
			}
		}
		nothing(t, r)
		if _, err := conn.(connections.Browser).Browse(within(t), topicSource(newTopic(broker), "", false), 1); err == nil {
			t.Error("a topic: got no error, want one")
		}
	})
}

// What somebody holds is still in the queue, and may be shown.
func TestBrowseBesideReceiver(t *testing.T) {
	broker := services.Artemis(t)
	conn, queue := dial(t, settings(broker)), newQueue()
	send(t, conn, queueTarget(queue), text("held"), text("free"))
	d := receive(t, receiver(t, conn, queueSource(queue), 1))
	got := check(conn.(connections.Browser).Browse(within(t), queueSource(queue), 10))(t)
	if len(got) == 0 || string(got[len(got)-1].Body) != "free" {
		t.Errorf("got %d messages, want the one that is free as the last", len(got))
	}
	settle(t, d, framework.Accept)
}

func TestDepth(t *testing.T) {
	broker := services.Artemis(t)
	c := settings(broker)
	queue := newQueue()
	send(t, dial(t, c), queueTarget(queue), text("1"), text("2"), text("3"))
	_, err := dial(t, c).(connections.Gauge).Depth(within(t), queueSource(queue))
	if err == nil || errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("without permission: got error %v, want the broker's", err)
	}
	c.User, c.Password = "admin", "adminpw"
	admin := dial(t, c).(connections.Gauge)
	if depth := check(admin.Depth(within(t), queueSource(queue)))(t); depth != 3 {
		t.Errorf("got depth %d, want 3", depth)
	}
	if depth, err := admin.Depth(within(t), queueSource(newQueue())); err == nil {
		t.Errorf("no such queue: got depth %d, want an error", depth)
	}
	for _, other := range []services.Broker{services.Classic(t), services.BrokerJ(t)} {
		_, err := dial(t, settings(other)).(connections.Gauge).Depth(within(t), queueSource(queue))
		wantError(t, err, errors.ErrUnsupported)
	}
}
