/*
 * session/imap/thread_forest.h: a forest of numbered nodes that is linked and cut while it is asked
 * which tree a node belongs to: in time that grows with the logarithm of its size however deep the
 * trees are (link-cut trees: Sleator and Tarjan, "A data structure for dynamic trees", 1983).
 *
 * It does not keep what a node's parent is: that is the caller's (session/imap/threads.c).
 */
#ifndef SESSION_IMAP_THREAD_FOREST_H
#define SESSION_IMAP_THREAD_FOREST_H

#include <stddef.h>
#include <stdint.h>

static const uint32_t FOREST_NONE = UINT32_MAX;

/* 12 bytes a node. `(struct thread_forest){0}` is empty; thread_forest_done frees it. */
struct thread_forest {
	struct forest_node {
		uint32_t left, right; /* of the splay tree of a path, by depth */
		uint32_t up;          /* in it; at its root, the path's parent */
	} * v;
	size_t n, cap;
};

void thread_forest_done(struct thread_forest *f);
/* Room for so many in all. */
void thread_forest_reserve(struct thread_forest *f, size_t cap);
/* A tree of its own, of the next number. Running out of memory aborts. */
void thread_forest_add(struct thread_forest *f);
/* Makes the root `child` a child of `parent`, a node of another tree. */
void thread_forest_link(struct thread_forest *f, uint32_t child, uint32_t parent);
/* Makes `child` a root. */
void thread_forest_cut(struct thread_forest *f, uint32_t child);
/* The root of a node's tree. */
uint32_t thread_forest_root(struct thread_forest *f, uint32_t node);

#endif
