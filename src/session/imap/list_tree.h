/*
 * session/imap/list_tree.h: the mailboxes of the account as LIST and LSUB see them: with the
 * levels above them that are no mailboxes themselves.
 */
#ifndef SESSION_IMAP_LIST_TREE_H
#define SESSION_IMAP_LIST_TREE_H

#include "session/imap/imap_session.h"

struct list_node {
	struct str name;
	const struct store_mailbox
	    *mailbox;        /* NULL: neither mailbox nor subscription, only a level */
	bool has_children;   /* mailboxes below it */
	bool has_subscribed; /* subscriptions below it */
};

struct list_tree {
	struct list_node *nodes; /* sorted by name */
	size_t n;
};

/* In the session's arena. 0, -E2BIG, or the store's error. */
MUST_USE int list_tree_make(struct imap_session *s, struct list_tree *ret_tree);

static inline bool list_node_exists(const struct list_node *node)
{
	return node->mailbox != NULL && node->mailbox->id != 0;
}

static inline bool list_node_subscribed(const struct list_node *node)
{
	return node->mailbox != NULL && node->mailbox->subscribed;
}

#endif
