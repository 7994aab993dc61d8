/*
 * imap/mailbox_filter.h: which mailboxes a command is about, for commands on several of them:
 * filter-mailboxes of RFC 5465 §6, with RFC 7377 §2.2's subtree-one.
 *
 * Names stay as the client wrote them.
 *
 * Limits: IMAP_FILTERS_MAX filters of a command, IMAP_FILTER_NAMES_MAX names of one filter.
 */
#ifndef IMAP_MAILBOX_FILTER_H
#define IMAP_MAILBOX_FILTER_H

#include "imap/parse.h"

enum { IMAP_FILTERS_MAX = 100, IMAP_FILTER_NAMES_MAX = 1000 };

enum imap_filter_kind {
	FILTER_SELECTED,
	FILTER_SELECTED_DELAYED,
	FILTER_INBOXES,
	FILTER_PERSONAL,
	FILTER_SUBSCRIBED,
	FILTER_SUBTREE, /* these have names */
	FILTER_SUBTREE_ONE,
	FILTER_MAILBOXES,
};

struct imap_mailbox_filter {
	struct imap_mailbox_filter *next;
	enum imap_filter_kind kind;
	struct str *names;
	size_t n_names;
};

/* One filter, in the parser's arena. */
MUST_USE bool imap_parse_mailbox_filter(
    struct imap_parser *p, struct imap_mailbox_filter **ret_filter);

#endif
