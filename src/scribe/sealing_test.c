/* Mail that is forwarded, from a scribe to the message as it goes; the test plays the queue. */
#include "mail/test_arc.h"

#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/num.h"
#include "ipc/channel.h"
#include "ipc/messages.h"
#include "ipc/scribing.h"
#include "scribe/scribe.h"

#define TRACE "Received: from client by mail.example.org; now\r\n"

static struct test_key key, author;
static struct test_record records[2];
static struct test_zone zone = {.v = records, .n = 2};

static int make_keys(void **state UNUSED)
{
	key = test_key_make("s._domainkey.example.org", DKIM_KEY_RSA, 1024);
	author = test_key_make("a._domainkey.example.com", DKIM_KEY_ED25519, 0);
	records[0] = (struct test_record){key.name, key.record};
	records[1] = (struct test_record){author.name, author.record};
	return 0;
}

static int free_keys(void **state UNUSED)
{
	EVP_PKEY_free(key.key);
	EVP_PKEY_free(author.key);
	return 0;
}

/* --- a scribe --- */

struct scribe {
	pid_t pid;
	int channel;
};

static struct scribe start(struct str message)
{
	struct scribe s;
	int ends[2], fd = -1;

	assert_int_equal(fd_sealed_memfd("message", message, &fd), 0);
	assert_int_equal(ipc_pair(ends), 0);
	s.channel = ends[0];
	s.pid = fork();
	assert_true(s.pid >= 0);
	if (s.pid == 0) {
		struct ipc_scribe it = {.channel = ends[1], .messages = 1};
		close(ends[0]);
		close(fd);
		_exit(scribe_run(&it));
	}
	close(ends[1]);
	struct ipc_prepare prepare = {.message = fd};
	assert_int_equal(ipc_send(s.channel, IPC_PREPARE, &prepare), 0);
	close(fd);
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

static struct ipc_received hear(struct scribe *s)
{
	struct ipc_received m;

	assert_int_equal(ipc_wait(s->channel, 10000, &m), 0);
	return m;
}

static void read_fd(int fd, struct buf *ret_text)
{
	size_t len;

	assert_int_equal(fd_check_sealed(fd, &len), 0);
	char *to = buf_reserve(ret_text, len);
	assert_non_null(to);
	assert_int_equal(fd_pread_all(fd, to, len, 0), 0);
	buf_commit(ret_text, len);
}

/* The record of a name, as the resolver hands it on: strings of at most 255 bytes. */
static void send_key(struct scribe *s, uint16_t index, struct str name, enum dns_result result)
{
	struct arena a CLEANUP(arena_done) = ARENA_MAX(8192);
	struct buf rdata CLEANUP(buf_done) = BUF_MAX(4096);
	struct str text, wire[2] = {STR("\x05other")};
	struct ipc_key m = {.index = index, .result = (uint8_t)result};

	if (result == DNS_FOUND && test_find(&zone, name, &a, &text) != DKIM_KEY_FOUND)
		m.result = DNS_NO_NAME;
	if (m.result == DNS_FOUND) {
		for (; text.len > 0; text = str_from(text, 200)) {
			buf_add_c(&rdata, (char)num_min(text.len, 200));
			buf_add(&rdata, str_first(text, 200));
		}
		wire[1] = buf_str(&rdata);
		m.records = (struct ipc_strs){wire, 2};
	}
	assert_int_equal(ipc_send(s->channel, IPC_KEY, &m), 0);
}

/* Up to IPC_FINISH; `result` is of all keys: DNS_FOUND as they are, N_DNS_RESULTS: none comes. */
static struct scribe begin(struct str message, enum dns_result result, size_t n_keys)
{
	struct scribe s = start(message);
	struct ipc_received m = hear(&s);

	assert_int_equal(m.type, IPC_EXAMINED);
	ipc_received_done(&m);
	m = hear(&s);
	assert_int_equal(m.type, IPC_KEYS_WANTED);
	const struct ipc_keys_wanted *wanted = m.msg;
	assert_int_equal(wanted->names.n, n_keys);
	for (size_t i = wanted->names.n; result != N_DNS_RESULTS && i-- > 0;)
		send_key(&s, (uint16_t)i, wanted->names.v[i], result);
	ipc_received_done(&m);
	return s;
}

static void say_finish(struct scribe *s, uint64_t algorithm)
{
	static const struct str selector = STR_INIT("s");
	struct ipc_finish finish = {
	    .trace = STR(TRACE),
	    .domain = STR("example.org"),
	    .selectors = {&selector, 1},
	    .algorithms = {&algorithm, 1},
	    .at = (uint64_t)TEST_NOW * 1000,
	    .name = STR("mail.example.org"),
	    .peer = STR("192.0.2.9"),
	};

	assert_int_equal(ipc_send(s->channel, IPC_FINISH, &finish), 0);
}

static void sign(struct scribe *s, int fd)
{
	unsigned char signature[DKIM_SIGNATURE_LEN_MAX];
	struct buf text CLEANUP(buf_done) = BUF_MAX(TEST_MESSAGE_MAX);
	uint8_t hash[DKIM_HASH_LEN];

	read_fd(fd, &text);
	assert_true(arc_seal_is_text(buf_str(&text)));
	dkim_hash(buf_str(&text), hash);
	struct ipc_sealed m = {.signature = test_key_sign(&key, hash, signature)};
	assert_int_equal(ipc_send(s->channel, IPC_SEALED, &m), 0);
}

/* The message as it goes; how often something was signed. */
static unsigned forward(
    struct str message, enum dns_result result, size_t n_keys, struct buf *ret_text)
{
	struct scribe s = begin(message, result, n_keys);
	unsigned n = 0;

