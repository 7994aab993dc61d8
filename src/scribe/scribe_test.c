#include "mail/test_dkim.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "ipc/channel.h"
#include "ipc/messages.h"
#include "ipc/scribing.h"
#include "mail/dkim_sign.h"
#include "mail/header.h"
#include "scribe/scribe.h"

enum { NOW = 1795345504, ARENA_LEN = 1 << 20, MESSAGE_MAX = 4 << 20 };

struct scribe {
	pid_t pid;
	int channel;
};

static void send_fd(const struct scribe *s, int message, bool complete)
{
	struct ipc_prepare prepare = {.message = message, .complete = complete};

	assert_int_equal(ipc_send(s->channel, IPC_PREPARE, &prepare), 0);
	close(message);
}

static void send_text(const struct scribe *s, struct str message, bool complete)
{
	int fd = -1;

	assert_int_equal(fd_sealed_memfd("message", message, &fd), 0);
	send_fd(s, fd, complete);
}

static struct scribe begin(uint8_t messages)
{
	struct scribe s;
	int ends[2];

	assert_int_equal(ipc_pair(ends), 0);
	s.channel = ends[0];
	s.pid = fork();
	assert_true(s.pid >= 0);
	if (s.pid == 0) {
		struct ipc_scribe it = {.channel = ends[1], .messages = messages};
		close(ends[0]);
		_exit(scribe_run(&it));
	}
	close(ends[1]);
	return s;
}

static struct scribe start_fd(int message, bool complete)
{
	struct scribe s = begin(1);

	send_fd(&s, message, complete);
	return s;
}

static struct scribe start(struct str message, bool complete)
{
	struct scribe s = begin(1);

	send_text(&s, message, complete);
	return s;
}

