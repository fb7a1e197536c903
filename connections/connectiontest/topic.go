package connectiontest

import (
	"errors"
	"fmt"
	"time"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/framework"
)

func topicPromises() []promise {
	return []promise{{
		name:   "topic",
		text:   "every live subscriber of a topic gets every message, and none that was sent before it came",
		unless: (*Subject).topicless,
		check:  checkTopic,
	}, {
		name:   "topic without subscribers",
		text:   "sending to a topic that nobody subscribes to is not an error",
		unless: (*Subject).topicless,
		check:  func(e *env) { e.sendTo(e.newTopic(), text("a")) },
	}, {
		name:   "durable subscription",
		text:   "a durable subscription keeps what is sent while nobody receives from it",
		unless: (*Subject).durableless,
		check:  checkDurable,
	}, {
		name:   "durable subscription gives back",
		text:   "what a receiver of a durable subscription leaves unsettled is delivered to the next",
		unless: (*Subject).durableless,
		check:  checkDurableGivesBack,
	}, {
		name:   "durable subscription survives",
		text:   "a durable subscription keeps what is sent after its receiver's connection broke",
		unless: (*Subject).durableless,
		breaks: true,
		check:  checkDurableSurvives,
	}, {
		name:   "exclusive subscription",
		text:   "a subscription that another receiver holds is ErrStandby, and can be had once that one is gone",
		unless: (*Subject).exclusiveless,
		check:  checkExclusive,
	}}
}

func (s *Subject) topicless() string { return unless(s.Topic != nil, "the broker has no topics") }

func (s *Subject) durableless() string {
	return unless(s.Topic != nil && s.Durable != nil, "the broker has no durable subscriptions")
}

func checkTopic(e *env) {
	topic := e.newTopic()
	s := e.sender(topic)
	e.send(s, text("too early"))
	first, second := e.receiver(topic), e.receiver(topic)
	e.send(s, numbered(5)...)
	for _, in := range []inbox{first, second} {
		for i := range 5 {
			e.accept(in, fmt.Sprint(i))
		}
	}
	e.must("close", first.Close())
	e.send(s, text("later"))
	e.accept(second, "later")
	e.nothing(second, "every message has come")
}

func (s *Subject) exclusiveless() string {
	return unless(s.Topic != nil && s.Exclusive != nil, "the broker has no exclusive subscriptions")
}

// durable subscribes over a Conn of its own.
func (e *env) durable(topic, subscription string) inbox {
	return e.subscribe(topic, func() (connection, source any) { return e.subject.Durable(subscription) })
}

// subscribe waits while another, which may just have ended, holds the subscription.
func (e *env) subscribe(topic string, settings func() (connection, source any)) inbox {
	start := time.Now()
	for {
		connection, source := settings()
		in, err := e.trySubscribe(topic, connection, source)
		if err == nil {
			return in
		}
		if !errors.Is(err, connections.ErrStandby) || time.Since(start) > arrival {
			e.fail("subscribe: %v", err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// trySubscribe subscribes to a topic over a Conn of its own, which is closed if
// that is not to be had.
func (e *env) trySubscribe(topic string, connection, source any) (inbox, error) {
	if connection == nil {
		connection = e.subject.Connection
	}
	conn, err := e.tryDial(connection)
	if err != nil {
		return inbox{}, err
	}
	r, err := conn.Receiver(e.ctx, addressed(source, topic), e.prefetch())
	if err != nil {
		conn.Close()
		return inbox{}, err
	}
	return inbox{r, conn, source}, nil
}

// leave ends a receiver and its Conn, but not its subscription.
func (e *env) leave(in inbox) {
	e.must("close the receiver", in.Close())
	e.must("close the conn", in.conn.Close())
}

func checkDurable(e *env) {
	topic := e.newTopic()
	name := "sub-" + e.queue
	s := e.sender(topic)
	in := e.durable(topic, name)
	e.send(s, text("present"))
	e.accept(in, "present")
	e.leave(in)
	e.send(s, text("away 1"), text("away 2"))
	in = e.durable(topic, name)
	e.accept(in, "away 1")
	e.accept(in, "away 2")
	e.nothing(in, "every message was accepted")
}

func checkDurableGivesBack(e *env) {
	topic := e.newTopic()
	name := "sub-" + e.queue
	in := e.durable(topic, name)
	e.sendTo(topic, text("a"), text("b"))
	e.settle(e.receive(in), framework.Accept)
	e.receive(in) // and not settled
	e.leave(in)
	in = e.durable(topic, name)
	e.accept(in, "b")
	e.nothing(in, "every message was accepted")
}

func checkDurableSurvives(e *env) {
	topic := e.newTopic()
	name := "sub-" + e.queue
	e.durable(topic, name)
	e.breakAll()
	e.sendTo(topic, text("away"))
	in := e.durable(topic, name)
	e.accept(in, "away")
	e.nothing(in, "every message was accepted")
}

func checkExclusive(e *env) {
	topic, name := e.newTopic(), "one-"+e.queue
	settings := func() (connection, source any) { return e.subject.Exclusive(name) }
	first := e.subscribe(topic, settings)
	connection, source := settings()
	if _, err := e.trySubscribe(topic, connection, source); !errors.Is(err, connections.ErrStandby) {
		e.fail("subscribe to what another holds: got error %v, want ErrStandby", err)
	}
	e.sendTo(topic, text("a"))
	e.accept(first, "a")
	e.leave(first)
	second := e.subscribe(topic, settings)
	e.sendTo(topic, text("b"))
	e.accept(second, "b")
}
