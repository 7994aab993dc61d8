/*
 * courier/test_script.h: a server that follows a script, in a process of its own, for tests alone.
 *
 * The script is lines:
 *
 *   S: text      it says this line                 RAW text   it says this, no line's end (\r \n)
 *   C: text      it hears this line ("*" at the end: whatever follows)
 *   BODY n       it hears n bytes                  DATA       it hears lines up to "." alone
 *   TLS name     it shakes hands with that certificate: good, alone, expired
 *   NEXT addr    it closes, and takes the next connection, which came to that address
 *   CLOSE        it closes                         RESET      it closes without an orderly end
 *   WAIT ms      it does nothing for so long       FLOOD      it says lines of one reply without
 * end DRIP ms      it says a reply byte by byte, one in so many milliseconds, until nobody listens
 */
#ifndef COURIER_TEST_SCRIPT_H
#define COURIER_TEST_SCRIPT_H

#include "courier/test_server.h"

static inline void test_server_body(struct test_server *s, struct str text)
{
	uint64_t len = test_server_number(s, text);

	while (len > 0) {
		if (s->n == 0)
			test_server_fill(s);
		size_t piece = num_min(s->n, len);
		test_server_consume(s, piece);
		len -= piece;
	}
}

static inline void test_server_data(struct test_server *s, struct str none UNUSED)
{
	for (bool ended = false; !ended;) {
		struct str line = test_server_line(s);
		ended = str_eq(line, STR("."));
		test_server_consume(s, line.len + 2);
	}
}

static inline void test_server_drip(struct test_server *s, struct str text)
{
	uint64_t ms = test_server_number(s, text);
	struct str next = STR("220-");

	while (test_server_write(s, next.len > 0 ? str_first(next, 1) : STR("x"))) {
		next = str_from(next, 1);
		usleep((useconds_t)ms * 1000);
	}
}

static inline void test_server_raw(struct test_server *s, struct str text)
{
	while (text.len > 0) {
		struct str piece = str_first(text, 1);
		if (str_skip(&text, STR("\\r")))
			piece = STR("\r");
		else if (str_skip(&text, STR("\\n")))
			piece = STR("\n");
		else
			text = str_from(text, 1);
		(void)test_server_write(s, piece);
	}
}

static inline void test_server_say(struct test_server *s, struct str text)
{
	if (!test_server_write(s, text) || !test_server_write(s, STR("\r\n")))
		test_server_fail(s, "cannot speak");
}

static inline void test_server_hear(struct test_server *s, struct str text)
{
	test_server_expect(s, str_from(text, str_starts(text, STR(" "))));
}

static inline void test_server_wait(struct test_server *s, struct str ms)
{
	usleep((useconds_t)test_server_number(s, ms) * 1000);
}

static inline void test_server_flood(struct test_server *s, struct str none UNUSED)
{
	while (test_server_write(s, STR("220-and so on\r\n")))
		;
}

static inline void test_server_next(struct test_server *s, struct str address)
{
	test_server_close(s, true);
	test_server_accept(s, str_trim(address));
}

/* RCPTMAX is 1, so that each recipient is a message. */
static inline void test_server_serve(struct test_server *s, struct str text)
{
	uint64_t left = test_server_number(s, text);

	test_server_say(s, STR("220 mx1.example.net"));
	while (left > 0) {
		struct str line = test_server_line(s);
		bool is_data = str_eq(line, STR("DATA")), is_hello = str_starts(line, STR("EHLO"));
		test_server_consume(s, line.len + 2);
		if (is_hello)
			test_server_say(s, STR("250-mx1.example.net\r\n250-PIPELINING"));
		if (is_data) {
			test_server_say(s, STR("354 go"));
			test_server_data(s, STR(""));
			left--;
		}
		test_server_say(s, is_hello ? STR("250 LIMITS RCPTMAX=1") : STR("250 ok"));
	}
}

static inline void test_server_leave(struct test_server *s, struct str none UNUSED)
{
	test_server_close(s, true);
}

static inline void test_server_break(struct test_server *s, struct str none UNUSED)
{
	test_server_close(s, false);
}

static inline void test_server_step(struct test_server *s, struct str rest)
{
	static const struct {
		struct str word;
		void (*act)(struct test_server *s, struct str argument);
	} steps[] = {
	    {STR_INIT("S: "), test_server_say},
	    {STR_INIT("C:"), test_server_hear},
	    {STR_INIT("RAW "), test_server_raw},
	    {STR_INIT("BODY "), test_server_body},
	    {STR_INIT("DATA"), test_server_data},
	    {STR_INIT("TLS "), test_server_tls},
	    {STR_INIT("WAIT "), test_server_wait},
	    {STR_INIT("DRIP "), test_server_drip},
	    {STR_INIT("SERVE "), test_server_serve},
	    {STR_INIT("FLOOD"), test_server_flood},
	    {STR_INIT("NEXT"), test_server_next},
	    {STR_INIT("CLOSE"), test_server_leave},
	    {STR_INIT("RESET"), test_server_break},
	};

	for (size_t i = 0; i < ARRAY_LEN(steps); i++)
		if (str_skip(&rest, steps[i].word)) {
			steps[i].act(s, rest);
			return;
		}
	test_server_fail(s, "no such step");
}

/* The process's life: 0 when all went as the script says. A script without steps takes no
 * connection. */
static inline _Noreturn void test_server_run(struct test_server *s)
{
	if (s->script.len > 0)
		test_server_accept(s, STR(""));
	while (s->script.len > 0) {
		s->line = str_cut_line(&s->script);
		if (s->line.len > 0 && s->line.p[0] != '#')
			test_server_step(s, s->line);
	}
	_exit(0);
}

#endif