static int end(struct scribe *s)
{
	int status;

	fd_close(&s->channel);
	assert_int_equal(waitpid(s->pid, &status, 0), s->pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static struct ipc_received hear(struct scribe *s, uint16_t type)
{
	struct ipc_received m;

	assert_int_equal(ipc_wait(s->channel, 10000, &m), 0);
	assert_int_equal(m.type, type);
	return m;
}

static void read_finished(const struct ipc_finished *m, struct buf *ret_text)
{
	size_t len;

	assert_int_equal(fd_check_sealed(m->message, &len), 0);
	char *to = buf_reserve(ret_text, len);
	assert_non_null(to);
	assert_int_equal(fd_pread_all(m->message, to, len, 0), 0);
	buf_commit(ret_text, len);
}

/* Puts the signatures before the message, as the queue does. */
static void put_together(
    const struct ipc_finished *m, const struct test_key *keys, struct buf *ret_text)
{
	unsigned char signature[DKIM_SIGNATURE_LEN_MAX];

	for (size_t i = 0; i < m->fields.n; i++) {
		assert_int_equal(m->hashes.v[i].len, DKIM_HASH_LEN);
		assert_true(dkim_sign_complete(m->fields.v[i],
		    test_key_sign(&keys[i], (const uint8_t *)m->hashes.v[i].p, signature),
		    ret_text));
	}
	read_finished(m, ret_text);
}

/* By a scribe that is there, or, where `s` is NULL, by one of its own. */
static void expect_signed_by(struct scribe *s, struct str message, size_t body_len)
{
	const struct str selectors[] = {STR("r"), STR("e")};
	const uint64_t algorithms[] = {DKIM_RSA_SHA256, DKIM_ED25519_SHA256};
	struct test_key keys[] = {test_key_make("r._domainkey.example.org", DKIM_KEY_RSA, 2048),
	    test_key_make("e._domainkey.example.org", DKIM_KEY_ED25519, 0)};
	struct test_record records[] = {
	    {keys[0].name, keys[0].record}, {keys[1].name, keys[1].record}};
	struct test_zone zone = {.v = records, .n = 2};
	struct ipc_finish finish = {
	    .trace = STR("Received: from client by here; now\r\n"),
	    .domain = STR("example.org"),
	    .selectors = {selectors, 2},
	    .algorithms = {algorithms, 2},
	    .at = (uint64_t)NOW * 1000,
	    .name = STR("mail.example.org"),
	};
	struct buf text CLEANUP(buf_done) = BUF_MAX(MESSAGE_MAX);
	struct arena a CLEANUP(arena_done) = ARENA_MAX(ARENA_LEN);
	struct dkim_verdict v[DKIM_SIGNATURES_MAX];
	struct str header, body;
	size_t n;

	struct scribe own;
	if (s == NULL)
		own = start(message, true);
	else
		send_text(s, message, true);
	struct scribe *by = s != NULL ? s : &own;
	struct ipc_received m = hear(by, IPC_EXAMINED);
	const struct ipc_examined *examined = m.msg;
	assert_int_equal(examined->result, EXAMINED_OK);
	assert_int_equal(examined->authors.n, 1);
	expect_str(examined->authors.v[0], "alice@example.org");
	ipc_received_done(&m);
	assert_int_equal(ipc_send(by->channel, IPC_FINISH, &finish), 0);
	m = hear(by, IPC_FINISHED);
	put_together(m.msg, keys, &text);
	ipc_received_done(&m);
	if (s == NULL)
		assert_int_equal(end(&own), 0);
	header_split(buf_str(&text), &header, &body);
	assert_int_equal(body.len, body_len);
	assert_true(str_find(header, STR("\r\nMessage-ID: <")) < header.len);
	assert_true(str_find(header, STR("@mail.example.org>\r\n")) < header.len);
	assert_true(
	    str_find(header, STR("\r\nReceived: from client by here; now\r\nDate: ")) < header.len);
	struct dkim_lookups lookups = {test_find, &zone};
	assert_int_equal(dkim_verify(header, body, NOW, &lookups, &a, v, &n), 0);
	assert_int_equal(n, 2);
	assert_int_equal(v[0].result, DKIM_PASS);
	assert_int_equal(v[1].result, DKIM_PASS);
	EVP_PKEY_free(keys[0].key);
	EVP_PKEY_free(keys[1].key);
}

static void expect_signed(struct str message, size_t body_len)
{
	expect_signed_by(NULL, message, body_len);
}

static void messages_are_completed_and_signed(void **state UNUSED)
{
	struct buf large CLEANUP(buf_done) = BUF_MAX(MESSAGE_MAX);

	expect_signed(STR("From: alice@example.org\r\nSubject: x\r\n\r\nHello  there\r\n"), 14);
	expect_signed(STR("From: alice@example.org\r\nSubject: x\r\n\r\nno end"), 8);
	expect_signed(STR("From: alice@example.org\r\nSubject: only a header\r\n"), 0);
	expect_signed(STR("From: alice@example.org"), 0);
	buf_add(&large, STR("From: alice@example.org\r\n\r\n"));
	repeat(&large, "a line of a large message, with  two spaces \r\n", 50000);
	expect_signed(buf_str(&large), 50000 * 46);
}

static void what_cannot_be_sent_is_said(void **state UNUSED)
{
	struct scribe s = start(STR("From: a@b\r\nFrom: c@d\r\n\r\n"), true);
	struct ipc_received m = hear(&s, IPC_EXAMINED);
	const struct ipc_examined *examined = m.msg;

	assert_int_equal(examined->result, EXAMINED_MALFORMED);
	expect_str(examined->detail, "its header has 2 From fields, and may have one");
	ipc_received_done(&m);
	assert_int_equal(ipc_wait(s.channel, 10000, &m), -ENODATA);
	assert_int_equal(end(&s), 0);
}

/* Large and small, refused and not, one after the other; then it has read enough. */
static void several_messages_of_one_submitter(void **state UNUSED)
{
	struct buf large CLEANUP(buf_done) = BUF_MAX(MESSAGE_MAX);
	struct scribe s = begin(4);
	struct ipc_received m;

	buf_add(&large, STR("From: alice@example.org\r\n\r\n"));
	repeat(&large, "a line of a large message, with  two spaces \r\n", 50000);
	expect_signed_by(&s, STR("From: alice@example.org\r\nSubject: x\r\n\r\nHello\r\n"), 7);
	expect_signed_by(&s, buf_str(&large), 50000 * 46);
	send_text(&s, STR("From: a@b\r\nFrom: c@d\r\n\r\n"), true);
	m = hear(&s, IPC_EXAMINED);
	assert_int_equal(((struct ipc_examined *)m.msg)->result, EXAMINED_MALFORMED);
	ipc_received_done(&m);
	expect_signed_by(&s, STR("From: alice@example.org\r\n\r\nx\r\n"), 3);
	assert_int_equal(ipc_wait(s.channel, 10000, &m), -ENODATA);
	assert_int_equal(end(&s), 0);
}

/* Of an alias: nothing but the trace field is added, and nothing is taken away. */
static void forwarded_mail_is_left_as_it_is(void **state UNUSED)
{
	static const char text[] = "Bcc: x@y\r\nFrom: a@b\r\nFrom: c@d\r\nrubbish\r\n\r\nx\r\n";
	struct ipc_finish finish = {
	    .trace = STR("Received: r\r\n"), .at = NOW, .name = STR("here")};
	struct buf got CLEANUP(buf_done) = BUF_MAX(10000);
	struct scribe s = start(str_of(text, sizeof(text) - 1), false);
	struct ipc_received m = hear(&s, IPC_EXAMINED);

	assert_int_equal(((struct ipc_examined *)m.msg)->result, EXAMINED_OK);
	ipc_received_done(&m);
	m = hear(&s, IPC_KEYS_WANTED);
	assert_int_equal(((struct ipc_keys_wanted *)m.msg)->names.n, 0);
	ipc_received_done(&m);
	assert_int_equal(ipc_send(s.channel, IPC_FINISH, &finish), 0);
	m = hear(&s, IPC_FINISHED);
	assert_int_equal(((struct ipc_finished *)m.msg)->fields.n, 0);
	read_finished(m.msg, &got);
	ipc_received_done(&m);
	assert_true(str_starts(buf_str(&got), STR("Received: r\r\n")));
	assert_true(str_eq(str_from(buf_str(&got), 13), str_of(text, sizeof(text) - 1)));
	assert_int_equal(end(&s), 0);
}

static void a_queue_that_goes_away_is_no_fault(void **state UNUSED)
{
	struct scribe s = start(STR("From: a@b\r\n\r\n"), true);
	struct ipc_received m = hear(&s, IPC_EXAMINED);

	ipc_received_done(&m);
	assert_int_equal(end(&s), 0);
	/* what is not sealed could change while it is read */
	int fd = memfd_create("open", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	assert_int_equal(fd_write_all(fd, STR("From: a@b\r\n\r\n")), 0);
	s = start_fd(fd, true);
	assert_int_equal(end(&s), 1);
	/* and another message than the one that is waited for */
	struct ipc_examined wrong = {.result = EXAMINED_OK};
	s = start(STR("From: a@b\r\n\r\n"), true);
	m = hear(&s, IPC_EXAMINED);
	ipc_received_done(&m);
	assert_int_equal(ipc_send(s.channel, IPC_EXAMINED, &wrong), 0);
	assert_int_equal(ipc_wait(s.channel, 10000, &m), -ENODATA);
	assert_int_equal(end(&s), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(messages_are_completed_and_signed),
	    cmocka_unit_test(what_cannot_be_sent_is_said),
	    cmocka_unit_test(several_messages_of_one_submitter),
	    cmocka_unit_test(forwarded_mail_is_left_as_it_is),
	    cmocka_unit_test(a_queue_that_goes_away_is_no_fault),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
