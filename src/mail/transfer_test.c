#include "mail/transfer.h"

#include "mail/expect.h"

static void expect_decoded(enum transfer_encoding encoding, struct str body, struct str want)
{
	struct buf out CLEANUP(buf_done) = BUF_MAX(1 << 20);

	assert_true(transfer_decode(encoding, body, &out));
	assert_int_equal(out.len, want.len);
	assert_true(str_eq(buf_str(&out), want));
	assert_int_equal(transfer_decoded_len(encoding, body), want.len);
}

static void transfer_knows_the_names(void **state)
{
	(void)state;
	assert_int_equal(transfer_encoding_of(STR("BASE64")), TRANSFER_BASE64);
	assert_int_equal(transfer_encoding_of(STR("Quoted-Printable")), TRANSFER_QUOTED_PRINTABLE);
	assert_int_equal(transfer_encoding_of(STR("x-uuencode")), TRANSFER_UUENCODE);
	assert_int_equal(transfer_encoding_of(STR("7bit")), TRANSFER_7BIT);
	assert_int_equal(transfer_encoding_of(STR("base-64")), TRANSFER_UNKNOWN);
	assert_true(transfer_is_identity(TRANSFER_UNKNOWN));
	assert_false(transfer_is_identity(TRANSFER_BASE64));
}

static void transfer_decodes_base64(void **state)
{
	(void)state;
	expect_decoded(TRANSFER_BASE64, STR(""), STR(""));
	expect_decoded(TRANSFER_BASE64, STR("SGVsbG8="), STR("Hello"));
	expect_decoded(TRANSFER_BASE64, STR("SGVs\r\nbG8s\n IHdv!cmxk"), STR("Hello, world"));
	expect_decoded(TRANSFER_BASE64, STR("AAECAw=="), STR("\0\1\2\3"));
	expect_decoded(TRANSFER_BASE64, STR("+/+/"), STR("\xfb\xff\xbf"));
}

static void transfer_base64_ends_at_padding(void **state)
{
	(void)state;
	expect_decoded(TRANSFER_BASE64, STR("QQ==\n--\nfooter"), STR("A"));
	expect_decoded(TRANSFER_BASE64, STR("QUI"), STR("AB"));
	expect_decoded(TRANSFER_BASE64, STR("QQ"), STR("A"));
	expect_decoded(TRANSFER_BASE64, STR("Q"), STR(""));
	expect_decoded(TRANSFER_BASE64, STR("===="), STR(""));
	expect_decoded(TRANSFER_BASE64, STR("=QQ=="), STR("A"));
}

static void transfer_decodes_quoted_printable(void **state)
{
	(void)state;
	expect_decoded(TRANSFER_QUOTED_PRINTABLE, STR("a=3Db=\r\nc=e9\r\n"), STR("a=bc\xe9\r\n"));
	expect_decoded(TRANSFER_QUOTED_PRINTABLE, STR("x  \t\r\ny=  \r\nz"), STR("x\r\nyz"));
	expect_decoded(TRANSFER_QUOTED_PRINTABLE, STR("=ZZ =4\n="), STR("=ZZ =4\n"));
	expect_decoded(TRANSFER_QUOTED_PRINTABLE, STR("end "), STR("end "));
	expect_decoded(TRANSFER_QUOTED_PRINTABLE, STR("=20\n"), STR(" \n"));
}

static void transfer_quoted_printable_takes_endless_lines(void **state)
{
	(void)state;
	struct buf body CLEANUP(buf_done) = BUF_MAX(1 << 20);
	struct buf want CLEANUP(buf_done) = BUF_MAX(1 << 20);

	repeat(&body, "=41b", 5000);
	repeat(&want, "Ab", 5000);
	expect_decoded(TRANSFER_QUOTED_PRINTABLE, buf_str(&body), buf_str(&want));
}

static void transfer_decodes_uuencode(void **state)
{
	(void)state;
	expect_decoded(TRANSFER_UUENCODE,
	    STR("text\r\nbegin 644 cat.txt\r\n#0V%T\r\n`\r\nend\r\nmore"), STR("Cat"));
	expect_decoded(TRANSFER_UUENCODE, STR("no beginning\n"), STR(""));
	expect_decoded(TRANSFER_UUENCODE, STR("begin 644 x\n#0\nend\n"), STR("@\0\0"));
	expect_decoded(TRANSFER_UUENCODE, STR("begin 644 x\nM\nM0V%T\nend\n"), STR("Cat"));
}

static void transfer_identity_changes_nothing(void **state)
{
	(void)state;
	expect_decoded(TRANSFER_7BIT, STR("=41\r\n\0"), STR("=41\r\n\0"));
	expect_decoded(TRANSFER_UNKNOWN, STR("=41"), STR("=41"));
}

static void transfer_stops_at_the_ceiling(void **state)
{
	(void)state;
	struct buf out CLEANUP(buf_done) = BUF_MAX(3);

	assert_false(transfer_decode(TRANSFER_BASE64, STR("SGVsbG8="), &out));
	expect_buf(out, "Hel");
	assert_true(buf_failed(&out));
	buf_clear(&out);
	assert_false(transfer_decode(TRANSFER_QUOTED_PRINTABLE, STR("Hello"), &out));
	expect_buf(out, "Hel");
	buf_clear(&out);
	assert_false(transfer_decode(TRANSFER_8BIT, STR("Hello"), &out));
	expect_buf(out, "Hel");
}

