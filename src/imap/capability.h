/*
 * imap/capability.h: what the server says it can do: one table, seen before STARTTLS, under TLS
 * and after sign-in.
 */
#ifndef IMAP_CAPABILITY_H
#define IMAP_CAPABILITY_H

#include <stdint.h>

#include "base/buf.h"

enum imap_stage {
	IMAP_STAGE_PLAIN = 1, /* before STARTTLS: LOGINDISABLED */
	IMAP_STAGE_TLS = 2,   /* before sign-in */
	IMAP_STAGE_SIGNED_IN = 4,
};

/* Appends "IMAP4rev1 IMAP4rev2 …"; `append_limit` goes into APPENDLIMIT=n (RFC 7889). */
void imap_capability_write(enum imap_stage stage, uint64_t append_limit, struct buf *out);

/* "OK" text of the greeting and of sign-in has them in "[CAPABILITY …]". */
void imap_capability_code_write(enum imap_stage stage, uint64_t append_limit, struct buf *out);

#endif
