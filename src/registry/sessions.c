#include "registry/sessions.h"

#include <assert.h>
#include <stdlib.h>

enum { BUCKETS = 1024 };

struct sessions {
	struct session *buckets[BUCKETS];
	struct session *dying;
	size_t n, n_dying;
};

struct sessions *sessions_new(void)
{
	struct sessions *s = calloc(1, sizeof(*s));

	assert(s != NULL);
	return s;
}

static void free_list(struct session *list)
{
	while (list != NULL) {
		struct session *next = list->next;
		free(list);
		list = next;
	}
}

void sessions_free(struct sessions *s)
{
	if (s == NULL)
		return;
	for (size_t i = 0; i < BUCKETS; i++)
		free_list(s->buckets[i]);
	free_list(s->dying);
	free(s);
}

static struct session **bucket_of(struct sessions *s, uint64_t account)
{
	return &s->buckets[account % BUCKETS];
}

void sessions_add(struct sessions *s, struct session *session)
{
	struct session **bucket = bucket_of(s, session->account);

	session->next = *bucket;
	*bucket = session;
	s->n++;
}

void sessions_end(struct sessions *s, struct session *session)
{
	struct session **at = bucket_of(s, session->account);

	while (*at != session) {
		assert(*at != NULL);
		at = &(*at)->next;
	}
	*at = session->next;
	session->next = s->dying;
	s->dying = session;
	session->channel = NULL;
	s->n--;
	s->n_dying++;
}

size_t sessions_count(const struct sessions *s)
{
	return s->n;
}

size_t sessions_count_dying(const struct sessions *s)
{
	return s->n_dying;
}

size_t sessions_count_all(const struct sessions *s)
{
	return s->n + s->n_dying;
}

static size_t count_of(const struct session *list, uint64_t account)
{
	size_t n = 0;

	for (; list != NULL; list = list->next)
		n += list->account == account;
	return n;
}

size_t sessions_count_of(const struct sessions *s, uint64_t account)
{
	return count_of(s->buckets[account % BUCKETS], account) + count_of(s->dying, account);
}

size_t sessions_count_connection(const struct sessions *s, uint64_t connection)
{
	size_t n = 0;

	for (size_t i = 0; i < BUCKETS; i++)
		for (const struct session *at = s->buckets[i]; at != NULL; at = at->next)
			n += at->connection == connection;
	return n;
}

void sessions_each_of(
    struct sessions *s, uint64_t account, void (*fn)(struct session *session, void *ctx), void *ctx)
{
	for (struct session *at = *bucket_of(s, account); at != NULL; at = at->next)
		if (at->account == account)
			fn(at, ctx);
}

void sessions_each(struct sessions *s, void (*fn)(struct session *session, void *ctx), void *ctx)
{
	for (size_t i = 0; i < BUCKETS; i++)
		for (struct session *at = s->buckets[i]; at != NULL; at = at->next)
			fn(at, ctx);
}

void sessions_reap(struct sessions *s, bool (*reap)(struct session *session, void *ctx), void *ctx)
{
	struct session **at = &s->dying;

	while (*at != NULL) {
		struct session *session = *at;
		if (!reap(session, ctx)) {
			at = &session->next;
			continue;
		}
		*at = session->next;
		free(session);
		s->n_dying--;
	}
}
