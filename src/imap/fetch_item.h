/*
 * imap/fetch_item.h: what FETCH asks for (RFC 9051 §6.4.5, RFC 3501 §6.4.5; BINARY as RFC 3516;
 * MODSEQ as RFC 7162).
 *
 * Macros (ALL, FAST, FULL) come out as the items they stand for. RFC822, RFC822.HEADER and
 * RFC822.TEXT are sections with a label of their own.
 *
 * Limits: IMAP_FETCH_ITEMS_MAX items, IMAP_SECTION_DEPTH_MAX numbers of a section,
 * IMAP_SECTION_FIELDS_MAX header fields of one.
 */
#ifndef IMAP_FETCH_ITEM_H
#define IMAP_FETCH_ITEM_H

#include <stdint.h>

#include "base/buf.h"
#include "imap/parse.h"

enum { IMAP_FETCH_ITEMS_MAX = 200, IMAP_SECTION_DEPTH_MAX = 100, IMAP_SECTION_FIELDS_MAX = 200 };

enum imap_fetch_kind {
	FETCH_UID,
	FETCH_FLAGS,
	FETCH_INTERNALDATE,
	FETCH_RFC822_SIZE,
	FETCH_ENVELOPE,
	FETCH_BODY, /* the structure without extensions */
	FETCH_BODYSTRUCTURE,
	FETCH_MODSEQ,
	FETCH_SAVEDATE, /* RFC 8514 */
	FETCH_EMAILID,  /* RFC 8474 */
	FETCH_THREADID,
	FETCH_PREVIEW, /* RFC 8970 */
	FETCH_SECTION, /* BODY[…], RFC822… */
	FETCH_BINARY,
	FETCH_BINARY_SIZE,
};

enum imap_section_text {
	SECTION_ALL, /* the part, or the whole message */
	SECTION_HEADER,
	SECTION_HEADER_FIELDS,
	SECTION_HEADER_FIELDS_NOT,
	SECTION_TEXT,
	SECTION_MIME,
};

struct imap_section {
	const uint32_t *part; /* "4.2" */
	size_t n_part;
	enum imap_section_text text;
	const struct str *fields;
	size_t n_fields;
};

struct imap_fetch_item {
	enum imap_fetch_kind kind;
	struct str rfc822; /* FETCH_SECTION: the label "RFC822.TEXT" … , empty for BODY[…] */
	bool peek;         /* does not set \Seen */
	bool lazy;         /* PREVIEW (LAZY) */
	struct imap_section section;
	bool partial;
	uint64_t offset, len; /* of a partial */
};

struct imap_fetch_items {
	struct imap_fetch_item *v;
	size_t n;
};

/* "ALL" / "FULL" / "FAST" / fetch-att / "(" fetch-att *(SP fetch-att) ")" */
MUST_USE bool imap_parse_fetch_items(struct imap_parser *p, struct imap_fetch_items *ret_items);

/* Appends the item's name in a response: "BODY[1.HEADER.FIELDS (FROM)]<0>". */
void imap_fetch_label_write(const struct imap_fetch_item *item, struct buf *out);

#endif
