#include "directory/control.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

#include <sodium.h>

#include "base/fd.h"
#include "base/log.h"

enum { CONTROLS_MAX = 16 };

/* --- connections --- */

static void forget_request(struct control *c)
{
	if (c->password.p)
		sodium_memzero(c->password.p, c->password.len);
	buf_done(&c->password);
	c->password = BUF_MAX(SLOT_PASSWORD_MAX);
	secret_free(&c->master);
	fd_close(&c->channel);
	arena_clear(&c->arena);
	c->account = 0;
	c->is_busy = false;
}

static void control_free(struct control *c)
{
	struct directory *d = c->directory;
	struct control **place = &d->controls;
	while (*place != c)
		place = &(*place)->next;
	*place = c->next;
	forget_request(c);
	arena_done(&c->arena);
	free(c);
	d->n_controls--;
	directory_stop_when_drained(d);
}

void control_done(struct control *c, int error, const char *fmt, ...)
{
	char reason[IPC_TEXT_MAX + 1];
	va_list args;
	va_start(args, fmt);
	vsnprintf(reason, sizeof(reason), fmt, args);
	va_end(args);
	struct ipc_control_done done = {
	    .error = (uint32_t)(error < 0 ? -error : error), .reason = str_of_cstr(reason)};
	if (!c->entry) { /* the peer did not wait; what it asked for is done all the same */
		control_free(c);
		return;
	}
	forget_request(c);
	if (loop_send(c->entry, IPC_CONTROL_DONE, &done))
		log_event(LOG_WARNING, "directory.control-gone", "error=%u", done.error);
}

void control_row(
    struct control *c, const char *const *names, const struct str *values, size_t n_columns)
{
	struct str columns[CONTROL_COLUMNS_MAX];
	for (size_t i = 0; i < n_columns; i++)
		columns[i] = str_of_cstr(names[i]);
	struct ipc_control_row row = {{columns, n_columns}, {values, n_columns}};
	if (c->entry && loop_send(c->entry, IPC_CONTROL_ROW, &row))
		log_event(LOG_WARNING, "directory.control-gone", "columns=%zu", n_columns);
}

static void on_control_closed(struct loop_entry *from UNUSED, int error, void *ctx)
{
	struct control *c = ctx;
	c->entry = NULL;
	if (error == -EBADMSG || error == -EPROTO)
		directory_alarm(c->directory, "", "the command line sent what is not allowed");
	if (!c->is_busy)
		control_free(c);
}

bool directory_is_busy_with(const struct directory *d, uint64_t account)
{
	for (const struct control *c = d->controls; c; c = c->next)
		if (c->is_busy && c->account == account)
			return true;
	return false;
}

/* --- what rows are made of --- */

static struct str text(struct control *c, const struct buf *b)
{
	struct str copy;
	return arena_dup(&c->arena, buf_str(b), &copy) ? copy : STR("");
}

struct str control_number(struct control *c, uint64_t value)
{
	struct buf b CLEANUP(buf_done) = BUF_MAX(32);
	buf_add_u64(&b, value);
	return text(c, &b);
}

