/* The directory's side of the registry: questions with answers that come later. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "directory/state.h"

uint64_t directory_request(struct directory *d)
{
	return ++d->last_request;
}

int directory_ask(struct directory *d, uint16_t type, const void *msg, uint64_t request,
    void (*answered)(int error, void *ctx), void *ctx)
{
	if (!d->registry)
		return -EPIPE;
	if (d->n_questions == DIRECTORY_QUESTIONS_MAX)
		return -EAGAIN;
	struct question *q = calloc(1, sizeof(*q));
	if (!q)
		return -ENOMEM;
	int error = loop_send(d->registry, type, msg);
	if (error) {
		free(q);
		return error;
	}
	*q = (struct question){.next = d->questions,
	    .request = request,
	    .asked_at = clock_ms(),
	    .answered = answered,
	    .ctx = ctx};
	d->questions = q;
	d->n_questions++;
	return 0;
}

/* Takes the question at `*place` out of the list and answers it. */
static void answer(struct directory *d, struct question **place, int error)
{
	struct question *q = *place;
	*place = q->next;
	d->n_questions--;
	q->answered(error, q->ctx);
	free(q);
}

static int on_done(struct loop_entry *from UNUSED, void *msg, void *ctx)
{
	struct directory *d = ctx;
	struct ipc_registry_done *done = msg;
	for (struct question **place = &d->questions; *place; place = &(*place)->next) {
		if ((*place)->request != done->request)
			continue;
		answer(d, place, done->error > INT32_MAX ? -EIO : -(int)done->error);
		break;
	}
	/* an answer that came after its time-out is not looked for */
	directory_stop_when_drained(d);
	return 0;
}

void directory_check_questions(struct directory *d)
{
	struct question **place = &d->questions;
	while (*place) {
		if (clock_ms() - (*place)->asked_at < DIRECTORY_REGISTRY_TIMEOUT_MS) {
			place = &(*place)->next;
			continue;
		}
		answer(d, place, -ETIMEDOUT);
		place = &d->questions; /* the handler may have asked anew */
	}
}

static void on_closed(struct loop_entry *from, int error, void *ctx)
{
	struct directory *d = ctx;
	if (error == -EBADMSG || error == -EPROTO)
		directory_alarm(d, "", "the registry sent a message that is not allowed");
	if (d->registry != from)
		return;
	d->registry = NULL;
	while (d->questions)
		answer(d, &d->questions, -EPIPE);
}

static const struct ipc_receiver messages[] = {{IPC_REGISTRY_DONE, on_done}};
const struct ipc_receivers directory_registry_receivers = {
    messages, ARRAY_LEN(messages), on_closed};

/* --- accounts that a crash left half made or half removed --- */

struct cleaning {
	struct directory *directory;
	uint64_t account;
};

static void on_cleaned(int error, void *ctx)
{
	struct cleaning *cleaning = ctx;
	struct directory *d = cleaning->directory;
	if (error == 0 || error == -ENOENT)
		error = database_account_erase(d->db, cleaning->account);
	if (error)
		log_event(LOG_WARNING, "directory.not-cleaned-up", "account=%" PRIu64 " errno=%d",
		    cleaning->account, -error);
	else
		log_event(LOG_INFO, "directory.cleaned-up", "account=%" PRIu64, cleaning->account);
	d->cleaned_up = cleaning->account;
	free(cleaning);
	directory_clean_up(d);
}

/* The next one that no request is about right now: false where there is none. */
static bool next_unfinished(struct directory *d, uint64_t *ret_account)
{
	uint64_t account = d->cleaned_up;
	do {
		if (database_unfinished(d->db, account, &account))
			return false;
	} while (directory_is_busy_with(d, account));
	*ret_account = account;
	return true;
}

void directory_clean_up(struct directory *d)
{
	uint64_t account;
	struct cleaning *cleaning;
	if (!d->registry || !next_unfinished(d, &account) ||
	    !(cleaning = calloc(1, sizeof(*cleaning))))
		return;
	*cleaning = (struct cleaning){d, account};
	struct ipc_account_remove msg = {directory_request(d), account};
	if (directory_ask(d, IPC_ACCOUNT_REMOVE, &msg, msg.request, on_cleaned, cleaning))
		free(cleaning);
}
