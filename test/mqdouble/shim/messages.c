#include <string.h>

#include "wire.h"

/* Structures travel as they are, as long as their version says. */

static size_t md_size(const MQMD *md) { return md->Version >= MQMD_VERSION_2 ? MQMD_LENGTH_2 : MQMD_LENGTH_1; }

static size_t gmo_size(const MQGMO *gmo)
{
	switch (gmo->Version) {
	case MQGMO_VERSION_1: return MQGMO_LENGTH_1;
	case MQGMO_VERSION_2: return MQGMO_LENGTH_2;
	case MQGMO_VERSION_3: return MQGMO_LENGTH_3;
	}
	return MQGMO_LENGTH_4;
}

static size_t pmo_size(const MQPMO *pmo)
{
	switch (pmo->Version) {
	case MQPMO_VERSION_1: return MQPMO_LENGTH_1;
	case MQPMO_VERSION_2: return MQPMO_LENGTH_2;
	}
	return MQPMO_LENGTH_3;
}

static size_t od_size(const MQOD *od)
{
	switch (od->Version) {
	case MQOD_VERSION_1: return MQOD_LENGTH_1;
	case MQOD_VERSION_2: return MQOD_LENGTH_2;
	case MQOD_VERSION_3: return MQOD_LENGTH_3;
	}
	return MQOD_LENGTH_4;
}

void MQOPEN(MQHCONN h, PMQVOID descriptor, MQLONG options, PMQHOBJ object, PMQLONG cc, PMQLONG rc)
{
	MQOD *od = descriptor;
	struct connection *c = acquire(h, VERB_OPEN, cc, rc);
	*object = MQHO_UNUSABLE_HOBJ;
	if (!c)
		return;
	put_bytes(&c->out, od, od_size(od));
	put_int(&c->out, options);
	if (call(c, cc, rc)) {
		get_bytes(&c->in, od, od_size(od));
		*object = get_int(&c->in);
	}
	release(c);
}

void MQCLOSE(MQHCONN h, PMQHOBJ object, MQLONG options, PMQLONG cc, PMQLONG rc)
{
	struct connection *c = acquire(h, VERB_CLOSE, cc, rc);
	if (!c)
		return;
	put_int(&c->out, *object);
	put_int(&c->out, options);
	call(c, cc, rc);
	*object = MQHO_UNUSABLE_HOBJ;
	release(c);
}

void MQPUT(MQHCONN h, MQHOBJ object, PMQVOID descriptor, PMQVOID options, MQLONG length, PMQVOID data, PMQLONG cc, PMQLONG rc)
{
	MQMD *md = descriptor;
	MQPMO *pmo = options;
	struct connection *c = acquire(h, VERB_PUT, cc, rc);
	if (!c)
		return;
	put_int(&c->out, object);
	put_bytes(&c->out, md, md_size(md));
	put_bytes(&c->out, pmo, pmo_size(pmo));
	put_bytes(&c->out, data, (size_t)length);
	if (call(c, cc, rc)) {
		get_bytes(&c->in, md, md_size(md));
		get_bytes(&c->in, pmo, pmo_size(pmo));
	}
	release(c);
}

void MQPUT1(MQHCONN h, PMQVOID object, PMQVOID descriptor, PMQVOID options, MQLONG length, PMQVOID data, PMQLONG cc, PMQLONG rc)
{
	MQOD *od = object;
	MQMD *md = descriptor;
	MQPMO *pmo = options;
	struct connection *c = acquire(h, VERB_PUT1, cc, rc);
	if (!c)
		return;
	put_bytes(&c->out, od, od_size(od));
	put_bytes(&c->out, md, md_size(md));
	put_bytes(&c->out, pmo, pmo_size(pmo));
	put_bytes(&c->out, data, (size_t)length);
	if (call(c, cc, rc)) {
		get_bytes(&c->in, od, od_size(od));
		get_bytes(&c->in, md, md_size(md));
		get_bytes(&c->in, pmo, pmo_size(pmo));
	}
	release(c);
}

void MQGET(MQHCONN h, MQHOBJ object, PMQVOID descriptor, PMQVOID options, MQLONG length, PMQVOID data, PMQLONG full, PMQLONG cc, PMQLONG rc)
{
	MQMD *md = descriptor;
	MQGMO *gmo = options;
	struct connection *c = acquire(h, VERB_GET, cc, rc);
	if (!c)
		return;
	put_int(&c->out, object);
	put_bytes(&c->out, md, md_size(md));
	put_bytes(&c->out, gmo, gmo_size(gmo));
	put_int(&c->out, length);
	if (call(c, cc, rc)) {
		get_bytes(&c->in, md, md_size(md));
		get_bytes(&c->in, gmo, gmo_size(gmo));
		*full = get_int(&c->in);
		get_bytes(&c->in, data, (size_t)length);
	}
	release(c);
}

static void simple(MQHCONN h, enum verb verb, PMQLONG cc, PMQLONG rc)
{
	struct connection *c = acquire(h, verb, cc, rc);
	if (!c)
		return;
	call(c, cc, rc);
	release(c);
}

void MQCMIT(MQHCONN h, PMQLONG cc, PMQLONG rc) { simple(h, VERB_CMIT, cc, rc); }
void MQBACK(MQHCONN h, PMQLONG cc, PMQLONG rc) { simple(h, VERB_BACK, cc, rc); }
