#include "gatekeeper/lean.h"

#include <fcntl.h>
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
	*ret_mapping = (struct lean_mapping){(char *)start, end - start, file};
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

/* Reads the whole list before it changes anything: marking a mapping changes the list. */
static void leave_out_libraries(void)
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
		if (lean_read_mapping(str_cut_line(&rest), &mapping) &&
		    lean_is_foreign(mapping.file))
			(void)madvise(mapping.start, mapping.len, MADV_DONTFORK);
	}
}

void lean_prepare(void)
{
	if (!LEAN)
		return;
	leave_out_libraries();
	heap_fill_holes();
}