struct str control_time(struct control *c, uint64_t at)
{
	struct buf b CLEANUP(buf_done) = BUF_MAX(64);
	time_t seconds = (time_t)at;
	struct tm tm;
	if (!gmtime_r(&seconds, &tm))
		return STR("");
	buf_printf(&b, "%04d-%02d-%02dT%02d:%02d:%02dZ", tm.tm_year + 1900, tm.tm_mon + 1,
	    tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
	return text(c, &b);
}

struct str control_name(struct control *c, const struct name *name)
{
	struct buf b CLEANUP(buf_done) = BUF_MAX(2 * NAME_LEN_MAX);
	name_display(name, &b);
	return text(c, &b);
}

void control_failed(struct control *c, int error, struct str name)
{
	switch (error) {
	case -ENOSPC:
		control_done(
		    c, error, "%.*s: the disk is full; make room and try again", STR_FMT(name));
		break;
	case -EAGAIN:
		control_done(
		    c, error, "%.*s: the server is busy; try again in a moment", STR_FMT(name));
		break;
	case -EBADMSG:
		control_done(c, error,
		    "%.*s: directory/directory.db is damaged; restore it from a backup",
		    STR_FMT(name));
		break;
	default:
		control_done(c, error, "%.*s: the directory cannot do that now (%s)", STR_FMT(name),
		    strerror(-error));
		break;
	}
}

/* --- requests --- */

static const struct {
	enum right right;
	enum object_kind object;
	void (*run)(struct control *c, const struct ipc_control *m);
} verbs[N_CONTROL_VERBS] = {
    [CONTROL_DOMAIN_ADD] = {RIGHT_MANAGE, OBJECT_SERVER, control_domain_add},
    [CONTROL_DOMAIN_LIST] = {RIGHT_LIST, OBJECT_SERVER, control_domain_list},
    [CONTROL_DOMAIN_REMOVE] = {RIGHT_MANAGE, OBJECT_SERVER, control_domain_remove},
    [CONTROL_ACCOUNT_ADD] = {RIGHT_MANAGE, OBJECT_SERVER, control_account_add},
    [CONTROL_ACCOUNT_LIST] = {RIGHT_LIST, OBJECT_SERVER, control_account_list},
    [CONTROL_ACCOUNT_SHOW] = {RIGHT_SEE, OBJECT_ACCOUNT, control_account_show},
    [CONTROL_ACCOUNT_PASSWORD] = {RIGHT_PASSWORD, OBJECT_ACCOUNT, control_account_password},
    [CONTROL_ACCOUNT_REMOVE] = {RIGHT_REMOVE, OBJECT_ACCOUNT, control_account_remove},
    [CONTROL_ALIAS_ADD] = {RIGHT_MANAGE, OBJECT_SERVER, control_alias_add},
    [CONTROL_ALIAS_LIST] = {RIGHT_LIST, OBJECT_SERVER, control_alias_list},
    [CONTROL_ALIAS_REMOVE] = {RIGHT_MANAGE, OBJECT_SERVER, control_alias_remove},
    [CONTROL_DOMAIN_KEYS] = {RIGHT_LIST, OBJECT_SERVER, control_domain_keys},
    [CONTROL_DOMAIN_ROTATE] = {RIGHT_MANAGE, OBJECT_SERVER, control_domain_rotate},
    [CONTROL_DOMAIN_SWITCH] = {RIGHT_MANAGE, OBJECT_SERVER, control_domain_switch},
    [CONTROL_DOMAIN_RETIRE] = {RIGHT_MANAGE, OBJECT_SERVER, control_domain_retire},
    [CONTROL_SEND_GRANT] = {RIGHT_MANAGE, OBJECT_SERVER, control_send_grant},
    [CONTROL_SEND_REVOKE] = {RIGHT_MANAGE, OBJECT_SERVER, control_send_revoke},
    [CONTROL_SEND_LIST] = {RIGHT_SEE, OBJECT_ACCOUNT, control_send_list},
    [CONTROL_VERIFY] = {RIGHT_VERIFY, OBJECT_SERVER, control_verify},
};

/* The account that an account verb is about; 0 where it names none (the verb says so). */
static uint64_t account_of(struct control *c, const struct ipc_control *m)
{
	struct name name;
	uint64_t account;
	if (!name_parse(m->name, &c->arena, &name) ||
	    database_account_id(c->directory->db, &name, &account))
		return 0;
	return account;
}

static int on_control(struct loop_entry *from UNUSED, void *msg, void *ctx)
{
	struct control *c = ctx;
	const struct ipc_control *m = msg;
	if (c->is_busy || m->verb >= N_CONTROL_VERBS)
		return -EPROTO;
	c->is_busy = true;
	/* who is at the other end was checked when the connection was accepted */
	struct subject operator= {SUBJECT_OPERATOR, 0};
	struct object object = {
	    .kind = verbs[m->verb].object,
	    .account = verbs[m->verb].object == OBJECT_ACCOUNT ? account_of(c, m) : 0,
	};
	if (!authorize(operator, verbs[m->verb].right, object))
		control_done(c, EACCES, "that is not permitted over the control socket");
	else
		verbs[m->verb].run(c, m);
	return 0;
}

static int on_control_verify(struct loop_entry *from UNUSED, void *msg, void *ctx)
{
	struct control *c = ctx;
	if (c->is_busy)
		return -EPROTO;
	c->is_busy = true;
	control_verify_account(c, msg);
	return 0;
}

/* The queue answers on the channel that came along; it is passed on as it is. */
static int on_queue_control(struct loop_entry *from UNUSED, void *msg, void *ctx)
{
	struct control *c = ctx;
	struct ipc_queue_control *m = msg;
	if (c->is_busy)
		return -EPROTO;
	c->is_busy = true;
	if (!authorize((struct subject){SUBJECT_OPERATOR, 0}, RIGHT_MANAGE,
	        (struct object){.kind = OBJECT_QUEUE}))
		control_done(c, EACCES, "that is not permitted over the control socket");
	else if (directory_introduce_to_queue(c->directory, m))
		control_done(c, EAGAIN, "the queue is not there now; try again in a moment");
	else
		control_done(c, 0, "%s", "");
	return 0;
}

static const struct ipc_receiver messages[] = {{IPC_CONTROL, on_control},
    {IPC_CONTROL_VERIFY, on_control_verify}, {IPC_QUEUE_CONTROL, on_queue_control}};
static const struct ipc_receivers receivers = {messages, ARRAY_LEN(messages), on_control_closed};

static bool is_trusted(const struct directory *d, int fd)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);
	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 && len == sizeof(peer) &&
	       (peer.uid == 0 || peer.uid == d->owner);
}

void directory_accept_control(struct loop_entry *listener, void *ctx)
{
	struct directory *d = ctx;
	int fd CLEANUP(fd_close) =
	    accept4(loop_entry_fd(listener), NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0)
		return;
	if (!is_trusted(d, fd)) {
		directory_alarm(d, "", "a foreign user on the control socket");
		return;
	}
	struct control *c = d->n_controls < CONTROLS_MAX ? calloc(1, sizeof(*c)) : NULL;
	if (!c)
		return;
	c->directory = d;
	c->channel = -1;
	c->arena = ARENA_MAX(CONTROL_ARENA_LEN);
	c->password = BUF_MAX(SLOT_PASSWORD_MAX);
	c->entry = loop_add_channel(d->loop, fd, &receivers, c);
	if (!c->entry) {
		free(c);
		return;
	}
	(void)fd_take(&fd);
	c->next = d->controls;
	d->controls = c;
	d->n_controls++;
}
