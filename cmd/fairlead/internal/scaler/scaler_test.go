package scaler

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/fairlead/fairlead/admin"
	"github.com/fairlead/fairlead/cmd/fairlead/internal/grpc"
	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/connections/memory"
	"github.com/fairlead/fairlead/connections/stomp"
	"github.com/fairlead/fairlead/framework/config"
)

// ref encodes a ScaledObjectRef with that metadata.
func ref(metadata map[string]string) []byte {
	m := protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), "name")
	m = protowire.AppendVarint(protowire.AppendTag(m, 9, protowire.VarintType), 9) // of a version to come
	for k, v := range metadata {
		entry := protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), k)
		entry = protowire.AppendString(protowire.AppendTag(entry, 2, protowire.BytesType), v)
		m = protowire.AppendBytes(protowire.AppendTag(m, 3, protowire.BytesType), entry)
	}
	return m
}

type pairs = map[string]string

func TestMetadata(t *testing.T) {
	s := &Service{Gauge: &fakeGauge{triggers: map[string]Target{"in": {Connection: "orders", Queue: "IN.1"}}}}
	for _, tt := range []struct {
		metadata pairs
		want     object
		says     string // else
	}{
		{pairs{"trigger": "in"}, object{Target{"orders", "IN.1", ""}, "fairlead-orders-in-1", 10, 0}, ""},
		{pairs{"trigger": "in", "target": "2.5", "activation": "7", "scalerAddress": "x:1", "enableTLS": "true"}, object{Target{"orders", "IN.1", ""}, "fairlead-orders-in-1", 2.5, 7}, ""},
		{pairs{"connection": "c", "queue": "/Queue/ä"}, object{Target{"c", "/Queue/ä", ""}, "fairlead-c--queue--", 10, 0}, ""},
		{pairs{"topic": "orders.created"}, object{Target{"", "", "topic:orders.created"}, "fairlead-topic-orders-created", 10, 0}, ""},
		{pairs{"function": "invoice.create"}, object{Target{"", "", "invoice.create"}, "fairlead-invoice-create", 10, 0}, ""},
		{pairs{}, object{}, "found nothing that waits, expected one of trigger"},
		{pairs{"trigger": "in", "topic": "t"}, object{}, "found trigger, topic"},
		{pairs{"trigger": "out"}, object{}, `trigger: found "out"`},
		{pairs{"trigger": "in", "queue": "q"}, object{}, `queue: found "q" beside trigger`},
		{pairs{"connection": "c"}, object{}, `queue: found "" beside connection`},
		{pairs{"trigger": "in", "queueLength": "5"}, object{}, `the key "queueLength"`},
		{pairs{"trigger": "in", "target": "0"}, object{}, `target: found "0"`},
		{pairs{"trigger": "in", "target": "-1"}, object{}, `target: found "-1"`},
		{pairs{"trigger": "in", "target": "NaN"}, object{}, `target: found "NaN"`},
		{pairs{"trigger": "in", "activation": "many"}, object{}, `activation: found "many"`},
	} {
		metadata, err := readMetadata(ref(tt.metadata))
		if err != nil {
			t.Fatal(err)
		}
		got, err := s.read(metadata)
		switch {
		case tt.says == "" && (err != nil || got != tt.want):
			t.Errorf("%v: got %+v, %v; want %+v", tt.metadata, got, err, tt.want)
		case tt.says != "" && (err == nil || !strings.Contains(err.Error(), tt.says) || grpc.StatusOf(err).Code != grpc.InvalidArgument):
			t.Errorf("%v: got error %v, want InvalidArgument and %q", tt.metadata, err, tt.says)
		}
	}
}

func TestBrokenRequests(t *testing.T) {
	s := &Service{Gauge: &fakeGauge{}}
	methods := make(grpc.Server)
	s.AddTo(methods)
	for name, call := range methods {
		for _, request := range []string{"\xff", "\x0a\x05abc", "\x1a\x03\x0a\x05a", "\x0a\x03\x1a\x05a"} {
			if err := call(t.Context(), []byte(request), func([]byte) error { return errors.New("it answered") }); err == nil || grpc.StatusOf(err).Code != grpc.InvalidArgument && !strings.Contains(name, "Health") {
				t.Errorf("%s of %q: got %v, want InvalidArgument", name, request, err)
			}
		}
	}
}

// A fakeGauge has a depth.
type fakeGauge struct {
	triggers map[string]Target
	depth    atomic.Int64
}

func (g *fakeGauge) Triggers() map[string]Target                { return g.triggers }
func (g *fakeGauge) Check(Target) error                         { return nil }
func (g *fakeGauge) Depth(context.Context, Target) (int, error) { return int(g.depth.Load()), nil }

