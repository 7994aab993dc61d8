/*
 * store/account.h: making and removing the folder of an account (the registry's work).
 *
 * Paths are relative to a descriptor of the folder `accounts`. Neither needs a key.
 */
#ifndef STORE_ACCOUNT_H
#define STORE_ACCOUNT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/str.h"

enum { ACCOUNT_NAME_LEN_MAX = 20 }; /* digits of an account id */

/* The folder's name: the id in decimal. */
void account_folder_name(uint64_t account_id, char ret_name[static ACCOUNT_NAME_LEN_MAX + 1]);

/*
 * Makes accounts/<id> with `keys`, letterbox/ and blobs/, durably: after a crash it is there as a
 * whole or not at all. -EEXIST, -errno. `shared`: for several users of one group (modes 2770, 0640
 * and so on), else for this user alone.
 */
MUST_USE int account_create(int accounts_fd, uint64_t account_id, struct str keys, bool shared);

/*
 * Removes it: it is renamed away (no session or delivery finds it any more), then deleted. 0 too
 * when it is not there. What a crash leaves half deleted, `account_sweep` removes.
 */
MUST_USE int account_remove(int accounts_fd, uint64_t account_id);
/* Removes what is left of unfinished creations and removals: at the start of the registry. */
MUST_USE int account_sweep(int accounts_fd);

#endif
