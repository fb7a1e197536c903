// Package stomp talks STOMP 1.0, 1.1 and 1.2 to brokers such as ActiveMQ
// Artemis, ActiveMQ Classic and RabbitMQ, and to the development broker below.
//
// # Why not go-stomp's Conn
//
// Frames are go-stomp's frame.Frame; the connection around them is our own
// (link), because these promises cannot be kept with stomp.Conn:
//
//   - Whoever is lost, is told. Acks of several goroutines while the broker
//     sends an ERROR or hangs up block each other and the connection's own
//     goroutine for ever, and closing the net.Conn does not free them.
//   - A password may hold any character. In CONNECT, too, a colon is written
//     \c, which Artemis does not undo: the password is wrong.
//   - STOMP 1.0 has no escapes, but they are written and removed there.
//   - What a frame claims is not allocated.
//   - A message is confirmed only if the broker has it. A transaction's COMMIT
//     gets its receipt on Artemis and RabbitMQ although a SEND in it was
//     refused, so every SEND needs its own, and stomp.Conn waits for one at a
//     time.
//   - A broker that offers no heart-beat is not lost for want of it.
//
// # Connections
//
// Each Receiver and each Sender has a TCP connection of its own, so that an
// ERROR, which is the end of one, is nobody else's business; the first gets the
// one that Dial made. A Sender whose message is refused opens another one.
//
// A durable subscription belongs to a client id: its Receiver connects as
// "CLIENTID.SUBSCRIPTION". All other connections have no client id.
//
// # Outcomes
//
// Accept is an ACK, without a receipt: if the connection dies right after it,
// the message is delivered again. STOMP cannot give back a single message: what
// is released or modified stays with the Receiver, and takes room of its
// prefetch, until that is closed. NACK is never sent: Artemis forgets the
// message, Classic moves it to its own dead letters and RabbitMQ delivers it
// again at once. Reject sends the message to the queue NAME.DLQ, and
// acknowledges it once the broker has it there.
//
// # Prefetch
//
// Classic and RabbitMQ count messages (activemq.prefetchSize, prefetch-count).
// Artemis counts bytes: it delivers as long as the frames that are not
// acknowledged have fewer bytes than consumer-window-size, which is
// [WindowPerMessage] times the prefetch. So, with messages of 1 KiB, about
// prefetch of them are with a Receiver; of larger ones fewer, but always one; of
// tiny ones up to six times as many. Receive lets no more than prefetch out, but
// what lies here is counted as delivered when the connection is lost. A trigger
// whose many workers have too little to do, because its messages are large, needs
// a larger prefetch, or consumer-window-size among its headers.
//
// (One consumer with a window of 1 gets one message at a time, so many consumers
// would be an exact bound, just as fast. But when a connection is lost, Artemis
// 2.44 can, by a race, keep back one message for each of its consumers until it
// is restarted. That was seen in 1 of 300 losses with one consumer, and in 20 of
// 300 with more.)
//
// A broker that delivers more than it was asked for is read no further until
// there is room. Heart-beats go on meanwhile.
package stomp

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/connections/stomp/broker"
)

// Driver returns the driver for connections of type stomp. A development broker
// that it started or joined serves the connections of this value alone.
func Driver() connections.Driver {
	var dev development
	return connections.Driver{
		Connection: func() any { return new(Connection) },
		Source:     func() any { return new(Source) },
		Target:     func() any { return new(Target) },
		Open:       dev.open,
		CheckSource: func(connection, source any) error {
			return source.(*Source).check(connection.(*Connection))
		},
		CheckTarget: func(_, target any) error { return target.(*Target).check() },
		DeadLetters: func(source any) any { return &Target{Destination: deadLetters(source.(*Source).Destination)} },
		Embed:       dev.start,
		Join:        dev.join,
		Fake:        fake,
	}
}

// development is where the development broker listens.
type development struct{ address atomic.Pointer[string] }

func (d *development) start(ctx context.Context) (string, error) {
	listening, err := broker.Start(ctx, "")
	if err != nil {
		return "", err
	}
	d.address.Store(&listening)
	return listening, nil
}

func (d *development) join(address string) { d.address.Store(&address) }

// at returns the address that settings mean.
func (d *development) at(a address) (string, error) {
	if !a.embedded {
		return a.String(), nil
	}
	if listening := d.address.Load(); listening != nil {
		return *listening, nil
	}
	return "", errors.New("url: embedded: this process has no development broker")
}

func (d *development) open(_ string, settings any) (connections.Dial, error) {
	s := settings.(*Connection)
	addresses, err := s.check()
	if err != nil {
		return nil, err
	}
	secure := s.TLS.Handshake()
	return connections.Failover(s.urls(), func(ctx context.Context, u string) (connections.Conn, error) {
		return dial(ctx, &dialer{settings: s, address: addresses[u], secure: secure, at: d.at})
	}), nil
}
