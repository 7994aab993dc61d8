/*
 * What a session holds of a very large mailbox. Builds without sanitizers look at the whole process
 * as the machine counts it (its peak, with all libraries), sanitizer builds at what is allocated.
 */
#include <malloc.h>
#include <sqlite3.h>
#include <sys/mman.h>

#include "base/clock.h"
#include "base/num.h"
#include "seal/vfs.h"
#include "session/test_sessions.h"

#ifdef GATEPOST_ASAN
/* As <sanitizer/allocator_interface.h> has them, which not every compiler brings along. */
int __sanitizer_install_malloc_and_free_hooks(
    void (*malloced)(const volatile void *p, size_t size), void (*freed)(const volatile void *p));
size_t __sanitizer_get_allocated_size(const volatile void *p);
#endif

enum {
	MESSAGES = 1000 * 1000,
	/* In the server a session has 2 MB more, of libraries that other roles need. */
	PROCESS_KIB_MAX = 28 * 1000 * 1000 / 1024,
	HEAP_KIB_MAX = 24 << 10, /* also what is never touched; code and libraries are not in it */
	SUBJECTS = 5000,
};

static struct test_sessions t = {.name = "memory", .timeout_s = 600};

/* Of the session, shared with it. */
static struct heap_use {
	volatile long now, peak;
} * heap;

#ifdef GATEPOST_ASAN
static void on_malloc(UNUSED const volatile void *p, size_t size)
{
	heap->now += (long)size;
	if (heap->now > heap->peak)
		heap->peak = heap->now;
}

static void on_free(const volatile void *p)
{
	if (p)
		heap->now -= (long)__sanitizer_get_allocated_size(p);
}
#endif

/* Rows as if they had been taken in; their records are nowhere. */
static const char fill_sql[] =
    "BEGIN;"
    "CREATE TEMP TABLE n (i INTEGER PRIMARY KEY);"
    "INSERT INTO n WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < %d)"
    " SELECT i FROM n;"
    "INSERT INTO entries (mailbox, uid, message, flags, modseq, saved_at, size, internal_at,"
    " internal_zone) SELECT 1, i, i, (i %% 3 = 0), i + 10, 1700000000, 2000 + i %% 777,"
    " 1600000000 + i * 7919 %% 1000003, 0 FROM n;"
    "INSERT INTO orders (id, sent_at, is_reply, subject, sender, recipient, copied, sender_shown,"
    " recipient_shown, ids) SELECT i, 1600000000 + i * 7919 %% 1000003, 0,"
    " CAST('what is to be done about number ' || (i * 7919 %% %d) AS BLOB),"
    " CAST('sender' || (i %% 4321) AS BLOB), X'', X'', X'', X'', "
    /* Of two messages one names the one before, one somebody else's. */
    " CAST(printf('%%08d', i) || printf(iif(i %% 2, '%%08d', 'm%%07d'), i - 1) AS BLOB) FROM n;"
    "UPDATE mailboxes SET uidnext = %d + 1, first_recent = %d + 1, n_messages = %d,"
    " n_unseen = %d - %d / 3, size = (SELECT sum(size) FROM entries), highest_modseq = %d + 10"
    " WHERE id = 1;"
    "UPDATE state SET next_modseq = %d + 11, next_message = %d + 1;"
    "DELETE FROM changes WHERE mailbox = 1; INSERT INTO changes VALUES (1, %d + 10, 0, 0);"
    "UPDATE search_state SET indexed = %d;"
    "COMMIT";

static void fill(void)
{
	char sql[4096];
	sqlite3 *db;
	struct secret *key CLEANUP(secret_free) =
	    keys_derive(t.account.master, TEST_ACCOUNT, KEYS_LABEL_MAILBOX_DB);

	store_close(test_open(&t.account));
	snprintf(sql, sizeof(sql), fill_sql, MESSAGES, SUBJECTS, MESSAGES, MESSAGES, MESSAGES,
	    MESSAGES, MESSAGES, MESSAGES, MESSAGES, MESSAGES, MESSAGES, MESSAGES);
	test_check(sealed_db_open("mailbox.db", key, 0, &db));
	char *error = NULL;
	if (sqlite3_exec(db, sql, NULL, NULL, &error) != SQLITE_OK) {
		fprintf(stderr, "%s\n", error);
		abort();
	}
	sqlite3_close(db);
}