// A stream tells how it is at once, and then each change, and nothing else.
func TestStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gauge := new(fakeGauge)
		gauge.depth.Store(1)
		s := &Service{Gauge: gauge}
		var told []bool
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() {
			done <- s.streamIsActive(ctx, ref(pairs{"connection": "c", "queue": "q", "activation": "2"}), func(answer []byte) error {
				told = append(told, answer[1] == 1)
				return nil
			})
		}()
		for _, depth := range []int64{2, 3, 5, 2, 2, 4} {
			synctest.Wait()
			gauge.depth.Store(depth)
			time.Sleep(interval)
		}
		synctest.Wait()
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want the end of ctx", err)
		}
		want := []bool{false, true, false, true}
		if len(told) != len(want) {
			t.Fatalf("got %v, want %v", told, want)
		}
		for i := range want {
			if told[i] != want[i] {
				t.Fatalf("got %v, want %v", told, want)
			}
		}
	})
}

// A counting broker tells depths, and how often it was dialed and asked.
type counting struct {
	connections.Conn
	broker *memory.Broker
	dials  int
	asked  int
	fail   error // next time
}

func (c *counting) Depth(_ context.Context, source any) (int, error) {
	c.asked++
	if err := c.fail; err != nil {
		c.fail = nil
		return 0, err
	}
	queue, _ := source.(connections.Addressed).Address()
	return c.broker.Len(queue), nil
}

func (c *counting) driver() connections.Driver {
	d := c.broker.Driver()
	open := d.Open
	d.Open = func(name string, settings any) (connections.Dial, error) {
		dial, err := open(name, settings)
		return func(ctx context.Context) (connections.Conn, error) {
			c.dials++
			c.Conn, err = dial(ctx)
			return c, err
		}, err
	}
	return d
}

func TestDepths(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broker := &counting{broker: new(memory.Broker)}
		drivers := map[string]connections.Driver{"memory": broker.driver()}
		store := &fakeStore{topics: map[string]admin.Topic{"topic:t": {Depth: 7, Delayed: 3}}}
		var said bytes.Buffer
		d, err := NewDepths(parse(t, drivers, "store: {url: 'postgres://s'}, connections: {c: {type: memory}}, triggers: {t: {connection: c, queue: q, function: f}, s: {topic: t, function: f}}"),
			drivers, store.open, slog.New(slog.NewTextHandler(&said, nil)))
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		targets := d.Triggers()
		depth := func(target Target, want int, code grpc.Code) {
			t.Helper()
			if err := d.Check(target); err != nil {
				t.Fatal(err)
			}
			got, err := d.Depth(t.Context(), target)
			if got != want || grpc.StatusOf(err).Code != code {
				t.Errorf("%v: got %d, %v; want %d, code %d", target, got, err, want, code)
			}
		}
		broker.broker.Put("q", connections.Message{})
		depth(targets["t"], 1, grpc.OK)
		broker.broker.Put("q", connections.Message{})
		depth(targets["t"], 1, grpc.OK) // it is known
		time.Sleep(fresh)
		depth(targets["t"], 2, grpc.OK)
		if broker.dials != 1 || broker.asked != 2 {
			t.Errorf("got %d dials and %d questions, want 1 and 2", broker.dials, broker.asked)
		}

		// A connection that was lost meanwhile is dialed again, at once.
		time.Sleep(fresh)
		broker.fail = connections.ErrConnLost
		depth(targets["t"], 2, grpc.OK)
		if broker.dials != 2 {
			t.Errorf("got %d dials, want 2", broker.dials)
		}
		for err, code := range map[error]grpc.Code{
			errors.ErrUnsupported:                     grpc.FailedPrecondition,
			connections.ErrRefused:                    grpc.FailedPrecondition,
			errors.New("no such queue"):               grpc.FailedPrecondition,
			&connections.SettingError{Field: "queue"}: grpc.InvalidArgument,
		} {
			time.Sleep(fresh)
			broker.fail = err
			depth(targets["t"], 0, code)
		}

		// A queue that the broker has removed is empty, and is seen when it is there again.
		dials := broker.dials
		for range 3 {
			time.Sleep(fresh)
			broker.fail = fmt.Errorf("depth of q: %w", connections.ErrNoQueue)
			depth(targets["t"], 0, grpc.OK)
		}
		time.Sleep(fresh)
		depth(targets["t"], 2, grpc.OK)
		if n := strings.Count(said.String(), "no such queue"); n != 1 || broker.dials != dials+1 {
			t.Errorf("got %d log lines and %d dials, want one of each: %s", n, broker.dials-dials, &said)
		}

		depth(targets["s"], 4, grpc.OK)
		depth(Target{Published: "f"}, 0, grpc.OK) // nobody has published yet
		store.err = errors.New("down")
		depth(targets["s"], 0, grpc.Unavailable)
		if store.opened != 1 {
			t.Errorf("the store was opened %d times, want once", store.opened)
		}
		if err := d.Check(Target{Connection: "d", Queue: "q"}); grpc.StatusOf(err).Code != grpc.InvalidArgument {
			t.Errorf("an unknown connection: got %v, want InvalidArgument", err)
		}
	})
}

