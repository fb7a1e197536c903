package http

import (
	"math"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"github.com/fairlead/fairlead/framework"
)

// A Limit bounds how often one client may call: who was recognised by security,
// or else an address (of IPv6 a /64 network, which is what one host gets).
type Limit struct {
	PerSecond float64 // in the long run; more than 0
	Burst     int     // at once after a pause; 0: PerSecond, rounded up
}

// maxClients is how many clients a limiter remembers. Those that it forgets begin
// with a full burst.
const maxClients = 10_000

// A limiter holds a bucket of tokens for each client. A bucket that is full
// again says nothing and is forgotten.
type limiter struct {
	Limit
	burst float64

	mu      sync.Mutex
	buckets map[string]bucket
}

type bucket struct {
	tokens float64
	at     time.Time // when it had them
}

// newLimiter returns nil, which allows everything, for no limit.
func newLimiter(l *Limit) *limiter {
	if l == nil {
		return nil
	}
	burst := float64(l.Burst)
	if l.Burst == 0 {
		burst = math.Ceil(l.PerSecond)
	}
	return &limiter{Limit: *l, burst: burst, buckets: make(map[string]bucket)}
}

// allow takes one of the client's tokens. It reports false if there is none.
func (l *limiter) allow(client string) bool {
	if l == nil {
		return true
	}
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

// tokens returns what a bucket holds now.
func (l *limiter) tokens(b bucket, now time.Time) float64 {
	return min(l.burst, b.tokens+now.Sub(b.at).Seconds()*l.PerSecond)
}

// forget makes room: it drops the buckets that are full, or else half of them.
func (l *limiter) forget(now time.Time) {
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

// answer says when to come again.
func (l *limiter) answer(w http.ResponseWriter) {
	wait := time.Duration(float64(time.Second) / l.PerSecond)
	w.Header().Set("Retry-After", seconds(max(wait, time.Second)))
	problem(w, http.StatusTooManyRequests, "this client may call "+strconv.FormatFloat(l.PerSecond, 'g', -1, 64)+" times a second")
}

// client names who calls.
func client(r *http.Request, caller *framework.Caller) string {
	if caller != nil && caller.Name != "" {
		return caller.Security + "/" + caller.Name
	}
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
