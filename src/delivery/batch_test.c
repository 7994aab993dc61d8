/*
 * Delivery's batches: what is said to be delivered is in every letterbox once, byte for byte; what
 * is not, in none. In builds with faults every system call that changes a file fails once, and
 * kills the process once.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "delivery/batch.h"
#include "store/account.h"
#include "store/io.h"
#include "store/store.h"
#include "store/store_ingest.h"
#include "store/store_message.h"

enum { N_ACCOUNTS = 3, LARGE_LEN = 300 << 10, TEXT_MAX = LARGE_LEN + 1000 };

static const struct str trace =
    STR_INIT("Received: from there by here; Mon, 23 Nov 2026 10:00:00 +0000\r\n");

static char path[64];
static int folder_fd = -1;
static struct secret *masters[N_ACCOUNTS + 1];
static struct accounts accounts;
static unsigned n_damage;

static void must(int error)
{
	if (error) {
		fprintf(stderr, "unexpected error %d\n", error);
		abort();
	}
}

static void make_account(uint64_t id, uint64_t quota)
{
	struct keys keys;
	uint8_t file[KEYS_FILE_LEN];
	masters[id] = secret_random();
	keys_new(id, quota, &keys);
	keys_encode(&keys, masters[id], file);
	must(account_create(folder_fd, id, str_of(file, sizeof(file)), false));
	keys_done(&keys);
}

static int setup(void **state UNUSED)
{
	store_init();
	snprintf(path, sizeof(path), "/tmp/gatepost-delivery-XXXXXX");
	assert_non_null(mkdtemp(path));
	assert_int_equal(chdir(path), 0);
	folder_fd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	accounts = (struct accounts){.folder_fd = folder_fd};
	n_damage = 0;
	for (uint64_t id = 1; id <= N_ACCOUNTS; id++)
		make_account(id, 0);
	return 0;
}

static int teardown(void **state UNUSED)
{
	accounts_done(&accounts);
	for (uint64_t id = 1; id <= N_ACCOUNTS; id++) {
		assert_int_equal(account_remove(folder_fd, id), 0);
		secret_free(&masters[id]);
	}
	fd_close(&folder_fd);
	assert_int_equal(chdir("/"), 0);
	assert_int_equal(rmdir(path), 0);
	return 0;
}

/* A message to be delivered; `text` stays the caller's. */
static void prepare(struct delivery *d, const uint64_t *ids, size_t n, struct str text)
{
	static const struct str addresses[] = {
	    STR_INIT("a@example.test"), STR_INIT("b@example.test"), STR_INIT("c@example.test")};
	*d = (struct delivery){.arena = ARENA_MAX(1 << 20),
	    .accounts = ids,
	    .recipients = addresses,
	    .n_accounts = n,
	    .reverse_path = STR("sender@example.net"),
	    .trace = trace,
	    .message = text};
}

static const uint64_t everybody[] = {1, 2, 3};

/* Message `n`, of about `len` bytes. */
static struct str text_of(unsigned n, size_t len, struct buf *out)
{
	buf_clear(out);
	buf_printf(out, "Subject: number %u\r\n\r\n", n);
	while (out->len < len)
		buf_printf(out, "line %zu of %u\r\n", out->len, n);
	return buf_str(out);
}

static void run(struct delivery *d)
{
	struct delivery *rest = d;
	while (rest)
		batch_run(&accounts, rest, &rest);
}

static void on_damage(void *ctx UNUSED, const struct store_damage *damage UNUSED)
{
	n_damage++;
}

