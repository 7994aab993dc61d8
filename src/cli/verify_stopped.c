/*
 * Verifying an instance that no server runs on. Its files may hold what somebody put there who was
 * in control of a role: so they are read where a role would read them, in a child as the owner of
 * their folder, with the calls and the files of that role alone (sandbox_enter_owner). This
 * process, which may be root's, reads nothing but messages from its children:
 *
 *   of the directory   IPC_CONTROL_ROW: a row of the report, or the slot of --account
 *                      IPC_CHANGED: accounts to look at      IPC_CONTROL_DONE: the end
 *   of the queue       IPC_CONTROL_ROW, IPC_CONTROL_DONE
 *   of an account      as of a session (session/verify.h)
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/num.h"
#include "cli/verify.h"
#include "directory/database.h"
#include "directory/password.h"
#include "ipc/channel.h"
#include "sandbox/sandbox.h"
#include "seal/vfs.h"
#include "session/verify.h"
#include "store/store.h"

enum {
	PAGES_AT_ONCE = 64,
	ARENA_LEN = 1 << 20,
	ACCOUNTS_AT_ONCE = 200,
	ROWS_MAX = 1 << 17, /* of a child */
	END_MS = 10 * 1000,
	END_PAUSE_MS = 5,
};

static const char session_file[] = "mailbox.db"; /* a session made it */

/* What the directory, or the queue, said. */
struct found {
	struct buf ids; /* uint64_t each */
	size_t n_rows;
	bool has_slot; /* of the directory, as the ids */
	uint8_t slot[SLOT_LEN];
};

/* --- in the directory's child --- */

static void on_directory_damage(void *ctx, const struct seal_damage *damage)
{
	char file[VFS_NAME_MAX + 32];
	uint64_t offset = damage->page > 0 ? (uint64_t)(damage->page - 1) * VFS_PAGE_LEN : 0;
	snprintf(file, sizeof(file), "directory/%s", damage->file);
	verify_damage(ctx, file, offset,
	    damage->kind == SEAL_DAMAGE_PAGE ? "a page is damaged" : "the log is damaged");
}

static int check_database(struct verify *v, struct database *db)
{
	uint32_t n_pages = 1;
	int result = 0;
	for (uint32_t page = 1; page <= n_pages; page += PAGES_AT_ONCE) {
		int error = database_check(db, page, PAGES_AT_ONCE, &n_pages);
		if (error && error != -EBADMSG)
			return error;
		result = result ? result : error;
		verify_progress(v, "directory", (uint64_t)page * VFS_PAGE_LEN,
		    (uint64_t)n_pages * VFS_PAGE_LEN);
	}
	return result;
}

/* The database, open when it can be; rows for what cannot. */
static struct database *open_directory(struct verify *v)
{
	struct database *db = NULL;
	size_t n_before = v->n_rows;
	seal_vfs_on_damage(on_directory_damage, v);
	int error = database_open(false, &db);
	if (error == -ENOKEY)
		verify_damage(v, "directory/" DATABASE_KEY, 0, "does not match its checksum");
	else if (error == -EBADMSG && v->n_rows == n_before)
		verify_damage(v, "directory/" DATABASE_FILE, 0, "does not open");
	else if (error && error != -EBADMSG)
		verify_failed(v, "directory/" DATABASE_FILE, error);
	return db;
}

static void verify_directory(struct verify *v, struct database *db)
{
	int error = check_database(v, db);
	if (!error)
		verify_row(v, "directory", "ok", NULL, "");
	else if (error != -EBADMSG)
		verify_failed(v, "directory/" DATABASE_FILE, error);
}

static int send_ids(const struct verify *v, uint64_t *ids, size_t n)
{
	const struct ipc_changed message = {.accounts = {ids, n}};
	return n > 0 ? ipc_send(v->to, IPC_CHANGED, &message) : 0;
}

static int send_accounts(struct verify *v, struct database *db)
{
	struct arena arena CLEANUP(arena_done) = ARENA_MAX(ARENA_LEN);
	struct name after = {0};
	struct account_row *rows;
	uint64_t ids[ACCOUNTS_AT_ONCE];
	size_t n = ACCOUNTS_AT_ONCE;
	while (n > 0) {
		int error = database_accounts(db, &after, ACCOUNTS_AT_ONCE, &arena, &rows, &n);
		for (size_t i = 0; !error && i < n; i++)
			ids[i] = rows[i].id;
		error = error ? error : send_ids(v, ids, n);
		if (error || n == 0)
			return error;
		struct arena next = ARENA_MAX(ARENA_LEN);
		struct name last = rows[n - 1].name;
		if (!arena_dup(&next, last.local, &after.local) ||
		    !arena_dup(&next, last.domain, &after.domain))
			return -ENOMEM;
		arena_done(&arena);
		arena = next;
	}
	return 0;
}

