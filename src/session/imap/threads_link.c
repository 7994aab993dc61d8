/* From parents to trees in order: ORDEREDSUBJECT, and steps 2 to 6 of REFERENCES. */
#include <assert.h>
#include <stdlib.h>

#include "session/imap/threads.h"
#include "session/imap/threads_private.h"

static void *must(void *memory)
{
	if (memory == NULL)
		abort();
	return memory;
}

/* By sent date, equal ones in mailbox order (RFC 5256 §2.2). */
static int compare_messages(const struct threads *t, uint32_t a, uint32_t b)
{
	if (t->sent_at[a] != t->sent_at[b])
		return t->sent_at[a] < t->sent_at[b] ? -1 : 1;
	return a < b ? -1 : a > b;
}

static int compare_message_numbers(const void *x, const void *y, void *context)
{
	return compare_messages(context, *(const uint32_t *)x, *(const uint32_t *)y);
}

/* Of nodes: a dummy counts with its first child. */
static int compare_nodes(const void *x, const void *y, void *context)
{
	const struct threads *t = context;

	return compare_messages(t, threads_message_of(t, *(const uint32_t *)x),
	    threads_message_of(t, *(const uint32_t *)y));
}

/* --- subjects --- */

static struct node_table table_for(size_t n)
{
	struct node_table table = {.n_slots = 64};

	while (table.n_slots < 2 * n)
		table.n_slots *= 2;
	table.slots = must(malloc(table.n_slots * sizeof(*table.slots)));
	memset(table.slots, 0xff, table.n_slots * sizeof(*table.slots));
	return table;
}

static void table_done(struct node_table *table)
{
	free(table->slots);
}

static uint64_t subject_of(const struct threads *t, uint32_t node)
{
	return t->subjects[threads_message_of(t, node)];
}

/* Where the node of that subject stands, or is to stand. */
static uint32_t *slot_of_subject(
    const struct threads *t, const struct node_table *table, uint64_t subject)
{
	size_t slot = threads_slot(t, table, subject);

	while (table->slots[slot] != NONE && subject_of(t, table->slots[slot]) != subject)
		slot = (slot + 1) & (table->n_slots - 1);
	return &table->slots[slot];
}

/* --- dummies --- */

/*
 * The nearest ancestor that is no dummy, or the dummy on top of them. The way there is shortened,
 * so that the next one has it short.
 */
static uint32_t resolve(struct threads *t, uint32_t parent)
{
	uint32_t top = parent;

	while (top != NONE && threads_is_dummy(t, top) && t->nodes[top].parent != NONE)
		top = t->nodes[top].parent;
	while (parent != top) {
		uint32_t above = t->nodes[parent].parent;
		t->nodes[parent].parent = top;
		parent = above;
	}
	return top;
}

/* Every message gets a message, a dummy on the top level, or none as its parent. */
static void resolve_all(struct threads *t)
{
	for (size_t i = 0; i < t->n; i++) {
		struct thread_node *node = &t->nodes[t->node_of[i]];
		node->parent = resolve(t, node->parent);
	}
}

/* Each dummy's first child. */
static void find_first_children(struct threads *t)
{
	for (size_t i = 0; i < t->n_nodes; i++)
		if (threads_is_dummy(t, (uint32_t)i))
			t->nodes[i].message = UINT32_MAX;
	for (uint32_t i = 0; i < t->n; i++) {
		uint32_t parent = t->nodes[t->node_of[i]].parent;
		if (parent == NONE || !threads_is_dummy(t, parent))
			continue;
		uint32_t *first = &t->nodes[parent].message;
		if (*first == UINT32_MAX || compare_messages(t, i, *first & ~DUMMY) < 0)
			*first = DUMMY | i;
	}
}

/*
 * Step 3: dummies go, and their children take their places; on the top level only where it is one
 * child. A message has its number in `n_children` of its dummy.
 */
static void prune(struct threads *t, uint32_t *n_children)
{
	resolve_all(t);
	for (size_t i = 0; i < t->n; i++) {
		uint32_t parent = t->nodes[t->node_of[i]].parent;
		if (parent != NONE)
			n_children[parent]++;
	}
	for (size_t i = 0; i < t->n; i++) {
		struct thread_node *node = &t->nodes[t->node_of[i]];
		if (node->parent != NONE && threads_is_dummy(t, node->parent) &&
		    n_children[node->parent] == 1)
			node->parent = NONE;
	}
	find_first_children(t);
}

/* --- step 5 --- */

static bool is_reply(const struct threads *t, uint32_t node)
{
	return !threads_is_dummy(t, node) && t->is_reply[threads_message_of(t, node)];
}

