package amqp

import (
	"fmt"

	"github.com/Azure/go-amqp"

	"github.com/fairlead/fairlead/connections"
)

// fake is the driver's Fake.
func fake(m connections.Message, redelivered int) (connections.Delivery, error) {
	sent, err := encode(&m, nil)
	if err != nil {
		return connections.Delivery{}, err
	}
	sent.Header.DeliveryCount = uint32(redelivered)
	wire, err := sent.MarshalBinary()
	if err != nil {
		return connections.Delivery{}, fmt.Errorf("encode an AMQP message: %w", err)
	}
	var received amqp.Message
	if err := received.UnmarshalBinary(wire); err != nil {
		return connections.Delivery{}, fmt.Errorf("decode an AMQP message: %w", err)
	}
	return decode(&received), nil
}
