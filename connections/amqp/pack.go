package amqp

import (
	"fmt"
	"maps"

	"github.com/Azure/go-amqp"

	"github.com/fairlead/fairlead/connections"
)

// pack is the driver's Pack: the message as it is on the wire, without a body that
// setBody makes anew of what m has.
func pack(m *connections.Message) ([]byte, error) {
	received, ok := m.Native.(*amqp.Message)
	if !ok {
		return nil, nil
	}
	out := *received
	if remade(received, m) {
		out.Data, out.Value, out.Sequence = nil, nil, nil
	}
	for _, annotations := range []*amqp.Annotations{&out.DeliveryAnnotations, &out.Annotations, &out.Footer} {
		*annotations = writable(*annotations)
	}
	if received.ApplicationProperties != nil {
		var err error
		if out.ApplicationProperties, err = outgoingMap(received.ApplicationProperties); err != nil {
			return nil, fmt.Errorf("pack an AMQP message: %w", err)
		}
	}
	if err := outgoingMessage(&out); err != nil {
		return nil, fmt.Errorf("pack an AMQP message: %w", err)
	}
	packed, err := out.MarshalBinary()
	if err != nil {
		return nil, fmt.Errorf("pack an AMQP message: %w", err)
	}
	return packed, nil
}

// writable returns annotations without the keys that go-amqp cannot write: numbers,
// which the standard reserves.
func writable(annotations amqp.Annotations) amqp.Annotations {
	out := maps.Clone(annotations)
	maps.DeleteFunc(out, func(key, _ any) bool {
		_, number := key.(uint64)
		return number
	})
	return out
}

// remade says that the body of a received message is all in m: a Data section of
// bytes, or a string.
func remade(received *amqp.Message, m *connections.Message) bool {
	if len(m.Body) == 0 {
		return false
	}
	_, isString := received.Value.(string)
	return isString && m.Text || len(received.Data) == 1 && !m.Text
}

// unpack is the driver's Unpack.
func unpack(packed []byte, m *connections.Message) error {
	instead, why := presentable(packed)
	if why != nil {
		return fmt.Errorf("unpack an AMQP message: %w", why)
	}
	if instead != nil {
		packed = instead
	}
	received := new(amqp.Message)
	if err := received.UnmarshalBinary(packed); err != nil {
		return fmt.Errorf("unpack an AMQP message: %w", err)
	}
	if received.Data == nil && received.Value == nil && received.Sequence == nil && len(m.Body) > 0 {
		if m.Text {
			received.Value = string(m.Body)
		} else {
			received.Data = [][]byte{m.Body}
		}
	}
	d := decode(received)
	m.Native, m.Header = d.Native, d.Header
	m.ID, m.CorrelationID, m.Correlate = d.ID, d.CorrelationID, d.Correlate
	return nil
}
