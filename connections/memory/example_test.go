package memory_test

import (
	"context"
	"fmt"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/connections/memory"
	"github.com/fairlead/fairlead/framework"
)

// A test gives the driver of a Broker of its own to what it tests, puts messages
// in, and takes out what was sent.
func ExampleBroker() {
	ctx := context.Background()
	var broker memory.Broker
	broker.Put("hello", connections.Message{Body: []byte("world")})

	if err := answer(ctx, broker.Driver()); err != nil { // stands for what is tested
		fmt.Println(err)
	}

	reply, err := broker.Take(ctx, "replies")
	fmt.Printf("%s %v, %d left\n", reply.Body, err, broker.Len("hello"))
	// Output: hello world <nil>, 0 left
}

// answer receives one message over a connection and sends another.
func answer(ctx context.Context, driver connections.Driver) error {
	dial, err := driver.Open("local", driver.Connection())
	if err != nil {
		return err
	}
	conn, err := dial(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	r, err := conn.Receiver(ctx, &memory.Source{Destination: connections.Destination{Queue: "hello"}}, 1)
	if err != nil {
		return err
	}
	s, err := conn.Sender(ctx, &memory.Target{Destination: connections.Destination{Queue: "replies"}})
	if err != nil {
		return err
	}
	d, err := r.Receive(ctx)
	if err != nil {
		return err
	}
	reply := connections.Message{Body: append([]byte("hello "), d.Body...)}
	if err := s.Send(ctx, []connections.Message{reply})[0]; err != nil {
		return err
	}
	return d.Settle(ctx, framework.Accept)
}
