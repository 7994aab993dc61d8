/*
 * base/heap.h: the heap of a process that forks many children, made ready for them.
 *
 * A child shares its parent's pages until one of the two writes to them. What start-up left free in
 * the heap lies scattered over pages that are in use; a child that allocates from there gets a copy
 * of page after page. With the holes filled, what a child allocates lies together at the heap's
 * end.
 */
#ifndef BASE_HEAP_H
#define BASE_HEAP_H

/*
 * Takes every free piece of the heap but its end, for good, and gives the end back to the system.
 * Once, when start-up is done and before the first fork. Does nothing under the sanitizers.
 */
void heap_fill_holes(void);

#endif
