/*
 * Replays the transcripts beside this file (transcripts/NAME.txt) against real sessions over a
 * store in a temporary folder. Each file starts with an empty account.
 *
 *   # a comment
 *   C: a1 NOOP              a line from the first client; C2: from a second one of the same account
 *   S: a1 OK NOOP done      the next line to it must be this; S2:
 *
 * In C: lines {{text}} stands for a literal that does not wait, with \r \n \0 \\ in it, ~{{text}}
 * for a literal8. In S: lines <n> stands for a number and <*> for anything.
 *
 * The test plays the registry: CHANGED of one session goes to the other.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "ipc/channel.h"
#include "ipc/messages.h"
#include "seal/keys.h"
#include "session/session.h"
#include "store/account.h"

enum { CLIENTS = 2, LINE_MS = 20000, ACCOUNT = 1, FILE_MAX = 1 << 20, MESSAGE_MAX = 100000 };

#define TRANSCRIPTS "src/session/imap/transcripts"

struct client {
	pid_t pid;
	int stream, registry;
	struct buf in;
};

struct replay {
	char folder[64];
	struct secret *master;
	struct client clients[CLIENTS];
	const char *name;
	unsigned line;
};

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void make_account(struct replay *r)
{
	uint8_t file[KEYS_FILE_LEN];
	struct keys keys;

	snprintf(r->folder, sizeof(r->folder), "/tmp/gatepost-transcript-XXXXXX");
	assert_non_null(mkdtemp(r->folder));
	r->master = secret_random();
	keys_new(ACCOUNT, 0, &keys);
	keys_encode(&keys, r->master, file);
	keys_done(&keys);
	int accounts CLEANUP(fd_close) = open(r->folder, O_RDONLY | O_DIRECTORY);
	assert_int_equal(account_create(accounts, ACCOUNT, str_of(file, sizeof(file)), false), 0);
}

static void start_client(struct replay *r, struct client *c)
{
	int stream[2], registry[2], master_key;
	char path[128];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, stream), 0);
	assert_int_equal(ipc_pair(registry), 0);
	assert_int_equal(secret_to_memfd(r->master, &master_key), 0);
	snprintf(path, sizeof(path), "%s/%d", r->folder, ACCOUNT);
	c->pid = fork();
	assert_true(c->pid >= 0);
	if (c->pid == 0) {
		const struct session_start start = {.account = ACCOUNT,
		    .master_key = master_key,
		    .stream = stream[1],
		    .registry = registry[1],
		    .message_size = MESSAGE_MAX,
		    .timeout_s = 60};
		close(stream[0]);
		close(registry[0]);
		if (chdir(path) < 0)
			_exit(2);
		_exit(session_run(&start) < 0 ? 1 : 0);
	}
	close(stream[1]);
	close(registry[1]);
	close(master_key);
	c->stream = stream[0];
	c->registry = registry[0];
	c->in = BUF_MAX(8 << 20);
}

static void end_client(struct client *c)
{
	int status;

	if (c->pid == 0)
		return;
	/* The registry outlives the session: a session that cannot speak to it any more fails. */
	close(c->stream);
	buf_done(&c->in);
	assert_int_equal(waitpid(c->pid, &status, 0), c->pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	close(c->registry);
	c->pid = 0;
}

/* What the registry does. */
static void pass_on(struct replay *r, struct client *from)
{
	const struct ipc_changed nothing_named = {{NULL, 0}};
	struct ipc_received m;

	int error = ipc_recv(from->registry, &m);
	if (error == -ENODATA) {
		close(from->registry);
		from->registry = -1;
		return;
	}
	assert_int_equal(error, 0);
	assert_int_equal(m.type, IPC_CHANGED);
	ipc_received_done(&m);
	for (size_t i = 0; i < CLIENTS; i++) {
		struct client *to = &r->clients[i];
		if (to != from && to->pid != 0 && to->registry >= 0)
			assert_int_equal(ipc_send(to->registry, IPC_CHANGED, &nothing_named), 0);
	}
}

static void take_bytes(struct replay *r, struct client *c)
{
	char *to = buf_reserve(&c->in, 65536);
	assert_non_null(to);
	ssize_t n = read(c->stream, to, 65536);
	if (n <= 0)
		fail_msg("%s:%u: the session ended", r->name, r->line);
	buf_commit(&c->in, (size_t)n);
}

