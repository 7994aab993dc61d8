/* The verbs for domains and aliases, and the list of accounts. */
#include <errno.h>
#include <stdio.h>

#include "directory/control.h"
#include "directory/dkim.h"

/* --- domains --- */

static bool parse_domain(struct control *c, struct str text, struct str *ret_domain)
{
	if (name_parse_domain(text, &c->arena, ret_domain))
		return true;
	control_done(c, EINVAL, "%.*s: not a domain name; write it like example.org, without @",
	    STR_FMT(str_first(text, IPC_ADDRESS_MAX)));
	return false;
}

/* Without its keys the domain is here all the same; they are made when the keyholder can. */
static void on_keys_made(int error UNUSED, void *ctx)
{
	control_done(ctx, 0, "%s", "");
}

void control_domain_add(struct control *c, const struct ipc_control *m)
{
	struct directory *d = c->directory;
	struct str domain;
	if (!parse_domain(c, m->name, &domain))
		return;
	int error = database_domain_add(d->db, domain);
	if (error == -EEXIST) {
		control_done(c, EEXIST, "%.*s: this domain is here already", STR_FMT(domain));
	} else if (error) {
		control_failed(c, error, domain);
	} else {
		resolver_changed(d->resolver);
		directory_ledger(d, LEDGER_DOMAIN_ADD, 0, "", "");
		if (dkim_work_make(d->dkim, domain, DKIM_ACTIVE, on_keys_made, c))
			on_keys_made(0, c);
	}
}

void control_domain_remove(struct control *c, const struct ipc_control *m)
{
	struct directory *d = c->directory;
	struct str domain;
	if (!parse_domain(c, m->name, &domain))
		return;
	struct dkim_row *keys;
	size_t n = 0;
	int error = database_dkim_keys(d->db, domain, &c->arena, &keys, &n);
	if (!error)
		error = database_domain_remove(d->db, domain);
	if (error == -ENOENT) {
		control_done(
		    c, ENOENT, "%.*s: no such domain; see `gatepost domain list`", STR_FMT(domain));
	} else if (error == -EBUSY) {
		control_done(c, EBUSY, "%.*s: it still has accounts or aliases; remove them first",
		    STR_FMT(domain));
	} else if (error) {
		control_failed(c, error, domain);
	} else {
		resolver_changed(d->resolver);
		dkim_work_forget(d->dkim, keys, n);
		directory_ledger(d, LEDGER_DOMAIN_REMOVE, 0, "", "");
		control_done(c, 0, "%s", "");
	}
}

void control_domain_list(struct control *c, const struct ipc_control *m)
{
	static const char *const columns[] = {"domain", "accounts", "aliases", "created_at"};
	struct str after = STR("");
	struct domain_row *rows;
	size_t n;
	if (m->name.len > 0 && !parse_domain(c, m->name, &after))
		return;
	int error =
	    database_domains(c->directory->db, after, CONTROL_ROWS_MAX, &c->arena, &rows, &n);
	if (error) {
		control_failed(c, error, STR("domains"));
		return;
	}
	for (size_t i = 0; i < n; i++) {
		struct str values[] = {rows[i].name, control_number(c, rows[i].n_accounts),
		    control_number(c, rows[i].n_aliases), control_time(c, rows[i].created_at)};
		control_row(c, columns, values, ARRAY_LEN(values));
	}
	control_done(c, 0, "%s", "");
}

/* --- lists of names --- */

static bool parse_after(struct control *c, struct str text, struct name *ret_after)
{
	*ret_after = (struct name){STR(""), STR("")};
	if (text.len == 0 || name_parse(text, &c->arena, ret_after))
		return true;
	control_done(c, EINVAL, "%.*s: not an address", STR_FMT(str_first(text, IPC_ADDRESS_MAX)));
	return false;
}

void control_account_list(struct control *c, const struct ipc_control *m)
{
	static const char *const columns[] = {
	    "address", "id", "state", "quota_bytes", "created_at"};
	struct name after;
	struct account_row *rows;
	size_t n;
	if (!parse_after(c, m->name, &after))
		return;
	int error =
	    database_accounts(c->directory->db, &after, CONTROL_ROWS_MAX, &c->arena, &rows, &n);
	if (error) {
		control_failed(c, error, STR("accounts"));
		return;
	}
	for (size_t i = 0; i < n; i++) {
		struct str values[] = {control_name(c, &rows[i].name),
		    control_number(c, rows[i].id), STR("active"),
		    control_number(c, rows[i].quota_bytes), control_time(c, rows[i].created_at)};
		control_row(c, columns, values, ARRAY_LEN(values));
	}
	control_done(c, 0, "%s", "");
}

static int send_alias(struct control *c, const struct name *alias)
{
	static const char *const columns[] = {"alias", "target", "leaves"};
	struct name *targets;
	size_t n;
	int error = database_alias_targets(c->directory->db, alias, &c->arena, &targets, &n);
	for (size_t i = 0; !error && i < n; i++) {
		int ours = database_domain_find(c->directory->db, targets[i].domain);
		struct str values[] = {control_name(c, alias), control_name(c, &targets[i]),
		    ours == -ENOENT ? STR("yes") : STR("no")};
		control_row(c, columns, values, ARRAY_LEN(values));
	}
	return error;
}

