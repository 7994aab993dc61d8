/*
 * session/imap/rights.h: rights as IMAP writes them (RFC 4314 §2.1), and the questions that the
 * commands ask before they do anything.
 */
#ifndef SESSION_IMAP_RIGHTS_H
#define SESSION_IMAP_RIGHTS_H

#include "session/imap/imap_session.h"

/* "lrswipkxtea", with the old rights c (k or x) and d (t or e). False: a letter is no right. */
MUST_USE bool imap_rights_read(struct str letters, unsigned *ret_rights);
/* With c and d where a member of them is there (RFC 4314 §2.1.1). */
void imap_rights_write(unsigned rights, struct buf *out);
/* Of one right. */
char imap_right_letter(enum store_right right);

/*
 * True when the user has all of `rights` to the mailbox. False with NO [NOPERM], or, where they
 * may not even see it, with what a mailbox that is not there gives (RFC 4314 §6).
 */
MUST_USE bool imap_may(
    struct imap_session *s, unsigned rights, uint64_t mailbox, struct imap_result *ret_result);

/* imap_find_mailbox, and imap_may. */
MUST_USE bool imap_find_permitted(struct imap_session *s, struct str name, unsigned rights,
    struct store_mailbox *ret_mailbox, struct imap_result *ret_result);

/*
 * The mailbox that messages are to be put into; NO [TRYCREATE] where it is not there or may not be
 * seen.
 */
MUST_USE bool imap_find_target(struct imap_session *s, struct str name,
    struct store_mailbox *ret_mailbox, struct imap_result *ret_result);

/*
 * The same for a name that is to be: the right to make mailboxes below the nearest one above it
 * that is there (RFC 4314 §4). On the highest level only the owner may.
 */
MUST_USE bool imap_may_create(
    struct imap_session *s, struct str name, struct imap_result *ret_result);

/* --- selected_rights.c: rights to the selected mailbox count as they are at each command --- */

/* When it is selected: fills `rights`, `examined` and `read_only`. 0 or the store's error. */
MUST_USE int imap_selected_rights(struct imap_session *s, uint64_t mailbox, bool examine);
/* What they are is told with the answer to SELECT. */
void imap_rights_said(struct imap_session *s);
/*
 * Reads them anew and, with `tell`, says what the client may change now (RFC 9051 §7.1: READ-ONLY,
 * READ-WRITE). False where the user may not read it any more.
 */
bool imap_renew_rights(struct imap_session *s, bool tell);
static inline bool imap_may_read_selected(const struct imap_session *s)
{
	return s->view == NULL || (s->rights & STORE_RIGHT_READ) != 0;
}

/* The flags that somebody with these rights may change (RFC 4314 §4). */
uint64_t imap_rights_flags(unsigned rights);

/* "* MYRIGHTS name rights" (RFC 4314 §3.8) */
void imap_my_rights_write(struct imap_session *s, struct str name, unsigned rights);

#endif
