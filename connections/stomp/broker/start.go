package broker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"syscall"
)

const (
	defaultPort = 61613 // STOMP's own
	triedPorts  = 100   // from defaultPort on, when it is taken
)

// Start runs a Broker of its own on a loopback address such as 127.0.0.1:61613
// until ctx ends, and returns the address it listens on. With address "" that is
// the first free port from 61613 on. The Broker's connections are closed soon
// after ctx ended; who has to wait for that uses [Broker.Serve].
func Start(ctx context.Context, address string) (string, error) {
	ln, err := listen(ctx, address)
	if err != nil {
		return "", fmt.Errorf("start the development broker: %w", err)
	}
	go func() {
		// Serve fails only if the listener is closed by another, and nobody has it.
		_ = new(Broker).Serve(ctx, ln)
	}()
	return ln.Addr().String(), nil
}

func listen(ctx context.Context, address string) (net.Listener, error) {
	var config net.ListenConfig
	if address != "" {
		if err := checkLoopback(address); err != nil {
			return nil, err
		}
		return config.Listen(ctx, "tcp", address)
	}
	for port := defaultPort; ; port++ {
		ln, err := config.Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if !errors.Is(err, syscall.EADDRINUSE) || port == defaultPort+triedPorts {
			return ln, err
		}
	}
}

func checkLoopback(address string) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return err
	}
	if host == "localhost" || net.ParseIP(host).IsLoopback() {
		return nil
	}
	return fmt.Errorf("%s is not a loopback address: the development broker has no security, so it listens on 127.0.0.1, ::1 or localhost only", address)
}
