/* The trailer of a database page, and the page it ends. */
#include <assert.h>

#include "seal/page.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static uint8_t page[VFS_PAGE_LEN], sealed[VFS_PAGE_LEN];
	static const uint8_t key[CIPHER_KEY_LEN] = {7};
	struct page_place place, again;

	if (len < VFS_RESERVE_LEN)
		return 0;
	memset(page, 0, sizeof(page));
	memcpy(page, data + VFS_RESERVE_LEN,
	    len - VFS_RESERVE_LEN < PAGE_CONTENT_LEN ? len - VFS_RESERVE_LEN : PAGE_CONTENT_LEN);
	memcpy(page + PAGE_CONTENT_LEN, data, VFS_RESERVE_LEN);
	if (page_decode(data, &place) == 0) {
		page_seal(key, &place, page, sealed);
		int r = page_decode(sealed + PAGE_CONTENT_LEN, &again);
		assert(r == 0 && memcmp(&place, &again, sizeof(place)) == 0);
		bool opened = page_open(key, sealed);
		assert(opened && memcmp(sealed, page, PAGE_CONTENT_LEN) == 0);
	}
	bool forged = page_open(key, page);
	assert(!forged || (CIPHER_FORMAT_FLAGS & CIPHER_FLAG_NOT_SEALED));
	return 0;
}
