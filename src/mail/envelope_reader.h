/*
 * mail/envelope_reader.h: what SORT and THREAD need of an ENVELOPE text that mail/envelope.h wrote:
 * the first addresses and In-Reply-To.
 *
 * It is no parser of what clients or other servers send.
 */
#ifndef MAIL_ENVELOPE_READER_H
#define MAIL_ENVELOPE_READER_H

#include "base/arena.h"
#include "base/attr.h"
#include "base/buf.h"
#include "base/str.h"

/* An address's parts, raw (encoded words in `name`); NIL is NULL with length 0. */
struct envelope_address {
	struct str name, mailbox, host;
};

struct envelope_firsts {
	struct envelope_address from, to, cc; /* all NIL where the list is */
	struct str in_reply_to;
};

/* False when it is no envelope, or at the arena's ceiling. Text is borrowed or in the arena. */
MUST_USE bool envelope_read_firsts(
    struct str envelope, struct arena *a, struct envelope_firsts *ret_firsts);

/*
 * Appends what DISPLAYFROM and DISPLAYTO order an address by (RFC 5957 §3): its decoded name, or
 * else mailbox@host, or else mailbox, or nothing.
 */
bool envelope_address_display(const struct envelope_address *address, struct buf *out);

#endif
