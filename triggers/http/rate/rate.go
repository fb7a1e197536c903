// Package rate bounds how often each of many clients may do something.
package rate

import (
	"math"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"
)

// A Limit bounds how often one client may do something.
type Limit struct {
	PerSecond float64 // in the long run; more than 0
	Burst     int     // at once after a pause; 0: PerSecond, rounded up
}

// maxClients is how many clients a limiter remembers. Those that it forgets begin
// with a full burst.
const maxClients = 10_000

// A Limiter holds a bucket of tokens for each client. A bucket that is full
// again says nothing and is forgotten. Its methods may be called from any
// goroutine.
type Limiter struct {
	Limit
	burst float64

	mu      sync.Mutex
	buckets map[string]bucket
}

type bucket struct {
	tokens float64
	at     time.Time // when it had them
}

// New returns a Limiter for l.
func New(l Limit) *Limiter {
	burst := float64(l.Burst)
	if l.Burst == 0 {
		burst = math.Ceil(l.PerSecond)
	}
	return &Limiter{Limit: l, burst: burst, buckets: make(map[string]bucket)}
}

// Allow takes one of the client's tokens. It reports false if there is none.
func (l *Limiter) Allow(client string) bool {
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	b, ok := l.buckets[client]
	if !ok {
		b = bucket{l.burst, now}
		if len(l.buckets) >= maxClients {
			l.forget(now)
		}
	}
	tokens := l.tokens(b, now)
	if tokens < 1 {
		return false
	}
	l.buckets[client] = bucket{tokens - 1, now}
	return true
}

// Reset gives the client back all it took.
func (l *Limiter) Reset(client string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.buckets, client)
}

// Pause is how long a client that has no token left waits for one, at most.
func (l *Limiter) Pause() time.Duration {
	return max(time.Second, time.Duration(float64(time.Second)/l.PerSecond))
}

// tokens returns what a bucket holds now.
func (l *Limiter) tokens(b bucket, now time.Time) float64 {
	return min(l.burst, b.tokens+now.Sub(b.at).Seconds()*l.PerSecond)
}

// forget makes room: it drops the buckets that are full, or else half of them.
func (l *Limiter) forget(now time.Time) {
	for client, b := range l.buckets {
		if l.tokens(b, now) >= l.burst {
			delete(l.buckets, client)
		}
	}
	for client := range l.buckets {
		if len(l.buckets) <= maxClients/2 {
			return
		}
		delete(l.buckets, client)
	}
}

// Address returns the address that a request comes from; of IPv6 the /64 network,
// which is what one host gets.
func Address(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	const network = 64
	if ip, err := netip.ParseAddr(host); err == nil && ip.Is6() && !ip.Is4In6() {
		if p, err := ip.WithZone("").Prefix(network); err == nil {
			return p.String()
		}
	}
	return host
}
