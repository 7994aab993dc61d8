#include "mail/header.h"

#include "mail/expect.h"
#include "mail/test_windows.h"

static void header_splits_at_the_first_empty_line(void **state)
{
	(void)state;
	struct str header, body;

	header_split(STR("A: b\r\n\r\nbody\r\n\r\nmore"), &header, &body);
	expect_str(header, "A: b\r\n\r\n");
	expect_str(body, "body\r\n\r\nmore");
	header_split(STR("A: b\n\nbody"), &header, &body);
	expect_str(header, "A: b\n\n");
	expect_str(body, "body");
}

static void header_without_an_end_has_no_body(void **state)
{
	(void)state;
	struct str header, body;

	header_split(STR("A: b\r\nC: d"), &header, &body);
	expect_str(header, "A: b\r\nC: d");
	assert_int_equal(body.len, 0);
	header_split(STR("\r\nbody"), &header, &body);
	expect_str(header, "\r\n");
	expect_str(body, "body");
	header_split(STR(""), &header, &body);
	assert_int_equal(header.len + body.len, 0);
}

static void header_gives_fields_with_their_folds(void **state)
{
	(void)state;
	struct header_reader reader = {.rest = STR("One:  1\r\nTwo : a\r\n b\r\n\tc\r\n\r\nX: y")};
	struct header_field field;

	assert_true(header_next(&reader, &field));
	expect_str(field.name, "One");
	expect_str(field.value, "  1");
	expect_str(field.whole, "One:  1\r\n");
	assert_true(header_next(&reader, &field));
	expect_str(field.name, "Two");
	expect_str(field.value, " a\r\n b\r\n\tc");
	expect_str(field.whole, "Two : a\r\n b\r\n\tc\r\n");
	assert_false(header_next(&reader, &field));
	assert_false(header_next(&reader, &field));
}

static void header_steps_over_what_is_no_field(void **state)
{
	(void)state;
	struct header_reader reader = {
	    .rest = STR("From a@b Mon\n>From x\n cont\n: none\nA B: no\n\x80: no\nGood: yes\n")};
	struct header_field field;

	assert_true(header_next(&reader, &field));
	expect_str(field.name, "Good");
	expect_str(field.value, " yes");
	assert_false(header_next(&reader, &field));
}

static void header_finds_fields_in_any_case(void **state)
{
	(void)state;
	struct str header = STR("subject:  first \r\nSUBJECT: second\r\nOther: x\r\n\r\n");
	struct header_field field;

	assert_true(header_find(header, STR("Subject"), &field));
	expect_str(field.name, "subject");
	expect_str(header_value(header, STR("SuBjEcT")), "first");
	assert_false(header_find(header, STR("Subj"), &field));
	assert_int_equal(header_value(header, STR("Subj")).len, 0);
}

static void header_unfolds(void **state)
{
	(void)state;
	struct buf out CLEANUP(buf_done) = BUF_MAX(64);

	assert_true(header_unfold(STR("  a\r\n b\n\tc\r\n"), &out));
	expect_buf(out, "a b\tc");
	buf_clear(&out);
	assert_true(header_unfold(STR("a\rb\0c"), &out));
	expect_buf(out, "abc");
	struct buf small CLEANUP(buf_done) = BUF_MAX(2);
	assert_false(header_unfold(STR("abc"), &small));
	assert_true(buf_failed(&small));
}

static void header_stops_at_its_number_of_fields(void **state)
{
	(void)state;
	struct buf text CLEANUP(buf_done) = BUF_MAX(1 << 20);
	struct header_field field;

	repeat(&text, "A: b\r\n", HEADER_FIELDS_MAX);
	buf_add(&text, STR("Late: x\r\n\r\nbody"));
	struct header_reader reader = {.rest = buf_str(&text)};
	size_t n = 0;
	while (header_next(&reader, &field))
		n++;
	assert_int_equal(n, HEADER_FIELDS_MAX);
	assert_false(header_find(buf_str(&text), STR("Late"), &field));
	struct str header, body;
	header_split(buf_str(&text), &header, &body);
	expect_str(body, "body");
}

static void header_stops_at_its_length(void **state)
{
	(void)state;
	struct buf text CLEANUP(buf_done) = BUF_MAX(2 * HEADER_LEN_MAX);
	struct header_field field;

	buf_add(&text, STR("First: x\r\nLong: "));
	repeat(&text, "0123456789abcdef", HEADER_LEN_MAX / 16);
	buf_add(&text, STR("\r\nLate: x\r\n"));
	assert_true(header_find(buf_str(&text), STR("First"), &field));
	assert_false(header_find(buf_str(&text), STR("Long"), &field));
	assert_false(header_find(buf_str(&text), STR("Late"), &field));
}

static void expect_end(struct str message, uint64_t want)
{
	struct str header, body;

	header_split(message, &header, &body);
	assert_int_equal(header.len, want);
	for (size_t len = 1; len < 9; len++) {
		struct test_windows w CLEANUP(test_windows_done) = {message, len, NULL, 0};
		struct mail_source source = test_windows_source(&w);
		uint64_t end = 99;
		assert_int_equal(header_find_end(&source, &end), 0);
		assert_int_equal(end, want);
	}
}

static void header_end_is_found_in_windows(void **state)
{
	(void)state;
	expect_end(STR(""), 0);
	expect_end(STR("\nbody"), 1);
	expect_end(STR("\r\nbody\r\n"), 2);
	expect_end(STR("A: b\n\nbody\n\n"), 6);
	expect_end(STR("A: b\r\n\r\nbody\r\n\r\n"), 8);
	expect_end(STR("A: b\r\n\r \n\rx\n\r\n"), 14);
	expect_end(STR("A: b\r\nC: d"), 10);
	struct test_windows w CLEANUP(test_windows_done) = {STR("A: b\r\nC: d"), 3, NULL, 5};
	struct mail_source source = test_windows_source(&w);
	uint64_t end = 99;
	assert_int_equal(header_find_end(&source, &end), -EBADMSG);
	assert_int_equal(end, 99);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(header_splits_at_the_first_empty_line),
	    cmocka_unit_test(header_without_an_end_has_no_body),
	    cmocka_unit_test(header_gives_fields_with_their_folds),
	    cmocka_unit_test(header_steps_over_what_is_no_field),
	    cmocka_unit_test(header_finds_fields_in_any_case),
	    cmocka_unit_test(header_unfolds),
	    cmocka_unit_test(header_stops_at_its_number_of_fields),
	    cmocka_unit_test(header_stops_at_its_length),
	    cmocka_unit_test(header_end_is_found_in_windows),
	};
	return cmocka_run_group_tests_name("mail/header", tests, NULL, NULL);
}
