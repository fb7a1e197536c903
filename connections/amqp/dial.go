package amqp

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/Azure/go-amqp"
	"github.com/google/uuid"

	"github.com/fairlead/fairlead/connections"
)

// A dialer connects to one address.
type dialer struct {
	name     string // of the connection in the configuration
	settings *Connection
	address  address
	secure   *connections.Handshake // for amqps
}

// dial is the [connections.Dial] of the address.
func (d *dialer) dial(ctx context.Context) (connections.Conn, error) {
	client, err := d.open(ctx, "")
	if err != nil {
		return nil, err
	}
	return newConn(d, client), nil
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
		return nil, fmt.Errorf("dial %s (%s): %w", d.name, d.address, d.hide(opening(err)))
	}
	return client, nil
}

// hide takes the password out of what a broker said, if it repeated it.
func (d *dialer) hide(err error) error {
	password := d.settings.login(d.address).password
	if password == "" || !strings.Contains(err.Error(), password) {
		return err
	}
	const why = "what the broker says is not shown, because the password is in it"
	for _, class := range []error{connections.ErrRefused, connections.ErrStandby, connections.ErrConnLost} {
		if errors.Is(err, class) {
			return fmt.Errorf("%w; %s", class, why)
		}
	}
	return errors.New(why)
}

func (d *dialer) connect(ctx context.Context, containerID string) (*amqp.Conn, error) {
	bare, err := d.bare(ctx)
	if err != nil {
		return nil, err
	}
	idle := d.settings.idleTimeout()
	client, err := amqp.NewConn(ctx, newGuard(bare), &amqp.ConnOptions{
		ContainerID:  cmp.Or(containerID, uuid.NewString()),
		HostName:     d.address.host,
		MaxFrameSize: maxFrame,
		IdleTimeout:  idle,
		WriteTimeout: idle,
	})
	if err != nil {
		bare.Close()
		return nil, d.secure.Refusal(d.hide(opening(err)))
	}
	return client, nil
}

// bare returns a connection on which AMQP can begin: over TLS if the URL says
// so, and authenticated.
func (d *dialer) bare(ctx context.Context) (net.Conn, error) {
	if !d.settings.SASL.enabled() {
		return d.transport(ctx)
	}
	x := d.exchange()
	if len(x.names) == 0 {
		return nil, fmt.Errorf("%w: no password is set for user %q", connections.ErrRefused, x.who.user)
	}
	var err error
	if x.conn, err = d.transport(ctx); err != nil {
		return nil, err
	}
	if err := x.run(ctx); err != nil {
		x.conn.Close()
		return nil, d.secure.Refusal(err)
	}
	return x.conn, nil
}

// exchange returns the SASL layer to be, without its connection.
func (d *dialer) exchange() exchange {
	x := exchange{host: d.address.host, who: d.settings.login(d.address), names: d.settings.mechanisms(d.address)}
	if x.who.password == "" {
		x.names = slices.DeleteFunc(x.names, needsPassword)
	}
	for _, name := range strongestFirst() {
		if d.settings.wants(name, d.address) && d.settings.SASL.listening(d.address, name) {
			x.unsafe = append(x.unsafe, name)
		}
	}
	return x
}

func (d *dialer) transport(ctx context.Context) (net.Conn, error) {
	if !d.address.tls {
		return new(net.Dialer).DialContext(ctx, "tcp", d.address.String())
	}
	return d.secure.Dial(ctx, d.address.String(), d.address.host)
}
