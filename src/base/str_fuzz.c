/* Cutting must lose no byte, never leave the slice and come to an end; a quoted value is one line.
 */
#include <assert.h>

#include "base/log.h"
#include "base/num.h"
#include "base/str.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum { NUMBER_MAX = 4294967295 };

static void check_pieces(struct str all)
{
	struct str rest = all;
	size_t total = 0;

	while (rest.len > 0) {
		struct str piece = str_cut(&rest, ';');
		assert(str_index(piece, ';') == piece.len);
		total += piece.len + 1;
	}
	assert(total == all.len || total == all.len + 1);
	rest = all;
	while (rest.len > 0) {
		struct str line = str_cut_line(&rest);
		assert(str_find(line, STR("\n")) == line.len);
		assert(line.len == 0 || (line.p >= all.p && line.p + line.len <= all.p + all.len));
	}
}

static void check_find(struct str all)
{
	struct str needle = str_first(all, 2);
	size_t at = str_find(all, needle), nocase = str_find_nocase(all, needle);

	assert(at <= all.len && nocase <= at);
	assert(at == 0);
	struct str trimmed = str_trim(all);
	assert(str_find(all, trimmed) <= all.len - trimmed.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct str all = str_of(data, len);
	uint64_t value = 0;
	char cstr[64];

	check_pieces(all);
	if (len > 0)
		check_find(all);
	if (num_parse(all, NUMBER_MAX, &value))
		assert(value <= NUMBER_MAX && ascii_is_digit(all.p[0]));
	int r = str_to_cstr(all, cstr, sizeof(cstr));
	assert(r < 0 ? cstr[0] == '\0' : str_eq(str_of_cstr(cstr), all));
	struct log_quoted q = log_quote(all);
	for (const char *c = q.text; *c != '\0'; c++)
		assert((unsigned char)*c >= 0x20);
	return 0;
}
