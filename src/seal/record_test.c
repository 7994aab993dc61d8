/* Bodies, records and blobs: what goes in comes out, what is damaged or moved does not open. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "seal/blob.h"
#include "seal/body.h"
#include "seal/page.h"
#include "seal/record.h"

enum { ACCOUNT = 42, TIME_MS = 1764000000, BIG = 5 << 20, MAX = 64 << 20 };

static const bool seals = !(CIPHER_FORMAT_FLAGS & CIPHER_FLAG_NOT_SEALED);

/* A text that compresses a little. */
static struct str make_text(size_t len, unsigned seed)
{
	static const char letters[] = "etaoin shrdlucmfwypvbgkqjxz\r\n,.";
	char *p = malloc(len + 1);

	assert_non_null(p);
	for (size_t i = 0; i < len; i++) {
		seed = seed * 1103515245 + 12345;
		p[i] = letters[seed >> 16 & 31];
	}
	return str_of(p, len);
}

static void drop(struct str s)
{
	free((void *)(uintptr_t)s.p);
}

static uint8_t *bytes_of(struct str s)
{
	return (uint8_t *)(uintptr_t)s.p;
}

static void expect_text(const struct buf *got, struct str text)
{
	assert_int_equal(got->len, text.len);
	if (text.len > 0)
		assert_memory_equal(got->p, text.p, text.len);
}

/* One record of `text` to `keys`. */
static void seal(
    const struct keys *keys, struct str metadata, struct str text, struct buf *ret_record)
{
	struct buf sealed CLEANUP(buf_done) = BUF_MAX(MAX);
	struct record_sender sender;
	struct body body;

	record_sender_init(&sender);
	assert_int_equal(body_seal(&text, 1, &sealed, &body), 0);
	assert_int_equal(record_seal(&sender, &keys->public, TIME_MS, metadata, &body,
	                     buf_str(&sealed), ret_record),
	    0);
	record_sender_done(&sender);
}

static void test_body_lengths(UNUSED void **state)
{
	static const size_t lengths[] = {0, 1, 4096, 65535, 65536, 65537, 200000, BIG};

	for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
		struct str text = make_text(lengths[i], (unsigned)i);
		struct str parts[] = {
		    str_first(text, lengths[i] / 3), {NULL, 0}, str_from(text, lengths[i] / 3)};
		struct buf sealed CLEANUP(buf_done) = BUF_MAX(MAX);
		struct buf opened CLEANUP(buf_done) = BUF_MAX(lengths[i]);
		struct body body, again;
		uint8_t encoded[BODY_ENCODED_LEN];
		assert_int_equal(body_seal(parts, ARRAY_LEN(parts), &sealed, &body), 0);
		assert_int_equal(body.sealed_len, sealed.len);
		assert_int_equal(body.plain_len, lengths[i]);
		body_encode(&body, encoded);
		assert_int_equal(body_decode(str_of(encoded, sizeof(encoded)), &again), 0);
		assert_int_equal(body_open(&again, buf_str(&sealed), &opened), 0);
		expect_text(&opened, text);
		drop(text);
	}
}

/* Incompressible bytes fill chunks exactly, whatever zstd adds. */
static void test_body_chunk_edges(UNUSED void **state)
{
	static uint8_t noise[2 * BODY_CHUNK_LEN + 64];

	cipher_random(noise, sizeof(noise));
	for (size_t len = BODY_CHUNK_LEN - 40; len < BODY_CHUNK_LEN + 10; len++) {
		struct str text = str_of(noise, len);
		struct buf sealed CLEANUP(buf_done) = BUF_MAX(MAX);
		struct buf opened CLEANUP(buf_done) = BUF_MAX(MAX);
		struct body body;
		assert_int_equal(body_seal(&text, 1, &sealed, &body), 0);
		assert_int_equal(body_open(&body, buf_str(&sealed), &opened), 0);
		expect_text(&opened, text);
	}
}

