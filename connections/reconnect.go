package connections

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync/atomic"
	"time"
)

// Reconnect says how a lost or refused connection is tried again. The zero
// value means 100 ms, doubling to 10 s.
type Reconnect struct {
	First time.Duration `yaml:"first,omitempty" doc:"wait before the first new attempt; default 100ms"`
	Max   time.Duration `yaml:"max,omitempty" doc:"longest wait; default 10s"`
	Off   bool          `yaml:"-"` // "reconnect: false": a lost connection stays down until it is resumed
}

// UnmarshalText reads the scalar forms of the setting: false, and true for the
// default.
func (r *Reconnect) UnmarshalText(text []byte) error {
	switch string(text) {
	case "false":
		*r = Reconnect{Off: true}
	case "true":
		*r = Reconnect{}
	default:
		return errors.New("false, or keys with values: first and max")
	}
	return nil
}

// Wait returns how long to wait before attempt try, from 1: First, doubling to
// Max, less up to a fifth, so that many clients do not come back as one.
func (r Reconnect) Wait(try int) time.Duration {
	first, longest := r.First, r.Max
	if first <= 0 {
		first = 100 * time.Millisecond
	}
	if longest <= 0 {
		longest = max(first, 10*time.Second)
	}
	d := first
	for i := 1; i < try && d < longest; i++ {
		d *= 2
	}
	return time.Duration(float64(min(d, longest)) * (0.8 + 0.2*rand.Float64()))
}

// Failover returns a Dial that tries each address in turn, beginning with the
// one that worked last, and returns the first connection it gets or all errors.
func Failover(addresses []string, dial func(ctx context.Context, address string) (Conn, error)) Dial {
	var last atomic.Int64
	return func(ctx context.Context) (Conn, error) {
		var errs []error
		for i := range addresses {
			n := (int(last.Load()) + i) % len(addresses)
			conn, err := dial(ctx, addresses[n])
			if err == nil {
				last.Store(int64(n))
				return conn, nil
			}
			errs = append(errs, err)
			if ctx.Err() != nil {
				break
			}
		}
		return nil, errors.Join(errs...)
	}
}
