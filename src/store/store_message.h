/*
 * store/store_message.h: reading messages: what the database keeps of them, and their bytes.
 *
 * A scan goes over a range of a view in order and reads only the columns asked for; its text is
 * what IMAP sends (mail/envelope.h, mail/bodystructure.h). It holds a snapshot of the database for
 * at most STORE_SCAN_BATCH rows at a time.
 *
 * A body is a message's bytes exactly as delivered (with the trace fields that delivery put on
 * top). Small ones are in memory at once; of large ones only pieces, unless all is asked for.
 */
#ifndef STORE_STORE_MESSAGE_H
#define STORE_STORE_MESSAGE_H

#include "base/arena.h"
#include "mail/source.h"
#include "store/store_view.h"

enum {
	STORE_SCAN_BATCH = 1000,
	STORE_BODY_WHOLE_MAX = 1 << 20, /* bodies up to this length are read at once */
	STORE_BODY_PIECE = 64 << 10,
};

/* Columns of a scan. What is not asked for is zero or empty in its rows. */
enum {
	STORE_COLUMN_ENVELOPE = 1,
	STORE_COLUMN_STRUCTURE = 2, /* body and bodystructure */
	STORE_COLUMN_ORDER = 4,     /* sent date, decoded subject, message-id */
	STORE_COLUMN_SIZE = 8,
	STORE_COLUMN_DATES = 16, /* INTERNALDATE and SAVEDATE */
	STORE_COLUMNS_ALL = 31,
};

struct store_row {
	size_t at; /* position in the view */
	struct store_entry entry;
	uint64_t size;       /* RFC822.SIZE */
	int64_t internal_at; /* INTERNALDATE, seconds since 1970 … */
	int internal_zone;   /* … and its zone, minutes east */
	int64_t saved_at;    /* when it came into this mailbox (RFC 8514 SAVEDATE) */
	struct str envelope; /* all borrowed until the next call for this scan */
	struct str body;
	struct str bodystructure;
	bool has_sent;
	int64_t sent_at; /* the Date field */
	int sent_zone;
	struct str subject;    /* decoded, UTF-8 */
	struct str message_id; /* without brackets */
};

struct store_scan;

/* Entries first ≤ i < end of the view, with STORE_COLUMN_… `columns`; given: store_scan_close. */
MUST_USE int store_scan_open(
    struct store_view *v, size_t first, size_t end, unsigned columns, struct store_scan **ret_scan);
/*
 * 1 and the next row; 0 at the end; -errno. Entries whose message is gone meanwhile are left out.
 * A damaged row is reported and ends the scan with -EBADMSG. `*ret_row` is the scan's until the
 * next call or the end: its texts may be moved.
 */
MUST_USE int store_scan_next(struct store_scan *scan, struct store_row *ret_row);
void store_scan_close(struct store_scan *scan);

/*
 * How long the messages are when every line ends with CRLF, as POP3 sends them, by position (room
 * for `v->n`); STORE_SIZE_GONE for one that is gone meanwhile. Exact for what was taken in since
 * mailbox.db has version 4; older ones count as they are.
 */
#define STORE_SIZE_GONE UINT32_MAX
MUST_USE int store_line_sizes(struct store_view *v, uint32_t *ret_sizes);

struct store_body;

/*
 * Opens a message's bytes (given: store_body_close). -ENOENT: expunged meanwhile. -EBADMSG: its
 * record or blob is damaged or missing (reported); all other messages stay readable.
 */
MUST_USE int store_body_open(struct store *s, uint32_t message, struct store_body **ret_body);
/* Nothing for NULL. */
void store_body_close(struct store_body *body);

uint64_t store_body_len(const struct store_body *body);
/* The whole message, borrowed until the body is closed. */
MUST_USE int store_body_all(struct store_body *body, struct str *ret_bytes);
/*
 * Some bytes from `at` on: at least one, at most STORE_BODY_PIECE (all the rest for one in memory);
 * empty at the end. Borrowed until the next call. Quick when it goes forward.
 */
MUST_USE int store_body_piece(struct store_body *body, uint64_t at, struct str *ret_bytes);
/* The same for what reads messages; the body is borrowed. */
struct mail_source store_body_source(struct store_body *body);

#endif
