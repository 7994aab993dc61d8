/*
 * The verbs for accounts, which take several steps: Argon2id in a worker, the registry's answer.
 * See database.h for why accounts are made and removed in two steps.
 */
#include <errno.h>
#include <inttypes.h>

#include "base/log.h"
#include "directory/control.h"
#include "directory/password.h"
#include "seal/keys.h"
#include "seal/recovery.h"

#define NO_SUCH_ACCOUNT "%.*s: no such account; see `gatepost account list`"

static bool find(struct control *c, const struct ipc_control *m)
{
	struct account_row row;
	int error = name_parse(m->name, &c->arena, &c->name)
	                ? database_account_find(c->directory->db, &c->name, &c->arena, &row)
	                : -ENOENT;
	if (error == -ENOENT)
		control_done(
		    c, ENOENT, NO_SUCH_ACCOUNT, STR_FMT(str_first(m->name, IPC_ADDRESS_MAX)));
	else if (error)
		control_failed(c, error, m->name);
	if (error)
		return false;
	c->account = row.id;
	return true;
}

static bool take_password(struct control *c, struct str password)
{
	if (password.len < PASSWORD_NEW_LEAST) {
		control_done(c, EINVAL, "the password is too short; take at least %d characters",
		    PASSWORD_NEW_LEAST);
		return false;
	}
	if (!password_prepare(password, &c->password)) {
		control_done(c, EINVAL,
		    "the password has control characters, is not UTF-8, or has more than %d bytes; "
		    "take another",
		    PASSWORD_LEN_MAX);
		return false;
	}
	return true;
}

/* --- add --- */

/* After a failure: what was reserved goes, with the folder that may be there. */
static void give_up_account(struct control *c)
{
	struct directory *d = c->directory;
	c->account = 0;
	d->cleaned_up = 0;
	directory_clean_up(d);
}

static int activate(struct control *c)
{
	struct directory *d = c->directory;
	uint8_t recovery_public[CIPHER_PUBLIC_LEN];
	uint8_t recovery[SLOT_LEN];
	int error = database_recovery(d->db, recovery_public);
	if (!error)
		error = slot_seal_recovery(c->master, c->account, recovery_public, recovery);
	return error ? error : database_account_activate(d->db, c->account, c->slot, recovery);
}

static void on_folder_made(int error, void *ctx)
{
	struct control *c = ctx;
	struct directory *d = c->directory;
	if (!error)
		error = activate(c);
	if (error) {
		give_up_account(c);
		control_failed(c, error, control_name(c, &c->name));
		return;
	}
	resolver_changed(d->resolver);
	directory_ledger(d, LEDGER_ACCOUNT_ADD, c->account, "", "");
	static const char *const columns[] = {"address", "id"};
	struct str values[] = {control_name(c, &c->name), control_number(c, c->account)};
	control_row(c, columns, values, ARRAY_LEN(values));
	control_done(c, 0, "%s", "");
}

static int ask_for_folder(struct control *c)
{
	uint8_t file[KEYS_FILE_LEN];
	struct keys keys;
	keys_new(c->account, c->quota_bytes, &keys);
	keys_encode(&keys, c->master, file);
	keys_done(&keys);
	struct ipc_account_create msg = {
	    directory_request(c->directory), c->account, str_of(file, sizeof(file))};
	return directory_ask(
	    c->directory, IPC_ACCOUNT_CREATE, &msg, msg.request, on_folder_made, c);
}

static void on_new_slot(int error, const uint8_t *slot, void *ctx)
{
	struct control *c = ctx;
	if (!error) {
		memcpy(c->slot, slot, SLOT_LEN);
		error = ask_for_folder(c);
	}
	if (error) {
		give_up_account(c);
		control_failed(c, error, control_name(c, &c->name));
	}
}

