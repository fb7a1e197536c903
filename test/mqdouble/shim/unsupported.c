/* Verbs that the double does not have. They must exist, because mq-golang is
   linked with all of them. */
#include "wire.h"

#define UNSUPPORTED fail(cc, rc, MQRC_FUNCTION_NOT_SUPPORTED)

void MQBEGIN(MQHCONN h, PMQVOID o, PMQLONG cc, PMQLONG rc) { (void)h, (void)o, UNSUPPORTED; }
void MQSTAT(MQHCONN h, MQLONG t, PMQVOID s, PMQLONG cc, PMQLONG rc) { (void)h, (void)t, (void)s, UNSUPPORTED; }
void MQSUB(MQHCONN h, PMQVOID d, PMQHOBJ q, PMQHOBJ s, PMQLONG cc, PMQLONG rc) { (void)h, (void)d, (void)q, (void)s, UNSUPPORTED; }
void MQSUBRQ(MQHCONN h, MQHOBJ s, MQLONG a, PMQVOID o, PMQLONG cc, PMQLONG rc) { (void)h, (void)s, (void)a, (void)o, UNSUPPORTED; }
void MQCTL(MQHCONN h, MQLONG op, PMQVOID o, PMQLONG cc, PMQLONG rc) { (void)h, (void)op, (void)o, UNSUPPORTED; }

void MQCB(MQHCONN h, MQLONG op, PMQVOID d, MQHOBJ q, PMQVOID md, PMQVOID gmo, PMQLONG cc, PMQLONG rc)
{
	(void)h, (void)op, (void)d, (void)q, (void)md, (void)gmo, UNSUPPORTED;
}
