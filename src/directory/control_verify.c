/*
 * `gatepost verify`: the directory's own files are looked at here, piece by piece, so that the loop
 * goes on meanwhile; an account's in a session of its own, which answers to the command line
 * itself.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/fd.h"
#include "base/log.h"
#include "directory/control.h"
#include "directory/password.h"
#include "seal/vfs.h"

enum {
	PAGES_AT_ONCE = 64,
	NEXT_PIECE_MS = 1,
	/* Of one request: neither the command line nor the ledger is there for floods, and whoever
	 * gives the ledger more than it can write is ended. */
	DAMAGES_SAID_MAX = 1000,
	DAMAGES_NOTED_MAX = 20,
};

/* --- the directory's own files --- */

static void say_damage(struct control *c, const char *file, uint64_t offset, const char *what)
{
	static const char *const columns[] = {"file", "offset", "problem"};
	char path[64], detail[128];
	if (c->n_damages++ >= DAMAGES_SAID_MAX)
		return;
	snprintf(path, sizeof(path), "directory/%s", file);
	struct str values[] = {str_of_cstr(path), control_number(c, offset), str_of_cstr(what)};
	control_row(c, columns, values, ARRAY_LEN(values));
	if (c->n_damages > DAMAGES_NOTED_MAX)
		return;
	snprintf(detail, sizeof(detail), "%s at %" PRIu64 ": %s", path, offset, what);
	log_event(LOG_ALARM, "directory.damage", "file=%s offset=%" PRIu64 " what=%s", path, offset,
	    log_quote(str_of_cstr(what)).text);
	directory_ledger(c->directory, LEDGER_ALARM_DAMAGE, 0, "", detail);
}

static void on_damage(void *ctx, const struct seal_damage *damage)
{
	uint64_t offset = damage->page > 0 ? (uint64_t)(damage->page - 1) * VFS_PAGE_LEN : 0;
	say_damage(ctx, damage->file, offset,
	    damage->kind == SEAL_DAMAGE_PAGE ? "a page is damaged" : "the log is damaged");
}

static void check_piece(void *ctx)
{
	struct control *c = ctx;
	uint32_t n_pages = 0;
	seal_vfs_on_damage(on_damage, c);
	int error = database_check(c->directory->db, c->page, PAGES_AT_ONCE, &n_pages);
	seal_vfs_on_damage(NULL, NULL);
	if (error && error != -EBADMSG) {
		control_failed(c, error, STR("directory/" DATABASE_FILE));
		return;
	}
	c->page += PAGES_AT_ONCE;
	if (c->page > n_pages)
		control_done(c, 0, "%s", "");
	else if (loop_after(c->directory->loop, NEXT_PIECE_MS, check_piece, c))
		control_failed(c, -EAGAIN, STR("directory/" DATABASE_FILE));
}

void control_verify(struct control *c, const struct ipc_control *m UNUSED)
{
	int error = database_check_key();
	c->n_damages = 0;
	if (error == -ENOKEY)
		say_damage(c, DATABASE_KEY, 0, "does not match its checksum");
	else if (error) {
		control_failed(c, error, STR("directory/" DATABASE_KEY));
		return;
	}
	c->page = 1;
	check_piece(c);
}

/* --- an account --- */

static void on_began(int error, void *ctx)
{
	struct control *c = ctx;
	if (error)
		control_failed(c, error, control_name(c, &c->name));
	else
		control_done(c, 0, "%s", "");
}

/* An empty memory file says that there is no key. */
static int key_file(const struct secret *master, int *ret_fd)
{
	return master ? secret_to_memfd(master, ret_fd)
	              : fd_sealed_memfd("no key", STR(""), ret_fd);
}

static int ask_for_session(struct control *c)
{
	int key CLEANUP(fd_close) = -1;
	int error = key_file(c->master, &key);
	if (error)
		return error;
	struct ipc_open msg = {
	    .request = directory_request(c->directory),
	    .account = c->account,
	    .protocol = SESSION_VERIFY,
	    .master_key = key,
	    .stream = c->channel,
	};
	return directory_ask(c->directory, IPC_OPEN, &msg, msg.request, on_began, c);
}

static void begin(struct control *c)
{
	int error = ask_for_session(c);
	secret_free(&c->master);
	fd_close(&c->channel);
	if (error)
		control_failed(c, error, control_name(c, &c->name));
}

static void on_opened_slot(int error, struct secret *master, void *ctx)
{
	struct control *c = ctx;
	c->master = master;
	/* Whoever opened the slot is the account's owner here, as at a sign-in. */
	struct subject subject = {SUBJECT_ACCOUNT, c->account};
	struct object mailbox = {.kind = OBJECT_MAILBOX, .account = c->account};
	if (!error && !authorize(subject, RIGHT_OPEN, mailbox))
		error = -EACCES;
	if (error == -EACCES)
		control_done(c, EACCES, "%.*s: that is not the account's password",
		    STR_FMT(control_name(c, &c->name)));
	else if (error)
		control_failed(c, error, control_name(c, &c->name));
	else
		begin(c);
}

static void open_slot(struct control *c, struct str password)
{
	struct buf prepared CLEANUP(buf_done) = BUF_MAX(PASSWORD_LEN_MAX);
	uint8_t slot[SLOT_LEN];
	if (!password_prepare(password, &prepared)) {
		on_opened_slot(-EACCES, NULL, c);
		return;
	}
	struct work_caller caller = {.done = on_opened_slot, .ctx = c};
	int error = database_slot(c->directory->db, c->account, SLOT_PASSWORD, slot);
	if (!error)
		error =
		    works_open(c->directory->works, slot, c->account, buf_str(&prepared), &caller);
	explicit_bzero(prepared.p, prepared.len);
	if (error)
		control_failed(c, error, control_name(c, &c->name));
}

void control_verify_account(struct control *c, struct ipc_control_verify *m)
{
	struct subject operator= {SUBJECT_OPERATOR, 0};
	struct str given = str_first(m->name, IPC_ADDRESS_MAX);
	c->channel = m->channel;
	m->channel = -1;
	int error = name_parse(m->name, &c->arena, &c->name)
	                ? database_account_id(c->directory->db, &c->name, &c->account)
	                : -ENOENT;
	struct object object = {.kind = OBJECT_ACCOUNT, .account = c->account};
	if (error == -ENOENT)
		control_done(c, ENOENT, "%.*s: no such account; see `gatepost account list`",
		    STR_FMT(given));
	else if (error)
		control_failed(c, error, given);
	else if (!authorize(operator, RIGHT_VERIFY, object))
		control_done(c, EACCES, "that is not permitted over the control socket");
	else if (m->password.len > 0)
		open_slot(c, m->password);
	else
		begin(c);
}