	say_finish(&s, DKIM_RSA_SHA256);
	for (bool is_over = false; !is_over;) {
		struct ipc_received m = hear(&s);
		is_over = m.type == IPC_FINISHED;
		assert_true(is_over || m.type == IPC_SEAL);
		if (is_over) {
			assert_int_equal(((struct ipc_finished *)m.msg)->fields.n, 0);
			read_fd(((struct ipc_finished *)m.msg)->message, ret_text);
		} else {
			sign(&s, ((struct ipc_seal *)m.msg)->text);
			n++;
		}
		ipc_received_done(&m);
	}
	assert_int_equal(end(&s), 0);
	return n;
}

#define HAS(text, part) (str_find(buf_str(&(text)), STR(part)) < (text).len)

#define PLAIN "From: Joe <joe@example.com>\r\nSubject: x\r\n\r\nHello\r\n"

static void what_is_forwarded_is_sealed(void **state UNUSED)
{
	struct buf text CLEANUP(buf_done) = BUF_MAX(TEST_MESSAGE_MAX);

	assert_int_equal(forward(STR(PLAIN), DNS_FOUND, 0, &text), 2);
	assert_true(str_starts(buf_str(&text), STR("ARC-Seal: i=1; a=rsa-sha256; cv=none;")));
	assert_true(HAS(text, "\r\nARC-Authentication-Results: i=1; mail.example.org;\r\n"
	                      "\tdkim=none;\r\n"
	                      "\tarc=none smtp.remote-ip=192.0.2.9\r\n" TRACE PLAIN));
	assert_int_equal(test_status(buf_str(&text), &zone), ARC_PASS);
}

/* A message that `author` signed. */
static struct buf signed_by_author(void)
{
	struct buf text = BUF_MAX(TEST_MESSAGE_MAX);
	struct buf names CLEANUP(buf_done) = BUF_MAX(DKIM_SIGN_NAMES_MAX);
	struct buf field CLEANUP(buf_done) = BUF_MAX(DKIM_SIGN_FIELD_MAX);
	struct dkim_signer signer = {
	    STR("example.com"), STR("a"), DKIM_KEY_ED25519, TEST_NOW - 100};
	unsigned char signature[DKIM_SIGNATURE_LEN_MAX];
	uint8_t hash[DKIM_HASH_LEN];
	struct dkim_body b;
	struct str header, body;

