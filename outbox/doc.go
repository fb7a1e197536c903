// Package outbox is the Postgres store: it keeps what is published until it is
// delivered, remembers what was done, and holds what failed.
//
// One event, as one straight line:
//
//	Publish ─► delivery row ─► claim (lease) ─► function ─► row deleted
//	 in the caller's                              │ error
//	 own transaction                              ├─ retryable ─► parked until it is due ─► claim
//	                                              └─ terminal, expired, or attempts used up ─► dead letter ─► replay
//
// A row is claimed by being in the list of what a replica holds of its queue: one
// row for each of them, replaced by each cycle, so that a delivery is written
// once and removed once. The claim holds while the replica renews its lease;
// whoever dies loses what it held. Nothing else hands
// rows out: a notification only says that it is worth to look, and looking
// happens at least every 250 ms anyway. A claim finds rows by what they are, never by
// "greater than the last one", so a transaction that commits late is not skipped.
//
// What is done, what failed and what is claimed next is written by one
// transaction, the cycle of a consumer (cycle.go); the lock it takes makes the
// cycles of one queue follow each other on all replicas, and that is what keeps the
// events of one key in order.
//
// The same queues carry messages that a binding stages (relay.go) and retries
// that a trigger parks (retry.go). [Store.Transact] commits a function's SQL,
// what it publishes and sends, and the memory of its event together.
//
// Postgres 15 or later.
package outbox
