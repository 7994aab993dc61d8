/*
 * store/store_mailbox.h: the folders of an account.
 *
 * A name is UTF-8 in normal form C with '/' between levels; INBOX in any case is INBOX. Superiors
 * need not exist: "a/b" may be there without "a" (IMAP shows it as \NonExistent). Subscriptions
 * are names and outlive their mailbox (RFC 9051 §6.3.7).
 *
 * Limits: STORE_MAILBOX_NAME_MAX bytes, STORE_MAILBOX_DEPTH_MAX levels, STORE_MAILBOXES_MAX. What
 * goes beyond is -ENAMETOOLONG, -E2BIG.
 */
#ifndef STORE_STORE_MAILBOX_H
#define STORE_STORE_MAILBOX_H

#include "base/arena.h"
#include "base/buf.h"
#include "store/store.h"

enum {
	STORE_MAILBOX_NAME_MAX = 1000,
	STORE_MAILBOX_DEPTH_MAX = 50,
	STORE_MAILBOXES_MAX = 10000,
	STORE_OBJECT_ID_LEN = 16,
};

/* RFC 6154. */
enum store_special_use {
	STORE_NO_USE,
	STORE_ALL,
	STORE_ARCHIVE,
	STORE_DRAFTS,
	STORE_FLAGGED_USE,
	STORE_JUNK,
	STORE_SENT,
	STORE_TRASH,
	STORE_N_USES,
};

struct store_mailbox {
	uint64_t id;     /* 0: there is only a subscription of this name */
	struct str name; /* in the caller's arena */
	bool subscribed;
	enum store_special_use use;
	uint32_t uidvalidity, uidnext;
	uint64_t highest_modseq;
	uint32_t n_messages, n_unseen, n_deleted, n_recent;
	uint64_t size; /* sum of RFC822.SIZE */
	/* Stays the same through renaming (RFC 8474 MAILBOXID): letters and digits. */
	char object_id[STORE_OBJECT_ID_LEN + 1];
};

/*
 * Appends the one spelling of a mailbox name. -EINVAL: not UTF-8, empty, empty level, a control
 * character, '%' or '*'; -ENAMETOOLONG.
 */
MUST_USE int store_mailbox_name(struct str name, struct buf *out);

/* All mailboxes and subscribed names with their state, ordered by name (bytes), INBOX first. */
MUST_USE int store_mailbox_list(
    struct store *s, struct arena *a, struct store_mailbox **ret_list, size_t *ret_n);

/* One mailbox by name: -ENOENT when it is not there. */
MUST_USE int store_mailbox_find(
    struct store *s, struct str name, struct arena *a, struct store_mailbox *ret_mailbox);

/*
 * Makes a mailbox, and superiors that are missing. -EEXIST: it is there, or another one has this
 * special use.
 */
MUST_USE int store_mailbox_create(
    struct store *s, struct str name, enum store_special_use use, uint64_t *ret_id);

enum { STORE_THIN_OUT_MAX = 5000 };
/*
 * Removes STORE_THIN_OUT_MAX messages of a mailbox that is to be deleted, so that deleting it takes
 * no long transaction. True in `*ret_more` where more than so many are left. Errors as of
 * store_mailbox_delete.
 */
MUST_USE int store_mailbox_thin_out(struct store *s, struct str name, bool *ret_more);
/* Removes a mailbox and its messages; inferiors stay. -EPERM for INBOX, -ENOENT. */
MUST_USE int store_mailbox_delete(struct store *s, struct str name);

enum { STORE_RENAME_MAX = 5000 };
/*
 * Renames a mailbox and its inferiors; subscriptions stay as they are (RFC 9051 §6.3.6). -ENOENT,
 * -EEXIST (also of an inferior), -EINVAL into its own inferior.
 *
 * Renaming INBOX moves its messages to a new mailbox and leaves INBOX empty. No more than
 * STORE_RENAME_MAX are moved in one transaction: `*ret_rest` is not 0 then, and is handed to
 * store_mailbox_rename_rest until it is.
 */
MUST_USE int store_mailbox_rename(
    struct store *s, struct str from, struct str to, uint32_t *ret_rest);
/* -ENOENT: the new mailbox is gone, and what is left stays in INBOX. */
MUST_USE int store_mailbox_rename_rest(struct store *s, struct str to, uint32_t *rest);

/* Sets or clears a subscription; 0 too when nothing changed. */
MUST_USE int store_mailbox_subscribe(struct store *s, struct str name, bool on);

#endif
