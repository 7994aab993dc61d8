/*
 * session/test_memory.h: what a session's process needs: in builds without sanitizers its peak as
 * the machine counts it, with all libraries; in sanitizer builds what is allocated. Only *_test.c
 * includes it.
 */
#ifndef SESSION_TEST_MEMORY_H
#define SESSION_TEST_MEMORY_H

#include <sys/mman.h>

#include "base/clock.h"
#include "base/num.h"
#include "session/test_sessions.h"

enum {
	TEST_PROCESS_KIB_MAX = 30 << 10,
	TEST_HEAP_KIB_MAX =
	    28 << 10, /* code and libraries are not in it, nor is what the tests have */
};

/* Of the session, shared with it. */
static struct test_heap_use {
	volatile long now, peak;
} * test_heap;

#ifdef GATEPOST_ASAN
/* As <sanitizer/allocator_interface.h> has them, which not every compiler brings along. */
int __sanitizer_install_malloc_and_free_hooks(
    void (*malloced)(const volatile void *p, size_t size), void (*freed)(const volatile void *p));
size_t __sanitizer_get_allocated_size(const volatile void *p);

static pid_t test_heap_of; /* this process is not counted */

static void test_on_malloc(UNUSED const volatile void *p, size_t size)
{
	if (getpid() == test_heap_of)
		return;
	test_heap->now += (long)size;
	if (test_heap->now > test_heap->peak)
		test_heap->peak = test_heap->now;
}

static void test_on_free(const volatile void *p)
{
	if (p && getpid() != test_heap_of)
		test_heap->now -= (long)__sanitizer_get_allocated_size(p);
}
#endif

/* Set-up of the group: before any session. */
static inline int test_heap_watch(UNUSED void **state)
{
	test_heap = mmap(
	    NULL, sizeof(*test_heap), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
#ifdef GATEPOST_ASAN
	test_heap_of = getpid();
	if (__sanitizer_install_malloc_and_free_hooks(test_on_malloc, test_on_free) == 0)
		return -1;
#endif
	return 0;
}

/* Before a session is started. */
static inline void test_heap_begin(void)
{
	*test_heap = (struct test_heap_use){0};
}

static inline long test_process_kib(pid_t pid, const char *what)
{
	char path[64], line[256];
	long kib = -1;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	FILE *file = fopen(path, "re");
	assert_non_null(file);
	while (fgets(line, sizeof(line), file))
		if (strncmp(line, what, strlen(what)) == 0)
			kib = strtol(line + strlen(what), NULL, 10);
	fclose(file);
	assert_true(kib > 0);
	return kib;
}

static inline void test_expect_little(const struct test_client *c, const char *when)
{
#ifdef GATEPOST_ASAN
	print_message("%s: %ld KiB allocated, %ld at most\n", when, test_heap->now >> 10,
	    test_heap->peak >> 10);
	assert_true(test_heap->peak >> 10 < TEST_HEAP_KIB_MAX);
	(void)c;
#else
	print_message("%s: %ld KiB, %ld at most, %ld of its own\n", when,
	    test_process_kib(c->pid, "VmRSS:"), test_process_kib(c->pid, "VmHWM:"),
	    test_process_kib(c->pid, "RssAnon:"));
	assert_true(test_process_kib(c->pid, "VmHWM:") < TEST_PROCESS_KIB_MAX);
#endif
}

#endif
