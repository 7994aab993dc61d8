/*
 * What a session holds of very large messages of several shapes: appended, delivered, fetched,
 * searched, put together anew, and by POP3. Builds without sanitizers look at the whole process as
 * the machine counts it, sanitizer builds at what is allocated (and take smaller messages, since
 * they are slow).
 */
#include <dirent.h>

#include "session/test_memory.h"
#include "mail/header.h"
#include "mail/search_text.h"
#include "store/blob_file.h"

enum {
#ifdef GATEPOST_ASAN
	LARGE_LEN = 4 << 20,
#else
	LARGE_LEN = 50 << 20,
#endif
	ANSWER_KEPT = 64 << 10,
	INDEXED_MS = 3000,
};

static struct test_sessions t = {.name = "large", .timeout_s = 600, .message_size = 60 << 20};

/* --- messages --- */

static const char *const fields = "From: a@example.test\r\nTo: b@example.test\r\n"
                                  "Date: Mon, 23 Nov 2026 10:00:00 +0100\r\n"
                                  "Message-ID: <large@example.test>\r\n";

enum stage { START, MIDDLE, END };

/* A message, written piece by piece: START and END once, MIDDLE until it is long enough. */
struct shape {
	const char *name;
	void (*write)(struct buf *out, enum stage stage, size_t so_far);
	const char *part; /* one of it */
};

/* Lines that are not alike, so that packing does not make them small. */
static void add_noise(struct buf *out, size_t so_far, bool words)
{
	uint64_t x = so_far * UINT64_C(0x9e3779b97f4a7c15) + 1;

	for (unsigned i = 0; i < 500; i++) {
		char line[79];
		for (unsigned j = 0; j < 76; j++) {
			x = x * UINT64_C(6364136223846793005) + 1442695040888963407;
			line[j] =
			    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"[(x >> 33) % 52];
			if (words && j % 9 == 8)
				line[j] = ' ';
		}
		memcpy(line + 76, "\r\n", 2);
		buf_add(out, str_of(line, 78));
	}
}

static void write_attachment(struct buf *out, enum stage stage, size_t so_far)
{
	if (stage == START)
		buf_printf(out,
		    "%sSubject: attachment\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
		    "--b\r\nContent-Type: text/plain\r\n\r\nsome text\r\n--b\r\n"
		    "Content-Type: application/octet-stream; name=x.bin\r\n"
		    "Content-Transfer-Encoding: base64\r\n\r\n",
		    fields);
	else if (stage == MIDDLE)
		add_noise(out, so_far, false);
	else
		buf_add(out, STR("\r\n--b\r\n\r\nthe needle\r\n--b--\r\n"));
}

static void write_text(struct buf *out, enum stage stage, size_t so_far)
{
	if (stage == START)
		buf_printf(out, "%sSubject: text\r\n\r\n", fields);
	else if (stage == MIDDLE)
		add_noise(out, so_far, true);
	else
		buf_add(out, STR("the needle\r\n"));
}

static void write_html(struct buf *out, enum stage stage, size_t so_far)
{
	if (stage == START)
		buf_printf(out,
		    "%sSubject: html\r\nContent-Type: text/html; charset=utf-8\r\n"
		    "Content-Transfer-Encoding: quoted-printable\r\n\r\n<p>",
		    fields);
	else if (stage == MIDDLE)
		add_noise(out, so_far, so_far % 3 == 0);
	else
		buf_add(out, STR("</p><b>the need</b>le\r\n"));
}

static void write_parts(struct buf *out, enum stage stage, size_t so_far)
{
	if (stage == START)
		buf_printf(out,
		    "%sSubject: parts\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n",
		    fields);
	else if (stage == MIDDLE)
		for (unsigned i = 0; i < 10; i++) {
			buf_printf(out,
			    "--b\r\nContent-Type: text/plain; name=\"the part at %zu.txt\"\r\n"
			    "Content-Disposition: attachment; filename=\"the part at %zu.txt\"\r\n"
			    "Content-Description: one of many parts\r\n\r\n",
			    so_far, so_far);
			size_t at = out->len;
			add_noise(out, so_far + i, true);
			out->len = at + LARGE_LEN / 10100;
			buf_add(out, STR("\r\n"));
		}
	else
		buf_add(out, STR("--b\r\n\r\nthe needle\r\n--b--\r\n"));
}

