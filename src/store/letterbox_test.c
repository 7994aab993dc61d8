/* letterbox.h, segment.h, metadata.h: what is appended is read, whatever happened in between. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <sys/stat.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/num.h"
#include "store/io.h"
#include "store/test_account.h"
#include "store/test_expect.h"

static struct test_account t;

static int setup(void **state UNUSED)
{
	test_account_make(&t);
	return 0;
}

static int teardown(void **state UNUSED)
{
	test_account_remove(&t);
	return 0;
}

static void on_damage(void *ctx, struct letterbox_place place, const char *what UNUSED)
{
	struct letterbox_place *last = ctx;
	t.n_damage++;
	if (last)
		*last = place;
}

struct seen {
	size_t n;
	struct letterbox_place first, last, end;
	uint32_t last_len;
};

/* Reads everything from `from` on. */
static struct seen read_all(struct letterbox_place from)
{
	struct letterbox *l CLEANUP(letterbox_close) = NULL;
	struct letterbox_reader *r CLEANUP(letterbox_reader_free) = NULL;
	struct seen seen = {0};
	test_check(letterbox_open(AT_FDCWD, TEST_ACCOUNT, &l));
	test_check(
	    letterbox_reader_new(l, from, (struct letterbox_damage_report){on_damage, NULL}, &r));
	struct letterbox_record record;
	int found;
	while ((found = letterbox_reader_next(r, &record)) > 0) {
		if (seen.n++ == 0)
			seen.first = record.place;
		seen.last = record.place;
		seen.last_len = record.frame.total_len;
		struct buf metadata CLEANUP(buf_done) = BUF_MAX(RECORD_METADATA_MAX);
		struct record_frame frame;
		struct body body;
		assert_int_equal(record_open(&t.keys, record.bytes, &frame, &metadata, &body), 0);
		body_wipe(&body);
	}
	assert_int_equal(found, 0);
	seen.end = letterbox_reader_place(r);
	return seen;
}

static const struct letterbox_place beginning = {1, 0};

static uint64_t file_len(const char *path)
{
	struct stat st;
	assert_int_equal(stat(path, &st), 0);
	return (uint64_t)st.st_size;
}

static void test_empty(void **state UNUSED)
{
	struct seen seen = read_all(beginning);
	assert_int_equal(seen.n, 0);
	assert_int_equal(letterbox_place_cmp(seen.end, beginning), 0);
}

static void test_append_and_read(void **state UNUSED)
{
	for (unsigned i = 0; i < 10; i++)
		test_deliver_number(&t, i);
	struct seen seen = read_all(beginning);
	assert_int_equal(seen.n, 10);
	assert_int_equal(seen.first.offset, SEGMENT_HEADER_LEN);
	assert_int_equal(seen.end.offset, file_len("letterbox/000001.seg"));
	/* From where it ended, only what came later. */
	test_deliver_number(&t, 10);
	struct seen later = read_all(seen.end);
	assert_int_equal(later.n, 1);
	assert_int_equal(letterbox_place_cmp(later.first, seen.end), 0);
	assert_int_equal(t.n_damage, 0);
}

static void test_undo(void **state UNUSED)
{
	test_deliver_number(&t, 1);
	uint64_t before = file_len("letterbox/000001.seg");
	struct letterbox *l CLEANUP(letterbox_close) = NULL;
	struct buf record CLEANUP(buf_done) = BUF_MAX(1 << 20);
	struct letterbox_place place;
	test_seal(&t, STR("Subject: x\r\n\r\ny\r\n"), &record);
	assert_int_equal(letterbox_open(AT_FDCWD, TEST_ACCOUNT, &l), 0);
	assert_int_equal(letterbox_lock(l, LETTERBOX_WAIT_MS), 0);
	struct letterbox_place start = letterbox_end(l);
	assert_int_equal(start.offset, before);
	for (int i = 0; i < 3; i++)
		assert_int_equal(letterbox_append(l, buf_str(&record), &place), 0);
	assert_int_equal(letterbox_undo(l, start), 0);
	assert_int_equal(file_len("letterbox/000001.seg"), before);
	assert_int_equal(letterbox_append(l, buf_str(&record), &place), 0);
	assert_int_equal(letterbox_sync(l), 0);
	letterbox_unlock(l);
	assert_int_equal(read_all(beginning).n, 2);
}

