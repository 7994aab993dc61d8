/*
 * store/entry_code.h: the list of a mailbox's messages in few bytes, as the table `lists` keeps it.
 * Private to src/store.
 *
 *   code  = %x01 number-of-sets *set number-of-entries *entry
 *   set   = 8OCTET                        ; flags, little-endian
 *   entry = uid message modseq which-set  ; the first three as the difference to the entry before
 *
 * Numbers are of 7 bits an octet, low ones first, the last without the high bit; the differences of
 * message and MODSEQ have their sign in the lowest bit. Mostly an entry is four octets, and reading
 * it takes a few nanoseconds, where a row of `entries` takes a hundred.
 *
 * A pure codec: it knows no database. Running out of memory aborts.
 */
#ifndef STORE_ENTRY_CODE_H
#define STORE_ENTRY_CODE_H

#include "base/buf.h"
#include "store/store_view.h"

/* Different sets of flags; a mailbox that has more is not kept so. */
enum { ENTRY_CODE_SETS_MAX = 4096 };

/* Appends the entries that are not gone, of UIDs below `end`. False: too many sets, or `out` full.
 */
MUST_USE bool entry_code_write(const struct view_entries *e, uint32_t end, struct buf *out);

/*
 * Adds the entries to an empty list. -EBADMSG: that is no such code (UIDs that do not rise, an
 * unknown set, something left over, another version); then the list is to be freed.
 */
MUST_USE int entry_code_read(struct str code, struct view_entries *e);

#endif
