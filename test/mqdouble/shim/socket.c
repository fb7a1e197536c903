#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "wire.h"

enum { HANDLES = 4096 };

/* Buffers that grew beyond this are given back after the verb. */
static const size_t keep = 1 << 20;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards the table */
static struct connection *table[HANDLES];

void fail(PMQLONG cc, PMQLONG rc, MQLONG reason)
{
	*cc = MQCC_FAILED;
	*rc = reason;
}

struct connection *acquire(MQHCONN handle, enum verb verb, PMQLONG cc, PMQLONG rc)
{
	pthread_mutex_lock(&lock);
	struct connection *c = handle > 0 && handle < HANDLES ? table[handle] : NULL;
	MQLONG reason = MQRC_NONE;
	if (!c)
		reason = MQRC_HCONN_ERROR;
	else if (pthread_mutex_trylock(&c->busy) != 0)
		reason = MQRC_CALL_IN_PROGRESS;
	pthread_mutex_unlock(&lock);
	if (reason != MQRC_NONE) {
		fail(cc, rc, reason);
		return NULL;
	}
	c->out.len = 0;
	c->out.failed = false;
	put_int(&c->out, 0); /* the length, when it is known */
	put_int(&c->out, (int32_t)verb);
	return c;
}

static void shrink(struct buffer *b)
{
	if (b->cap > keep) {
		free(b->data);
		memset(b, 0, sizeof *b);
	}
}

void release(struct connection *c)
{
	shrink(&c->out);
	shrink(&c->in);
	pthread_mutex_unlock(&c->busy);
}

static bool send_all(int fd, const unsigned char *p, size_t n)
{
	while (n > 0) {
		ssize_t sent = send(fd, p, n, MSG_NOSIGNAL);
		if (sent < 0 && errno == EINTR)
			continue;
		if (sent <= 0)
			return false;
		p += sent;
		n -= (size_t)sent;
	}
	return true;
}

static bool receive_all(int fd, unsigned char *p, size_t n)
{
	while (n > 0) {
		ssize_t got = recv(fd, p, n, 0);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return false;
		p += got;
		n -= (size_t)got;
	}
	return true;
}

/* receive_frame reads one answer into in. */
static bool receive_frame(struct connection *c)
{
	struct buffer *b = &c->in;
	uint32_t n;
	b->len = b->at = 0;
	b->failed = false;
	if (!receive_all(c->fd, (unsigned char *)&n, sizeof n) || n > INT32_MAX)
		return false;
	if (n > b->cap) {
		unsigned char *data = realloc(b->data, n);
		if (!data)
			return false;
		b->data = data;
		b->cap = n;
	}
	b->len = n;
	return receive_all(c->fd, b->data, n);
}

bool call(struct connection *c, PMQLONG cc, PMQLONG rc)
{
	if (c->out.failed) {
		fail(cc, rc, MQRC_STORAGE_NOT_AVAILABLE);
		return false;
	}
	uint32_t n = (uint32_t)(c->out.len - sizeof n);
	memcpy(c->out.data, &n, sizeof n);
	if (c->fd < 0 || !send_all(c->fd, c->out.data, c->out.len) || !receive_frame(c)) {
		if (c->fd >= 0)
			close(c->fd);
		c->fd = -1;
		fail(cc, rc, MQRC_CONNECTION_BROKEN);
		return false;
	}
	*cc = get_int(&c->in);
	*rc = get_int(&c->in);
	return !c->in.failed;
}

MQHCONN add(int fd)
{
	struct connection *c = calloc(1, sizeof *c);
	MQHCONN handle = 0;
	if (!c)
		return 0;
	c->fd = fd;
	pthread_mutex_init(&c->busy, NULL);
	pthread_mutex_lock(&lock);
	for (MQHCONN h = 1; h < HANDLES && !handle; h++)
		if (!table[h]) {
			table[h] = c;
			handle = h;
		}
	pthread_mutex_unlock(&lock);
	if (!handle)
		free(c);
	return handle;
}

void drop(MQHCONN handle, struct connection *c)
{
	pthread_mutex_lock(&lock); /* so that nobody else can begin a verb on c */
	table[handle] = NULL;
	pthread_mutex_unlock(&lock);
	pthread_mutex_unlock(&c->busy);
	pthread_mutex_destroy(&c->busy);
	if (c->fd >= 0)
		close(c->fd);
	free(c->out.data);
	free(c->in.data);
	free(c);
}

static int connect_one(const char *host, int port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	if (strcmp(host, "localhost") == 0)
		host = "127.0.0.1";
	if (inet_pton(AF_INET, host, &a.sin_addr) != 1 || (ntohl(a.sin_addr.s_addr) >> 24) != 127)
		return -1; /* the double lives on loopback alone */
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
	if (fd < 0)
		return -1;
	if (connect(fd, (struct sockaddr *)&a, sizeof a) != 0) {
		close(fd);
		return -1;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	return fd;
}

int connect_to(const char *names)
{
	char list[MQ_CONN_NAME_LENGTH + 1], *rest = NULL;
	size_t n = strnlen(names, MQ_CONN_NAME_LENGTH);
	memcpy(list, names, n);
	list[n] = '\0';
	for (char *name = strtok_r(list, ", ", &rest); name; name = strtok_r(NULL, ", ", &rest)) {
		char *open = strchr(name, '(');
		int port = open ? atoi(open + 1) : 1414;
		if (open)
			*open = '\0';
		int fd = connect_one(name, port);
		if (fd >= 0)
			return fd;
	}
	return -1;
}
