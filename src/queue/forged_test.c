/*
 * What partners of the queue that are in somebody's hands say: a message that is not theirs, an
 * answer to what was not asked, things out of their order. Who says it loses its channel, the
 * ledger hears of it, and the queue goes on as if nothing was; so does the message where another
 * try is possible.
 */
#include "queue/test_courier.h"
#include "queue/test_submit.h"

static void expect_alarm(struct world *w)
{
	struct ipc_received m;
	world_expect(w->ledger, IPC_LEDGER_EVENT, &m);
	assert_int_equal(((struct ipc_ledger_event *)m.msg)->kind, LEDGER_ALARM_BAD_MESSAGE);
	ipc_received_done(&m);
	world_expect_nothing(w->ledger);
}

static void expect_closed(int channel)
{
	struct ipc_received m;
	int r;
	while ((r = ipc_recv(channel, &m)) == 0)
		ipc_received_done(&m);
	assert_true(r == -ENODATA || r == -ECONNRESET || r == -EPIPE);
}

/* A message of somebody who has nothing to do with all this goes its way. */
static void expect_works(struct world *w)
{
	size_t n = world_count(w);
	int submitter = world_submitter(w);
	(void)submit_one(w, submitter, "dora@example.com", 0);
	close(submitter);
	assert_int_equal(world_count(w), n + 1);
}

/* --- partners --- */

struct partner {
	enum role role;
	int *(*channel)(struct world *w);
	uint16_t type; /* of an answer that it gives */
	const void *answer;
};

#define CHANNEL(name)                                                                              \
	static int *name##_channel(struct world *w)                                                \
	{                                                                                          \
		return &w->name;                                                                   \
	}
CHANNEL(directory)
CHANNEL(keyholder)
CHANNEL(scribes)
CHANNEL(dispatcher)
CHANNEL(resolver)
CHANNEL(fetcher)
CHANNEL(delivery)

/* Of a question that nobody asked. */
enum { NEVER_ASKED = 1 << 30 };
static const struct ipc_may_send_answer may_send_answer = {.request = NEVER_ASKED};
static const struct ipc_route_answer route_answer = {.request = NEVER_ASKED};
static const struct ipc_signers_answer signers_answer = {.request = NEVER_ASKED};
static const struct ipc_dkim_signed dkim_signed = {.request = NEVER_ASKED, .ok = 1};
static const struct ipc_dns_answer dns_answer = {.request = NEVER_ASKED};
static const struct ipc_policy policy = {.request = NEVER_ASKED};
static const struct ipc_posted posted = {.request = NEVER_ASKED};
static const struct ipc_ready ready;
static const struct ipc_carried carried;
static const struct ipc_signed tls_signed = {.ok = 1};

static const struct partner partners[] = {
    {ROLE_DIRECTORY, directory_channel, IPC_MAY_SEND_ANSWER, &may_send_answer},
    {ROLE_DIRECTORY, directory_channel, IPC_ROUTE_ANSWER, &route_answer},
    {ROLE_DIRECTORY, directory_channel, IPC_SIGNERS_ANSWER, &signers_answer},
    {ROLE_DIRECTORY, directory_channel, IPC_DKIM_SIGNED, &dkim_signed},
    {ROLE_KEYHOLDER, keyholder_channel, IPC_DKIM_SIGNED, &dkim_signed},
    {ROLE_KEYHOLDER, keyholder_channel, IPC_MAY_SEND_ANSWER, &may_send_answer},
    {ROLE_KEYHOLDER, keyholder_channel, IPC_SIGNED, &tls_signed},
    {ROLE_RESOLVER, resolver_channel, IPC_DNS_ANSWER, &dns_answer},
    {ROLE_RESOLVER, resolver_channel, IPC_POLICY, &policy},
    {ROLE_FETCHER, fetcher_channel, IPC_POLICY, &policy},
    {ROLE_FETCHER, fetcher_channel, IPC_POSTED, &posted},
    {ROLE_FETCHER, fetcher_channel, IPC_DNS_ANSWER, &dns_answer},
    {ROLE_SCRIBES, scribes_channel, IPC_READY, &ready},
    {ROLE_DISPATCHER, dispatcher_channel, IPC_CARRIED, &carried},
    {ROLE_DISPATCHER, dispatcher_channel, IPC_DNS_ANSWER, &dns_answer},
    {ROLE_DELIVERY, delivery_channel, IPC_READY, &ready},
};

