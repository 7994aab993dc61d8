/*
 * mail/arc.h: the ARC sets of a message read, and the chain that they are validated (RFC 8617
 * §4, §5.2). Sealing is mail/arc_seal.h's.
 *
 * What a chain is worth is for others: it says that each who sealed the message found the chain
 * before him whole, and not that any of them told the truth.
 *
 * All failures are permanent, a key that cannot be had now too (§5.2.1): the chain fails.
 *
 * h= of ARC-Message-Signature must not name ARC-Seal; that it names the other fields of ARC, or
 * nothing, is taken, as the published cases and other implementations have it.
 *
 * Limits: ARC_SETS_MAX sets (§4.2.1); a field of at most ARC_FIELD_MAX bytes.
 */
#ifndef MAIL_ARC_H
#define MAIL_ARC_H

#include "mail/dkim.h"

enum { ARC_SETS_MAX = 50, ARC_FIELD_MAX = 16384 };

/* What is said of a chain: the tag "cv" (§4.4). */
enum arc_status { ARC_NONE, ARC_FAIL, ARC_PASS };

/* "none", "fail", "pass" */
const char *arc_status_word(enum arc_status status);

/* The whole fields of one instance, borrowed from the header; empty where there is none. */
struct arc_set {
	struct str results;   /* ARC-Authentication-Results */
	struct str signature; /* ARC-Message-Signature */
	struct str seal;      /* ARC-Seal */
	bool says_fail;       /* the seal's cv= */
};

struct arc_chain {
	size_t n;           /* the highest instance; 0 where there is none */
	bool has_fields;    /* something of ARC is there, be it no set */
	const char *reason; /* why they are no chain (§5.2, steps 1 to 3); NULL: they may be one */
	struct arc_set sets[ARC_SETS_MAX]; /* instance i at i - 1 */
};

/* Collects the sets of a header and looks at their structure; checks no signature. */
void arc_read(struct str header, struct arc_chain *ret_chain);

struct arc_verdict {
	enum arc_status status;
	const char *reason;   /* a few words where it fails */
	unsigned oldest_pass; /* of a chain that passes: 0, or the oldest instance whose
	                         ARC-Message-Signature verifies (§5.2, step 5) */
	unsigned next;        /* the instance to seal with; 0: it cannot be sealed, since its last
	                         seal says that the chain failed, or ARC_SETS_MAX are there */
};

/*
 * Validates the chain of a message. -E2BIG at the arena's ceiling.
 */
MUST_USE int arc_verify(
    const struct arc_chain *chain, struct dkim_message *message, struct arc_verdict *ret_verdict);

/* The names of the keys that arc_verify asks for first: of the newest ARC-Message-Signature and of
 * all seals; what cannot be read has none. Calls `add` for each, until it returns false. */
void arc_key_names(const struct arc_chain *chain, struct arena *a,
    bool (*add)(void *ctx, const struct dkim_signature *signature), void *ctx);

#endif
