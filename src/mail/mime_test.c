#include "mail/mime.h"

#include <errno.h>
#include <time.h>

#include "mail/expect.h"

/* "type/subtype[body_at+body_len,lines](children)" of a tree. */
static void describe(const struct mime_part *part, struct buf *out)
{
	buf_printf(out, "%.*s/%.*s[%zu+%zu,%zu]", STR_FMT(part->type), STR_FMT(part->subtype),
	    part->body_at, part->body_len, part->n_lines);
	if (part->first_child == NULL)
		return;
	buf_add_c(out, part->message ? '<' : '(');
	for (const struct mime_part *child = part->first_child; child != NULL;
	     child = child->next) {
		if (child->number > 1)
			buf_add_c(out, ' ');
		describe(child, out);
	}
	buf_add_c(out, part->message ? '>' : ')');
}

static struct mime_part *parse(struct str message, struct arena *a)
{
	struct mime_part *root = NULL;

	assert_int_equal(mime_parse(message, a, &root), 0);
	return root;
}

static void expect_tree(struct str message, const char *want)
{
	struct arena a CLEANUP(arena_done) = ARENA_MAX(MIME_ARENA_MAX);
	struct buf out CLEANUP(buf_done) = BUF_MAX(1 << 20);

	describe(parse(message, &a), &out);
	expect_buf(out, want);
}

static void mime_reads_a_plain_message(void **state)
{
	(void)state;
	expect_tree(STR("Subject: x\r\n\r\none\r\ntwo\r\n"), "text/plain[14+10,2]");
	expect_tree(STR("Subject: x\n\none\ntwo"), "text/plain[12+7,2]");
	expect_tree(STR("Subject: x"), "text/plain[10+0,0]");
	expect_tree(STR(""), "text/plain[0+0,0]");
}

static void mime_reads_a_multipart(void **state)
{
	(void)state;
	expect_tree(
	    STR("Content-Type: multipart/mixed; boundary=b\r\n\r\npre\r\n--b\r\n\r\n"
	        "one\r\n--b\r\nContent-Type: text/html\r\n\r\ntwo\r\n\r\n--b--\r\npost\r\n"),
	    "multipart/mixed[45+69,11](text/plain[57+3,1] text/html[94+5,1])");
}

static void mime_body_of_a_part_excludes_the_line_end_of_the_delimiter(void **state)
{
	(void)state;
	struct str message =
	    STR("Content-Type: multipart/mixed; boundary=b\n\n--b\n\none\n\n--b\n\n--b--\n");
	struct arena a CLEANUP(arena_done) = ARENA_MAX(1 << 20);
	const struct mime_part *root = parse(message, &a);

	assert_int_equal(root->n_children, 2);
	expect_str(mime_body(message, root->first_child), "one\n");
	assert_int_equal(root->first_child->n_lines, 1);
	expect_str(mime_body(message, root->first_child->next), "");
	expect_str(mime_header(message, root->first_child), "\n");
}

static void mime_ends_unclosed_parts(void **state)
{
	(void)state;
	expect_tree(STR("Content-Type: multipart/mixed; boundary=o\n\n--o\n"
	                "Content-Type: multipart/mixed; boundary=i\n\n--i\n\nx\n--o\n\ny\n"),
	    "multipart/mixed[43+61,9](multipart/mixed[90+6,3](text/plain[95+1,1]) "
	    "text/plain[102+2,1])");
}

static void mime_ends_a_header_at_a_delimiter(void **state)
{
	(void)state;
	struct str message = STR("Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: "
	                         "text/html\n--b\n\nx\n--b--\n");
	struct arena a CLEANUP(arena_done) = ARENA_MAX(1 << 20);
	const struct mime_part *first = parse(message, &a)->first_child;

	expect_str(first->subtype, "html");
	assert_int_equal(first->body_len, 0);
	expect_str(mime_header(message, first), "Content-Type: text/html\n");
	expect_str(mime_body(message, first->next), "x");
}

