/* A message that can go at once is written as one row, and is under way when that is committed. */
#include "queue/fresh.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/fd.h"
#include "base/log.h"
#include "queue/carriage.h"

static uint64_t len_of(const struct accept *a)
{
	uint64_t len = 0;
	for (size_t i = 0; i < a->n_parts; i++)
		len += a->parts[i].len;
	return len;
}

/* Nothing about it needs more than the one row. */
static bool is_simple(const struct accept *a, uint64_t now)
{
	const struct queued_recipient *v = a->recipients;
	if (a->n_recipients == 0 || a->n_recipients > CARRY_RECIPIENTS_MAX ||
	    a->m.hold_until > now || a->m.mail.by_mode != BY_NONE || len_of(a) > QUEUE_FRESH_MAX)
		return false;
	for (size_t i = 0; i < a->n_recipients; i++)
		if (!str_eq(v[i].domain, v[0].domain) || v[i].next_at > now ||
		    v[i].state != RECIPIENT_WAITING || v[i].sender.len > 0 || v[i].via.len > 0 ||
		    v[i].hops > 0)
			return false;
	return true;
}

/* Nothing waits there that would be overtaken, and there is somebody to take it. */
static bool has_way(const struct queue *q, const struct queued_destination *d, uint64_t now)
{
	if (d->failures > 0 || d->blocked_until > now || (d->due_at > 0 && d->due_at <= now))
		return false;
	return str_eq(d->name, STR(QUEUE_LOCAL)) || q->dispatcher;
}

static int write_parts(const struct accept *a, int *ret_fd)
{
	int fd CLEANUP(fd_close) = memfd_create("message", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int error = fd < 0 ? -errno : 0;
	for (size_t i = 0; i < a->n_parts && !error; i++)
		if (a->parts[i].len > 0)
			error = fd_write_all(fd, a->parts[i]);
	if (!error)
		error = fd_seal(fd);
	if (!error)
		*ret_fd = fd_take(&fd);
	return error;
}

static bool dup_message(struct carriage *c, const struct queued_message *m)
{
	struct arena *a = &c->arena;
	c->m = *m;
	return arena_dup(a, m->peer, &c->m.peer) && arena_dup(a, m->user, &c->m.user) &&
	       arena_dup(a, m->mail.reverse_path, &c->m.mail.reverse_path) &&
	       arena_dup(a, m->mail.envelope_id, &c->m.mail.envelope_id);
}

static bool dup_recipients(struct carriage *c, const struct accept *a)
{
	c->n = a->n_recipients;
	c->v = ARENA_NEW_ARRAY(&c->arena, struct queued_recipient, c->n);
	c->outcomes = ARENA_NEW_ARRAY(&c->arena, struct outcome, c->n);
	if (!c->v || !c->outcomes)
		return false;
	for (size_t i = 0; i < c->n; i++) {
		const struct queued_recipient *r = &a->recipients[i];
		c->v[i] = (struct queued_recipient){.message = c->m.id,
		    .destination = c->place->id,
		    .notify = r->notify,
		    .state = RECIPIENT_ACTIVE,
		    .domain = c->place->name};
		if (!arena_dup(&c->arena, r->address, &c->v[i].address) ||
		    !arena_dup(&c->arena, r->original, &c->v[i].original))
			return false;
	}
	return true;
}

int fresh_take(struct queue *q, struct accept *a, uint64_t now)
{
	enum { TEXTS_MAX = 16 << 10 };
	struct arena texts CLEANUP(arena_done) = ARENA_MAX(TEXTS_MAX);
	struct queued_destination d = {0};
	uint64_t id = 0;
	if (q->is_draining || !is_simple(a, now))
		return 0;
	int error = queue_db_destination_of(q->db, a->recipients[0].domain, &id);
	if (!error)
		error = queue_db_destination(q->db, id, &texts, &d);
	if (error || !has_way(q, &d, now))
		return error;
	struct place *p = carriage_place(q, &d);
	if (!p)
		return 0;
	struct carriage *c = carriage_new(q);
	error = queue_db_fresh_add(q->db, &a->m, a->recipients[0].domain, a->recipients,
	    a->n_recipients, a->parts, a->n_parts, &a->m.id);
	a->m.size = len_of(a);
	c->is_fresh = true;
	bool has_room = dup_message(c, &a->m);
	carriage_claimed(c, p, now);
	if (!has_room || !dup_recipients(c, a))
		abort();
	if (!error)
		error = write_parts(a, &c->message);
	return error ? error : 1;
}

/* --- the end --- */

/* Each arrived, and nobody has to be told. */
static bool is_quiet(const struct carriage *c)
{
	for (size_t i = 0; i < c->n; i++) {
		const struct outcome *o = &c->outcomes[i];
		if (o->result != CARRY_ACCEPTED || o->expanded || o->outside.n > 0 ||
		    (c->v[i].notify & NOTIFY_SUCCESS) != 0)
			return false;
	}
	return true;
}

int fresh_end(struct carriage *c, struct queued_recipient *v)
{
	uint64_t first = 0;
	if (is_quiet(c)) {
		log_event(LOG_INFO, "queue.over", "message=%" PRIu64, c->m.id);
		int error = queue_db_fresh_end(c->q->db, c->m.id, c->m.account);
		return error ? error : 1;
	}
	int error = queue_db_file(c->q->db, c->m.id, RECIPIENT_ACTIVE, &first);
	for (size_t i = 0; i < c->n; i++)
		v[i].id = first + i;
	return error;
}

/* --- filing what is under way still --- */

static int file_all(struct queue *q, uint64_t before, uint64_t *firsts, size_t max, size_t *ret_n)
{
	size_t n = 0;
	int error = 0;
	for (struct carriage *c = q->carriages->all; c && !error && n < max; c = c->next_of_all)
		if (c->is_fresh && c->began_at < before)
			error = queue_db_file(q->db, c->m.id, RECIPIENT_ACTIVE, &firsts[n++]);
	*ret_n = n;
	return error;
}

static void set_filed(struct queue *q, uint64_t before, const uint64_t *firsts, size_t max)
{
	size_t n = 0;
	for (struct carriage *c = q->carriages->all; c && n < max; c = c->next_of_all) {
		if (!c->is_fresh || c->began_at >= before)
			continue;
		c->is_fresh = false;
		for (size_t i = 0; i < c->n; i++)
			c->v[i].id = firsts[n] + i;
		n++;
	}
}

static int file_some(struct queue *q, uint64_t before, size_t *ret_n)
{
	enum { AT_ONCE = 256 };
	uint64_t firsts[AT_ONCE];
	int error = queue_db_begin(q->db, true);
	if (error)
		return error;
	error = file_all(q, before, firsts, AT_ONCE, ret_n);
	if (error) {
		queue_db_rollback(q->db);
		return error;
	}
	error = queue_db_commit(q->db);
	if (!error)
		set_filed(q, before, firsts, *ret_n);
	return error;
}

void fresh_file(struct queue *q, uint64_t before)
{
	size_t n = 1;
	int error = 0;
	for (;;) {
		const struct carriage *c = q->carriages->all;
		while (c && !(c->is_fresh && c->began_at < before))
			c = c->next_of_all;
		if (!c || error || n == 0)
			break;
		error = file_some(q, before, &n);
	}
	if (error)
		queue_report(q, "what is under way cannot be filed", error);
}
