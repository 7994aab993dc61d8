/*
 * seal/key_file.h: a file that holds one of the server's keys: SECRET_LEN random bytes and their
 * checksum, so that a changed byte is found before anything is opened, or made, with the key.
 *
 * Who can write the file can put another key there, with its checksum: what was sealed does not
 * open then.
 */
#ifndef SEAL_KEY_FILE_H
#define SEAL_KEY_FILE_H

#include <stdbool.h>

#include "base/attr.h"
#include "seal/secret.h"

/* Makes it below `dir_fd`, whole or not at all. -EEXIST: it is there already; other -errno. */
MUST_USE int key_file_make(int dir_fd, const char *name);

/*
 * The key (given). -ENOENT; -ENOKEY: these are not the bytes that were written; -ELOOP: a link;
 * other -errno. `bare`: a file of the first version, without a checksum, is taken as it is.
 */
MUST_USE int key_file_read(int dir_fd, const char *name, bool bare, struct secret **ret_key);

#endif
