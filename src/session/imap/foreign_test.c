/*
 * Somebody who is not the account's owner, and was granted nothing, tries every command there is:
 * each is refused, or tells nothing of the owner's. A new command that is not in the table fails
 * the test.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <sys/socket.h>

#include "session/imap/imap_session.h"
#include "store/test_account.h"

#define SECRET  "Plans"
#define MESSAGE "{30+}\r\nSubject: Plans\r\n\r\nPlans....\r\n"

enum answer { REFUSED = 1, TELLS_NOTHING, EITHER };

static const struct {
	enum answer answer;
	const char *text; /* behind the tag; NULL: the name alone */
} tries[N_IMAP_COMMANDS] = {
    [IMAP_CAPABILITY] = {TELLS_NOTHING, NULL},
    [IMAP_NOOP] = {TELLS_NOTHING, NULL},
    [IMAP_LOGOUT] = {TELLS_NOTHING, NULL}, /* sent last */
    [IMAP_ID] = {TELLS_NOTHING, "ID NIL"},
    [IMAP_STARTTLS] = {REFUSED, NULL},
    [IMAP_LOGIN] = {REFUSED, "LOGIN a b"},
    [IMAP_AUTHENTICATE] = {REFUSED, "AUTHENTICATE PLAIN ="},
    [IMAP_ENABLE] = {TELLS_NOTHING, "ENABLE CONDSTORE"},
    [IMAP_SELECT] = {REFUSED, "SELECT " SECRET},
    [IMAP_EXAMINE] = {REFUSED, "EXAMINE INBOX"},
    [IMAP_CREATE] = {REFUSED, "CREATE " SECRET "/Mine"},
    [IMAP_DELETE] = {REFUSED, "DELETE " SECRET},
    [IMAP_RENAME] = {REFUSED, "RENAME " SECRET " Mine"},
    [IMAP_SUBSCRIBE] = {REFUSED, "SUBSCRIBE " SECRET},
    [IMAP_UNSUBSCRIBE] = {TELLS_NOTHING, "UNSUBSCRIBE Nowhere"},
    [IMAP_LIST] = {TELLS_NOTHING, "LIST \"\" * RETURN (STATUS (MESSAGES) MYRIGHTS)"},
    [IMAP_LSUB] = {TELLS_NOTHING, "LSUB \"\" *"},
    [IMAP_NAMESPACE] = {TELLS_NOTHING, NULL},
    [IMAP_STATUS] = {REFUSED, "STATUS " SECRET " (MESSAGES)"},
    [IMAP_APPEND] = {REFUSED, "APPEND " SECRET " " MESSAGE},
    [IMAP_IDLE] = {TELLS_NOTHING, "IDLE\r\nDONE"},
    [IMAP_CHECK] = {REFUSED, NULL},
    [IMAP_CLOSE] = {REFUSED, NULL},
    [IMAP_UNSELECT] = {REFUSED, NULL},
    [IMAP_EXPUNGE] = {REFUSED, NULL},
    [IMAP_SEARCH] = {REFUSED, "SEARCH ALL"},
    [IMAP_FETCH] = {REFUSED, "FETCH 1 BODY[]"},
    [IMAP_STORE] = {REFUSED, "STORE 1 +FLAGS (\\Seen)"},
    [IMAP_COPY] = {REFUSED, "COPY 1 INBOX"},
    [IMAP_MOVE] = {REFUSED, "MOVE 1 INBOX"},
    [IMAP_REPLACE] = {REFUSED, "REPLACE 1 " SECRET " " MESSAGE},
    [IMAP_NOTIFY] = {TELLS_NOTHING,
        "NOTIFY SET STATUS (personal (MessageNew MessageExpunge MailboxName))"},
    [IMAP_COMPRESS] = {EITHER, "COMPRESS NONE"},
    [IMAP_GETQUOTA] = {REFUSED, "GETQUOTA \"\""},
    [IMAP_GETQUOTAROOT] = {REFUSED, "GETQUOTAROOT INBOX"},
    [IMAP_SETQUOTA] = {REFUSED, "SETQUOTA \"\" (STORAGE 1)"},
    [IMAP_GETMETADATA] = {REFUSED, "GETMETADATA " SECRET " /shared/comment"},
    [IMAP_SETMETADATA] = {REFUSED, "SETMETADATA " SECRET " (/shared/comment \"x\")"},
    [IMAP_SORT] = {REFUSED, "SORT (ARRIVAL) UTF-8 ALL"},
    [IMAP_THREAD] = {REFUSED, "THREAD REFERENCES UTF-8 ALL"},
    [IMAP_ESEARCH] = {EITHER, "ESEARCH IN (mailboxes " SECRET ") ALL"},
    [IMAP_SETACL] = {REFUSED, "SETACL " SECRET " mallory@example.test lr"},
    [IMAP_DELETEACL] = {REFUSED, "DELETEACL " SECRET " owner@example.test"},
    [IMAP_GETACL] = {REFUSED, "GETACL " SECRET},
    [IMAP_LISTRIGHTS] = {REFUSED, "LISTRIGHTS " SECRET " mallory@example.test"},
    [IMAP_MYRIGHTS] = {REFUSED, "MYRIGHTS " SECRET},
    [IMAP_UNAUTHENTICATE] = {REFUSED, NULL}, /* here it is switched off */
};

