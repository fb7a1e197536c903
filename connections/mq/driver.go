// Package mq talks to queue managers of IBM MQ, over
// github.com/ibm-messaging/mq-golang and IBM's C client. Both are used only in a
// build with -tags mq and cgo; any other build has the same settings, but its
// Open says that it has no IBM MQ. docs/ibm-mq.md tells how to build and what
// was tested.
//
// # One unit of work
//
// MQ's unit of work belongs to a connection handle, and so does the order of its
// verbs. A Receiver therefore has a handle of its own and one unsettled delivery
// at a time: MQGET under syncpoint, then MQCMIT (Accept) or MQBACK (Release,
// Modify). Reject moves the message to the queue's own backout queue, or to the
// dead-letter queue with an MQDLH, in the same unit of work ([receiver.bury]).
// Each Sender has a handle of its own, too, but those of answers share them.
//
// # Bodies and headers
//
// With jms: true a message is written as JMS clients do: an MQRFH2 with folders
// mcd, jms and usr, and text or bytes behind it. Without, it is plain text
// (MQSTR) or bytes. Both are read in either case, and a JMS map or stream
// arrives as JSON. What [connections.Message] cannot hold is in its Native, a
// [*Message]; a relay sends it on.
package mq

import (
	"context"

	"github.com/fairlead/fairlead/connections"
)

// Driver returns the driver for connections of type mq.
func Driver() connections.Driver { return driver(client()) }

// driver returns the driver on top of a client library.
func driver(connect connector) connections.Driver {
	return connections.Driver{
		Fake:       fake,
		Connection: func() any { return new(Connection) },
		Source:     func() any { return new(Source) },
		Target:     func() any { return new(Target) },
		Open: func(name string, settings any) (connections.Dial, error) {
			c := settings.(*Connection)
			if err := c.check(); err != nil {
				return nil, err
			}
			if connect == nil {
				return nil, errNoClient
			}
			return func(ctx context.Context) (connections.Conn, error) { return dial(ctx, c, connect) }, nil
		},
		CheckSource: func(_, source any) error { return source.(*Source).check() },
		CheckTarget: func(connection, target any) error { return target.(*Target).check(connection.(*Connection)) },
		Serial:      true,
	}
}
