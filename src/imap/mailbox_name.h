/*
 * imap/mailbox_name.h: names of mailboxes as clients write them, and as we keep them.
 *
 * Kept are UTF-8 names with '/' between levels. A client that has not enabled IMAP4rev2 writes and
 * reads modified UTF-7 (RFC 3501 §5.1.3), one that has UTF-8 (RFC 9051 §5.1). "INBOX" in any case
 * is "INBOX", as a first level too.
 *
 * Limits: IMAP_MAILBOX_NAME_LEN_MAX bytes of UTF-8, IMAP_MAILBOX_LEVELS_MAX levels.
 */
#ifndef IMAP_MAILBOX_NAME_H
#define IMAP_MAILBOX_NAME_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/str.h"

enum {
	IMAP_MAILBOX_NAME_LEN_MAX = 1000,
	IMAP_MAILBOX_LEVELS_MAX = 50,
	IMAP_PATTERN_LEN_MAX = 1000
};

#define IMAP_DELIMITER '/'

/*
 * Appends the decoding of modified UTF-7. Only the one right encoding of a name is taken, so that
 * no two spellings mean the same mailbox. False when it is something else (nothing usable is
 * added) or does not fit.
 */
MUST_USE bool imap_utf7_decode(struct str name, struct buf *out);
/* Appends the encoding of valid UTF-8; false when it does not fit. */
bool imap_utf7_encode(struct str name, struct buf *out);

/*
 * Appends the kept form of a name from a client; `utf8` where IMAP4rev2 is on. NULL when it is
 * fine, else what is wrong with it (a text for the client): nothing usable is added then.
 */
MUST_USE const char *imap_mailbox_name_read(struct str name, bool utf8, struct buf *out);

/* The same of a LIST pattern: wildcards stay, and it may be empty or end in a delimiter. */
MUST_USE const char *imap_mailbox_pattern_read(struct str pattern, bool utf8, struct buf *out);

/* Appends a kept name as an astring for a response. */
void imap_mailbox_name_write(struct str name, bool utf8, struct buf *out);

/* True when the name may be given to a mailbox: no controls, no wildcards, no empty level; NULL or
 * what is wrong. */
const char *imap_mailbox_name_check(struct str name);

/*
 * LIST matching (RFC 9051 §6.3.9): `*` is any text, `%` any text without a delimiter. Takes
 * time proportional to the product of the two lengths, whatever they are.
 */
bool imap_pattern_matches(struct str pattern, struct str name);

#endif
