/* A POP3 session where time, the server's stop, large messages and damage come in. */
#include <dirent.h>

#include "session/pop3/pop3_session.h"
#include "session/test_sessions.h"
#include "store/store_ingest.h"
#include "store/test_expect.h"

enum { LARGE_LINES = 40000, LARGE_MAX = 8 << 20 };

struct world {
	struct test_sessions t;
	struct test_client *c;
};

static void begin(struct world *w, const char *name)
{
	*w = (struct world){.t = {.name = name, .timeout_s = 60}};
	test_account_make(&w->t.account);
	w->c = &w->t.clients[0];
}

static void end(struct world *w)
{
	test_client_end(w->c);
	test_account_remove(&w->t.account);
}

static void start(struct world *w)
{
	test_client_start(&w->t, w->c, SESSION_POP3);
}

static void say(struct world *w, const char *text)
{
	assert_int_equal(fd_write_all(w->c->stream, str_of_cstr(text)), 0);
}

static void expect(struct world *w, const char *text)
{
	struct str line = test_line(&w->t, w->c);

	if (!str_eq(line, str_of_cstr(text)))
		fail_msg("`%.*s` where `%s` was expected", STR_FMT(line), text);
	test_line_done(w->c, line);
}

/* A message of many lines that cannot be packed well; some begin with a dot. */
static void make_large(struct buf *message)
{
	uint64_t random = 88172645463325252;

	buf_add(message, STR("Subject: large\r\n\r\n"));
	for (unsigned i = 0; i < LARGE_LINES; i++) {
		buf_printf(message, "%sline %u ", i % 3 == 0 ? "." : "", i);
		for (unsigned n = 0; n < 50; n++) {
			random ^= random << 13;
			random ^= random >> 7;
			random ^= random << 17;
			buf_add_c(message, (char)('!' + random % 90));
		}
		buf_add(message, STR("\r\n"));
	}
}

/* RFC 1939 §3: it ends without a word, and nothing is removed. */
static void silence_ends_it(void **state UNUSED)
{
	struct world w;
	begin(&w, "silence");
	test_deliver(&w.t.account, STR("A: 1\r\n\r\n"));
	w.t.timeout_s = 1;
	start(&w);
	say(&w, "DELE 1\r\n");
	expect(&w, "+OK Message 1 will be removed by QUIT");
	test_expect_end(&w.t, w.c);
	w.t.timeout_s = 60;
	start(&w);
	say(&w, "STAT\r\nQUIT\r\n");
	expect(&w, "+OK 1 8");
	expect(&w, "+OK Good-bye");
	test_expect_end(&w.t, w.c);
	end(&w);
}

static void the_servers_stop_ends_it(void **state UNUSED)
{
	const struct ipc_drain drain = {.ms = 1000};
	struct world w;
	begin(&w, "stop");
	test_deliver(&w.t.account, STR("A: 1\r\n\r\n"));
	start(&w);
	say(&w, "DELE 1\r\n");
	expect(&w, "+OK Message 1 will be removed by QUIT");
	assert_int_equal(ipc_send(w.c->registry, IPC_DRAIN, &drain), 0);
	test_expect_end(&w.t, w.c);
	start(&w);
	say(&w, "STAT\r\n");
	expect(&w, "+OK 1 8");
	end(&w);
}

/* Commands in one write, answers in their order (RFC 2449 §6.6); a line in two pieces. */
static void pipelining(void **state UNUSED)
{
	struct world w;
	begin(&w, "pipelining");
	test_deliver(&w.t.account, STR("A: 1\r\n\r\n"));
	start(&w);
	say(&w, "STAT\r\nNOOP\nLIST 1\r\nRE");
	expect(&w, "+OK 1 8");
	expect(&w, "+OK Nothing was done");
	expect(&w, "+OK 1 8");
	say(&w, "TR 1\r\nDELE 1\r\nQUIT\r\nSTAT\r\n");
	expect(&w, "+OK 8 octets");
	expect(&w, "A: 1");
	expect(&w, "");
	expect(&w, ".");
	expect(&w, "+OK Message 1 will be removed by QUIT");
	expect(&w, "+OK Good-bye");
	test_expect_end(&w.t, w.c);
	end(&w);
}

