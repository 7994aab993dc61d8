/*
 * ipc/message.h: how a message between roles is declared, encoded and decoded.
 *
 * Each message is a plain C struct and one table of its fields (ipc/messages.h). The table drives
 * the one encoder and the one decoder; there is no other code that knows the bytes. A message on
 * the wire is
 *
 *   u16 type · fields in the order of the table, little-endian, lists and strings behind a u16
 * count or length
 *
 * and the descriptors of its FD fields travel beside it (SCM_RIGHTS) in the same order.
 *
 * Decoding must consume exactly all bytes and exactly all descriptors; anything else is -EBADMSG,
 * and the receiver ends the channel and raises an alarm. It does not check what values mean; that
 * is the handler's part.
 *
 * Limits: IPC_MESSAGE_MAX bytes, IPC_FDS_MAX descriptors, and the maximum of each field.
 */
#ifndef IPC_MESSAGE_H
#define IPC_MESSAGE_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/attr.h"
#include "base/buf.h"
#include "base/str.h"

enum { IPC_MESSAGE_MAX = 65536, IPC_FDS_MAX = 4 };

enum ipc_kind {
	IPC_U8,     /* uint8_t; max: the largest value */
	IPC_U16,    /* uint16_t */
	IPC_U32,    /* uint32_t */
	IPC_U64,    /* uint64_t */
	IPC_STR,    /* struct str; max: the longest length */
	IPC_SECRET, /* struct str that is wiped from the receive buffer when the handler returns */
	IPC_U64S,   /* struct ipc_u64s; max: the most entries */
	IPC_STRS,   /* struct ipc_strs; max: the most entries, each at most IPC_STRS_ITEM_MAX */
	IPC_FD,     /* int; -1 is not allowed */
};

enum { IPC_STRS_ITEM_MAX = 1024 };

struct ipc_u64s {
	const uint64_t *v;
	size_t n;
};

struct ipc_strs {
	const struct str *v;
	size_t n;
};

struct ipc_field {
	const char *name;
	enum ipc_kind kind;
	size_t offset; /* in the struct */
	uint64_t max;  /* 0: the natural limit of its kind */
};

struct ipc_message {
	uint16_t type;
	const char *name;
	size_t struct_len;
	const struct ipc_field *fields;
	size_t n_fields;
};

/* The declaration of a type, NULL for a type that no message has. */
const struct ipc_message *ipc_message_of(uint16_t type);

/* The declarations one by one, sorted by type, NULL behind the last; for tests and documentation.
 */
const struct ipc_message *ipc_message_at(size_t i);

/* Appends the encoding of `msg` (the struct of `type`). False when a field is above its maximum:
 * ours, a bug. */
MUST_USE bool ipc_encode(uint16_t type, const void *msg, struct buf *out,
    int fds[static IPC_FDS_MAX], size_t *ret_n_fds);

/* True when a message of that type has a SECRET field: its bytes are wiped after use. */
bool ipc_has_secret(uint16_t type);

/*
 * Decodes a whole message. `*ret_msg` (in `a`) borrows strings from `bytes` and holds the
 * descriptors: they belong to whoever has the struct. -EBADMSG for a type, length, value or number
 * of descriptors that the declaration does not allow; descriptors then still belong to the caller.
 */
MUST_USE int ipc_decode(struct str bytes, const int *fds, size_t n_fds, struct arena *a,
    uint16_t *ret_type, void **ret_msg);

#endif
