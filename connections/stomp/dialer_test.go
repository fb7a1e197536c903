package stomp

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/go-stomp/stomp/v3/frame"

	"github.com/fairlead/fairlead/connections"
)

func TestHandshake(t *testing.T) {
	tests := []struct {
		name    string
		greets  []string
		version version
		broker  kind
		beat    time.Duration
		silence time.Duration
		err     string
	}{
		{"Artemis", []string{"version", "1.2", "server", "ActiveMQ-Artemis/2.44.0 ActiveMQ Artemis Messaging Engine", "heart-beat", "10000,10000"},
			v12, artemis, 10 * time.Second, 15 * time.Second, ""},
		{"Classic", []string{"version", "1.1", "server", "ActiveMQ/6.1.8", "heart-beat", "20000,5000"}, v11, classic, 10 * time.Second, 30 * time.Second, ""},
		{"RabbitMQ", []string{"version", "1.2", "server", "RabbitMQ/3.10.8", "heart-beat", "0, 0"}, v12, rabbit, 0, 0, ""},
		{"ours", []string{"version", "1.2", "server", "fairlead-dev/1.0"}, v12, embedded, 0, 0, ""},
		{"1.0 that says nothing", nil, v10, unknown, 10 * time.Second, 0, ""},
		{"another version", []string{"version", "2.0"}, "2.0", unknown, 0, 0, `wants to speak STOMP "2.0"`},
		{"no heart-beat", []string{"version", "1.2", "heart-beat", "often"}, v12, unknown, 0, 0, `heart-beat is "often"`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			l := &link{in: newFrameReader(nil)}
			err := l.agree(frame.NewHeader("heart-beat", "10000,10000"), frame.NewHeader(test.greets...))
			if (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) {
				t.Errorf("got error %v, want %q", err, test.err)
			}
			if l.version != test.version || l.broker != test.broker || l.beat != test.beat || l.silence != test.silence {
				t.Errorf("got version %s, broker %d, beat %v, silence %v, want %s, %d, %v, %v",
					l.version, l.broker, l.beat, l.silence, test.version, test.broker, test.beat, test.silence)
			}
		})
	}
}

func TestCONNECT(t *testing.T) {
	d := &dialer{settings: &Connection{
		User: "u:\\", Password: `p:\c`, VHost: "v", Heartbeat: new(5 * time.Second),
		Headers: map[string]string{"accept-version": "1.1", "more": "x"},
	}}
	got, err := appendFrame(nil, d.connectFrame("app.sub"), "")
	want := "CONNECT\naccept-version:1.1\nhost:v\nheart-beat:5000,5000\nlogin:u:\\\npasscode:p:\\c\nclient-id:app.sub\nmore:x\n\n\x00"
	if err != nil || string(got) != want {
		t.Errorf("got %q, error %v, want %q", got, err, want)
	}
	d = &dialer{settings: new(Connection), address: address{user: "from", password: "url"}}
	got, err = appendFrame(nil, d.connectFrame(""), "")
	want = "CONNECT\naccept-version:1.0,1.1,1.2\nhost:/\nheart-beat:10000,10000\nlogin:from\npasscode:url\n\n\x00"
	if err != nil || string(got) != want {
		t.Errorf("got %q, error %v, want %q", got, err, want)
	}
}

func TestRefusedCONNECT(t *testing.T) {
	tests := []struct {
		name    string
		headers []string
		class   error
		words   string
	}{
		{"wrong password", []string{"message", "User name [app] or password is invalid."}, connections.ErrRefused, "User name [app] or password is invalid"},
		{"the password repeated", []string{"message", "s3cret is wrong"}, connections.ErrRefused, "the password is in it"},
		{"client id in use", []string{"message", "Broker: x - Client: a.b already connected from tcp://1.2.3.4"}, connections.ErrStandby, "already connected"},
		{"stopping", []string{"message", "the development broker is stopping"}, nil, "is stopping"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			settings := listening(t, func(s *session) {
				s.read()
				s.write(frame.ERROR, test.headers...)
			})
			settings.User, settings.Password = "app", "s3cret"
			_, err := dialed(t, settings)
			if err == nil || !strings.Contains(err.Error(), test.words) || strings.Contains(err.Error(), "s3cret") {
				t.Fatalf("got error %v, want one with %q, without the password", err, test.words)
			}
			for _, class := range []error{connections.ErrRefused, connections.ErrStandby, connections.ErrConnLost} {
				if errors.Is(err, class) != (class == test.class) {
					t.Errorf("got error %v, want class %v", err, test.class)
				}
			}
		})
	}
}

// Something that is no STOMP broker, or one that hangs, does not keep Dial.
func TestDialOfSomethingElse(t *testing.T) {
	for name, play := range map[string]func(s *session){
		"hangs up": func(s *session) { s.read() },
		"speaks HTTP": func(s *session) {
			s.read()
			_, _ = s.conn.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n"))
		},
		"says nothing": func(s *session) {
			for s.read() != nil {
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			dial, err := Driver().Open("test", listening(t, play))
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			if _, err := dial(ctx); err == nil || errors.Is(err, connections.ErrRefused) {
				t.Errorf("got error %v, want one that is not ErrRefused", err)
			}
		})
	}
}

func TestUnreachable(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln.Close()
	_, err = dialed(t, &Connection{URLs: []string{"stomp://user:s3cret@" + ln.Addr().String(), "stomp://localhost:1"}})
	if err == nil || strings.Contains(err.Error(), "s3cret") || strings.Count(err.Error(), "connection refused") != 2 {
		t.Errorf("got error %v, want both addresses' and no password", err)
	}
}

func TestFailover(t *testing.T) {
	s := listening(t, func(s *session) { s.greet(); s.obey() })
	s.URLs = []string{"stomp://localhost:1", s.URL}
	s.URL = ""
	c, err := dialed(t, s)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.(connections.Pinger).Ping(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestNoDevelopmentBroker(t *testing.T) {
	if _, err := dialed(t, &Connection{URL: "embedded"}); err == nil || !strings.Contains(err.Error(), "no development broker") {
		t.Errorf("got error %v, want that there is none in this process", err)
	}
}
