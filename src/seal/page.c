#include "seal/page.h"

#include <errno.h>
#include <string.h>

#include "base/num.h"

/* Offsets in the trailer; docs/formats.md draws it. */
enum {
	TRAILER_AT_NONCE = 0,
	TRAILER_AT_TAG = 24,
	TRAILER_AT_MAGIC = 40, /* from here on authenticated */
	TRAILER_AT_VERSION = 44,
	TRAILER_AT_FLAGS = 45,
	TRAILER_AT_ROLE = 46,
	TRAILER_AT_ZERO = 47,
	TRAILER_AT_PLACE = 48,
	PLACE_LEN = VFS_RESERVE_LEN - TRAILER_AT_PLACE,
	PAGE_VERSION = 1,

	DATABASE_AT_FILE_ID = 0,
	DATABASE_AT_PAGE = 16,

	LOG_AT_SALTS = 0,
	LOG_AT_FRAME = 8,
	LOG_AT_PAGE = 12,
	LOG_AT_N_PAGES = 16,
	LOG_AT_MARK = 24,
	LOG_AT_PREVIOUS = 32,
};

_Static_assert(PLACE_LEN == LOG_AT_PREVIOUS + PAGE_MARK_LEN, "a place fills the trailer");

static const struct str page_magic = STR_INIT("GPpg");

static void page_put_place(const struct page_place *place, uint8_t *p)
{
	memset(p, 0, PLACE_LEN);
	if (place->role == PAGE_DATABASE) {
		memcpy(p + DATABASE_AT_FILE_ID, place->file_id, PAGE_FILE_ID_LEN);
		num_put32(p + DATABASE_AT_PAGE, place->page);
		return;
	}
	memcpy(p + LOG_AT_SALTS, place->salts, PAGE_SALTS_LEN);
	num_put32(p + LOG_AT_FRAME, place->frame);
	num_put32(p + LOG_AT_PAGE, place->page);
	num_put32(p + LOG_AT_N_PAGES, place->n_pages);
	memcpy(p + LOG_AT_MARK, place->mark, PAGE_MARK_LEN);
	memcpy(p + LOG_AT_PREVIOUS, place->previous, PAGE_MARK_LEN);
}

static void page_get_place(const uint8_t *p, struct page_place *place)
{
	if (place->role == PAGE_DATABASE) {
		memcpy(place->file_id, p + DATABASE_AT_FILE_ID, PAGE_FILE_ID_LEN);
		place->page = num_get32(p + DATABASE_AT_PAGE);
		return;
	}
	memcpy(place->salts, p + LOG_AT_SALTS, PAGE_SALTS_LEN);
	place->frame = num_get32(p + LOG_AT_FRAME);
	place->page = num_get32(p + LOG_AT_PAGE);
	place->n_pages = num_get32(p + LOG_AT_N_PAGES);
	memcpy(place->mark, p + LOG_AT_MARK, PAGE_MARK_LEN);
	memcpy(place->previous, p + LOG_AT_PREVIOUS, PAGE_MARK_LEN);
}

static struct str page_aad(const uint8_t *trailer)
{
	return str_of(trailer + TRAILER_AT_MAGIC, VFS_RESERVE_LEN - TRAILER_AT_MAGIC);
}

void page_seal(const uint8_t key[static CIPHER_KEY_LEN], const struct page_place *place,
    const uint8_t *plain, uint8_t *out)
{
	uint8_t *trailer = out + PAGE_CONTENT_LEN;

	memset(trailer, 0, VFS_RESERVE_LEN);
	cipher_nonce(trailer + TRAILER_AT_NONCE, CIPHER_XNONCE_LEN);
	memcpy(trailer + TRAILER_AT_MAGIC, page_magic.p, page_magic.len);
	trailer[TRAILER_AT_VERSION] = PAGE_VERSION;
	trailer[TRAILER_AT_FLAGS] = CIPHER_FORMAT_FLAGS;
	trailer[TRAILER_AT_ROLE] = (uint8_t)place->role;
	page_put_place(place, trailer + TRAILER_AT_PLACE);
	cipher_xseal(key, trailer + TRAILER_AT_NONCE, page_aad(trailer),
	    str_of(plain, PAGE_CONTENT_LEN), out, trailer + TRAILER_AT_TAG);
}

int page_decode(const uint8_t trailer[static VFS_RESERVE_LEN], struct page_place *ret_place)
{
	struct page_place place = {.role = trailer[TRAILER_AT_ROLE]};

	if (memcmp(trailer + TRAILER_AT_MAGIC, page_magic.p, page_magic.len) != 0)
		return -EBADMSG;
	if (trailer[TRAILER_AT_VERSION] != PAGE_VERSION ||
	    trailer[TRAILER_AT_FLAGS] != CIPHER_FORMAT_FLAGS)
		return -EPROTONOSUPPORT;
	if (place.role != PAGE_DATABASE && place.role != PAGE_LOG)
		return -EBADMSG;
	page_get_place(trailer + TRAILER_AT_PLACE, &place);
	*ret_place = place;
	return 0;
}

void page_claim_version(uint8_t trailer[static VFS_RESERVE_LEN])
{
	trailer[TRAILER_AT_VERSION] = PAGE_VERSION;
	trailer[TRAILER_AT_FLAGS] = CIPHER_FORMAT_FLAGS;
}

bool page_open(const uint8_t key[static CIPHER_KEY_LEN], uint8_t *page)
{
	uint8_t *trailer = page + PAGE_CONTENT_LEN;
	bool authentic = cipher_xopen(key, trailer + TRAILER_AT_NONCE, page_aad(trailer),
	    str_of(page, PAGE_CONTENT_LEN), trailer + TRAILER_AT_TAG, page);

	/* A build without sealing finds here what the tag would have found. */
	if (memcmp(trailer + TRAILER_AT_MAGIC, page_magic.p, page_magic.len) != 0)
		authentic = false;
	memset(trailer, 0, VFS_RESERVE_LEN);
	if (!authentic)
		memset(page, 0, PAGE_CONTENT_LEN);
	return authentic;
}

/* The database header of https://www.sqlite.org/fileformat2.html §1.3 and an empty leaf (§1.6). */
void page_first(uint8_t *ret_page)
{
	static const uint8_t header[] = {
	    'S', 'Q', 'L', 'i', 't', 'e', ' ', 'f', 'o', 'r', 'm', 'a', 't', ' ', '3', '\0',
	    VFS_PAGE_LEN >> 8, VFS_PAGE_LEN & 255, /* page size, big-endian */
	    2, 2,                                  /* write and read version: WAL */
	    VFS_RESERVE_LEN,                       /* reserved at the end of each page */
	    64, 32, 32,                            /* fractions, fixed */
	    0, 0, 0, 0,                            /* change counter */
	    0, 0, 0, 1,                            /* pages in the file */
	    [52 + 3] = 1, /* the last page that is a root: there are pointer maps */
	    [64 + 3] = 1, /* and free pages are given back when we say so */
	};
	static const uint8_t leaf[] = {
	    0x0D, 0, 0, 0, 0, /* table leaf, no free block, no cell */
	    PAGE_CONTENT_LEN >> 8, PAGE_CONTENT_LEN & 255, 0, /* where cells begin */
	};

	memset(ret_page, 0, VFS_PAGE_LEN);
	memcpy(ret_page, header, sizeof(header));
	memcpy(ret_page + PAGE_HEADER_LEN, leaf, sizeof(leaf));
}
