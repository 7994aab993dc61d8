#include "session/imap/thread_forest.h"

#include <stdbool.h>
#include <stdlib.h>

#include "base/num.h"

enum { NODES_MIN = 64 };

void thread_forest_done(struct thread_forest *f)
{
	free(f->v);
	*f = (struct thread_forest){0};
}

void thread_forest_reserve(struct thread_forest *f, size_t cap)
{
	if (cap <= f->cap)
		return;
	f->cap = cap;
	f->v = reallocarray(f->v, f->cap, sizeof(*f->v));
	if (f->v == NULL)
		abort();
}

void thread_forest_add(struct thread_forest *f)
{
	if (f->n == f->cap)
		thread_forest_reserve(f, f->cap + num_max(f->cap / 2, NODES_MIN));
	f->v[f->n++] = (struct forest_node){FOREST_NONE, FOREST_NONE, FOREST_NONE};
}

static bool is_top(const struct thread_forest *f, uint32_t x)
{
	uint32_t up = f->v[x].up;

	return up == FOREST_NONE || (f->v[up].left != x && f->v[up].right != x);
}

static void set_up(struct thread_forest *f, uint32_t x, uint32_t up)
{
	if (x != FOREST_NONE)
		f->v[x].up = up;
}

/* Turns `x` above the node it hangs from. */
static void rotate(struct thread_forest *f, uint32_t x)
{
	struct forest_node *v = f->v;
	uint32_t p = v[x].up, g = v[p].up;

	if (!is_top(f, p)) {
		if (v[g].left == p)
			v[g].left = x;
		else
			v[g].right = x;
	}
	if (v[p].left == x) {
		v[p].left = v[x].right;
		set_up(f, v[x].right, p);
		v[x].right = p;
	} else {
		v[p].right = v[x].left;
		set_up(f, v[x].left, p);
		v[x].left = p;
	}
	v[p].up = x;
	v[x].up = g;
}

static void splay(struct thread_forest *f, uint32_t x)
{
	while (!is_top(f, x)) {
		uint32_t p = f->v[x].up;
		if (!is_top(f, p)) {
			uint32_t g = f->v[p].up;
			bool straight = (f->v[g].left == p) == (f->v[p].left == x);
			rotate(f, straight ? p : x);
		}
		rotate(f, x);
	}
}

/* Makes one path of all from the root to `x`, which is then the top of its splay tree. */
static void expose(struct thread_forest *f, uint32_t x)
{
	uint32_t below = FOREST_NONE;

	for (uint32_t y = x; y != FOREST_NONE; y = f->v[y].up) {
		splay(f, y);
		f->v[y].right = below;
		below = y;
	}
	splay(f, x);
}

void thread_forest_link(struct thread_forest *f, uint32_t child, uint32_t parent)
{
	expose(f, child);
	f->v[child].up = parent;
}

void thread_forest_cut(struct thread_forest *f, uint32_t child)
{
	expose(f, child);
	set_up(f, f->v[child].left, FOREST_NONE);
	f->v[child].left = FOREST_NONE;
}

uint32_t thread_forest_root(struct thread_forest *f, uint32_t node)
{
	expose(f, node);
	while (f->v[node].left != FOREST_NONE)
		node = f->v[node].left;
	splay(f, node);
	return node;
}