void control_alias_list(struct control *c, const struct ipc_control *m)
{
	struct name after;
	struct name *names;
	size_t n;
	if (!parse_after(c, m->name, &after))
		return;
	int error =
	    database_aliases(c->directory->db, &after, CONTROL_ALIASES_MAX, &c->arena, &names, &n);
	for (size_t i = 0; !error && i < n; i++)
		error = send_alias(c, &names[i]);
	if (error)
		control_failed(c, error, STR("aliases"));
	else
		control_done(c, 0, "%s", "");
}

/* --- aliases --- */

/* A target is an account or alias here, or an address elsewhere: 0, or the request is ended. */
static int parse_target(
    struct control *c, struct str text, struct name *ret_target, size_t *n_outside)
{
	struct directory *d = c->directory;
	uint64_t account;
	struct name *targets;
	struct name outside;
	size_t n;
	if (!name_parse_outside(text, &c->arena, &outside) ||
	    !name_parse(text, &c->arena, ret_target)) {
		control_done(c, EINVAL, "%.*s: not an address; write it like name@example.org",
		    STR_FMT(str_first(text, IPC_ADDRESS_MAX)));
		return -EINVAL;
	}
	/* What mail is sent with has one limit, also in the form with A-labels. */
	if (text.len > IPC_ADDRESS_MAX ||
	    outside.local.len + 1 + outside.domain.len > IPC_ADDRESS_MAX) {
		control_done(c, EINVAL, "%.*s…: an address of more than %d bytes cannot be sent to",
		    STR_FMT(str_first(text, 64)), (int)IPC_ADDRESS_MAX);
		return -EINVAL;
	}
	int error = database_domain_find(d->db, ret_target->domain);
	if (error == -ENOENT) {
		*ret_target = outside;
		(*n_outside)++;
		return 0;
	}
	if (error) {
		control_failed(c, error, text);
		return error;
	}
	if (database_account_id(d->db, ret_target, &account) &&
	    database_alias_targets(d->db, ret_target, &c->arena, &targets, &n)) {
		control_done(c, ENOENT,
		    "%.*s: no such account or alias; add it first, or see `gatepost account list`",
		    STR_FMT(text));
		return -ENOENT;
	}
	return 0;
}

static void say_why_not_added(struct control *c, int error, struct str name)
{
	if (error == -EEXIST)
		control_done(c, EEXIST, "%.*s: an account or alias of this name is here already",
		    STR_FMT(name));
	else if (error == -ENOENT)
		control_done(c, ENOENT,
		    "%.*s: not one of this server's domains; add it with `gatepost domain add`",
		    STR_FMT(name));
	else
		control_failed(c, error, name);
}

void control_alias_add(struct control *c, const struct ipc_control *m)
{
	struct directory *d = c->directory;
	struct name alias;
	struct name targets[DATABASE_TARGETS_MAX];
	size_t n_outside = 0;
	if (!name_parse(m->name, &c->arena, &alias) || !name_may_be_new(&alias)) {
		control_done(c, EINVAL,
		    "%.*s: not an address that can be given out; write it like name@example.org, "
		    "without +",
		    STR_FMT(str_first(m->name, IPC_ADDRESS_MAX)));
		return;
	}
	if (m->targets.n == 0 || m->targets.n > DATABASE_TARGETS_MAX) {
		control_done(c, EINVAL, "%.*s: an alias leads to 1 to %d addresses",
		    STR_FMT(m->name), DATABASE_TARGETS_MAX);
		return;
	}
	for (size_t i = 0; i < m->targets.n; i++)
		if (parse_target(c, m->targets.v[i], &targets[i], &n_outside))
			return;
	int error = database_alias_add(d->db, &alias, targets, m->targets.n);
	if (error) {
		say_why_not_added(c, error, control_name(c, &alias));
		return;
	}
	resolver_changed(d->resolver);
	char detail[32] = "";
	if (n_outside > 0)
		snprintf(detail, sizeof(detail), "leaves=%zu", n_outside);
	directory_ledger(d, LEDGER_ALIAS_ADD, 0, "", detail);
	control_done(c, 0, "%s", "");
}

void control_alias_remove(struct control *c, const struct ipc_control *m)
{
	struct directory *d = c->directory;
	struct name alias;
	int error =
	    name_parse(m->name, &c->arena, &alias) ? database_alias_remove(d->db, &alias) : -ENOENT;
	if (error == -ENOENT) {
		control_done(c, ENOENT, "%.*s: no such alias; see `gatepost alias list`",
		    STR_FMT(str_first(m->name, IPC_ADDRESS_MAX)));
	} else if (error == -EBUSY) {
		control_done(c, EBUSY, "%.*s: another alias leads to it; remove that one first",
		    STR_FMT(m->name));
	} else if (error) {
		control_failed(c, error, m->name);
	} else {
		resolver_changed(d->resolver);
		directory_ledger(d, LEDGER_ALIAS_REMOVE, 0, "", "");
		control_done(c, 0, "%s", "");
	}
}
