package outbox

import (
	"time"

	"github.com/jackc/pgx/v5"
)

// known is when a connection last saw the subscription of a target, made by a
// transaction that had committed. To look for it again with each event would cost
// more than anything else about storing one. It is the connection's, because that
// stands for one database, and it is trusted for a moment only: whoever deletes a
// subscription, or all tables, does not tell. What comes for a deleted one all the
// same is found later (see the chore "leavers").
type known map[knownTarget]time.Time

type knownTarget struct {
	in *statements // of its schema
	target
}

const (
	knownFor  = time.Second
	mostKnown = 1000 // targets
)

// knownKey finds what a connection knows in its custom data.
const knownKey = "fairlead known targets"

// knownOn returns what is known on conn; nil if that is nil.
func knownOn(conn *pgx.Conn) known {
	if conn == nil {
		return nil
	}
	data := conn.PgConn().CustomData()
	k, ok := data[knownKey].(known)
	if !ok {
		k = make(known)
		data[knownKey] = k
	}
	return k
}

// holds reports whether the target's subscription is there.
func (k known) holds(in *statements, t target) bool {
	return time.Since(k[knownTarget{in, t}]) < knownFor
}

// add notes that it is. On a nil k it does nothing.
func (k known) add(in *statements, t target) {
	if k == nil {
		return
	}
	if len(k) >= mostKnown {
		clear(k)
	}
	k[knownTarget{in, t}] = time.Now()
}
