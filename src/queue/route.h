/*
 * queue/route.h: which way a recipient's mail leaves: straight to the servers of its domain, or
 * through a relay of the configuration, which the sender's domain decides.
 *
 * The way is the destination that a recipient waits for: its domain, or the relay's label
 * (config/config.h), which is no domain's name. So a relay has one state of its own, however many
 * domains lie behind it: when it was reached last, how many connections it bears, when it is tried
 * again; and a relay in trouble holds up nobody whose mail goes another way. When the configuration
 * changes, a recipient comes to its new destination when it is due.
 *
 * The sender's domain is that of the address under which the message leaves. What leaves under none
 * (a notice, or one that an alias passes on) belongs to the alias that it came by, else to its
 * `user`: who submitted it, or for whose domain the notice speaks.
 */
#ifndef QUEUE_ROUTE_H
#define QUEUE_ROUTE_H

#include "config/config.h"
#include "queue/database.h"

/* The relay for this recipient; NULL: there is none, it goes to the recipient's servers. */
const struct config_relay *route_relay(
    const struct config *config, const struct queued_message *m, const struct queued_recipient *r);

/* The destination of a recipient of another server, in `a` or of the configuration. False: its
 * address has no domain that a courier can be sent to. */
MUST_USE bool route_destination(const struct config *config, const struct queued_message *m,
    const struct queued_recipient *r, struct arena *a, struct str *ret_name);

/* Is this the label of a relay, present or past? */
bool route_is_relay(struct str destination);

/* The way in words, for `queue show`: "direct", "this server", "smtp.example.net (relay a)". */
void route_describe(const struct config *config, struct str destination, struct buf *out);

#endif
