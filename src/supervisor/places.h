/*
 * supervisor/places.h: what the supervisor takes hold of before it closes itself in: the data
 * folder and its parts, the lock against a second server, the sockets.
 *
 * Functions print one line on standard error that says what, where and what to do, and return
 * -errno.
 */
#ifndef SUPERVISOR_PLACES_H
#define SUPERVISOR_PLACES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "config/config.h"
#include "sandbox/identity.h"

enum { PLACES_LISTENERS_MAX = 7 };

struct listener {
	enum role gatekeeper;
	uint16_t port;
	bool implicit_tls;
	int socket;
};

/*
 * Makes the data folder the working folder (its descriptor in `*ret_fd`, given), creates what is
 * missing of its parts, and, where `ids` is not NULL, gives each part to its role's user.
 */
MUST_USE int places_open_data(const char *path, const struct identities *ids, int *ret_fd);

/* Takes the lock run/gatepost.pid and writes our process id there. Held as long as `*ret_fd` is
 * open. -EBUSY when another server runs on this folder. */
MUST_USE int places_lock(int *ret_fd);

/* Binds the ports of the configuration. */
MUST_USE int places_listen(
    const struct config *config, struct listener v[static PLACES_LISTENERS_MAX], size_t *ret_n);

/* The control socket run/control, for its owner only. */
MUST_USE int places_listen_control(int *ret_fd);

#endif