// parse reads a document.
func parse(t *testing.T, drivers map[string]connections.Driver, document string) *config.Config {
	t.Helper()
	cfg, err := config.Parse([]byte("{version: 1, "+document+"}"), "f", config.Options{
		Drivers: drivers, Secret: func(string) (string, error) { return "", config.ErrNotYet },
	})
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// A change of the configuration holds from the next question on, and keeps the
// connections that it does not touch.
func TestUse(t *testing.T) {
	broker := &counting{broker: new(memory.Broker)}
	drivers := map[string]connections.Driver{"memory": broker.driver(), "stomp": stomp.Driver()}
	store := new(fakeStore)
	const (
		stored  = "store: {url: 'postgres://s'}, "
		kept    = "c: {type: memory}"
		trigger = "triggers: {t: {connection: c, queue: %s, function: f}}"
	)
	d, err := NewDepths(parse(t, drivers, stored+"connections: {"+kept+"}, "+fmt.Sprintf(trigger, "one")), drivers, store.open, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	s := &Service{Gauge: d}
	answer := func(metadata pairs, want grpc.Code) []byte {
		t.Helper()
		var got []byte
		err := s.isActive(t.Context(), ref(metadata), func(m []byte) error { got = m; return nil })
		if grpc.StatusOf(err).Code != want {
			t.Errorf("%v: got %v, want code %d", metadata, err, want)
		}
		return got
	}
	broker.broker.Put("two", connections.Message{})
	old := d.now.Load()
	if got := answer(pairs{"trigger": "t"}, grpc.OK); !bytes.Equal(got, isActiveResponse(false)) {
		t.Errorf("queue one: got %x, want that nothing waits", got)
	}
	answer(pairs{"topic": "t"}, grpc.OK)
	answer(pairs{"connection": "new", "queue": "two"}, grpc.InvalidArgument)

	use := func(document string) {
		t.Helper()
		if err := d.Use(parse(t, drivers, document)); err != nil {
			t.Fatal(err)
		}
	}
	use(stored + "connections: {" + kept + ", new: {type: memory}, locked: {type: stomp, url: 'stomp://b', user: u, password: '${secret:p}'}}, " + fmt.Sprintf(trigger, "two"))
	if got := answer(pairs{"trigger": "t"}, grpc.OK); !bytes.Equal(got, isActiveResponse(true)) {
		t.Errorf("queue two: got %x, want that something waits", got)
	}
	answer(pairs{"topic": "t"}, grpc.OK)
	if broker.dials != 1 || store.opened != 1 {
		t.Errorf("got %d dials and a store that was opened %d times, want what is the same to be kept", broker.dials, store.opened)
	}
	answer(pairs{"connection": "new", "queue": "two"}, grpc.OK)
	answer(pairs{"connection": "locked", "queue": "two"}, grpc.FailedPrecondition)

	use("connections: {d: {type: memory}}")
	answer(pairs{"trigger": "t"}, grpc.InvalidArgument)
	answer(pairs{"topic": "t"}, grpc.InvalidArgument)
	if _, err := old.links["c"].depth(t.Context(), "two"); grpc.StatusOf(err).Code != grpc.Unavailable { // who had asked for it before
		t.Errorf("a connection that is gone: got %v, want Unavailable", err)
	}
	if _, err := old.store.depth(t.Context(), "topic:t"); grpc.StatusOf(err).Code != grpc.Unavailable || store.stopped != 1 {
		t.Errorf("a store that is gone: got %v and %d stops, want Unavailable and one", err, store.stopped)
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
}

type fakeStore struct {
	topics          map[string]admin.Topic
	opened, stopped int
	err             error
}

func (s *fakeStore) open(context.Context, *config.Config) (Store, func(), error) {
	s.opened++
	return s, func() { s.stopped++ }, nil
}

func (s *fakeStore) Topic(_ context.Context, name string) (admin.Topic, error) {
	if topic, ok := s.topics[name]; ok || s.err != nil {
		return topic, s.err
	}
	return admin.Topic{}, admin.ErrNotFound
}
