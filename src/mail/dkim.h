/*
 * mail/dkim.h: DKIM-Signature fields read, and the signatures of a message verified (RFC 6376,
 * 8301, 8463; results in the words of RFC 8601 §2.7.1).
 *
 * It reads the DNS by a function of the caller's, and the clock not at all. What a signature is
 * worth, and whether its domain is the author's, is for others (DMARC).
 *
 * With `l=` a signature covers the beginning of the body only; it passes as the standard has it,
 * and the verdict says how much was left out (RFC 6376 §8.2).
 *
 * Limits: DKIM_SIGNATURES_MAX signatures are looked at, in the order of the header; further ones
 * are not. DKIM_HEADER_NAMES_MAX names in h=.
 */
#ifndef MAIL_DKIM_H
#define MAIL_DKIM_H

#include <stdint.h>

#include "base/arena.h"
#include "base/attr.h"
#include "base/str.h"
#include "mail/dkim_canon.h"
#include "mail/dkim_key.h"

enum { DKIM_SIGNATURES_MAX = 8, DKIM_HEADER_NAMES_MAX = 200, DKIM_CLOCK_SKEW_S = 300 };

#define DKIM_FIELD "DKIM-Signature"

enum dkim_result {
	DKIM_PASS,
	DKIM_FAIL,      /* read, and not true */
	DKIM_NEUTRAL,   /* cannot be read, or of a kind that is not known */
	DKIM_TEMPERROR, /* the key cannot be had now */
	DKIM_PERMERROR, /* there is no such key, or it is not fit */
};

/* "pass", "fail", … */
const char *dkim_result_word(enum dkim_result result);

struct dkim_signature {
	enum dkim_key_kind kind;
	enum dkim_canon header_canon, body_canon;
	struct str domain, selector; /* d=, s= */
	struct str identity;         /* i=, or "@" and d= */
	struct str names;            /* h= */
	struct str body_hash;        /* bh=, decoded */
	struct str signature;        /* b=, decoded */
	uint64_t body_limit;         /* l=, or DKIM_BODY_WHOLE */
	uint64_t made_at;            /* t=, 0: unsaid */
	uint64_t expires_at;         /* x=, 0: never */
};

/* Reads the value of a field; decoded bytes lie in the arena. NULL, or what is wrong. */
MUST_USE const char *dkim_signature_parse(
    struct str value, struct arena *a, struct dkim_signature *ret_signature);

/* The fields that are written like this one. Those of ARC (mail/arc.h) have no v= that counts, and
 * a number as i= (RFC 8617 §4.1.2); a seal has neither h= nor c= nor bh= (§4.1.3). */
enum dkim_field_kind { DKIM_FIELD_DKIM, DKIM_FIELD_ARC, DKIM_FIELD_SEAL };

/* Reads what these have in common. */
MUST_USE const char *dkim_signature_read(struct str value, enum dkim_field_kind kind,
    struct arena *a, struct dkim_signature *ret_signature);

/* Appends the fields that h= names, in their form, as they are hashed: of several of one name from
 * the last one up (RFC 6376 §5.4.2), none for a name that has none left. */
MUST_USE bool dkim_canon_header(
    struct str header, struct str names, enum dkim_canon canon, struct buf *out);

enum dkim_lookup { DKIM_KEY_FOUND, DKIM_KEY_MISSING, DKIM_KEY_LATER };

/* The caller's: finds the TXT record of `name` ("selector._domainkey.domain"), its strings put
 * together, in the arena. */
struct dkim_lookups {
	enum dkim_lookup (*find)(
	    void *ctx, struct str name, struct arena *a, struct str *ret_record);
	void *ctx;
};

struct dkim_verdict {
	enum dkim_result result;
	const char *reason; /* a few words; NULL for what passes */
	struct dkim_signature signature;
	struct str field;        /* the whole field, borrowed */
	unsigned bits;           /* of the key */
	bool is_testing;         /* the key says t=y: treat what failed like what is unsigned */
	uint64_t unsigned_bytes; /* of the body, behind l= */
};

/*
 * Verifies the signatures of a message in its stored bytes; `now` in seconds since 1970. 0, with
 * `*ret_n` verdicts (none: it is not signed); -E2BIG at the arena's ceiling.
 */
MUST_USE int dkim_verify(struct str header, struct str body, uint64_t now,
    const struct dkim_lookups *lookups, struct arena *a,
    struct dkim_verdict ret_verdicts[static DKIM_SIGNATURES_MAX], size_t *ret_n);

/* A message whose signatures are verified one by one. `header` to `arena` are the caller's, the
 * rest is zero at first: hashes of the body that were computed already. */
struct dkim_message {
	struct str header, body;
	uint64_t now;
	const struct dkim_lookups *lookups;
	struct arena *arena;
	struct {
		enum dkim_canon canon;
		uint64_t limit, len;
		uint8_t hash[DKIM_HASH_LEN];
	} bodies[DKIM_SIGNATURES_MAX];
	size_t n_bodies;
};

/* Verifies the signature that was read into `verdict`, with its field: says the rest there. It
 * fails when the body would have to be hashed in more than DKIM_SIGNATURES_MAX ways. */
void dkim_verify_read(struct dkim_message *message, struct dkim_verdict *verdict);

/* NULL, or why a signature does not count now. */
MUST_USE const char *dkim_check_times(const struct dkim_signature *signature, uint64_t now);

/* Appends the name of a signature's key, in lower case and A-labels (RFC 8616 §3):
 * "selector._domainkey.domain". False when there is none of that name. */
MUST_USE bool dkim_key_name(const struct dkim_signature *signature, struct buf *out);

/* The key of a signature: NULL, or why there is none and with which result. */
MUST_USE const char *dkim_find_key(const struct dkim_signature *signature,
    const struct dkim_lookups *lookups, struct arena *a, struct dkim_key *ret_key,
    enum dkim_result *ret_result);

#endif
