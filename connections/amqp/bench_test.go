package amqp_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	goamqp "github.com/Azure/go-amqp"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/connections/amqp"
	"github.com/fairlead/fairlead/framework"
	"github.com/fairlead/fairlead/test/services"
)

// The benchmarks compare the driver with a plain loop over go-amqp, turn by turn
// in one run, on persistent messages of 1 KiB and an Artemis of their own. "of-raw"
// is the driver's rate divided by the loop's, "cpu-of-raw" its processor time
// divided by the loop's.

const benchPrefetch = 100

// A duel is what both contestants took, for each turn.
type duel struct{ raw, driver spent }

type spent struct{ wall, cpu []time.Duration }

func (s *spent) measure(f func()) {
	wall, cpu := time.Now(), processorTime()
	f()
	s.wall = append(s.wall, time.Since(wall))
	s.cpu = append(s.cpu, processorTime()-cpu)
}

func processorTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// turns lets each go first every other time. The first turns, on a broker that has
// just been started, do not count.
func (d *duel) turns(b *testing.B, raw, driver func(*spent)) {
	for range 3 {
		raw(new(spent))
		driver(new(spent))
	}
	for n := 0; b.Loop(); n++ {
		if n%2 == 0 {
			raw(&d.raw)
			driver(&d.driver)
		} else {
			driver(&d.driver)
			raw(&d.raw)
		}
	}
}

// report compares the turns pair by pair and takes the median, since a machine
// that does other things, too, has outliers and moods.
func (d *duel) report(b *testing.B, messages int) {
	rate, cpu, speed := make([]float64, b.N), make([]float64, b.N), make([]float64, b.N)
	for i := range b.N {
		rate[i] = d.raw.wall[i].Seconds() / d.driver.wall[i].Seconds()
		cpu[i] = d.driver.cpu[i].Seconds() / d.raw.cpu[i].Seconds()
		speed[i] = float64(messages) / d.driver.wall[i].Seconds()
	}
	b.ReportMetric(median(rate), "of-raw")
	b.ReportMetric(median(cpu), "cpu-of-raw")
	b.ReportMetric(median(speed), "msg/s")
	b.ReportMetric(0, "ns/op")
}

func median(v []float64) float64 {
	slices.Sort(v)
	return v[len(v)/2]
}

func BenchmarkReceive(b *testing.B) {
	const messages = 1000
	broker := services.Private(b, "artemis").Broker
	queue := "q." + rand.Text()
	raw, driver := rawDial(b, broker), driverDial(b, broker)
	var d duel
	d.turns(b, func(s *spent) {
		fill(b, driver, queue, messages)
		receiveRaw(b, raw, queue, messages, s)
	}, func(s *spent) {
		fill(b, driver, queue, messages)
		receiveDriver(b, driver, queue, messages, s)
	})
	d.report(b, messages)
}

func receiveRaw(b *testing.B, conn *goamqp.Conn, queue string, messages int, s *spent) {
	session := check(conn.NewSession(b.Context(), nil))(b)
	defer session.Close(b.Context())
	link := check(session.NewReceiver(b.Context(), queue, &goamqp.ReceiverOptions{Credit: benchPrefetch, SourceCapabilities: []string{"queue"}}))(b)
	s.measure(func() {
		for range messages {
			m, err := link.Receive(b.Context(), nil)
			if err == nil {
				err = link.AcceptMessage(b.Context(), m)
			}
			if err != nil {
				b.Fatal(err)
			}
		}
	})
}

