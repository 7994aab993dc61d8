#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/cli.h"

static void reads_sizes(void **state UNUSED)
{
	static const struct {
		const char *text;
		bool is_read;
		uint64_t bytes;
	} cases[] = {
	    {"0", true, 0},
	    {"1500", true, 1500},
	    {"500M", true, 500ULL << 20},
	    {"2g", true, 2ULL << 30},
	    {"1T", true, 1ULL << 40},
	    {"9223372036854775807", true, INT64_MAX},
	    {"9223372036854775808", false, 0},
	    {"8589934592G", false, 0},
	    {"", false, 0},
	    {"M", false, 0},
	    {"-1", false, 0},
	    {"1.5G", false, 0},
	    {"12X", false, 0},
	    {" 5", false, 0},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint64_t bytes = 77;
		assert_int_equal(cli_parse_size(cases[i].text, &bytes), cases[i].is_read);
		assert_int_equal(bytes, cases[i].is_read ? cases[i].bytes : 77);
	}
}

enum { WORDS_MAX = 16 };

static const struct cli_spec spec = {"thing add", "NAME", "Adds.", 1, 2, CLI_CONFIG | CLI_JSON};

static int read_words(
    const char *const *words, int argc, struct cli_arguments *ret, const char **quota, bool *flag)
{
	const struct cli_option options[] = {
	    {"--quota", "BYTES", "how much", quota, NULL},
	    {"--force", NULL, "do it", NULL, flag},
	};
	static char *argv[WORDS_MAX];
	assert_true(argc <= WORDS_MAX);
	for (int i = 0; i < argc; i++)
		argv[i] = (char *)(uintptr_t)words[i]; /* moved about, not written to */
	return cli_read_arguments(&spec, options, ARRAY_LEN(options), argc, argv, ret);
}

static void reads_options_and_operands_in_any_order(void **state UNUSED)
{
	static const char *const words[] = {
	    "add", "a", "--quota", "5", "-c", "file.conf", "--force", "--json", "--", "-b"};
	struct cli_arguments arguments;
	const char *quota = NULL;
	bool flag = false;
	assert_int_equal(read_words(words, ARRAY_LEN(words), &arguments, &quota, &flag), CLI_GO_ON);
	assert_int_equal(arguments.n, 2);
	assert_string_equal(arguments.operands[0], "a");
	assert_string_equal(arguments.operands[1], "-b");
	assert_string_equal(arguments.config, "file.conf");
	assert_string_equal(quota, "5");
	assert_true(flag && arguments.json);
}

static void reads_values_behind_an_equals_sign(void **state UNUSED)
{
	static const char *const words[] = {"add", "--quota=5M", "--config=x", "a"};
	struct cli_arguments arguments;
	const char *quota = NULL;
	bool flag = false;
	assert_int_equal(read_words(words, ARRAY_LEN(words), &arguments, &quota, &flag), CLI_GO_ON);
	assert_string_equal(quota, "5M");
	assert_string_equal(arguments.config, "x");
}

static void assert_wrong(const char *const *words, int argc)
{
	struct cli_arguments arguments;
	const char *quota = NULL;
	bool flag = false;
	assert_int_equal(read_words(words, argc, &arguments, &quota, &flag), CLI_USAGE);
}

static void refuses_wrong_usage(void **state UNUSED)
{
	assert_wrong((const char *const[]){"add"}, 1);
	assert_wrong((const char *const[]){"add", "a", "b", "c"}, 4);
	assert_wrong((const char *const[]){"add", "a", "--nonsense"}, 3);
	assert_wrong((const char *const[]){"add", "a", "--quota"}, 3);
	assert_wrong((const char *const[]){"add", "a", "--force=yes"}, 3);
	assert_wrong((const char *const[]){"add", "a", "--quotas=1"}, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(reads_sizes),
	    cmocka_unit_test(reads_options_and_operands_in_any_order),
	    cmocka_unit_test(reads_values_behind_an_equals_sign),
	    cmocka_unit_test(refuses_wrong_usage),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