/* Step 5.B: the node that stands for its thread's subject. */
static void enter_subject(struct threads *t, const struct node_table *table, uint32_t node)
{
	uint64_t subject = subject_of(t, node);

	if (subject == 0)
		return;
	uint32_t *slot = slot_of_subject(t, table, subject);
	if (*slot == NONE ||
	    (!threads_is_dummy(t, *slot) &&
	        (threads_is_dummy(t, node) || (is_reply(t, *slot) && !is_reply(t, node)))))
		*slot = node;
}

/* Step 5.C. A dummy that becomes a dummy's child gives its children to it (resolve_all). */
static void merge_subject(struct threads *t, const struct node_table *table, uint32_t node)
{
	uint64_t subject = subject_of(t, node);

	if (subject == 0 || t->nodes[node].parent != NONE)
		return;
	uint32_t *slot = slot_of_subject(t, table, subject);
	uint32_t other = *slot;
	if (other == node)
		return;
	if (threads_is_dummy(t, other) || (is_reply(t, node) && !is_reply(t, other))) {
		t->nodes[node].parent = other;
		return;
	}
	uint32_t dummy = threads_add_node(
	    t, (struct thread_node){.parent = NONE, .message = DUMMY | t->nodes[other].message});
	t->nodes[node].parent = dummy;
	t->nodes[other].parent = dummy;
	*slot = dummy;
}

/* The top level, in order. `tops` has room for every message. */
static size_t list_tops(struct threads *t, uint32_t *tops)
{
	size_t n = 0;

	for (uint32_t i = 0; i < t->n_nodes; i++) {
		bool is_empty = t->nodes[i].message == UINT32_MAX;
		if (t->nodes[i].parent == NONE && !is_empty)
			tops[n++] = i;
	}
	qsort_r(tops, n, sizeof(*tops), compare_nodes, t);
	return n;
}

static void join_subjects(struct threads *t)
{
	uint32_t *tops = must(calloc(t->n + 1, sizeof(*tops)));
	size_t n = list_tops(t, tops);
	struct node_table table CLEANUP(table_done) = table_for(n);

	for (size_t i = 0; i < n; i++)
		enter_subject(t, &table, tops[i]);
	for (size_t i = 0; i < n; i++)
		merge_subject(t, &table, tops[i]);
	free(tops);
	resolve_all(t);
	find_first_children(t);
}

/* --- step 6 --- */

static void put_first(struct threads *t, uint32_t *list, uint32_t node)
{
	t->next[node] = *list;
	*list = node;
}

/* The lists of siblings, made from the last message to the first. */
static void order(struct threads *t)
{
	uint32_t *messages = must(calloc(t->n + 1, sizeof(*messages)));

	for (uint32_t i = 0; i < t->n; i++)
		messages[i] = i;
	qsort_r(messages, t->n, sizeof(*messages), compare_message_numbers, t);
	t->child = must(malloc((t->n_nodes + 1) * sizeof(*t->child)));
	t->next = must(malloc((t->n_nodes + 1) * sizeof(*t->next)));
	memset(t->child, 0xff, t->n_nodes * sizeof(*t->child));
	for (size_t i = t->n; i > 0; i--) {
		uint32_t message = messages[i - 1], node = t->node_of[message];
		uint32_t parent = t->nodes[node].parent;
		put_first(t, parent == NONE ? &t->first : &t->child[parent], node);
		/* A dummy stands where its first child would. */
		if (parent != NONE && t->nodes[parent].message == (DUMMY | message))
			put_first(t, &t->first, parent);
	}
	free(messages);
}

void threads_link_references(struct threads *t)
{
	assert(t->n_described == t->n);
	uint32_t *n_children = must(calloc(t->n_nodes + 1, sizeof(*n_children)));
	prune(t, n_children);
	free(n_children);
	join_subjects(t);
	order(t);
}

/* The first message of a subject is the parent of all others. */
static void join_to_first(struct threads *t)
{
	struct node_table table CLEANUP(table_done) = table_for(t->n);
	uint32_t *messages = must(calloc(t->n + 1, sizeof(*messages)));

	for (uint32_t i = 0; i < t->n; i++)
		messages[i] = i;
	qsort_r(messages, t->n, sizeof(*messages), compare_message_numbers, t);
	for (size_t i = 0; i < t->n; i++) {
		uint32_t node = t->node_of[messages[i]];
		uint32_t *slot = slot_of_subject(t, &table, t->subjects[messages[i]]);
		t->nodes[node].parent = *slot;
		if (*slot == NONE)
			*slot = node;
	}
	free(messages);
}

void threads_link_subjects(struct threads *t)
{
	assert(t->n_described == t->n);
	join_to_first(t);
	order(t);
}
