package connectiontest

import (
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/fairlead/fairlead/connections"
)

func fieldPromises() []promise {
	return []promise{{
		name:   "message id",
		text:   "an id that the sender sets arrives, and is the message's identity",
		unless: func(s *Subject) string { return cannot(s.Cannot.KeepID, "keep a sender's id") },
		check: func(e *env) {
			m := text("a")
			m.ID = "id-1"
			if d := e.roundTrip(m); d.ID != m.ID || !strings.Contains(d.Identity, "id-1") && !e.subject.Cannot.KeepIdentity {
				e.fail("got id %#v and identity %q, want %q and one with it", d.ID, d.Identity, m.ID)
			}
		},
	}, {
		name: "correlation id",
		text: "a correlation id arrives",
		check: func(e *env) {
			m := text("a")
			m.CorrelationID = "c-1"
			if d := e.roundTrip(m); d.CorrelationID != m.CorrelationID {
				e.fail("got correlation id %#v, want %q", d.CorrelationID, m.CorrelationID)
			}
		},
	}, {
		name:  "request and reply",
		text:  "an answer sent to a request's ReplyTo, with its Correlate as CorrelationID, gets to the requester",
		check: checkRequestReply,
	}, {
		name:   "key",
		text:   "the key of messages that stay in order arrives",
		unless: func(s *Subject) string { return cannot(s.Cannot.KeepKey, "group messages") },
		check: func(e *env) {
			m := text("a")
			m.Key = "customer-1"
			if d := e.roundTrip(m); d.Key != m.Key {
				e.fail("got key %q, want %q", d.Key, m.Key)
			}
		},
	}, {
		name:   "priority",
		text:   "a message's priority arrives",
		unless: func(s *Subject) string { return cannot(s.Cannot.KeepPriority, "tell the priority") },
		check: func(e *env) {
			m := text("a")
			m.Priority = new(7)
			if d := e.roundTrip(m); d.Priority == nil || *d.Priority != 7 {
				e.fail("got priority %v, want 7", d.Priority)
			}
		},
	}, {
		name:   "time",
		text:   "a message says when it was sent",
		unless: func(s *Subject) string { return cannot(s.Cannot.KeepTime, "tell the time") },
		check: func(e *env) {
			sent := time.Now()
			if d := e.roundTrip(text("a")); d.Time.Sub(sent).Abs() > time.Minute {
				e.fail("got time %v, want one near %v", d.Time, sent)
			}
		},
	}}
}

func checkRequestReply(e *env) {
	replies := e.newQueue()
	requester := e.receiver(replies)
	request := text("question")
	request.ReplyTo = replies
	if e.subject.ReplyTo != nil {
		request.ReplyTo = e.subject.ReplyTo(replies)
	}
	e.sendTo(e.queue, request)
	d := e.accept(e.receiver(e.queue), "question")
	if d.Correlate == nil {
		e.fail("got no Correlate")
	}
	target := e.subject.Driver.Target()
	target.(connections.Addressed).SetAddress(d.ReplyTo, true)
	s, err := e.dial().Sender(e.ctx, target)
	e.must(fmt.Sprintf("sender to ReplyTo %q", d.ReplyTo), err)
	answer := text("answer")
	answer.CorrelationID = d.Correlate
	e.send(s, answer)
	if got := e.accept(requester, "answer"); !reflect.DeepEqual(got.CorrelationID, d.Correlate) {
		e.fail("got correlation id %#v, want the request's Correlate %#v", got.CorrelationID, d.Correlate)
	}
}