/* Chunks cut off, exchanged, or of another message do not open. */
static void test_body_stream(UNUSED void **state)
{
	enum { CHUNK = BODY_CHUNK_LEN + CIPHER_TAG_LEN };
	static uint8_t noise[4 * BODY_CHUNK_LEN];
	struct str text = str_of(noise, sizeof(noise));
	struct buf sealed CLEANUP(buf_done) = BUF_MAX(MAX), other CLEANUP(buf_done) = BUF_MAX(MAX);
	struct buf opened CLEANUP(buf_done) = BUF_MAX(MAX);
	struct body body, other_body;
	static char saved[CHUNK];

	if (!seals)
		skip();
	cipher_random(noise, sizeof(noise));
	assert_int_equal(body_seal(&text, 1, &sealed, &body), 0);
	assert_int_equal(body_seal(&text, 1, &other, &other_body), 0);
	assert_true(sealed.len > 4 * CHUNK);
	assert_int_equal(
	    body_open(&body, str_first(buf_str(&sealed), 2 * CHUNK), &opened), -EBADMSG);
	/* The length is told wrong too. */
	struct body shorter = body;
	shorter.sealed_len = 2 * CHUNK;
	assert_int_equal(
	    body_open(&shorter, str_first(buf_str(&sealed), 2 * CHUNK), &opened), -EBADMSG);
	memcpy(saved, sealed.p, CHUNK);
	memcpy(sealed.p, sealed.p + CHUNK, CHUNK);
	assert_int_equal(body_open(&body, buf_str(&sealed), &opened), -EBADMSG);
	memcpy(sealed.p, other.p, CHUNK);
	assert_int_equal(body_open(&body, buf_str(&sealed), &opened), -EBADMSG);
	memcpy(sealed.p, saved, CHUNK);
	assert_int_equal(body_open(&body, buf_str(&sealed), &opened), 0);
	assert_int_equal(body_open(&other_body, buf_str(&sealed), &opened), -EBADMSG);
	assert_int_equal(opened.len, sizeof(noise));
	struct buf small CLEANUP(buf_done) = BUF_MAX(sizeof(noise) - 1);
	assert_int_equal(body_open(&body, buf_str(&sealed), &small), -EFBIG);
}

static int read_memory(void *context, uint64_t at, void *p, size_t len)
{
	const struct buf *sealed = context;

	assert_true(at + len <= sealed->len);
	memcpy(p, sealed->p + at, len);
	return 0;
}

static void test_body_reader(UNUSED void **state)
{
	struct str text = make_text(BIG, 7);
	struct buf sealed CLEANUP(buf_done) = BUF_MAX(MAX), got CLEANUP(buf_done) = BUF_MAX(MAX);
	struct body_source source = {.read = read_memory, .context = &sealed};
	struct body_reader *reader CLEANUP(body_reader_free) = NULL;
	struct body body;
	size_t n = 1;
	char piece[10007];

	assert_int_equal(body_seal(&text, 1, &sealed, &body), 0);
	assert_int_equal(body_reader_new(&body, source, &reader), 0);
	while (n > 0) {
		assert_int_equal(body_reader_read(reader, piece, sizeof(piece), &n), 0);
		buf_add(&got, str_of(piece, n));
	}
	expect_text(&got, text);
	body_reader_free(&reader);
	if (seals) {
		/* Damage in the last chunk: what was given before is right, the end an error. */
		sealed.p[sealed.len - 1] ^= 1;
		assert_int_equal(body_reader_new(&body, source, &reader), 0);
		int r;
		size_t at = 0;
		while ((r = body_reader_read(reader, piece, sizeof(piece), &n)) == 0) {
			assert_true(n > 0 && at + n <= text.len);
			assert_memory_equal(piece, text.p + at, n);
			at += n;
		}
		assert_int_equal(r, -EBADMSG);
		assert_int_equal(body_reader_read(reader, piece, 1, &n), -EBADMSG);
	}
	drop(text);
}

