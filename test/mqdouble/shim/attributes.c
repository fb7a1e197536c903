#include "wire.h"

static const size_t width = sizeof(MQLONG);

void MQINQ(MQHCONN h, MQHOBJ object, MQLONG count, PMQLONG selectors, MQLONG ints, PMQLONG values, MQLONG length, PMQCHAR chars, PMQLONG cc, PMQLONG rc)
{
	struct connection *c = acquire(h, VERB_INQ, cc, rc);
	if (!c)
		return;
	put_int(&c->out, object);
	put_bytes(&c->out, selectors, (size_t)count * width);
	put_int(&c->out, ints);
	put_int(&c->out, length);
	if (call(c, cc, rc)) {
		get_bytes(&c->in, values, (size_t)ints * width);
		get_bytes(&c->in, chars, (size_t)length);
	}
	release(c);
}

void MQSET(MQHCONN h, MQHOBJ object, MQLONG count, PMQLONG selectors, MQLONG ints, PMQLONG values, MQLONG length, PMQCHAR chars, PMQLONG cc, PMQLONG rc)
{
	struct connection *c = acquire(h, VERB_SET, cc, rc);
	if (!c)
		return;
	put_int(&c->out, object);
	put_bytes(&c->out, selectors, (size_t)count * width);
	put_bytes(&c->out, values, (size_t)ints * width);
	put_bytes(&c->out, chars, (size_t)length);
	call(c, cc, rc);
	release(c);
}

/* Message handles and properties */

void MQCRTMH(MQHCONN h, PMQVOID options, PMQHMSG message, PMQLONG cc, PMQLONG rc)
{
	(void)options;
	struct connection *c = acquire(h, VERB_CRTMH, cc, rc);
	*message = MQHM_UNUSABLE_HMSG;
	if (!c)
		return;
	if (call(c, cc, rc))
		*message = get_long(&c->in);
	release(c);
}

void MQDLTMH(MQHCONN h, PMQHMSG message, PMQVOID options, PMQLONG cc, PMQLONG rc)
{
	(void)options;
	struct connection *c = acquire(h, VERB_DLTMH, cc, rc);
	if (!c)
		return;
	put_long(&c->out, *message);
	call(c, cc, rc);
	*message = MQHM_UNUSABLE_HMSG;
	release(c);
}

void MQSETMP(MQHCONN h, MQHMSG message, PMQVOID options, PMQVOID name, PMQVOID descriptor, MQLONG type, MQLONG length, PMQVOID value, PMQLONG cc, PMQLONG rc)
{
	(void)options, (void)descriptor;
	struct connection *c = acquire(h, VERB_SETMP, cc, rc);
	if (!c)
		return;
	put_long(&c->out, message);
	put_charv(&c->out, name);
	put_int(&c->out, type);
	put_bytes(&c->out, value, (size_t)length);
	call(c, cc, rc);
	release(c);
}

void MQDLTMP(MQHCONN h, MQHMSG message, PMQVOID options, PMQVOID name, PMQLONG cc, PMQLONG rc)
{
	(void)options;
	struct connection *c = acquire(h, VERB_DLTMP, cc, rc);
	if (!c)
		return;
	put_long(&c->out, message);
	put_charv(&c->out, name);
	call(c, cc, rc);
	release(c);
}

void MQINQMP(MQHCONN h, MQHMSG message, PMQVOID options, PMQVOID name, PMQVOID descriptor, PMQLONG type, MQLONG length, PMQVOID value, PMQLONG full, PMQLONG cc, PMQLONG rc)
{
	(void)descriptor;
	MQIMPO *impo = options;
	struct connection *c = acquire(h, VERB_INQMP, cc, rc);
	if (!c)
		return;
	put_long(&c->out, message);
	put_charv(&c->out, name);
	put_int(&c->out, impo->Options);
	put_int(&c->out, length);
	if (call(c, cc, rc)) {
		size_t most = impo->ReturnedName.VSBufSize > 0 ? (size_t)impo->ReturnedName.VSBufSize : 0;
		size_t n = get_bytes(&c->in, impo->ReturnedName.VSPtr, most);
		impo->ReturnedName.VSLength = (MQLONG)(n < most ? n : most);
		*type = get_int(&c->in);
		*full = get_int(&c->in);
		get_bytes(&c->in, value, (size_t)length);
	}
	release(c);
}
