/* The role as its partners see it: gates, the registry and the command line, over real channels. */
#include "directory/test_sign_in.h"

/* --- recipients --- */

static void assert_rcpt(struct fixture *f, int channel, struct str address, enum rcpt_result result)
{
	struct ipc_rcpt msg = {.address = address};
	struct ipc_received m;
	assert_int_equal(ipc_send(channel, IPC_RCPT, &msg), 0);
	await_type(f, channel, IPC_RCPT_ANSWER, &m);
	struct ipc_rcpt_answer *answer = m.msg;
	assert_int_equal(answer->result, result);
	assert_int_equal(answer->accounts.n, result == RCPT_OK);
	ipc_received_done(&m);
}

static void gates_of_smtp_ask_for_recipients_only(void **state)
{
	struct fixture *f = *state;
	int channel CLEANUP(fd_close) = gate(f->smtp_gatekeeper, "192.0.2.1");
	assert_rcpt(f, channel, STR("Anna+x@Example.test"), RCPT_OK);
	assert_rcpt(f, channel, STR("bert@example.test"), RCPT_UNKNOWN);
	assert_rcpt(f, channel, STR("anna@elsewhere.test"), RCPT_NOT_LOCAL);
	int pair[2];
	struct ipc_received m;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	struct ipc_auth auth = {STR("anna@example.test"), STR(PASSWORD), SESSION_IMAP, pair[0]};
	assert_int_equal(ipc_send(channel, IPC_AUTH, &auth), 0);
	assert_int_equal(await(f, channel, &m), -ENODATA); /* and the channel is ended */
	close(pair[0]);
	close(pair[1]);
}

/* Its channel ends before answers for it fill the memory. */
static void a_gate_that_does_not_read(void **state)
{
	enum { ANSWERS_MAX = 2000 };
	const struct ipc_rcpt question = {.address = STR("anna@example.test")};
	struct fixture *f = *state;
	int sent = 0;
	int channel CLEANUP(fd_close) = gate(f->smtp_gatekeeper, "192.0.2.1");
	assert_int_equal(fd_set_nonblocking(channel, true), 0);
	for (unsigned n = 0; sent == 0 && n < ANSWERS_MAX; n++) {
		sent = ipc_send(channel, IPC_RCPT, &question);
		assert_int_equal(loop_once(f->d.loop, 10), 0);
	}
	assert_int_equal(sent, -EPIPE);
}

/* --- sign-in --- */

static void the_right_password_opens_a_session(void **state)
{
	struct fixture *f = *state;
	static const struct str users[] = {STR_INIT("anna@example.test"),
	    STR_INIT("ANNA@Example.Test"), STR_INIT("anna"), STR_INIT("Anna")};
	for (size_t i = 0; i < ARRAY_LEN(users); i++) {
		int channel CLEANUP(fd_close) = gate(f->imap_gatekeeper, "192.0.2.1");
		ask_auth(channel, users[i], STR(PASSWORD));
		answer_open(f, 0);
		expect_auth(f, channel, AUTH_OK);
	}
	/* all but the first came out of the cache; a change forgets it */
	struct secret *cached CLEANUP(secret_free) =
	    key_cache_find(f->d.keys, f->account, STR(PASSWORD));
	assert_non_null(cached);
}

static void wrong_passwords_and_unknown_users_look_alike(void **state)
{
	struct fixture *f = *state;
	int channel CLEANUP(fd_close) = gate(f->imap_gatekeeper, "192.0.2.1");
	ask_auth(channel, STR("anna@example.test"), STR("incorrect horse"));
	expect_auth(f, channel, AUTH_WRONG);
	ask_auth(channel, STR("nobody@example.test"), STR("incorrect horse"));
	expect_auth(f, channel, AUTH_WRONG);
	/* the third failure was the last that is looked at; the right password does not help */
	ask_auth(channel, STR("anna+tag@example.test"), STR(PASSWORD));
	expect_auth(f, channel, AUTH_WRONG);
	ask_auth(channel, STR("anna@example.test"), STR(PASSWORD));
	expect_auth(f, channel, AUTH_SLOW_DOWN);
	/* somebody else is not slowed */
	int other CLEANUP(fd_close) = gate(f->imap_gatekeeper, "192.0.2.2");
	ask_auth(other, STR("anna@example.test"), STR(PASSWORD));
	answer_open(f, 0);
	expect_auth(f, other, AUTH_OK);
}

