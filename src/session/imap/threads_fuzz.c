/*
 * Messages of a few identifiers that name each other: every message is told once, and the brackets
 * close. Input: which threading, then for each message its date, subject (a bit of it: a reply),
 * identifier, how many references, and these.
 */
#include <assert.h>
#include <stdlib.h>

#include "base/num.h"
#include "session/imap/threads.h"

enum { MESSAGES_MAX = 1000, REFERENCES_MAX = 16, NUMBER_BASE = 1000 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static uint8_t take(struct str *rest)
{
	uint8_t byte = rest->len > 0 ? (uint8_t)rest->p[0] : 0;

	*rest = str_from(*rest, 1);
	return byte;
}

/* The identifiers go in, the rest is for later. */
static struct thread_message add(struct threads *t, struct str *rest)
{
	uint8_t ids[8 * (1 + REFERENCES_MAX)];
	struct thread_message message = {.sent_at = take(rest)};
	uint8_t subject = take(rest);
	struct str text = str_of("abcdefg", subject & 7);

	message.subject = threads_subject(t, text);
	message.is_reply = (subject & 8) != 0;
	num_put64(ids, take(rest));
	size_t n = take(rest) % (REFERENCES_MAX + 1);
	for (size_t i = 1; i <= n; i++)
		num_put64(ids + 8 * i, take(rest) + 1);
	int r = threads_add(t, str_of(ids, 8 * (n + 1)));
	assert(r == 0);
	return message;
}

static void check(struct str text, size_t n)
{
	bool seen[MESSAGES_MAX] = {false};
	size_t depth = 0, n_seen = 0;

	while (text.len > 0) {
		char c = take(&text);
		if (c == '(') {
			depth++;
		} else if (c == ')') {
			assert(depth-- > 0);
		} else if (ascii_is_digit(c)) {
			size_t number = (size_t)(c - '0');
			while (text.len > 0 && ascii_is_digit(text.p[0]))
				number = number * 10 + (size_t)(take(&text) - '0');
			assert(depth > 0 && number >= NUMBER_BASE && number < NUMBER_BASE + n);
			assert(!seen[number - NUMBER_BASE]);
			seen[number - NUMBER_BASE] = true;
			n_seen++;
		} else {
			assert(c == ' ' && depth > 0);
		}
	}
	assert(depth == 0 && n_seen == n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct str rest = str_of(data, len);
	struct threads *t = threads_new(MESSAGES_MAX);
	bool by_subject = (take(&rest) & 1) != 0;
	struct thread_message messages[MESSAGES_MAX];
	uint32_t numbers[MESSAGES_MAX];
	struct imap_output out;
	size_t n = 0;

	imap_output_init(&out, -1);
	for (; rest.len > 0 && n < MESSAGES_MAX; n++) {
		messages[n] = add(t, &rest);
		numbers[n] = NUMBER_BASE + (uint32_t)n;
	}
	for (size_t i = 0; i < n; i++)
		threads_describe(t, &messages[i]);
	if (by_subject)
		threads_link_subjects(t);
	else
		threads_link_references(t);
	threads_write(t, numbers, &out);
	check(buf_str(&out.buf), n);
	imap_output_done(&out);
	threads_free(t);
	return 0;
}
