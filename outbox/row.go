package outbox

import (
	"time"

	"github.com/jackc/pgx/v5"
)

// A row is one claimed row of the delivery or the parked table.
type row struct {
	parked   bool // of the parked table
	keyed    bool
	held     bool // another row of its key is parked before it
	expired  bool
	replayed bool // a replay asked to bypass the inbox

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

	send *StagedSend // of a relay's row: what it holds,
	bad  error       // or why it cannot be read
}

// scanRows reads the result of a claim. Rows without an owner were only looked at.
func scanRows(rows pgx.Rows, parked bool) (taken []*row, window []windowRow, err error) {
	defer rows.Close()
	now := time.Now()
	for rows.Next() {
		r := &row{parked: parked, claimed: now}
		var key, id *string
		var payload *int64
		var created, first, last *time.Time
		err := rows.Scan(&r.rank, &r.seq, &r.owner, &r.claims, &r.attempts, &key, &id, &r.header, &r.data, &payload,
			&r.held, &r.replayed, &r.expired, &created, &first, &last)
		if err != nil {
			return nil, nil, err
		}
		window = append(window, windowRow{rank: r.rank, seq: r.seq, taken: r.owner != 0})
		if r.owner == 0 {
			continue
		}
		if key != nil {
			r.key, r.keyed = *key, true
		}
		if payload != nil {
			r.payload = *payload
		}
		r.id, r.created = *id, *created
		if first != nil && last != nil {
			r.first, r.last = *first, *last
		}
		taken = append(taken, r)
	}
	return taken, window, rows.Err()
}
