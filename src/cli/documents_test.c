/* docs/configuration.md says what the table of keys says. Run in the repository's folder. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/fd.h"
#include "config/config.h"

enum { DOCUMENT_MAX = 1 << 20, ROW_MAX = 1024 };

static void the_document_has_every_key(void **state UNUSED)
{
	char *text = NULL;
	size_t len = 0;
	size_t n = 0;
	size_t n_rows = 0;
	const struct config_key *keys = config_keys(&n);
	assert_int_equal(
	    fd_read_file(AT_FDCWD, "docs/configuration.md", DOCUMENT_MAX, &text, &len), 0);
	for (size_t i = 0; i < n; i++) {
		struct buf row CLEANUP(buf_done) = BUF_MAX(ROW_MAX);
		if (keys[i].type == CONFIG_NUMBER)
			buf_printf(&row, "\n| `%s` | %" PRIu64 " | %" PRIu64 " to ", keys[i].name,
			    keys[i].number, keys[i].least);
		else if (keys[i].text)
			buf_printf(&row, "\n| `%s` | `%s` | text | %s |\n", keys[i].name,
			    keys[i].text, keys[i].help);
		else
			buf_printf(&row, "\n| `%s` | must be given | text | %s |\n", keys[i].name,
			    keys[i].help);
		if (str_find(str_of(text, len), buf_str(&row)) == len)
			fail_msg("docs/configuration.md has no row%.*s", STR_FMT(buf_str(&row)));
	}
	struct str rest = str_of(text, len);
	while (rest.len > 0)
		n_rows += str_starts(str_cut_line(&rest), STR("| `"));
	assert_int_equal(n_rows, n); /* and none that is not in the table */
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(the_document_has_every_key)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
