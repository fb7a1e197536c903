package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/fairlead/fairlead/test/mqdouble/engine"
	"github.com/fairlead/fairlead/test/mqdouble/wire"
)

// serve runs a queue manager on which every queue exists.
func serve(args []string) error {
	flags := flag.NewFlagSet("serve", flag.ExitOnError)
	listen := flags.String("listen", "127.0.0.1:1414", "loopback address to listen on")
	name := flags.String("name", "QM1", "name of the queue manager")
	dead := flags.String("deadletter", "SYSTEM.DEAD.LETTER.QUEUE", "name of its dead-letter queue")
	threshold := flags.Int("bothresh", 0, "backout threshold of every queue")
	if err := flags.Parse(args); err != nil {
		return err
	}
	m := engine.New(engine.Config{
		Name: *name, DeadLetterQueue: *dead, Define: &engine.Attributes{BackoutThreshold: int32(*threshold)},
	})
	s, err := wire.Listen(*listen, m)
	if err != nil {
		return err
	}
	fmt.Printf("the queue-manager double %s serves on %s; it is no IBM MQ\n", *name, s.Address())
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	<-ctx.Done()
	return s.Close()
}
