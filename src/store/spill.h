/*
 * store/spill.h: a temporary file of sealed blocks, for what is too much to be kept in memory.
 *
 * Blocks are written once each, one behind the other, and read in any order. The file has no name
 * from the moment it was made, its key was never anywhere but in this memory: nothing of it
 * outlives the process. A block that was changed or moved does not open.
 *
 * Private to src/store.
 */
#ifndef STORE_SPILL_H
#define STORE_SPILL_H

#include <stdint.h>

#include "seal/cipher.h"

enum { SPILL_BLOCK_LEN = 16384 };

struct spill {
	int fd;
	uint32_t n_blocks;
	uint8_t key[CIPHER_KEY_LEN];
	uint8_t *sealed; /* room for a block and its tag */
};

/* Makes the file in a folder (kept: spill_done). 0 or -errno. */
MUST_USE int spill_init(struct spill *spill, int dir_fd);
/* Adds a block: its number is that of those before it. 0; -EFBIG; -errno. */
MUST_USE int spill_add(struct spill *spill, const uint8_t block[static SPILL_BLOCK_LEN]);
/* 0; -EBADMSG for one that is not as it was written; -errno. */
MUST_USE int spill_read(
    const struct spill *spill, uint32_t number, uint8_t ret_block[static SPILL_BLOCK_LEN]);
/* Closes and wipes it; nothing where it was not made (all zero). */
void spill_done(struct spill *spill);

#endif