/* All of one kind are told off in the same way; another of its kind is taken afterwards. */
static void partners_say_what_is_theirs(void **state)
{
	struct world *w = *state;
	w->resolver = world_join(w, ROLE_RESOLVER);
	w->fetcher = world_join(w, ROLE_FETCHER);
	for (size_t i = 0; i < ARRAY_LEN(partners); i++) {
		const struct partner *p = &partners[i];
		int *channel = p->channel(w);
		say(w, *channel, p->type, p->answer);
		expect_closed(*channel);
		expect_alarm(w);
		fd_close(channel);
		*channel = world_join(w, p->role);
	}
	fd_close(&w->resolver);
	fd_close(&w->fetcher);
	world_go(w);
	expect_works(w);
}

/* The number of a question is another's than the one who answers: nobody hears of it. */
static void nobody_answers_for_another(void **state)
{
	struct world *w = *state;
	struct ipc_received m;
	int submitter = world_submitter(w);
	struct ipc_submit_mail mail = {.mail = {.reverse_path = STR("ceo@example.org")}};
	say(w, submitter, IPC_SUBMIT_MAIL, &mail);
	world_expect(w->directory, IPC_MAY_SEND, &m);
	uint64_t request = ((struct ipc_may_send *)m.msg)->request;
	ipc_received_done(&m);
	/* The keyholder knows the number, and says what it may: it is no answer to that. */
	struct ipc_dkim_signed yes = {.request = request, .ok = 1, .signature = STR("x")};
	say(w, w->keyholder, IPC_DKIM_SIGNED, &yes);
	world_expect_nothing(submitter);
	struct ipc_may_send_answer no = {
	    .request = request, .result = MAY_NOT_SEND, .address = STR("ceo@example.org")};
	say(w, w->directory, IPC_MAY_SEND_ANSWER, &no);
	(void)expect_answer(submitter, SUBMIT_NOT_YOURS);
	/* Nor does the right one's second answer count. */
	no.result = MAY_SEND;
	say(w, w->directory, IPC_MAY_SEND_ANSWER, &no);
	world_expect_nothing(submitter);
	close(submitter);
	expect_works(w);
}

static void an_answer_is_of_its_kind(void **state)
{
	struct world *w = *state;
	struct ipc_received m;
	int submitter = world_submitter(w);
	struct ipc_submit_mail mail = {.mail = {.reverse_path = STR("ann@example.org")}};
	say(w, submitter, IPC_SUBMIT_MAIL, &mail);
	world_expect(w->directory, IPC_MAY_SEND, &m);
	struct ipc_route_answer answer = {
	    .request = ((struct ipc_may_send *)m.msg)->request, .result = RCPT_OK};
	ipc_received_done(&m);
	say(w, w->directory, IPC_ROUTE_ANSWER, &answer);
	expect_closed(w->directory);
	expect_alarm(w);
	(void)expect_answer(submitter, SUBMIT_TEMPORARY);
	close(submitter);
	fd_close(&w->directory);
	w->directory = world_join(w, ROLE_DIRECTORY);
	expect_works(w);
}

/* --- submitters --- */

