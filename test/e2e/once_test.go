package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/test/services"
)

// points are where the process dies on its way from the broker to what a
// function has published, once for each message that is named so.
var points = []string{"begun", "worked", "committed", "invoicebegun", "invoiceworked", "invoicecommitted"}

// TestEffectsHappenOnce kills the program at each point between receiving a
// message and settling it, and again behind what its function published.
// Whatever the function wrote to the database is there once.
func TestEffectsHappenOnce(t *testing.T) {
	if testing.Short() {
		t.Skip("short: takes a minute")
	}
	for _, s := range []setup{{"artemis", "amqp"}, {"classic", "stomp"}, {"rabbitmq", "stomp"}} { // STOMP on Artemis counts deaths, and gives up after ten
		t.Run(s.String(), func(t *testing.T) {
			t.Parallel()
			b, url := s.shared(t), services.Postgres(t)
			db := effects(t, url)
			in, out := queueName(t, "in"), queueName(t, "out")
			p := newPeer(t, s, b)
			p.declare(in, out)
			a := newApp(t, fmt.Sprintf(`
version: 1
store: {url: %q}
admin: {listen: "off"}
connections:
  main: {type: %s, url: "%s://%s", user: %s, password: "%s"}
triggers:
  in: {connection: main, queue: %s, function: book, concurrency: 2, prefetch: 4}
bindings:
  out: {connection: main, queue: %s}
`, url, s.protocol, s.protocol, s.address(b), b.User, b.Password, in, out))
			a.env = []string{"E2E_MARKS=" + t.TempDir()}

			var ids []string
			each := max(1, count(t)/1500)
			for i := range each {
				for _, point := range points {
					ids = append(ids, fmt.Sprintf("%s-%d", point, i))
				}
			}
			for _, id := range append(ids, "every-time") {
				p.publish(in, id)
			}
			deaths := 0
			var done time.Time // since when all effects are there and nothing has died
			a.start()
			for end := time.Now().Add(3 * time.Minute); ; time.Sleep(50 * time.Millisecond) {
				if a.died() {
					deaths++
					a.start()
					done = time.Time{}
				}
				if rows(t, db, "select count(*) from effects") == 2*len(ids) && rows(t, db, "select count(*) from fairlead.dead") == 1 {
					if done.IsZero() {
						done = time.Now()
					}
					if time.Since(done) > 3*time.Second { // the last death comes after its effect
						break
					}
				}
				if time.Now().After(end) {
					t.Errorf("still not done after %d deaths", deaths)
					break
				}
			}
			seen := make(map[string]int)
			p.drain(out, 2*time.Second, func(d connections.Delivery) { seen[string(d.Body)]++ })
			if a.died() {
				t.Error("it died when all was done")
			} else {
				a.stop()
			}
			doubled := 0
			for _, id := range ids {
				for _, stage := range []string{"", "invoice"} {
					if n := rows(t, db, "select count(*) from effects where id = $1 and stage = $2", id, stage); n != 1 {
						t.Errorf("%s%s happened %d times, want once", stage, id, n)
					}
				}
				if seen[id] == 0 {
					t.Errorf("%s was not sent", id)
				}
				doubled += seen[id] - 1
			}
			if want := len(points) * each; deaths < want {
				t.Errorf("the program died %d times, want at least %d", deaths, want)
			}
			var cause string
			if err := db.QueryRow(t.Context(), "select error from fairlead.dead").Scan(&cause); err != nil || !strings.Contains(cause, "the process died 3 times") {
				t.Errorf("the message that kills each time: got cause %q, %v", cause, err)
			}
			p.drain(in, time.Second, func(d connections.Delivery) { t.Errorf("%s was left in the queue", d.Body) })
			t.Logf("%d messages, %d deaths, %d sent twice", len(ids), deaths, doubled)
		})
	}
}

// effects makes the table that functions write to.
func effects(t *testing.T, url string) *pgxpool.Pool {
	t.Helper()
	db, err := pgxpool.New(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	if _, err := db.Exec(t.Context(), "create table effects (stage text, id text)"); err != nil {
		t.Fatal(err)
	}
	return db
}

// rows counts; a table that is not there yet has none.
func rows(t *testing.T, db *pgxpool.Pool, sql string, args ...any) (n int) {
	t.Helper()
	if err := db.QueryRow(t.Context(), sql, args...).Scan(&n); err != nil && !strings.Contains(err.Error(), "does not exist") {
		t.Fatal(err)
	}
	return n
}

// died reports whether the program has ended by itself, and forgets it if so.
func (a *app) died() bool {
	a.t.Helper()
	if a.cmd == nil {
		return true
	}
	select {
	case <-a.ended:
		a.cmd = nil
		return true
	default:
		return false
	}
}