/* Calls `fn` with every message of the account's INBOX. */
static size_t each_message(uint64_t id, void (*fn)(struct str bytes, void *ctx), void *ctx)
{
	char name[ACCOUNT_NAME_LEN_MAX + 1];
	struct store *s;
	struct store_view *v;
	size_t n;
	account_folder_name(id, name);
	assert_int_equal(chdir(name), 0);
	struct store_watch watch = {on_damage, NULL};
	assert_int_equal(store_open(masters[id], id, &watch, &s), 0);
	assert_int_equal(store_ingest(s, &n), 0);
	assert_int_equal(store_view_open(s, 1, true, &v), 0);
	for (size_t i = 0; i < v->n; i++) {
		struct store_body *b;
		struct str bytes;
		assert_int_equal(store_body_open(s, store_view_entry(v, i).message, &b), 0);
		assert_int_equal(store_body_all(b, &bytes), 0);
		fn(bytes, ctx);
		store_body_close(b);
	}
	n = v->n;
	store_view_close(v);
	store_close(s);
	assert_int_equal(fchdir(folder_fd), 0);
	return n;
}

struct expected {
	struct str text;
	size_t n_found;
};

static void compare(struct str bytes, void *ctx)
{
	struct expected *e = ctx;
	struct str rest = bytes;
	if (str_skip(&rest, STR("Return-Path: <sender@example.net>\r\n")) &&
	    str_skip(&rest, trace) && str_eq(rest, e->text))
		e->n_found++;
}

static size_t count(uint64_t id, struct str text)
{
	struct expected e = {.text = text};
	each_message(id, compare, &e);
	return e.n_found;
}

static void test_delivers(void **state UNUSED)
{
	struct buf small CLEANUP(buf_done) = BUF_MAX(TEXT_MAX);
	struct buf large CLEANUP(buf_done) = BUF_MAX(TEXT_MAX);
	static const uint64_t two[] = {1, 3};
	struct delivery a, b, c;
	prepare(&a, everybody, 3, text_of(1, 4000, &small));
	prepare(&b, everybody, 3, text_of(2, LARGE_LEN, &large));
	prepare(&c, two, 2, STR(""));
	a.next = &b;
	b.next = &c;
	run(&a);
	assert_true(a.result == DELIVER_OK && b.result == DELIVER_OK && c.result == DELIVER_OK);
	for (uint64_t id = 1; id <= N_ACCOUNTS; id++) {
		assert_int_equal(count(id, buf_str(&small)), 1);
		assert_int_equal(count(id, buf_str(&large)), 1);
		assert_int_equal(count(id, STR("")), id != 2);
	}
	/* The large one lies there once for all. */
	char command[200], name[64] = "";
	snprintf(command, sizeof(command), "%s/1/blobs", path);
	DIR *dir = opendir(command);
	struct dirent *entry;
	struct stat st = {0};
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] != '.')
			snprintf(name, sizeof(name), "%.60s", entry->d_name);
	}
	assert_int_equal(fstatat(dirfd(dir), name, &st, 0), 0);
	assert_int_equal(st.st_nlink, 3);
	/* And nobody's session can write to what the others read. */
	assert_int_equal(st.st_mode & 0222, 0);
	closedir(dir);
	assert_int_equal(n_damage, 0);
	arena_done(&a.arena);
	arena_done(&b.arena);
	arena_done(&c.arena);
}

static void test_unknown_account(void **state UNUSED)
{
	static const uint64_t ids[] = {1, 9};
	struct delivery d;
	prepare(&d, ids, 2, STR("Subject: x\r\n\r\n"));
	run(&d);
	assert_int_equal(d.result, DELIVER_TEMPORARY);
	assert_int_equal(d.at_account, 9);
	assert_int_equal(count(1, d.message), 0);
	arena_done(&d.arena);
}

static void test_removed_account(void **state UNUSED)
{
	static const uint64_t ids[] = {2};
	struct delivery d;
	prepare(&d, ids, 1, STR("Subject: x\r\n\r\n"));
	run(&d);
	assert_int_equal(d.result, DELIVER_OK);
	arena_done(&d.arena);
	assert_int_equal(account_remove(folder_fd, 2), 0);
	secret_free(&masters[2]);
	prepare(&d, ids, 1, STR("Subject: y\r\n\r\n"));
	run(&d);
	assert_int_equal(d.result, DELIVER_TEMPORARY);
	arena_done(&d.arena);
	make_account(2, 0);
}