/* Waits for bytes of one client, and is the registry meanwhile. */
static void wait_for(struct replay *r, struct client *c)
{
	struct pollfd fds[CLIENTS + 1] = {{.fd = c->stream, .events = POLLIN}};

	for (size_t i = 0; i < CLIENTS; i++)
		fds[i + 1] = (struct pollfd){
		    .fd = r->clients[i].pid != 0 ? r->clients[i].registry : -1, .events = POLLIN};
	if (poll(fds, CLIENTS + 1, LINE_MS) == 0)
		fail_msg("%s:%u: no answer", r->name, r->line);
	for (size_t i = 0; i < CLIENTS; i++)
		if (fds[i + 1].revents != 0)
			pass_on(r, &r->clients[i]);
	if (fds[0].revents != 0)
		take_bytes(r, c);
}

static bool matches(struct str expected, struct str line)
{
	while (expected.len > 0) {
		if (str_skip(&expected, STR("<n>"))) {
			size_t n = 0;
			while (n < line.len && ascii_is_digit(line.p[n]))
				n++;
			if (n == 0)
				return false;
			line = str_from(line, n);
		} else if (str_skip(&expected, STR("<*>"))) {
			for (size_t i = 0; i <= line.len; i++)
				if (matches(expected, str_from(line, i)))
					return true;
			return false;
		} else if (line.len == 0 || line.p[0] != expected.p[0]) {
			return false;
		} else {
			line = str_from(line, 1);
			expected = str_from(expected, 1);
		}
	}
	return line.len == 0;
}

static void expect(struct replay *r, struct client *c, struct str expected)
{
	struct str whole, line;

	while (str_find(buf_str(&c->in), STR("\r\n")) == c->in.len)
		wait_for(r, c);
	whole = buf_str(&c->in);
	line = str_first(whole, str_find(whole, STR("\r\n")));
	if (!matches(expected, line))
		fail_msg("%s:%u:\n  expected %.*s\n  got      %.*s", r->name, r->line,
		    STR_FMT(expected), STR_FMT(line));
	buf_consume(&c->in, line.len + 2);
}

static void unescape(struct str text, struct buf *out)
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

static void say(struct client *c, struct str line)
{
	struct buf out CLEANUP(buf_done) = BUF_MAX(8 << 20);

	while (line.len > 0) {
		size_t at = str_find(line, STR("{{")), end = str_find(line, STR("}}"));
		buf_add(&out, str_first(line, at));
		if (at == line.len)
			break;
		assert_true(end < line.len);
		struct buf literal CLEANUP(buf_done) = BUF_MAX(1 << 20);
		unescape(str_first(str_from(line, at + 2), end - at - 2), &literal);
		buf_printf(&out, "{%zu+}\r\n", literal.len);
		buf_add(&out, buf_str(&literal));
		line = str_from(line, end + 2);
	}
	buf_add(&out, STR("\r\n"));
	assert_int_equal(fd_write_all(c->stream, buf_str(&out)), 0);
}

static void replay_line(struct replay *r, struct str line)
{
	r->line++;
	if (line.len == 0 || line.p[0] == '#')
		return;
	bool from_client = line.p[0] == 'C';
	bool second = line.len > 1 && line.p[1] == '2';
	struct client *c = &r->clients[second];
	struct str text = str_from(line, second ? 3 : 2);

	assert_true(line.p[0] == 'C' || line.p[0] == 'S');
	text = str_from(text, 1);
	if (c->pid == 0)
		start_client(r, c);
	if (from_client)
		say(c, text);
	else
		expect(r, c, text);
}

static void replay_file(const char *name)
{
	struct replay r = {.name = name};
	char path[512];
	char *text;
	size_t len;

	snprintf(path, sizeof(path), "%s/%s", TRANSCRIPTS, name);
	assert_int_equal(fd_read_file(AT_FDCWD, path, FILE_MAX, &text, &len), 0);
	make_account(&r);
	struct str rest = str_of(text, len);
	while (rest.len > 0)
		replay_line(&r, str_cut_line(&rest));
	for (size_t i = 0; i < CLIENTS; i++)
		end_client(&r.clients[i]);
	secret_free(&r.master);
	free(text);
	nftw(r.folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	print_message("%s\n", name);
}

static void test_transcripts(void **state)
{
	struct dirent **names;
	const char *only = getenv("TRANSCRIPT");
	int n = scandir(TRANSCRIPTS, &names, NULL, alphasort), n_replayed = 0;

	(void)state;
	assert_true(n > 0);
	for (int i = 0; i < n; i++) {
		const char *name = names[i]->d_name;
		if (name[0] != '.' && (only == NULL || strcmp(only, name) == 0)) {
			replay_file(name);
			n_replayed++;
		}
		free(names[i]);
	}
	free(names);
	assert_true(n_replayed > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_transcripts)};

	signal(SIGPIPE, SIG_IGN);
	session_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
