/* queue/check.h: every byte of the queue's files is looked at, and what is not as it was is named.
 */
#include "queue/check.h"

#include <sys/stat.h>

#include "queue/key.h"
#include "queue/test_courier.h"
#include "queue/test_submit.h"
#include "seal/vfs.h"

enum { LARGE_LEN = 600000, FILES_MAX = 8, NAME_LEN = 80, MANY_OF_SMALL_FILE = 64 };

/* What a look found. */
struct found {
	size_t n_damaged, n_left;
	char file[NAME_LEN], what[NAME_LEN]; /* of the first */
};

static void on_found(void *ctx, const struct queue_finding *f)
{
	struct found *found = ctx;
	if (found->n_damaged + found->n_left == 0) {
		snprintf(found->file, sizeof(found->file), "%s", f->file);
		snprintf(found->what, sizeof(found->what), "%s", f->what);
	}
	found->n_damaged += f->is_damage;
	found->n_left += !f->is_damage;
}

static void run(struct queue_check *c)
{
	int more;
	while ((more = queue_check_step(c)) > 0)
		;
	assert_int_equal(more, 0);
	queue_check_free(c);
}

/* As the command does where no server runs. */
static struct found look(void)
{
	struct found found = {0};
	struct queue_check *c = NULL;
	assert_int_equal(queue_check_open((struct queue_check_watch){on_found, &found}, &c), 0);
	run(c);
	return found;
}

static void submit_large(struct world *w)
{
	struct buf text CLEANUP(buf_done) = BUF_MAX(1 << 20);
	buf_add(&text, STR("Subject: large\r\n\r\n"));
	for (unsigned n = 0; text.len < LARGE_LEN; n++)
		buf_printf(
		    &text, "all work and no play makes %u a long message\r\n", n * 2654435761u);
	int submitter = world_submitter(w);
	say_mail(w, submitter, 0);
	say_rcpt(w, submitter, "bob@example.net", 0, RCPT_NOT_LOCAL, 0);
	say_message(w, submitter, buf_str(&text));
	close(submitter);
}

/* A small message and a large one wait. */
static void fill(struct world *w)
{
	int submitter = world_submitter(w);
	(void)submit_one(w, submitter, "bob@example.net", 0);
	close(submitter);
	submit_large(w);
}

static size_t list_files(char ret_names[static FILES_MAX][NAME_LEN])
{
	DIR *dir = opendir(".");
	size_t n = 0;
	assert_non_null(dir);
	for (struct dirent *e = readdir(dir); e; e = readdir(dir))
		if (e->d_name[0] != '.' && !strstr(e->d_name, "-shm")) {
			assert_true(n < FILES_MAX);
			snprintf(ret_names[n++], NAME_LEN, "%.*s", NAME_LEN - 1, e->d_name);
		}
	closedir(dir);
	return n;
}

static void find_file(char ret_name[static NAME_LEN])
{
	char names[FILES_MAX][NAME_LEN];
	size_t n = list_files(names);
	for (size_t i = 0; i < n; i++)
		if (strspn(names[i], "0123456789abcdef") == strlen(names[i])) {
			memcpy(ret_name, names[i], NAME_LEN);
			return;
		}
	fail_msg("no file of a message");
}

static void flip(const char *name, off_t at)
{
	uint8_t byte = 0;
	assert_int_equal(chmod(name, 0600), 0);
	int fd = open(name, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(pread(fd, &byte, 1, at), 1);
	byte ^= (uint8_t)(1 << at % 8);
	assert_int_equal(pwrite(fd, &byte, 1, at), 1);
	close(fd);
}

static off_t len_of(const char *name)
{
	struct stat st;
	assert_int_equal(stat(name, &st), 0);
	return st.st_size;
}

static void flip_and_look(const char *name, off_t at)
{
	char path[NAME_LEN + 8];
	snprintf(path, sizeof(path), "queue/%s", name);
	flip(name, at);
	struct found found = look();
	flip(name, at);
	if (found.n_damaged == 0 || strcmp(found.file, path) != 0)
		fail_msg("%s, byte %ld: %zu found, first %s", path, (long)at, found.n_damaged,
		    found.file);
}

static void every_byte_is_looked_at(void **state)
{
	struct world *w = *state;
	char names[FILES_MAX][NAME_LEN];
	fill(w);
	world_stop(w);
	struct found found = look();
	assert_int_equal(found.n_damaged + found.n_left, 0);
	size_t n = list_files(names);
	assert_int_equal(n, 3); /* key, database, the large message */
	for (size_t i = 0; i < n; i++) {
		off_t len = len_of(names[i]);
		off_t step = len > MANY_OF_SMALL_FILE ? len / MANY_OF_SMALL_FILE + 1 : 1;
		for (off_t at = 0; at < len; at += step)
			flip_and_look(names[i], at);
		flip_and_look(names[i], len - 1);
	}
	found = look();
	assert_int_equal(found.n_damaged + found.n_left, 0);
	world_start(w);
	assert_int_equal(world_count(w), 2);
}

static void what_is_missing_is_named(void **state)
{
	struct world *w = *state;
	char name[NAME_LEN];
	fill(w);
	world_stop(w);
	const char *const files[] = {QUEUE_KEY_FILE, QUEUE_DATABASE_FILE, name};
	find_file(name);
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		assert_int_equal(rename(files[i], "aside"), 0);
		struct found found = look();
		assert_int_equal(found.n_damaged, 1);
		assert_string_equal(found.file + strlen("queue/"), files[i]);
		assert_string_equal(found.what, "is missing");
		assert_int_equal(rename("aside", files[i]), 0);
	}
	world_start(w);
}

