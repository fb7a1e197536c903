// Package mqi is the vocabulary of IBM MQ's message queue interface in pure Go:
// the constants that Fairlead uses, names of reason codes, message descriptors
// and identifiers. It does not talk to a queue manager; it lets everything that
// needs no client library be built and tested without one.
//
// Constants have IBM's own names, by which they are found in its documentation.
package mqi

//go:generate go run ../../../test/mqdouble/cmd/mqdouble constants -o constants.go constants.txt
