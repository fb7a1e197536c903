//go:build mq && cgo

package mq

import (
	"fmt"
	"strings"
	"testing"

	"github.com/ibm-messaging/mq-golang/v5/ibmmq"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/connections/mq/mqi"
	"github.com/fairlead/fairlead/framework"
	"github.com/fairlead/fairlead/test/mqdouble"
)

// The benchmarks compare the driver with a bare loop of mq-golang on the same
// queue-manager double, at the same size of units of work. They say what the
// driver costs, and nothing about IBM MQ.

var sizes = []int{1, 50}

func benchOn(b *testing.B) bench {
	d := mqdouble.Start(b, config())
	c := settings()
	c.Address = d.Address
	return bench{d.Manager, Driver(), c}
}

// bare opens a queue with mq-golang alone.
func bare(b *testing.B, x bench, queue string) (*ibmmq.MQQueueManager, *ibmmq.MQObject) {
	b.Helper()
	qm, err := connectIBM(x.settings)
	if err != nil {
		b.Fatal(err)
	}
	od := ibmmq.NewMQOD()
	od.ObjectName = queue
	m := &qm.(*ibmQueueManager).qm
	o, err := m.Open(od, ibmmq.MQOO_INPUT_SHARED|ibmmq.MQOO_OUTPUT)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { m.Disc() })
	return m, &o
}

// fill puts n messages on a queue, as a JMS client would.
func fill(b *testing.B, x bench, queue string, n int) {
	b.Helper()
	m := connections.Message{Body: []byte(strings.Repeat("x", 1000)), Text: true, Header: map[string]any{"a": "b"}}
	e := mustEncode(b, &encoder{jms: true, to: address{queue: queue}}, m)
	for range n {
		md := e.MD
		if r := x.Put(queue, &md, e.Data); r.Code != mqi.MQCC_OK {
			b.Fatal(r)
		}
	}
}

func BenchmarkReceive(b *testing.B) {
	for _, size := range sizes {
		b.Run(fmt.Sprintf("bare/unit=%d", size), func(b *testing.B) {
			x := benchOn(b)
			qm, o := bare(b, x, "Q")
			fill(b, x, "Q", b.N)
			md, gmo, buf := ibmmq.NewMQMD(), ibmmq.NewMQGMO(), make([]byte, firstBuffer)
			b.ResetTimer()
			for i := range b.N {
				*md = *ibmmq.NewMQMD()
				gmo.Options, gmo.WaitInterval = getting, 1000
				if _, err := o.Get(md, gmo, buf); err != nil {
					b.Fatal(err)
				}
				if (i+1)%size == 0 {
					if err := qm.Cmit(); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
		b.Run(fmt.Sprintf("driver/unit=%d", size), func(b *testing.B) {
			x := benchOn(b)
			s := source("Q")
			s.Batch = size
			dial, err := x.driver.Open("bench", x.settings)
			if err != nil {
				b.Fatal(err)
			}
			conn, err := dial(b.Context())
			if err != nil {
				b.Fatal(err)
			}
			defer conn.Close()
			r, err := conn.Receiver(b.Context(), s, size)
			if err != nil {
				b.Fatal(err)
			}
			fill(b, x, "Q", b.N)
			b.ResetTimer()
			for range b.N {
				d, err := r.Receive(b.Context())
				if err != nil {
					b.Fatal(err)
				}
				if err := d.Settle(b.Context(), framework.Accept); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkSend(b *testing.B) {
	body := []byte(strings.Repeat("x", 1000))
	for _, size := range sizes {
		b.Run(fmt.Sprintf("bare/unit=%d", size), func(b *testing.B) {
			x := benchOn(b)
			qm, o := bare(b, x, "Q")
			e := mustEncode(b, &encoder{jms: true, to: address{queue: "Q"}}, connections.Message{Body: body, Text: true, Header: map[string]any{"a": "b"}})
			md, pmo := newMD(), ibmmq.NewMQPMO()
			b.ResetTimer()
			for i := range b.N {
				toIBM(md, &e.MD)
				pmo.Options = ibmmq.MQPMO_SYNCPOINT
				if err := o.Put(md, pmo, e.Data); err != nil {
					b.Fatal(err)
				}
				if (i+1)%size == 0 {
					if err := qm.Cmit(); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
		b.Run(fmt.Sprintf("driver/unit=%d", size), func(b *testing.B) {
			s := benchOn(b).sender(b, target("Q"))
			batch := make([]connections.Message, size)
			for i := range batch {
				batch[i] = connections.Message{Body: body, Text: true, Header: map[string]any{"a": "b"}}
			}
			b.ResetTimer()
			for i := 0; i < b.N; i += size {
				for _, err := range s.Send(b.Context(), batch) {
					if err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}