	header_split(STR(PLAIN), &header, &body);
	dkim_body_begin(&b, DKIM_RELAXED, DKIM_BODY_WHOLE);
	dkim_body_add(&b, body);
	dkim_body_end(&b, hash);
	assert_true(dkim_sign_names(header, &names));
	assert_true(dkim_sign_prepare(&signer, header, buf_str(&names), hash, &field, hash));
	assert_true(
	    dkim_sign_complete(buf_str(&field), test_key_sign(&author, hash, signature), &text));
	buf_add(&text, STR(PLAIN));
	return text;
}

static void a_chain_goes_on(void **state UNUSED)
{
	struct buf first CLEANUP(buf_done) = signed_by_author();
	struct buf second CLEANUP(buf_done) = BUF_MAX(TEST_MESSAGE_MAX);
	struct buf third CLEANUP(buf_done) = BUF_MAX(TEST_MESSAGE_MAX);

	assert_int_equal(forward(buf_str(&first), DNS_FOUND, 1, &second), 2);
	assert_true(HAS(second, "\tdkim=pass header.d=example.com header.s=a "
	                        "header.a=ed25519-sha256 header.b=\""));
	assert_int_equal(forward(buf_str(&second), DNS_FOUND, 2, &third), 2);
	assert_true(str_starts(buf_str(&third), STR("ARC-Seal: i=2; a=rsa-sha256; cv=pass;")));
	assert_true(HAS(third, "\tarc=pass header.oldest-pass=0 smtp.remote-ip=192.0.2.9\r\n"));
	assert_int_equal(test_status(buf_str(&third), &zone), ARC_PASS);
}

/* A broken chain is said to be one, once; then it is left alone. */
static void a_broken_chain(void **state UNUSED)
{
	struct buf first CLEANUP(buf_done) = BUF_MAX(TEST_MESSAGE_MAX);
	struct buf second CLEANUP(buf_done) = BUF_MAX(TEST_MESSAGE_MAX);
	struct buf third CLEANUP(buf_done) = BUF_MAX(TEST_MESSAGE_MAX);

	assert_int_equal(forward(STR(PLAIN), DNS_FOUND, 0, &first), 2);
	buf_add(&first, STR("-- \r\nA list\r\n"));
	assert_int_equal(forward(buf_str(&first), DNS_FOUND, 1, &second), 2);
	assert_true(str_starts(buf_str(&second), STR("ARC-Seal: i=2; a=rsa-sha256; cv=fail;")));
	assert_true(HAS(second, "\tarc=fail reason=\"body hash did not verify\" smtp.remote-ip"));
	assert_int_equal(forward(buf_str(&second), DNS_FOUND, 0, &third), 0);
	assert_true(str_starts(buf_str(&third), STR(TRACE "ARC-Seal: i=2;")));
	assert_int_equal(third.len, second.len + sizeof(TRACE) - 1);
}

/* RFC 8617 §5.2.1: what cannot be had now breaks the chain; the message goes on. */
static void keys_that_cannot_be_had(void **state UNUSED)
{
	static const enum dns_result results[] = {DNS_FAILED, N_DNS_RESULTS, DNS_NO_NAME};
	struct buf first CLEANUP(buf_done) = signed_by_author();
	struct buf sealed CLEANUP(buf_done) = BUF_MAX(TEST_MESSAGE_MAX);

	assert_int_equal(forward(buf_str(&first), DNS_FOUND, 1, &sealed), 2);
	for (size_t i = 0; i < ARRAY_LEN(results); i++) {
		struct buf text CLEANUP(buf_done) = BUF_MAX(TEST_MESSAGE_MAX);
		assert_int_equal(forward(buf_str(&sealed), results[i], 2, &text), 2);
		assert_true(HAS(text, "ARC-Seal: i=2; a=rsa-sha256; cv=fail;"));
		if (results[i] == DNS_NO_NAME) {
			assert_true(HAS(text, "dkim=permerror reason=\"no key in the DNS\""));
			assert_true(HAS(text, "arc=fail reason=\"no key in the DNS\""));
		} else {
			assert_true(HAS(text, "dkim=temperror reason=\"key cannot be had now\""));
			assert_true(HAS(text, "arc=fail reason=\"key cannot be had now\""));
		}
	}
}

/* RFC 8601 §5: nobody but this server says anything in its name. */
static void results_in_our_name_are_removed(void **state UNUSED)
{
	struct buf text CLEANUP(buf_done) = BUF_MAX(TEST_MESSAGE_MAX);

	forward(STR("Authentication-Results: mail.example.org; dkim=pass\r\n\theader.d=bank\r\n"
	            "rubbish\r\n"
	            "Authentication-Results: other.example; spf=pass\r\n"
	            "From: a@b\r\n"
	            "authentication-results : (x) \"MAIL.example.org\" 1; spf=pass\r\n"
	            "\r\n"
	            "Authentication-Results: mail.example.org; x\r\n"),
	    DNS_FOUND, 0, &text);
	assert_true(HAS(text, TRACE "rubbish\r\n"
	                            "Authentication-Results: other.example; spf=pass\r\n"
	                            "From: a@b\r\n"
	                            "\r\n"
	                            "Authentication-Results: mail.example.org; x\r\n"));
	assert_false(HAS(text, "bank"));
	assert_int_equal(test_status(buf_str(&text), &zone), ARC_PASS);
}

static void a_queue_that_says_what_it_may_not(void **state UNUSED)
{
	struct ipc_received m;
	struct scribe s = begin(STR(PLAIN), DNS_FOUND, 0);

	send_key(&s, 0, STR("x"), DNS_FAILED); /* nobody asked */
	assert_int_equal(ipc_wait(s.channel, 10000, &m), -ENODATA);
	assert_int_equal(end(&s), 1);
	s = begin(STR(PLAIN), DNS_FOUND, 0);
	say_finish(&s, DKIM_ED25519_SHA256);
	assert_int_equal(ipc_wait(s.channel, 10000, &m), -ENODATA);
	assert_int_equal(end(&s), 1);
	struct buf text CLEANUP(buf_done) = signed_by_author();
	s = begin(buf_str(&text), DNS_FOUND, 1);
	send_key(&s, 0, STR("a._domainkey.example.com"), DNS_FOUND); /* it has it */
	assert_int_equal(ipc_wait(s.channel, 10000, &m), -ENODATA);
	assert_int_equal(end(&s), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_forwarded_is_sealed),
	    cmocka_unit_test(a_chain_goes_on),
	    cmocka_unit_test(a_broken_chain),
	    cmocka_unit_test(keys_that_cannot_be_had),
	    cmocka_unit_test(results_in_our_name_are_removed),
	    cmocka_unit_test(a_queue_that_says_what_it_may_not),
	};
	return cmocka_run_group_tests(tests, make_keys, free_keys);
}