func receiveDriver(b *testing.B, conn connections.Conn, queue string, messages int, s *spent) {
	r := check(conn.Receiver(b.Context(), queueSource(queue), benchPrefetch))(b)
	defer r.Close()
	s.measure(func() {
		for range messages {
			d, err := r.Receive(b.Context())
			if err == nil {
				err = d.Settle(b.Context(), framework.Accept)
			}
			if err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkSend(b *testing.B) {
	for _, senders := range []int{1, 16} {
		b.Run(fmt.Sprintf("senders=%d", senders), func(b *testing.B) { benchmarkSend(b, senders) })
	}
}

// benchmarkSend sends one message at a time with each of several senders.
func benchmarkSend(b *testing.B, senders int) {
	const messages = 50 // of each sender in each turn
	broker := services.Private(b, "artemis").Broker
	raw, driver := rawDial(b, broker), driverDial(b, broker)
	queue := "q." + rand.Text()
	rawLinks, driverLinks := make([]*goamqp.Sender, senders), make([]connections.Sender, senders)
	for i := range senders {
		session := check(raw.NewSession(b.Context(), nil))(b)
		rawLinks[i] = check(session.NewSender(b.Context(), queue, &goamqp.SenderOptions{TargetCapabilities: []string{"queue"}}))(b)
		driverLinks[i] = check(driver.Sender(b.Context(), queueTarget(queue)))(b)
	}
	body := make([]byte, 1024)
	var d duel
	d.turns(b, func(s *spent) {
		s.measure(func() {
			eachOf(senders, messages, func(i int) error { return rawLinks[i].Send(b.Context(), rawMessage(body), nil) })
		})
		drain(b, driver, queue, senders*messages)
	}, func(s *spent) {
		s.measure(func() {
			eachOf(senders, messages, func(i int) error {
				return driverLinks[i].Send(b.Context(), []connections.Message{{Body: body}})[0]
			})
		})
		drain(b, driver, queue, senders*messages)
	})
	d.report(b, senders*messages)
}

// rawMessage is what the driver sends, made by hand.
func rawMessage(body []byte) *goamqp.Message {
	return &goamqp.Message{
		Header:      &goamqp.MessageHeader{Durable: true, Priority: 4},
		Annotations: goamqp.Annotations{"x-opt-jms-msg-type": int8(3)},
		Properties:  &goamqp.MessageProperties{MessageID: "ID:" + rand.Text(), CreationTime: new(time.Now())},
		Data:        [][]byte{body},
	}
}

// eachOf calls f times times on each of n goroutines.
func eachOf(n, times int, f func(i int) error) {
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			for range times {
				if err := f(i); err != nil {
					panic(err)
				}
			}
		})
	}
	wg.Wait()
}

func rawDial(b *testing.B, broker services.Broker) *goamqp.Conn {
	conn := check(goamqp.Dial(b.Context(), "amqp://"+broker.AMQP, &goamqp.ConnOptions{SASLType: goamqp.SASLTypePlain(broker.User, broker.Password)}))(b)
	b.Cleanup(func() { conn.Close() })
	return conn
}

func driverDial(b *testing.B, broker services.Broker) connections.Conn {
	dial := check(amqp.Driver().Open("bench", &amqp.Connection{URL: "amqp://" + broker.AMQP, User: broker.User, Password: broker.Password}))(b)
	conn := check(dial(b.Context()))(b)
	b.Cleanup(func() { conn.Close() })
	return conn
}

// fill sends queue with n messages of 1 KiB.
func fill(b *testing.B, conn connections.Conn, queue string, n int) {
	s := check(conn.Sender(b.Context(), queueTarget(queue)))(b)
	defer s.Close()
	batch := make([]connections.Message, 250)
	for i := range batch {
		batch[i].Body = make([]byte, 1024)
	}
	for ; n > 0; n -= len(batch) {
		for _, err := range s.Send(b.Context(), batch[:min(n, len(batch))]) {
			if err != nil {
				b.Fatal(err)
			}
		}
	}
}

func drain(b *testing.B, conn connections.Conn, queue string, n int) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	r := check(conn.Receiver(ctx, queueSource(queue), 1000))(b)
	defer r.Close()
	for range n {
		d := check(r.Receive(ctx))(b)
		if err := d.Settle(ctx, framework.Accept); err != nil {
			b.Fatal(err)
		}
	}
}