static bool reserve(struct control *c, const struct ipc_control *m)
{
	if (!name_parse(m->name, &c->arena, &c->name) || !name_may_be_new(&c->name)) {
		control_done(c, EINVAL,
		    "%.*s: not an address that can be given out; write it like name@example.org, "
		    "without +",
		    STR_FMT(str_first(m->name, IPC_ADDRESS_MAX)));
		return false;
	}
	int error =
	    database_account_reserve(c->directory->db, &c->name, m->quota_bytes, &c->account);
	if (error == -EEXIST)
		control_done(c, EEXIST, "%.*s: an account or alias of this name is here already",
		    STR_FMT(m->name));
	else if (error == -ENOENT)
		control_done(c, ENOENT,
		    "%.*s: not one of this server's domains; add it with `gatepost domain add`",
		    STR_FMT(m->name));
	else if (error)
		control_failed(c, error, m->name);
	return error == 0;
}

void control_account_add(struct control *c, const struct ipc_control *m)
{
	if (!take_password(c, m->password) || !reserve(c, m))
		return;
	c->quota_bytes = m->quota_bytes;
	c->master = secret_random();
	int error = works_seal(
	    c->directory->works, c->master, c->account, buf_str(&c->password), on_new_slot, c);
	if (error) {
		give_up_account(c);
		control_failed(c, error, m->name);
	}
}

/* --- show --- */

void control_account_show(struct control *c, const struct ipc_control *m)
{
	static const char *const columns[] = {
	    "address", "id", "state", "quota_bytes", "created_at", "recovery"};
	struct account_row row;
	uint8_t slot[SLOT_LEN];
	if (!find(c, m))
		return;
	int error = database_account_find(c->directory->db, &c->name, &c->arena, &row);
	if (error) {
		control_failed(c, error, m->name);
		return;
	}
	bool has_recovery = !database_slot(c->directory->db, row.id, SLOT_RECOVERY, slot);
	struct str values[] = {control_name(c, &row.name), control_number(c, row.id), STR("active"),
	    control_number(c, row.quota_bytes), control_time(c, row.created_at),
	    has_recovery ? STR("yes") : STR("no")};
	control_row(c, columns, values, ARRAY_LEN(values));
	control_done(c, 0, "%s", "");
}

/* --- password --- */

/* Without a registry there are no sessions: they end with it. */
static void on_ended_sessions(int error, void *ctx)
{
	struct control *c = ctx;
	if (error && error != -EPIPE) {
		log_event(LOG_ERROR, "directory.sessions-not-ended", "account=%" PRIu64 " errno=%d",
		    c->account, -error);
		control_done(c, EIO,
		    "%.*s: the password was changed, but whoever is signed in with the old one may "
		    "go on; restart the server to end that",
		    STR_FMT(control_name(c, &c->name)));
		return;
	}
	control_done(c, 0, "%s", "");
}

static void on_replaced_slot(int error, const uint8_t *slot, void *ctx)
{
	struct control *c = ctx;
	struct directory *d = c->directory;
	if (!error)
		error = database_slot_replace(d->db, c->account, SLOT_PASSWORD, slot);
	if (error) {
		control_failed(c, error, control_name(c, &c->name));
		return;
	}
	key_cache_forget(d->keys, c->account);
	directory_ledger(d, LEDGER_ACCOUNT_PASSWORD, c->account, "", "");
	/* Behind every IPC_OPEN that the old password led to: those are ended too. */
	struct ipc_account_end_sessions msg = {directory_request(d), c->account};
	error = directory_ask(d, IPC_ACCOUNT_END_SESSIONS, &msg, msg.request, on_ended_sessions, c);
	if (error)
		on_ended_sessions(error, c);
}

static void on_opened_slot(int error, struct secret *master, void *ctx)
{
	struct control *c = ctx;
	c->master = master;
	if (!error)
		error = works_seal(c->directory->works, c->master, c->account,
		    buf_str(&c->password), on_replaced_slot, c);
	else if (error == -EACCES) {
		control_done(c, EACCES,
		    "%.*s: neither the account's present password nor this server's recovery key; "
		    "nothing was changed",
		    STR_FMT(control_name(c, &c->name)));
		return;
	}
	if (error)
		control_failed(c, error, control_name(c, &c->name));
}

