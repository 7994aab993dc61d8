/* Names and patterns: what is read can be written and read again; the first line is the pattern. */
#include <assert.h>

#include "imap/mailbox_name.h"
#include "base/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void read_name(struct str name, bool utf8)
{
	struct buf kept CLEANUP(buf_done) = BUF_MAX(8192);
	struct buf written CLEANUP(buf_done) = BUF_MAX(16384);

	if (imap_mailbox_name_read(name, utf8, &kept) != NULL)
		return;
	assert(utf8_is_valid(buf_str(&kept)) && kept.len <= IMAP_MAILBOX_NAME_LEN_MAX);
	assert(imap_pattern_matches(STR("*"), buf_str(&kept)));
	assert(imap_pattern_matches(buf_str(&kept), buf_str(&kept)));
	imap_mailbox_name_write(buf_str(&kept), false, &written);
	assert(utf8_is_ascii(buf_str(&written)));
	struct buf encoded CLEANUP(buf_done) = BUF_MAX(16384);
	struct buf again CLEANUP(buf_done) = BUF_MAX(8192);
	assert(imap_utf7_encode(buf_str(&kept), &encoded));
	assert(imap_utf7_decode(buf_str(&encoded), &again));
	assert(str_eq(buf_str(&kept), buf_str(&again)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct str name = str_of(data, len);
	struct str pattern = str_cut(&name, '\n');

	read_name(name, false);
	read_name(name, true);
	(void)imap_pattern_matches(pattern, name);
	return 0;
}
