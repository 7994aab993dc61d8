#include "directory/dkim.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "ipc/outgoing.h"

enum {
	HAND_OVER_PIECE = 32,
	HAND_OVER_AGAIN_MS = 20,
	ARENA_LEN = 1 << 20,
	SELECTORS_A_DAY_MAX = 100,
};

struct making {
	struct making *next;
	char domain[DNS_NAME_MAX + 1];
	char selector[DKIM_SELECTOR_MAX + 1];
	uint8_t algorithm; /* the one that is being made */
	enum dkim_state state;
	void (*done)(int error, void *ctx);
	void *ctx;
};

struct dkim_work {
	struct directory *directory;
	struct making *first; /* being made, and those behind it */
	size_t n_makings;
	uint64_t request; /* of the key that is being made, 0: none */
	bool is_handing_over;
	char after_domain[DNS_NAME_MAX + 1], after_selector[DKIM_SELECTOR_MAX + 1];
};

struct dkim_work *dkim_work_new(struct directory *d)
{
	struct dkim_work *w = calloc(1, sizeof(*w));
	assert(w != NULL);
	w->directory = d;
	return w;
}

void dkim_work_free(struct dkim_work *w)
{
	while (w && w->first) {
		struct making *m = w->first;
		w->first = m->next;
		free(m);
	}
	free(w);
}

/* --- making --- */

static void make_next(struct dkim_work *w);

static void finish(struct dkim_work *w, int error)
{
	struct making *m = w->first;
	w->first = m->next;
	w->n_makings--;
	w->request = 0;
	if (error)
		log_event(LOG_ERROR, "directory.no-dkim-key", "error=%s", strerror(-error));
	else
		directory_ledger(w->directory, LEDGER_DOMAIN_KEYS, 0, "", "made");
	m->done(error, m->ctx);
	free(m);
}

/* "rsa-20261123"; a second one of that day is "rsa-20261123-2". */
static int choose_selector(struct making *m, const struct dkim_row *rows, size_t n)
{
	static const char *const words[] = {"rsa", "ed25519"};
	time_t now = (time_t)clock_wall();
	struct tm tm;
	if (!gmtime_r(&now, &tm))
		return -EINVAL;
	for (int i = 1; i <= SELECTORS_A_DAY_MAX; i++) {
		char number[8] = "";
		bool is_free = true;
		if (i > 1)
			snprintf(number, sizeof(number), "-%d", i);
		snprintf(m->selector, sizeof(m->selector), "%s-%04d%02d%02d%s", words[m->algorithm],
		    tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, number);
		for (size_t k = 0; k < n; k++)
			is_free = is_free && !str_eq(rows[k].selector, str_of_cstr(m->selector));
		if (is_free)
			return 0;
	}
	return -EAGAIN;
}

/* 1: the domain has that key; 0: it is being asked for. */
static int ask_for_key(struct dkim_work *w, struct making *m)
{
	struct arena a CLEANUP(arena_done) = ARENA_MAX(ARENA_LEN);
	struct directory *d = w->directory;
	struct str domain = str_of_cstr(m->domain);
	struct dkim_row *rows;
	size_t n;
	int error = database_dkim_keys(d->db, domain, &a, &rows, &n);
	if (error)
		return error;
	for (size_t i = 0; i < n; i++)
		if (m->state == DKIM_ACTIVE && rows[i].algorithm == m->algorithm &&
		    rows[i].state != DKIM_OLD)
			return 1;
	error = choose_selector(m, rows, n);
	if (error)
		return error;
	struct ipc_dkim_make question = {.request = directory_request(d),
	    .domain = domain,
	    .selector = str_of_cstr(m->selector),
	    .algorithm = m->algorithm};
	error = loop_send(d->keyholder, IPC_DKIM_MAKE, &question);
	if (!error)
		w->request = question.request;
	return error;
}

static void make_next(struct dkim_work *w)
{
	while (w->first && !w->request && w->directory->keyholder) {
		int r = ask_for_key(w, w->first);
		if (r == 0)
			return;
		if (r > 0 && ++w->first->algorithm < N_DKIM_ALGORITHMS)
			continue;
		finish(w, r < 0 ? r : 0);
	}
}

static int on_made(struct loop_entry *from UNUSED, void *msg, void *ctx)
{
	struct dkim_work *w = ((struct directory *)ctx)->dkim;
	const struct ipc_dkim_made *made = msg;
	if (!w->first || made->request != w->request || made->error > INT32_MAX)
		return -EPROTO;
	struct making *m = w->first;
	struct dkim_row row = {
	    .domain = str_of_cstr(m->domain),
	    .selector = str_of_cstr(m->selector),
	    .algorithm = m->algorithm,
	    .state = m->state,
	    .public_key = made->public_key,
	    .sealed = made->sealed,
	};
	w->request = 0;
	int error = made->error ? -(int)made->error : database_dkim_add(w->directory->db, &row);
	if (error && !made->error)
		dkim_work_forget(w, &row, 1);
	if (error || ++m->algorithm == N_DKIM_ALGORITHMS)
		finish(w, error);
	make_next(w);
	return 0;
}

