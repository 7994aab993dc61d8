/* What others signed is verified by us: the messages of test/dkim. Run from the project's folder.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/fd.h"
#include "mail/dkim.h"
#include "mail/expect.h"

enum { NOW = 1795500000, FILE_MAX = 65536 };

static struct str read_sample(const char *name)
{
	char path[128], *text = NULL;
	size_t len = 0;

	snprintf(path, sizeof(path), "test/dkim/%s", name);
	assert_int_equal(fd_read_file(AT_FDCWD, path, FILE_MAX, &text, &len), 0);
	return str_of(text, len);
}

/* A line "name record" of the file `keys`. */
static enum dkim_lookup find(void *ctx, struct str name, struct arena *a UNUSED, struct str *ret)
{
	for (struct str rest = *(struct str *)ctx; rest.len > 0;) {
		struct str line = str_cut_line(&rest);
		if (str_eq(str_cut(&line, ' '), name)) {
			*ret = line;
			return DKIM_KEY_FOUND;
		}
	}
	return DKIM_KEY_MISSING;
}

/* The one verdict on a message; `change` is a byte of it to be changed, or its length. */
static enum dkim_result verify(const char *name, size_t change, uint64_t *ret_unsigned)
{
	struct arena a CLEANUP(arena_done) = ARENA_MAX(1 << 20);
	struct dkim_verdict verdicts[DKIM_SIGNATURES_MAX];
	struct str keys = read_sample("keys"), message = read_sample(name);
	struct dkim_lookups lookups = {find, &keys};
	size_t n = 0;

	if (change < message.len)
		((char *)(uintptr_t)message.p)[change] ^= 1;
	size_t end = str_find(message, STR("\r\n\r\n"));
	assert_true(end < message.len);
	assert_int_equal(dkim_verify(str_first(message, end + 2), str_from(message, end + 4), NOW,
	                     &lookups, &a, verdicts, &n),
	    0);
	assert_int_equal(n, 1);
	enum dkim_result result = verdicts[0].result;
	*ret_unsigned = verdicts[0].unsigned_bytes;
	free((void *)(uintptr_t)keys.p);
	free((void *)(uintptr_t)message.p);
	return result;
}

static const char *const good[] = {"dkimpy-relaxed.eml", "dkimpy-simple.eml", "dkimpy-mixed.eml",
    "dkimpy-length.eml", "dkimpy-ed25519.eml", "opendkim-rsa-relaxed.eml",
    "opendkim-rsa-simple.eml", "opendkim-ed25519-relaxed.eml"};

static void what_others_signed_passes(void **state UNUSED)
{
	uint64_t rest;

	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		enum dkim_result result = verify(good[i], SIZE_MAX, &rest);
		if (result != DKIM_PASS)
			fail_msg("%s: %s", good[i], dkim_result_word(result));
	}
}

/* The last word of the body, and a letter of the subject, in each. */
static void what_was_changed_fails(void **state UNUSED)
{
	uint64_t rest;

	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		struct str message = read_sample(good[i]);
		size_t subject = str_find(message, STR("Maschinen")),
		       body = str_find(message, STR("mehr"));
		free((void *)(uintptr_t)message.p);
		assert_int_equal(verify(good[i], subject, &rest), DKIM_FAIL);
		assert_int_equal(verify(good[i], body, &rest), DKIM_FAIL);
	}
}

/* RFC 8301 §3.1 */
static void sha1_is_no_signature_any_more(void **state UNUSED)
{
	uint64_t rest;
	enum dkim_result result = verify("opendkim-sha1.eml", SIZE_MAX, &rest);

	assert_true(result == DKIM_NEUTRAL || result == DKIM_PERMERROR);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_others_signed_passes),
	    cmocka_unit_test(what_was_changed_fails),
	    cmocka_unit_test(sha1_is_no_signature_any_more),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