static void test_record(UNUSED void **state)
{
	struct keys keys CLEANUP(keys_done) = {0}, other CLEANUP(keys_done) = {0};
	struct buf record CLEANUP(buf_done) = BUF_MAX(MAX),
	                  metadata CLEANUP(buf_done) = BUF_MAX(MAX);
	struct buf opened CLEANUP(buf_done) = BUF_MAX(MAX);
	struct record_frame frame;
	struct body body;
	struct str text = make_text(4096, 1);
	uint32_t len;

	keys_new(ACCOUNT, 0, &keys);
	keys_new(ACCOUNT, 0, &other);
	seal(&keys, STR("from=a to=b"), text, &record);
	assert_int_equal(str_find(buf_str(&record), STR("from=a")) == record.len, seals);
	assert_int_equal(record_open(&keys, buf_str(&record), &frame, &metadata, &body), 0);
	assert_int_equal(frame.time_ms, TIME_MS);
	assert_int_equal(frame.total_len, record.len);
	assert_false(frame.in_blob);
	expect_text(&metadata, STR("from=a to=b"));
	assert_true(record_len(metadata.len, &body, &len));
	assert_int_equal(len, record.len);
	assert_int_equal(record_open_body(buf_str(&record), &body, &opened), 0);
	expect_text(&opened, text);
	if (seals) {
		assert_int_equal(
		    record_open(&other, buf_str(&record), &frame, &metadata, &body), -EACCES);
		/* The same keys, but the record was moved to another account. */
		keys.public.account_id++;
		assert_int_equal(
		    record_open(&keys, buf_str(&record), &frame, &metadata, &body), -EACCES);
	}
	drop(text);
}

/* A record of a sender that may have sealed others before. */
static void seal_with(struct record_sender *sender, const struct keys *to, struct buf *ret_record)
{
	struct str text = STR("text");
	struct buf sealed CLEANUP(buf_done) = BUF_MAX(MAX);
	struct body body;

	assert_int_equal(body_seal(&text, 1, &sealed, &body), 0);
	assert_int_equal(record_seal(sender, &to->public, TIME_MS, STR("m"), &body,
	                     buf_str(&sealed), ret_record),
	    0);
}

static int open_with(
    const struct keys *keys, struct record_header_key *last, const struct buf *record)
{
	struct buf metadata CLEANUP(buf_done) = BUF_MAX(MAX);
	struct record_frame frame;
	struct body body;

	assert_int_equal(record_check_frame(buf_str(record), &frame), 0);
	int r = record_open_checked(keys, last, buf_str(record), &frame, &metadata, &body);
	if (r == 0)
		expect_text(&metadata, STR("m"));
	return r;
}

/* The key of the last header serves only for the same pair of keys and the same account. */
static void test_header_key_kept(UNUSED void **state)
{
	enum { N = 6 };
	struct buf records[N];
	struct keys keys[2], renumbered;
	struct record_sender senders[2];
	struct record_header_key last = {0};

	for (unsigned i = 0; i < 2; i++) {
		keys_new(i + 1, 0, &keys[i]);
		record_sender_init(&senders[i]);
	}
	for (unsigned i = 0; i < N; i++) { /* by sender 0 twice to each, by sender 1 */
		records[i] = BUF_MAX(MAX);
		seal_with(&senders[i / 4], &keys[i / 2 % 2], &records[i]);
	}
	static const uint8_t order[] = {0, 1, 4, 0, 5, 1, 1};
	for (size_t i = 0; i < sizeof(order); i++)
		assert_int_equal(open_with(&keys[0], &last, &records[order[i]]), 0);
	if (seals) {
		assert_int_equal(open_with(&keys[1], &last, &records[1]), -EACCES);
		assert_int_equal(open_with(&keys[0], &last, &records[2]), -EACCES);
		renumbered = keys[0];
		renumbered.public.account_id = 9;
		assert_int_equal(open_with(&keys[0], &last, &records[0]), 0);
		assert_int_equal(open_with(&renumbered, &last, &records[0]), -EACCES);
	}
	assert_int_equal(open_with(&keys[1], &last, &records[2]), 0);
	assert_int_equal(open_with(&keys[1], &last, &records[3]), 0);
	record_header_key_forget(&last);
	assert_int_equal(open_with(&keys[1], &last, &records[3]), 0);
	for (unsigned i = 0; i < N; i++)
		buf_done(&records[i]);
	for (unsigned i = 0; i < 2; i++) {
		record_sender_done(&senders[i]);
		keys_done(&keys[i]);
	}
}

