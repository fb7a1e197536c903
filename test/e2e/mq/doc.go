// Package mq runs a whole program on the queue-manager double, through the real
// mq-golang, and kills it in every phase of its work. Its tests are behind the
// build tag mq.
package mq
