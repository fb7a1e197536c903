package config

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/fairlead/fairlead/triggers/schedule"
)

// A Channel is what a trigger for HTTP requests has beside the keys of every
// trigger.
type Channel struct {
	Route    string   `yaml:"http" doc:"method and path of the requests, such as POST /customers/{id}"`
	Security []string `yaml:"security,omitempty" doc:"names of security definitions, any of which lets a caller in; default: everybody may call"`
	Rate     *Rate    `yaml:"rate,omitempty" doc:"how often one client may call; default: no limit"`
}

// A Rate bounds how often one client may call.
type Rate struct {
	PerSecond float64 `yaml:"perSecond" doc:"calls per second in the long run, such as 10 or 0.5"`
	Burst     int     `yaml:"burst,omitempty" doc:"calls at once after a pause; default perSecond, rounded up"`
}

// A Schedule is what a trigger that time starts has beside the keys of every
// trigger. Exactly one of Cron and Every is set.
type Schedule struct {
	Cron     string        `yaml:"schedule,omitempty" doc:"when, in five fields as cron has them (minute, hour, day of month, month, day of week), or @hourly, @daily, @weekly, @monthly, @yearly"`
	Every    time.Duration `yaml:"every,omitempty" doc:"at multiples of this time since the Unix epoch, such as 15m; instead of schedule"`
	TimeZone string        `yaml:"timeZone,omitempty" doc:"time zone of schedule, such as Europe/Berlin; default UTC"`
	Missed   string        `yaml:"missed,omitempty" enum:"skip,once" doc:"what becomes of runs that were due while no replica ran: skip or once; default skip"`
}

// Timetable returns when the trigger is due.
func (s Schedule) Timetable() (schedule.Timetable, error) {
	if s.Every > 0 {
		return schedule.Every(s.Every)
	}
	return schedule.Cron(s.Cron, s.TimeZone)
}

// kindOf returns what a trigger without a connection has beside the keys of every
// trigger: it is on a topic of the store, for HTTP requests, or started by time.
// It returns nil if that cannot be told.
func (t *Trigger) kindOf(n *node) any {
	switch {
	case n.get("topic") != nil:
		return &t.StoreTopic
	case n.get("http") != nil:
		t.Channel = new(Channel)
		return t.Channel
	case n.get("schedule") != nil, n.get("every") != nil:
		t.Schedule = new(Schedule)
		return t.Schedule
	}
	return nil
}

// inapplicable reports keys that a trigger of some kind cannot have, and why.
func (r *reader) inapplicable(n *node, why string, keys ...string) {
	for _, key := range keys {
		if k := n.get(key); k != nil {
			r.atKey(k, "the key "+key, "none: "+why)
		}
	}
}

// checkChannel checks a trigger for HTTP requests.
func (r *reader) checkChannel(c *Config, n *node, t *Channel) {
	r.inapplicable(n, "an http trigger makes one attempt and answers its caller", "concurrency", "prefetch", "ordered", "retry", "deadLetter", "replyTo", "reply", "eventId", "autoAccept")
	r.checkRoute(n.get("http"), t.Route)
	r.checkAdmission(c, n.get("security"), t.Security)
	rate := n.get("rate")
	if p := rate.get("perSecond"); r.ok(p) && !(t.Rate.PerSecond > 0 && t.Rate.PerSecond <= maxRate) {
		r.at(p, p.describe(), fmt.Sprintf("a number above 0, up to %d", int(maxRate)))
	}
	if b := rate.get("burst"); r.ok(b) && t.Rate.Burst < 1 {
		r.at(b, b.describe(), "a number from 1")
	}
}

const maxRate = 1e6

// checkAdmission checks that n, which may be nil, names security definitions.
func (r *reader) checkAdmission(c *Config, n *node, names []string) {
	if !r.ok(n) {
		return
	}
	if len(names) == 0 {
		r.at(n, "an empty list", "the names of security definitions; without the key everybody may call")
	}
	for _, item := range n.children {
		r.checkReference(item, "security")
		if c.Security[item.text].Type == "mtls" && c.HTTP.TLS == nil {
			r.at(item, item.describe()+", which is of type mtls", "http.tls beside it: without TLS there are no client certificates")
		}
	}
}

// probes are the paths that are answered before any trigger is asked.
var probes = []string{"/health/readiness", "/health/liveness"}

// checkRoute checks METHOD /path/{variable}.
func (r *reader) checkRoute(n *node, route string) {
	if !r.ok(n) {
		return
	}
	const want = "METHOD /path, such as POST /customers/{id}"
	method, path, ok := strings.Cut(route, " ")
	switch {
	case !ok || method == "" || strings.Trim(method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" || !strings.HasPrefix(path, "/"):
		r.at(n, n.describe(), want)
	case slices.Contains(probes, path):
		r.at(n, n.describe(), "another path: this one is the program's own")
	default:
		if err := register(http.NewServeMux(), route); err != nil {
			r.at(n, n.describe(), want+": "+err.Error())
		}
	}
}

// checkRoutes reports triggers that would get the same requests.
func (r *reader) checkRoutes(c *Config) {
	mux := http.NewServeMux()
	var names []string
	for _, n := range r.root.get("triggers").named() {
		h := n.get("http")
		if c.Triggers[n.key].Channel == nil || !r.ok(h) {
			continue
		}
		route := c.Triggers[n.key].Channel.Route
		if err := register(mux, route); err != nil {
			i := slices.IndexFunc(names, func(other string) bool { return conflict(c.Triggers[other].Channel.Route, route) })
			other := names[max(i, 0)]
			r.at(h, h.describe(), fmt.Sprintf("a route apart from %q of trigger %s: some requests are for both, and neither is the more specific", c.Triggers[other].Channel.Route, other))
			continue
		}
		names = append(names, n.key)
	}
}

// conflict reports whether one server cannot serve two routes.
func conflict(a, b string) bool {
	mux := http.NewServeMux()
	return register(mux, a) != nil || register(mux, b) != nil
}

// register adds a route to mux. The only way to ask net/http whether it can
// serve one is to try, and to catch its panic; mux is as before then.
func register(mux *http.ServeMux, route string) (err error) {
	defer func() {
		if v := recover(); v != nil {
			text := fmt.Sprint(v)
			if _, after, ok := strings.Cut(text, ": "); ok {
				text = after
			}
			err = errors.New(text)
		}
	}()
	mux.Handle(route, http.NotFoundHandler())
	return nil
}

// checkSchedule checks a trigger that time starts.
func (r *reader) checkSchedule(n *node, s *Schedule) {
	r.inapplicable(n, "a schedule trigger runs once at a time and has nobody to answer", "concurrency", "prefetch", "ordered", "replyTo", "reply", "eventId", "format", "autoAccept")
	cron, every, zone := n.get("schedule"), n.get("every"), n.get("timeZone")
	if cron != nil && every != nil {
		r.at(every, "every beside schedule", "one of them")
		return
	}
	if every != nil && zone != nil {
		r.at(zone, "timeZone beside every", "none: an interval is the same everywhere")
	}
	if (cron == nil || r.ok(cron)) && (every == nil || r.ok(every)) && r.ok(n) {
		if _, err := s.Timetable(); err != nil {
			place := cron
			if cron == nil {
				place = every
			} else if schedule.CheckZone(s.TimeZone) != nil {
				place = zone
			}
			r.at(place, place.describe(), err.Error())
		}
	}
}