static void mime_compares_delimiters_whole(void **state)
{
	(void)state;
	struct arena a CLEANUP(arena_done) = ARENA_MAX(1 << 20);
	struct str message = STR("Content-Type: multipart/mixed; boundary=ab\n\n--ab \t\n\none\n"
	                         "--abc\n--ab-\n--ab--x\n --ab\n--ab--\t\n--ab\n\nlate\n");
	const struct mime_part *root = parse(message, &a);

	assert_int_equal(root->n_children, 1);
	expect_str(mime_body(message, root->first_child), "one\n--abc\n--ab-\n--ab--x\n --ab");
}

static void mime_gives_a_delimiter_to_the_innermost(void **state)
{
	(void)state;
	/* The same boundary twice; and one that is another's close delimiter. */
	expect_tree(STR("Content-Type: multipart/mixed; boundary=b\n\n--b\n"
	                "Content-Type: multipart/mixed; boundary=b\n\n--b\n\nx\n--b\n\ny\n--b--\n"
	                "--b\n\nz\n--b--\n"),
	    "multipart/mixed[43+80,14](multipart/mixed[90+19,7](text/plain[95+1,1] "
	    "text/plain[102+1,1]) text/plain[115+1,1])");
	expect_tree(
	    STR("Content-Type: multipart/mixed; boundary=b\n\n--b\n"
	        "Content-Type: multipart/mixed; boundary=\"b--\"\n\n--b--\n\nx\n--b\n\ny\n"),
	    "multipart/mixed[43+67,9](multipart/mixed[94+8,3](text/plain[101+1,1]) "
	    "text/plain[108+2,1])");
}

static void mime_without_a_boundary_is_a_leaf(void **state)
{
	(void)state;
	struct arena a CLEANUP(arena_done) = ARENA_MAX(1 << 20);
	const struct mime_part *root = parse(STR("Content-Type: multipart/mixed\n\n--\n"), &a);

	assert_false(root->multipart);
	root = parse(STR("Content-Type: multipart/mixed; boundary=\"\"\n\n--\n\nx\n"), &a);
	assert_false(root->multipart);
	root = parse(STR("Content-Type: multipart/mixed; boundary=never\n\nx\n"), &a);
	assert_true(root->multipart);
	assert_null(root->first_child);
	assert_int_equal(root->body_len, 2);
}

static void mime_joins_a_boundary_in_sections(void **state)
{
	(void)state;
	struct arena a CLEANUP(arena_done) = ARENA_MAX(1 << 20);
	struct str message =
	    STR("Content-Type: multipart/mixed; boundary*1=b; boundary*0=a\n\n--ab\n\nx\n");

	assert_int_equal(parse(message, &a)->n_children, 1);
}

static void mime_unfolds_a_boundary(void **state)
{
	(void)state;
	struct arena a CLEANUP(arena_done) = ARENA_MAX(1 << 20);
	struct str message = STR("Content-Type: multipart/mixed; boundary=\"foo\r\n bar\"\r\n\r\n"
	                         "--foo bar\r\n\r\nhello\r\n\r\n--foo bar--\r\n");
	const struct mime_part *root = parse(message, &a);

	assert_int_equal(root->n_children, 1);
	expect_str(mime_body(message, root->first_child), "hello\r\n");
	assert_int_equal(root->first_child->n_lines, 1);
}

static void mime_looks_into_messages(void **state)
{
	(void)state;
	expect_tree(STR("Content-Type: message/rfc822\n\nSubject: in\n\nbody\n"),
	    "message/rfc822[30+18,3]<text/plain[43+5,1]>");
	expect_tree(STR("Content-Type: message/global\n\nSubject: in\n\nbody"),
	    "message/global[30+17,3]<text/plain[43+4,1]>");
	expect_tree(STR("Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\nU3Vi"),
	    "message/rfc822[64+4,1]");
}

static void mime_digests_hold_messages(void **state)
{
	(void)state;
	expect_tree(STR("Content-Type: multipart/digest; boundary=d\n\n--d\n\nSubject: x\n\ny\n"
	                "--d\nContent-Type: text/plain\n\nz\n--d--\n"),
	    "multipart/digest[44+57,10](message/rfc822[49+13,3]<text/plain[61+1,1]> "
	    "text/plain[93+1,1])");
}

