/*
 * store/metadata.h: what a record's sealed header says about its message besides the body's key.
 *
 *     version (u8) *( tag (u8) length (u16) bytes )
 *
 * Numbers are little-endian and as long as their value needs to be here: u64, i64 8 bytes, u16 2.
 * Unknown tags are stepped over, so that later versions can add some; a tag twice, or of a wrong
 * length, makes it invalid. Pure.
 */
#ifndef STORE_METADATA_H
#define STORE_METADATA_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/str.h"

enum {
	METADATA_VERSION = 1,
	METADATA_ADDRESS_MAX = 1024,
	METADATA_ENVELOPE_ID_MAX = 1024,
	METADATA_MAILBOX_MAX = 1024,
	METADATA_KEYWORDS_MAX = 8192,
	METADATA_PROOF_LEN = 32,
};

enum metadata_kind { METADATA_DELIVERED = 1, METADATA_APPENDED = 2 };

struct metadata {
	enum metadata_kind kind;

	/* Delivered. */
	struct str reverse_path; /* empty for the null sender */
	struct str recipient;    /* the address of RCPT that led here */
	struct str envelope_id;  /* RFC 3461, or empty */
	uint8_t body;            /* 0 7BIT, 1 8BITMIME, 2 BINARYMIME */
	bool smtputf8;

	/* Appended by the user. */
	uint64_t mailbox_id;
	struct str mailbox;    /* its name then: for rebuilding the database */
	uint64_t system_flags; /* STORE_SYSTEM_FLAGS */
	struct str keywords;   /* names, each followed by a space */
	int64_t internal_at;
	int16_t internal_zone;
	uint64_t group; /* of one MULTIAPPEND, random; its records stand together */
	uint16_t group_index;
	uint16_t group_n;
	/* What goes when this comes (REPLACE); a mailbox of 0: nothing. */
	uint64_t replaced_mailbox;
	uint64_t replaced_validity, replaced_uid;
	struct str replaced_proof; /* store/replaced.h */
};

/* Appends it; false when it does not fit. */
MUST_USE bool metadata_encode(const struct metadata *m, struct buf *out);
/* 0, texts borrowed from `bytes`; -EBADMSG; -EPROTONOSUPPORT for another version. */
MUST_USE int metadata_decode(struct str bytes, struct metadata *ret_m);

#endif