/* Segments follow each other when full, and undoing goes back over their border. */
static void test_rotation_and_undo(void **state UNUSED)
{
	struct letterbox *l CLEANUP(letterbox_close) = NULL;
	struct buf record CLEANUP(buf_done) = BUF_MAX(1 << 20);
	struct buf noise CLEANUP(buf_done) = BUF_MAX(BLOB_FILE_MIN);
	char *room = buf_reserve(&noise, BLOB_FILE_MIN);
	cipher_random(room, BLOB_FILE_MIN);
	buf_commit(&noise, BLOB_FILE_MIN);
	test_seal(&t, buf_str(&noise), &record);
	assert_int_equal(letterbox_open(AT_FDCWD, TEST_ACCOUNT, &l), 0);
	assert_int_equal(letterbox_lock(l, LETTERBOX_WAIT_MS), 0);
	size_t per_segment = (SEGMENT_LEN_MAX - SEGMENT_HEADER_LEN) / record.len;
	struct letterbox_place place, middle = {0};
	for (size_t i = 0; i < 2 * per_segment + 1; i++) {
		if (i == per_segment / 2)
			middle = letterbox_end(l);
		assert_int_equal(letterbox_append(l, buf_str(&record), &place), 0);
	}
	assert_int_equal(place.segment, 3);
	assert_int_equal(letterbox_sync(l), 0);
	assert_int_equal(letterbox_undo(l, middle), 0);
	letterbox_unlock(l);
	assert_int_equal(access("letterbox/000002.seg", F_OK), -1);
	assert_int_equal(read_all(beginning).n, per_segment / 2);
	assert_int_equal(letterbox_lock(l, LETTERBOX_WAIT_MS), 0);
	assert_int_equal(letterbox_append(l, buf_str(&record), &place), 0);
	assert_int_equal(letterbox_place_cmp(place, middle), 0);
	letterbox_unlock(l);
}

/* A record that a crash tore is left alone: the next one goes into a new segment. */
static void test_torn_tail(void **state UNUSED)
{
	test_deliver_number(&t, 1);
	test_deliver_number(&t, 2);
	uint64_t whole = file_len("letterbox/000001.seg");
	for (uint64_t cut = 1; cut < 200; cut += 13) {
		char name[64];
		struct seen all = read_all(beginning);
		snprintf(name, sizeof(name), "letterbox/%06u.seg", all.last.segment);
		assert_int_equal(truncate(name, (off_t)(file_len(name) - cut)), 0);
		struct seen seen = read_all(beginning);
		assert_int_equal(seen.n, all.n - 1);
		test_deliver_number(&t, 3);
		struct seen after = read_all(seen.end);
		assert_int_equal(after.n, 1);
		assert_int_equal(after.last.segment, all.last.segment + 1);
		assert_int_equal(read_all(beginning).n, all.n);
	}
	assert_true(file_len("letterbox/000001.seg") < whole);
	assert_int_equal(t.n_damage, 0);
}

/* Every byte of a record in the middle, changed, is noticed; its neighbours stay readable. */
static void test_damage(void **state UNUSED)
{
	for (unsigned i = 0; i < 3; i++)
		test_deliver_number(&t, i);
	struct seen all = read_all(beginning);
	for (uint64_t offset = 0; offset < all.end.offset; offset += 3) {
		t.n_damage = 0;
		test_flip("letterbox/000001.seg", offset);
		struct seen seen = read_all(beginning);
		assert_int_equal(t.n_damage, 1);
		assert_int_equal(seen.n, offset < SEGMENT_HEADER_LEN ? 3 : 2);
		test_flip("letterbox/000001.seg", offset);
	}
	t.n_damage = 0;
	assert_int_equal(read_all(beginning).n, 3);
	assert_int_equal(t.n_damage, 0);
}

static struct letterbox_dead dead_at(struct letterbox_place place)
{
	char header[RECORD_HEADER_LEN];
	char name[64];
	struct record_frame frame;
	snprintf(name, sizeof(name), "letterbox/%06u.seg", place.segment);
	int fd CLEANUP(fd_close) = open(name, O_RDONLY);
	test_check(fd_pread_all(fd, header, sizeof(header), (off_t)place.offset));
	test_check(record_check_header(str_of(header, sizeof(header)), &frame));
	return (struct letterbox_dead){place, frame.total_len};
}

