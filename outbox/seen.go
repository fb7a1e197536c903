package outbox

import (
	"time"

	"github.com/jackc/pgx/v5"
)

// seenTargets is when a connection last saw the subscription of a target, made by
// a transaction that had committed. To look for it again with each event would cost
// more than anything else about storing one. It is the connection's, because that
// stands for one database, and it is trusted for a moment only: whoever deletes a
// subscription, or all tables, does not tell. What comes for a deleted one all the
// same is found later (see the chore "leavers").
type seenTargets map[seenTarget]time.Time

type seenTarget struct {
	in *statements // of its schema
	target
}

const (
	trusted  = time.Second // how long after it was seen
	mostSeen = 1000        // targets
)

// seenKey finds what a connection has seen in its custom data.
const seenKey = "fairlead seen targets"

// seenOn returns what was seen on conn; nil if that is nil.
func seenOn(conn *pgx.Conn) seenTargets {
	if conn == nil {
		return nil
	}
	data := conn.PgConn().CustomData()
	s, ok := data[seenKey].(seenTargets)
	if !ok {
		s = make(seenTargets)
		data[seenKey] = s
	}
	return s
}

// holds reports whether the target's subscription is there.
func (s seenTargets) holds(in *statements, t target) bool {
	return time.Since(s[seenTarget{in, t}]) < trusted
}

// add notes that it is. On a nil map it does nothing.
func (s seenTargets) add(in *statements, t target) {
	if s == nil {
		return
	}
	if len(s) >= mostSeen {
		clear(s)
	}
	s[seenTarget{in, t}] = time.Now()
}
