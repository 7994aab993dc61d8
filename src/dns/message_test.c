#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <errno.h>

#include "dns/message.h"

enum { ROOM = 1 << 18 };

/* A response that is put together record by record; the question is for "a.example". */
struct response {
	struct buf bytes;
	uint16_t type;
};

static void add16(struct buf *b, unsigned v)
{
	buf_add_c(b, (char)(v >> 8));
	buf_add_c(b, (char)v);
}

static void add32(struct buf *b, uint32_t v)
{
	add16(b, v >> 16);
	add16(b, v & 0xffff);
}

#define QUESTION_NAME                                                                              \
	STR("\x01"                                                                                 \
	    "a\x07"                                                                                \
	    "example\0")
/* Pointers to it and to its last label. */
#define SAME_NAME STR("\xc0\x0c")
#define EXAMPLE   "\xc0\x0e"

static struct response begin(uint16_t type, unsigned rcode, unsigned answers, unsigned authority)
{
	struct response r = {.bytes = BUF_MAX(ROOM), .type = type};
	const unsigned header[] = {1, 0x8180 | rcode, 1, answers, authority, 0};

	for (size_t i = 0; i < ARRAY_LEN(header); i++)
		add16(&r.bytes, header[i]);
	buf_add(&r.bytes, QUESTION_NAME);
	add16(&r.bytes, type);
	add16(&r.bytes, 1);
	return r;
}

static void record(
    struct response *r, struct str owner, unsigned type, uint32_t ttl, struct str rdata)
{
	buf_add(&r->bytes, owner);
	add16(&r->bytes, type);
	add16(&r->bytes, 1);
	add32(&r->bytes, ttl);
	add16(&r->bytes, (unsigned)rdata.len);
	buf_add(&r->bytes, rdata);
}

static int read_response(struct response *r, struct arena *a, struct dns_message *ret)
{
	*a = ARENA_MAX(ROOM);
	int error = dns_message_read(buf_str(&r->bytes), r->type, a, ret);
	/* Cut short anywhere it is no message, and nothing beyond its end is read. */
	for (size_t len = 0; len < r->bytes.len && error == 0 && r->bytes.len < 1000; len++) {
		struct dns_message none;
		struct arena other CLEANUP(arena_done) = ARENA_MAX(ROOM);
		char *copy = malloc(len + 1);
		memcpy(copy, r->bytes.p, len);
		assert_int_equal(
		    dns_message_read(str_of(copy, len), r->type, &other, &none), -EBADMSG);
		free(copy);
	}
	buf_done(&r->bytes);
	return error;
}

static void records_are_taken(void **state UNUSED)
{
	struct response r = begin(DNS_MX, 0, 2, 0);
	struct arena a CLEANUP(arena_done) = {0};
	struct dns_message m;
	struct dns_mx mx;

	record(&r, SAME_NAME, DNS_MX, 300, STR("\0\x0a\x02mx" EXAMPLE));
	record(&r, SAME_NAME, DNS_MX, 200, STR("\0\x14\xc0\x0c"));
	assert_int_equal(read_response(&r, &a, &m), 0);
	assert_int_equal(m.n, 2);
	assert_int_equal(m.ttl, 200);
	assert_int_equal(m.rcode, DNS_RCODE_OK);
	assert_false(m.is_alias);
	assert_string_equal(m.canonical.text, "a.example");
	assert_true(dns_mx_parse(m.records[0], &mx));
	assert_string_equal(mx.exchange.text, "mx.example");
	assert_true(dns_mx_parse(m.records[1], &mx));
	assert_string_equal(mx.exchange.text, "a.example");
}

static void aliases_are_followed(void **state UNUSED)
{
	struct response r = begin(DNS_A, 0, 3, 0);
	struct arena a CLEANUP(arena_done) = {0};
	struct dns_message m;

	record(&r, SAME_NAME, DNS_CNAME, 50,
	    STR("\x01"
	        "B" EXAMPLE));
	record(&r,
	    STR("\x01"
	        "c" EXAMPLE),
	    DNS_A, 10, STR("\1\1\1\1"));
	record(&r,
	    STR("\x01"
	        "b" EXAMPLE),
	    DNS_A, 300, STR("\2\2\2\2"));
	assert_int_equal(read_response(&r, &a, &m), 0);
	assert_true(m.is_alias);
	assert_string_equal(m.canonical.text, "b.example");
	assert_int_equal(m.n, 1);
	assert_int_equal(m.ttl, 50);
	assert_true(str_eq(m.records[0], STR("\2\2\2\2")));
}

