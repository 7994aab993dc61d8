/* session/imap/threads_private.h: what the files of session/imap/threads.h share. */
#ifndef SESSION_IMAP_THREADS_PRIVATE_H
#define SESSION_IMAP_THREADS_PRIVATE_H

#include "session/imap/threads.h"

static const uint32_t NONE = UINT32_MAX;
/* Marks a dummy in `message`; the other bits are then its first child's message (all: none yet). */
static const uint32_t DUMMY = UINT32_C(1) << 31;

/* A message or a dummy. */
struct thread_node {
	uint32_t parent;
	uint32_t message;
};

/* Nodes by number: those of a hash table are found by a key of theirs. NONE is free. */
struct node_table {
	uint32_t *slots;
	size_t n, n_slots; /* a power of two */
};

struct threads {
	uint64_t secret[2]; /* so that nobody can choose identifiers that fall on each other */
	struct thread_node *nodes;
	size_t n_nodes, cap, n_missing, missing_max;
	/* While messages are added. */
	uint64_t *ids; /* by node */
	struct node_table by_id;
	struct thread_forest forest;
	/* By message. */
	uint32_t *node_of;
	size_t n, message_cap;
	/* Once all were added. */
	int64_t *sent_at;
	uint64_t *subjects;
	bool *is_reply;
	size_t n_described;
	/* By node, when they are linked: siblings in order. */
	uint32_t *child, *next;
	uint32_t first; /* on the top level */
};

/* threads.c */
uint32_t threads_add_node(struct threads *t, struct thread_node node);
void threads_close_forest(struct threads *t);
/* Where the search for a key starts. */
size_t threads_slot(const struct threads *t, const struct node_table *table, uint64_t key);

static inline bool threads_is_dummy(const struct threads *t, uint32_t node)
{
	return (t->nodes[node].message & DUMMY) != 0;
}

/* The message itself or a dummy's first one. */
static inline uint32_t threads_message_of(const struct threads *t, uint32_t node)
{
	return t->nodes[node].message & ~DUMMY;
}

#endif
