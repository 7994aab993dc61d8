/*
 * store/store_order.h: what SORT and THREAD compare messages by (RFC 5256, RFC 5957).
 *
 * The table `orders` keeps it ready, made when a message is taken in, in a row of its own that is
 * much narrower than the message's: texts are folded (mail/casemap.h) and compare as bytes.
 *
 * Messages that an earlier version took in have no row at first: store_order_fill makes them.
 *
 * Limits: a key is cut behind STORE_ORDER_KEY_MAX bytes; of more than STORE_ORDER_REFERENCES_MAX
 * references the first and the last ones are kept.
 */
#ifndef STORE_STORE_ORDER_H
#define STORE_STORE_ORDER_H

#include "base/buf.h"
#include "store/store_view.h"

enum {
	STORE_ORDER_KEY_MAX = 512,
	STORE_ORDER_REFERENCES_MAX = 100,
	STORE_ORDER_ID_LEN = 8,
	STORE_ORDER_FILL_BATCH = 1000, /* messages of one transaction */
};

enum store_order_key {
	STORE_ORDER_SUBJECT, /* base subject */
	STORE_ORDER_FROM,    /* the first address's mailbox */
	STORE_ORDER_TO,
	STORE_ORDER_CC,
	STORE_ORDER_DISPLAY_FROM, /* its name, else its address */
	STORE_ORDER_DISPLAY_TO,
	N_STORE_ORDER_KEYS
};

/* What is asked of a message, beside the keys (1 << key). Fields not asked for are left alone. */
enum {
	STORE_ORDER_PLACE = 1 << 6, /* arrived_at, size: alone */
	STORE_ORDER_SENT = 1 << 7,  /* sent_at */
	STORE_ORDER_REPLY = 1 << 8, /* is_reply */
	STORE_ORDER_IDS = 1 << 9,   /* ids */
};

/* What messages can be put in order by: the texts, and these numbers. */
enum store_order_by {
	STORE_ORDER_BY_ARRIVAL = N_STORE_ORDER_KEYS, /* INTERNALDATE */
	STORE_ORDER_BY_SIZE,
	STORE_ORDER_BY_DATE, /* sent_at */
	N_STORE_ORDER_BY
};

struct store_order_row {
	int64_t arrived_at; /* INTERNALDATE */
	uint64_t size;
	int64_t sent_at; /* the Date field's, or else INTERNALDATE (RFC 5256 §2.2) */
	bool is_reply;   /* a reply or forward, as its subject says (RFC 5256 §3) */
	struct str keys[N_STORE_ORDER_KEYS]; /* borrowed until the next call */
	/* STORE_ORDER_ID_LEN bytes each, equal for equal identifiers: the message's own (zero: it
	 * has none), then its references, oldest first. Borrowed too. */
	struct str ids;
};

/* Makes the rows that are missing: 0, or -errno. Quick when there is nothing to do. */
MUST_USE int store_order_fill(struct store *s);

struct store_order;

/* Reads messages of a view, which outlives it (given: store_order_close). */
MUST_USE int store_order_open(
    struct store_view *v, unsigned fields, struct store_order **ret_order);
/*
 * The message at a position: 1; 0 and a row of nothing for one that was expunged meanwhile; -errno.
 * Quick when positions rise. Holds a snapshot for at most STORE_SCAN_BATCH rows.
 */
MUST_USE int store_order_read(
    struct store_order *order, size_t at, struct store_order_row *ret_row);
/* Nothing for NULL. */
void store_order_close(struct store_order *order);

/* The field to ask for, to have what messages are put in order by. */
unsigned store_order_field(unsigned by);
/*
 * Appends to a buffer what compares as bytes as messages do by that: a text with a NUL behind it,
 * or 8 bytes of a number. None is the beginning of another.
 */
void store_order_key(unsigned by, const struct store_order_row *row, struct buf *out);

#endif
