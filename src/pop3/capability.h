/* pop3/capability.h: what CAPA tells (RFC 2449 §5), before STLS, under TLS and after sign-in. */
#ifndef POP3_CAPABILITY_H
#define POP3_CAPABILITY_H

#include "base/buf.h"

enum pop3_stage {
	POP3_STAGE_PLAIN = 1, /* before STLS: no USER, no SASL */
	POP3_STAGE_TLS = 2,   /* before sign-in */
	POP3_STAGE_SIGNED_IN = 4,
};

/* Appends the whole answer, from "+OK" to the dot. */
void pop3_capability_write(enum pop3_stage stage, struct buf *out);

#endif
