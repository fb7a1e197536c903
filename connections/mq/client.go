package mq

import (
	"time"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/connections/mq/mqi"
)

// errNoClient is what Open says in a build without the client library.
const errNoClient = noClient("this build has no IBM MQ: rebuild with -tags mq (docs/ibm-mq.md); " +
	"it takes cgo and IBM's client, the free download IBM-MQC-Redist-LinuxX64")

type noClient string

func (e noClient) Error() string { return string(e) }

// Is makes it a [connections.ErrNotBuilt].
func (noClient) Is(target error) bool { return target == connections.ErrNotBuilt }

// A connector connects to a queue manager. The real one is in client_mq.go. It
// cannot be interrupted. All errors of verbs are *mqi.Error.
type connector func(c *Connection) (queueManager, error)

// A queueManager is a connection handle. One verb at a time may run on it and on
// the objects that it opened.
type queueManager interface {
	open(o opening) (object, error) // MQOPEN
	commit() error                  // MQCMIT
	back() error                    // MQBACK
	disconnect() error              // MQDISC, which commits
}

// An object is an open queue, or the queue manager itself.
type object interface {
	// get is MQGET. Where the message is longer than buf, the reason says so
	// and n is its length; else n bytes of buf are the message.
	get(md *mqi.MD, o getOptions, buf []byte) (n int, err error)

	put(md *mqi.MD, o putOptions, data []byte) error  // MQPUT
	inquire(selectors []int32) (map[int32]any, error) // MQINQ: an int32 or a string for each
	close() error                                     // MQCLOSE
}

// opening says what to open; without a queue, the queue manager.
type opening struct {
	queue   address
	options int32 // MQOO_…
}

type getOptions struct {
	options int32         // MQGMO_…
	wait    time.Duration // with MQGMO_WAIT
}

type putOptions struct {
	options int32  // MQPMO_…
	context object // with MQPMO_PASS_ALL_CONTEXT: from where
}
