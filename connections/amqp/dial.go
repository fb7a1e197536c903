package amqp

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"slices"

	"github.com/Azure/go-amqp"

	"github.com/fairlead/fairlead/connections"
)

// A dialer connects to one address.
type dialer struct {
	name     string // of the connection in the configuration
	settings *Connection
	address  address
}

// dial is the [connections.Dial] of the address.
func (d *dialer) dial(ctx context.Context) (connections.Conn, error) {
	client, err := d.open(ctx, "")
	if err != nil {
		return nil, err
	}
	return &conn{dialer: d, client: client, receivers: make(map[*receiver]struct{})}, nil
}

// open returns a connection that the broker has let in. An empty containerID is
// a random one.
func (d *dialer) open(ctx context.Context, containerID string) (*amqp.Conn, error) {
	client, err := d.connect(ctx, containerID)
	if err != nil {
		return nil, fmt.Errorf("dial %s (%s): %w", d.name, d.address, err)
	}
	// Some brokers look at who we are, or at the container id, no sooner than
	// they open a session.
	if err := ping(ctx, client); err != nil {
		_ = client.Close()
		return nil, fmt.Errorf("dial %s (%s): %w", d.name, d.address, opening(err))
	}
	return client, nil
}

func (d *dialer) connect(ctx context.Context, containerID string) (*amqp.Conn, error) {
	bare, err := d.bare(ctx)
	if err != nil {
		return nil, err
	}
	idle := d.settings.idleTimeout()
	client, err := amqp.NewConn(ctx, newGuard(bare), &amqp.ConnOptions{
		ContainerID:  containerID,
		HostName:     d.address.host,
		MaxFrameSize: maxFrame,
		IdleTimeout:  idle,
		WriteTimeout: idle,
	})
	if err != nil {
		bare.Close()
		return nil, untrusted(opening(err))
	}
	return client, nil
}

// bare returns a connection on which AMQP can begin: over TLS if the URL says
// so, and authenticated.
func (d *dialer) bare(ctx context.Context) (net.Conn, error) {
	if !d.settings.SASL.enabled() {
		return d.transport(ctx)
	}
	who := d.settings.login(d.address)
	names := d.settings.mechanisms(d.address)
	if who.password == "" {
		names = slices.DeleteFunc(names, needsPassword)
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("%w: no password is set for user %q", connections.ErrRefused, who.user)
	}
	c, err := d.transport(ctx)
	if err != nil {
		return nil, err
	}
	if err := authenticate(ctx, c, d.address.host, names, who); err != nil {
		c.Close()
		return nil, untrusted(err)
	}
	return c, nil
}

func (d *dialer) transport(ctx context.Context) (net.Conn, error) {
	if !d.address.tls {
		return new(net.Dialer).DialContext(ctx, "tcp", d.address.String())
	}
	cfg, err := d.settings.TLS.Config(d.address.host) // read each time: certificates are renewed
	if err != nil {
		return nil, err
	}
	c, err := (&tls.Dialer{Config: cfg}).DialContext(ctx, "tcp", d.address.String())
	return c, untrusted(err)
}
