package amqp

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/fairlead/fairlead/connections"
)

// dynamicPrefix begins a reply-to that names a dynamic queue, as its trigger
// calls it.
const dynamicPrefix = "dynamic:"

// dynamicQueues knows the replies of each connection of the configuration: a
// trigger and a binding dial for themselves.
type dynamicQueues struct {
	mu sync.Mutex
	of map[string]*replies // guarded by mu
}

// sharedBy returns a dial whose Conns share the replies of a connection.
func (q *dynamicQueues) sharedBy(connection string, dial connections.Dial) connections.Dial {
	if dial == nil {
		return nil
	}
	return func(ctx context.Context) (connections.Conn, error) {
		dialed, err := dial(ctx)
		if c, ok := dialed.(*conn); ok {
			c.replies = q.replies(connection)
		}
		return dialed, err
	}
}

func (q *dynamicQueues) replies(connection string) *replies {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.of == nil {
		q.of = make(map[string]*replies)
	}
	if q.of[connection] == nil {
		q.of[connection] = new(replies)
	}
	return q.of[connection]
}

// replies holds where the dynamic queues of a connection are now.
type replies struct {
	mu sync.Mutex
	at map[string][]string // addresses by our names, the newest last; guarded by mu
}

func (r *replies) add(queue, address string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.at == nil {
		r.at = make(map[string][]string)
	}
	r.at[queue] = append(r.at[queue], address)
}

func (r *replies) remove(queue, address string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.at[queue] = slices.DeleteFunc(r.at[queue], func(a string) bool { return a == address })
}

// find returns the address that replyTo means, and the kind of JMS destination
// that it is. An error means: not now.
func (r *replies) find(replyTo string) (address string, kind int8, err error) {
	if queue, ok := strings.CutPrefix(replyTo, dynamicPrefix); ok {
		r.mu.Lock()
		defer r.mu.Unlock()
		at := r.at[queue]
		if len(at) == 0 {
			return "", 0, fmt.Errorf("reply to %s: no trigger of the connection receives from a dynamic queue %q now", replyTo, queue)
		}
		return at[len(at)-1], jmsTemporaryQueue, nil
	}
	switch { // Classic
	case strings.HasPrefix(replyTo, "temp-queue://"):
		return replyTo, jmsTemporaryQueue, nil
	case strings.HasPrefix(replyTo, "temp-topic://"):
		return replyTo, jmsTemporaryTopic, nil
	}
	if topic, ok := strings.CutPrefix(replyTo, topicPrefix); ok {
		return topic, jmsTopic, nil
	}
	if topic, ok := strings.CutPrefix(replyTo, "topic:"); ok {
		return topic, jmsTopic, nil
	}
	return replyTo, jmsQueue, nil
}
