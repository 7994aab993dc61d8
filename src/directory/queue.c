/* What the directory answers to the queue. */
#include <errno.h>

#include "base/log.h"
#include "directory/dkim.h"
#include "ipc/outgoing.h"

enum { ARENA_LEN = 256 * 1024 };

/* The keys that mail of a domain is signed with. */
static int on_signers(struct loop_entry *from, void *msg, void *ctx)
{
	struct directory *d = ctx;
	const struct ipc_signers *m = msg;
	struct arena a CLEANUP(arena_done) = ARENA_MAX(ARENA_LEN);
	struct str selectors[OUTGOING_SIGNATURES_MAX];
	uint64_t algorithms[OUTGOING_SIGNATURES_MAX];
	struct str domain;
	struct dkim_row *rows;
	size_t n = 0, n_signers = 0;
	if (name_parse_domain(m->domain, &a, &domain)) {
		int error = database_dkim_keys(d->db, domain, &a, &rows, &n);
		if (error)
			log_event(LOG_ERROR, "directory.lookup-failed",
			    "file=directory/%s errno=%d", DATABASE_FILE, -error);
	}
	for (size_t i = 0; i < n && n_signers < OUTGOING_SIGNATURES_MAX; i++)
		if (rows[i].state == DKIM_ACTIVE) {
			selectors[n_signers] = rows[i].selector;
			algorithms[n_signers++] = rows[i].algorithm;
		}
	struct ipc_signers_answer answer = {
	    .request = m->request,
	    .selectors = {selectors, n_signers},
	    .algorithms = {algorithms, n_signers},
	};
	return loop_send(from, IPC_SIGNERS_ANSWER, &answer);
}

static void on_queue_closed(struct loop_entry *from, int error, void *ctx)
{
	struct directory *d = ctx;
	if (error == -EBADMSG || error == -EPROTO)
		directory_alarm(d, "", "the queue sent a message that is not allowed");
	if (d->queue == from)
		d->queue = NULL;
}

static const struct ipc_receiver messages[] = {{IPC_SIGNERS, on_signers}};
const struct ipc_receivers directory_queue_receivers = {
    messages, ARRAY_LEN(messages), on_queue_closed};