static void submitters_keep_the_order(void **state)
{
	static const struct ipc_submit_rcpt rcpt = {.recipient = STR_INIT("bob@example.net")};
	static const struct ipc_submit_answer answer = {.result = SUBMIT_OK};
	struct world *w = *state;
	const struct ipc_submit_data data = {
	    .trace = STR("Received: by test\r\n"), .message = world_memfd(WORLD_MESSAGE)};
	const struct {
		uint16_t type;
		const void *msg;
	} first[] = {{IPC_SUBMIT_RCPT, &rcpt}, {IPC_SUBMIT_DATA, &data},
	    {IPC_SUBMIT_ANSWER, &answer}, {IPC_READY, &ready},
	    {IPC_MAY_SEND_ANSWER, &may_send_answer}};
	for (size_t i = 0; i < ARRAY_LEN(first); i++) {
		int submitter = world_submitter(w);
		say(w, submitter, first[i].type, first[i].msg);
		expect_closed(submitter);
		expect_alarm(w);
		close(submitter);
	}
	/* While something is being answered nothing else is asked. */
	int submitter = world_submitter(w);
	struct ipc_submit_mail mail = {.mail = {.reverse_path = STR("ann@example.org")}};
	say(w, submitter, IPC_SUBMIT_MAIL, &mail);
	say(w, submitter, IPC_SUBMIT_RCPT, &rcpt);
	expect_closed(submitter);
	expect_alarm(w);
	close(submitter);
	close(data.message);
	struct ipc_received m;
	while (ipc_recv(w->directory, &m) == 0)
		ipc_received_done(&m);
	expect_works(w);
}

/* A message that is not a sealed memory file could be changed behind the scribe's back. */
static void a_message_that_can_change_is_refused(void **state)
{
	struct world *w = *state;
	int open_fd = memfd_create("open", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int files[] = {open_fd, open("/dev/null", O_RDONLY | O_CLOEXEC)};
	assert_int_equal(fd_write_all(open_fd, WORLD_MESSAGE), 0);
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		int submitter = world_submitter(w);
		say_mail(w, submitter, 0);
		say_rcpt(w, submitter, "bob@example.net", 0, RCPT_NOT_LOCAL, 0);
		struct ipc_submit_data data = {
		    .trace = STR("Received: by test\r\n"), .message = files[i]};
		say(w, submitter, IPC_SUBMIT_DATA, &data);
		expect_closed(submitter);
		expect_alarm(w);
		world_expect_nothing(w->scribes);
		close(submitter);
		close(files[i]);
	}
	expect_works(w);
}

/* --- scribes --- */

/* The scribe has said it: the message is tried again by its sender. */
static void expect_scribe_refused(struct world *w, int submitter, int scribe)
{
	expect_closed(scribe);
	expect_alarm(w);
	(void)expect_answer(submitter, SUBMIT_TEMPORARY);
	close(scribe);
	close(submitter);
	assert_int_equal(world_count(w), 0);
}

static int begin(struct world *w, int *ret_submitter)
{
	*ret_submitter = world_submitter(w);
	say_mail(w, *ret_submitter, 0);
	say_rcpt(w, *ret_submitter, "bob@example.net", 0, RCPT_NOT_LOCAL, 0);
	return say_data(w, *ret_submitter, WORLD_MESSAGE);
}

static void a_scribe_keeps_the_order(void **state)
{
	struct world *w = *state;
	int submitter, scribe = begin(w, &submitter);
	/* finished before it was asked to */
	struct ipc_finished finished = {.message = world_memfd(WORLD_MESSAGE)};
	say(w, scribe, IPC_FINISHED, &finished);
	expect_scribe_refused(w, submitter, scribe);
	/* twice examined: other authors than those that were asked about */
	scribe = begin(w, &submitter);
	say_examined(w, scribe);
	say_examined(w, scribe);
	expect_scribe_refused(w, submitter, scribe);
	struct ipc_received m;
	while (ipc_recv(w->directory, &m) == 0)
		ipc_received_done(&m);
	/* somebody else's message */
	scribe = begin(w, &submitter);
	say(w, scribe, IPC_CARRIED, &carried);
	expect_scribe_refused(w, submitter, scribe);
	close(finished.message);
	expect_works(w);
}

