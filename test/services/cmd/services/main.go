// The command services runs the brokers, the database and the tools that tests
// need, on loopback.
//
//	go run ./test/services/cmd/services up|down|status
//
// Environment: FAIRLEAD_TEST_PORTS (first port of the block, 17000),
// FAIRLEAD_TEST_CACHE and FAIRLEAD_TEST_RUN (folders), and SVC_ARTEMIS,
// SVC_CLASSIC, SVC_RABBIT, SVC_BROKERJ, SVC_KDC, SVC_POSTGRES, SVC_TOXIPROXY,
// SVC_PGBOUNCER, SVC_PYTHON, SVC_NODE, SVC_BROWSER, of which 0 leaves one out.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/fairlead/fairlead/test/services"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "services:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) == 1 {
		switch args[0] {
		case "up":
			_, err := services.Up(ctx, os.Stdout)
			return err
		case "down":
			return services.Down(os.Stdout)
		case "status":
			return services.Status(os.Stdout)
		}
	}
	return errors.New("want one of up, down, status")
}
