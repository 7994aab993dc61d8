#include "mail/base_subject.h"

#include "mail/expect.h"

enum { LONG = 64 * 1024 };

static void check(const char *subject, const char *want, bool want_reply)
{
	struct buf space CLEANUP(buf_done) = BUF_MAX(1000);
	bool is_reply = !want_reply;

	expect_str(base_subject(str_of_cstr(subject), &space, &is_reply), want);
	assert_int_equal(is_reply, want_reply);
}

static void test_marks(void **state)
{
	(void)state;
	check("", "", false);
	check("plain", "plain", false);
	check("Re: plain", "plain", true);
	check("RE:plain", "plain", true);
	check("re : plain", "plain", true);
	check("Re[2]: plain", "plain", true);
	check("Re [2] : plain", "plain", true);
	check("Fw: plain", "plain", true);
	check("FWD: re: Fwd : plain", "plain", true);
	check("Re: ", "", true);
	check("plain (fwd)", "plain", true);
	check("plain (FWD) (fwd)  ", "plain", true);
	check("(fwd)", "", true);
	check("Rex: plain", "Rex: plain", false);
	check("AW: plain", "AW: plain", false);
	check("Re plain", "Re plain", false);
}

static void test_blobs(void **state)
{
	(void)state;
	check("[list] plain", "plain", false);
	check("[a][b] [c]plain", "plain", false);
	check("[list] Re: plain", "plain", true);
	check("Re: [list] plain", "plain", true);
	check("Re: [list] Re: [other] plain", "plain", true);
	check("[only]", "[only]", false);
	check("[a] [only]", "[only]", false);
	check("Re: [only]", "[only]", true);
	check("[open plain", "[open plain", false);
	check("[a] [open plain", "[open plain", false);
	check("[[nested]] plain", "[[nested]] plain", false);
	check("plain [list]", "plain [list]", false);
	check("Re [a][b]: plain", "Re [a][b]: plain", false);
}

static void test_forward(void **state)
{
	(void)state;
	check("[fwd: plain]", "plain", true);
	check("[Fwd: Re: plain]", "plain", true);
	check("[fwd: [fwd: plain (fwd)]]", "plain", true);
	check("[list] [fwd: [list] plain]", "plain", true);
	check("Re: [Fwd: plain] (fwd)", "plain", true);
	check("[fwd:]", "", true);
	check("[fwd: plain] more", "more", false); /* it is a blob */
}

static void test_spaces(void **state)
{
	(void)state;
	check("  a \t b\r\n c  ", "a b c", false);
	check("Re:\tRe:  a", "a", true);
	check(" \t ", "", false);
}

static void test_appends(void **state)
{
	struct buf space CLEANUP(buf_done) = BUF_MAX(8);
	bool is_reply;

	(void)state;
	buf_add(&space, STR("xyz"));
	expect_str(base_subject(STR("Re: long"), &space, &is_reply), "l");
	assert_true(is_reply);
	expect_buf(space, "xyzRe: l");
}

/* What takes quadratic time when the blobs are looked at anew for each. */
static void test_hostile(void **state)
{
	struct buf subject CLEANUP(buf_done) = BUF_MAX(LONG);
	struct buf space CLEANUP(buf_done) = BUF_MAX(LONG);
	bool is_reply;

	(void)state;
	repeat(&subject, "[]", LONG / 2 - 1);
	buf_add_c(&subject, 'x');
	expect_str(base_subject(buf_str(&subject), &space, &is_reply), "x");
	buf_clear(&subject);
	buf_clear(&space);
	repeat(&subject, "[fwd:", LONG / 6);
	repeat(&subject, "]", LONG / 6);
	expect_str(base_subject(buf_str(&subject), &space, &is_reply), "");
	assert_true(is_reply);
	buf_clear(&subject);
	buf_clear(&space);
	repeat(&subject, "[a]re:", LONG / 6);
	expect_str(base_subject(buf_str(&subject), &space, &is_reply), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_marks),
	    cmocka_unit_test(test_blobs),
	    cmocka_unit_test(test_forward),
	    cmocka_unit_test(test_spaces),
	    cmocka_unit_test(test_appends),
	    cmocka_unit_test(test_hostile),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