static int send_slot(struct verify *v, struct database *db)
{
	struct arena arena CLEANUP(arena_done) = ARENA_MAX(ARENA_LEN);
	uint8_t slot[SLOT_LEN];
	uint64_t id = 0;
	struct name name;
	if (!name_parse(str_of_cstr(v->account), &arena, &name))
		return -ENOENT;
	int error = database_account_id(db, &name, &id);
	if (!error)
		error = database_slot(db, id, SLOT_PASSWORD, slot);
	if (error)
		return error;
	struct str column = STR("slot"), value = str_of(slot, sizeof(slot));
	const struct ipc_control_row row = {{&column, 1}, {&value, 1}};
	error = ipc_send(v->to, IPC_CONTROL_ROW, &row);
	return error ? error : send_ids(v, &id, 1);
}

static _Noreturn void be_directory(struct verify *v, pid_t parent)
{
	sandbox_enter_owner(ROLE_DIRECTORY, DATABASE_FILE, parent, &v->to, 1);
	if (v->password)
		explicit_bzero(v->password, strlen(v->password)); /* not for here */
	struct ipc_control_done done = {.reason = STR("")};
	struct database *db = open_directory(v);
	int error = 0;
	if (db && v->account) {
		error = send_slot(v, db);
	} else if (db) {
		verify_directory(v, db);
		error = send_accounts(v, db);
	}
	database_close(db);
	done.error = (uint32_t)-error;
	_exit(ipc_send(v->to, IPC_CONTROL_DONE, &done) < 0);
}

/* --- in an account's child --- */

static int open_slot(
    const struct verify *v, uint64_t id, const uint8_t *slot, struct secret **ret_master)
{
	struct buf password CLEANUP(buf_done) = BUF_MAX(PASSWORD_LEN_MAX);
	int error = password_prepare(str_of_cstr(v->password), &password) ? 0 : -EACCES;
	if (!error)
		error =
		    slot_open_password(str_of(slot, SLOT_LEN), id, buf_str(&password), ret_master);
	if (password.p)
		explicit_bzero(password.p, password.len);
	return error == -EACCES ? -EKEYREJECTED : error;
}

static _Noreturn void be_account(
    const struct verify *v, pid_t parent, uint64_t id, const uint8_t *slot, const int ends[2])
{
	static const struct store_watch nobody = {NULL, NULL};
	struct secret *master CLEANUP(secret_free) = NULL;
	sandbox_enter_owner(ROLE_SESSION, session_file, parent, ends, 2);
	int error = slot ? open_slot(v, id, slot, &master) : 0;
	if (!error)
		_exit(session_verify(id, master, &nobody, ends[0], ends[1]) < 0);
	const struct ipc_verified end = {.done = 1, .error = (uint32_t)-error};
	_exit(ipc_send(ends[0], IPC_VERIFIED, &end) < 0);
}

/* --- here --- */

/* It has said its last word, or will not: it may close its files, and then it is ended. */
static int end_child(pid_t pid)
{
	const struct timespec pause = {.tv_nsec = END_PAUSE_MS * 1000000L};
	for (unsigned n = 0; n < END_MS / END_PAUSE_MS; n++) {
		pid_t ended = waitpid(pid, NULL, WNOHANG);
		if (ended != 0)
			return ended < 0 ? -errno : 0;
		(void)nanosleep(&pause, NULL);
	}
	(void)kill(pid, SIGKILL);
	return waitpid(pid, NULL, 0) < 0 ? -errno : 0;
}

/* An account in its folder. */
static int check_account(struct verify *v, const char *name, int folder, uint64_t id, uint8_t *slot)
{
	int stream[2] = {-1, -1}, registry[2] = {-1, -1};
	int error = ipc_pair(stream);
	if (!error)
		error = ipc_pair(registry);
	int ours CLEANUP(fd_close) = stream[0], theirs CLEANUP(fd_close) = stream[1];
	int hold CLEANUP(fd_close) = registry[0], held CLEANUP(fd_close) = registry[1];
	if (!error)
		error = fd_set_nonblocking(held, true);
	if (!error && fchdir(folder) < 0)
		error = -errno;
	pid_t self = getpid(), pid = error ? 0 : fork();
	if (error || pid < 0)
		return error ? error : -errno;
	if (pid == 0)
		be_account(v, self, id, slot, (const int[]){theirs, held});
	fd_close(&theirs);
	verify_take(v, id, name, ours);
	fd_close(&hold);
	fd_close(&ours);
	return end_child(pid);
}

