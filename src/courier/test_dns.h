/* courier/test_dns.h: a resolver with a table, in a process of its own, for tests alone. */
#ifndef COURIER_TEST_DNS_H
#define COURIER_TEST_DNS_H

#include <arpa/inet.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/num.h"
#include "dns/rdata.h"
#include "ipc/channel.h"
#include "ipc/messages.h"
#include "ipc/outgoing.h"

enum { TEST_RECORDS_MAX = 16 };

/* Names that are in no line do not exist. */
struct test_answer {
	const char *name;
	enum dns_type type;
	enum dns_result result;
	enum dns_security security;
	const char *canonical;
	const char *records[TEST_RECORDS_MAX]; /* as a zone file has them; up to NULL */
};

static inline uint64_t test_dns_number(struct str *rest)
{
	uint64_t n = 0;

	if (!num_parse(str_cut(rest, ' '), UINT16_MAX, &n))
		abort();
	return n;
}

static inline void test_dns_encode(enum dns_type type, const char *text, struct buf *out)
{
	struct str rest = str_of_cstr(text);
	struct dns_name name;
	unsigned char address[16];

	if (type == DNS_A || type == DNS_AAAA) {
		if (inet_pton(type == DNS_A ? AF_INET : AF_INET6, text, address) != 1)
			abort();
		buf_add(out, str_of(address, type == DNS_A ? 4 : 16));
	} else if (type == DNS_CNAME) {
		if (!dns_name_parse(rest, &name))
			abort();
		dns_name_add(&name, out);
	} else if (type == DNS_MX) {
		uint64_t preference = test_dns_number(&rest);
		buf_add_c(out, (char)(preference >> 8));
		buf_add_c(out, (char)preference);
		if (!dns_name_parse(rest, &name))
			abort();
		dns_name_add(&name, out);
	} else {
		for (int i = 0; i < 3; i++)
			buf_add_c(out, (char)test_dns_number(&rest));
		if (!hex_decode(rest, out))
			abort();
	}
}

static inline const struct test_answer *test_dns_find(
    const struct test_answer *v, size_t n, const struct ipc_dns *question)
{
	for (size_t i = 0; i < n; i++)
		if (v[i].type == question->type && str_eq(str_of_cstr(v[i].name), question->name))
			return &v[i];
	return NULL;
}

/* A name that is there with other types has none of this one. */
static inline bool test_dns_exists(
    const struct test_answer *v, size_t n, const struct ipc_dns *question)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(str_of_cstr(v[i].name), question->name))
			return true;
	return false;
}

static inline int test_dns_answer(
    int channel, const struct test_answer *v, size_t n, const struct ipc_dns *question)
{
	static char bytes[TEST_RECORDS_MAX][512];
	struct str records[TEST_RECORDS_MAX];
	const struct test_answer *found = test_dns_find(v, n, question);
	struct ipc_dns_answer answer = {.request = question->request, .detail = STR("a test")};

	answer.result = test_dns_exists(v, n, question) ? DNS_NO_DATA : DNS_NO_NAME;
	if (found != NULL) {
		answer.result = (uint8_t)found->result;
		answer.security = (uint8_t)found->security;
		answer.canonical = str_of_cstr(found->canonical);
		size_t i = 0;
		for (; i < TEST_RECORDS_MAX && found->records[i] != NULL; i++) {
			struct buf b = {.p = bytes[i], .cap = 512, .max = 512};
			test_dns_encode(found->type, found->records[i], &b);
			records[i] = buf_str(&b);
		}
		answer.records = (struct ipc_strs){records, i};
	}
	return ipc_send(channel, IPC_DNS_ANSWER, &answer);
}

/* Answers until the channel ends. */
static inline pid_t test_dns_start(const struct test_answer *v, size_t n, int *ret_channel)
{
	int ends[2];

	if (ipc_pair(ends) < 0)
		abort();
	pid_t pid = fork();
	if (pid == 0) {
		struct ipc_received m;
		close(ends[0]);
		while (ipc_recv(ends[1], &m) == 0) {
			if (m.type != IPC_DNS || test_dns_answer(ends[1], v, n, m.msg) < 0)
				_exit(1);
			ipc_received_done(&m);
		}
		_exit(0);
	}
	close(ends[1]);
	*ret_channel = ends[0];
	return pid;
}

#endif
