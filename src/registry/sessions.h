/*
 * registry/sessions.h: the sessions that live now, found by account.
 *
 * A session stays in its bucket from its start to the end of its channel, then among the dying
 * until the process was waited for.
 */
#ifndef REGISTRY_SESSIONS_H
#define REGISTRY_SESSIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"

enum { SESSION_PEER_MAX = 64, SESSION_DAMAGES_MAX = 20 };

struct loop_entry;

struct session {
	struct session *next;
	uint64_t account, connection;
	pid_t pid;
	unsigned n_damages;         /* told, of at most SESSION_DAMAGES_MAX that count */
	struct loop_entry *channel; /* NULL once it ended */
	uint64_t overdue_at_ms;     /* by clock_ms: a dying one should be gone */
	struct loop_entry *asker;   /* waits until it is ready; NULL: was answered */
	uint64_t request;           /* of the asker's */
	bool ready;                 /* it said so */
	char peer[SESSION_PEER_MAX + 1];
};

struct sessions;

struct sessions *sessions_new(void);
void sessions_free(struct sessions *s);

/* Takes the session (malloc'ed). */
void sessions_add(struct sessions *s, struct session *session);
/* Its channel ended: it is dying. */
void sessions_end(struct sessions *s, struct session *session);
size_t sessions_count(const struct sessions *s); /* living ones */
size_t sessions_count_dying(const struct sessions *s);
/* With the dying, in all and of an account: a session that closes its channel but lives on still
 * takes its place. */
size_t sessions_count_all(const struct sessions *s);
size_t sessions_count_of(const struct sessions *s, uint64_t account);
/* The living ones of a connection. */
size_t sessions_count_connection(const struct sessions *s, uint64_t connection);

/* Calls `fn` for each living session of an account; of all accounts. `fn` may not add or end. */
void sessions_each_of(struct sessions *s, uint64_t account,
    void (*fn)(struct session *session, void *ctx), void *ctx);
void sessions_each(struct sessions *s, void (*fn)(struct session *session, void *ctx), void *ctx);

/* Calls `reap` for the dying and frees those for which it says true. */
void sessions_reap(struct sessions *s, bool (*reap)(struct session *session, void *ctx), void *ctx);

#endif