/* Nothing says what this is: a reader of the report has to look. */
static void what_no_message_has_is_told(void **state)
{
	static const char name[] = "00112233445566778899aabbccddeeff";
	struct world *w = *state;
	struct stat st;
	fill(w);
	world_stop(w);
	int fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	close(fd);
	struct found found = look();
	assert_int_equal(found.n_damaged, 0);
	assert_int_equal(found.n_left, 1);
	assert_string_equal(found.what, "no message has it");
	world_start(w);
	assert_int_equal(stat(name, &st), -1);
}

/* Another message's file under the name, or what is no file. */
static void another_file_in_its_place_is_damage(void **state)
{
	struct world *w = *state;
	char name[NAME_LEN];
	fill(w);
	world_stop(w);
	find_file(name);
	assert_int_equal(rename(name, "aside"), 0);
	assert_int_equal(symlink("aside", name), 0);
	struct found found = look();
	assert_int_equal(found.n_damaged, 1);
	assert_int_equal(unlink(name), 0);
	assert_int_equal(mkfifo(name, 0600), 0);
	found = look();
	assert_int_equal(found.n_damaged, 1);
	assert_int_equal(unlink(name), 0);
	assert_int_equal(rename("aside", name), 0);
	assert_int_equal(truncate(name, len_of(name) - 1), 0);
	found = look();
	assert_int_equal(found.n_damaged, 1);
	world_start(w);
}

static void there_may_be_no_queue_yet(void **state)
{
	struct world *w = *state;
	struct queue_check *c = NULL;
	struct found found = {0};
	world_stop(w);
	assert_int_equal(unlink(QUEUE_KEY_FILE), 0);
	assert_int_equal(unlink(QUEUE_DATABASE_FILE), 0);
	assert_int_equal(
	    queue_check_open((struct queue_check_watch){on_found, &found}, &c), -ENOENT);
	assert_int_equal(found.n_damaged, 0);
	world_start(w);
}

/* The log, with what was committed this moment, is looked at too; and the queue works meanwhile. */
static void a_queue_at_work_is_looked_at(void **state)
{
	struct world *w = *state;
	struct found found = {0};
	fill(w);
	assert_true(len_of(QUEUE_DATABASE_FILE "-wal") > VFS_PAGE_LEN);
	struct queue_check *c =
	    queue_check_new(w->q->db, (struct queue_check_watch){on_found, &found});
	int submitter = world_submitter(w), more;
	size_t n_steps = 0;
	while ((more = queue_check_step(c)) > 0)
		if (n_steps++ < 4)
			(void)submit_one(w, submitter, "bob@example.net", 0);
	assert_int_equal(more, 0);
	queue_check_free(c);
	close(submitter);
	assert_int_equal(found.n_damaged + found.n_left, 0);
	assert_true(n_steps >= 3);
	flip(QUEUE_DATABASE_FILE, len_of(QUEUE_DATABASE_FILE) - VFS_PAGE_LEN);
	run(queue_check_new(w->q->db, (struct queue_check_watch){on_found, &found}));
	assert_int_equal(found.n_damaged, 1);
	flip(QUEUE_DATABASE_FILE, len_of(QUEUE_DATABASE_FILE) - VFS_PAGE_LEN);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {TEST(every_byte_is_looked_at),
	    TEST(what_is_missing_is_named), TEST(what_no_message_has_is_told),
	    TEST(another_file_in_its_place_is_damage), TEST(there_may_be_no_queue_yet),
	    TEST(a_queue_at_work_is_looked_at)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
