/*
 * RFC 5256 §5:
 *   thread-data    = "THREAD" [SP 1*thread-list]
 *   thread-list    = "(" (thread-members / thread-nested) ")"
 *   thread-members = nz-number *(SP nz-number) [SP thread-nested]
 *   thread-nested  = 2*thread-list
 */
#include "session/imap/threads.h"
#include "session/imap/threads_private.h"

static bool has_siblings(const struct threads *t, uint32_t node)
{
	uint32_t parent = t->nodes[node].parent;

	return t->next[t->child[parent]] != NONE;
}

/* The next node of the thread under `top`, closing what ends before it; NONE at its end. */
static uint32_t climb(const struct threads *t, uint32_t top, uint32_t node, struct buf *out)
{
	while (node != top) {
		bool one_of_many = has_siblings(t, node);
		if (one_of_many)
			buf_add_c(out, ')');
		if (one_of_many && t->next[node] != NONE) {
			buf_add_c(out, '(');
			return t->next[node];
		}
		node = t->nodes[node].parent;
	}
	return NONE;
}

static void write_thread(
    const struct threads *t, uint32_t top, const uint32_t *numbers, struct imap_output *out)
{
	uint32_t node = top;

	buf_add_c(&out->buf, '(');
	while (node != NONE) {
		uint32_t child = t->child[node];
		if (!threads_is_dummy(t, node)) {
			buf_add_u64(&out->buf, numbers[t->nodes[node].message]);
			if (child != NONE)
				buf_add_c(&out->buf, ' ');
		}
		if (child == NONE) {
			node = climb(t, top, node, &out->buf);
		} else {
			if (t->next[child] != NONE)
				buf_add_c(&out->buf, '(');
			node = child;
		}
		imap_output_room(out);
	}
	buf_add_c(&out->buf, ')');
}

void threads_write(const struct threads *t, const uint32_t *numbers, struct imap_output *out)
{
	for (uint32_t top = t->first; top != NONE; top = t->next[top])
		write_thread(t, top, numbers, out);
}
