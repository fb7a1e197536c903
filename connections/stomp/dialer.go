package stomp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/go-stomp/stomp/v3/frame"

	"github.com/fairlead/fairlead/connections"
)

const clientIDHeader = "client-id"

// A dialer makes the links of one connection to one address.
type dialer struct {
	settings *Connection
	address  address
	secure   *connections.Handshake
	at       func(address) (hostPort string, err error)
}

// dial connects and authenticates. An empty clientID is none. ended is told when
// the link is lost.
func (d *dialer) dial(ctx context.Context, clientID string, ended func(error)) (*link, error) {
	hostPort, err := d.at(d.address)
	if err != nil {
		return nil, err
	}
	l, err := d.handshake(ctx, hostPort, clientID, ended)
	if err != nil {
		return nil, fmt.Errorf("dial %s: %w", hostPort, err)
	}
	return l, nil
}

func (d *dialer) handshake(ctx context.Context, hostPort, clientID string, ended func(error)) (*link, error) {
	conn, err := d.connect(ctx, hostPort)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	l := newLink(conn, ended)
	err = d.introduce(l, clientID)
	if !stop() {
		err = ctx.Err()
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	l.start()
	return l, nil
}

// connect returns a TCP connection, with TLS if the address says so.
func (d *dialer) connect(ctx context.Context, hostPort string) (net.Conn, error) {
	if d.address.tls {
		return d.secure.Dial(ctx, hostPort, d.address.host)
	}
	return new(net.Dialer).DialContext(ctx, "tcp", hostPort)
}

// introduce exchanges CONNECT and CONNECTED.
func (d *dialer) introduce(l *link, clientID string) error {
	connect := d.connectFrame(clientID)
	text, err := appendFrame(nil, connect, "")
	if err != nil {
		return err
	}
	if _, err := l.conn.Write(text); err != nil {
		return d.secure.Refusal(err)
	}
	answer, err := l.in.next()
	switch {
	case err != nil:
		return d.secure.Refusal(err) // with TLS 1.3 a refused client certificate is told here
	case answer.Command == frame.ERROR:
		return d.hide(keptOut(newBrokerError(answer.Frame)))
	case answer.Command != frame.CONNECTED:
		return fmt.Errorf("protocol error: the broker answers CONNECT with %s", answer.Command)
	}
	return l.agree(connect.Header, answer.Header)
}

// connectFrame is the CONNECT frame.
func (d *dialer) connectFrame(clientID string) *frame.Frame {
	s := d.settings
	beat := strconv.FormatInt(s.heartbeat().Milliseconds(), 10)
	f := frame.New(frame.CONNECT,
		frame.AcceptVersion, "1.0,1.1,1.2",
		frame.Host, s.vhost(),
		frame.HeartBeat, beat+","+beat)
	if user, password := d.login(); user != "" {
		f.Header.Add(frame.Login, user)
		f.Header.Add(frame.Passcode, password)
	}
	if clientID != "" {
		f.Header.Add(clientIDHeader, clientID)
	}
	for name, value := range s.Headers {
		f.Header.Set(name, value)
	}
	return f
}

func (d *dialer) login() (user, password string) {
	if d.address.user != "" {
		return d.address.user, d.address.password
	}
	return d.settings.User, d.settings.Password
}

// hide takes the password out of what a broker said, if it repeated it.
func (d *dialer) hide(err error) error {
	_, password := d.login()
	if password == "" || !strings.Contains(err.Error(), password) {
		return err
	}
	for _, class := range []error{connections.ErrRefused, connections.ErrStandby} {
		if errors.Is(err, class) {
			return fmt.Errorf("%w; what the broker says is not shown, because the password is in it", class)
		}
	}
	return errors.New("the broker's answer is not shown, because the password is in it")
}

// agree takes over what the broker says of itself.
func (l *link) agree(asked, said *frame.Header) error {
	l.version = version(said.Get(frame.Version))
	switch l.version {
	case "":
		l.version = v10
	case v10, v11, v12:
	default:
		return fmt.Errorf("protocol error: the broker wants to speak STOMP %q", string(l.version))
	}
	l.in.version = l.version
	l.broker = kindOf(said.Get(frame.Server))
	send, hear, err := heartbeats(asked.Get(frame.HeartBeat))
	if err != nil {
		return err
	}
	theirs, wanted, err := heartbeats(said.Get(frame.HeartBeat))
	if err != nil {
		return err
	}
	if hear > 0 && theirs > 0 {
		hear = max(hear, theirs)
		l.silence = hear + max(hear/2, minGrace)
	}
	switch {
	case wanted > 0: // Artemis wants to hear from us even if we said that we are silent
		l.beat = max(send, wanted)
	case l.version == v10: // which has no heart-beats; but Artemis hangs up after a minute without any
		l.beat = send
	}
	return nil
}

// minGrace is how late a heart-beat may be at least. ActiveMQ Classic is late by
// more than half a second.
const minGrace = 2 * time.Second

// heartbeats reads a heart-beat header: how often its sender is heard, and how
// often it wants to hear.
func heartbeats(text string) (send, want time.Duration, err error) {
	if text == "" {
		return 0, 0, nil
	}
	first, second, ok := strings.Cut(text, ",")
	a, err1 := strconv.ParseUint(strings.TrimSpace(first), 10, 32)
	b, err2 := strconv.ParseUint(strings.TrimSpace(second), 10, 32)
	if !ok || err1 != nil || err2 != nil {
		return 0, 0, fmt.Errorf("protocol error: heart-beat is %.40q", text)
	}
	return time.Duration(a) * time.Millisecond, time.Duration(b) * time.Millisecond, nil
}