/* The same wrong password again: no Argon2id (there is nothing to run it), and no lock-out. */
static void a_repeated_wrong_password_costs_nothing(void **state)
{
	struct fixture *f = *state;
	struct works *works = f->d.works;
	int channel CLEANUP(fd_close) = gate(f->imap_gatekeeper, "192.0.2.1");
	ask_auth(channel, STR("anna"), STR("incorrect horse"));
	expect_auth(f, channel, AUTH_WRONG);
	ask_auth(channel, STR("nobody"), STR("incorrect horse"));
	expect_auth(f, channel, AUTH_WRONG);
	f->d.works = NULL;
	for (int i = 0; i < 2 * FAILURES; i++) {
		ask_auth(channel, STR("anna"), STR("incorrect horse"));
		expect_auth(f, channel, AUTH_WRONG);
		ask_auth(channel, STR("nobody"), STR("incorrect horse"));
		expect_auth(f, channel, AUTH_WRONG);
	}
	f->d.works = works;
	ask_auth(channel, STR("anna"), STR(PASSWORD));
	answer_open(f, 0);
	expect_auth(f, channel, AUTH_OK);
	/* Once it is the right one, it is not known as wrong. */
	uint8_t slot[SLOT_LEN];
	assert_int_equal(slot_seal_password(
	                     f->master, f->account, STR("incorrect horse"), &slot_cost_test, slot),
	    0);
	assert_int_equal(database_slot_replace(f->d.db, f->account, SLOT_PASSWORD, slot), 0);
	ask_auth(channel, STR("anna"), STR("incorrect horse"));
	answer_open(f, 0);
	expect_auth(f, channel, AUTH_OK);
}

static void without_a_registry_it_is_temporary(void **state)
{
	struct fixture *f = *state;
	int channel CLEANUP(fd_close) = gate(f->imap_gatekeeper, "192.0.2.1");
	ask_auth(channel, STR("anna"), STR(PASSWORD));
	answer_open(f, ENOENT);
	expect_auth(f, channel, AUTH_TEMPORARY);
	/* it dies while it is asked */
	ask_auth(channel, STR("anna"), STR(PASSWORD));
	struct ipc_received m;
	await_type(f, f->registry, IPC_OPEN, &m);
	ipc_received_done(&m);
	fd_close(&f->registry);
	expect_auth(f, channel, AUTH_TEMPORARY);
	/* and is not there */
	ask_auth(channel, STR("anna"), STR(PASSWORD));
	expect_auth(f, channel, AUTH_TEMPORARY);
	f->registry = connect_registry(f);
	ask_auth(channel, STR("anna"), STR(PASSWORD));
	answer_open(f, 0);
	expect_auth(f, channel, AUTH_OK);
}

static void a_gate_that_leaves_harms_nobody(void **state)
{
	struct fixture *f = *state;
	int gone = gate(f->imap_gatekeeper, "192.0.2.1");
	ask_auth(gone, STR("anna"), STR(PASSWORD));
	close(gone);
	answer_open(f, 0);
	int channel CLEANUP(fd_close) = gate(f->imap_gatekeeper, "192.0.2.1");
	ask_auth(channel, STR("anna"), STR(PASSWORD));
	ask_auth(channel, STR("anna"), STR(PASSWORD)); /* two at once are not allowed */
	struct ipc_received m;
	assert_int_equal(await(f, channel, &m), -ENODATA);
	answer_open(f, 0);
}

/* --- the command line --- */

static void ask(struct fixture *f, const struct ipc_control *request)
{
	assert_int_equal(ipc_send(f->control, IPC_CONTROL, request), 0);
}

/* The end of an answer, after `n_rows` rows. */
static void await_done(struct fixture *f, size_t n_rows, uint32_t error, const char *holds)
{
	struct ipc_received m;
	for (size_t i = 0; i < n_rows; i++) {
		await_type(f, f->control, IPC_CONTROL_ROW, &m);
		ipc_received_done(&m);
	}
	await_type(f, f->control, IPC_CONTROL_DONE, &m);
	struct ipc_control_done *done = m.msg;
	assert_int_equal(done->error, error);
	assert_true(
	    str_find(done->reason, str_of_cstr(holds)) < done->reason.len || holds[0] == '\0');
	ipc_received_done(&m);
}

static void answer_create(struct fixture *f, uint32_t error, uint64_t *ret_account)
{
	struct ipc_received m;
	await_type(f, f->registry, IPC_ACCOUNT_CREATE, &m);
	struct ipc_account_create *create = m.msg;
	struct keys_public public;
	assert_int_equal(keys_decode_public(create->keys, &public), 0);
	assert_int_equal(public.account_id, create->account);
	assert_int_equal(public.quota_bytes, 4096);
	*ret_account = create->account;
	struct ipc_registry_done done = {create->request, error};
	assert_int_equal(ipc_send(f->registry, IPC_REGISTRY_DONE, &done), 0);
	ipc_received_done(&m);
}