static struct test_account t;

/* What a session of `subject` answers to these lines. */
static void play(struct store *store, struct subject subject, struct str lines, struct buf *out)
{
	struct imap_session s;
	int pair[2];
	ssize_t n = 1;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	imap_session_init(&s, store, pair[0], -1, 100000);
	s.subject = subject;
	assert_int_equal(fd_write_all(pair[1], lines), 0);
	assert_int_equal(imap_session_run(&s), 0);
	imap_session_done(&s);
	close(pair[0]);
	while (n > 0) {
		char *to = buf_reserve(out, 4096);
		assert_non_null(to);
		n = read(pair[1], to, 4096);
		buf_commit(out, n > 0 ? (size_t)n : 0);
	}
	close(pair[1]);
}

static void add_try(unsigned id, struct buf *lines)
{
	const char *text = tries[id].text;

	buf_printf(lines, "t%u ", id);
	buf_add(lines, text != NULL ? str_of_cstr(text) : imap_command_name(id));
	buf_add(lines, STR("\r\n"));
}

static void check_answer(struct str answers, unsigned id)
{
	char ok[16], no[16], bad[16];

	snprintf(ok, sizeof(ok), "\r\nt%u OK", id);
	snprintf(no, sizeof(no), "\r\nt%u NO", id);
	snprintf(bad, sizeof(bad), "\r\nt%u BAD", id);
	bool is_ok = str_find(answers, str_of_cstr(ok)) < answers.len;
	bool is_refused = str_find(answers, str_of_cstr(no)) < answers.len ||
	                  str_find(answers, str_of_cstr(bad)) < answers.len;
	bool is_right = tries[id].answer == REFUSED         ? is_refused
	                : tries[id].answer == TELLS_NOTHING ? is_ok
	                                                    : is_ok || is_refused;
	if (!is_right)
		fail_msg("%.*s was not answered as it should be:\n%.*s",
		    STR_FMT(imap_command_name(id)), STR_FMT(answers));
}

static void test_every_command(void **state UNUSED)
{
	const struct subject mallory = {.user = STR("mallory@example.test")};
	struct buf lines CLEANUP(buf_done) = BUF_MAX(65536);
	struct buf answers CLEANUP(buf_done) = BUF_MAX(65536);
	struct store *store = test_open(&t);

	buf_add(&answers, STR("\r\n"));
	for (unsigned id = 0; id < N_IMAP_COMMANDS; id++) {
		if (tries[id].answer == 0)
			fail_msg("say above what a stranger hears to %.*s",
			    STR_FMT(imap_command_name(id)));
		if (id != IMAP_LOGOUT)
			add_try(id, &lines);
	}
	add_try(IMAP_LOGOUT, &lines);
	play(store, mallory, buf_str(&lines), &answers);
	for (unsigned id = 0; id < N_IMAP_COMMANDS; id++)
		check_answer(buf_str(&answers), id);
	/* Neither the mailbox's name nor what is in it. */
	assert_int_equal(str_find(buf_str(&answers), STR(SECRET)), answers.len);
	assert_int_equal(str_find(buf_str(&answers), STR("Drafts")), answers.len);
	store_close(store);
}

