package amqp_test

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/framework"
	"github.com/fairlead/fairlead/test/services"
)

// A queue that is deleted ends the link and leaves the connection alive: nobody
// but the receiver can notice.
func TestQueueDeleted(t *testing.T) {
	broker := services.Artemis(t)
	conn, queue := dial(t, settings(broker)), newQueue()
	r := receiver(t, conn, queueSource(queue), 5)
	lost := make(chan error, 1)
	go func() {
		_, err := r.Receive(within(t))
		lost <- err
	}()
	manage(t, broker, "destroyQueue", queue, true, true)
	wantError(t, <-lost, connections.ErrConnLost)
	select {
	case <-conn.(connections.Watched).Done():
		t.Error("the connection is lost, want only the link")
	default:
	}
	take := receiver(t, conn, queueSource(queue), 5) // it can be made again
	nothing(t, take)
}

// After the link is gone, what it brought cannot be settled, so it is not given
// to a function.
func TestNothingStaleAfterLoss(t *testing.T) {
	broker := services.Artemis(t)
	conn, queue := dial(t, settings(broker)), newQueue()
	send(t, conn, queueTarget(queue), text("a"), text("b"), text("c"))
	r := receiver(t, conn, queueSource(queue), 5)
	d := receive(t, r)
	manage(t, broker, "destroyQueue", queue, true, true)
	var err error
	for err == nil { // until the detach has come, between any two steps
		if err = d.Settle(within(t), framework.Accept); err == nil {
			d, err = r.Receive(within(t))
		}
	}
	wantError(t, err, connections.ErrConnLost)
	_, err = r.Receive(within(t))
	wantError(t, err, connections.ErrConnLost)
}

// Nothing passes any more, and TCP does not know.
func TestBlackHole(t *testing.T) {
	broker := services.Artemis(t)
	proxy := services.Proxy(t, broker.AMQP)
	c := settings(broker)
	c.URL, c.IdleTimeout = "amqp://"+proxy.Addr, 2*time.Second
	conn, queue := dial(t, c), newQueue()
	r := receiver(t, conn, queueSource(queue), 5)
	s := check(conn.Sender(within(t), queueTarget(queue)))(t)

	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second) // the heart-beats go on for longer than idleTimeout
	defer cancel()
	if _, err := r.Receive(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("got error %v from an idle connection, want it to live on", err)
	}

	proxy.BlackHole()
	begin := time.Now()
	sent := make(chan error, 1)
	go func() { sent <- s.Send(within(t), []connections.Message{text("a")})[0] }()
	wantError(t, receiveError(t, r), connections.ErrConnLost)
	wantError(t, <-sent, connections.ErrConnLost)
	<-conn.(connections.Watched).Done()
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("it took %v to notice, want about 2s", took)
	}
	begin = time.Now()
	if err := conn.Close(); err != nil || time.Since(begin) > time.Second {
		t.Errorf("close took %v and got error %v, want it at once", time.Since(begin), err)
	}
}

// A broker that dies is there again after the next Dial, with all that it confirmed.
func TestBrokerKilled(t *testing.T) {
	broker := services.Private(t, "artemis")
	c := settings(broker.Broker)
	conn, queue := dial(t, c), newQueue()
	r := receiver(t, conn, queueSource(queue), 5)
	send(t, conn, queueTarget(queue), text("a"))
	d := receive(t, r)

	broker.Kill()
	wantError(t, receiveError(t, r), connections.ErrConnLost)
	wantError(t, d.Settle(within(t), framework.Accept), connections.ErrConnLost)
	<-conn.(connections.Watched).Done()
	if _, err := tryDial(t, c); err == nil || errors.Is(err, connections.ErrRefused) {
		t.Errorf("dial while it is down: got error %v, want one that is not ErrRefused", err)
	}
	broker.Start()
	take(t, receiver(t, dial(t, c), queueSource(queue), 5), "a")
}

// A message of many frames arrives whole, past the guard.
func TestBigMessage(t *testing.T) {
	eachBroker(t, func(t *testing.T, broker services.Broker) {
		conn, queue := dial(t, settings(broker)), newQueue()
		body := bytes.Repeat([]byte("0123456789abcdef"), 10<<20/16)
		send(t, conn, queueTarget(queue), connections.Message{Body: body}, text("next"))
		r := receiver(t, conn, queueSource(queue), 2)
		d := receive(t, r)
		if !bytes.Equal(d.Body, body) {
			t.Errorf("got %d bytes, want the %d that were sent", len(d.Body), len(body))
		}
		settle(t, d, framework.Accept)
		take(t, r, "next")
	})
}

// The broker itself says that no more than prefetch messages are unsettled.
func TestPrefetchAtTheBroker(t *testing.T) {
	const prefetch = 7
	broker := services.Artemis(t)
	conn, queue := dial(t, settings(broker)), newQueue()
	send(t, conn, queueTarget(queue), make([]connections.Message, 100)...)
	r := receiver(t, conn, queueSource(queue), prefetch)
	var held []connections.Delivery
	for i := range 90 {
		held = append(held, receive(t, r))
		if i%10 == 0 {
			if n := delivering(t, broker, queue); n > prefetch {
				t.Fatalf("after %d messages: %d are unsettled, want at most %d", i, n, prefetch)
			}
		}
		for len(held) > i%prefetch { // so many are kept for longer, in any order
			settle(t, held[len(held)/2], framework.Accept)
			held = append(held[:len(held)/2], held[len(held)/2+1:]...)
		}
	}
}
