/*
 * directory/dkim.h: having the keyholder make the keys of DKIM, and handing it those that are kept
 * here.
 *
 * One key is made at a time. Whenever the keyholder was started anew it gets all keys again, bit by
 * bit as its channel takes them; then every domain that has no active key of an algorithm gets one:
 * those of an instance that comes from before there were keys, too.
 */
#ifndef DIRECTORY_DKIM_H
#define DIRECTORY_DKIM_H

#include "directory/database_dkim.h"
#include "directory/state.h"

enum { DIRECTORY_DKIM_MAKINGS_MAX = 64 };

struct dkim_work *dkim_work_new(struct directory *d);
void dkim_work_free(struct dkim_work *w);

/* The keyholder's channel: d->keyholder is a new one. */
extern const struct ipc_receivers directory_keyholder_receivers;
void dkim_work_begin(struct dkim_work *w);
/* From time to time: what could not be made is tried again. */
void dkim_work_check(struct dkim_work *w);

/*
 * Makes a key of each algorithm for the domain: DKIM_ACTIVE where it has none yet, or DKIM_NEW.
 * `done` is called once, perhaps before this returns: 0, -EPIPE when the keyholder went away, or
 * another error. -EPIPE: there is no keyholder; -EAGAIN: too many are being made.
 */
MUST_USE int dkim_work_make(struct dkim_work *w, struct str domain, enum dkim_state state,
    void (*done)(int error, void *ctx), void *ctx);

/* Has the keyholder forget these. */
void dkim_work_forget(struct dkim_work *w, const struct dkim_row *rows, size_t n);

#endif
