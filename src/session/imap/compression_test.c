#include "session/imap/compression.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/fd.h"

enum { LARGE = 3 << 20 };

static struct buf wire = {.max = 64 << 20};

static int to_wire(int fd, struct str piece)
{
	(void)fd;
	return buf_add(&wire, piece) ? 0 : -ENOSPC;
}

/* Unpacks what is on the wire, put into the pipe little by little, and compares. */
static void expect_unpacked(struct imap_compression *c, struct str expected, size_t len)
{
	struct buf got CLEANUP(buf_done) = BUF_MAX(64 << 20);
	struct str rest = buf_str(&wire);
	char *to = malloc(len);
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	assert_non_null(to);
	for (;;) {
		size_t n = 0;
		int r = imap_compression_read(c, pair[1], to, len, &n);
		if (r == 0) {
			assert_true(n > 0 && n <= len);
			buf_add(&got, str_of(to, n));
			continue;
		}
		assert_int_equal(r, -EAGAIN);
		if (rest.len == 0)
			break;
		struct str part = str_first(rest, 1000);
		assert_int_equal(fd_write_all(pair[0], part), 0);
		rest = str_from(rest, part.len);
	}
	close(pair[0]);
	assert_int_equal(imap_compression_read(c, pair[1], to, len, &(size_t){0}), -ENODATA);
	close(pair[1]);
	free(to);
	assert_int_equal(got.len, expected.len);
	assert_memory_equal(got.p, expected.p, expected.len);
	buf_clear(&wire);
}

static void make_text(struct buf *text, size_t len)
{
	for (unsigned i = 0; text->len < len; i++)
		buf_printf(text, "* %u FETCH (UID %u FLAGS (\\Seen))\r\n", i, i * 7919 % 100003);
}

static void test_both_ways(void **state)
{
	struct buf text CLEANUP(buf_done) = BUF_MAX(2 * (size_t)LARGE);
	struct imap_compression *c = imap_compression_new(STR(""));

	(void)state;
	assert_int_equal(imap_compression_write(c, -1, STR("a1 OK\r\n"), to_wire), 0);
	expect_unpacked(c, STR("a1 OK\r\n"), 100);
	make_text(&text, LARGE);
	assert_int_equal(imap_compression_write(c, -1, buf_str(&text), to_wire), 0);
	assert_true(wire.len < text.len / 3);
	expect_unpacked(c, buf_str(&text), 8192);
	imap_compression_free(c);
	imap_compression_free(NULL);
}

/* What was given back is made anew, and the receiver sees one stream. */
static void test_release(void **state)
{
	struct imap_compression *c = imap_compression_new(STR(""));

	(void)state;
	imap_compression_release(c);
	assert_int_equal(imap_compression_write(c, -1, STR("hello hello "), to_wire), 0);
	imap_compression_release(c);
	imap_compression_release(c);
	assert_int_equal(imap_compression_write(c, -1, STR("hello hello"), to_wire), 0);
	expect_unpacked(c, STR("hello hello hello hello"), 5);
	imap_compression_free(c);
}

/* A megabyte out of a kilobyte comes in pieces of the reader's size. */
static void test_bomb(void **state)
{
	static char zeros[LARGE];
	struct imap_compression *c = imap_compression_new(STR(""));

	(void)state;
	assert_int_equal(imap_compression_write(c, -1, str_of(zeros, sizeof(zeros)), to_wire), 0);
	assert_true(wire.len < sizeof(zeros) / 100);
	expect_unpacked(c, str_of(zeros, sizeof(zeros)), 512);
	imap_compression_free(c);
}

/* What the client had sent behind COMPRESS before it was answered. */
static void test_pending(void **state)
{
	struct imap_compression *c = imap_compression_new(STR(""));

	(void)state;
	assert_int_equal(imap_compression_write(c, -1, STR("a2 NOOP\r\n"), to_wire), 0);
	struct imap_compression *later = imap_compression_new(buf_str(&wire));
	buf_clear(&wire);
	expect_unpacked(later, STR("a2 NOOP\r\n"), 3);
	imap_compression_free(later);
	imap_compression_free(c);
}

static void test_nonsense(void **state)
{
	struct imap_compression *c = imap_compression_new(STR("\x07nonsense"));
	char to[16];
	size_t n;

	(void)state;
	assert_int_equal(imap_compression_read(c, -1, to, sizeof(to), &n), -EPROTO);
	imap_compression_free(c);
	/* A last block, and something behind it. */
	c = imap_compression_new(STR("\x03\x00more"));
	assert_int_equal(imap_compression_read(c, -1, to, sizeof(to), &n), -EPROTO);
	imap_compression_free(c);
}

static int refuse(int fd, struct str piece)
{
	(void)fd;
	(void)piece;
	return -EPIPE;
}

static void test_write_fails(void **state)
{
	struct imap_compression *c = imap_compression_new(STR(""));

	(void)state;
	assert_int_equal(imap_compression_write(c, -1, STR("x"), refuse), -EPIPE);
	assert_int_equal(imap_compression_write(c, -1, STR(""), refuse), 0);
	imap_compression_free(c);
}