/* `body` in two pieces, cut everywhere. */
static void expect_pieces(enum transfer_encoding encoding, struct str body, const char *want)
{
	for (size_t cut = 0; cut <= body.len; cut++) {
		struct transfer_decoder d CLEANUP(transfer_decoder_done) = {.encoding = encoding};
		struct buf out CLEANUP(buf_done) = BUF_MAX(100);
		assert_true(transfer_decoder_add(&d, str_first(body, cut), false, &out));
		assert_true(transfer_decoder_add(&d, str_from(body, cut), true, &out));
		expect_buf(out, want);
	}
}

static void transfer_decodes_in_pieces(void **state)
{
	(void)state;
	expect_pieces(TRANSFER_BASE64, STR("SGVs bG8s IHdv cmxk"), "Hello, world");
	expect_pieces(TRANSFER_BASE64, STR("SGVsbG8=\r\nfooter"), "Hello");
	expect_pieces(TRANSFER_QUOTED_PRINTABLE, STR("a=\r\nb =3D=\nc  \r\n=C3=A4 =x "),
	    "ab =c\r\n\u00e4 =x ");
	expect_pieces(TRANSFER_UUENCODE, STR("x\nbegin 644 f\r\n%2&5L;&\\ \nend\nmore\n"), "Hello");
	expect_pieces(TRANSFER_8BIT, STR("as it is"), "as it is");
}

static void transfer_holds_little_of_a_long_line(void **state)
{
	(void)state;
	struct transfer_decoder d CLEANUP(transfer_decoder_done) = {
	    .encoding = TRANSFER_QUOTED_PRINTABLE};
	struct buf line CLEANUP(buf_done) = BUF_MAX(1 << 20),
	                out CLEANUP(buf_done) = BUF_MAX(1 << 20);

	repeat(&line, "=41b ", 20000);
	for (struct str rest = buf_str(&line); rest.len > 0; rest = str_from(rest, 777))
		assert_true(transfer_decoder_add(&d, str_first(rest, 777), false, &out));
	assert_true(d.held.cap <= TRANSFER_LINE_HELD);
	assert_true(transfer_decoder_add(&d, STR("=\n"), true, &out));
	assert_int_equal(out.len, 3 * 20000);
	buf_clear(&line);
	buf_clear(&out);
	repeat(&line, " ", 3 * TRANSFER_LINE_HELD);
	assert_true(transfer_decoder_add(&d, buf_str(&line), false, &out));
	assert_true(transfer_decoder_add(&d, STR("\n"), true, &out));
	assert_int_equal(out.len, 3 * TRANSFER_LINE_HELD + 1);
	d.encoding = TRANSFER_UUENCODE;
	buf_clear(&out);
	assert_true(transfer_decoder_add(&d, STR("begin 6 x\n%2&5L;&\\ "), false, &out));
	assert_true(transfer_decoder_add(&d, buf_str(&line), false, &out));
	assert_true(transfer_decoder_add(&d, STR("\nend\n"), true, &out));
	expect_buf(out, "Hello");
}

static void transfer_encodes_base64_in_lines(void **state)
{
	(void)state;
	struct buf out CLEANUP(buf_done) = BUF_MAX(1000);
	struct buf bytes CLEANUP(buf_done) = BUF_MAX(1000);

	assert_true(transfer_encode_base64(STR("Hello"), &out));
	expect_buf(out, "SGVsbG8=\r\n");
	buf_clear(&out);
	repeat(&bytes, "x", 58);
	assert_true(transfer_encode_base64(buf_str(&bytes), &out));
	assert_int_equal(out.len, 76 + 2 + 4 + 2);
	struct buf small CLEANUP(buf_done) = BUF_MAX(5);
	assert_false(transfer_encode_base64(STR("Hello"), &small));
}

static void transfer_encodes_quoted_printable(void **state)
{
	(void)state;
	struct buf out CLEANUP(buf_done) = BUF_MAX(1000);
	struct buf text CLEANUP(buf_done) = BUF_MAX(1000);

	assert_true(transfer_encode_quoted_printable(STR("a=b \nc\t\r\n\xe9"), &out));
	expect_buf(out, "a=3Db=20\r\nc=09\r\n=E9");
	buf_clear(&out);
	repeat(&text, "x", 80);
	assert_true(transfer_encode_quoted_printable(buf_str(&text), &out));
	struct str rest = buf_str(&out);
	assert_int_equal(str_cut_line(&rest).len, TRANSFER_LINE_LEN);
	assert_int_equal(rest.len, 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(transfer_knows_the_names),
	    cmocka_unit_test(transfer_decodes_base64),
	    cmocka_unit_test(transfer_base64_ends_at_padding),
	    cmocka_unit_test(transfer_decodes_quoted_printable),
	    cmocka_unit_test(transfer_quoted_printable_takes_endless_lines),
	    cmocka_unit_test(transfer_decodes_uuencode),
	    cmocka_unit_test(transfer_identity_changes_nothing),
	    cmocka_unit_test(transfer_stops_at_the_ceiling),
	    cmocka_unit_test(transfer_decodes_in_pieces),
	    cmocka_unit_test(transfer_holds_little_of_a_long_line),
	    cmocka_unit_test(transfer_encodes_base64_in_lines),
	    cmocka_unit_test(transfer_encodes_quoted_printable),
	};
	return cmocka_run_group_tests_name("mail/transfer", tests, NULL, NULL);
}