static void verify_account(struct verify *v, int accounts_fd, uint64_t id, uint8_t *slot)
{
	char name[64];
	snprintf(name, sizeof(name), "accounts/%" PRIu64, id);
	int folder CLEANUP(fd_close) = openat(
	    accounts_fd, strrchr(name, '/') + 1, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int error = folder < 0 ? -errno : check_account(v, name, folder, id, slot);
	if (error)
		verify_failed(v, name, error);
}

/* A row of the report. What a child says is not trusted. */
static int take_row(struct verify *v, struct found *found, const struct ipc_control_row *row)
{
	const struct str *values = row->values.v;
	uint64_t offset;
	if (row->values.n == 1 && v->account && values[0].len == SLOT_LEN) {
		memcpy(found->slot, values[0].p, SLOT_LEN);
		found->has_slot = true;
		return 0;
	}
	if (row->values.n != 4 || found->n_rows++ >= ROWS_MAX)
		return -EPROTO;
	struct log_quoted file = log_quote(values[0]), state = log_quote(values[1]);
	bool placed = num_parse(values[2], UINT64_MAX, &offset);
	char problem[LOG_QUOTE_MAX + 4] = "";
	for (size_t i = 0; i < values[3].len && i + 1 < sizeof(problem); i++) {
		char c = values[3].p[i];
		problem[i] = c;
		if (c < 0x20 || c > 0x7e)
			problem[i] = '?';
	}
	verify_row(v, file.text, state.text, placed ? &offset : NULL, problem);
	return 0;
}

static int take_ids(struct found *found, const struct ipc_changed *m)
{
	struct str bytes = str_of(m->accounts.v, m->accounts.n * sizeof(*m->accounts.v));
	return buf_add(&found->ids, bytes) ? 0 : -EPROTO;
}

/* Until the end: 0, what the directory said, or that it came to none. */
static int take_answers(struct verify *v, int channel, struct found *found)
{
	for (;;) {
		struct ipc_received m;
		int error = verify_recv(channel, &m);
		if (error)
			return -ECONNRESET;
		bool ends = m.type == IPC_CONTROL_DONE;
		if (m.type == IPC_CONTROL_ROW)
			error = take_row(v, found, m.msg);
		else if (m.type == IPC_CHANGED)
			error = take_ids(found, m.msg);
		else if (ends)
			error = -(int)(((const struct ipc_control_done *)m.msg)->error & INT16_MAX);
		else
			error = -EPROTO;
		ipc_received_done(&m);
		if (error || ends)
			return error;
	}
}

/* Has `be` look, in a child whose working folder is `folder`. */
static int ask_child(
    struct verify *v, int folder, void (*be)(struct verify *, pid_t), struct found *found)
{
	int ends[2];
	int error = fchdir(folder) < 0 ? -errno : ipc_pair(ends);
	if (error)
		return error;
	int ours CLEANUP(fd_close) = ends[0], theirs CLEANUP(fd_close) = ends[1];
	pid_t self = getpid(), pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0) {
		v->to = theirs;
		be(v, self);
	}
	fd_close(&theirs);
	error = take_answers(v, ours, found);
	fd_close(&ours);
	int ended = end_child(pid);
	return error ? error : ended;
}

static void judge_directory(struct verify *v, int error)
{
	if (v->account && error == -ENOENT)
		verify_row(v, v->account, "failed", NULL, "no such account");
	else if (error == -EBADMSG)
		verify_row(v, "accounts", "failed", NULL, "the directory cannot list all of them");
	else if (error == -ECONNRESET)
		verify_row(v, "directory", "failed", NULL, "the look at it ended before its end");
	else if (error)
		verify_failed(v, "directory", error);
}

static void in_folders(struct verify *v, int directory_fd, int accounts_fd)
{
	struct found found = {.ids = BUF_MAX(VERIFY_ACCOUNTS_MAX * sizeof(uint64_t))};
	int error = ask_child(v, directory_fd, be_directory, &found);
	judge_directory(v, error);
	v->knows_accounts = error == 0;
	buf_add(&v->accounts, buf_str(&found.ids));
	for (size_t at = 0; at < found.ids.len; at += sizeof(uint64_t)) {
		uint64_t id;
		memcpy(&id, found.ids.p + at, sizeof(id));
		if (found.has_slot || !v->account)
			verify_account(v, accounts_fd, id, found.has_slot ? found.slot : NULL);
	}
	buf_done(&found.ids);
}

static void look_at_queue(struct verify *v)
{
	struct found found = {.ids = BUF_MAX(0)};
	int folder CLEANUP(fd_close) =
	    openat(v->data_fd, "queue", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int error = folder < 0 ? -errno : ask_child(v, folder, verify_be_queue, &found);
	if (error == -ENOENT)
		verify_no_queue(v);
	else if (error == -ECONNRESET)
		verify_row(v, "queue", "failed", NULL, "the look at it ended before its end");
	else if (error)
		verify_failed(v, "queue", error);
	buf_done(&found.ids);
}

void verify_stopped(struct verify *v)
{
	int before CLEANUP(fd_close) = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int directory CLEANUP(fd_close) =
	    openat(v->data_fd, "directory", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int accounts CLEANUP(fd_close) =
	    openat(v->data_fd, "accounts", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	store_init();
	if (before < 0 || directory < 0 || accounts < 0)
		verify_failed(v, "directory", -errno);
	else
		in_folders(v, directory, accounts);
	if (before >= 0 && !v->account)
		look_at_queue(v);
	if (before >= 0 && fchdir(before) < 0)
		verify_failed(v, ".", -errno);
}