/* Blocks that stand for nothing, as many as there are, do not keep the session. */
static void test_empty_blocks(void **state)
{
	struct imap_compression *c = imap_compression_new(STR(""));
	struct buf blocks CLEANUP(buf_done) = BUF_MAX(1 << 20);
	char to[100];
	size_t n = 0;
	int pair[2], left = 0;

	(void)state;
	while (blocks.len < 5 * COMPRESSION_INPUT_LEN)
		buf_add(&blocks, str_of("\0\0\0\377\377", 5));
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	assert_int_equal(fd_write_all(pair[0], buf_str(&blocks)), 0);
	assert_int_equal(imap_compression_read(c, pair[1], to, sizeof(to), &n), -EAGAIN);
	assert_int_equal(ioctl(pair[1], FIONREAD, &left), 0);
	assert_int_equal((size_t)left, blocks.len - COMPRESSION_INPUT_LEN);
	for (unsigned i = 1; i < 5; i++)
		assert_int_equal(imap_compression_read(c, pair[1], to, sizeof(to), &n), -EAGAIN);
	assert_int_equal(imap_compression_write(c, -1, STR("a NOOP\r\n"), to_wire), 0);
	assert_int_equal(fd_write_all(pair[0], buf_str(&wire)), 0);
	buf_clear(&wire);
	assert_int_equal(imap_compression_read(c, pair[1], to, sizeof(to), &n), 0);
	assert_true(str_eq(str_of(to, n), STR("a NOOP\r\n")));
	close(pair[0]);
	close(pair[1]);
	imap_compression_free(c);
}

/* Unpacks the command, then finds where its compression ends; what comes comes by bytes. */
static void expect_end(struct str packed, const char *text, const char *rest_expected)
{
	struct imap_compression *c = imap_compression_new(STR(""));
	struct buf got CLEANUP(buf_done) = BUF_MAX(1000);
	struct buf rest CLEANUP(buf_done) = BUF_MAX(1000);
	struct str command = str_of_cstr(text), behind = {NULL, 0};
	int pair[2], r = -EAGAIN;
	size_t at = 0;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	while (r == -EAGAIN) {
		char to[100];
		size_t n = 0;
		if (at < packed.len)
			assert_int_equal(fd_write_all(pair[0], str_of(packed.p + at++, 1)), 0);
		if (got.len < command.len) {
			if (imap_compression_read(c, pair[1], to, sizeof(to), &n) == 0)
				buf_add(&got, str_of(to, n));
		} else {
			r = imap_compression_end(c, pair[1], &behind);
		}
	}
	assert_true(str_eq(buf_str(&got), command));
	assert_int_equal(r, 0);
	buf_add(&rest, behind);
	buf_add(&rest, str_from(packed, at));
	assert_true(str_eq(buf_str(&rest), str_of_cstr(rest_expected)));
	close(pair[0]);
	close(pair[1]);
	imap_compression_free(c);
}

/* The same with all of it there at once. */
static void expect_end_at_once(struct str packed, const char *text, const char *rest_expected)
{
	struct imap_compression *c = imap_compression_new(packed);
	char to[100];
	size_t n = 0;
	struct str rest = {NULL, 0};

	assert_int_equal(imap_compression_read(c, -1, to, strlen(text), &n), 0);
	assert_true(str_eq(str_of(to, n), str_of_cstr(text)));
	int r = imap_compression_end(c, -1, &rest);
	assert_int_equal(r, rest_expected == NULL ? -EPROTO : 0);
	if (rest_expected != NULL)
		assert_true(str_eq(rest, str_of_cstr(rest_expected)));
	imap_compression_free(c);
}

static void pack_with(const char *text, int flush, struct buf *packed)
{
	z_stream z = {0};
	unsigned char out[200];

	assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY), Z_OK);
	z.next_in = (unsigned char *)(uintptr_t)text;
	z.avail_in = (unsigned)strlen(text);
	z.next_out = out;
	z.avail_out = sizeof(out);
	(void)deflate(&z, flush);
	assert_int_equal(z.avail_in, 0);
	buf_add(packed, str_of(out, sizeof(out) - z.avail_out));
	(void)deflateEnd(&z);
}

/* RFC 8437 §4.1: behind the command nothing is compressed any more. */
static void test_end(void **state)
{
	static const char text[] = "a UNAUTHENTICATE\r\n";
	struct buf packed CLEANUP(buf_done) = BUF_MAX(1000);

	(void)state;
	pack_with(text, Z_SYNC_FLUSH, &packed);
	expect_end(buf_str(&packed), text, "");
	expect_end_at_once(buf_str(&packed), text, "");
	buf_add(&packed, STR("b LOGIN joe pw\r\n"));
	expect_end(buf_str(&packed), text, "b LOGIN joe pw\r\n");
	expect_end_at_once(buf_str(&packed), text, "b LOGIN joe pw\r\n");
	buf_clear(&packed);
	pack_with(text, Z_FINISH, &packed);
	buf_add(&packed, STR("b NOOP\r\n"));
	expect_end(buf_str(&packed), text, "b NOOP\r\n");
	expect_end_at_once(buf_str(&packed), text, "b NOOP\r\n");
	/* More text is no end of it. */
	buf_clear(&packed);
	pack_with("a UNAUTHENTICATE\r\nb NOOP\r\n", Z_SYNC_FLUSH, &packed);
	expect_end_at_once(buf_str(&packed), text, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_both_ways),
	    cmocka_unit_test(test_release),
	    cmocka_unit_test(test_bomb),
	    cmocka_unit_test(test_pending),
	    cmocka_unit_test(test_nonsense),
	    cmocka_unit_test(test_write_fails),
	    cmocka_unit_test(test_empty_blocks),
	    cmocka_unit_test(test_end),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	buf_done(&wire);
	return failed;
}
