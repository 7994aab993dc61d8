/*
 * ipc/fields.h: how the tables of fields and of messages are written; for messages.c and
 * outgoing.c.
 *
 * A line of fields reads: name in the struct, kind, maximum (0: what the kind can hold). They stand
 * in the order in which they go on the wire.
 */
#ifndef IPC_FIELDS_H
#define IPC_FIELDS_H

#include <stddef.h>

#include "ipc/message.h"

#define FIELD(in, member, what, most)                                                              \
	{                                                                                          \
		.name = #member, .kind = (what), .offset = offsetof(struct in, member),            \
		.max = (most)                                                                      \
	}

#define MESSAGE(number, base)                                                                      \
	{                                                                                          \
		.type = (number), .name = #base, .struct_len = sizeof(struct ipc_##base),          \
		.fields = base##_fields, .n_fields = ARRAY_LEN(base##_fields)                      \
	}

enum { PEER_TEXT_MAX = 64 };

/* A part of all messages, sorted by type, all above those of the part before. */
struct ipc_message_table {
	const struct ipc_message *v;
	size_t n;
};

extern const struct ipc_message_table ipc_outgoing_messages;

#endif