/* Signatures that nobody asked for, hashes that are none, a message that can still change. */
static void a_scribe_signs_what_it_is_told_to(void **state)
{
	struct world *w = *state;
	struct str fields[] = {STR("DKIM-Signature: v=1; b="), STR("DKIM-Signature: v=1; b=")};
	struct str hashes[] = {STR("0123456789abcdef0123456789abcdef"), STR("too short")};
	int open_fd = memfd_create("open", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int sealed = world_memfd(WORLD_MESSAGE);
	const struct ipc_finished wrong[] = {
	    {.message = sealed},
	    {.fields = {fields, 2}, .hashes = {hashes, 2}, .message = sealed},
	    {.fields = {fields, 1}, .hashes = {hashes, 2}, .message = sealed},
	    {.fields = {fields, 1}, .hashes = {hashes + 1, 1}, .message = sealed},
	    {.fields = {fields, 1}, .hashes = {hashes, 1}, .message = open_fd},
	};
	assert_int_equal(fd_write_all(open_fd, WORLD_MESSAGE), 0);
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		struct ipc_received m;
		int submitter, scribe = begin(w, &submitter);
		say_examined(w, scribe);
		answer_may_send(w, MAY_SEND, "");
		answer_signers(w, "s1");
		world_expect(scribe, IPC_FINISH, &m);
		ipc_received_done(&m);
		say(w, scribe, IPC_FINISHED, &wrong[i]);
		expect_scribe_refused(w, submitter, scribe);
		world_expect_nothing(w->keyholder);
	}
	close(open_fd);
	close(sealed);
	expect_works(w);
}

/* --- couriers --- */

/* What a broken courier says ends it; the message waits for its next try. */
static void expect_courier_refused(struct world *w, struct carried *c)
{
	world_go(w);
	expect_closed(c->channel);
	expect_alarm(w);
	close(c->channel);
	carried_done(c);
	assert_int_equal(world_count(w), 1);
}

static const struct ipc_carried_rcpt done = {
    .outcome = CARRY_ACCEPTED, .code = 250, .status = STR_INIT("2.0.0")};

/* Of a recipient that there is not; what is not a courier's to say; ready twice. */
static void a_courier_tells_of_what_it_carries(void **state)
{
	enum { LATER_MS = 21600000, CASES = 3 };
	struct world *w = *state;
	struct ipc_carried_rcpt none = done;
	const struct ipc_courier_ready here = {0};
	const struct {
		uint16_t type;
		const void *msg;
		int times;
	} cases[CASES] = {{IPC_CARRIED_RCPT, &none, 1}, {IPC_DNS_ANSWER, &dns_answer, 1},
	    {IPC_COURIER_READY, &here, 2}};
	int submitter = world_submitter(w);
	none.index = 1;
	(void)submit_one(w, submitter, "bob@example.net", NOTIFY_NEVER);
	for (int i = 0; i < CASES; i++) {
		struct carried c;
		expect_carry(expect_courier(w), &c);
		for (int n = 0; n < cases[i].times; n++)
			assert_int_equal(ipc_send(c.channel, cases[i].type, cases[i].msg), 0);
		expect_courier_refused(w, &c);
		world_wait(w, LATER_MS);
	}
	close(submitter);
}

/* Its first word holds: the other server has the message, and does not get it again. */
static void a_couriers_first_word_counts(void **state)
{
	enum { LATER_MS = 21600000 };
	struct world *w = *state;
	struct carried c;
	struct ipc_carried_rcpt other = {.outcome = CARRY_NEVER, .status = STR("5.0.0")};
	int submitter = world_submitter(w);
	(void)submit_one(w, submitter, "bob@example.net", 0);
	expect_carry(expect_courier(w), &c);
	assert_int_equal(ipc_send(c.channel, IPC_CARRIED_RCPT, &done), 0);
	assert_int_equal(ipc_send(c.channel, IPC_CARRIED_RCPT, &other), 0);
	world_go(w);
	expect_closed(c.channel);
	expect_alarm(w);
	close(c.channel);
	carried_done(&c);
	world_wait(w, LATER_MS);
	assert_int_equal(world_count(w), 0); /* nor a notice that it failed */
	world_expect_nothing(w->dispatcher);
	close(submitter);
	expect_works(w);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(partners_say_what_is_theirs),
	    TEST(nobody_answers_for_another),
	    TEST(an_answer_is_of_its_kind),
	    TEST(submitters_keep_the_order),
	    TEST(a_message_that_can_change_is_refused),
	    TEST(a_scribe_keeps_the_order),
	    TEST(a_scribe_signs_what_it_is_told_to),
	    TEST(a_courier_tells_of_what_it_carries),
	    TEST(a_couriers_first_word_counts),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