/* A restore puts another folder in the place of one that is open: mail goes into the new one. */
static void test_replaced_folder(void **state UNUSED)
{
	struct buf text CLEANUP(buf_done) = BUF_MAX(TEXT_MAX);
	static const uint64_t one[] = {1};
	struct delivery d;
	prepare(&d, one, 1, text_of(1, 100, &text));
	run(&d);
	assert_int_equal(d.result, DELIVER_OK);
	arena_done(&d.arena);
	assert_int_equal(rename("1/letterbox", "1/letterbox.old"), 0);
	assert_int_equal(mkdir("1/letterbox", 0700), 0);
	clock_simulate(clock_ms() + ACCOUNTS_FRESH_MS + 1);
	prepare(&d, one, 1, text_of(2, 100, &text));
	run(&d);
	clock_simulate(0);
	assert_int_equal(d.result, DELIVER_OK);
	arena_done(&d.arena);
	assert_int_equal(count(1, buf_str(&text)), 1);
	assert_int_equal(each_message(1, compare, &(struct expected){.text = STR("")}), 1);
}

static void test_quota(void **state UNUSED)
{
	assert_int_equal(account_remove(folder_fd, 2), 0);
	secret_free(&masters[2]);
	make_account(2, 100000);
	struct buf text CLEANUP(buf_done) = BUF_MAX(TEXT_MAX);
	struct delivery d;
	prepare(&d, everybody, 3, text_of(1, 200000, &text));
	run(&d);
	assert_int_equal(d.result, DELIVER_QUOTA);
	assert_int_equal(d.at_account, 2);
	assert_int_equal(count(1, buf_str(&text)), 0);
	arena_done(&d.arena);
	prepare(&d, everybody, 3, text_of(2, 4000, &text));
	run(&d);
	assert_int_equal(d.result, DELIVER_OK);
	arena_done(&d.arena);
}

/* The messages of one batch count together. */
static void test_quota_in_batch(void **state UNUSED)
{
	static const uint64_t ids[] = {2};
	enum { N = 6 };
	struct buf texts[N];
	struct delivery d[N];
	size_t n_delivered = 0;
	assert_int_equal(account_remove(folder_fd, 2), 0);
	secret_free(&masters[2]);
	make_account(2, 70000);
	for (unsigned i = 0; i < N; i++) {
		texts[i] = BUF_MAX(TEXT_MAX);
		prepare(&d[i], ids, 1, text_of(i, 30000, &texts[i]));
		d[i].next = i + 1 < N ? &d[i + 1] : NULL;
	}
	run(&d[0]);
	for (unsigned i = 0; i < N; i++) {
		bool ok = d[i].result == DELIVER_OK;
		assert_true(ok || d[i].result == DELIVER_QUOTA);
		assert_int_equal(count(2, buf_str(&texts[i])), ok);
		n_delivered += ok;
		buf_done(&texts[i]);
		arena_done(&d[i].arena);
	}
	assert_int_equal(n_delivered, 2);
}

/* Somebody holds one letterbox's lock: its messages fail, the others of the batch do not. */
static void test_stuck_letterbox(void **state UNUSED)
{
	static const uint64_t ids[] = {1, 3};
	struct letterbox *l CLEANUP(letterbox_close) = NULL;
	int fd CLEANUP(fd_close) = openat(folder_fd, "2", O_RDONLY | O_DIRECTORY);
	assert_int_equal(letterbox_open(fd, 2, &l), 0);
	assert_int_equal(letterbox_lock(l, 0), 0);
	struct delivery a, b;
	prepare(&a, everybody, 3, STR("Subject: a\r\n\r\n"));
	prepare(&b, ids, 2, STR("Subject: b\r\n\r\n"));
	a.next = &b;
	run(&a);
	assert_int_equal(a.result, DELIVER_TEMPORARY);
	assert_int_equal(b.result, DELIVER_OK);
	assert_int_equal(count(1, a.message), 0);
	assert_int_equal(count(3, b.message), 1);
	arena_done(&a.arena);
	arena_done(&b.arena);
}

#ifdef GATEPOST_FAULTS

enum { N_FAULT_MESSAGES = 4 };

