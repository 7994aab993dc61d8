/*
 * session/imap/fetch_section.h: pieces of a message's bytes, as FETCH sends them.
 *
 * A message is opened with the first item that needs its bytes. A large one is never in memory as a
 * whole: it is gone through piece by piece.
 *
 * NUL cannot stand in IMAP's literals (RFC 9051 §9 CHAR8); outside of literal8 0x80 is sent for it,
 * so that sizes stay true.
 */
#ifndef SESSION_IMAP_FETCH_SECTION_H
#define SESSION_IMAP_FETCH_SECTION_H

#include "imap/fetch_item.h"
#include "mail/header.h"
#include "mail/mime.h"
#include "session/imap/output.h"
#include "store/store_message.h"

struct fetch_message {
	struct store *store;
	uint32_t id; /* store_entry.message */
	struct store_body *body;
	struct mail_source bytes; /* of the body, once it is open */
	struct buf header;        /* room for one that lies in several windows */
	struct mime_part *root;
	struct arena *arena; /* of the tree; the caller clears it between messages */
};

/* Closes what was opened. */
void fetch_message_done(struct fetch_message *m);

/*
 * Writes `label data` for an item of kind FETCH_SECTION, FETCH_BINARY or FETCH_BINARY_SIZE. 0;
 * -ENOENT expunged meanwhile; -EBADMSG damaged; -EOPNOTSUPP a transfer encoding that is unknown;
 * other -errno. On failure some of it may be written.
 */
MUST_USE int fetch_section_write(
    struct fetch_message *m, const struct imap_fetch_item *item, struct imap_output *out);

/* Its bytes, borrowed until fetch_message_done. */
MUST_USE int fetch_message_bytes(struct fetch_message *m, struct mail_source **ret_bytes);
/*
 * Its header with the empty line, as far as mail/header.h looks at it: borrowed until other bytes
 * of the message are looked at.
 */
MUST_USE int fetch_message_header(struct fetch_message *m, struct str *ret_header);
/* Its structure. */
MUST_USE int fetch_message_structure(struct fetch_message *m, const struct mime_part **ret_root);

#endif
