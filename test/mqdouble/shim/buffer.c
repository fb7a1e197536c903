#include <stdlib.h>
#include <string.h>

#include "wire.h"

static void *room(struct buffer *b, size_t n)
{
	if (b->len + n > b->cap) {
		size_t cap = b->cap ? b->cap : 1024;
		while (cap < b->len + n)
			cap *= 2;
		unsigned char *data = realloc(b->data, cap);
		if (!data) {
			b->failed = true;
			return NULL;
		}
		b->data = data;
		b->cap = cap;
	}
	void *p = b->data + b->len;
	b->len += n;
	return p;
}

static void put(struct buffer *b, const void *p, size_t n)
{
	if (n == 0)
		return;
	void *to = room(b, n);
	if (to)
		memcpy(to, p, n);
}

void put_int(struct buffer *b, int32_t v) { put(b, &v, sizeof v); }
void put_long(struct buffer *b, int64_t v) { put(b, &v, sizeof v); }

void put_bytes(struct buffer *b, const void *p, size_t n)
{
	put_int(b, p ? (int32_t)n : 0);
	if (p)
		put(b, p, n);
}

void put_name(struct buffer *b, const char *p, size_t most) { put_bytes(b, p, p ? strnlen(p, most) : 0); }

void put_charv(struct buffer *b, const MQCHARV *v)
{
	if (v->VSLength == MQVS_NULL_TERMINATED)
		put_name(b, v->VSPtr, 1 << 16);
	else
		put_bytes(b, v->VSPtr, v->VSLength > 0 ? (size_t)v->VSLength : 0);
}

static void get(struct buffer *b, void *p, size_t n)
{
	if (b->len - b->at < n) {
		b->failed = true;
		memset(p, 0, n);
		return;
	}
	if (n)
		memcpy(p, b->data + b->at, n);
	b->at += n;
}

int32_t get_int(struct buffer *b)
{
	int32_t v;
	get(b, &v, sizeof v);
	return v;
}

int64_t get_long(struct buffer *b)
{
	int64_t v;
	get(b, &v, sizeof v);
	return v;
}

size_t get_bytes(struct buffer *b, void *p, size_t most)
{
	int32_t n = get_int(b);
	if (n < 0 || b->len - b->at < (size_t)n) {
		b->failed = true;
		return 0;
	}
	if (p && n)
		memcpy(p, b->data + b->at, (size_t)n < most ? (size_t)n : most);
	b->at += (size_t)n;
	return (size_t)n;
}
