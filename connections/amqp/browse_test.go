package amqp_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

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
			source            *amqp.Source
			skip, limit, want int
			step              int
		}{
			{queueSource(queue), 0, 5, 5, 1}, {queueSource(queue), 0, 100, 20, 1}, {selected, 0, 100, 10, 2}, {queueSource(queue), 0, 0, 0, 1}, {queueSource(newQueue()), 0, 5, 0, 1},
			{queueSource(queue), 7, 5, 5, 1}, {queueSource(queue), 15, 100, 5, 1}, {queueSource(queue), 20, 5, 0, 1}, {selected, 9, 5, 1, 2},
		} {
			got := check(conn.(connections.Browser).Browse(within(t), tt.source, tt.skip, tt.limit))(t)
			if len(got) != tt.want {
				t.Fatalf("skip %d, limit %d, selector %q: got %d messages, want %d", tt.skip, tt.limit, tt.source.Selector, len(got), tt.want)
			}
			for i, m := range got {
				if want := fmt.Sprint((tt.skip + i) * tt.step); string(m.Body) != want {
					t.Errorf("skip %d, limit %d: got %q as message %d, want %s", tt.skip, tt.limit, m.Body, i, want)
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
		if _, err := conn.(connections.Browser).Browse(within(t), topicSource(newTopic(broker), "", false), 0, 1); err == nil {
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
	got := check(conn.(connections.Browser).Browse(within(t), queueSource(queue), 0, 10))(t)
	if len(got) == 0 || string(got[len(got)-1].Body) != "free" {
		t.Errorf("got %d messages, want the one that is free as the last", len(got))
	}
	settle(t, d, framework.Accept)
}

// Each broker says how much waits, what somebody holds included, and takes nothing.
func TestDepth(t *testing.T) {
	for name, find := range map[string]func(testing.TB) services.Broker{
		"artemis": services.Artemis,
		"classic": func(t testing.TB) services.Broker { return services.Private(t, "classic").Broker }, // the shared one may be older than its plugin
		"brokerj": services.BrokerJ,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			broker := find(t)
			c := settings(broker)
			if name == "artemis" {
				c.User, c.Password = "admin", "adminpw"
			}
			conn, queue := dial(t, c), newQueue()
			gauge := conn.(connections.Gauge)
			for range 2 { // the connection can still be used
				depth, err := gauge.Depth(within(t), queueSource(queue))
				if depth != 0 || !errors.Is(err, connections.ErrNoQueue) {
					t.Errorf("no such queue: got depth %d, error %v; want ErrNoQueue", depth, err)
				}
			}
			send(t, conn, queueTarget(queue), text("1"), text("2"), text("3"))
			held := receive(t, receiver(t, dial(t, settings(broker)), queueSource(queue), 1))
			for range 2 {
				if depth := check(gauge.Depth(within(t), queueSource(queue)))(t); depth != 3 {
					t.Errorf("got depth %d, want 3", depth)
				}
			}
			if name == "artemis" {
				if depth := check(gauge.Depth(within(t), queueSource(queue+"::"+queue)))(t); depth != 3 {
					t.Errorf("by address and queue: got depth %d, want 3", depth)
				}
			}
			settle(t, held, framework.Accept)
			for ctx := within(t); check(gauge.Depth(ctx, queueSource(queue)))(t) != 2; { // the broker is told, and answers nothing
				time.Sleep(10 * time.Millisecond)
			}
			_, err := gauge.Depth(within(t), topicSource(newTopic(broker), "", false))
			if _, ok := errors.AsType[*connections.SettingError](err); !ok {
				t.Errorf("a topic: got error %v, want a SettingError", err)
			}
		})
	}
}

// A broker that does not tell says why.
func TestNoDepth(t *testing.T) {
	_, err := dial(t, settings(services.Artemis(t))).(connections.Gauge).Depth(within(t), queueSource(newQueue()))
	if err == nil || errors.Is(err, errors.ErrUnsupported) || !strings.Contains(err.Error(), "needs the permission manage") {
		t.Errorf("without permission: got error %v, want the broker's", err)
	}
	_, err = dial(t, startPeer(t)).(connections.Gauge).Depth(within(t), queueSource("q"))
	wantError(t, err, errors.ErrUnsupported)
	if !strings.HasSuffix(err.Error(), "depth of q over test: unsupported operation: the broker does not tell by AMQP") {
		t.Errorf("got error %v, want one that says why", err)
	}
	_, err = dial(t, settings(services.Classic(t))).(connections.Gauge).Depth(within(t), queueSource("a.*"))
	if _, ok := errors.AsType[*connections.SettingError](err); !ok {
		t.Errorf("a pattern: got error %v, want a SettingError", err)
	}
}
