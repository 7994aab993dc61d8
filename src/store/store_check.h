/*
 * store/store_check.h: going through every byte of an account, also those that reading never
 * touches: free pages of mailbox.db and older frames of its log, holes, blobs that no message has.
 *
 * A check goes in steps, so that a session can do it beside its work and a command in one go. What
 * is damaged is told to the store's watch, each place once; nothing is changed or repaired but what
 * opening a database repairs (the header of a log). It sees what a reader would see: with the
 * account's key every page, record and blob is authenticated, without it records, holes, blobs and
 * `keys` are compared with their checksums, and mailbox.db is left out.
 *
 * It does not look at databases that were set aside as damaged, at what a crash left behind the end
 * of a segment, or at mailbox.db-shm, which is memory.
 *
 * Remembering: a check of the whole account is due once a day (store_check_claim). How far it came
 * is kept in mailbox.db, by segments; whoever has the account open next goes on there.
 *
 * Errors: as in store.h. -EBUSY: others keep the database busy; the check can be made later.
 */
#ifndef STORE_STORE_CHECK_H
#define STORE_STORE_CHECK_H

#include "store/store.h"

enum {
	STORE_CHECK_INTERVAL_S = 24 * 3600,
	STORE_CHECK_ABANDONED_S = 600, /* so long without a word, and somebody else goes on */
	STORE_CHECK_REMEMBER_S = 60,   /* so often at least it is said that somebody is at it */
};

/*
 * Opens the account in the current directory for checking alone: nothing is made, upgraded, taken
 * in or rebuilt. `master` NULL: without the key. Damage found while opening is told to the watch
 * and leaves out what cannot be checked then. Given: store_close. Errors as of store_open.
 */
MUST_USE int store_open_to_check(const struct secret *master, uint64_t account_id,
    const struct store_watch *watch, struct store **ret_store);

struct store_check;

/* From the beginning to the end; given: store_check_free. */
struct store_check *store_check_new(struct store *s);
/*
 * The same, remembered in the database, when it is due: NULL in `*ret_check` when it is not, or
 * somebody is at it.
 */
MUST_USE int store_check_claim(struct store *s, struct store_check **ret_check);
/* Nothing for NULL. */
void store_check_free(struct store_check *c);

/* Goes on for about `budget` bytes. 1: there is more; 0: all was looked at; -errno. */
MUST_USE int store_check_step(struct store_check *c, uint64_t budget);

struct store_check_progress {
	uint64_t bytes;     /* looked at */
	uint64_t of_bytes;  /* about so many there are */
	uint64_t n_files;   /* finished */
	uint64_t n_damaged; /* places that were reported since the store was opened */
};
void store_check_progress(const struct store_check *c, struct store_check_progress *ret_progress);

#endif
