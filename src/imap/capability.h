/*
 * imap/capability.h: what the server says it can do: one table, seen before STARTTLS, under TLS
 * and after sign-in.
 */
#ifndef IMAP_CAPABILITY_H
#define IMAP_CAPABILITY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

enum imap_stage {
	IMAP_STAGE_PLAIN = 1, /* before STARTTLS: LOGINDISABLED */
	IMAP_STAGE_TLS = 2,   /* before sign-in */
	IMAP_STAGE_SIGNED_IN = 4,
};

/* What the configuration decides. */
struct imap_offer {
	uint64_t append_limit;  /* APPENDLIMIT=n (RFC 7889) */
	bool unauthenticate;    /* RFC 8437 */
	uint32_t message_limit; /* MESSAGELIMIT=n (RFC 9738); UINT32_MAX: none */
};

/* Appends "IMAP4rev1 IMAP4rev2 …". */
void imap_capability_write(enum imap_stage stage, const struct imap_offer *offer, struct buf *out);

/* "OK" text of the greeting and of sign-in has them in "[CAPABILITY …]". */
void imap_capability_code_write(
    enum imap_stage stage, const struct imap_offer *offer, struct buf *out);

#endif
