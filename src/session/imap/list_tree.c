#include "session/imap/list_tree.h"

#include <errno.h>
#include <stdlib.h>

#include "imap/mailbox_name.h"

static int compare_nodes(const void *a, const void *b)
{
	const struct list_node *left = a, *right = b;
	int order = str_cmp(left->name, right->name);

	/* Of two with one name the mailbox comes first and stays. */
	return order != 0 ? order : (left->mailbox == NULL) - (right->mailbox == NULL);
}

static size_t count_levels(struct str name)
{
	size_t n = 1;

	for (size_t i = 0; i < name.len; i++)
		n += name.p[i] == IMAP_DELIMITER;
	return n;
}

/* The name and each level above it. */
static void add_levels(struct list_tree *tree, const struct store_mailbox *m)
{
	tree->nodes[tree->n++] = (struct list_node){.name = m->name, .mailbox = m};
	for (size_t i = m->name.len; i > 0; i--)
		if (m->name.p[i - 1] == IMAP_DELIMITER)
			tree->nodes[tree->n++] =
			    (struct list_node){.name = str_first(m->name, i - 1)};
}

static void drop_doubles(struct list_tree *tree)
{
	size_t n = 0;

	for (size_t i = 0; i < tree->n; i++)
		if (n == 0 || !str_eq(tree->nodes[n - 1].name, tree->nodes[i].name))
			tree->nodes[n++] = tree->nodes[i];
	tree->n = n;
}

static struct list_node *find(const struct list_tree *tree, struct str name)
{
	struct list_node key = {.name = name};
	size_t low = 0, high = tree->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (str_cmp(tree->nodes[middle].name, key.name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low < tree->n && str_eq(tree->nodes[low].name, name) ? &tree->nodes[low] : NULL;
}

/* Tells the levels above a node what lies below them. */
static void tell_levels(const struct list_tree *tree, const struct list_node *node)
{
	for (size_t i = node->name.len; i > 0; i--) {
		if (node->name.p[i - 1] != IMAP_DELIMITER)
			continue;
		struct list_node *above = find(tree, str_first(node->name, i - 1));
		if (above == NULL)
			continue;
		above->has_children |= list_node_exists(node);
		above->has_subscribed |= list_node_subscribed(node);
	}
}

/* A mailbox that the user may not see is as if it were not there (RFC 4314 §4). */
static int leave_out_unseen(struct imap_session *s, struct store_mailbox *list, size_t *n)
{
	size_t kept = 0;

	for (size_t i = 0; i < *n; i++) {
		int r = list[i].id == 0 ? 0
		                        : authorize_mailbox(s->store, &s->subject,
		                              STORE_RIGHT_LOOKUP, list[i].id);
		if (r == 0)
			list[kept++] = list[i];
		else if (r != -EACCES)
			return r;
	}
	*n = kept;
	return 0;
}

int list_tree_make(struct imap_session *s, struct list_tree *ret_tree)
{
	struct list_tree tree = {0};
	struct store_mailbox *list;
	size_t n, n_levels = 1;
	int r = store_mailbox_list(s->store, &s->arena, &list, &n);

	if (r == 0)
		r = leave_out_unseen(s, list, &n);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++)
		n_levels += count_levels(list[i].name);
	tree.nodes = ARENA_NEW_ARRAY(&s->arena, struct list_node, n_levels);
	if (tree.nodes == NULL)
		return -E2BIG;
	for (size_t i = 0; i < n; i++)
		add_levels(&tree, &list[i]);
	qsort(tree.nodes, tree.n, sizeof(*tree.nodes), compare_nodes);
	drop_doubles(&tree);
	for (size_t i = 0; i < tree.n; i++)
		tell_levels(&tree, &tree.nodes[i]);
	*ret_tree = tree;
	return 0;
}