enum { MANY = STORE_EXPUNGE_MAX + 100, COMMAND_MAX = 32, HUNDRED = 100 };

static uint64_t highest_modseq(struct world *w, size_t n_messages)
{
	struct store *s = test_open(&w->t.account);
	struct store_view *v = NULL;
	size_t n;
	assert_int_equal(store_ingest(s, &n), 0);
	assert_int_equal(store_view_open(s, 1, true, &v), 0);
	assert_int_equal(v->n, n_messages);
	uint64_t modseq = v->highest_modseq;
	store_view_close(v);
	store_close(s);
	return modseq;
}

/* More than one transaction removes: others need not wait for all of them. */
static void many_are_removed_bit_by_bit(void **state UNUSED)
{
	struct buf records CLEANUP(buf_done) = BUF_MAX(16 << 20);
	struct world w;
	begin(&w, "many");
	for (size_t i = 0; i < MANY; i++)
		test_seal(&w.t.account, STR("A: 1\r\n\r\n"), &records);
	test_put(buf_str(&records));
	uint64_t before = highest_modseq(&w, MANY);
	start(&w);
	for (unsigned i = 1; i <= MANY; i += HUNDRED) {
		struct buf commands CLEANUP(buf_done) = BUF_MAX(HUNDRED * COMMAND_MAX);
		for (unsigned n = i; n < i + HUNDRED; n++)
			buf_printf(&commands, "DELE %u\r\n", n);
		assert_int_equal(fd_write_all(w.c->stream, buf_str(&commands)), 0);
		for (unsigned n = i; n < i + HUNDRED; n++)
			test_line_done(w.c, test_line(&w.t, w.c));
	}
	say(&w, "STAT\r\nQUIT\r\n");
	expect(&w, "+OK 0 0");
	expect(&w, "+OK Good-bye");
	test_expect_end(&w.t, w.c);
	assert_int_equal(highest_modseq(&w, 0), before + 2);
	end(&w);
}

static void a_large_message(void **state UNUSED)
{
	struct buf message CLEANUP(buf_done) = BUF_MAX(LARGE_MAX);
	struct world w;
	char octets[64];
	begin(&w, "large");
	make_large(&message);
	test_deliver(&w.t.account, buf_str(&message));
	start(&w);
	say(&w, "RETR 1\r\nTOP 1 1\r\nNOOP\r\n");
	snprintf(octets, sizeof(octets), "+OK %zu octets", message.len);
	expect(&w, octets);
	for (struct str rest = buf_str(&message); rest.len > 0;) {
		struct str sent = str_cut_line(&rest), line = test_line(&w.t, w.c);
		if (str_starts(sent, STR(".")))
			assert_true(str_skip(&line, STR(".")));
		assert_true(str_eq(sent, line));
		test_line_done(w.c, test_line(&w.t, w.c));
	}
	expect(&w, ".");
	expect(&w, "+OK");
	expect(&w, "Subject: large");
	expect(&w, "");
	assert_true(str_starts(test_line(&w.t, w.c), STR("..line 0 ")));
	test_line_done(w.c, test_line(&w.t, w.c));
	expect(&w, ".");
	expect(&w, "+OK Nothing was done");
	end(&w);
}

static void flip_the_blob(off_t from_end)
{
	DIR *dir = opendir("blobs");
	struct dirent *entry;
	unsigned n = 0;
	assert_non_null(dir);
	while ((entry = readdir(dir))) {
		char path[300];
		struct stat st;
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "blobs/%s", entry->d_name);
		assert_int_equal(stat(path, &st), 0);
		test_flip(path, (uint64_t)(st.st_size - from_end));
		n++;
	}
	closedir(dir);
	assert_int_equal(n, 1);
}

/* Everything up to the end; the registry is told of damage, which is not looked at here. */
static void read_to_end(struct world *w, struct buf *all)
{
	ssize_t n = 1;
	while (n > 0) {
		char *to = buf_reserve(all, 65536);
		n = read(w->c->stream, to, 65536);
		buf_commit(all, n > 0 ? (size_t)n : 0);
	}
}