/* In a process of its own, so that nothing of it is left in the sessions'. */
static int begin(UNUSED void **state)
{
	int status = -1;

	test_account_make(&t.account);
	heap = mmap(NULL, sizeof(*heap), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid = fork();
	if (pid == 0) {
		fill();
		_exit(0);
	}
	waitpid(pid, &status, 0);
#ifdef GATEPOST_ASAN
	if (__sanitizer_install_malloc_and_free_hooks(on_malloc, on_free) == 0)
		return -1;
#endif
	return status;
}

static int end(UNUSED void **state)
{
	test_account_remove(&t.account);
	return 0;
}

#ifndef GATEPOST_ASAN
static long process_kib(pid_t pid, const char *what)
{
	char path[64], line[256];
	long kib = -1;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	FILE *file = fopen(path, "re");
	assert_non_null(file);
	while (fgets(line, sizeof(line), file))
		if (strncmp(line, what, strlen(what)) == 0)
			kib = strtol(line + strlen(what), NULL, 10);
	fclose(file);
	assert_true(kib > 0);
	return kib;
}
#endif

static void expect_little(struct test_client *c, const char *when)
{
#ifdef GATEPOST_ASAN
	print_message(
	    "%s: %ld KiB allocated, %ld at most\n", when, heap->now >> 10, heap->peak >> 10);
	assert_true(heap->peak >> 10 < HEAP_KIB_MAX);
	(void)c;
#else
	print_message("%s: %ld KiB, %ld at most, %ld of its own\n", when,
	    process_kib(c->pid, "VmRSS:"), process_kib(c->pid, "VmHWM:"),
	    process_kib(c->pid, "RssAnon:"));
	assert_true(process_kib(c->pid, "VmHWM:") < PROCESS_KIB_MAX);
#endif
}

static int64_t seconds_of(uint32_t message)
{
	return (int64_t)message * 7919 % 1000003;
}

/* 0 where a SORT's keys are equal. */
static int64_t compare(const char *command, uint32_t a, uint32_t b)
{
	char text_a[32], text_b[32];

	if (strstr(command, "FROM") != NULL)
		return 0; /* order_test compares several keys */
	if (strstr(command, "DATE") != NULL || strstr(command, "ARRIVAL") != NULL)
		return (strstr(command, "REVERSE") != NULL ? -1 : 1) *
		       (seconds_of(a) - seconds_of(b));
	snprintf(text_a, sizeof(text_a), "%d", (int)((uint64_t)a * 7919 % SUBJECTS));
	snprintf(text_b, sizeof(text_b), "%d", (int)((uint64_t)b * 7919 % SUBJECTS));
	return strcmp(text_a, text_b);
}

static void expect_order(const char *command, struct str line)
{
	uint32_t n = 0, last = 0;

	while (line.len > 0) {
		uint64_t number;
		assert_true(num_parse(str_cut(&line, ' '), MESSAGES, &number));
		int64_t order = n++ > 0 ? compare(command, last, (uint32_t)number) : -1;
		assert_true(
		    order < 0 || (order == 0 && (last < number || strstr(command, "FROM"))));
		last = (uint32_t)number;
	}
	assert_int_equal(n, MESSAGES);
}

/* Says a command, and reads up to its answer; what is untagged is left out. */
static void run(struct test_client *c, const char *command)
{
	char text[256];
	struct str line;
	bool last;
	int len = snprintf(text, sizeof(text), "a %s\r\n", command);

	uint64_t began = clock_ms();
	assert_int_equal(write(c->stream, text, (size_t)len), len);
	do {
		line = test_line(&t, c);
		last = str_starts(line, STR("a "));
		struct str sorted = line;
		if (str_skip(&sorted, STR("* SORT ")))
			expect_order(command, sorted);
		if (last && !str_starts(line, STR("a OK")))
			fail_msg("%s: %.*s", command, STR_FMT(line));
		test_line_done(c, line);
	} while (!last);
	expect_little(c, command);
	print_message("   %llu ms\n", (unsigned long long)(clock_ms() - began));
}

static void test_commands(UNUSED void **state)
{
	static const char *const commands[] = {
	    "SELECT INBOX",
	    "FETCH 1:* FLAGS",
	    "FETCH 999990:* (UID FLAGS)",
	    "UID SEARCH RETURN (COUNT) UNSEEN",
	    "UID SEARCH RETURN (MIN MAX) ALL",
	    "UID SEARCH RETURN (ALL) SEEN LARGER 2500",
	    "SORT (ARRIVAL) UTF-8 ALL",
	    "SORT (REVERSE DATE) UTF-8 ALL",
	    "SORT (SUBJECT) UTF-8 ALL",
	    "SORT (FROM SUBJECT REVERSE SIZE) UTF-8 ALL",
	    "SORT RETURN (SAVE COUNT) (SUBJECT) UTF-8 SEEN",
	    "UID SEARCH RETURN (SAVE) SEEN",
	    "THREAD ORDEREDSUBJECT UTF-8 1:250000",
	    "THREAD REFERENCES UTF-8 1:250000",
	    "STORE 1:* +FLAGS.SILENT (\\Flagged)",
	    "NOOP",
	};
	struct test_client *c = &t.clients[0];

	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		*heap = (struct heap_use){0};
		malloc_trim(0); /* or the session would inherit what the lines took here */
		test_client_start(&t, c, SESSION_IMAP);
		run(c, "SELECT INBOX");
		run(c, commands[i]);
		test_client_end(c);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_commands)};

	return cmocka_run_group_tests(tests, begin, end);
}
