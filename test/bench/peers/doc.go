// Package peers compares the outbox with River, with Watermill's Postgres queue
// and with plain loops over pgx, in one run on the same Postgres.
//
// It is a module of its own, so that the peers do not become dependencies of
// Fairlead. Every benchmark starts a Postgres for itself, as "fairlead run" does:
// that one has fsync on, which the tests' shared one has not. Contestants take
// turns, the order is reversed every other round, and what counts is the median
// of the ratios; a target that is missed is shown, not an error, because machines
// are noisy. Run it with "make bench", or from this folder with
//
//	go test -run '^$' -bench . -timeout 60m
//
// Raw loops notify as the outbox does: after the transaction, debounced. The relay
// is compared with two: with a sender that has its messages in memory and reads no
// table, and with a loop that takes them from one.
//
// FAIRLEAD_BENCH_EVENTS (default 200000) is how many events the soak delivers, and
// FAIRLEAD_BENCH_HELD (default 20s) how long a transaction is held open.
package peers
