/*
 * mail/auth_results.h: Authentication-Results (RFC 8601): whose a field is, and writing results.
 *
 *   authres-header-field = "Authentication-Results:" authres-payload
 *   authres-payload      = [CFWS] authserv-id [ CFWS authres-version ] ( no-result / 1*resinfo )
 *   resinfo = [CFWS] ";" methodspec [ CFWS reasonspec ] [ CFWS 1*propspec ]
 *
 * Results that others wrote are not read: on this side nothing follows from them. Only what was
 * checked is written, and nothing of what was not (SPF, DMARC): "none" would be a claim, too.
 *
 * Values that come from a message are written when they are plain names, and left out otherwise.
 */
#ifndef MAIL_AUTH_RESULTS_H
#define MAIL_AUTH_RESULTS_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/str.h"
#include "mail/arc.h"
#include "mail/dkim.h"

#define AUTH_RESULTS_FIELD "Authentication-Results"

/*
 * May the value of an Authentication-Results field be read as one of `id`'s? What others than `id`
 * put into a message under that name has to be removed (RFC 8601 §5). True too for what cannot be
 * read: the next reader may be a more generous one.
 */
bool auth_results_claims(struct str value, struct str id);

/* What was found. */
struct auth_results {
	struct str id; /* authserv-id: this server */
	const struct dkim_verdict *signatures;
	size_t n_signatures; /* 0: "dkim=none" */
	const struct arc_verdict *chain;
	struct str remote_ip; /* of the client, as text; empty: not told (RFC 8617 §6) */
};

/* Appends the payload, a line for each result, without CRLF at its end. */
bool auth_results_format(const struct auth_results *results, struct buf *out);

#endif