/* One message for many: the same sealed body, a header each. */
static void test_record_recipients(UNUSED void **state)
{
	enum { N = 3 };
	struct keys keys[N];
	struct buf sealed CLEANUP(buf_done) = BUF_MAX(MAX),
	                  segment CLEANUP(buf_done) = BUF_MAX(MAX);
	struct str text = make_text(9000, 2);
	struct record_sender sender;
	struct body body;

	record_sender_init(&sender);
	assert_int_equal(body_seal(&text, 1, &sealed, &body), 0);
	for (int i = 0; i < N; i++) {
		keys_new((uint64_t)i, 0, &keys[i]);
		assert_int_equal(record_seal(&sender, &keys[i].public, TIME_MS, STR("m"), &body,
		                     buf_str(&sealed), &segment),
		    0);
	}
	record_sender_done(&sender);
	/* Walk the segment as a reader does. */
	struct str rest = buf_str(&segment);
	for (int i = 0; i < N; i++) {
		struct buf metadata CLEANUP(buf_done) = BUF_MAX(MAX);
		struct buf opened CLEANUP(buf_done) = BUF_MAX(MAX);
		struct record_frame frame;
		struct body got;
		assert_int_equal(record_open(&keys[i], rest, &frame, &metadata, &got), 0);
		if (seals)
			assert_int_equal(
			    record_open(&keys[(i + 1) % N], rest, &frame, &metadata, &got),
			    -EACCES);
		assert_int_equal(record_open_body(rest, &got, &opened), 0);
		expect_text(&opened, text);
		rest = str_from(rest, frame.total_len);
	}
	for (int i = 0; i < N; i++)
		keys_done(&keys[i]);
	assert_int_equal(rest.len, 0);
	drop(text);
}

/* Every flipped byte is found, with the key and without. */
static void test_record_flips(UNUSED void **state)
{
	struct keys keys CLEANUP(keys_done) = {0};
	struct buf record CLEANUP(buf_done) = BUF_MAX(MAX),
	                  metadata CLEANUP(buf_done) = BUF_MAX(MAX);
	struct buf opened CLEANUP(buf_done) = BUF_MAX(MAX);
	struct record_frame frame;
	struct body body, ignored;
	struct str text = make_text(2000, 3);

	keys_new(ACCOUNT, 0, &keys);
	seal(&keys, STR("metadata"), text, &record);
	assert_int_equal(record_open(&keys, buf_str(&record), &frame, &metadata, &body), 0);
	for (size_t i = 0; i < record.len; i++) {
		record.p[i] ^= 0x10;
		assert_true(record_check_frame(buf_str(&record), &frame) < 0);
		assert_true(record_open(&keys, buf_str(&record), &frame, &metadata, &ignored) < 0);
		assert_true(record_open_body(buf_str(&record), &body, &opened) < 0);
		record.p[i] ^= 0x10;
	}
	assert_int_equal(opened.len, 0);
	for (size_t len = 0; len < record.len; len++)
		assert_int_equal(
		    record_check_frame(str_first(buf_str(&record), len), &frame), -ENODATA);
	drop(text);
}

/* The tail of a segment, found from its end. */
static void test_record_trailer(UNUSED void **state)
{
	struct keys keys CLEANUP(keys_done) = {0};
	struct buf segment CLEANUP(buf_done) = BUF_MAX(MAX);
	struct record_frame frame;
	uint32_t len;

	keys_new(ACCOUNT, 0, &keys);
	seal(&keys, STR("one"), STR("first"), &segment);
	size_t first = segment.len;
	seal(&keys, STR("two"), STR("second"), &segment);
	uint8_t *trailer = (uint8_t *)segment.p + segment.len - RECORD_TRAILER_LEN;
	assert_int_equal(record_check_trailer(trailer, &len), 0);
	assert_int_equal(len, segment.len - first);
	assert_int_equal(
	    record_check_frame(str_from(buf_str(&segment), segment.len - len), &frame), 0);
	trailer[0] ^= 1;
	assert_int_equal(record_check_trailer(trailer, &len), -EBADMSG);
	/* Another build's, another version's. */
	uint8_t *header = (uint8_t *)segment.p;
	header[5] ^= CIPHER_FLAG_NOT_SEALED;
	struct str front = str_of(header, 40);
	cipher_checksum(&front, 1, header + 40);
	assert_int_equal(record_check_header(buf_str(&segment), &frame), -EPROTONOSUPPORT);
}