static void an_alias_itself_can_be_asked_for(void **state UNUSED)
{
	struct response r = begin(DNS_CNAME, 0, 1, 0);
	struct arena a CLEANUP(arena_done) = {0};
	struct dns_message m;
	struct dns_name name;

	record(&r, SAME_NAME, DNS_CNAME, 50,
	    STR("\x01"
	        "b" EXAMPLE));
	assert_int_equal(read_response(&r, &a, &m), 0);
	assert_int_equal(m.n, 1);
	assert_true(dns_target_parse(m.records[0], &name));
	assert_string_equal(name.text, "b.example");
	assert_false(m.is_alias);
}

static void nothing_is_remembered_as_long_as_the_zone_says(void **state UNUSED)
{
	struct response r = begin(DNS_A, DNS_RCODE_NXDOMAIN, 0, 1);
	struct arena a CLEANUP(arena_done) = {0};
	struct dns_message m;

	record(&r, SAME_NAME, DNS_SOA, 900, STR("\0\0\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\x3c"));
	assert_int_equal(read_response(&r, &a, &m), 0);
	assert_int_equal(m.rcode, DNS_RCODE_NXDOMAIN);
	assert_int_equal(m.n, 0);
	assert_int_equal(m.ttl, 60);
	r = begin(DNS_A, 0, 0, 0);
	arena_done(&a);
	assert_int_equal(read_response(&r, &a, &m), 0);
	assert_int_equal(m.ttl, 0);
}

static void limits_are_held(void **state UNUSED)
{
	static char large[DNS_RECORD_LEN_MAX + 1];
	struct response r = begin(DNS_TXT, 0, DNS_RECORDS_MAX + 2, 0);
	struct arena a CLEANUP(arena_done) = {0};
	struct dns_message m;

	record(&r, SAME_NAME, DNS_TXT, 1, str_of(large, sizeof(large)));
	for (int i = 0; i < DNS_RECORDS_MAX + 1; i++)
		record(&r, SAME_NAME, DNS_TXT, 1, STR("\1x"));
	assert_int_equal(read_response(&r, &a, &m), 0);
	assert_int_equal(m.n, DNS_RECORDS_MAX);
	assert_int_equal(m.n_left_out, 2);
	r = begin(DNS_TXT, 0, DNS_RECORDS_MAX, 0);
	for (int i = 0; i < DNS_RECORDS_MAX; i++)
		record(&r, SAME_NAME, DNS_TXT, 1, str_of(large, DNS_RECORD_LEN_MAX));
	arena_done(&a);
	assert_int_equal(read_response(&r, &a, &m), 0);
	assert_int_equal(m.n, DNS_RECORDS_LEN_MAX / DNS_RECORD_LEN_MAX);
	assert_int_equal(m.n + m.n_left_out, DNS_RECORDS_MAX);
}

static void endless_names_and_chains_are_refused(void **state UNUSED)
{
	struct arena a CLEANUP(arena_done) = {0};
	struct dns_message m;
	/* A pointer to itself, and one forwards. */
	struct response r = begin(DNS_A, 0, 1, 0);
	buf_add(&r.bytes, STR("\xc0\x1b\0\0\0\0\0\0\0\0\0\0\0"));
	assert_int_equal(read_response(&r, &a, &m), -EBADMSG);
	r = begin(DNS_A, 0, 1, 0);
	buf_add(&r.bytes, STR("\xc0\x1d\0\0\0\0\0\0\0\0\0\0\0"));
	arena_done(&a);
	assert_int_equal(read_response(&r, &a, &m), -EBADMSG);
	r = begin(DNS_A, 0, DNS_CHAIN_MAX + 1, 0);
	for (int i = 0; i <= DNS_CHAIN_MAX; i++)
		record(&r, SAME_NAME, DNS_CNAME, 1, SAME_NAME);
	arena_done(&a);
	assert_int_equal(read_response(&r, &a, &m), -EBADMSG);
}

static void another_question_is_no_answer(void **state UNUSED)
{
	struct response r = begin(DNS_A, 0, 0, 0);
	struct arena a CLEANUP(arena_done) = {0};
	struct dns_message m;

	r.type = DNS_MX;
	assert_int_equal(read_response(&r, &a, &m), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(records_are_taken),
	    cmocka_unit_test(aliases_are_followed),
	    cmocka_unit_test(an_alias_itself_can_be_asked_for),
	    cmocka_unit_test(nothing_is_remembered_as_long_as_the_zone_says),
	    cmocka_unit_test(limits_are_held),
	    cmocka_unit_test(endless_names_and_chains_are_refused),
	    cmocka_unit_test(another_question_is_no_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
