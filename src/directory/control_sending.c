/* The verbs that say who may send as an address that is somebody else's. */
#include <errno.h>

#include "directory/control.h"

/* The address, an account's or alias's here, and the account that is to have the right. */
static bool find_both(
    struct control *c, const struct ipc_control *m, struct name *ret_address, uint64_t *ret_account)
{
	struct directory *d = c->directory;
	struct name user;
	if (m->targets.n != 1) {
		control_done(c, EINVAL, "%.*s: say to whom, with --to USER", STR_FMT(m->name));
		return false;
	}
	struct str to = m->targets.v[0];
	int in_use = name_parse(m->name, &c->arena, ret_address)
	                 ? database_name_in_use(d->db, ret_address)
	                 : 0;
	if (in_use <= 0) {
		control_done(c, ENOENT,
		    "%.*s: no such account or alias; see `gatepost account list` and `gatepost "
		    "alias list`",
		    STR_FMT(str_first(m->name, IPC_ADDRESS_MAX)));
		return false;
	}
	if (!name_parse(to, &c->arena, &user) || database_account_id(d->db, &user, ret_account)) {
		control_done(c, ENOENT, "%.*s: no such account; see `gatepost account list`",
		    STR_FMT(str_first(to, IPC_ADDRESS_MAX)));
		return false;
	}
	return true;
}

static unsigned right_of(const struct ipc_control *m)
{
	return m->on_behalf ? GRANT_SEND_ON_BEHALF : GRANT_SEND_AS;
}

static void change(struct control *c, const struct ipc_control *m, const struct name *address,
    uint64_t account, unsigned rights, enum ledger_kind kind)
{
	struct directory *d = c->directory;
	int error = database_grant(d->db, address, account, rights);
	if (error == -E2BIG) {
		control_done(c, E2BIG, "%.*s: may send as %d addresses already",
		    STR_FMT(m->targets.v[0]), DATABASE_GRANTS_MAX);
		return;
	}
	if (error) {
		control_failed(c, error, m->name);
		return;
	}
	directory_ledger(d, kind, account, "", m->on_behalf ? "on-behalf" : "as");
	control_done(c, 0, "%s", "");
}

void control_send_grant(struct control *c, const struct ipc_control *m)
{
	struct name address;
	uint64_t account;
	unsigned rights = 0;
	if (!find_both(c, m, &address, &account))
		return;
	int error = database_granted(c->directory->db, &address, account, &rights);
	if (error)
		control_failed(c, error, m->name);
	else if (rights & right_of(m))
		control_done(c, EEXIST, "%.*s: has this right already", STR_FMT(m->targets.v[0]));
	else
		change(c, m, &address, account, rights | right_of(m), LEDGER_SEND_GRANT);
}

void control_send_revoke(struct control *c, const struct ipc_control *m)
{
	struct name address;
	uint64_t account;
	unsigned rights = 0;
	if (!find_both(c, m, &address, &account))
		return;
	int error = database_granted(c->directory->db, &address, account, &rights);
	if (error)
		control_failed(c, error, m->name);
	else if (!(rights & right_of(m)))
		control_done(c, ENOENT,
		    "%.*s: does not have this right; see `gatepost account show`",
		    STR_FMT(m->targets.v[0]));
	else
		change(c, m, &address, account, rights & ~right_of(m), LEDGER_SEND_REVOKE);
}

static void send_rows(struct control *c, const struct grant_row *row)
{
	static const char *const columns[] = {"address", "right"};
	static const struct {
		unsigned right;
		struct str name;
	} rights[] = {
	    {GRANT_SEND_AS, STR_INIT("as")}, {GRANT_SEND_ON_BEHALF, STR_INIT("on-behalf")}};
	for (size_t i = 0; i < ARRAY_LEN(rights); i++) {
		struct str values[] = {control_name(c, &row->name), rights[i].name};
		if (row->rights & rights[i].right)
			control_row(c, columns, values, ARRAY_LEN(values));
	}
}

void control_send_list(struct control *c, const struct ipc_control *m)
{
	struct grant_row *rows = NULL;
	struct name user;
	uint64_t account;
	size_t n = 0;
	int error = name_parse(m->name, &c->arena, &user)
	                ? database_account_id(c->directory->db, &user, &account)
	                : -ENOENT;
	if (!error)
		error = database_grants(c->directory->db, account, &c->arena, &rows, &n);
	if (error == -ENOENT) {
		control_done(c, ENOENT, "%.*s: no such account; see `gatepost account list`",
		    STR_FMT(str_first(m->name, IPC_ADDRESS_MAX)));
		return;
	}
	if (error) {
		control_failed(c, error, m->name);
		return;
	}
	for (size_t i = 0; i < n; i++)
		send_rows(c, &rows[i]);
	control_done(c, 0, "%s", "");
}
