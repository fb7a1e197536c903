package stomp

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"strconv"

	"github.com/go-stomp/stomp/v3/frame"

	"github.com/fairlead/fairlead/connections"
)

// fake is the driver's Fake, with a MESSAGE frame of the development broker,
// which counts deliveries.
func fake(m connections.Message, redelivered int) (connections.Delivery, error) {
	f := embedded.sendFrame(new(Target), &m)
	f.Command = frame.MESSAGE
	f.Header.Set(frame.MessageId, rand.Text())
	f.Header.Set(frame.Subscription, "fake")
	if redelivered > 0 {
		f.Header.Set(redeliveredHeader, "true")
		f.Header.Set(countHeader, strconv.Itoa(redelivered))
	}
	wire, err := appendFrame(nil, f, v12)
	if err != nil {
		return connections.Delivery{}, err
	}
	reader := newFrameReader(bytes.NewReader(wire))
	reader.version = v12
	r, err := reader.next()
	if err != nil {
		return connections.Delivery{}, fmt.Errorf("read a STOMP frame: %w", err)
	}
	return connections.Delivery{Message: embedded.message(r.Frame), Count: embedded.count(r.Header), Bad: r.bad}, nil
}