int dkim_work_make(struct dkim_work *w, struct str domain, enum dkim_state state,
    void (*done)(int error, void *ctx), void *ctx)
{
	if (!w->directory->keyholder)
		return -EPIPE;
	struct making **end = &w->first;
	struct making *m = w->n_makings < DIRECTORY_DKIM_MAKINGS_MAX ? calloc(1, sizeof(*m)) : NULL;
	if (!m)
		return -EAGAIN;
	*m = (struct making){.state = state, .done = done, .ctx = ctx};
	if (str_to_cstr(domain, m->domain, sizeof(m->domain))) {
		free(m);
		return -EINVAL;
	}
	while (*end)
		end = &(*end)->next;
	*end = m;
	w->n_makings++;
	if (w->first == m && !w->request)
		make_next(w);
	return 0;
}

void dkim_work_forget(struct dkim_work *w, const struct dkim_row *rows, size_t n)
{
	for (size_t i = 0; i < n && w->directory->keyholder; i++) {
		struct ipc_dkim_forget m = {rows[i].domain, rows[i].selector};
		(void)loop_send(w->directory->keyholder, IPC_DKIM_FORGET, &m);
	}
}

/* --- domains without --- */

static void on_missing_made(int error, void *ctx)
{
	if (!error)
		dkim_work_check(ctx);
}

void dkim_work_check(struct dkim_work *w)
{
	struct arena a CLEANUP(arena_done) = ARENA_MAX(ARENA_LEN);
	struct directory *d = w->directory;
	struct str domain;
	if (!d->keyholder || w->is_handing_over || w->first)
		return;
	for (uint8_t algorithm = 0; algorithm < N_DKIM_ALGORITHMS; algorithm++) {
		if (database_dkim_missing(d->db, algorithm, &a, &domain))
			continue;
		if (dkim_work_make(w, domain, DKIM_ACTIVE, on_missing_made, w))
			log_event(LOG_WARNING, "directory.no-dkim-key", "error=%s", "later");
		return;
	}
}

/* --- handing over --- */

/* 1: the channel takes no more for now. */
static int hand_over_row(struct dkim_work *w, const struct dkim_row *row)
{
	struct ipc_dkim_key m = {row->domain, row->selector, row->algorithm, row->sealed};
	int error = loop_offer(w->directory->keyholder, IPC_DKIM_KEY, &m);
	if (error)
		return error == -EAGAIN ? 1 : error;
	if (str_to_cstr(row->domain, w->after_domain, sizeof(w->after_domain)) ||
	    str_to_cstr(row->selector, w->after_selector, sizeof(w->after_selector)))
		return -EBADMSG;
	return 0;
}

/* 0: all are handed over; 1: not yet. */
static int hand_over_some(struct dkim_work *w)
{
	for (;;) {
		struct arena a CLEANUP(arena_done) = ARENA_MAX(ARENA_LEN);
		struct dkim_row *rows;
		size_t n;
		int r = database_dkim_after(w->directory->db, str_of_cstr(w->after_domain),
		    str_of_cstr(w->after_selector), HAND_OVER_PIECE, &a, &rows, &n);
		for (size_t i = 0; r == 0 && i < n; i++)
			r = hand_over_row(w, &rows[i]);
		if (r != 0 || n < HAND_OVER_PIECE)
			return r;
	}
}

static void hand_over(void *ctx)
{
	struct dkim_work *w = ctx;
	if (!w->is_handing_over || !w->directory->keyholder)
		return;
	int r = hand_over_some(w);
	if (r == 1 && !loop_after(w->directory->loop, HAND_OVER_AGAIN_MS, hand_over, w))
		return;
	w->is_handing_over = false;
	if (r < 0)
		log_event(
		    LOG_ERROR, "directory.dkim-keys-not-handed-over", "error=%s", strerror(-r));
	make_next(w);
	dkim_work_check(w);
}

void dkim_work_begin(struct dkim_work *w)
{
	loop_forget(w->directory->loop, w);
	w->is_handing_over = true;
	w->after_domain[0] = w->after_selector[0] = '\0';
	hand_over(w);
}

static void on_closed(struct loop_entry *from, int error, void *ctx)
{
	struct directory *d = ctx;
	if (error == -EBADMSG || error == -EPROTO)
		directory_alarm(d, "", "the keyholder sent a message that is not allowed");
	if (d->keyholder != from)
		return;
	d->keyholder = NULL;
	d->dkim->is_handing_over = false;
	d->dkim->request = 0;
	while (d->dkim->first)
		finish(d->dkim, -EPIPE);
}

static const struct ipc_receiver messages[] = {{IPC_DKIM_MADE, on_made}};
const struct ipc_receivers directory_keyholder_receivers = {
    messages, ARRAY_LEN(messages), on_closed};