/* A mailbox that they may not see is answered as one that is not there. */
static void test_not_told_apart(void **state UNUSED)
{
	static const char *const commands[] = {"SELECT ", "DELETE ", "SUBSCRIBE ", "GETQUOTAROOT ",
	    "MYRIGHTS ", "GETACL ", "GETMETADATA %s /shared/comment", "STATUS %s (MESSAGES)",
	    "CREATE %s/Below", "RENAME %s Elsewhere", "APPEND %s {3+}\r\nabc"};
	const struct subject mallory = {.user = STR("mallory@example.test")};
	struct store *store = test_open(&t);

	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		struct buf lines CLEANUP(buf_done) = BUF_MAX(1000);
		struct buf answers[2] = {BUF_MAX(65536), BUF_MAX(65536)};
		for (size_t j = 0; j < 2; j++) {
			const char *name = j == 0 ? SECRET : "Plant";
			buf_clear(&lines);
			buf_add(&lines, STR("a "));
			struct str command = str_of_cstr(commands[i]);
			buf_add(&lines, str_cut(&command, '%'));
			buf_add(&lines, str_of_cstr(name));
			buf_add(&lines, str_from(command, 1)); /* behind the s of %s */
			buf_add(&lines, STR("\r\nb LOGOUT\r\n"));
			play(store, mallory, buf_str(&lines), &answers[j]);
		}
		assert_true(str_starts(buf_str(&answers[0]), STR("a NO ")));
		assert_true(str_eq(buf_str(&answers[0]), buf_str(&answers[1])));
		buf_done(&answers[0]);
		buf_done(&answers[1]);
	}
	store_close(store);
}

/* What is granted to them, or to everybody, they may; and nothing else. */
static void test_granted(void **state UNUSED)
{
	const struct subject owner = {.user = STR("owner@example.test"), .is_owner = true};
	const struct subject mallory = {.user = STR("mallory@example.test")};
	struct buf answers CLEANUP(buf_done) = BUF_MAX(65536);
	struct store *store = test_open(&t);

	play(store, owner,
	    STR("a SETACL " SECRET " Mallory@Example.Test l\r\nb SETACL " SECRET
	        " anyone r\r\nc LOGOUT\r\n"),
	    &answers);
	buf_clear(&answers);
	play(store, mallory,
	    STR("a LIST \"\" *\r\nb STATUS " SECRET " (MESSAGES)\r\nc APPEND " SECRET " " MESSAGE
	        "\r\nd GETACL " SECRET "\r\ne MYRIGHTS " SECRET "\r\nf LOGOUT\r\n"),
	    &answers);
	struct str told = buf_str(&answers);
	assert_true(str_starts(told, STR("* LIST (\\HasNoChildren) \"/\" " SECRET "\r\na OK")));
	assert_true(str_find(told, STR("* STATUS " SECRET " (MESSAGES 1)")) < told.len);
	assert_true(str_find(told, STR("c NO [NOPERM]")) < told.len);
	assert_true(str_find(told, STR("d NO [NOPERM]")) < told.len);
	assert_true(str_find(told, STR("* MYRIGHTS " SECRET " lr\r\n")) < told.len);
	store_close(store);
}

/* A keyword is the account's, and there are few: who may not set it makes none. */
static void test_no_keywords(void **state UNUSED)
{
	const struct subject owner = {.user = STR("owner@example.test"), .is_owner = true};
	const struct subject mallory = {.user = STR("mallory@example.test")};
	struct buf answers CLEANUP(buf_done) = BUF_MAX(65536);
	struct store *store = test_open(&t);

	play(store, owner,
	    STR("a CREATE Shared\r\nb SETACL Shared mallory@example.test lrsi\r\nc LOGOUT\r\n"),
	    &answers);
	buf_clear(&answers);
	play(store, mallory,
	    STR("a APPEND Shared (mine \\Seen) " MESSAGE "\r\nb SELECT Shared\r\nc STORE 1 +FLAGS "
	        "(mine)\r\nd STORE 1 -FLAGS (mine \\Seen)\r\ne LOGOUT\r\n"),
	    &answers);
	struct str told = buf_str(&answers);
	assert_true(str_find(told, STR("a OK [APPENDUID")) < told.len);
	assert_true(str_find(told, STR("c NO [NOPERM]")) < told.len);
	assert_true(str_find(told, STR("* 1 FETCH (FLAGS (\\Recent))\r\nd OK")) < told.len);
	assert_int_equal(str_find(told, STR("mine")), told.len);
	assert_int_equal(store_keywords(store), 0);
	store_close(store);
}

static int make(void **state UNUSED)
{
	const struct subject owner = {.user = STR("owner@example.test"), .is_owner = true};
	struct buf answers CLEANUP(buf_done) = BUF_MAX(65536);

	test_account_make(&t);
	struct store *store = test_open(&t);
	play(store, owner,
	    STR("a CREATE " SECRET "\r\nb APPEND " SECRET " " MESSAGE "\r\nc LOGOUT\r\n"),
	    &answers);
	store_close(store);
	return str_find(buf_str(&answers), STR("b OK")) < answers.len ? 0 : 1;
}

static int unmake(void **state UNUSED)
{
	test_account_remove(&t);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_command),
	    cmocka_unit_test(test_not_told_apart), cmocka_unit_test(test_granted),
	    cmocka_unit_test(test_no_keywords)};

	return cmocka_run_group_tests(tests, make, unmake);
}
