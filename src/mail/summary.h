/*
 * mail/summary.h: everything that taking a message in needs, in one call.
 *
 * The texts are those that the mailbox database keeps and IMAP sends. Any bytes have a summary;
 * only the limits can be in the way, and they are generous: an envelope or structure that
 * would be longer than SUMMARY_TEXT_MAX is replaced by that of an empty message of one text part.
 */
#ifndef MAIL_SUMMARY_H
#define MAIL_SUMMARY_H

#include "base/arena.h"
#include "base/attr.h"
#include "base/str.h"
#include "mail/date.h"
#include "mail/header.h"
#include "mail/mime.h"

enum { SUMMARY_TEXT_MAX = 2 * 1024 * 1024, SUMMARY_SUBJECT_MAX = 64 * 1024 };
/* An arena with this ceiling holds the summary of every message. */
enum { SUMMARY_ARENA_MAX = MIME_ARENA_MAX + 3 * SUMMARY_TEXT_MAX + HEADER_LEN_MAX + (1 << 20) };

struct summary {
	struct mime_part *root; /* see mail/mime.h */
	struct str header;      /* of the message, with the empty line, as far as it is looked at */
	struct str envelope;    /* IMAP's ENVELOPE, "(…)" */
	struct str body;        /* IMAP's BODY, "(…)" */
	struct str bodystructure; /* IMAP's BODYSTRUCTURE, "(…)" */
	struct str subject;       /* decoded, UTF-8 */
	bool has_date;
	struct date date; /* of the Date field */
	/* Without angle brackets; empty where there is none. */
	struct str message_id;
	/* Identifiers of References, then of In-Reply-To, in order and without repeats of the last.
	 */
	const struct str *references;
	size_t n_references;
	size_t n_in_references;    /* of these, how many are References' own */
	struct str in_reply_to_id; /* the first identifier of In-Reply-To, or empty */
};

/*
 * 0 with everything in `a` or, where the message is one window, borrowed from it; -E2BIG at the
 * arena's ceiling; what reading the message says.
 */
MUST_USE int summary_make(
    struct mail_source *message, struct arena *a, struct summary *ret_summary);

#endif
