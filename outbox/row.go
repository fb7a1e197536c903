package outbox

import (
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/fairlead/fairlead/framework"
)

// A row is one claimed row of the delivery or the parked table.
type row struct {
	parked   bool // of the parked table
	keyed    bool
	held     bool // another row of its key is parked before it
	replayed bool // a replay asked to bypass the inbox
	expires  bool // after ttl, from when it was claimed

	rank     int16
	seq      int64
	owner    int32 // the replica id it was claimed with
	claims   int16 // how often it was claimed without word of what came of it, this time included
	attempts int   // how often the function failed
	key      string
	id       string
	header   []byte
	data     []byte
	payload  int64 // its row of the payload table; 0: none
	created  time.Time
	first    time.Time // when the function failed first; zero: never
	last     time.Time // and last

	claimed time.Time // by the local clock
	ttl     time.Duration

	send *StagedSend // of a relay's row: what it holds,
	bad  error       // or why it cannot be read
}

// left is how much of the row's time to live is left.
func (r *row) left() time.Duration { return r.ttl - time.Since(r.claimed) }

// expired reports whether nothing is.
func (r *row) expired() bool { return r.expires && r.left() <= 0 }

// errExpired is why an event whose time to live is over is a dead letter.
var errExpired = framework.Terminal(errors.New("expired"))

// unlessExpired calls f, if the row's time to live is not over.
func (r *row) unlessExpired(f func() error) error {
	if r.expired() {
		return errExpired
	}
	return f()
}

// scanRows reads the result of a claim. Rows without an owner were only looked at.
func scanRows(rows pgx.Rows, parked bool) (taken []*row, window []windowRow, err error) {
	defer rows.Close()
	now := time.Now()
	for rows.Next() {
		r := &row{parked: parked, claimed: now}
		var f fields
		err := rows.Scan(&r.rank, &r.seq, &r.owner, &r.claims, &r.attempts, &f.key, &f.id, &r.header, &r.data, &f.payload,
			&r.held, &r.replayed, &f.left, &f.created, &f.first, &f.last)
		if err != nil {
			return nil, nil, err
		}
		window = append(window, windowRow{rank: r.rank, seq: r.seq, taken: r.owner != 0})
		if r.owner == 0 {
			continue
		}
		r.key, r.keyed, r.id, r.payload = f.key.String, f.key.Valid, f.id.String, f.payload.Int64
		r.ttl, r.expires = time.Duration(f.left.Int64)*time.Millisecond, f.left.Valid
		r.created, r.first, r.last = f.created.Time, f.first.Time, f.last.Time
		taken = append(taken, r)
	}
	return taken, window, rows.Err()
}

// fields are the columns of a claim's result that may be null.
type fields struct {
	key, id              pgtype.Text
	payload, left        pgtype.Int8
	created, first, last pgtype.Timestamptz
}
