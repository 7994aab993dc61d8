/* Messages and their references as they are added: step 1 of REFERENCES. */
#include "session/imap/threads.h"

#include <assert.h>
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>

#include "base/num.h"
#include "seal/cipher.h"
#include "session/imap/threads_private.h"

enum { ID_LEN = 8, CAP_MIN = 64, CHUNK_LEN = 7 };
static const uint64_t PRIME = (UINT64_C(1) << 61) - 1;

static void *must(void *memory)
{
	if (memory == NULL)
		abort();
	return memory;
}

static void reserve_nodes(struct threads *t, size_t cap)
{
	t->cap = cap;
	t->nodes = must(reallocarray(t->nodes, cap, sizeof(*t->nodes)));
}

static void reserve_messages(struct threads *t, size_t cap)
{
	t->message_cap = cap;
	t->node_of = must(reallocarray(t->node_of, cap, sizeof(*t->node_of)));
}

struct threads *threads_new(size_t n)
{
	struct threads *t = must(calloc(1, sizeof(*t)));

	malloc_trim(0); /* of what found the messages */
	/* What is not used is never touched; what grew step by step would leave holes behind. */
	n = num_min(n, THREADS_MESSAGES_MAX);
	reserve_nodes(t, n + n / 2 + CAP_MIN);
	reserve_messages(t, n + 1);

	cipher_random(t->secret, sizeof(t->secret));
	t->first = NONE;
	t->missing_max = THREADS_NODES_MAX - n;
	return t;
}

void threads_close_forest(struct threads *t)
{
	thread_forest_done(&t->forest);
	free(t->by_id.slots);
	t->by_id = (struct node_table){0};
	free(t->ids);
	t->ids = NULL;
}

void threads_free(struct threads *t)
{
	if (t == NULL)
		return;
	threads_close_forest(t);
	free(t->nodes);
	free(t->sent_at);
	free(t->subjects);
	free(t->is_reply);
	free(t->node_of);
	free(t->child);
	free(t->next);
	free(t);
}

/* (a * b + c) mod 2^61 - 1 */
static uint64_t times_plus(uint64_t a, uint64_t b, uint64_t c)
{
	unsigned __int128 product = (unsigned __int128)a * b + c;
	uint64_t sum = (uint64_t)(product & PRIME) + (uint64_t)(product >> 61);

	return sum >= PRIME ? sum - PRIME : sum;
}

/*
 * The subject as a polynomial at a secret point: without knowing it nobody finds two subjects of
 * one number; by chance two of 500 bytes meet once in 2^54 times.
 */
uint64_t threads_subject(const struct threads *t, struct str subject)
{
	uint64_t point = t->secret[0] % PRIME, sum = subject.len;

	if (subject.len == 0)
		return 0;
	while (subject.len > 0) {
		uint64_t chunk = 0;
		memcpy(&chunk, subject.p, num_min(subject.len, CHUNK_LEN));
		sum = times_plus(sum, point, chunk + 1);
		subject = str_from(subject, CHUNK_LEN);
	}
	return sum + 1;
}

size_t threads_slot(const struct threads *t, const struct node_table *table, uint64_t key)
{
	uint64_t mixed = times_plus(key % PRIME, t->secret[1] % PRIME, key >> 61);

	return (mixed ^ mixed >> 32) & (table->n_slots - 1);
}

uint32_t threads_add_node(struct threads *t, struct thread_node node)
{
	if (t->n_nodes == t->cap)
		reserve_nodes(t, t->cap + num_max(t->cap / 2, CAP_MIN));
	t->nodes[t->n_nodes] = node;
	return (uint32_t)t->n_nodes++;
}

static uint32_t add_to_forest(struct threads *t, uint64_t id, uint32_t message)
{
	uint32_t node =
	    threads_add_node(t, (struct thread_node){.parent = NONE, .message = message});

	if (t->forest.cap != t->cap) {
		t->ids = must(reallocarray(t->ids, t->cap, sizeof(*t->ids)));
		thread_forest_reserve(&t->forest, t->cap);
	}
	t->ids[node] = id;
	thread_forest_add(&t->forest);
	return node;
}

static void put_id(struct threads *t, uint32_t node)
{
	size_t slot = threads_slot(t, &t->by_id, t->ids[node]);

	while (t->by_id.slots[slot] != NONE)
		slot = (slot + 1) & (t->by_id.n_slots - 1);
	t->by_id.slots[slot] = node;
}

