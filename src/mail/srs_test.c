#include "mail/srs.h"

#include <errno.h>

#include "mail/address.h"
#include "mail/expect.h"

static const uint8_t key[SRS_KEY_LEN] = {1, 2, 3}, other_key[SRS_KEY_LEN] = {9};
enum { TODAY = 20780 };

static struct str forward(struct str from, struct buf *out)
{
	assert_int_equal(srs_forward(key, TODAY, from, STR("example.test"), out), 0);
	return buf_str(out);
}

static struct str local_of(struct str address)
{
	struct str local, domain;

	assert_true(address_split(address, &local, &domain));
	assert_true(str_eq(domain, STR("example.test")));
	return local;
}

static void it_goes_there_and_back(void **state)
{
	(void)state;
	static const struct str addresses[] = {
	    STR_INIT("ada@example.net"),
	    STR_INIT("Ada.Lovelace+x=y@Example.NET"),
	    STR_INIT("a=b==c@example.net"),
	    STR_INIT("\"a b@c\"@example.net"),
	    STR_INIT("jör@exämple.net"),
	};

	for (size_t i = 0; i < ARRAY_LEN(addresses); i++) {
		struct buf there CLEANUP(buf_done) = BUF_MAX(SRS_LEN_MAX);
		struct buf back CLEANUP(buf_done) = BUF_MAX(SRS_LEN_MAX);
		struct str local = local_of(forward(addresses[i], &there));
		assert_int_equal(srs_reverse(key, TODAY, local, &back), 0);
		assert_true(str_eq(buf_str(&back), addresses[i]));
	}
}

static void it_looks_as_others_know_it(void **state)
{
	(void)state;
	struct buf there CLEANUP(buf_done) = BUF_MAX(SRS_LEN_MAX);
	struct str local = local_of(forward(STR("ada@example.net"), &there));

	assert_int_equal(local.len, 5 + 8 + 1 + 2 + 1 + 11 + 1 + 3);
	assert_true(str_starts(local, STR("SRS0=")));
	assert_true(str_ends(local, STR("=JM=example.net=ada")));
}

static void the_null_sender_stays(void **state)
{
	(void)state;
	struct buf there CLEANUP(buf_done) = BUF_MAX(SRS_LEN_MAX);

	assert_int_equal(forward(STR(""), &there).len, 0);
}

/* Two servers forwarded before us: the bounce goes to the first, which knows the sender. */
static void what_others_rewrote_comes_back_to_the_first(void **state)
{
	(void)state;
	struct buf there CLEANUP(buf_done) = BUF_MAX(SRS_LEN_MAX);
	struct buf back CLEANUP(buf_done) = BUF_MAX(SRS_LEN_MAX);
	struct buf again CLEANUP(buf_done) = BUF_MAX(SRS_LEN_MAX);
	struct str local =
	    local_of(forward(STR("SRS0=HHHH=TT=example.net=ada@first.test"), &there));

	assert_true(str_starts(local, STR("SRS1=")));
	assert_true(str_ends(local, STR("=first.test==HHHH=TT=example.net=ada")));
	assert_int_equal(srs_reverse(key, TODAY, local, &back), 0);
	expect_buf(back, "SRS0=HHHH=TT=example.net=ada@first.test");

	local = local_of(
	    forward(STR("SRS1=XXXX=first.test==HHHH=TT=example.net=ada@second.test"), &again));
	assert_true(str_ends(local, STR("=first.test==HHHH=TT=example.net=ada")));
	buf_clear(&back);
	assert_int_equal(srs_reverse(key, TODAY, local, &back), 0);
	expect_buf(back, "SRS0=HHHH=TT=example.net=ada@first.test");
}

static void case_may_get_lost(void **state)
{
	(void)state;
	struct buf there CLEANUP(buf_done) = BUF_MAX(SRS_LEN_MAX);
	struct buf back CLEANUP(buf_done) = BUF_MAX(SRS_LEN_MAX);
	struct str address = forward(STR("ada@example.net"), &there);

	for (size_t i = 0; i < address.len; i++)
		there.p[i] = ascii_lower(there.p[i]);
	assert_int_equal(srs_reverse(key, TODAY, local_of(buf_str(&there)), &back), 0);
	expect_buf(back, "ada@example.net");
}

static void nobody_else_can_make_one(void **state)
{
	(void)state;
	struct buf there CLEANUP(buf_done) = BUF_MAX(SRS_LEN_MAX);
	struct buf back CLEANUP(buf_done) = BUF_MAX(SRS_LEN_MAX);
	struct str local = local_of(forward(STR("ada@example.net"), &there));

	assert_int_equal(srs_reverse(other_key, TODAY, local, &back), -EPERM);
	for (size_t i = 5; i < local.len; i++) {
		char was = there.p[i];
		there.p[i] = was == 'x' ? 'y' : 'x';
		assert_int_equal(srs_reverse(key, TODAY, local, &back), -EPERM);
		there.p[i] = was;
	}
	assert_int_equal(srs_reverse(key, TODAY, STR("SRS0="), &back), -EPERM);
	assert_int_equal(srs_reverse(key, TODAY, STR("SRS0=AAAAAAAA"), &back), -EPERM);
	assert_int_equal(srs_reverse(key, TODAY, STR("ada"), &back), -ENOENT);
	assert_int_equal(back.len, 0);
}

static void it_ends_after_some_days(void **state)
{
	(void)state;
	struct buf there CLEANUP(buf_done) = BUF_MAX(SRS_LEN_MAX);
	struct buf back CLEANUP(buf_done) = BUF_MAX(SRS_LEN_MAX);
	struct str local = local_of(forward(STR("ada@example.net"), &there));

	assert_int_equal(srs_reverse(key, TODAY + SRS_DAYS, local, &back), 0);
	assert_int_equal(srs_reverse(key, TODAY + SRS_DAYS + 1, local, &back), -ETIME);
	assert_int_equal(srs_reverse(key, TODAY + 500, local, &back), -ETIME);
	assert_int_equal(srs_reverse(key, TODAY - 1, local, &back), 0);
	assert_int_equal(srs_reverse(key, TODAY - 2, local, &back), -ETIME);
}

static void what_is_too_long_is_said(void **state)
{
	(void)state;
	char text[SRS_LEN_MAX + 1];
	struct buf out CLEANUP(buf_done) = BUF_MAX(4 * SRS_LEN_MAX);

	memset(text, 'a', sizeof(text));
	text[300] = '@';
	assert_int_equal(
	    srs_forward(key, TODAY, str_of(text, 312), STR("example.test"), &out), -E2BIG);
	assert_int_equal(
	    srs_forward(key, TODAY, str_of(text, 300), STR("example.test"), &out), -EINVAL);
	assert_int_equal(out.len, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(it_goes_there_and_back),
	    cmocka_unit_test(it_looks_as_others_know_it),
	    cmocka_unit_test(the_null_sender_stays),
	    cmocka_unit_test(what_others_rewrote_comes_back_to_the_first),
	    cmocka_unit_test(case_may_get_lost),
	    cmocka_unit_test(nobody_else_can_make_one),
	    cmocka_unit_test(it_ends_after_some_days),
	    cmocka_unit_test(what_is_too_long_is_said),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
