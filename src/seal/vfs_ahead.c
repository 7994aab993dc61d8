#include "seal/vfs_ahead.h"

#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>

#include "base/num.h"
#include "seal/page.h"
#include "seal/vfs.h"

/* https://www.sqlite.org/fileformat2.html §1.6: the header of a page above leaves */
enum {
	PAGE_INDEX_INTERIOR = 0x02,
	PAGE_TABLE_INTERIOR = 0x05,
	AT_N_CELLS = 3,
	AT_RIGHT_MOST = 8,
	AT_POINTERS = 12,
	POINTER_LEN = 2,
	CHILD_LEN = 4, /* what each cell begins with */
	CHILDREN_MAX = (PAGE_CONTENT_LEN - AT_POINTERS) / (POINTER_LEN + CHILD_LEN) + 1,
};

/* A page above others, and how far these were read in their order. */
struct branch {
	uint32_t *children;
	size_t n;
	size_t next;   /* the one that would be read next; 0: none was yet */
	bool in_order; /* the last two were read one after the other */
	size_t asked;  /* up to here the kernel was asked */
	uint64_t used; /* when, in pages read */
};

struct vfs_ahead {
	int fd;
	struct branch branches[AHEAD_BRANCHES];
	uint64_t n_read, n_asked;
};

struct vfs_ahead *vfs_ahead_new(int fd)
{
	struct vfs_ahead *ahead = calloc(1, sizeof(*ahead));

	if (ahead == NULL)
		abort();
	ahead->fd = fd;
	return ahead;
}

void vfs_ahead_free(struct vfs_ahead **ahead)
{
	for (size_t i = 0; *ahead != NULL && i < AHEAD_BRANCHES; i++)
		free((*ahead)->branches[i].children);
	free(*ahead);
	*ahead = NULL;
}

uint64_t vfs_ahead_count(const struct vfs_ahead *ahead)
{
	return ahead->n_asked;
}

/* In the place of the branch that was longest not used. Numbers are big-endian. */
static void note_branch(struct vfs_ahead *ahead, const uint8_t *page)
{
	struct branch *b = &ahead->branches[0];
	size_t n_cells = (size_t)page[AT_N_CELLS] << 8 | page[AT_N_CELLS + 1];

	for (size_t i = 1; i < AHEAD_BRANCHES; i++)
		if (ahead->branches[i].used < b->used)
			b = &ahead->branches[i];
	if (n_cells >= CHILDREN_MAX)
		return;
	uint32_t *children = reallocarray(b->children, n_cells + 1, sizeof(*children));
	if (children == NULL)
		abort();
	*b = (struct branch){.children = children, .used = ahead->n_read};
	for (size_t i = 0; i < n_cells; i++) {
		const uint8_t *pointer = page + AT_POINTERS + i * POINTER_LEN;
		size_t at = (size_t)pointer[0] << 8 | pointer[1];
		if (at > PAGE_CONTENT_LEN - CHILD_LEN)
			return;
		children[b->n++] = __builtin_bswap32(num_get32(page + at));
	}
	children[b->n++] = __builtin_bswap32(num_get32(page + AT_RIGHT_MOST));
}

/* Asks for children from `first` on, neighbours in the file at once. */
static void ask(struct vfs_ahead *ahead, struct branch *b, size_t first)
{
	size_t end = num_min(first + AHEAD_PAGES, b->n);

	while (first < end) {
		size_t n = 1;
		while (first + n < end && b->children[first + n] == b->children[first] + n)
			n++;
		int refused =
		    posix_fadvise(ahead->fd, ((off_t)b->children[first] - 1) * VFS_PAGE_LEN,
		        (off_t)n * VFS_PAGE_LEN, POSIX_FADV_WILLNEED);
		(void)refused; /* then it is read when it is needed */
		first += n;
	}
	b->asked = end;
	ahead->n_asked++;
}

/* Where a page is below a branch that is not read in order yet; only asked when it was slow. */
static bool find_child(struct branch *b, uint32_t number)
{
	for (size_t i = 0; i < b->n; i++) {
		if (b->children[i] != number)
			continue;
		b->next = i + 1;
		b->in_order = false;
		return true;
	}
	return false;
}

static void note_leaf(struct vfs_ahead *ahead, uint32_t number, bool slow)
{
	for (size_t i = 0; i < AHEAD_BRANCHES; i++) {
		struct branch *b = &ahead->branches[i];
		if (b->next >= b->n || b->children[b->next] != number || b->next == 0)
			continue;
		b->next++;
		b->used = ahead->n_read;
		if (slow && b->in_order && b->next >= b->asked)
			ask(ahead, b, b->next);
		b->in_order = true;
		return;
	}
	for (size_t i = 0; slow && i < AHEAD_BRANCHES; i++)
		if (find_child(&ahead->branches[i], number))
			return;
}

void vfs_ahead_read(struct vfs_ahead *ahead, uint32_t number, const uint8_t *page, uint64_t took_us)
{
	ahead->n_read++;
	if (number > 1 && (page[0] == PAGE_TABLE_INTERIOR || page[0] == PAGE_INDEX_INTERIOR))
		note_branch(ahead, page);
	else
		note_leaf(ahead, number, took_us >= AHEAD_SLOW_US);
}