static void mime_reads_the_fields(void **state)
{
	(void)state;
	struct arena a CLEANUP(arena_done) = ARENA_MAX(1 << 20);
	struct str value;
	const struct mime_part *part = parse(
	    STR("Content-Type: (c) Image (x) / PNG (y); (z) Name = \"a b\" ; x=1\n"
	        "Content-Transfer-Encoding: BASE64 (c)\nContent-ID:  <i@d>\n"
	        "Content-Description: d\n e\nContent-Language: en, de\nContent-Location: l\n"
	        "Content-MD5: m==\nContent-Disposition: Inline; filename=f\nContent-ID: <j@d>\n\n"),
	    &a);

	assert_true(part->has_type && mime_is(part, STR("image"), STR("png")));
	assert_false(mime_is(part, STR("image"), STR("gif")));
	expect_str(part->type, "Image");
	assert_int_equal(part->type_params.n, 2);
	assert_true(mime_param_raw(&part->type_params, STR("NAME"), &value));
	expect_str(value, "a b");
	assert_int_equal(part->encoding, TRANSFER_BASE64);
	expect_str(part->encoding_name, "BASE64");
	expect_str(part->content_id, "<i@d>");
	expect_str(part->description, "d\n e");
	expect_str(part->language, "en, de");
	expect_str(part->location, "l");
	expect_str(part->md5, "m==");
	expect_str(part->disposition, "Inline");
}

static void mime_type_that_does_not_parse_is_text(void **state)
{
	(void)state;
	static const char *const types[] = {"", "text", "/plain", "text/", "text plain", "(text/x"};

	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		struct arena a CLEANUP(arena_done) = ARENA_MAX(1 << 20);
		struct buf message CLEANUP(buf_done) = BUF_MAX(1000);
		buf_printf(&message, "Content-Type: %s; charset=x\n\nx", types[i]);
		const struct mime_part *part = parse(buf_str(&message), &a);
		assert_false(part->has_type);
		assert_true(mime_is(part, STR("text"), STR("plain")));
		assert_int_equal(part->type_params.n, 0);
	}
}

static void mime_decodes_a_leaf(void **state)
{
	(void)state;
	struct arena a CLEANUP(arena_done) = ARENA_MAX(1 << 20);
	struct str message = STR("Content-Transfer-Encoding: base64\n\nSGVs\nbG8=\n");
	struct buf out CLEANUP(buf_done) = BUF_MAX(100);

	assert_true(mime_decode(message, parse(message, &a), &out));
	expect_buf(out, "Hello");
}

/* The example of RFC 9051 §6.4.5.1, where each part says its own number. */
static const char numbered[] =
    "Content-Type: multipart/mixed; boundary=a\n\n"
    "--a\n\n1\n--a\nContent-Type: application/octet-stream\n\n2\n"
    "--a\nContent-Type: message/rfc822\n\n"
    "Content-Type: multipart/mixed; boundary=b\n\n--b\n\n3.1\n--b\n\n3.2\n--b--\n"
    "--a\nContent-Type: multipart/mixed; boundary=c\n\n--c\nContent-Type: image/gif\n\n4.1\n"
    "--c\nContent-Type: message/rfc822\n\n"
    "Content-Type: multipart/mixed; boundary=d\n\n--d\n\n4.2.1\n"
    "--d\nContent-Type: multipart/alternative; boundary=e\n\n--e\n\n4.2.2.1\n--e\n\n4.2.2.2\n"
    "--e--\n--d--\n--c--\n"
    "--a\nContent-Type: message/rfc822\n\nSubject: plain\n\n5.1\n--a--\n";

static const struct mime_part *find(const struct mime_part *root, const char *section)
{
	struct str rest = str_of_cstr(section);
	uint32_t numbers[16];
	size_t n = 0;

	while (rest.len > 0) {
		struct str digits = str_cut(&rest, '.');
		numbers[n++] = (uint32_t)strtoul(digits.p, NULL, 10);
	}
	return mime_find(root, numbers, n);
}

