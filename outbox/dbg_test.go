package outbox
import ("testing";"github.com/jackc/pgx/v5/pgxpool";"fmt")
func dbg(t *testing.T, pool *pgxpool.Pool) {
	for _, q := range []string{
		`select 'delivery', queue, owner, claims, count(*), min(seq), max(seq), count(distinct key) from fairlead.delivery group by 1,2,3,4`,
		`select 'parked', queue, owner, claims, run_at::text, attempts, count(*), min(seq), max(seq), min(key), min(error) from fairlead.parked group by 1,2,3,4,5,6 limit 20`,
		`select id, name, expires_at::text, now()::text, queues::text from fairlead.replica`,
		`select * from switch`,
		`select pid, state, wait_event_type, wait_event, left(query,80), now()-xact_start from pg_stat_activity where datname=current_database() and state <> 'idle'`,
		`select topic, kind, id from fairlead.subscription`, `select count(*), sum(kills) from fairlead.ledger`,
	} {
		rows, err := pool.Query(t.Context(), q)
		if err != nil { t.Log(err); continue }
		for rows.Next() { v, _ := rows.Values(); t.Log(fmt.Sprint(v...)) ; t.Logf("%v", v)}
		rows.Close()
	}
}
