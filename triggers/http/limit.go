package http

import (
	"net/http"
	"strconv"

	"github.com/fairlead/fairlead/framework"
	"github.com/fairlead/fairlead/triggers/http/rate"
)

// newLimiter returns nil, which allows everything, for no limit.
func newLimiter(l *rate.Limit) *rate.Limiter {
	if l == nil {
		return nil
	}
	return rate.New(*l)
}

// exceeded says when to come again.
func exceeded(w http.ResponseWriter, l *rate.Limiter) {
	w.Header().Set("Retry-After", seconds(l.Pause()))
	problem(w, http.StatusTooManyRequests, "this client may call "+strconv.FormatFloat(l.PerSecond, 'g', -1, 64)+" times a second")
}

// client names who calls: who was recognised by security, or else an address.
func client(r *http.Request, caller *framework.Caller) string {
	if caller != nil && caller.Name != "" {
		return caller.Security + "/" + caller.Name
	}
	return rate.Address(r)
}