static void test_erase(void **state UNUSED)
{
	struct letterbox_place places[5];
	struct buf buf CLEANUP(buf_done) = BUF_MAX(4096);
	for (unsigned i = 0; i < 5; i++)
		places[i] = test_deliver(&t, test_message(i, &buf));
	struct letterbox *l CLEANUP(letterbox_close) = NULL;
	test_check(letterbox_open(AT_FDCWD, TEST_ACCOUNT, &l));
	/* Two that are not neighbours, then the one between them, twice; then the last. */
	struct letterbox_dead two[] = {dead_at(places[1]), dead_at(places[3])};
	struct letterbox_dead between = dead_at(places[2]), last = dead_at(places[4]);
	assert_int_equal(letterbox_erase(l, two, 2, 1000), 0);
	assert_int_equal(read_all(beginning).n, 3);
	assert_int_equal(letterbox_erase(l, &between, 1, 1000), 0);
	assert_int_equal(letterbox_erase(l, &between, 1, 1000), 0);
	assert_int_equal(read_all(beginning).n, 2);
	assert_int_equal(letterbox_erase(l, &last, 1, 1000), 0);
	struct seen seen = read_all(beginning);
	assert_int_equal(seen.n, 1);
	assert_int_equal(t.n_damage, 0);
	/* The bytes are gone, and reading one says so. */
	struct buf bytes CLEANUP(buf_done) = BUF_MAX(1 << 20);
	assert_int_equal(letterbox_read(l, places[3], two[1].len, &bytes), 0);
	assert_int_equal(str_find(buf_str(&bytes), STR("\0\0\0\0\0\0\0\0")), 0);
	buf_clear(&bytes);
	assert_int_equal(letterbox_read(l, places[1], two[0].len, &bytes), -ENOENT);
	/* A hole at the end is as good an end as a record. */
	test_deliver_number(&t, 9);
	seen = read_all(beginning);
	assert_int_equal(seen.n, 2);
	assert_int_equal(seen.last.segment, 1);
}

/* A segment with nothing in it but holes goes away, unless it is the last. */
static void test_erase_segment(void **state UNUSED)
{
	struct buf buf CLEANUP(buf_done) = BUF_MAX(4096);
	struct letterbox_dead dead[2];
	for (unsigned i = 0; i < 2; i++)
		dead[i] = dead_at(test_deliver(&t, test_message(i, &buf)));
	assert_int_equal(
	    truncate("letterbox/000001.seg", (off_t)file_len("letterbox/000001.seg") + 5), 0);
	test_deliver_number(&t, 7);
	assert_int_equal(
	    truncate("letterbox/000001.seg", (off_t)file_len("letterbox/000001.seg") - 5), 0);
	struct letterbox *l CLEANUP(letterbox_close) = NULL;
	test_check(letterbox_open(AT_FDCWD, TEST_ACCOUNT, &l));
	assert_int_equal(letterbox_erase(l, dead, 2, 1000), 0);
	assert_int_equal(access("letterbox/000001.seg", F_OK), -1);
	struct seen seen = read_all(beginning);
	assert_int_equal(seen.n, 1);
	assert_int_equal(seen.last.segment, 2);
	assert_int_equal(t.n_damage, 0);
}

/* What a crash leaves of a segment that was just made: no header yet, or half of one. */
static void test_segment_without_header(void **state UNUSED)
{
	for (int len = 0; len <= SEGMENT_HEADER_LEN - 1; len += SEGMENT_HEADER_LEN - 1) {
		struct seen before = read_all(beginning);
		char name[64];
		snprintf(name, sizeof(name), "letterbox/%06u.seg", before.end.segment + 1);
		int fd CLEANUP(fd_close) = open(name, O_WRONLY | O_CREAT | O_EXCL, 0600);
		assert_int_equal(ftruncate(fd, len), 0);
		test_deliver_number(&t, 1);
		test_deliver_number(&t, 2);
		struct seen after = read_all(before.end);
		assert_int_equal(after.n, 2);
		assert_int_equal(after.first.offset, SEGMENT_HEADER_LEN);
		assert_int_equal(read_all(beginning).n, before.n + 2);
	}
	assert_int_equal(t.n_damage, 0);
}

/* Makes the last segment end in something that is no record, so that the next one is begun. */
static void tear(uint32_t segment)
{
	char name[64];
	snprintf(name, sizeof(name), "letterbox/%06u.seg", segment);
	assert_int_equal(truncate(name, (off_t)file_len(name) + 5), 0);
}

/*
 * A worker that was idle while the others filled two segments and one of these was removed: it
 * appends to the last one, behind which readers are not yet.
 */