struct fault_run {
	struct buf texts[N_FAULT_MESSAGES];
	struct delivery d[N_FAULT_MESSAGES];
};

/* A batch of small and large messages for several accounts. */
static void prepare_run(struct fault_run *r, unsigned number)
{
	static const uint64_t two[] = {2, 3};
	for (unsigned i = 0; i < N_FAULT_MESSAGES; i++) {
		r->texts[i] = BUF_MAX(TEXT_MAX);
		struct str text =
		    text_of(number * N_FAULT_MESSAGES + i, i == 2 ? LARGE_LEN : 1000, &r->texts[i]);
		prepare(&r->d[i], i == 1 ? two : everybody, i == 1 ? 2 : 3, text);
		r->d[i].next = i + 1 < N_FAULT_MESSAGES ? &r->d[i + 1] : NULL;
	}
}

static void free_run(struct fault_run *r)
{
	for (unsigned i = 0; i < N_FAULT_MESSAGES; i++) {
		buf_done(&r->texts[i]);
		arena_done(&r->d[i].arena);
	}
}

struct counts {
	const struct fault_run *run;
	size_t n[N_FAULT_MESSAGES];
};

static void compare_all(struct str bytes, void *ctx)
{
	struct counts *counts = ctx;
	for (unsigned i = 0; i < N_FAULT_MESSAGES; i++) {
		struct expected e = {.text = buf_str(&counts->run->texts[i])};
		compare(bytes, &e);
		counts->n[i] += e.n_found;
	}
}

static bool is_recipient(const struct delivery *d, uint64_t id)
{
	return d->n_accounts == 3 || id >= 2;
}

static void test_faults(void **state UNUSED)
{
	static const int errors[] = {ENOSPC, EIO};
	unsigned number = 0;
	for (size_t e = 0; e < ARRAY_LEN(errors); e++) {
		bool struck = true;
		for (uint64_t n = 1; struck; n++) {
			struct fault_run r;
			prepare_run(&r, number++);
			accounts_done(&accounts);
			io_fault_at(n, errors[e]);
			run(&r.d[0]);
			struck = io_fault_count() >= n;
			io_fault_at(0, 0);
			for (unsigned i = 0; i < N_FAULT_MESSAGES; i++) {
				bool ok = r.d[i].result == DELIVER_OK;
				assert_true(ok || struck);
				assert_true(ok || r.d[i].result == (errors[e] == ENOSPC
				                                           ? DELIVER_FULL
				                                           : DELIVER_TEMPORARY));
			}
			for (uint64_t id = 1; id <= N_ACCOUNTS; id++) {
				struct counts counts = {.run = &r};
				each_message(id, compare_all, &counts);
				for (unsigned i = 0; i < N_FAULT_MESSAGES; i++)
					assert_int_equal(
					    counts.n[i], r.d[i].result == DELIVER_OK &&
					                     is_recipient(&r.d[i], id));
			}
			free_run(&r);
		}
	}
	assert_int_equal(n_damage, 0);
	assert_true(number > 20);
}

/* In a child: delivers, and tells for each message that is acknowledged. */
static void deliver_and_die(struct fault_run *r, uint64_t n, int tell)
{
	io_fault_at(n, 0);
	run(&r->d[0]);
	bool struck = io_fault_count() >= n;
	for (unsigned i = 0; i < N_FAULT_MESSAGES; i++) {
		char c = (char)i;
		if (r->d[i].result == DELIVER_OK && write(tell, &c, 1) != 1)
			_exit(3);
	}
	_exit(struck ? 2 : 0);
}

