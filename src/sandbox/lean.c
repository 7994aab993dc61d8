#include "sandbox/lean.h"

#include <fcntl.h>
#include <link.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/heap.h"

#ifdef GATEPOST_ASAN
enum { LEAN = 0 };
#else
enum { LEAN = 1 };
#endif

enum { MAPS_LEN_MAX = 256 * 1024 };

static bool parse_address(struct str hex, uintptr_t *ret_address)
{
	uintptr_t address = 0;
	if (hex.len == 0 || hex.len > 2 * sizeof address)
		return false;
	for (size_t i = 0; i < hex.len; i++) {
		int digit = ascii_hex(hex.p[i]);
		if (digit < 0)
			return false;
		address = address << 4 | (uintptr_t)digit;
	}
	*ret_address = address;
	return true;
}

/*   7f374b617000-7f374b61a000 r--p 00000000 fe:00 11026586    /usr/lib/libx.so (proc(5)) */
bool lean_read_mapping(struct str line, struct lean_mapping *ret_mapping)
{
	uintptr_t start, end;
	struct str file = str_from(line, str_index(line, '/'));
	struct str last = str_cut(&line, ' ');
	struct str first = str_cut(&last, '-');
	if (!parse_address(first, &start) || !parse_address(last, &end) || end <= start)
		return false;
	bool is_heap = str_ends(line, STR("[heap]"));
	*ret_mapping = (struct lean_mapping){(char *)start, end - start, file, is_heap};
	return true;
}

bool lean_is_foreign(struct str file)
{
	static const struct str needed[] = {
	    STR_INIT("libc.so"),
	    STR_INIT("libssl.so"),
	    STR_INIT("libcrypto.so"),
	    STR_INIT("ld-linux"),
	};
	struct str name = file;
	for (size_t at; (at = str_index(name, '/')) < name.len;)
		name = str_from(name, at + 1);
	for (size_t i = 0; i < ARRAY_LEN(needed); i++) {
		if (str_starts(name, needed[i]))
			return false;
	}
	return str_starts(name, STR("lib")) && str_find(name, STR(".so")) < name.len;
}

/* Reads the whole list before it changes anything: changing a mapping changes the list. */
static void for_each_mapping(void (*fn)(const struct lean_mapping *mapping))
{
	int fd CLEANUP(fd_close) = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
	struct buf maps CLEANUP(buf_done) = BUF_MAX(MAPS_LEN_MAX);
	ssize_t n = 1;
	while (fd >= 0 && n > 0) {
		char *to = buf_reserve(&maps, 4096);
		n = to ? read(fd, to, 4096) : 0;
		buf_commit(&maps, n > 0 ? (size_t)n : 0);
	}
	for (struct str rest = buf_str(&maps); rest.len > 0;) {
		struct lean_mapping mapping;
		if (lean_read_mapping(str_cut_line(&rest), &mapping))
			fn(&mapping);
	}
}

static void leave_out_library(const struct lean_mapping *mapping)
{
	if (lean_is_foreign(mapping->file))
		(void)madvise(mapping->start, mapping->len, MADV_DONTFORK);
}

/*
 * Puts a file of memory with the same content under a piece of memory. The kernel then need not
 * copy an entry for each of its pages at a fork, nor drop them at an exit: a child finds those that
 * it reads in the file, and gets a copy of those that it writes, as before. Nothing is written to
 * the piece between the copy and the mapping; there is nobody else in the process.
 */
static void settle(char *start, size_t len, int protection)
{
	int fd CLEANUP(fd_close) = memfd_create("settled", MFD_CLOEXEC);
	if (fd < 0 || fd_write_all(fd, str_of(start, len)) < 0)
		return;
	if (mmap(start, len, protection, MAP_PRIVATE | MAP_FIXED, fd, 0) == MAP_FAILED)
		abort(); /* whether the piece is still there, nobody knows */
}

static void settle_heap(const struct lean_mapping *mapping)
{
	if (mapping->is_heap)
		settle(mapping->start, mapping->len, PROT_READ | PROT_WRITE);
}

/* What the loader wrote into a library and then made read-only: the most that there is in the
 * libraries of pages that are no file's. */
static int settle_relocated(struct dl_phdr_info *info, size_t len UNUSED, void *ctx UNUSED)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	if (lean_is_foreign(str_of_cstr(info->dlpi_name)))
		return 0;
	for (size_t i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];
		uintptr_t start = (info->dlpi_addr + p->p_vaddr) & ~(page - 1);
		uintptr_t end = (info->dlpi_addr + p->p_vaddr + p->p_memsz) & ~(page - 1);
		if (p->p_type == PT_GNU_RELRO && end > start)
			settle((char *)start, end - start, PROT_READ);
	}
	return 0;
}

void lean_prepare(void)
{
	if (!LEAN)
		return;
	for_each_mapping(leave_out_library);
	heap_fill_holes();
	(void)dl_iterate_phdr(settle_relocated, NULL);
	for_each_mapping(settle_heap);
}
