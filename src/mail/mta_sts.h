/*
 * mail/mta_sts.h: MTA-STS (RFC 8461): the record that says that a domain has a policy, the policy,
 * and which MX hosts it allows.
 *
 *   _mta-sts.DOMAIN                                  TXT "v=STSv1; id=20260101T000000;"
 *   https://mta-sts.DOMAIN/.well-known/mta-sts.txt   version, mode, mx, max_age; one a line
 *
 * It neither fetches nor remembers; what comes in is text, of any bytes.
 */
#ifndef MAIL_MTA_STS_H
#define MAIL_MTA_STS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/str.h"

enum {
	MTA_STS_POLICY_LEN_MAX = 65536, /* RFC 8461 §3.3 */
	MTA_STS_MX_MAX = 32,
	MTA_STS_ID_LEN_MAX = 32,
	MTA_STS_MAX_AGE_MAX = 31557600, /* §3.2: a year; what is above counts as that */
};

/* In front of a domain. */
#define MTA_STS_RECORD_PREFIX "_mta-sts."
#define MTA_STS_HOST_PREFIX   "mta-sts."

enum mta_sts_mode { MTA_STS_NONE, MTA_STS_TESTING, MTA_STS_ENFORCE, N_MTA_STS_MODES };

struct mta_sts_policy {
	enum mta_sts_mode mode;
	uint32_t max_age;              /* seconds */
	struct str mx[MTA_STS_MX_MAX]; /* "mail.example.net", "*.example.net"; borrowed */
	size_t n_mx;
};

/*
 * The policy's id from all TXT records at _mta-sts.DOMAIN, each with its strings joined: false when
 * the domain has none. Those that do not begin with "v=STSv1;" do not count; of the rest there must
 * be one, and it must be valid (§3.1). `*ret_id` borrows from it.
 */
MUST_USE bool mta_sts_id(const struct str *records, size_t n, struct str *ret_id);

/*
 * Reads the policy's text (§3.2). False when it is none; `*ret_why` then says what is wrong, in
 * words. Of a field that is given twice the first counts, except mx; fields that are not known are
 * skipped; more than MTA_STS_MX_MAX mx are too many, since leaving one out would change the policy.
 */
MUST_USE bool mta_sts_parse(
    struct str text, struct mta_sts_policy *ret_policy, const char **ret_why);

/* Appends the lines of a policy, as its file has them, each ended with CRLF. */
bool mta_sts_write(const struct mta_sts_policy *policy, struct buf *out);

/* Whether the policy allows that MX host (§4.1): "*." stands for exactly one label. */
bool mta_sts_allows(const struct str *mx, size_t n_mx, struct str host);

#endif