static void test_kills(void **state UNUSED)
{
	bool struck = true;
	unsigned number = 0;
	for (uint64_t n = 1; struck; n++) {
		struct fault_run r;
		int ends[2], status;
		prepare_run(&r, number++);
		accounts_done(&accounts);
		assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
		pid_t pid = fork();
		if (pid == 0)
			deliver_and_die(&r, n, ends[1]);
		close(ends[1]);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		struck = WIFSIGNALED(status);
		assert_true(struck ? WTERMSIG(status) == SIGKILL : WEXITSTATUS(status) == 0);
		bool acknowledged[N_FAULT_MESSAGES] = {false};
		char c;
		while (read(ends[0], &c, 1) == 1)
			acknowledged[(size_t)c] = true;
		close(ends[0]);
		for (uint64_t id = 1; id <= N_ACCOUNTS; id++) {
			struct counts counts = {.run = &r};
			each_message(id, compare_all, &counts);
			for (unsigned i = 0; i < N_FAULT_MESSAGES; i++) {
				assert_true(acknowledged[i] || struck);
				assert_true(counts.n[i] <= 1);
				if (acknowledged[i])
					assert_int_equal(counts.n[i], is_recipient(&r.d[i], id));
			}
		}
		free_run(&r);
	}
	assert_int_equal(n_damage, 0);
	assert_true(number > 10);
}

#endif

/* The ephemeral key of the last record in an account's letterbox (docs/formats.md). */
static void last_ephemeral(uint64_t id, uint8_t ret_key[static CIPHER_PUBLIC_LEN])
{
	char name[64];
	char *bytes = NULL;
	size_t len = 0;
	uint32_t record_len;
	snprintf(name, sizeof(name), "%llu/letterbox/000001.seg", (unsigned long long)id);
	assert_int_equal(fd_read_file(folder_fd, name, 1 << 20, &bytes, &len), 0);
	assert_true(len > RECORD_TRAILER_LEN);
	const uint8_t *end = (const uint8_t *)bytes + len;
	assert_int_equal(record_check_trailer(end - RECORD_TRAILER_LEN, &record_len), 0);
	memcpy(ret_key, end - record_len + RECORD_HEADER_LEN, CIPHER_PUBLIC_LEN);
	free(bytes);
}

static void deliver_one(unsigned n, const uint64_t *ids, size_t n_ids)
{
	struct buf text CLEANUP(buf_done) = BUF_MAX(TEXT_MAX);
	struct delivery d;
	prepare(&d, ids, n_ids, text_of(n, 100, &text));
	run(&d);
	assert_int_equal(d.result, DELIVER_OK);
	arena_done(&d.arena);
}

/* What comes soon after is sealed with the same key pair, to whomever; then it is forgotten. */
static void test_sender(void **state UNUSED)
{
	struct buf text CLEANUP(buf_done) = BUF_MAX(TEXT_MAX);
	uint8_t first[CIPHER_PUBLIC_LEN], key[CIPHER_PUBLIC_LEN];
	static const uint8_t zeros[sizeof(struct record_sender)];
	deliver_one(0, everybody, 1);
	last_ephemeral(1, first);
	deliver_one(1, everybody, 3);
	deliver_one(2, everybody, 2);
	for (uint64_t id = 1; id <= N_ACCOUNTS; id++) {
		last_ephemeral(id, key);
		assert_memory_equal(key, first, sizeof(key));
	}
	accounts_forget_sender(&accounts);
	assert_memory_equal(&accounts.sender, zeros, sizeof(zeros));
	for (size_t i = 0; i < accounts.n; i++)
		assert_memory_equal(
		    &accounts.v[i]->header_key, zeros, sizeof(accounts.v[i]->header_key));
	deliver_one(3, everybody, 1);
	last_ephemeral(1, key);
	assert_memory_not_equal(key, first, sizeof(key));
	for (unsigned n = 0; n < 4; n++)
		assert_int_equal(count(1, text_of(n, 100, &text)), 1);
	for (unsigned n = 1; n < 3; n++)
		assert_int_equal(count(2, text_of(n, 100, &text)), 1);
	assert_int_equal(count(3, text_of(1, 100, &text)), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_delivers),
	    TEST(test_sender),
	    TEST(test_unknown_account),
	    TEST(test_removed_account),
	    TEST(test_replaced_folder),
	    TEST(test_quota),
	    TEST(test_quota_in_batch),
	    TEST(test_stuck_letterbox),
#ifdef GATEPOST_FAULTS
	    TEST(test_faults),
	    TEST(test_kills),
#endif
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
