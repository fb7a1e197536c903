/* The connection between the shim and the double: frames over a socket. */
#ifndef MQDOUBLE_WIRE_H
#define MQDOUBLE_WIRE_H

#include <pthread.h>
#include <stdbool.h>

#include "cmqc.h"

/* The requests; test/mqdouble/wire has the same list. */
enum verb {
	VERB_CONNX = 1, VERB_DISC, VERB_OPEN, VERB_CLOSE, VERB_PUT, VERB_PUT1, VERB_GET, VERB_CMIT, VERB_BACK,
	VERB_INQ, VERB_SET, VERB_CRTMH, VERB_DLTMH, VERB_SETMP, VERB_INQMP, VERB_DLTMP
};

/* Bytes that are written to their end or read from their beginning. What cannot
   be written or read sets failed and is skipped. */
struct buffer {
	unsigned char *data;
	size_t len, cap, at;
	bool failed;
};

void put_int(struct buffer *b, int32_t v);
void put_long(struct buffer *b, int64_t v);
void put_bytes(struct buffer *b, const void *p, size_t n);    /* with their length */
void put_name(struct buffer *b, const char *p, size_t most);  /* up to a NUL */
void put_charv(struct buffer *b, const MQCHARV *v);

int32_t get_int(struct buffer *b);
int64_t get_long(struct buffer *b);
size_t get_bytes(struct buffer *b, void *p, size_t most);     /* returns their length */

/* One connection handle. Only the holder of busy touches the rest. */
struct connection {
	pthread_mutex_t busy;
	int fd;              /* -1 once the connection is broken */
	struct buffer out, in;
};

/* acquire begins a verb on a handle. It fails as the MQI does if there is no such
   handle or another verb is in progress on it. */
struct connection *acquire(MQHCONN handle, enum verb verb, PMQLONG cc, PMQLONG rc);

/* call sends the request and reads the answer's completion and reason code; what
   else the answer holds is to be read from in. It returns false if nothing is. */
bool call(struct connection *c, PMQLONG cc, PMQLONG rc);

void release(struct connection *c);

/* connect_to connects to host(port), or to the first of a list that answers.
   Only loopback addresses are allowed. It returns a socket or -1. */
int connect_to(const char *names);

/* add makes a handle of a socket, drop closes it and forgets it. */
MQHCONN add(int fd);
void drop(MQHCONN handle, struct connection *c);

void fail(PMQLONG cc, PMQLONG rc, MQLONG reason);

#endif