static void answer_remove(struct fixture *f, uint64_t account)
{
	struct ipc_received m;
	await_type(f, f->registry, IPC_ACCOUNT_REMOVE, &m);
	struct ipc_account_remove *remove = m.msg;
	assert_int_equal(remove->account, account);
	struct ipc_registry_done done = {remove->request, 0};
	assert_int_equal(ipc_send(f->registry, IPC_REGISTRY_DONE, &done), 0);
	ipc_received_done(&m);
}

static void accounts_come_and_go(void **state)
{
	struct fixture *f = *state;
	int channel CLEANUP(fd_close) = gate(f->smtp_gatekeeper, "192.0.2.1");
	struct ipc_control add = {.verb = CONTROL_ACCOUNT_ADD,
	    .name = STR("bert@example.test"),
	    .password = STR("bert's password"),
	    .quota_bytes = 4096};
	uint64_t bert = 0;
	ask(f, &add);
	answer_create(f, 0, &bert);
	await_done(f, 1, 0, "");
	assert_rcpt(f, channel, STR("bert@example.test"), RCPT_OK);
	ask(f, &add);
	await_done(f, 0, EEXIST, "already");
	struct ipc_control remove = {.verb = CONTROL_ACCOUNT_REMOVE, .name = add.name};
	ask(f, &remove);
	answer_remove(f, bert);
	await_done(f, 0, 0, "");
	assert_rcpt(f, channel, STR("bert@example.test"), RCPT_UNKNOWN);
	ask(f, &remove);
	await_done(f, 0, ENOENT, "no such account");
}

/* A folder that cannot be made: no account, and what was reserved is cleaned up. */
static void a_failed_add_leaves_nothing(void **state)
{
	struct fixture *f = *state;
	struct ipc_control add = {.verb = CONTROL_ACCOUNT_ADD,
	    .name = STR("bert@example.test"),
	    .password = STR("bert's password"),
	    .quota_bytes = 4096};
	uint64_t bert = 0;
	uint64_t unfinished = 0;
	ask(f, &add);
	answer_create(f, ENOSPC, &bert);
	await_done(f, 0, ENOSPC, "disk is full");
	answer_remove(f, bert);
	struct ipc_control list = {.verb = CONTROL_ACCOUNT_LIST};
	ask(f, &list);
	await_done(f, 1, 0, "");
	while (database_unfinished(f->d.db, 0, &unfinished) == 0)
		assert_int_equal(loop_once(f->d.loop, 10), 0);
	ask(f, &add);
	answer_create(f, 0, &bert);
	await_done(f, 1, 0, "");
}

static void change_password(struct fixture *f, struct str credential, struct str password)
{
	struct ipc_control request = {.verb = CONTROL_ACCOUNT_PASSWORD,
	    .name = STR("anna@example.test"),
	    .password = password,
	    .credential = credential};
	ask(f, &request);
}

static void answer_end_sessions(struct fixture *f, uint32_t error)
{
	struct ipc_received m;
	await_type(f, f->registry, IPC_ACCOUNT_END_SESSIONS, &m);
	struct ipc_account_end_sessions *end = m.msg;
	assert_int_equal(end->account, f->account);
	struct ipc_registry_done done = {end->request, error};
	assert_int_equal(ipc_send(f->registry, IPC_REGISTRY_DONE, &done), 0);
	ipc_received_done(&m);
}

static void a_new_password_needs_a_key(void **state)
{
	struct fixture *f = *state;
	change_password(f, STR(""), STR("another password"));
	await_done(f, 0, EACCES, "an administrator cannot open it");
	change_password(f, STR("wrong password"), STR("another password"));
	await_done(f, 0, EACCES, "neither");
	change_password(f, STR(PASSWORD), STR("short"));
	await_done(f, 0, EINVAL, "too short");
	change_password(f, STR(PASSWORD), STR("second password"));
	answer_end_sessions(f, 0);
	await_done(f, 0, 0, "");
	change_password(f, str_of_cstr(f->recovery), STR("third password"));
	answer_end_sessions(f, 0);
	await_done(f, 0, 0, "");
	char text[RECOVERY_TEXT_LEN + 1];
	struct secret *foreign CLEANUP(secret_free) = secret_random();
	recovery_encode(foreign, text);
	change_password(f, str_of_cstr(text), STR("fourth password"));
	await_done(f, 0, EACCES, "neither");
	int channel CLEANUP(fd_close) = gate(f->imap_gatekeeper, "192.0.2.1");
	ask_auth(channel, STR("anna"), STR("second password"));
	expect_auth(f, channel, AUTH_WRONG);
	ask_auth(channel, STR("anna"), STR("third password"));
	answer_open(f, 0); /* the same master key as before */
	expect_auth(f, channel, AUTH_OK);
}

