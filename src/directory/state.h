/*
 * directory/state.h: what the directory's files share: its one struct, and the questions it has
 * open at the registry.
 */
#ifndef DIRECTORY_STATE_H
#define DIRECTORY_STATE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "directory/authorize.h"
#include "directory/database.h"
#include "directory/key_cache.h"
#include "directory/resolve.h"
#include "directory/throttle.h"
#include "directory/work.h"
#include "ipc/loop.h"
#include "ipc/outgoing.h"
#include "sandbox/role.h"

enum {
	DIRECTORY_REGISTRY_TIMEOUT_MS = 15000,
	DIRECTORY_QUESTIONS_MAX = 1024, /* open at the registry */
	DIRECTORY_EXPIRE_MS = 10000,    /* between two looks at the cached keys */
	DIRECTORY_PEER_TEXT_MAX = 64,
};

/* A question at the registry that is not answered yet. */
struct question {
	struct question *next;
	uint64_t request;
	uint64_t asked_at;
	/* `error` 0, or -errno of the registry, -ETIMEDOUT, -EPIPE when it went away */
	void (*answered)(int error, void *ctx);
	void *ctx;
};

struct control;
struct dkim_work;

struct directory {
	struct loop *loop;
	const struct config *config;
	struct database *db;
	struct resolver *resolver;
	struct throttle *throttle;
	struct key_cache *keys;
	struct works *works;
	struct loop_entry *registry; /* NULL while it is started anew */
	struct loop_entry *keyholder, *queue;
	struct loop_entry *ledger;
	struct dkim_work *dkim;
	struct question *questions;
	size_t n_questions;
	uint64_t last_request;
	uint64_t cleaned_up; /* the last unfinished account that was looked at */
	struct control *controls;
	uid_t owner; /* who, beside root, may use the control socket */
	size_t n_gates, n_controls;
	bool is_draining;
};

/* Writes to the ledger (and, for alarms, to the log). */
void directory_ledger(struct directory *d, enum ledger_kind kind, uint64_t account,
    const char *peer, const char *detail);
void directory_alarm(struct directory *d, const char *peer, const char *detail);

/*
 * Asks the registry: `msg` with `request` already set to directory_request(d). `answered` is called
 * once, not within this function. -EPIPE: no registry; -EAGAIN: too many questions.
 */
uint64_t directory_request(struct directory *d);
MUST_USE int directory_ask(struct directory *d, uint16_t type, const void *msg, uint64_t request,
    void (*answered)(int error, void *ctx), void *ctx);

/* --- the registry's channel (questions.c) --- */
extern const struct ipc_receivers directory_registry_receivers;
void directory_check_questions(struct directory *d);
/* Finishes what a crash left half done, one account after the other. */
void directory_clean_up(struct directory *d);

/* --- gates (gates.c) --- */
extern const struct ipc_receivers directory_smtp_gatekeeper_receivers;
extern const struct ipc_receivers directory_imap_gatekeeper_receivers;
extern const struct ipc_receivers directory_pop3_gatekeeper_receivers;
extern const struct ipc_receivers directory_submission_gatekeeper_receivers;

/* --- the queue (queue.c) --- */
extern const struct ipc_receivers directory_queue_receivers;
/* Somebody signed in to submit. -EPIPE: there is no queue now; -EAGAIN: it is busy. */
MUST_USE int directory_introduce_submitter(
    struct directory *d, const struct ipc_submitter *submitter);
MUST_USE int directory_introduce_to_queue(
    struct directory *d, const struct ipc_queue_control *control);
/*
 * May the account send as this address? `""` (no address at all) it may. MAY_SEND_TEMPORARY where
 * the database cannot say.
 */
enum may_send directory_may_send(struct directory *d, uint64_t account, struct str address);

/* --- control connections (control.c) --- */
/* Accepts one on `listener`. */
void directory_accept_control(struct loop_entry *listener, void *ctx);
/* Is a request about this account under way? Then it is not for cleaning up. */
bool directory_is_busy_with(const struct directory *d, uint64_t account);

void directory_stop_when_drained(struct directory *d);

#endif
