/*
 * store/store_change.h: what changes messages: flags, copies, moves, removal.
 *
 * Every change is one transaction, durable when the call returns, and has a MODSEQ higher than all
 * before it in the account (RFC 7162 §3.1). UIDs given in need not be in the mailbox any more: such
 * are left out. They must ascend. The caller tells the registry afterwards (CHANGED).
 *
 * A change shows in the view at once where it is said; else with the next refresh.
 */
#ifndef STORE_STORE_CHANGE_H
#define STORE_STORE_CHANGE_H

#include "base/arena.h"
#include "store/store_view.h"

struct store_uids {
	const uint32_t *v;
	size_t n;
};

enum store_flag_mode { STORE_FLAGS_SET, STORE_FLAGS_ADD, STORE_FLAGS_REMOVE };

struct store_flag_change {
	enum store_flag_mode mode;
	uint64_t flags; /* STORE_FLAGS_MASK */
	bool conditional;
	uint64_t unchanged_since; /* RFC 7162 §3.1.3 */
	uint64_t kept;            /* of these none changes, whatever is asked */
};

struct store_flag_result {
	const uint32_t *changed; /* positions in the view whose entry is new, in the arena */
	size_t n_changed;
	struct store_uids modified; /* failed UNCHANGEDSINCE: RFC 7162's MODIFIED */
};

/*
 * Changes flags and the view's entries with them. A message whose flags would stay the same keeps
 * its MODSEQ and is not in `changed`.
 */
MUST_USE int store_flags(struct store_view *v, struct store_uids uids,
    const struct store_flag_change *change, struct arena *a, struct store_flag_result *ret_result);

enum { STORE_EXPUNGE_MAX = 2500 };

enum store_copy_mode { STORE_COPY, STORE_MOVE };

/* Of one transaction: others wait for it for no longer than 10 s (STORE_DB_WAIT_MS). */
enum { STORE_COPY_MS_MAX = 8000 };

struct store_copy_result {
	uint32_t uidvalidity; /* of the target */
	const uint32_t
	    *from; /* UIDs here and there, pair by pair; in the arena, or `uids` itself */
	const uint32_t *to;
	size_t n;
};

/*
 * Copies or moves to another mailbox (or the same one), with internal date and those of the flags
 * that are `permitted` there (STORE_FLAGS_MASK: all). A copy shares the message's bytes. Moved ones
 * are gone from the view with the next refresh. -ENOENT: there is no target; -ETIME: so many at
 * once would keep others from writing for too long (STORE_COPY_MS_MAX), nothing was copied.
 */
MUST_USE int store_copy(struct store_view *v, struct store_uids uids, uint64_t target,
    enum store_copy_mode mode, uint64_t permitted, struct arena *a,
    struct store_copy_result *ret_result);

#ifdef GATEPOST_FAULTS
/* For tests: another limit than STORE_COPY_MS_MAX from now on. */
void store_copy_limit(uint64_t ms);
#endif

/*
 * Removes the messages of `uids` (`all`: of the mailbox) that have \Deleted; not more than
 * STORE_EXPUNGE_MAX: when there were so many, there may be more of them. The bytes of a message
 * that no mailbox holds are freed, of many by store_tidy. The removed UIDs, in the arena; the view
 * hears with the next refresh.
 */
MUST_USE int store_expunge(struct store_view *v, struct store_uids uids, bool all, struct arena *a,
    struct store_uids *ret_removed);

/* The same, whether they have \Deleted or not, and as many as are given (POP3). */
MUST_USE int store_remove(
    struct store_view *v, struct store_uids uids, struct arena *a, struct store_uids *ret_removed);

#endif
