#include "mail/received.h"

#include "mail/expect.h"
#include "mail/header.h"

static void received_is_counted(void **state)
{
	(void)state;
	assert_int_equal(received_count(STR("Received: a\r\nSubject: x\r\nRECEIVED: b\r\n c\r\n"
	                                    "X-Received: c\r\n\r\nReceived: in the body\r\n")),
	    2);
	assert_int_equal(received_count(STR("")), 0);
}

static void received_is_written(void **state)
{
	(void)state;
	struct buf out CLEANUP(buf_done) = BUF_MAX(2000);
	const struct received received = {.helo = STR("client.test"),
	    .peer_name = STR("host.test"),
	    .peer_address = STR("192.0.2.1"),
	    .by = STR("mx.example.test"),
	    .protocol = STR("ESMTPS"),
	    .tls = STR("TLSv1.3 with cipher TLS_AES_256_GCM_SHA384"),
	    .id = STR("4f2a"),
	    .recipient = STR("ada@example.test"),
	    .date = {.epoch_s = 1795439104}};

	assert_true(received_format(&received, &out));
	expect_buf(out, "Received: from client.test (host.test [192.0.2.1])\r\n"
	                "\t(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384)\r\n"
	                "\tby mx.example.test with ESMTPS id 4f2a\r\n"
	                "\tfor <ada@example.test>;\r\n"
	                "\tMon, 23 Nov 2026 13:05:04 +0000\r\n");
}

static void received_leaves_out_what_is_not_known(void **state)
{
	(void)state;
	struct buf out CLEANUP(buf_done) = BUF_MAX(2000);
	const struct received received = {.peer_address = STR("2001:db8::1"),
	    .by = STR("mx.example.test"),
	    .protocol = STR("SMTP"),
	    .date = {.epoch_s = 0}};

	assert_true(received_format(&received, &out));
	expect_buf(out, "Received: from unknown (unknown [IPv6:2001:db8::1])\r\n"
	                "\tby mx.example.test with SMTP;\r\n\tThu, 1 Jan 1970 00:00:00 +0000\r\n");
}

static void received_cannot_be_broken_out_of(void **state)
{
	(void)state;
	struct buf out CLEANUP(buf_done) = BUF_MAX(2000);
	const struct received received = {.helo = STR("x)\r\nBcc: y (;\"\\"),
	    .peer_address = STR("192.0.2.1"),
	    .by = STR("mx"),
	    .protocol = STR("SMTP"),
	    .recipient = STR("a>\r\n\r\nbody")};
	struct header_field field;

	assert_true(received_format(&received, &out));
	struct header_reader reader = {.rest = buf_str(&out)};
	assert_true(header_next(&reader, &field));
	assert_int_equal(field.whole.len, out.len);
	assert_true(str_find(buf_str(&out), STR("from x???Bcc:?y????? (")) < out.len);
}

static void received_is_bounded(void **state)
{
	(void)state;
	struct buf out CLEANUP(buf_done) = BUF_MAX(4000);
	struct buf helo CLEANUP(buf_done) = BUF_MAX(1 << 16);

	repeat(&helo, "x", 10000);
	const struct received received = {.helo = buf_str(&helo),
	    .peer_address = STR("192.0.2.1"),
	    .by = STR("mx"),
	    .protocol = STR("SMTP")};
	assert_true(received_format(&received, &out));
	assert_true(out.len < RECEIVED_VALUE_LEN_MAX + 200);
	struct buf small CLEANUP(buf_done) = BUF_MAX(100);
	assert_false(received_format(&received, &small));
	assert_int_equal(small.len, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(received_is_counted),
	    cmocka_unit_test(received_is_written),
	    cmocka_unit_test(received_leaves_out_what_is_not_known),
	    cmocka_unit_test(received_cannot_be_broken_out_of),
	    cmocka_unit_test(received_is_bounded),
	};
	return cmocka_run_group_tests_name("mail/received", tests, NULL, NULL);
}