static void test_record_limits(UNUSED void **state)
{
	struct keys keys CLEANUP(keys_done) = {0};
	struct buf out CLEANUP(buf_done) = BUF_MAX(MAX), sealed CLEANUP(buf_done) = BUF_MAX(MAX);
	static char metadata[RECORD_METADATA_MAX + 1];
	struct keys_public bad = {.account_id = 1, .public_key = {1}};
	struct record_sender sender;
	struct body body;
	struct str text = STR("x");
	uint32_t len;

	keys_new(ACCOUNT, 0, &keys);
	record_sender_init(&sender);
	assert_int_equal(body_seal(&text, 1, &sealed, &body), 0);
	assert_int_equal(record_seal(&sender, &keys.public, 0, str_of(metadata, sizeof(metadata)),
	                     &body, buf_str(&sealed), &out),
	    -EFBIG);
	assert_int_equal(record_seal(&sender, &keys.public, 0,
	                     str_of(metadata, RECORD_METADATA_MAX), &body, buf_str(&sealed), &out),
	    0);
	if (seals)
		assert_int_equal(
		    record_seal(&sender, &bad, 0, STR(""), &body, buf_str(&sealed), &out), -EINVAL);
	body.sealed_len = RECORD_LEN_MAX;
	assert_false(record_len(0, &body, &len));
}

/* A message in a blob, and a record that refers to it. */
static void test_blob(UNUSED void **state)
{
	struct keys keys CLEANUP(keys_done) = {0};
	int fd CLEANUP(fd_close) = memfd_create("blob", MFD_CLOEXEC);
	struct buf record CLEANUP(buf_done) = BUF_MAX(MAX),
	                  metadata CLEANUP(buf_done) = BUF_MAX(MAX);
	struct str text = make_text(BIG, 4);
	struct buf opened CLEANUP(buf_done) = BUF_MAX(text.len);
	struct record_sender sender;
	struct record_frame frame;
	struct body body, got;
	char name[BLOB_NAME_LEN + 1];

	keys_new(ACCOUNT, 0, &keys);
	record_sender_init(&sender);
	assert_int_equal(blob_seal(fd, &text, 1, &body), 0);
	assert_int_equal(lseek(fd, 0, SEEK_END), blob_file_len(&body));
	assert_int_equal(record_seal(&sender, &keys.public, TIME_MS, STR("big"), &body,
	                     (struct str){0}, &record),
	    0);
	assert_int_equal(record_open(&keys, buf_str(&record), &frame, &metadata, &got), 0);
	assert_true(frame.in_blob && got.in_blob);
	assert_int_equal(record_open_body(buf_str(&record), &got, &opened), -EINVAL);
	blob_name(got.blob_id, name);
	assert_int_equal(strlen(name), BLOB_NAME_LEN);
	assert_int_equal(blob_check(fd), 0);
	assert_int_equal(blob_open(fd, &got, &opened), 0);
	expect_text(&opened, text);
	got.blob_id[3] ^= 1;
	assert_int_equal(blob_open(fd, &got, &opened), -EBADMSG);
	got.blob_id[3] ^= 1;
	assert_int_equal(ftruncate(fd, (off_t)blob_file_len(&body) - 1), 0);
	assert_int_equal(blob_open(fd, &got, &opened), -EBADMSG);
	assert_int_equal(blob_check(fd), -EBADMSG);
	drop(text);
}

