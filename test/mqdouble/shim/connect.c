#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wire.h"

/* Where to connect to: from the channel definition, else from MQSERVER. */
struct where {
	char channel[MQ_CHANNEL_NAME_LENGTH + 1];
	char names[MQ_CONN_NAME_LENGTH + 1];
};

static bool find(const MQCNO *cno, struct where *w)
{
	memset(w, 0, sizeof *w);
	if (cno->Version >= MQCNO_VERSION_2 && cno->ClientConnPtr) {
		const MQCD *cd = cno->ClientConnPtr;
		memcpy(w->channel, cd->ChannelName, MQ_CHANNEL_NAME_LENGTH);
		memcpy(w->names, cd->ConnectionName, MQ_CONN_NAME_LENGTH);
		return true;
	}
	const char *server = getenv("MQSERVER");
	return server && sscanf(server, "%20[^/]/TCP/%264s", w->channel, w->names) == 2;
}

static void put_user(struct buffer *b, const MQCNO *cno)
{
	const MQCSP *csp = cno->Version >= MQCNO_VERSION_5 ? cno->SecurityParmsPtr : NULL;
	if (csp && csp->AuthenticationType == MQCSP_AUTH_USER_ID_AND_PWD) {
		put_bytes(b, csp->CSPUserIdPtr, (size_t)csp->CSPUserIdLength);
		put_bytes(b, csp->CSPPasswordPtr, (size_t)csp->CSPPasswordLength);
		return;
	}
	put_bytes(b, NULL, 0);
	put_bytes(b, NULL, 0);
}

void MQCONNX(PMQCHAR name, PMQCNO cno, PMQHCONN handle, PMQLONG cc, PMQLONG rc)
{
	struct where w;
	*handle = MQHC_UNUSABLE_HCONN;
	if (!find(cno, &w)) {
		fail(cc, rc, MQRC_CLIENT_CONN_ERROR); /* a CCDT is not read here */
		return;
	}
	int fd = connect_to(w.names);
	if (fd < 0) {
		fail(cc, rc, MQRC_HOST_NOT_AVAILABLE);
		return;
	}
	MQHCONN h = add(fd);
	struct connection *c = acquire(h, VERB_CONNX, cc, rc);
	if (!c)
		return;
	put_name(&c->out, name, MQ_Q_MGR_NAME_LENGTH);
	put_name(&c->out, w.channel, MQ_CHANNEL_NAME_LENGTH);
	put_user(&c->out, cno);
	put_name(&c->out, cno->Version >= MQCNO_VERSION_7 ? cno->ApplName : "", MQ_APPL_NAME_LENGTH);
	if (call(c, cc, rc) && *cc != MQCC_FAILED) {
		*handle = h;
		release(c);
		return;
	}
	drop(h, c);
}

void MQDISC(PMQHCONN handle, PMQLONG cc, PMQLONG rc)
{
	struct connection *c = acquire(*handle, VERB_DISC, cc, rc);
	if (!c)
		return;
	call(c, cc, rc);
	drop(*handle, c);
	*handle = MQHC_UNUSABLE_HCONN;
}
