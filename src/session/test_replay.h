/*
 * session/test_replay.h: replays transcripts against real sessions. Each file starts with an empty
 * account. Only *_test.c includes it.
 *
 *   # a comment
 *   C: a1 NOOP              a line from the first client; C2:, C3: from others of the same account
 *   S: a1 OK NOOP done      the next line to it must be this; S2:, S3:
 *   W: a1 OK <*>            what comes to it before this line may be anything; W2:, W3:
 *   X:                      the session ends the connection now; H: the client hangs up
 *   L: 3                    clients that come from here on may name so many messages a command
 *   M: Subject: hi\r\n…     this message is delivered
 *
 * In C: lines {{text}} stands for a literal that does not wait, ~{{text}} for a literal8. Text in
 * both and in M: has \r \n \0 \\ in it. In S: lines <n> stands for a number and <*> for anything;
 * <n=word> is a number that <$word> stands for from then on, in C: and S:.
 */
#ifndef SESSION_TEST_REPLAY_H
#define SESSION_TEST_REPLAY_H

#include <dirent.h>
#include <ftw.h>

#include "base/num.h"
#include "session/test_match.h"
#include "session/test_sessions.h"

enum { TEST_FILE_MAX = 1 << 20 };

struct test_replay {
	const char *folder;                            /* of the transcripts */
	enum session_protocol protocols[TEST_CLIENTS]; /* which the clients speak */
};

static inline void test_expect(struct test_sessions *t, struct test_client *c, struct str expected)
{
	struct str line = test_line(t, c);

	if (!test_matches(expected, line))
		fail_msg("%s:%u:\n  expected %.*s\n  got      %.*s", t->name, t->line,
		    STR_FMT(expected), STR_FMT(line));
	test_line_done(c, line);
}

static inline void test_skip_to(struct test_sessions *t, struct test_client *c, struct str expected)
{
	struct str line;

	while (!test_matches(expected, line = test_line(t, c)))
		test_line_done(c, line);
	test_line_done(c, line);
}

static inline void test_unescape(struct str text, struct buf *out)
{
	for (size_t i = 0; i < text.len; i++) {
		if (text.p[i] != '\\' || i + 1 == text.len) {
			buf_add_c(out, text.p[i]);
			continue;
		}
		char c = text.p[++i];
		buf_add_c(out, c == 'r' ? '\r' : c == 'n' ? '\n' : c == '0' ? '\0' : c);
	}
}

static inline void test_say(struct test_client *c, struct str line)
{
	struct buf out CLEANUP(buf_done) = BUF_MAX(TEST_INPUT_MAX);

	while (line.len > 0) {
		size_t at = str_find(line, STR("{{")), end = str_find(line, STR("}}"));
		buf_add(&out, str_first(line, at));
		if (at == line.len)
			break;
		assert_true(end < line.len);
		struct buf literal CLEANUP(buf_done) = BUF_MAX(1 << 20);
		test_unescape(str_first(str_from(line, at + 2), end - at - 2), &literal);
		buf_printf(&out, "{%zu+}\r\n", literal.len);
		buf_add(&out, buf_str(&literal));
		line = str_from(line, end + 2);
	}
	buf_add(&out, STR("\r\n"));
	assert_int_equal(fd_write_all(c->stream, buf_str(&out)), 0);
}

static inline void test_deliver_text(struct test_sessions *t, struct str text)
{
	struct buf message CLEANUP(buf_done) = BUF_MAX(1 << 20);

	test_unescape(text, &message);
	test_deliver(&t->account, buf_str(&message));
}

static inline void test_replay_line(
    const struct test_replay *r, struct test_sessions *t, struct str line)
{
	t->line++;
	if (line.len == 0 || line.p[0] == '#')
		return;
	size_t client = line.len > 1 && ascii_is_digit(line.p[1]) ? (size_t)(line.p[1] - '1') : 0;
	assert_true(client < TEST_CLIENTS);
	struct test_client *c = &t->clients[client];
	struct str text = str_from(line, str_index(line, ':') + 1);
	(void)!str_skip(&text, STR(" "));
	if (line.p[0] == 'M') {
		test_deliver_text(t, text);
		return;
	}
	if (line.p[0] == 'L') {
		uint64_t limit;
		assert_true(num_parse(text, UINT32_MAX, &limit));
		t->message_limit = (uint32_t)limit;
		return;
	}
	if (c->pid == 0)
		test_client_start(t, c, r->protocols[client]);
	struct buf filled CLEANUP(buf_done) = BUF_MAX(TEST_INPUT_MAX);
	if (line.p[0] == 'C' || line.p[0] == 'S') {
		test_fill(text, &filled);
		text = buf_str(&filled);
	}
	if (line.p[0] == 'C')
		test_say(c, text);
	else if (line.p[0] == 'S')
		test_expect(t, c, text);
	else if (line.p[0] == 'W')
		test_skip_to(t, c, text);
	else if (line.p[0] == 'X')
		test_expect_end(t, c);
	else if (line.p[0] == 'H')
		test_client_end(c);
	else
		fail_msg("%s:%u: no such line", t->name, t->line);
}

static inline int test_remove_one(
    const char *path, const struct stat *st UNUSED, int type UNUSED, struct FTW *ftw UNUSED)
{
	return remove(path);
}

static inline void test_replay_file(const struct test_replay *r, int folder, const char *name)
{
	struct test_sessions t = {.name = name, .timeout_s = 60};
	char *text;
	size_t len;

	assert_int_equal(fd_read_file(folder, name, TEST_FILE_MAX, &text, &len), 0);
	test_account_make(&t.account);
	(void)test_variable(STR(""));
	struct str rest = str_of(text, len);
	while (rest.len > 0)
		test_replay_line(r, &t, str_cut_line(&rest));
	for (size_t i = 0; i < TEST_CLIENTS; i++)
		test_client_end(&t.clients[i]);
	assert_int_equal(chdir("/"), 0);
	nftw(t.account.path, test_remove_one, 16, FTW_DEPTH | FTW_PHYS);
	keys_done(&t.account.keys);
	secret_free(&t.account.master);
	free(text);
	print_message("%s\n", name);
}

/* All of the folder, or the one that the environment's TRANSCRIPT names; how many. The current
 * folder is then another. */
static inline unsigned test_replay_all(const struct test_replay *r)
{
	struct dirent **names;
	const char *only = getenv("TRANSCRIPT");
	int folder CLEANUP(fd_close) = open(r->folder, O_RDONLY | O_DIRECTORY);
	int n = scandir(r->folder, &names, NULL, alphasort);
	unsigned n_replayed = 0;

	assert_true(folder >= 0 && n > 0);
	for (int i = 0; i < n; i++) {
		const char *name = names[i]->d_name;
		if (name[0] != '.' && (only == NULL || strcmp(only, name) == 0)) {
			test_replay_file(r, folder, name);
			n_replayed++;
		}
		free(names[i]);
	}
	free(names);
	return n_replayed;
}

#endif
