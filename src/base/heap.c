#include "base/heap.h"

#ifdef GATEPOST_ASAN

void heap_fill_holes(void)
{
}

#else

#include <malloc.h>
#include <stdlib.h>
#include <unistd.h>

/*
 * From large to small. The first piece that comes from the heap's end says that a size has no more;
 * it goes back, unless malloc would set one so small aside for the next who asks.
 */
void heap_fill_holes(void)
{
	enum { LARGEST = 64 * 1024, SMALL = 1040, STEP = 16 };
	malloc_trim(0);
	char *heap_end = sbrk(0);
	char *top = heap_end - mallinfo2().keepcost;
	for (size_t size = LARGEST; size > 0; size = size > 2 * SMALL ? size / 2 : size - STEP) {
		char *p = malloc(size);
		while (p && p < top)
			p = malloc(size);
		if (size > SMALL)
			free(p);
	}
	malloc_trim(0);
}

#endif