static void a_changed_password_leaves_the_cache(void **state)
{
	struct fixture *f = *state;
	int channel CLEANUP(fd_close) = gate(f->imap_gatekeeper, "192.0.2.1");
	ask_auth(channel, STR("anna"), STR(PASSWORD));
	answer_open(f, 0);
	expect_auth(f, channel, AUTH_OK);
	change_password(f, STR(PASSWORD), STR("second password"));
	answer_end_sessions(f, 0);
	await_done(f, 0, 0, "");
	ask_auth(channel, STR("anna"), STR(PASSWORD));
	expect_auth(f, channel, AUTH_WRONG);
}

/* Who is signed in is put out; and where that cannot be had, the person is told. */
static void a_changed_password_ends_sessions(void **state)
{
	struct fixture *f = *state;
	change_password(f, STR(PASSWORD), STR("second password"));
	answer_end_sessions(f, EIO);
	await_done(f, 0, EIO, "may go on");
	fd_close(&f->registry);
	change_password(f, STR("second password"), STR("third password"));
	await_done(f, 0, 0, "");
}

/* The old password was being checked when the new one was set: it must not get in, or stay. */
static void a_password_changed_while_it_is_checked_is_wrong(void **state)
{
	struct fixture *f = *state;
	int channel CLEANUP(fd_close) = gate(f->imap_gatekeeper, "192.0.2.1");
	uint8_t slot[SLOT_LEN];
	assert_int_equal(slot_seal_password(
	                     f->master, f->account, STR("second password"), &slot_cost_test, slot),
	    0);
	ask_auth(channel, STR("anna"), STR(PASSWORD));
	uint64_t until = clock_ms() + WAIT_MS;
	size_t n_gates = f->d.n_gates;
	/* until the gate is known and has asked, and its worker runs */
	while (f->d.n_gates == n_gates && clock_ms() < until)
		assert_int_equal(loop_once(f->d.loop, 0), 0);
	assert_int_equal(database_slot_replace(f->d.db, f->account, SLOT_PASSWORD, slot), 0);
	key_cache_forget(f->d.keys, f->account);
	expect_auth(f, channel, AUTH_WRONG);
	struct secret *cached CLEANUP(secret_free) =
	    key_cache_find(f->d.keys, f->account, STR(PASSWORD));
	assert_null(cached);
}

static void says_what_is_wrong_with_a_request(void **state)
{
	struct fixture *f = *state;
	static const struct {
		enum control_verb verb;
		struct str name;
		uint32_t error;
		const char *holds;
	} cases[] = {
	    {CONTROL_DOMAIN_ADD, STR_INIT("no domain"), EINVAL, "not a domain name"},
	    {CONTROL_DOMAIN_ADD, STR_INIT("Example.Test"), EEXIST, "already"},
	    {CONTROL_DOMAIN_REMOVE, STR_INIT("example.test"), EBUSY, "accounts or aliases"},
	    {CONTROL_DOMAIN_REMOVE, STR_INIT("other.test"), ENOENT, "no such domain"},
	    {CONTROL_ACCOUNT_ADD, STR_INIT("a+b@example.test"), EINVAL, "without +"},
	    {CONTROL_ACCOUNT_ADD, STR_INIT("a@other.test"), ENOENT, "domain add"},
	    {CONTROL_ACCOUNT_SHOW, STR_INIT("nobody@example.test"), ENOENT, "account list"},
	    {CONTROL_ALIAS_ADD, STR_INIT("info@example.test"), ENOENT, "no such account or alias"},
	    {CONTROL_ALIAS_REMOVE, STR_INIT("info@example.test"), ENOENT, "no such alias"},
	};
	static const struct str target = STR_INIT("somebody@example.test");
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct ipc_control request = {.verb = (uint8_t)cases[i].verb,
		    .name = cases[i].name,
		    .password = STR("a long password"),
		    .targets = {&target, 1}};
		ask(f, &request);
		await_done(f, 0, cases[i].error, cases[i].holds);
	}
}

/* --- verifying --- */

static void flip(const char *name, off_t at)
{
	uint8_t byte;
	int fd CLEANUP(fd_close) = open(name, O_RDWR | O_CLOEXEC);
	assert_int_equal(fd_pread_all(fd, &byte, 1, at), 0);
	byte ^= 1;
	assert_int_equal(fd_pwrite_all(fd, str_of(&byte, 1), at), 0);
}

