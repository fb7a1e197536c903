package memory

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync"

	"github.com/fairlead/fairlead/connections"
)

// A Connection is the settings of a connection of type memory.
type Connection struct {
	Limit int `yaml:"limit,omitempty" doc:"how many messages a queue holds before those who send have to wait; default 10000"`
}

// A Source is the settings of a trigger on such a connection.
type Source struct {
	connections.Destination `yaml:",inline"`

	Subscription string `yaml:"subscription,omitempty" doc:"name of a durable subscription of the topic: it keeps messages while nobody receives, and all who name it share them"`
}

// A Target is the settings of a binding on such a connection.
type Target struct {
	connections.Destination `yaml:",inline"`
}

// Driver returns a driver with a broker of its own for each name of a
// connection, so that connections share queues with themselves alone.
func Driver() connections.Driver {
	var mu sync.Mutex
	brokers := make(map[string]*Broker)
	return driver(func(name string) *Broker {
		mu.Lock()
		defer mu.Unlock()
		if brokers[name] == nil {
			brokers[name] = new(Broker)
		}
		return brokers[name]
	})
}

// Driver returns a driver whose every connection, whatever its name, is one to b.
func (b *Broker) Driver() connections.Driver {
	return driver(func(string) *Broker { return b })
}

func driver(broker func(name string) *Broker) connections.Driver {
	return connections.Driver{
		Connection: func() any { return new(Connection) },
		Source:     func() any { return new(Source) },
		Target:     func() any { return new(Target) },
		Open: func(name string, settings any) (connections.Dial, error) {
			limit, err := settings.(*Connection).limit()
			if err != nil {
				return nil, err
			}
			return func(ctx context.Context) (connections.Conn, error) {
				return broker(name).dial(ctx, name, limit)
			}, nil
		},
		CheckSource: func(_, source any) error { return source.(*Source).check() },
		CheckTarget: func(_, target any) error { return target.(*Target).check() },
	}
}

func (c *Connection) limit() (int, error) {
	if c.Limit < 0 {
		return 0, &connections.SettingError{Field: "limit", Found: strconv.Itoa(c.Limit), Want: "a number of messages from 1"}
	}
	if c.Limit == 0 {
		return DefaultLimit, nil
	}
	return c.Limit, nil
}

func (s *Source) check() error {
	var errs []error
	if s.Queue == "" && s.Topic == "" {
		errs = append(errs, &connections.SettingError{Field: "queue", Want: "the name of a queue, or topic with one of a topic"})
	}
	if s.Subscription != "" && s.Topic == "" {
		errs = append(errs, &connections.SettingError{Field: "subscription", Found: strconv.Quote(s.Subscription), Want: "a topic, too"})
	}
	return errors.Join(append(errs, both(s.Destination))...)
}

func (t *Target) check() error { return both(t.Destination) }

func both(d connections.Destination) error {
	if d.Queue != "" && d.Topic != "" {
		return &connections.SettingError{Field: "topic", Found: strconv.Quote(d.Topic), Want: "a queue or a topic, not both"}
	}
	return nil
}

// address splits a name in the broker's own words, which are those that people
// use: "topic:NAME" is a topic, all else a queue.
func address(words string) (name string, topic bool) {
	name, topic = strings.CutPrefix(words, "topic:")
	return name, topic
}

// resolve returns what d names.
func resolve(d connections.Destination) (name string, topic bool) {
	if d.Native {
		return address(d.Queue)
	}
	return d.Address()
}
