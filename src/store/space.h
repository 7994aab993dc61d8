/*
 * store/space.h: a database that cannot give free pages back is copied into one that can. Private
 * to src/store.
 *
 * Databases that the first versions made have no pointer maps. Where such a one has much that is
 * free, whoever opens it, and is alone, copies what is used into a new file, which then takes its
 * name. A crash leaves one or the other whole; what it leaves of the new one beside it, the next
 * copying removes.
 */
#ifndef STORE_SPACE_H
#define STORE_SPACE_H

#include "store/db.h"

#define SPACE_COPY_NAME "mailbox.db.shorter"

/* True when it is worth it, and not too much (1 GiB of used pages) to be waited for. */
bool space_wants_copy(struct db *db);

/*
 * Copies it; the folder is locked exclusively, and nobody has the database open. -EBUSY when
 * somebody has nevertheless. When it fails the database is as it was.
 */
MUST_USE int space_copy(int folder_fd, const struct secret *key);

#endif
