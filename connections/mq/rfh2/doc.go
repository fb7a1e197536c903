// Package rfh2 reads and writes the headers that stand in front of the body of
// an IBM MQ message, above all MQRFH2, which carries JMS headers and
// properties, and the XML bodies of JMS map and stream messages.
//
// It is pure Go and knows the wire only: integers in both byte orders, text in
// the character sets that are met in practice, chains of headers. What the
// bytes of a message mean is said by the header before them, and of the first
// ones by the message descriptor; a [Layout] holds that.
//
// Input is hostile. Whatever it claims, reading takes time in proportion to its
// length, allocates no more than about five times its length and 64 KiB, and
// ends with an error or a value, never with a panic.
package rfh2