static void test_removed_between(void **state UNUSED)
{
	struct buf buf CLEANUP(buf_done) = BUF_MAX(4096);
	struct buf record CLEANUP(buf_done) = BUF_MAX(1 << 20);
	struct letterbox *idle CLEANUP(letterbox_close) = NULL, *l CLEANUP(letterbox_close) = NULL;
	struct letterbox_place place;
	test_deliver_number(&t, 1);
	test_check(letterbox_open(AT_FDCWD, TEST_ACCOUNT, &idle));
	assert_int_equal(letterbox_lock(idle, 1000), 0);
	assert_int_equal(letterbox_end(idle).segment, 1);
	letterbox_unlock(idle);
	uint64_t end = file_len("letterbox/000001.seg");
	tear(1);
	struct letterbox_dead dead = dead_at(test_deliver(&t, test_message(2, &buf)));
	assert_int_equal(dead.place.segment, 2);
	tear(2);
	test_deliver_number(&t, 3);
	assert_int_equal(truncate("letterbox/000001.seg", (off_t)end), 0);
	assert_int_equal(
	    truncate("letterbox/000002.seg", (off_t)file_len("letterbox/000002.seg") - 5), 0);
	test_check(letterbox_open(AT_FDCWD, TEST_ACCOUNT, &l));
	assert_int_equal(letterbox_erase(l, &dead, 1, 1000), 0);
	assert_int_equal(access("letterbox/000002.seg", F_OK), -1);
	struct seen before = read_all(beginning);
	assert_int_equal(before.n, 2);
	test_seal(&t, test_message(4, &buf), &record);
	assert_int_equal(letterbox_lock(idle, 1000), 0);
	assert_int_equal(letterbox_append(idle, buf_str(&record), &place), 0);
	assert_int_equal(letterbox_sync(idle), 0);
	letterbox_unlock(idle);
	assert_int_equal(place.segment, 3);
	assert_int_equal(read_all(before.end).n, 1);
}

/*
 * A sync that fails where one segment ends and the next begins is not forgotten: what was appended
 * before it is not durable, although the kernel reports the error only once.
 */
