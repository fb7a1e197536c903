package mq

import (
	"fmt"
	"testing"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/connections/mq/mqi"
	"github.com/fairlead/fairlead/connections/mq/rfh2"
	"github.com/fairlead/fairlead/test/mqdouble/engine"
)

// answer sends an answer to d's requester, over a connection with jms: true.
func answer(t *testing.T, b bench, d connections.Delivery) {
	t.Helper()
	to := new(Target)
	to.SetAddress(d.ReplyTo, true)
	m := connections.Message{Body: []byte("answer"), Text: true, CorrelationID: d.Correlate, Header: map[string]any{"k": "v"}}
	if err := b.sender(t, to).Send(t.Context(), []connections.Message{m})[0]; err != nil {
		t.Fatal(err)
	}
}

// TestReplyLikeRequest answers with an MQRFH2 whoever sent one, and nobody else.
func TestReplyLikeRequest(t *testing.T) {
	for name, test := range map[string]struct {
		jms    bool
		format string
	}{
		"a JMS client": {true, rfh2.FormatRFH2},
		"another":      {false, rfh2.FormatString},
	} {
		t.Run(name, func(t *testing.T) {
			onBoth(t, config(), func(t *testing.T, b bench) {
				queue := queueName()
				requester := *b.settings
				requester.JMS = test.jms
				request := connections.Message{Body: []byte("question"), Text: true, ReplyTo: queue + ".ANSWERS"}
				s := bench{b.Manager, b.driver, &requester}.sender(t, target(queue))
				if err := s.Send(t.Context(), []connections.Message{request})[0]; err != nil {
					t.Fatal(err)
				}
				answer(t, b, receive(t, b.receiver(t, source(queue))))
				got := b.Messages(queue + ".ANSWERS")
				if len(got) != 1 || got[0].MD.Format != test.format || got[0].MD.MsgType != mqi.MQMT_REPLY {
					t.Errorf("got %+v, want one reply of format %s", got, test.format)
				}
			})
		})
	}
}

// TestReplyToTemporaryQueue answers on a queue that takes no persistent messages,
// as a JMS client's temporary queue is.
func TestReplyToTemporaryQueue(t *testing.T) {
	onBoth(t, config(), func(t *testing.T, b bench) {
		b.Define("MODEL", engine.Attributes{Model: true})
		requester, r := b.Connect(engine.Login{User: b.settings.User, Password: b.settings.Password, Channel: b.settings.Channel})
		if r.Code != mqi.MQCC_OK {
			t.Fatal(r)
		}
		od := engine.OD{Type: mqi.MQOT_Q, Name: "MODEL", DynamicName: "AMQ.*"}
		if _, r := requester.Open(&od, mqi.MQOO_INPUT_SHARED); r.Code != mqi.MQCC_OK {
			t.Fatal(r)
		}
		answer(t, b, connections.Delivery{Message: connections.Message{ReplyTo: "queue:///" + od.Name}})
		got := b.Messages(od.Name)
		if len(got) != 1 || got[0].MD.Persistence != mqi.MQPER_NOT_PERSISTENT {
			t.Errorf("got %+v, want one message that is not persistent", got)
		}
	})
}

// TestManyRequesters answers on many queues, over the handles of one requester.
func TestManyRequesters(t *testing.T) {
	onBoth(t, config(), func(t *testing.T, b bench) {
		conn, queue := b.dial(t), queueName()
		before := b.Handles()
		for i := range 20 {
			to := target(fmt.Sprint("queue:///", queue, ".", i))
			to.Native = true
			s, err := conn.Sender(t.Context(), to)
			if err != nil {
				t.Fatal(err)
			}
			send(t, s, "answer")
			wantDepth(t, b, fmt.Sprint(queue, ".", i), 1)
		}
		if got := b.Handles(); got != before {
			t.Errorf("got %d connection handles, want %d as before", got, before)
		}
	})
}
