/* The verbs about the keys of DKIM of a domain. */
#include <errno.h>

#include "directory/control.h"
#include "directory/dkim.h"
#include "ipc/outgoing.h"
#include "mail/dkim_key.h"

/* A domain that is here, or the request is ended. */
static bool find_domain(struct control *c, const struct ipc_control *m, struct str *ret_domain)
{
	struct str domain;
	if (!name_parse_domain(m->name, &c->arena, &domain) ||
	    database_domain_find(c->directory->db, domain)) {
		control_done(c, ENOENT, "%.*s: no such domain; see `gatepost domain list`",
		    STR_FMT(str_first(m->name, IPC_ADDRESS_MAX)));
		return false;
	}
	*ret_domain = domain;
	return true;
}

static void send_key(struct control *c, const struct dkim_row *row)
{
	static const char *const columns[] = {
	    "selector", "algorithm", "state", "record", "created_at"};
	static const struct str algorithms[] = {STR_INIT("rsa-sha256"), STR_INIT("ed25519-sha256")};
	static const struct str states[] = {STR_INIT("new"), STR_INIT("active"), STR_INIT("old")};
	struct buf text CLEANUP(buf_done) = BUF_MAX(IPC_STRS_ITEM_MAX);
	struct str record = STR("");
	if (row->algorithm >= N_DKIM_ALGORITHMS || row->state > DKIM_OLD)
		return;
	if (!dkim_key_format(row->algorithm == DKIM_RSA_SHA256 ? DKIM_KEY_RSA : DKIM_KEY_ED25519,
	        row->public_key, &text) ||
	    !arena_dup(&c->arena, buf_str(&text), &record))
		return;
	struct str values[] = {row->selector, algorithms[row->algorithm], states[row->state],
	    record, control_time(c, row->created_at)};
	control_row(c, columns, values, ARRAY_LEN(values));
}

void control_domain_keys(struct control *c, const struct ipc_control *m)
{
	struct str domain;
	struct dkim_row *rows;
	size_t n;
	if (!find_domain(c, m, &domain))
		return;
	int error = database_dkim_keys(c->directory->db, domain, &c->arena, &rows, &n);
	if (error) {
		control_failed(c, error, domain);
		return;
	}
	for (size_t i = 0; i < n; i++)
		send_key(c, &rows[i]);
	control_done(c, 0, "%s", "");
}

static void on_rotated(int error, void *ctx)
{
	struct control *c = ctx;
	if (error == -EPIPE)
		control_done(c, EPIPE, "the keyholder ended while it made the keys; try again");
	else if (error == -ENOSPC)
		control_done(c, ENOSPC,
		    "there are too many keys; forget old ones with `gatepost domain rotate-keys "
		    "--retire`");
	else if (error)
		control_failed(c, error, STR("keys"));
	else
		control_done(c, 0, "%s", "");
}

static bool has_new(const struct dkim_row *rows, size_t n)
{
	bool found = false;
	for (size_t i = 0; i < n; i++)
		found = found || rows[i].state == DKIM_NEW;
	return found;
}

void control_domain_rotate(struct control *c, const struct ipc_control *m)
{
	struct str domain;
	struct dkim_row *rows;
	size_t n;
	if (!find_domain(c, m, &domain))
		return;
	int error = database_dkim_keys(c->directory->db, domain, &c->arena, &rows, &n);
	if (error) {
		control_failed(c, error, domain);
		return;
	}
	if (has_new(rows, n)) {
		control_done(c, EEXIST,
		    "%.*s: new keys are there already; publish their records (`gatepost domain dns "
		    "%.*s`), then use them with `gatepost domain rotate-keys %.*s --switch`",
		    STR_FMT(domain), STR_FMT(domain), STR_FMT(domain));
		return;
	}
	error = dkim_work_make(c->directory->dkim, domain, DKIM_NEW, on_rotated, c);
	if (error)
		control_done(c, EAGAIN,
		    "%.*s: the keyholder is not there or busy; try again in a moment",
		    STR_FMT(domain));
}

void control_domain_switch(struct control *c, const struct ipc_control *m)
{
	struct str domain;
	if (!find_domain(c, m, &domain))
		return;
	int error = database_dkim_switch(c->directory->db, domain);
	if (error == -ENOENT) {
		control_done(c, ENOENT,
		    "%.*s: there are no new keys; make them with `gatepost domain rotate-keys "
		    "%.*s`",
		    STR_FMT(domain), STR_FMT(domain));
	} else if (error) {
		control_failed(c, error, domain);
	} else {
		directory_ledger(c->directory, LEDGER_DOMAIN_KEYS, 0, "", "switched");
		control_done(c, 0, "%s", "");
	}
}

void control_domain_retire(struct control *c, const struct ipc_control *m)
{
	struct directory *d = c->directory;
	struct str domain;
	struct dkim_row *rows;
	size_t n = 0;
	if (!find_domain(c, m, &domain))
		return;
	int error = database_dkim_keys(d->db, domain, &c->arena, &rows, &n);
	if (!error)
		error = database_dkim_retire(d->db, domain);
	if (error == -ENOENT) {
		control_done(c, ENOENT, "%.*s: there are no old keys", STR_FMT(domain));
	} else if (error) {
		control_failed(c, error, domain);
	} else {
		for (size_t i = 0; i < n; i++)
			if (rows[i].state == DKIM_OLD)
				dkim_work_forget(d->dkim, &rows[i], 1);
		directory_ledger(d, LEDGER_DOMAIN_KEYS, 0, "", "retired");
		control_done(c, 0, "%s", "");
	}
}