static void test_blob_flips(UNUSED void **state)
{
	int fd CLEANUP(fd_close) = memfd_create("blob", MFD_CLOEXEC);
	struct str text = make_text(3000, 5);
	struct buf opened CLEANUP(buf_done) = BUF_MAX(text.len);
	struct body body;

	assert_int_equal(blob_seal(fd, &text, 1, &body), 0);
	for (off_t at = 0; at < (off_t)blob_file_len(&body); at++) {
		uint8_t byte, flipped;
		assert_int_equal(pread(fd, &byte, 1, at), 1);
		flipped = byte ^ 0x04;
		assert_int_equal(pwrite(fd, &flipped, 1, at), 1);
		assert_true(blob_check(fd) < 0);
		assert_true(blob_open(fd, &body, &opened) < 0);
		assert_int_equal(opened.len, 0);
		assert_int_equal(pwrite(fd, &byte, 1, at), 1);
	}
	assert_int_equal(blob_open(fd, &body, &opened), 0);
	drop(text);
}

/* Each byte of a database page. */
static void test_page_flips(UNUSED void **state)
{
	static uint8_t page[VFS_PAGE_LEN], damaged[VFS_PAGE_LEN], zero[VFS_PAGE_LEN];
	uint8_t key[CIPHER_KEY_LEN];
	struct page_place place = {.role = PAGE_DATABASE, .page = 9, .file_id = "0123456789abcde"};
	struct page_place got;

	if (!seals)
		skip();
	cipher_random(key, sizeof(key));
	page_first(page);
	page_seal(key, &place, page, page);
	assert_int_equal(page_decode(page + PAGE_CONTENT_LEN, &got), 0);
	assert_int_equal(got.page, 9);
	assert_memory_equal(got.file_id, place.file_id, PAGE_FILE_ID_LEN);
	for (size_t i = 0; i < VFS_PAGE_LEN; i++) {
		memcpy(damaged, page, VFS_PAGE_LEN);
		damaged[i] ^= 0x80;
		assert_false(page_open(key, damaged));
		assert_memory_equal(damaged, zero, VFS_PAGE_LEN);
	}
	assert_true(page_open(key, page));
	assert_memory_equal(page, "SQLite format 3", 16);
}

static void test_body_decode(UNUSED void **state)
{
	uint8_t bytes[BODY_ENCODED_LEN];
	struct body body = {.plain_len = 5, .sealed_len = 30}, got;
	struct str encoded = str_of(bytes, sizeof(bytes));

	body_encode(&body, bytes);
	assert_int_equal(body_decode(encoded, &got), 0);
	assert_int_equal(body_decode(str_first(encoded, 71), &got), -EBADMSG);
	bytes_of(encoded)[48] = 2;
	assert_int_equal(body_decode(encoded, &got), -EPROTONOSUPPORT);
	bytes_of(encoded)[48] = 1;
	bytes_of(encoded)[49] = 2;
	assert_int_equal(body_decode(encoded, &got), -EBADMSG);
	bytes_of(encoded)[49] = 0;
	bytes_of(encoded)[60] = 1; /* a blob's id without a blob */
	assert_int_equal(body_decode(encoded, &got), -EBADMSG);
	body.sealed_len = 16; /* no chunk is empty */
	body_encode(&body, bytes);
	assert_int_equal(body_decode(encoded, &got), -EBADMSG);
	body = (struct body){.plain_len = BODY_LEN_MAX + 1, .sealed_len = 30};
	body_encode(&body, bytes);
	assert_int_equal(body_decode(encoded, &got), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_body_lengths),
	    cmocka_unit_test(test_body_chunk_edges),
	    cmocka_unit_test(test_body_stream),
	    cmocka_unit_test(test_body_reader),
	    cmocka_unit_test(test_body_decode),
	    cmocka_unit_test(test_record),
	    cmocka_unit_test(test_record_recipients),
	    cmocka_unit_test(test_record_flips),
	    cmocka_unit_test(test_record_trailer),
	    cmocka_unit_test(test_record_limits),
	    cmocka_unit_test(test_header_key_kept),
	    cmocka_unit_test(test_blob),
	    cmocka_unit_test(test_blob_flips),
	    cmocka_unit_test(test_page_flips),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