static void write_nested(struct buf *out, enum stage stage, size_t so_far)
{
	if (stage == START)
		for (unsigned i = 0; i < 150; i++) {
			buf_printf(out, "%sSubject: nested %u\r\n", i % 2 ? "" : fields, i);
			if (i % 2)
				buf_add(out, STR("Content-Type: message/rfc822\r\n\r\n"));
			else
				buf_printf(out,
				    "Content-Type: multipart/mixed; boundary=b%u\r\n\r\n--b%u\r\n",
				    i, i);
		}
	else if (stage == MIDDLE)
		add_noise(out, so_far, true);
	else
		buf_add(out, STR("the needle\r\n"));
}

static void write_header(struct buf *out, enum stage stage, size_t so_far)
{
	if (stage == START)
		buf_printf(out, "%sSubject: header\r\n", fields);
	else if (stage == MIDDLE) {
		for (unsigned i = 0; i < 500; i++)
			buf_printf(out, "X-Field-%zu-%u: someone@example.test, %08zx\r\n", so_far,
			    i, so_far * i);
	} else
		buf_add(out, STR("\r\nthe needle\r\n"));
}

static void write_field(struct buf *out, enum stage stage, size_t so_far)
{
	if (stage == START)
		buf_printf(out, "%sSubject: field\r\nCc:", fields);
	else if (stage == MIDDLE)
		for (unsigned i = 0; i < 500; i++)
			buf_printf(
			    out, " \"Some One\" <someone%u.%zu@example.test>,\r\n", i, so_far);
	else
		buf_add(out, STR(" x@y\r\n\r\nthe needle\r\n"));
}

/* As long as a header may be, and all of it addresses. */
static void write_addresses(struct buf *out, enum stage stage, size_t so_far)
{
	if (stage == START)
		buf_printf(out, "%sSubject: addresses\r\nCc:", fields);
	else if (stage == MIDDLE && so_far < HEADER_LEN_MAX - 50000)
		for (unsigned i = 0; i < 500; i++)
			buf_printf(
			    out, " \"Some One\" <someone%u.%zu@example.test>,\r\n", i, so_far);
	else if (stage == MIDDLE && so_far < HEADER_LEN_MAX)
		buf_printf(out, " x@y\r\n\r\n%*s\r\n", 60000, "x");
	else if (stage == MIDDLE)
		add_noise(out, so_far, true);
	else
		buf_add(out, STR("the needle\r\n"));
}

static void write_line(struct buf *out, enum stage stage, size_t so_far)
{
	if (stage == START)
		buf_printf(out,
		    "%sSubject: line\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n", fields);
	else if (stage == MIDDLE)
		for (unsigned i = 0; i < 3000; i++)
			buf_printf(out, "%c\u00e4\u6f22%u", 'a' + (int)(so_far * i % 26), i);
	else
		buf_add(out, STR("the needle\r\n"));
}

static const struct shape shapes[] = {
    {"attachment", write_attachment, "2"},
    {"text", write_text, "1"},
    {"html", write_html, "1"},
    {"parts", write_parts, "9000"},
    {"nested", write_nested, "1.1.1"},
    {"header", write_header, "1"},
    {"field", write_field, "1"},
    {"addresses", write_addresses, "1"},
    {"line", write_line, "1"},
};

struct writing {
	const struct shape *shape;
	size_t so_far;
	bool ended;
	struct buf piece;
};

static bool next_piece(struct writing *w)
{
	if (w->ended)
		return false;
	enum stage stage = w->so_far == 0 ? START : w->so_far < LARGE_LEN ? MIDDLE : END;
	w->piece.max = 1 << 20;
	buf_clear(&w->piece);
	w->shape->write(&w->piece, stage, w->so_far);
	w->so_far += w->piece.len;
	w->ended = stage == END;
	return true;
}

static size_t len_of(const struct shape *shape)
{
	struct writing w = {.shape = shape};

	while (next_piece(&w))
		;
	buf_done(&w.piece);
	return w.so_far;
}

