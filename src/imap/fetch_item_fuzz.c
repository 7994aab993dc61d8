/* FETCH items: a label must be an item again, and then give the same label. */
#include <assert.h>

#include "imap/fetch_item.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct arena arena CLEANUP(arena_done) = ARENA_MAX(4 << 20);
	struct imap_text text = {str_of(data, len), NULL, 0};
	struct imap_parser p = imap_parser_of(text, &arena);
	struct imap_fetch_items items, again;

	if (!imap_parse_fetch_items(&p, &items))
		return 0;
	for (size_t i = 0; i < items.n; i++) {
		struct buf label CLEANUP(buf_done) = BUF_MAX(1 << 20);
		struct buf second CLEANUP(buf_done) = BUF_MAX(1 << 20);
		if (items.v[i].kind < FETCH_SECTION || items.v[i].partial)
			continue;
		imap_fetch_label_write(&items.v[i], &label);
		if (str_index(buf_str(&label), '{') < label.len)
			continue; /* a field name that needs a literal */
		struct imap_text whole = {buf_str(&label), NULL, 0};
		struct imap_parser q = imap_parser_of(whole, &arena);
		assert(imap_parse_fetch_items(&q, &again) && again.n == 1);
		imap_fetch_label_write(&again.v[0], &second);
		assert(str_eq(buf_str(&label), buf_str(&second)));
	}
	return 0;
}
