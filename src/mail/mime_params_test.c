#include <errno.h>

#include "mail/expect.h"
#include "mail/mime.h"

/* "name=value" of each, joined by "; ". */
static void expect_params(struct str text, const char *want)
{
	struct arena a CLEANUP(arena_done) = ARENA_MAX(1 << 20);
	struct buf out CLEANUP(buf_done) = BUF_MAX(1 << 16);
	struct mime_params params = {0};

	assert_int_equal(mime_params_parse(text, &a, MIME_PARAMS_MAX, &params), 0);
	for (size_t i = 0; i < params.n; i++)
		buf_printf(&out, "%s%.*s=%.*s", i > 0 ? "; " : "", STR_FMT(params.list[i].name),
		    STR_FMT(params.list[i].value));
	expect_buf(out, want);
}

/* The decoded value of parameter `name`; NULL where there must be none. */
static void expect_param(struct str text, const char *name, const char *want)
{
	struct arena a CLEANUP(arena_done) = ARENA_MAX(1 << 20);
	struct buf out CLEANUP(buf_done) = BUF_MAX(1 << 16);
	struct mime_params params = {0};

	assert_int_equal(mime_params_parse(text, &a, MIME_PARAMS_MAX, &params), 0);
	assert_int_equal(mime_param(&params, str_of_cstr(name), &out), want != NULL);
	expect_buf(out, want != NULL ? want : "");
}

static void mime_params_reads_them(void **state)
{
	(void)state;
	expect_params(STR(""), "");
	expect_params(STR(" charset=utf-8; Format=flowed"), "charset=utf-8; Format=flowed");
	expect_params(STR("a=\"b; c \\\"d\\\"\"; e=f"), "a=b; c \"d\"; e=f");
	expect_params(STR("a (c) = (d) b (e) ; f=g (h)"), "a=b; f=g");
	expect_params(STR("a=\"b\r\n c\";\r\n\td=e"), "a=b c; d=e");
}

static void mime_params_steps_over_nonsense(void **state)
{
	(void)state;
	expect_params(STR(";;; ;x; =y; a b; c=d"), "c=d");
	expect_params(STR("a="), "a=");
	expect_params(STR("a=\"open; b=c"), "a=open; b=c");
	expect_params(STR("a=\"b\" junk; c=d"), "a=b; c=d");
}

static void mime_params_takes_values_that_lack_their_quotes(void **state)
{
	(void)state;
	expect_params(STR("filename=foo bar (1).txt; x=1"), "filename=foo bar (1).txt; x=1");
	expect_params(STR("boundary=a=b/c?"), "boundary=a=b/c?");
}

static void mime_params_stop_at_their_limit(void **state)
{
	(void)state;
	struct arena a CLEANUP(arena_done) = ARENA_MAX(1 << 20);
	struct buf text CLEANUP(buf_done) = BUF_MAX(1 << 16);
	struct mime_params params = {0};

	repeat(&text, "a=b;", MIME_PARAMS_MAX + 5);
	assert_int_equal(mime_params_parse(buf_str(&text), &a, SIZE_MAX, &params), 0);
	assert_int_equal(params.n, MIME_PARAMS_MAX);
	assert_int_equal(mime_params_parse(buf_str(&text), &a, 3, &params), 0);
	assert_int_equal(params.n, 3);
	struct arena small CLEANUP(arena_done) = ARENA_MAX(16);
	assert_int_equal(mime_params_parse(buf_str(&text), &small, 9, &params), -E2BIG);
}

static void mime_param_decodes_rfc2231(void **state)
{
	(void)state;
	/* The examples of RFC 2231 §3, §4 and §4.1. */
	expect_param(STR("access-type=URL; URL*0=\"ftp://\"; URL*1=\"cs.utk.edu/x\""), "url",
	    "ftp://cs.utk.edu/x");
	expect_param(STR("title*=us-ascii'en-us'This%20is%20%2A%2A%2Afun%2A%2A%2A"), "title",
	    "This is ***fun***");
	expect_param(STR("title*0*=us-ascii'en'This%20is%20even%20more%20; "
	                 "title*1*=%2A%2A%2Afun%2A%2A%2A%20; title*2=\"isn't it!\""),
	    "title", "This is even more ***fun*** isn't it!");
}

static void mime_param_decodes_charsets(void **state)
{
	(void)state;
	expect_param(STR("f*=iso-8859-1''%A3"), "f", "\u00a3");
	expect_param(STR("f*0*=utf-8''%c3; f*1*=%a9"), "f", "\u00e9");
	expect_param(STR("f*=''%41"), "f", "A");
	expect_param(STR("f*=%41"), "f", "A");
	expect_param(STR("f*=utf-8''100%"), "f", "100%");
	expect_param(STR("f*=x-none''%ff"), "f", "\u00ff");
}

static void mime_param_prefers_the_extended_form(void **state)
{
	(void)state;
	expect_param(STR("f=plain; f*=utf-8''ext"), "f", "ext");
	expect_param(STR("f*1=b; f*0=a; f*3=d"), "f", "ab");
	expect_param(STR("f*1=b; f=plain"), "f", "plain");
	expect_param(STR("f*x=b; f*=; g=h"), "f", "");
}

static void mime_param_decodes_encoded_words_too(void **state)
{
	(void)state;
	expect_param(STR("f=\"=?utf-8?Q?=C3=A9?=.txt\""), "f", "\u00e9.txt");
	expect_param(STR("f=\"\xc3\xa9\""), "f", "\u00e9");
	expect_param(STR("f=\"\xe9\""), "f", "\u00e9");
}

static void mime_param_may_be_missing(void **state)
{
	(void)state;
	expect_param(STR("filename=x"), "file", NULL);
	expect_param(STR(""), "x", NULL);
}

static void mime_filename_comes_from_either_field(void **state)
{
	(void)state;
	static const char both[] = "Content-Type: x/y; name=n\nContent-Disposition: attachment; "
	                           "filename=f\n\n";
	static const char one[] = "Content-Type: x/y; name=n\nContent-Disposition: attachment\n\n";
	struct arena a CLEANUP(arena_done) = ARENA_MAX(1 << 20);
	struct buf out CLEANUP(buf_done) = BUF_MAX(100);
	struct mime_part *part;

	assert_int_equal(mime_parse(str_of_cstr(both), &a, &part), 0);
	assert_true(mime_filename(part, &out));
	expect_buf(out, "f");
	buf_clear(&out);
	assert_int_equal(mime_parse(str_of_cstr(one), &a, &part), 0);
	assert_true(mime_filename(part, &out));
	expect_buf(out, "n");
	assert_int_equal(mime_parse(STR("\n"), &a, &part), 0);
	assert_false(mime_filename(part, &out));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(mime_params_reads_them),
	    cmocka_unit_test(mime_params_steps_over_nonsense),
	    cmocka_unit_test(mime_params_takes_values_that_lack_their_quotes),
	    cmocka_unit_test(mime_params_stop_at_their_limit),
	    cmocka_unit_test(mime_param_decodes_rfc2231),
	    cmocka_unit_test(mime_param_decodes_charsets),
	    cmocka_unit_test(mime_param_prefers_the_extended_form),
	    cmocka_unit_test(mime_param_decodes_encoded_words_too),
	    cmocka_unit_test(mime_param_may_be_missing),
	    cmocka_unit_test(mime_filename_comes_from_either_field),
	};
	return cmocka_run_group_tests_name("mail/mime_params", tests, NULL, NULL);
}
