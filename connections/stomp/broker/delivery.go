package broker

import (
	"strconv"

	"github.com/go-stomp/stomp/v3/frame"
)

const (
	redeliveredHeader = "redelivered"
	countHeader       = "delivery-count"
	jmsCountHeader    = "JMSXDeliveryCount"
)

// A delivery is an item on its way to a client or waiting there to be
// acknowledged.
type delivery struct {
	item        *item
	sub         *subscription
	number      uint64 // its ack id, rising within the session
	redelivered bool   // these two as the item had them when it was delivered
	failed      int

	written bool // or about to be; guarded by Broker.mu
	claimed bool // settled in a transaction that is open; guarded by Broker.mu
	done    bool // settled for good; guarded by Broker.mu
}

// frame returns the MESSAGE of a delivery.
func (d *delivery) frame(v version) *frame.Frame {
	m := d.item.message
	f := frame.New(frame.MESSAGE, frame.MessageId, m.id, frame.Destination, m.destination)
	if d.sub.numbered {
		f.Header.Add(frame.Subscription, d.sub.id)
	}
	if d.sub.ack != frame.AckAuto && v == v12 {
		f.Header.Add(frame.Ack, strconv.FormatUint(d.number, 10))
	}
	if d.redelivered {
		f.Header.Add(redeliveredHeader, "true")
	}
	if d.failed > 0 {
		f.Header.Add(countHeader, strconv.Itoa(d.failed))
		f.Header.Add(jmsCountHeader, strconv.Itoa(d.failed+1))
	}
	if m.sized {
		f.Header.Add(frame.ContentLength, strconv.Itoa(len(m.body)))
	}
	f.Header.AddHeader(m.header)
	f.Body = m.body
	return f
}

// giveBack puts deliveries of one subscription back on their queue.
func giveBack(deliveries []*delivery, failed bool) {
	if len(deliveries) == 0 {
		return
	}
	items := make([]*item, len(deliveries))
	for i, d := range deliveries {
		items[i] = d.returned(failed && d.written)
	}
	items[0].queue.giveBack(items)
}

// returned notes on the item what became of its delivery.
func (d *delivery) returned(failed bool) *item {
	d.item.redelivered = d.item.redelivered || d.written
	if failed {
		d.item.failed++
	}
	return d.item
}
