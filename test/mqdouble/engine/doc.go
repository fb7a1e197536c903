// Package engine is a double of a queue manager of IBM MQ, in memory, for tests
// alone: shared queues, units of work, backout counts, contexts, message
// properties, browsing, waits, limits and faults, as IBM's documentation
// describes them. It is no product, keeps nothing on disk and has no security;
// it names itself a double where an application can ask.
//
// It has no publish and subscribe, no asynchronous consumption, no conversion of
// text, no segmentation and no remote queues.
package engine