/* A file with the highest number there is: mail goes on behind the last real segment. */
static void test_planted_segment(void **state UNUSED)
{
	for (unsigned round = 0; round < 2; round++) {
		int fd CLEANUP(fd_close) =
		    open("letterbox/999999.seg", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
		assert_true(fd >= 0);
		assert_int_equal(test_deliver(&t, STR("a")).segment, 1);
	}
	struct letterbox *l CLEANUP(letterbox_close) = NULL;
	struct letterbox_place end;
	assert_int_equal(letterbox_open(AT_FDCWD, TEST_ACCOUNT, &l), 0);
	assert_int_equal(letterbox_committed(l, &end), 0);
	assert_int_equal(end.segment, 1);
}

/* Headers that are right, of long records that are not: each costs the reader its length once. */
static void test_planted_headers(void **state UNUSED)
{
	enum {
		TOTAL_LEN_AT = 8,
		BODY_LEN_AT = 16,
		SUM_AT = RECORD_HEADER_LEN - CIPHER_CHECKSUM_LEN
	};
	enum { N_PLANTED = 20000, PLANTED_LEN = 12 << 20, WAIT_MS = 20000 };
	uint8_t header[RECORD_HEADER_LEN];
	struct letterbox_place first = test_deliver(&t, STR("a"));
	int fd CLEANUP(fd_close) = open("letterbox/000001.seg", O_RDWR | O_CLOEXEC);
	assert_int_equal(fd_pread_all(fd, header, sizeof(header), (off_t)first.offset), 0);
	uint32_t added = PLANTED_LEN - num_get32(header + TOTAL_LEN_AT);
	num_put32(header + TOTAL_LEN_AT, PLANTED_LEN);
	num_put32(header + BODY_LEN_AT, num_get32(header + BODY_LEN_AT) + added);
	struct str part = str_of(header, SUM_AT);
	cipher_checksum(&part, 1, header + SUM_AT);
	struct record_frame frame;
	assert_int_equal(record_check_header(str_of(header, sizeof(header)), &frame), 0);
	struct stat st;
	assert_int_equal(fstat(fd, &st), 0);
	uint64_t at = (uint64_t)st.st_size;
	assert_int_equal(fd_pwrite_all(fd, STR("no record"), (off_t)at), 0);
	for (unsigned i = 0; i < N_PLANTED; i++) {
		struct str bytes = str_of(header, sizeof(header));
		assert_int_equal(fd_pwrite_all(fd, bytes, (off_t)(at + 9 + i * sizeof(header))), 0);
	}
	assert_int_equal(ftruncate(fd, (off_t)at + 2 * PLANTED_LEN), 0);
	uint64_t start = clock_ms();
	assert_int_equal(test_deliver(&t, STR("b")).segment, 2);
	struct letterbox *l CLEANUP(letterbox_close) = NULL;
	struct letterbox_reader *r CLEANUP(letterbox_reader_free) = NULL;
	struct letterbox_record record;
	assert_int_equal(letterbox_open(AT_FDCWD, TEST_ACCOUNT, &l), 0);
	assert_int_equal(letterbox_reader_new(l, (struct letterbox_place){1, 0},
	                     (struct letterbox_damage_report){0}, &r),
	    0);
	assert_int_equal(letterbox_reader_next(r, &record), 1);
	assert_int_equal(record.place.offset, first.offset);
	assert_int_equal(letterbox_reader_next(r, &record), 1);
	assert_int_equal(record.place.segment, 2);
	assert_int_equal(letterbox_reader_next(r, &record), 0);
	assert_true(clock_ms() - start < WAIT_MS);
}

static void test_sync_fails_at_rotation(void **state UNUSED)
{
	struct letterbox *l CLEANUP(letterbox_close) = NULL;
	struct buf record CLEANUP(buf_done) = BUF_MAX(1 << 20);
	struct letterbox_place place, start;
	test_seal(&t, STR("Subject: x\r\n\r\ny\r\n"), &record);
	test_check(letterbox_open(AT_FDCWD, TEST_ACCOUNT, &l));
	assert_int_equal(letterbox_lock(l, 1000), 0);
	start = letterbox_end(l);
	do {
		assert_int_equal(letterbox_append(l, buf_str(&record), &place), 0);
	} while (place.offset + 2 * record.len <= SEGMENT_LEN_MAX);
	struct letterbox_place second = letterbox_end(l);
	io_fault_at(1, EIO);
	assert_int_equal(letterbox_append(l, buf_str(&record), &place), -EIO);
	io_fault_at(0, 0);
	assert_int_equal(letterbox_undo(l, second), 0);
	assert_int_equal(letterbox_sync(l), -EIO);
	assert_int_equal(letterbox_undo(l, start), 0);
	assert_int_equal(letterbox_sync(l), 0);
	letterbox_unlock(l);
	assert_int_equal(letterbox_lock(l, 1000), 0);
	assert_int_equal(letterbox_end(l).segment, 2);
}

/* Appends until it is killed; writes to the pipe after each record that is durable. */
static void append_for_ever(int acknowledge, unsigned seed)
{
	struct buf buf CLEANUP(buf_done) = BUF_MAX(4096);
	for (unsigned i = 0;; i++) {
		test_deliver(&t, test_message(seed * 100000 + i, &buf));
		if (write(acknowledge, "x", 1) != 1)
			_exit(1);
	}
}

/* Three writers, killed at random moments: what was acknowledged is there. */
static void test_killed_writers(void **state UNUSED)
{
	enum { N_WRITERS = 3, N_ROUNDS = 12 };
	size_t acknowledged = 0;
	for (unsigned round = 0; round < N_ROUNDS; round++) {
		int ends[2];
		pid_t pids[N_WRITERS];
		assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
		for (unsigned i = 0; i < N_WRITERS; i++) {
			pids[i] = fork();
			if (pids[i] == 0)
				append_for_ever(ends[1], round * N_WRITERS + i);
		}
		usleep(5000 + (round * 7919) % 30000);
		for (unsigned i = 0; i < N_WRITERS; i++) {
			kill(pids[i], SIGKILL);
			waitpid(pids[i], NULL, 0);
		}
		close(ends[1]);
		char c[4096];
		ssize_t got;
		while ((got = read(ends[0], c, sizeof(c))) > 0)
			acknowledged += (size_t)got;
		close(ends[0]);
		struct seen seen = read_all(beginning);
		/* One more per kill may be there: durable, but not acknowledged yet. */
		assert_in_range(seen.n, acknowledged, acknowledged + N_WRITERS * (round + 1));
	}
	assert_int_equal(t.n_damage, 0);
	assert_true(acknowledged > 0);
}

static void test_lock_times_out(void **state UNUSED)
{
	struct letterbox *a CLEANUP(letterbox_close) = NULL, *b CLEANUP(letterbox_close) = NULL;
	test_check(letterbox_open(AT_FDCWD, TEST_ACCOUNT, &a));
	test_check(letterbox_open(AT_FDCWD, TEST_ACCOUNT, &b));
	assert_int_equal(letterbox_lock(a, 0), 0);
	assert_int_equal(letterbox_lock(b, 10), -ETIMEDOUT);
	letterbox_unlock(a);
	assert_int_equal(letterbox_lock(b, 10), 0);
}

static void test_segment_format(void **state UNUSED)
{
	uint8_t header[SEGMENT_HEADER_LEN], trailer[SEGMENT_HOLE_TRAILER_LEN];
	uint32_t len = 0, number = 0;
	segment_encode_header(7, 3, header);
	assert_int_equal(segment_check_header(str_of(header, sizeof(header)), 7, 3), 0);
	assert_int_equal(segment_check_header(str_of(header, sizeof(header)), 8, 3), -EBADMSG);
	assert_int_equal(segment_check_header(str_of(header, sizeof(header)), 7, 4), -EBADMSG);
	assert_int_equal(segment_check_header(str_of(header, 31), 7, 3), -ENODATA);
	segment_encode_hole(1000, header, trailer);
	assert_int_equal(segment_check_hole(str_of(header, sizeof(header)), &len), 0);
	assert_int_equal(len, 1000);
	assert_int_equal(segment_check_hole_trailer(trailer, &len), 0);
	trailer[4] ^= 1;
	assert_int_equal(segment_check_hole_trailer(trailer, &len), -EBADMSG);
	assert_true(segment_number(STR("000012.seg"), &number));
	assert_int_equal(number, 12);
	assert_false(segment_number(STR("000000.seg"), &number));
	assert_false(segment_number(STR("00012.seg"), &number));
	assert_false(segment_number(STR("0000x2.seg"), &number));
}

static void test_metadata(void **state UNUSED)
{
	struct buf buf CLEANUP(buf_done) = BUF_MAX(4096);
	struct metadata m = {.kind = METADATA_APPENDED,
	    .mailbox_id = 77,
	    .mailbox = STR("Entw\xc3\xbcrfe"),
	    .system_flags = STORE_SEEN,
	    .keywords = STR("$Forwarded "),
	    .internal_at = -5,
	    .internal_zone = -90,
	    .group = UINT64_MAX,
	    .group_index = 2,
	    .group_n = 3};
	struct metadata back;
	assert_true(metadata_encode(&m, &buf));
	assert_int_equal(metadata_decode(buf_str(&buf), &back), 0);
	assert_int_equal(back.mailbox_id, 77);
	assert_true(str_eq(back.mailbox, m.mailbox) && str_eq(back.keywords, m.keywords));
	assert_true(back.internal_at == -5 && back.internal_zone == -90);
	assert_true(back.group == UINT64_MAX && back.group_index == 2 && back.group_n == 3);
	for (size_t i = 1; i < buf.len; i++) {
		/* Cut anywhere, it is an error or lacks what was cut off. */
		int error = metadata_decode(str_first(buf_str(&buf), i), &back);
		assert_true(error == -EBADMSG || error == 0);
	}
	buf.p[0] = 2;
	assert_int_equal(metadata_decode(buf_str(&buf), &back), -EPROTONOSUPPORT);
	assert_int_equal(metadata_decode(STR("\1\377\1\0\1\377\1\0\1"), &back), -EBADMSG);
	assert_int_equal(metadata_decode(STR("\1\377\1\0\1\372\1\0z"), &back), 0);
	assert_int_equal(metadata_decode(STR("\1\377\1\0\3"), &back), -EBADMSG);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_empty),
	    TEST(test_append_and_read),
	    TEST(test_undo),
	    TEST(test_rotation_and_undo),
	    TEST(test_torn_tail),
	    TEST(test_damage),
	    TEST(test_erase),
	    TEST(test_erase_segment),
	    TEST(test_segment_without_header),
	    TEST(test_removed_between),
	    TEST(test_planted_segment),
	    TEST(test_planted_headers),
	    TEST(test_sync_fails_at_rotation),
	    TEST(test_killed_writers),
	    TEST(test_lock_times_out),
	    cmocka_unit_test(test_segment_format),
	    cmocka_unit_test(test_metadata),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