static void mime_finds_parts_by_number(void **state)
{
	(void)state;
	static const char *const leaves[] = {
	    "1", "2", "3.1", "3.2", "4.1", "4.2.1", "4.2.2.1", "4.2.2.2", "5.1"};
	struct arena a CLEANUP(arena_done) = ARENA_MAX(1 << 20);
	struct str message = str_of_cstr(numbered);
	const struct mime_part *root = parse(message, &a);

	for (size_t i = 0; i < ARRAY_LEN(leaves); i++) {
		const struct mime_part *part = find(root, leaves[i]);
		assert_non_null(part);
		expect_str(mime_body(message, part), leaves[i]);
	}
	assert_ptr_equal(find(root, ""), root);
	assert_true(find(root, "3")->message && find(root, "4.2")->message);
	assert_true(find(root, "4")->multipart && find(root, "4.2.2")->multipart);
	expect_str(mime_header(message, find(root, "5")->first_child), "Subject: plain\n\n");
}

static void mime_finds_nothing_by_other_numbers(void **state)
{
	(void)state;
	static const char *const none[] = {
	    "0", "6", "1.1", "1.1.1", "2.2", "3.3", "3.1.1", "4.2.3", "5.2", "5.1.1", "99999"};
	struct arena a CLEANUP(arena_done) = ARENA_MAX(1 << 20);
	const struct mime_part *root = parse(str_of_cstr(numbered), &a);

	for (size_t i = 0; i < ARRAY_LEN(none); i++)
		assert_null(find(root, none[i]));
}

static void mime_numbers_of_messages_without_parts(void **state)
{
	(void)state;
	struct arena a CLEANUP(arena_done) = ARENA_MAX(1 << 20);
	const struct mime_part *root = parse(STR("Subject: x\n\nbody"), &a);

	assert_ptr_equal(find(root, "1"), root);
	assert_null(find(root, "2"));
	assert_null(find(root, "1.1"));
	root = parse(STR("Content-Type: message/rfc822\n\nSubject: in\n\nbody"), &a);
	assert_ptr_equal(find(root, "1"), root);
	assert_ptr_equal(find(root, "1.1"), root->first_child);
	assert_null(find(root, "1.2"));
}

static void mime_walks_all_parts(void **state)
{
	(void)state;
	struct arena a CLEANUP(arena_done) = ARENA_MAX(1 << 20);
	size_t n = 0, at = 0;

	for (const struct mime_part *part = parse(str_of_cstr(numbered), &a); part != NULL;
	     part = mime_next(part)) {
		assert_true(part->header_at >= at);
		at = part->header_at;
		n++;
	}
	assert_int_equal(n, 17);
}

static size_t depth_of(const struct mime_part *part)
{
	size_t depth = 0;

	while (part->first_child != NULL) {
		part = part->first_child;
		depth++;
	}
	return depth;
}

static void mime_depth_is_bounded(void **state)
{
	(void)state;
	struct arena a CLEANUP(arena_done) = ARENA_MAX(MIME_ARENA_MAX);
	struct buf message CLEANUP(buf_done) = BUF_MAX(1 << 24);

	repeat(&message, "Content-Type: message/rfc822\n\n", 10000);
	const struct mime_part *root = parse(buf_str(&message), &a);
	assert_int_equal(depth_of(root), MIME_DEPTH_MAX);
	buf_clear(&message);
	for (int i = 0; i < 5000; i++)
		buf_printf(
		    &message, "Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n", i, i);
	root = parse(buf_str(&message), &a);
	assert_int_equal(depth_of(root), MIME_DEPTH_MAX);
	assert_int_equal(root->body_at + root->body_len, message.len);
}

static void mime_parts_are_bounded(void **state)
{
	(void)state;
	struct arena a CLEANUP(arena_done) = ARENA_MAX(MIME_ARENA_MAX);
	struct buf message CLEANUP(buf_done) = BUF_MAX(1 << 24);
	size_t n = 0;

	buf_add(&message, STR("Content-Type: multipart/mixed; boundary=b\n\n"));
	repeat(&message, "--b\n\n", 3 * MIME_PARTS_MAX);
	buf_add(&message, STR("--b--\nepilogue"));
	const struct mime_part *root = parse(buf_str(&message), &a);
	for (const struct mime_part *part = root; part != NULL; part = mime_next(part))
		n++;
	assert_int_equal(n, MIME_PARTS_MAX);
	assert_int_equal(root->body_at + root->body_len, message.len);
}

