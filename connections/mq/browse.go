package mq

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/connections/mq/mqi"
)

// Browse implements [connections.Browser]. A message that cannot be understood
// is there with its bytes.
func (c *conn) Browse(ctx context.Context, source any, skip, limit int) ([]connections.Message, error) {
	from, err := sourceAddress(source.(*Source))
	if err != nil {
		return nil, err
	}
	h, err := c.acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer c.release(h)
	o, err := openQueue(ctx, h, from, mqi.MQOO_BROWSE)
	if err != nil {
		return nil, opened(err)
	}
	return run(ctx, h, func() ([]connections.Message, error) {
		found, err := browse(o, skip, limit)
		return found, errors.Join(err, o.close())
	})
}

// browse reads messages of an open queue after the first skip ones.
func browse(o object, skip, limit int) ([]connections.Message, error) {
	const options = mqi.MQGMO_FAIL_IF_QUIESCING | mqi.MQGMO_PROPERTIES_FORCE_MQRFH2
	var found []connections.Message
	buf, next := make([]byte, firstBuffer), mqi.MQGMO_BROWSE_FIRST
	for len(found) < limit {
		var md mqi.MD
		n, err := o.get(&md, getOptions{options: options | next}, buf)
		switch reason := reasonOf(err); {
		case reason == mqi.MQRC_TRUNCATED_MSG_FAILED && n > len(buf):
			buf = make([]byte, n)
			continue
		case reason == mqi.MQRC_NO_MSG_AVAILABLE:
			return found, nil
		}
		if err := done(err); err != nil {
			return found, err
		}
		next = mqi.MQGMO_BROWSE_NEXT
		if skip > 0 {
			skip--
			continue
		}
		m, _ := (&Message{MD: md, Data: bytes.Clone(buf[:n])}).decode() // why it cannot be understood is said when it is received
		found = append(found, m)
	}
	return found, nil
}

// Depth implements [connections.Gauge].
func (c *conn) Depth(ctx context.Context, source any) (int, error) {
	from, err := sourceAddress(source.(*Source))
	if err != nil {
		return 0, err
	}
	h, err := c.acquire(ctx)
	if err != nil {
		return 0, err
	}
	defer c.release(h)
	values, err := inquire(ctx, h, from, mqi.MQIA_CURRENT_Q_DEPTH)
	if reasonOf(err) == mqi.MQRC_UNKNOWN_OBJECT_NAME {
		return 0, fmt.Errorf("depth of %s: %w: %w", from.queue, connections.ErrNoQueue, err)
	}
	if err != nil {
		return 0, opened(err)
	}
	depth, _ := values[mqi.MQIA_CURRENT_Q_DEPTH].(int32)
	return int(depth), nil
}

var (
	_ connections.Browser = (*conn)(nil)
	_ connections.Gauge   = (*conn)(nil)
)