/* With the recovery key no Argon2id is needed: the slot opens at once. */
static int open_with_recovery(struct control *c, const struct secret *recovery_private)
{
	uint8_t slot[SLOT_LEN];
	struct secret *master = NULL;
	int error = database_slot(c->directory->db, c->account, SLOT_RECOVERY, slot);
	if (!error)
		error = slot_open_recovery(
		    str_of(slot, sizeof(slot)), c->account, recovery_private, &master);
	if (error == -ENOENT)
		error = -EACCES;
	on_opened_slot(error, master, c);
	return 0;
}

static int open_with_password(struct control *c, struct str password)
{
	struct buf prepared CLEANUP(buf_done) = BUF_MAX(PASSWORD_LEN_MAX);
	uint8_t slot[SLOT_LEN];
	int error = database_slot(c->directory->db, c->account, SLOT_PASSWORD, slot);
	if (error)
		return error;
	if (!password_prepare(password, &prepared)) {
		on_opened_slot(-EACCES, NULL, c);
		return 0;
	}
	struct work_caller caller = {.done = on_opened_slot, .ctx = c};
	error = works_open(c->directory->works, slot, c->account, buf_str(&prepared), &caller);
	explicit_bzero(prepared.p, prepared.len);
	return error;
}

void control_account_password(struct control *c, const struct ipc_control *m)
{
	struct secret *recovery_private CLEANUP(secret_free) = NULL;
	if (!find(c, m) || !take_password(c, m->password))
		return;
	if (m->credential.len == 0) {
		control_done(c, EACCES,
		    "%.*s: a new password needs the present one or the recovery key, because the "
		    "mail is sealed and an administrator cannot open it. If both are lost, the "
		    "mail "
		    "is lost: remove the account and add it anew",
		    STR_FMT(control_name(c, &c->name)));
		return;
	}
	int error = recovery_decode(m->credential, &recovery_private) == 0
	                ? open_with_recovery(c, recovery_private)
	                : open_with_password(c, m->credential);
	if (error)
		control_failed(c, error, m->name);
}

/* --- remove --- */

static void on_folder_removed(int error, void *ctx)
{
	struct control *c = ctx;
	struct directory *d = c->directory;
	uint64_t account = c->account;
	if (error == 0 || error == -ENOENT)
		error = database_account_erase(d->db, account);
	/* its keys are gone, and nobody finds it: what is left of its folder goes later */
	if (error)
		log_event(LOG_WARNING, "directory.folder-not-removed",
		    "account=%" PRIu64 " errno=%d", account, -error);
	control_done(c, 0, "%s", "");
}

void control_account_remove(struct control *c, const struct ipc_control *m)
{
	struct directory *d = c->directory;
	struct name alias;
	if (!find(c, m))
		return;
	int error = database_account_retire(d->db, c->account);
	if (error == -EBUSY && !database_alias_of(d->db, &c->name, &c->arena, &alias)) {
		control_done(c, EBUSY, "%.*s: the alias %.*s leads to it; remove that first",
		    STR_FMT(m->name), STR_FMT(control_name(c, &alias)));
		return;
	}
	if (error) {
		control_failed(c, error, m->name);
		return;
	}
	key_cache_forget(d->keys, c->account);
	resolver_changed(d->resolver);
	directory_ledger(d, LEDGER_ACCOUNT_REMOVE, c->account, "", "");
	struct ipc_account_remove msg = {directory_request(d), c->account};
	error = directory_ask(d, IPC_ACCOUNT_REMOVE, &msg, msg.request, on_folder_removed, c);
	if (error)
		on_folder_removed(error, c);
}