/* As delivery does it. */
static void deliver(const struct shape *shape)
{
	const struct metadata metadata = {.kind = METADATA_DELIVERED,
	    .reverse_path = STR("sender@example.test"),
	    .recipient = STR("you@example.test")};
	struct buf text CLEANUP(buf_done) = BUF_MAX(4096), record CLEANUP(buf_done) = BUF_MAX(8192);
	int blobs CLEANUP(fd_close) = open("blobs", O_RDONLY | O_DIRECTORY);
	struct blob_file_writer *file CLEANUP(blob_file_writer_free) = NULL;
	struct writing w = {.shape = shape};
	struct record_sender sender;
	struct body body;

	test_check(blob_file_writer_new(blobs, 0600, &file));
	while (next_piece(&w))
		test_check(blob_file_writer_add(file, buf_str(&w.piece)));
	test_check(blob_file_writer_end(file, &body));
	assert_true(metadata_encode(&metadata, &text));
	record_sender_init(&sender);
	test_check(record_seal(&sender, &t.account.keys.public, 1700000000000, buf_str(&text),
	    &body, STR(""), &record));
	record_sender_done(&sender);
	(void)test_put(buf_str(&record));
	buf_done(&w.piece);
}

/* --- dialogue --- */

static void say(struct test_client *c, struct str s)
{
	while (s.len > 0) {
		ssize_t n = write(c->stream, s.p, s.len);
		assert_true(n > 0);
		s = str_from(s, (size_t)n);
	}
}

/*
 * Reads up to the line that begins with `end`; the answer's length. The first ANSWER_KEPT bytes are
 * in `kept`, and that line at its end.
 */
static size_t hear(struct test_client *c, struct str end, struct buf *kept)
{
	char tail[512];
	size_t len = 0, n_tail = 0;

	buf_clear(kept);
	for (;;) {
		while (c->in.len == 0)
			test_wait_for(&t, c);
		assert_false(c->ended);
		struct str got = buf_str(&c->in);
		len += got.len;
		buf_add(kept, str_first(got, ANSWER_KEPT - num_min(kept->len, ANSWER_KEPT)));
		if (got.len > sizeof(tail) / 2)
			got = str_from(got, got.len - sizeof(tail) / 2);
		if (n_tail + got.len > sizeof(tail)) {
			memmove(tail, tail + n_tail - sizeof(tail) / 2, sizeof(tail) / 2);
			n_tail = sizeof(tail) / 2;
		}
		memcpy(tail + n_tail, got.p, got.len);
		n_tail += got.len;
		buf_clear(&c->in);
		struct str last = str_of(tail, n_tail), line = last;
		if (!str_ends(last, STR("\r\n")))
			continue;
		for (size_t i = 0; i + 2 < last.len; i++)
			if (last.p[i] == '\n')
				line = str_from(last, i + 1);
		if (!str_starts(line, end))
			continue;
		kept->max += line.len;
		buf_add(kept, line);
		return len;
	}
}

static size_t ask(struct test_client *c, struct str command, const char *want)
{
	struct buf kept CLEANUP(buf_done) = BUF_MAX(ANSWER_KEPT + 1024);
	uint64_t began = clock_ms();

	say(c, STR("a "));
	say(c, command);
	say(c, STR("\r\n"));
	size_t len = hear(c, STR("a "), &kept);
	if (str_find(buf_str(&kept), str_of_cstr(want)) == kept.len)
		fail_msg("%.*s: %.*s", STR_FMT(command), (int)num_min(kept.len, 300), kept.p);
	test_expect_little(c, command.p);
	print_message("   %zu bytes, %llu ms\n", len, (unsigned long long)(clock_ms() - began));
	return len;
}

#define ASK(c, want, ...)                                                                          \
	({                                                                                         \
		char text_[512];                                                                   \
		int len_ = snprintf(text_, sizeof(text_), __VA_ARGS__);                            \
		ask((c), str_of(text_, (size_t)len_), (want));                                     \
	})

