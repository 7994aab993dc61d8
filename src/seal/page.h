/*
 * seal/page.h: one sealed page of a database or of its log (internal to seal/; pure).
 *
 * A page ends with a trailer of VFS_RESERVE_LEN bytes that SQLite leaves alone: nonce, tag, and, in
 * clear but authenticated, what the page is and where it belongs (`struct page_place`).
 */
#ifndef SEAL_PAGE_H
#define SEAL_PAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/str.h"
#include "seal/cipher.h"
#include "seal/vfs.h"

enum {
	PAGE_CONTENT_LEN = VFS_PAGE_LEN - VFS_RESERVE_LEN,
	PAGE_FILE_ID_LEN = 16,
	PAGE_SALTS_LEN = 8,
	PAGE_MARK_LEN = 8,
};

enum page_role { PAGE_DATABASE = 'D', PAGE_LOG = 'L' };

struct page_place {
	enum page_role role;
	uint32_t page;                     /* its number in the database, from 1 */
	uint8_t file_id[PAGE_FILE_ID_LEN]; /* PAGE_DATABASE: the file's */
	/* PAGE_LOG only: */
	uint8_t salts[PAGE_SALTS_LEN];   /* the generation of the log */
	uint32_t frame;                  /* place in the log, from 1 */
	uint32_t n_pages;                /* of the database after this commit; 0: not a commit */
	uint8_t mark[PAGE_MARK_LEN];     /* random, of this frame */
	uint8_t previous[PAGE_MARK_LEN]; /* the mark of the frame before it; zero for the first */
};

/* Seals `plain` (a page; its last bytes are ignored) to `out` (may be the same). */
void page_seal(const uint8_t key[static CIPHER_KEY_LEN], const struct page_place *place,
    const uint8_t *plain, uint8_t *out);

/*
 * The place a page claims. -EBADMSG when it has no such trailer, -EPROTONOSUPPORT for another
 * version or a build without sealing. Nothing is authentic before page_open.
 */
MUST_USE int page_decode(
    const uint8_t trailer[static VFS_RESERVE_LEN], struct page_place *ret_place);

/* Writes this version into a trailer: a page that opens then was of it, and damaged. */
void page_claim_version(uint8_t trailer[static VFS_RESERVE_LEN]);

/* Opens a page in place; its trailer becomes zero. False, and all of it zero, when not authentic.
 */
MUST_USE bool page_open(const uint8_t key[static CIPHER_KEY_LEN], uint8_t *page);

/* Page 1 of an empty database in WAL mode, as SQLite would make it. */
void page_first(uint8_t *ret_page);
enum { PAGE_HEADER_LEN = 100 };

#endif
