#include "queue/test_courier.h"
#include "queue/test_submit.h"

enum { HOUR_MS = 3600000 };

static void say_records(struct world *w, const char *name, uint16_t type, struct str rdata)
{
	struct ipc_received m;
	world_expect(w->resolver, IPC_DNS, &m);
	const struct ipc_dns *ask = m.msg;
	assert_true(str_eq(ask->name, str_of_cstr(name)));
	assert_int_equal(ask->type, type);
	struct ipc_dns_answer answer = {.request = ask->request,
	    .result = rdata.len > 0 ? DNS_FOUND : DNS_NO_DATA,
	    .records = {&rdata, rdata.len > 0}};
	ipc_received_done(&m);
	say(w, w->resolver, IPC_DNS_ANSWER, &answer);
}

#define TXT_A STR("\x12v=STSv1; id=aaaa1;")
#define TXT_B STR("\x12v=STSv1; id=bbbb2;")

static void say_policy(struct world *w, enum sts_mode mode, const char *pattern)
{
	struct ipc_received m;
	world_expect(w->fetcher, IPC_FETCH_POLICY, &m);
	const struct ipc_fetch_policy *ask = m.msg;
	assert_true(str_eq(ask->domain, STR("example.net")));
	assert_int_equal(ask->addresses.n, 1);
	assert_true(str_eq(ask->addresses.v[0], STR("192.0.2.7")));
	struct str mx = str_of_cstr(pattern);
	struct ipc_policy answer = {.request = ask->request,
	    .result = mx.len > 0 ? FETCHED_OK : FETCHED_FAILED,
	    .mode = (uint8_t)mode,
	    .max_age = 86400,
	    .mx = {&mx, mx.len > 0}};
	ipc_received_done(&m);
	say(w, w->fetcher, IPC_POLICY, &answer);
}

static void expect_sts(struct world *w, enum sts_mode mode, const char *pattern)
{
	struct carried c;
	expect_carry(expect_courier(w), &c);
	const struct ipc_carry *carry = c.carry.msg;
	assert_int_equal(carry->sts_mode, mode);
	assert_int_equal(carry->sts_mx.n, *pattern != '\0');
	if (*pattern != '\0')
		assert_true(str_eq(carry->sts_mx.v[0], str_of_cstr(pattern)));
	say_carried_rcpt(c.channel, 0, CARRY_ACCEPTED, 250, "2.0.0", "ok");
	say_carried(w, c.channel, false);
	close(c.channel);
	carried_done(&c);
	world_go(w);
}

static int join(struct world *w)
{
	w->resolver = world_join(w, ROLE_RESOLVER);
	w->fetcher = world_join(w, ROLE_FETCHER);
	return world_submitter(w);
}

static void a_policy_is_learnt_and_kept(void **state)
{
	struct world *w = *state;
	int submitter = join(w);
	submit_one(w, submitter, "bob@example.net", 0);
	world_expect_nothing(w->dispatcher);
	say_records(w, "_mta-sts.example.net", 16, TXT_A);
	say_records(w, "mta-sts.example.net", 1, STR("\xc0\x00\x02\x07"));
	say_records(w, "mta-sts.example.net", 28, STR(""));
	say_policy(w, STS_ENFORCE, "mx.example.net");
	expect_sts(w, STS_ENFORCE, "mx.example.net");
	/* Nobody is asked for a while, then only DNS. */
	submit_one(w, submitter, "bob@example.net", 0);
	world_expect_nothing(w->resolver);
	expect_sts(w, STS_ENFORCE, "mx.example.net");
	world_wait(w, HOUR_MS);
	submit_one(w, submitter, "bob@example.net", 0);
	say_records(w, "_mta-sts.example.net", 16, TXT_A);
	world_expect_nothing(w->fetcher);
	expect_sts(w, STS_ENFORCE, "mx.example.net");
	/* A new id whose policy cannot be had: the old one holds. */
	world_wait(w, HOUR_MS);
	submit_one(w, submitter, "bob@example.net", 0);
	say_records(w, "_mta-sts.example.net", 16, TXT_B);
	say_records(w, "mta-sts.example.net", 1, STR("\xc0\x00\x02\x07"));
	say_records(w, "mta-sts.example.net", 28, STR(""));
	say_policy(w, STS_NONE, "");
	expect_sts(w, STS_ENFORCE, "mx.example.net");
	/* DNS taken away does not take the policy away, until its time is over. */
	world_wait(w, HOUR_MS);
	submit_one(w, submitter, "bob@example.net", 0);
	say_records(w, "_mta-sts.example.net", 16, STR(""));
	expect_sts(w, STS_ENFORCE, "mx.example.net");
	world_wait(w, 24 * (uint64_t)HOUR_MS);
	submit_one(w, submitter, "bob@example.net", 0);
	say_records(w, "_mta-sts.example.net", 16, STR(""));
	expect_sts(w, STS_NONE, "");
	close(submitter);
}

/* The same id, but not much time is left: it is fetched while that can still fail. */
static void a_policy_is_renewed_before_it_ends(void **state)
{
	struct world *w = *state;
	int submitter = join(w);
	for (int round = 0; round < 3; round++) {
		submit_one(w, submitter, "bob@example.net", 0);
		say_records(w, "_mta-sts.example.net", 16, TXT_A);
		say_records(w, "mta-sts.example.net", 1, STR("\xc0\x00\x02\x07"));
		say_records(w, "mta-sts.example.net", 28, STR(""));
		/* In the last round it cannot be had, and the one that is known holds. */
		say_policy(w, STS_ENFORCE, round < 2 ? "mx.example.net" : "");
		expect_sts(w, STS_ENFORCE, "mx.example.net");
		world_wait(w, 13 * (uint64_t)HOUR_MS);
	}
	close(submitter);
}

static void two_messages_ask_once(void **state)
{
	struct world *w = *state;
	int submitter = join(w);
	submit_one(w, submitter, "a@example.net", 0);
	submit_one(w, submitter, "b@example.net", 0);
	say_records(w, "_mta-sts.example.net", 16, STR(""));
	world_expect_nothing(w->resolver);
	expect_sts(w, STS_NONE, "");
	expect_sts(w, STS_NONE, "");
	assert_int_equal(world_count(w), 0);
	close(submitter);
}

static void nobody_waits_for_ever(void **state)
{
	struct world *w = *state;
	int submitter = join(w);
	submit_one(w, submitter, "a@example.net", 0);
	world_expect_nothing(w->dispatcher);
	/* The resolver dies. */
	fd_close(&w->resolver);
	world_go(w);
	expect_sts(w, STS_NONE, "");
	assert_int_equal(world_count(w), 0);
	close(submitter);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {TEST(a_policy_is_learnt_and_kept),
	    TEST(a_policy_is_renewed_before_it_ends), TEST(two_messages_ask_once),
	    TEST(nobody_waits_for_ever)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
