package host

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/connections/memory"
	"github.com/fairlead/fairlead/framework"
	"github.com/fairlead/fairlead/framework/config"
)

// A rig is a Host whose connections of type memory all lead to one broker, and
// can be cut off from it by name.
type rig struct {
	*host
	t      *testing.T
	broker *memory.Broker

	mu    sync.Mutex
	down  map[string]error
	dials map[string]int
}

func newRig(t *testing.T, functions framework.Functions) *rig {
	t.Helper()
	r := &rig{host: newHost(functions), t: t, broker: new(memory.Broker), down: make(map[string]error), dials: make(map[string]int)}
	r.log = slog.New(slog.DiscardHandler)
	d := r.broker.Driver()
	open := d.Open
	d.Open = func(name string, settings any) (connections.Dial, error) {
		dial, err := open(name, settings)
		return func(ctx context.Context) (connections.Conn, error) {
			if err := r.dialed(name); err != nil {
				return nil, err
			}
			return dial(ctx)
		}, err
	}
	r.drivers = map[string]connections.Driver{"memory": d}
	t.Cleanup(func() {
		if err := r.Stop(context.Background()); err != nil {
			t.Errorf("Stop: %v", err)
		}
	})
	return r
}

var errDown = errors.New("nobody listens")

func (r *rig) dialed(name string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.dials[name]++
	return r.down[name]
}

// dialsOf returns how often a connection was dialed.
func (r *rig) dialsOf(name string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.dials[name]
}

// cut takes a connection down, or up again; what is connected stays so.
func (r *rig) cut(name string, down bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.down[name] = nil
	if down {
		r.down[name] = errDown
	}
}

// refuse makes a connection's broker refuse whoever connects, with a wrong
// password, say; what is connected stays so.
func (r *rig) refuse(name string, refused bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.down[name] = nil
	if refused {
		r.down[name] = fmt.Errorf("%w: wrong password", connections.ErrRefused)
	}
}

func (r *rig) parse(document string) *config.Config {
	r.t.Helper()
	cfg, err := config.Parse([]byte(document), "fairlead.yaml", r.loadOptions())
	if err != nil {
		r.t.Fatal(err)
	}
	return cfg
}

func (r *rig) apply(document string) {
	r.t.Helper()
	if err := r.Apply(r.t.Context(), r.parse(document)); err != nil {
		r.t.Fatal(err)
	}
	synctest.Wait()
}

func (r *rig) put(queue, body string) {
	r.broker.Put(queue, connections.Message{Body: []byte(body), Text: true})
}

// take returns the next message of a queue; one must come within a minute.
func (r *rig) take(queue string) connections.Message {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), time.Minute)
	defer cancel()
	m, err := r.broker.Take(ctx, queue)
	if err != nil {
		r.t.Fatalf("nothing in %s: %v", queue, err)
	}
	synctest.Wait()
	return m
}

// bubble runs f with a clock of its own.
func bubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, f)
}

// pass lets d go by, and what happens in it be done.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}