static void append(struct test_client *c, const struct shape *shape, const char *command)
{
	struct writing w = {.shape = shape};
	char text[200];
	int len = snprintf(text, sizeof(text), "a %s {%zu+}\r\n", command, len_of(shape));

	say(c, str_of(text, (size_t)len));
	while (next_piece(&w))
		say(c, buf_str(&w.piece));
	buf_done(&w.piece);
}

static void read_all(struct test_client *c, const struct shape *shape, unsigned number)
{
	size_t whole = len_of(shape);

	ASK(c, "a OK", "FETCH %u (ENVELOPE BODYSTRUCTURE BODY PREVIEW RFC822.SIZE)", number);
	assert_true(ASK(c, "a OK", "FETCH %u BODY.PEEK[]", number) > whole);
	ASK(c, "a OK", "FETCH %u BODY.PEEK[TEXT]<%zu.1000>", number, whole / 2);
	ASK(c, "a OK", "FETCH %u BODY.PEEK[HEADER]", number);
	ASK(c, "a OK", "FETCH %u BODY.PEEK[HEADER.FIELDS (SUBJECT CC)]", number);
	ASK(c, "a OK", "FETCH %u (BODY.PEEK[%s] BODY.PEEK[%s]<1000000.10>)", number, shape->part,
	    shape->part);
	ASK(c, "a OK", "FETCH %u (BINARY.SIZE[%s] BINARY.PEEK[%s])", number, shape->part,
	    shape->part);
	ASK(c, "a OK", "FETCH %u BODY.PEEK[%s.MIME]", number, shape->part);
}

static void search_all(struct test_client *c, const struct shape *shape)
{
	char found[40];

	snprintf(found, sizeof(found), "SEARCH 1 2\r\n");
	ASK(c, found, "SEARCH BODY needle");
	ASK(c, "SEARCH\r\n", "SEARCH BODY nowhere.to.be.found");
	ASK(c, found, "SEARCH TEXT %s", shape->name);
	ASK(c, found, "SEARCH HEADER SUBJECT %s", shape->name);
	ASK(c, "SEARCH\r\n", "SEARCH CC nowhere.to.be.found");
}

static void pop3(const struct shape *shape)
{
	struct test_client *c = &t.clients[0];
	struct buf kept CLEANUP(buf_done) = BUF_MAX(ANSWER_KEPT + 1024);

	test_heap_begin();
	test_client_start(&t, c, SESSION_POP3);
	say(c, STR("RETR 1\r\n"));
	assert_true(hear(c, STR("."), &kept) > len_of(shape));
	say(c, STR("TOP 2 100000\r\n"));
	(void)hear(c, STR("."), &kept);
	test_expect_little(c, "RETR and TOP");
	test_client_end(c);
}

static void go_through(const struct shape *shape)
{
	struct test_client *c = &t.clients[0];
	struct buf kept CLEANUP(buf_done) = BUF_MAX(ANSWER_KEPT + 1024);

	print_message("--- %s\n", shape->name);
	test_account_make(&t.account);
	store_close(test_open(&t.account));
	test_heap_begin();
	test_client_start(&t, c, SESSION_IMAP);
	append(c, shape, "APPEND INBOX");
	say(c, STR("\r\n"));
	(void)hear(c, STR("a OK"), &kept);
	test_expect_little(c, "APPEND");
	test_client_end(c);
	deliver(shape);
	test_heap_begin();
	test_client_start(&t, c, SESSION_IMAP);
	ASK(c, "* 2 EXISTS", "SELECT INBOX");
	search_all(c, shape);
	read_all(c, shape, 1);
	read_all(c, shape, 2);
	ASK(c, "a OK", "COPY 1:2 Archive");
	ASK(c, "a OK",
	    "APPEND Archive CATENATE (URL \"/INBOX/;UID=1/;SECTION=HEADER\" "
	    "URL \"/INBOX/;UID=2/;SECTION=TEXT\")");
	append(c, shape, "REPLACE 1 INBOX CATENATE (TEXT");
	say(c, STR(")\r\n"));
	(void)hear(c, STR("a OK"), &kept);
	test_expect_little(c, "REPLACE");
	poll(NULL, 0, INDEXED_MS); /* the word index is made meanwhile */
	ASK(c, "a OK", "NOOP");
	ASK(c, "SEARCH 1 2\r\n", "SEARCH BODY needle");
	ASK(c, "a OK", "SEARCH BODY nowhere.to.be.found");
	test_client_end(c);
	pop3(shape);
	test_account_remove(&t.account);
}