static void looks_at_its_own_files(void **state)
{
	struct fixture *f = *state;
	const struct ipc_control request = {.verb = CONTROL_VERIFY};
	ask(f, &request);
	await_done(f, 0, 0, "");
	flip(DATABASE_KEY, 3);
	flip(DATABASE_FILE, 5 * VFS_PAGE_LEN + 1);
	ask(f, &request);
	await_done(f, 2, 0, "");
	flip(DATABASE_KEY, 3);
	flip(DATABASE_FILE, 5 * VFS_PAGE_LEN + 1);
	ask(f, &request);
	await_done(f, 0, 0, "");
}

/* However much is damaged, so much is said, and the directory lives on. */
static void says_no_floods(void **state)
{
	enum { JUNK_PAGES = 1200, SAID = 1000 };
	struct fixture *f = *state;
	const struct ipc_control request = {.verb = CONTROL_VERIFY};
	uint8_t junk[VFS_PAGE_LEN];
	int fd CLEANUP(fd_close) = open(DATABASE_FILE, O_RDWR | O_CLOEXEC);
	memset(junk, 'x', sizeof(junk));
	ask(f, &request); /* settles the log, and with it how long the file should be */
	await_done(f, 0, 0, "");
	off_t len = lseek(fd, 0, SEEK_END);
	for (off_t i = 0; i < JUNK_PAGES; i++)
		assert_int_equal(
		    fd_pwrite_all(fd, str_of(junk, sizeof(junk)), len + i * (off_t)sizeof(junk)),
		    0);
	ask(f, &request);
	await_done(f, SAID, 0, "");
	assert_int_equal(ftruncate(fd, len), 0);
}

static void ask_verify(struct fixture *f, struct str name, struct str password, int channel)
{
	const struct ipc_control_verify request = {name, password, channel};
	assert_int_equal(ipc_send(f->control, IPC_CONTROL_VERIFY, &request), 0);
}

/* The registry hears of a session without a protocol, with the key or with an empty file. */
static void answer_verify(struct fixture *f, bool with_key)
{
	struct ipc_received m;
	size_t len = 1;
	await_type(f, f->registry, IPC_OPEN, &m);
	struct ipc_open *open_it = m.msg;
	assert_int_equal(open_it->protocol, SESSION_VERIFY);
	assert_int_equal(open_it->account, f->account);
	assert_int_equal(fd_check_sealed(open_it->master_key, &len), 0);
	assert_int_equal(len, with_key ? SECRET_LEN : 0);
	struct ipc_registry_done done = {open_it->request, 0};
	assert_int_equal(ipc_send(f->registry, IPC_REGISTRY_DONE, &done), 0);
	ipc_received_done(&m);
}

static void has_an_account_verified(void **state)
{
	struct fixture *f = *state;
	int ends[2];
	assert_int_equal(ipc_pair(ends), 0);
	int ours CLEANUP(fd_close) = ends[0], theirs CLEANUP(fd_close) = ends[1];
	(void)ours;
	ask_verify(f, STR("anna@example.test"), STR(""), theirs);
	answer_verify(f, false);
	await_done(f, 0, 0, "");
	ask_verify(f, STR("anna@example.test"), STR(PASSWORD), theirs);
	answer_verify(f, true);
	await_done(f, 0, 0, "");
	ask_verify(f, STR("anna@example.test"), STR("another password"), theirs);
	await_done(f, 0, EACCES, "not the account's password");
	ask_verify(f, STR("nobody@example.test"), STR(""), theirs);
	await_done(f, 0, ENOENT, "account list");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(gates_of_smtp_ask_for_recipients_only),
	    TEST(a_gate_that_does_not_read),
	    TEST(the_right_password_opens_a_session),
	    TEST(wrong_passwords_and_unknown_users_look_alike),
	    TEST(without_a_registry_it_is_temporary),
	    TEST(a_repeated_wrong_password_costs_nothing),
	    TEST(a_gate_that_leaves_harms_nobody),
	    TEST(accounts_come_and_go),
	    TEST(a_failed_add_leaves_nothing),
	    TEST(a_new_password_needs_a_key),
	    TEST(a_changed_password_leaves_the_cache),
	    TEST(a_changed_password_ends_sessions),
	    TEST(a_password_changed_while_it_is_checked_is_wrong),
	    TEST(says_what_is_wrong_with_a_request),
	    TEST(looks_at_its_own_files),
	    TEST(says_no_floods),
	    TEST(has_an_account_verified),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