static void mime_params_of_all_parts_are_bounded(void **state)
{
	(void)state;
	struct arena a CLEANUP(arena_done) = ARENA_MAX(MIME_ARENA_MAX);
	struct buf message CLEANUP(buf_done) = BUF_MAX(1 << 24);
	size_t n = 0;

	buf_add(&message, STR("Content-Type: multipart/mixed; boundary=b\n\n"));
	for (int i = 0; i < 1500; i++) {
		buf_add(&message, STR("--b\nContent-Type: x/y"));
		repeat(&message, ";a=b", 2 * MIME_PARAMS_MAX);
		buf_add(&message, STR("\n\n"));
	}
	const struct mime_part *root = parse(buf_str(&message), &a);
	assert_int_equal(root->first_child->type_params.n, MIME_PARAMS_MAX);
	for (const struct mime_part *part = root; part != NULL; part = mime_next(part))
		n += part->type_params.n;
	assert_int_equal(n, MIME_PARAMS_TOTAL_MAX);
}

static void mime_tells_a_full_arena(void **state)
{
	(void)state;
	struct arena a CLEANUP(arena_done) = ARENA_MAX(1000);
	struct mime_part *root = NULL;

	assert_int_equal(mime_parse(str_of_cstr(numbered), &a, &root), -E2BIG);
	assert_null(root);
}

/* A hundred open boundaries and nothing but near misses: each byte is looked at a bounded number
 * of times, so that twice the bytes take about twice as long. */
static double seconds_for(size_t n_lines)
{
	struct arena a CLEANUP(arena_done) = ARENA_MAX(MIME_ARENA_MAX);
	struct buf message CLEANUP(buf_done) = BUF_MAX(1 << 26);
	struct timespec from, to;

	for (int i = 0; i < 100; i++)
		buf_printf(&message,
		    "Content-Type: multipart/mixed; boundary=aaaaaaaa%03d\n\n--aaaaaaaa%03d\n", i,
		    i);
	buf_add(&message, STR("\n"));
	repeat(&message, "--aaaaaaaaxxx\n", n_lines);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
	parse(buf_str(&message), &a);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);
	return (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9;
}

static void mime_time_is_linear(void **state)
{
	(void)state;
	double once = seconds_for(20000), four_times = seconds_for(80000);

	assert_true(four_times < 12 * once + 0.5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(mime_reads_a_plain_message),
	    cmocka_unit_test(mime_reads_a_multipart),
	    cmocka_unit_test(mime_body_of_a_part_excludes_the_line_end_of_the_delimiter),
	    cmocka_unit_test(mime_ends_unclosed_parts),
	    cmocka_unit_test(mime_ends_a_header_at_a_delimiter),
	    cmocka_unit_test(mime_compares_delimiters_whole),
	    cmocka_unit_test(mime_gives_a_delimiter_to_the_innermost),
	    cmocka_unit_test(mime_without_a_boundary_is_a_leaf),
	    cmocka_unit_test(mime_joins_a_boundary_in_sections),
	    cmocka_unit_test(mime_unfolds_a_boundary),
	    cmocka_unit_test(mime_looks_into_messages),
	    cmocka_unit_test(mime_digests_hold_messages),
	    cmocka_unit_test(mime_reads_the_fields),
	    cmocka_unit_test(mime_type_that_does_not_parse_is_text),
	    cmocka_unit_test(mime_decodes_a_leaf),
	    cmocka_unit_test(mime_finds_parts_by_number),
	    cmocka_unit_test(mime_finds_nothing_by_other_numbers),
	    cmocka_unit_test(mime_numbers_of_messages_without_parts),
	    cmocka_unit_test(mime_walks_all_parts),
	    cmocka_unit_test(mime_depth_is_bounded),
	    cmocka_unit_test(mime_parts_are_bounded),
	    cmocka_unit_test(mime_params_of_all_parts_are_bounded),
	    cmocka_unit_test(mime_tells_a_full_arena),
	    cmocka_unit_test(mime_time_is_linear),
	};
	return cmocka_run_group_tests_name("mail/mime", tests, NULL, NULL);
}
