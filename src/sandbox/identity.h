/*
 * sandbox/identity.h: the users that roles run as, where the server was started as root.
 *
 * The supervisor looks all of them up once, before it closes itself in, and hands the numbers down:
 * no role asks the system's name services, which would need sockets and files.
 */
#ifndef SANDBOX_IDENTITY_H
#define SANDBOX_IDENTITY_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/buf.h"
#include "ipc/messages.h"

struct identity {
	uid_t uid;
	gid_t gid;
	gid_t group; /* one further group, 0: none */
};

struct identities {
	struct identity of[N_ROLES];
};

/* Looks up the user and group of each row. -ENOENT: `*ret_missing` is the name that the system does
 * not know (borrowed from the table). */
MUST_USE int identities_lookup(struct identities *ret_ids, const char **ret_missing);

/* As text and back, for the environment of a role. */
MUST_USE bool identities_encode(const struct identities *ids, struct buf *out);
MUST_USE bool identities_decode(struct str text, struct identities *ret_ids);

/*
 * Turns this root process into the role's user for good: groups, gid, uid, and no capability but
 * CAP_SETUID and CAP_SETGID where `becomes` (the filter then says to which ids). -errno.
 */
MUST_USE int identity_assume(const struct identity *id, bool becomes);

/* Drops every capability. -errno. */
MUST_USE int identity_drop_capabilities(void);

/* Leaves of root's capabilities those that the supervisor and its roles need. -errno. */
MUST_USE int identity_limit_supervisor(void);

#endif