static void grow_ids(struct threads *t)
{
	struct node_table old = t->by_id;

	/* A quarter of them is free. */
	if (4 * (old.n + 1) <= 3 * old.n_slots)
		return;
	t->by_id.n_slots = num_max(2 * old.n_slots, CAP_MIN);
	while (3 * t->by_id.n_slots < 4 * t->cap)
		t->by_id.n_slots *= 2;
	t->by_id.slots = must(malloc(t->by_id.n_slots * sizeof(*old.slots)));
	memset(t->by_id.slots, 0xff, t->by_id.n_slots * sizeof(*old.slots));
	for (size_t i = 0; i < old.n_slots; i++)
		if (old.slots[i] != NONE)
			put_id(t, old.slots[i]);
	free(old.slots);
}

static uint32_t find_id(const struct threads *t, uint64_t id)
{
	if (t->by_id.n_slots == 0)
		return NONE;
	size_t slot = threads_slot(t, &t->by_id, id);
	while (t->by_id.slots[slot] != NONE && t->ids[t->by_id.slots[slot]] != id)
		slot = (slot + 1) & (t->by_id.n_slots - 1);
	return t->by_id.slots[slot];
}

static uint32_t add_id(struct threads *t, uint64_t id, uint32_t message)
{
	grow_ids(t);
	uint32_t node = add_to_forest(t, id, message);
	put_id(t, node);
	t->by_id.n++;
	return node;
}

/*
 * "If no message can be found with a given Message ID, create a dummy message with this ID." NONE
 * where there are too many.
 */
static uint32_t node_of_reference(struct threads *t, uint64_t id)
{
	uint32_t node = find_id(t, id);

	if (node != NONE || t->n_missing == t->missing_max)
		return node;
	t->n_missing++;
	return add_id(t, id, UINT32_MAX);
}

/*
 * "If two or more messages have the same Message ID, then only use that Message ID in the first
 * (lowest sequence number) message, and assign a unique Message ID to each of the subsequent
 * messages": these, as those without any, are not in the table.
 */
static uint32_t node_of_message(struct threads *t, uint64_t id, uint32_t message)
{
	uint32_t node = id != 0 ? find_id(t, id) : NONE;

	if (id == 0 || (node != NONE && !threads_is_dummy(t, node)))
		return add_to_forest(t, 0, message);
	if (node == NONE)
		return add_id(t, id, message);
	t->n_missing--;
	t->nodes[node].message = message;
	return node;
}

/* "Do not create a parent/child link if creating that link would introduce a loop." */
static void link_nodes(struct threads *t, uint32_t child, uint32_t parent)
{
	if (thread_forest_root(&t->forest, parent) == child)
		return;
	thread_forest_link(&t->forest, child, parent);
	t->nodes[child].parent = parent;
}

/* Step 1.A: "If a message already has a parent, don't change the existing link." */
static uint32_t link_references(struct threads *t, struct str ids)
{
	uint32_t last = NONE;

	for (; ids.len >= ID_LEN; ids = str_from(ids, ID_LEN)) {
		uint32_t node = node_of_reference(t, num_get64(ids.p));
		if (node == NONE)
			continue;
		if (last != NONE && t->nodes[node].parent == NONE)
			link_nodes(t, node, last);
		last = node;
	}
	return last;
}

/*
 * Step 1.B: "If the current message already has a parent, it is probably the result of a truncated
 * References header line, so break the current parent/child link before creating the new correct
 * one."
 */
static void set_parent(struct threads *t, uint32_t node, uint32_t parent)
{
	if (t->nodes[node].parent == parent)
		return;
	if (t->nodes[node].parent != NONE) {
		thread_forest_cut(&t->forest, node);
		t->nodes[node].parent = NONE;
	}
	if (parent != NONE)
		link_nodes(t, node, parent);
}

int threads_add(struct threads *t, struct str ids)
{
	uint32_t index = (uint32_t)t->n;

	assert(t->n_described == 0);
	if (t->n == THREADS_MESSAGES_MAX)
		return -E2BIG;
	if (t->n == t->message_cap)
		reserve_messages(t, t->message_cap + num_max(t->message_cap / 2, CAP_MIN));
	uint64_t id = ids.len >= ID_LEN ? num_get64(ids.p) : 0;
	uint32_t node = node_of_message(t, id, index);
	t->node_of[index] = node;
	t->n++;
	set_parent(t, node, link_references(t, str_from(ids, ID_LEN)));
	return 0;
}

void threads_describe(struct threads *t, const struct thread_message *message)
{
	size_t i = t->n_described++;

	assert(i < t->n);
	if (i == 0) {
		threads_close_forest(t);
		malloc_trim(0); /* of many it was some megabytes */
		t->sent_at = must(calloc(t->n, sizeof(*t->sent_at)));
		t->subjects = must(calloc(t->n, sizeof(*t->subjects)));
		t->is_reply = must(calloc(t->n, sizeof(*t->is_reply)));
	}
	t->sent_at[i] = message->sent_at;
	t->subjects[i] = message->subject;
	t->is_reply[i] = message->is_reply;
}
