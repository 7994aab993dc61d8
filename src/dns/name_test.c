#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "dns/name.h"

static void expect_name(struct str text, const char *want)
{
	struct dns_name name;

	assert_true(dns_name_parse(text, &name));
	assert_string_equal(name.text, want);
}

static void names_are_read_from_text(void **state UNUSED)
{
	expect_name(STR("Example.ORG"), "example.org");
	expect_name(STR("example.org."), "example.org");
	expect_name(STR("_25._tcp.mx-1.example.org"), "_25._tcp.mx-1.example.org");
	expect_name(STR("."), "");
}

static void what_is_no_name_is_refused(void **state UNUSED)
{
	static const struct str none[] = {STR_INIT(""), STR_INIT(".."), STR_INIT(".a"),
	    STR_INIT("a..b"), STR_INIT("a.."), STR_INIT("a b"), STR_INIT("a\0b"),
	    STR_INIT("m\xc3\xbcller.example"), STR_INIT("a/b"), STR_INIT("*.a")};
	struct dns_name name;

	for (size_t i = 0; i < ARRAY_LEN(none); i++)
		assert_false(dns_name_parse(none[i], &name));
}

static void names_have_limits(void **state UNUSED)
{
	struct buf text CLEANUP(buf_done) = BUF_MAX(1000);
	struct buf wire CLEANUP(buf_done) = BUF_MAX(1000);
	struct dns_name name;

	for (int i = 0; i < DNS_LABEL_MAX; i++)
		buf_add_c(&text, 'a');
	assert_true(dns_name_parse(buf_str(&text), &name));
	buf_add_c(&text, 'a');
	assert_false(dns_name_parse(buf_str(&text), &name));
	buf_clear(&text);
	for (int i = 0; i < 126; i++)
		buf_add(&text, STR("a."));
	buf_add_c(&text, 'a');
	assert_int_equal(text.len, DNS_TEXT_NAME_MAX);
	assert_true(dns_name_parse(buf_str(&text), &name));
	assert_true(dns_name_add(&name, &wire));
	assert_int_equal(wire.len, DNS_WIRE_NAME_MAX);
	buf_add_c(&text, 'a');
	assert_false(dns_name_parse(buf_str(&text), &name));
}

static void names_are_cut_off_the_wire(void **state UNUSED)
{
	struct str rest = STR("\x02Mx\x07"
	                      "example\0tail");
	struct dns_name name;

	assert_true(dns_name_cut(&rest, &name));
	assert_string_equal(name.text, "mx.example");
	assert_true(str_eq(rest, STR("tail")));
	rest = STR("\0");
	assert_true(dns_name_cut(&rest, &name));
	assert_string_equal(name.text, "");
	static const struct str none[] = {STR_INIT(""), STR_INIT("\x02mx"), STR_INIT("\x03mx\0"),
	    STR_INIT("\xc0\x00"),
	    STR_INIT("\x03"
	             "a.b\0"),
	    STR_INIT("\x02"
	             "a\0\0")};
	for (size_t i = 0; i < ARRAY_LEN(none); i++) {
		rest = none[i];
		assert_false(dns_name_cut(&rest, &name));
		assert_int_equal(rest.len, none[i].len);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(names_are_read_from_text),
	    cmocka_unit_test(what_is_no_name_is_refused),
	    cmocka_unit_test(names_have_limits),
	    cmocka_unit_test(names_are_cut_off_the_wire),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