/* Found in the middle: the connection ends, and no dot makes a part look whole. */
static void damage_within_a_large_message(void **state UNUSED)
{
	struct buf message CLEANUP(buf_done) = BUF_MAX(LARGE_MAX);
	struct buf all CLEANUP(buf_done) = BUF_MAX(LARGE_MAX);
	struct world w;
	size_t n = 0;
	begin(&w, "damage");
	make_large(&message);
	test_deliver(&w.t.account, buf_str(&message));
	struct store *s = test_open(&w.t.account);
	assert_int_equal(store_ingest(s, &n), 0);
	store_close(s);
	flip_the_blob(100);
	start(&w);
	say(&w, "RETR 1\r\nNOOP\r\n");
	read_to_end(&w, &all);
	assert_true(str_starts(buf_str(&all), STR("+OK ")));
	assert_true(all.len > 100000 && all.len < message.len);
	assert_int_equal(str_find(buf_str(&all), STR("\r\n.\r\n")), all.len);
	assert_int_equal(str_find(buf_str(&all), STR("+OK Nothing")), all.len);
	end(&w);
}

/* Found before the first word: it is said, and the others can be read. */
static void damage_of_a_message(void **state UNUSED)
{
	struct buf message CLEANUP(buf_done) = BUF_MAX(LARGE_MAX);
	struct buf all CLEANUP(buf_done) = BUF_MAX(LARGE_MAX);
	struct world w;
	size_t n = 0;
	begin(&w, "damage");
	make_large(&message);
	test_deliver(&w.t.account, str_first(buf_str(&message), 900000));
	test_deliver(&w.t.account, STR("A: 2\r\n\r\n"));
	struct store *s = test_open(&w.t.account);
	assert_int_equal(store_ingest(s, &n), 0);
	store_close(s);
	flip_the_blob(100);
	start(&w);
	say(&w, "RETR 1\r\nRETR 2\r\nQUIT\r\n");
	read_to_end(&w, &all);
	assert_true(
	    str_eq(buf_str(&all), STR("-ERR [SYS/PERM] Stored data is damaged; it was reported\r\n"
	                              "+OK 8 octets\r\nA: 2\r\n\r\n.\r\n+OK Good-bye\r\n")));
	end(&w);
}

/* Somebody who is not the owner has what the list of INBOX grants, and nothing else (RFC 4314). */
static void a_foreign_account_is_refused(void **state UNUSED)
{
	static const struct subject mallory = {.user = STR_INIT("mallory@example.test")};
	const struct pop3_command dele = {.id = POP3_DELE, .has_message = true, .message = 1};
	struct world w;
	struct pop3_session session;
	int ends[2];
	begin(&w, "foreign");
	test_deliver(&w.t.account, STR("A: 1\r\n\r\n"));
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	struct store *s = test_open(&w.t.account);
	assert_int_equal(pop3_session_open(&session, s, &mallory, ends[0], -1), -EACCES);
	assert_int_equal(
	    store_rights_set(s, 1, mallory.user, STORE_RIGHTS_SET, STORE_RIGHT_READ), 0);
	assert_int_equal(pop3_session_open(&session, s, &mallory, ends[0], -1), 0);
	pop3_run(&session, &dele);
	assert_true(str_starts(buf_str(&session.out.buf), STR("-ERR [SYS/PERM]")));
	pop3_session_close(&session);
	store_close(s);
	close(ends[0]);
	close(ends[1]);
	end(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(silence_ends_it),
	    cmocka_unit_test(the_servers_stop_ends_it),
	    cmocka_unit_test(pipelining),
	    cmocka_unit_test(many_are_removed_bit_by_bit),
	    cmocka_unit_test(a_large_message),
	    cmocka_unit_test(damage_within_a_large_message),
	    cmocka_unit_test(damage_of_a_message),
	    cmocka_unit_test(a_foreign_account_is_refused),
	};

	signal(SIGPIPE, SIG_IGN);
	session_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
