/*
 * directory/control.h: the command line's requests, over the control socket.
 *
 * The socket lies in the data folder with mode 0600, and only root and the server's own user are
 * listened to (SO_PEERCRED). One request at a time on a connection: zero or more IPC_CONTROL_ROW,
 * then IPC_CONTROL_DONE with a sentence for the person when it failed. Each verb stands in a table
 * with the right that it needs (authorize.h).
 */
#ifndef DIRECTORY_CONTROL_H
#define DIRECTORY_CONTROL_H

#include "directory/state.h"

enum { CONTROL_ROWS_MAX = 200, CONTROL_ALIASES_MAX = 20, CONTROL_ARENA_LEN = 1 << 20 };

/* One connection of the control socket. */
struct control {
	struct control *next;
	struct directory *directory;
	struct loop_entry *entry; /* NULL when the peer is gone */
	struct arena arena;       /* for the request under way */
	bool is_busy;             /* a request is under way */

	/* of account verbs, which take several steps */
	uint64_t account;
	struct name name;
	struct buf password; /* the new one, prepared */
	struct secret *master;
	uint8_t slot[SLOT_LEN];
	uint64_t quota_bytes;

	/* of verifying */
	int channel;   /* -1: none */
	uint32_t page; /* the next to look at */
	unsigned n_damages;
};

/* Ends the request: `error` 0, or an errno value with a sentence. */
void control_done(struct control *c, int error, const char *fmt, ...) PRINTF(3, 4);
/* One row of the answer, at most CONTROL_COLUMNS_MAX columns. */
enum { CONTROL_COLUMNS_MAX = 8 };
void control_row(
    struct control *c, const char *const *names, const struct str *values, size_t n_columns);

/* For rows: numbers, times (RFC 3339) and names as text in the request's arena. */
struct str control_number(struct control *c, uint64_t value);
struct str control_time(struct control *c, uint64_t at);
struct str control_name(struct control *c, const struct name *name);

/* Says why `name` could not be read from or written to the database. */
void control_failed(struct control *c, int error, struct str name);

/* The verbs; each ends with control_done, some later. */
void control_domain_add(struct control *c, const struct ipc_control *m);
void control_domain_list(struct control *c, const struct ipc_control *m);
void control_domain_remove(struct control *c, const struct ipc_control *m);
void control_domain_keys(struct control *c, const struct ipc_control *m);
void control_domain_rotate(struct control *c, const struct ipc_control *m);
void control_domain_switch(struct control *c, const struct ipc_control *m);
void control_domain_retire(struct control *c, const struct ipc_control *m);
void control_account_add(struct control *c, const struct ipc_control *m);
void control_account_list(struct control *c, const struct ipc_control *m);
void control_account_show(struct control *c, const struct ipc_control *m);
void control_account_password(struct control *c, const struct ipc_control *m);
void control_account_remove(struct control *c, const struct ipc_control *m);
void control_alias_add(struct control *c, const struct ipc_control *m);
void control_alias_list(struct control *c, const struct ipc_control *m);
void control_alias_remove(struct control *c, const struct ipc_control *m);
void control_send_grant(struct control *c, const struct ipc_control *m);
void control_send_revoke(struct control *c, const struct ipc_control *m);
void control_send_list(struct control *c, const struct ipc_control *m);
void control_verify(struct control *c, const struct ipc_control *m);
/* An account: IPC_CONTROL_VERIFY; takes the channel in the message. */
void control_verify_account(struct control *c, struct ipc_control_verify *m);

#endif
