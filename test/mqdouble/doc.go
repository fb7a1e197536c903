// Package mqdouble is a double of a queue manager of IBM MQ and of IBM's client
// library, for tests alone. No queue manager and no client can be had where
// Fairlead is tested, but mq-golang is the real one: it is compiled, unmodified,
// against header files that [Build] makes, and linked with a small libmqm_r.so
// of our own, which hands every verb to a queue manager in Go ([Start]).
//
//	package engine   the queue manager: queues, units of work, properties, faults
//	package wire     serves the engine to the C library, over loopback
//	folder shim      the C library
//	package headers  makes the header files, from mq-golang's own constants
//	cmd/mqdouble     builds all of it, and runs the queue manager as a program
//
// What passes here has not been run against IBM MQ; docs/ibm-mq.md says what may
// be concluded.
package mqdouble