static void large_messages_need_little(UNUSED void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(shapes); i++)
		go_through(&shapes[i]);
}

/* "w0000001 w0000002 …": what is looked for may stand across two of the pieces that are looked at.
 */
static void a_word_across_two_pieces_is_found(UNUSED void **state)
{
	struct test_client *c = &t.clients[0];
	struct buf text CLEANUP(buf_done) = BUF_MAX(4 << 20);

	test_account_make(&t.account);
	store_close(test_open(&t.account));
	buf_printf(&text, "%s\r\n", fields);
	for (unsigned i = 0; text.len < 2 << 20; i++)
		buf_printf(&text, "w%07u ", i);
	test_deliver(&t.account, buf_str(&text));
	test_heap_begin();
	test_client_start(&t, c, SESSION_IMAP);
	ASK(c, "* 1 EXISTS", "SELECT INBOX");
	for (unsigned piece = 1; piece < 4; piece++) {
		unsigned word = piece * SEARCH_TEXT_PIECE / 9;
		for (unsigned i = word - 4; i < word + 4; i++)
			ASK(c, "SEARCH 1\r\n", "SEARCH BODY \"%05u w%07u w\"", i % 100000, i + 1);
	}
	assert_true(ASK(c, "SEARCH\r\n", "SEARCH BODY \"w0000001 w0000003\"") > 0);
	test_client_end(c);
	test_account_remove(&t.account);
}

static size_t count_descriptors(const struct test_client *c)
{
	char path[64];
	size_t n = 0;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)c->pid);
	DIR *dir = opendir(path);
	assert_non_null(dir);
	while (readdir(dir) != NULL)
		n++;
	closedir(dir);
	return n;
}

/* A command may have more literals than a session may have descriptors. */
static void many_literals_of_a_command_need_little(UNUSED void **state)
{
	enum { LITERALS = 60, LITERAL_LEN = 256 << 10, DESCRIPTORS_MAX = 30 };
	struct test_client *c = &t.clients[0];
	struct buf text CLEANUP(buf_done) = BUF_MAX(1 << 20);
	struct buf kept CLEANUP(buf_done) = BUF_MAX(ANSWER_KEPT + 1024);
	char literal[64];

	test_account_make(&t.account);
	store_close(test_open(&t.account));
	buf_printf(&text, "%s\r\n", fields);
	while (text.len < LITERAL_LEN)
		add_noise(&text, text.len, true);
	test_heap_begin();
	test_client_start(&t, c, SESSION_IMAP);
	say(c, STR("a APPEND INBOX"));
	for (unsigned i = 0; i < LITERALS; i++) {
		int len = snprintf(literal, sizeof(literal), " {%zu+}\r\n", text.len);
		say(c, str_of(literal, (size_t)len));
		say(c, buf_str(&text));
	}
	assert_true(count_descriptors(c) < DESCRIPTORS_MAX);
	say(c, STR("\r\n"));
	(void)hear(c, STR("a OK"), &kept);
	test_expect_little(c, "MULTIAPPEND");
	say(c, STR("a APPEND INBOX CATENATE ("));
	for (unsigned i = 0; i < LITERALS; i++) {
		int len =
		    snprintf(literal, sizeof(literal), "%sTEXT {%zu+}\r\n", i ? " " : "", text.len);
		say(c, str_of(literal, (size_t)len));
		say(c, buf_str(&text));
	}
	say(c, STR(")\r\n"));
	(void)hear(c, STR("a OK"), &kept);
	test_expect_little(c, "CATENATE");
	ASK(c, "* 61 EXISTS", "SELECT INBOX");
	test_client_end(c);
	test_account_remove(&t.account);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(many_literals_of_a_command_need_little),
	    cmocka_unit_test(a_word_across_two_pieces_is_found),
	    cmocka_unit_test(large_messages_need_little)};

	return cmocka_run_group_tests(tests, test_heap_watch, NULL);
}
