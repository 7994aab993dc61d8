/* A message that lies in windows, each in memory of its own which is gone with the next look. */
#ifndef MAIL_TEST_WINDOWS_H
#define MAIL_TEST_WINDOWS_H

#include <errno.h>
#include <stdlib.h>

#include "base/num.h"
#include "mail/source.h"

struct test_windows {
	struct str message;
	size_t len; /* of a window */
	char *window;
	size_t fails_at; /* reading beyond it fails with -EBADMSG; 0: never */
};

static int test_windows_look(void *context, uint64_t at, struct str *ret_bytes)
{
	struct test_windows *w = context;
	size_t len = num_min(w->len, w->message.len - at);

	free(w->window);
	w->window = malloc(len);
	if (w->window == NULL)
		abort();
	memcpy(w->window, w->message.p + at, len);
	*ret_bytes = str_of(w->window, len);
	return w->fails_at > 0 && at + len > w->fails_at ? -EBADMSG : 0;
}

static inline struct mail_source test_windows_source(struct test_windows *w)
{
	return (struct mail_source){.len = w->message.len, .look = test_windows_look, .context = w};
}

static inline void test_windows_done(struct test_windows *w)
{
	free(w->window);
}

#endif
