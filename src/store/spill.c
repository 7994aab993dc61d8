#include "store/spill.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "base/base64.h"
#include "base/buf.h"
#include "base/fd.h"
#include "base/num.h"
#include "store/io.h"

enum { SEALED_LEN = SPILL_BLOCK_LEN + CIPHER_TAG_LEN, RANDOM_LEN = 8, NAME_MAX_LEN = 32 };

/* Under such a name the sweep finds what a crash leaves (blob_file.c). */
static int make_file(int dir_fd, int *ret_fd)
{
	struct buf name CLEANUP(buf_done) = BUF_MAX(NAME_MAX_LEN);
	uint8_t random[RANDOM_LEN];

	cipher_random(random, sizeof(random));
	buf_add(&name, STR(".new-"));
	hex_encode(str_of(random, sizeof(random)), &name);
	buf_add_c(&name, '\0');
	int fd CLEANUP(fd_close) = -1;
	int error = io_open(dir_fd, name.p, O_RDWR | O_CREAT | O_EXCL, 0600, &fd);
	if (!error)
		error = io_unlink(dir_fd, name.p, false);
	if (!error)
		*ret_fd = fd_take(&fd);
	return error;
}

int spill_init(struct spill *spill, int dir_fd)
{
	int fd, error = make_file(dir_fd, &fd);
	if (error)
		return error;
	*spill = (struct spill){.fd = fd, .sealed = malloc(SEALED_LEN)};
	if (spill->sealed == NULL)
		abort();
	cipher_random(spill->key, sizeof(spill->key));
	return 0;
}

/* The key seals nothing else, and no number comes twice. */
static void make_nonce(uint32_t number, uint8_t nonce[static CIPHER_NONCE_LEN])
{
	memset(nonce, 0, CIPHER_NONCE_LEN);
	num_put32(nonce, number);
}

int spill_add(struct spill *spill, const uint8_t block[static SPILL_BLOCK_LEN])
{
	uint8_t nonce[CIPHER_NONCE_LEN];

	if (spill->n_blocks == UINT32_MAX)
		return -EFBIG;
	make_nonce(spill->n_blocks, nonce);
	cipher_seal(spill->key, nonce, (struct str){0}, str_of(block, SPILL_BLOCK_LEN),
	    spill->sealed, spill->sealed + SPILL_BLOCK_LEN);
	int error = io_pwrite(
	    spill->fd, str_of(spill->sealed, SEALED_LEN), (uint64_t)spill->n_blocks * SEALED_LEN);
	/* What was written in part is not written again under the same nonce. */
	spill->n_blocks++;
	return error;
}

int spill_read(
    const struct spill *spill, uint32_t number, uint8_t ret_block[static SPILL_BLOCK_LEN])
{
	uint8_t nonce[CIPHER_NONCE_LEN];

	int error = fd_pread_all(
	    spill->fd, spill->sealed, SEALED_LEN, (off_t)((uint64_t)number * SEALED_LEN));
	if (error)
		return error == -ENODATA ? -EBADMSG : error;
	make_nonce(number, nonce);
	return cipher_open(spill->key, nonce, (struct str){0},
	           str_of(spill->sealed, SPILL_BLOCK_LEN), spill->sealed + SPILL_BLOCK_LEN,
	           ret_block)
	           ? 0
	           : -EBADMSG;
}

void spill_done(struct spill *spill)
{
	if (spill->sealed == NULL)
		return;
	fd_close(&spill->fd);
	free(spill->sealed);
	cipher_wipe(spill->key, sizeof(spill->key));
	*spill = (struct spill){0};
}
