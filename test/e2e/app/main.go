// Command app is the program that the end-to-end tests kill and stop. Its
// functions forward what they get to another queue, at different speeds, and
// fail on poison.
package main

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/fairlead/fairlead/framework"
	"github.com/fairlead/fairlead/framework/host"
)

// forwarder returns a function that takes its time.
func forwarder(d time.Duration) framework.Handler {
	return framework.Sink(func(ctx context.Context, id string) error {
		if strings.HasPrefix(id, "poison") {
			return errors.New("poison")
		}
		time.Sleep(d)
		return framework.Send(ctx, "out", "", id)
	})
}

func main() {
	host.Main(framework.Functions{
		"forward": forwarder(time.Millisecond), // a kill finds some in hand
		"slow":    forwarder(300 * time.Millisecond),
	}, orders)
}
