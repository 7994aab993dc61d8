#include "store/letterbox.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "store/io.h"
#include "store/letterbox_private.h"

enum { LOCK_WAKE_AGAIN_US = 10000, BLOCK_LEN = 512, LISTED_SETTLED_S = 2 };

int letterbox_open(int account_fd, uint64_t account_id, struct letterbox **ret_letterbox)
{
	int own CLEANUP(fd_close) = -1;
	int folder CLEANUP(fd_close) = -1;
	int error = io_open(account_fd, ".", O_RDONLY | O_DIRECTORY, 0, &own);
	if (!error)
		error = io_open(account_fd, "letterbox", O_RDONLY | O_DIRECTORY, 0, &folder);
	if (error)
		return error;
	struct stat st;
	if (fstat(folder, &st) < 0)
		return -errno;
	struct letterbox *l = calloc(1, sizeof(*l));
	if (!l)
		abort();
	*l = (struct letterbox){.account_id = account_id,
	    .account_fd = fd_take(&own),
	    .folder_fd = fd_take(&folder),
	    .file_mode = st.st_mode & 0660,
	    .fd = -1};
	for (size_t i = 0; i < LETTERBOX_OPEN_MAX; i++)
		l->open[i].fd = -1;
	*ret_letterbox = l;
	return 0;
}

void letterbox_close(struct letterbox **letterbox)
{
	struct letterbox *l = *letterbox;
	*letterbox = NULL;
	if (!l)
		return;
	fd_close(&l->fd);
	letterbox_rest(l);
	fd_close(&l->folder_fd); /* and with it the lock */
	fd_close(&l->account_fd);
	free(l);
}

/* Calls `fn` for every entry of a folder. */
static int each_entry(int account_fd, const char *folder,
    int (*fn)(void *ctx, int folder_fd, const char *name), void *ctx)
{
	int fd = -1;
	int error = io_open(account_fd, folder, O_RDONLY | O_DIRECTORY, 0, &fd);
	if (error)
		return error;
	DIR *dir = fdopendir(fd);
	if (!dir) {
		fd_close(&fd);
		return -ENOMEM;
	}
	struct dirent *entry;
	while (!error && (errno = 0, entry = readdir(dir))) {
		if (entry->d_name[0] != '.')
			error = fn(ctx, fd, entry->d_name);
	}
	if (!error && errno)
		error = -errno;
	closedir(dir);
	return error;
}

static int add_used(void *ctx, int folder_fd, const char *name)
{
	struct stat st;
	if (fstatat(folder_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno;
	*(uint64_t *)ctx += (uint64_t)st.st_blocks * BLOCK_LEN;
	return 0;
}

int letterbox_used(struct letterbox *l, uint64_t *ret_bytes)
{
	uint64_t used = 0;
	int error = each_entry(l->account_fd, "letterbox", add_used, &used);
	if (!error)
		error = each_entry(l->account_fd, "blobs", add_used, &used);
	if (error)
		return error;
	*ret_bytes = used;
	return 0;
}

struct numbers {
	uint32_t *v;
	size_t n, cap;
};

static int note_segment(void *ctx, int folder_fd UNUSED, const char *name)
{
	struct numbers *numbers = ctx;
	uint32_t number;
	if (!segment_number(str_of_cstr(name), &number))
		return 0;
	if (numbers->n == numbers->cap) {
		numbers->cap = numbers->cap ? 2 * numbers->cap : 64;
		uint32_t *larger = reallocarray(numbers->v, numbers->cap, sizeof(*larger));
		if (!larger)
			abort();
		numbers->v = larger;
	}
	numbers->v[numbers->n++] = number;
	return 0;
}

static int by_number(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;
	return *x < *y ? -1 : *x > *y;
}

/* The highest that can be ours: what somebody put far behind it must not use up the numbers. */
static uint32_t last_of(const struct numbers *numbers)
{
	uint32_t last = 0;
	if (numbers->n > 0)
		qsort(numbers->v, numbers->n, sizeof(*numbers->v), by_number);
	for (size_t i = 0; i < numbers->n; i++) {
		bool far = i == 0 ? numbers->v[i] > SEGMENT_NUMBER_MAX - SEGMENT_GAP_MAX
		                  : numbers->v[i] - last > SEGMENT_GAP_MAX;
		if (far)
			break;
		last = numbers->v[i];
	}
	return last;
}

/*
 * A segment between two others may have been removed, so the next number's absence says nothing:
 * the folder is listed again whenever it changed, and while it changed so lately that its time may
 * not tell of another change.
 */
int letterbox_find_last(struct letterbox *l)
{
	struct stat st;
	if (fstat(l->folder_fd, &st) < 0)
		return -errno;
	bool same =
	    st.st_mtim.tv_sec == l->listed.tv_sec && st.st_mtim.tv_nsec == l->listed.tv_nsec;
	if (same && l->last > 0)
		return 0;
	l->last = 0;
	struct numbers numbers = {0};
	int error = each_entry(l->folder_fd, ".", note_segment, &numbers);
	l->last = last_of(&numbers);
	free(numbers.v);
	bool settled = (uint64_t)st.st_mtim.tv_sec + LISTED_SETTLED_S < clock_wall();
	l->listed = settled ? st.st_mtim : (struct timespec){0};
	return error;
}

static void wake_up(int signal UNUSED)
{
}

/*
 * Waits in the kernel's queue, where nobody is overtaken for long; a timer's signal ends the wait.
 * It repeats, since the first could come just before the wait begins.
 */
static int wait_for_lock(int fd, int how, int wait_ms)
{
	struct sigaction wake = {.sa_handler = wake_up}, before;
	struct itimerval timer = {
	    .it_value = {.tv_sec = wait_ms / 1000, .tv_usec = wait_ms % 1000 * 1000},
	    .it_interval = {.tv_usec = LOCK_WAKE_AGAIN_US},
	};
	uint64_t until = clock_ms() + (uint64_t)wait_ms;
	int error;

	sigaction(SIGALRM, &wake, &before);
	setitimer(ITIMER_REAL, &timer, NULL);
	do
		error = flock(fd, how) == 0 ? 0 : -errno;
	while (error == -EINTR && clock_ms() < until);
	timer = (struct itimerval){0};
	setitimer(ITIMER_REAL, &timer, NULL);
	sigaction(SIGALRM, &before, NULL);
	return error == -EINTR ? -ETIMEDOUT : error;
}

int letterbox_lock_folder(int fd, int how, int wait_ms)
{
	if (flock(fd, how | LOCK_NB) == 0)
		return 0;
	if (errno != EWOULDBLOCK && errno != EINTR)
		return -errno;
	return wait_ms > 0 ? wait_for_lock(fd, how, wait_ms) : -ETIMEDOUT;
}

/* Takes the letterbox's lock. */
static int take_lock(struct letterbox *l, int how, int wait_ms)
{
	return letterbox_lock_folder(l->folder_fd, how, wait_ms);
}

int letterbox_open_segment(
    struct letterbox *l, uint32_t number, bool write, int *ret_fd, uint64_t *ret_len)
{
	char name[SEGMENT_NAME_LEN + 1];
	segment_name(number, name);
	int fd CLEANUP(fd_close) = -1;
	int error = io_open(l->folder_fd, name, write ? O_RDWR : O_RDONLY, 0, &fd);
	if (error)
		return error;
	struct stat st;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	*ret_len = (uint64_t)st.st_size;
	*ret_fd = fd_take(&fd);
	return 0;
}

void letterbox_rest(struct letterbox *l)
{
	for (size_t i = 0; i < LETTERBOX_OPEN_MAX; i++)
		fd_close(&l->open[i].fd);
}

/* The one that has the segment; else an empty one, or the one that was longest not used. */
static struct letterbox_open *open_of(struct letterbox *l, uint32_t number)
{
	struct letterbox_open *best = &l->open[0];
	for (size_t i = 0; i < LETTERBOX_OPEN_MAX; i++) {
		struct letterbox_open *o = &l->open[i];
		if (o->fd >= 0 && o->segment == number)
			return o;
		if (best->fd >= 0 && (o->fd < 0 || o->used < best->used))
			best = o;
	}
	return best;
}

int letterbox_keep_open(
    struct letterbox *l, uint32_t number, struct letterbox_open **ret_open, uint64_t *ret_len)
{
	struct letterbox_open *o = open_of(l, number);
	struct stat st;
	o->used = ++l->n_reads;
	if (o->fd >= 0 && o->segment == number) {
		*ret_open = o;
		if (!ret_len)
			return 0;
		if (fstat(o->fd, &st) < 0)
			return -errno;
		*ret_len = (uint64_t)st.st_size;
		if (st.st_nlink > 0)
			return 0;
	}
	fd_close(&o->fd);
	uint64_t len;
	int fd = -1;
	int error = letterbox_open_segment(l, number, false, &fd, &len);
	if (error)
		return error;
	*o = (struct letterbox_open){.fd = fd, .segment = number, .used = l->n_reads};
	*ret_open = o;
	if (ret_len)
		*ret_len = len;
	return 0;
}

int letterbox_check_tail(int fd, uint64_t len, bool *ret_whole)
{
	*ret_whole = len == SEGMENT_HEADER_LEN;
	if (len < SEGMENT_HEADER_LEN + RECORD_TRAILER_LEN)
		return 0;
	uint8_t trailer[RECORD_TRAILER_LEN];
	int error = fd_pread_all(fd, trailer, sizeof(trailer), (off_t)(len - sizeof(trailer)));
	if (error)
		return error;
	uint32_t last_len;
	bool hole = segment_check_hole_trailer(trailer, &last_len) == 0;
	if (!hole && record_check_trailer(trailer, &last_len) < 0)
		return 0;
	if (last_len > len - SEGMENT_HEADER_LEN || last_len < RECORD_HEADER_LEN)
		return 0;
	char header[RECORD_HEADER_LEN];
	error = fd_pread_all(fd, header, sizeof(header), (off_t)(len - last_len));
	if (error)
		return error;
	struct str bytes = str_of(header, sizeof(header));
	struct record_frame frame;
	uint32_t hole_len;
	if (hole || segment_check_hole(bytes, &hole_len) == 0)
		*ret_whole = segment_check_hole(bytes, &hole_len) == 0 && hole_len == last_len;
	else
		*ret_whole = record_check_header(bytes, &frame) == 0 && frame.total_len == last_len;
	return 0;
}

/* Makes the next segment the current one. */
static int begin_segment(struct letterbox *l)
{
	if (l->last >= SEGMENT_NUMBER_MAX)
		return -EMFILE;
	uint32_t number = l->last + 1;
	char name[SEGMENT_NAME_LEN + 1];
	segment_name(number, name);
	int fd CLEANUP(fd_close) = -1;
	int error = io_open(l->folder_fd, name, O_RDWR | O_CREAT | O_EXCL, l->file_mode, &fd);
	if (error)
		return error;
	l->last = number;
	l->folder_dirty = true;
	if (fchmod(fd, l->file_mode) < 0)
		return -errno;
	uint8_t header[SEGMENT_HEADER_LEN];
	segment_encode_header(l->account_id, number, header);
	error = io_pwrite(fd, str_of(header, sizeof(header)), 0);
	if (error)
		return error;
	fd_close(&l->fd);
	l->fd = fd_take(&fd);
	l->end = (struct letterbox_place){number, SEGMENT_HEADER_LEN};
	l->distrust = false;
	return 0;
}

/* Under the lock: opens the last segment where it is not open yet. */
static int open_last(struct letterbox *l, uint64_t *ret_len)
{
	struct stat st;
	if (l->fd >= 0 && l->end.segment == l->last) {
		if (fstat(l->fd, &st) < 0)
			return -errno;
		*ret_len = (uint64_t)st.st_size;
		return st.st_nlink == 0 ? -ENOENT : 0;
	}
	fd_close(&l->fd);
	int fd = -1;
	int error = letterbox_open_segment(l, l->last, true, &fd, ret_len);
	if (error)
		return error;
	l->fd = fd;
	l->end = (struct letterbox_place){l->last, 0};
	l->folder_dirty = true; /* who made it may have died before its name was durable */
	return 0;
}

/* Under the lock: where to append. */
static int find_end(struct letterbox *l)
{
	int error = letterbox_find_last(l);
	if (error)
		return error;
	if (l->last == 0)
		return begin_segment(l);
	uint64_t len = 0;
	error = open_last(l, &len);
	if (error)
		return error;
	if (len == l->end.offset && len >= SEGMENT_HEADER_LEN && !l->distrust)
		return 0;
	bool whole = false;
	error = letterbox_check_tail(l->fd, len, &whole);
	if (error)
		return error;
	if (!whole || l->distrust)
		return begin_segment(l);
	l->end.offset = len;
	return 0;
}

int letterbox_lock(struct letterbox *l, int wait_ms)
{
	int error = take_lock(l, LOCK_EX, wait_ms);
	if (error)
		return error;
	l->sync_error = 0;
	error = find_end(l);
	if (error) {
		fd_close(&l->fd);
		flock(l->folder_fd, LOCK_UN);
		return error;
	}
	l->locked = true;
	l->start = l->end;
	return 0;
}

void letterbox_unlock(struct letterbox *l)
{
	if (!l->locked)
		return;
	l->locked = false;
	flock(l->folder_fd, LOCK_UN);
}

bool letterbox_is_locked(const struct letterbox *l)
{
	return l->locked;
}

struct letterbox_place letterbox_end(const struct letterbox *l)
{
	return l->end;
}

int letterbox_append(struct letterbox *l, struct str record, struct letterbox_place *ret_place)
{
	int error = 0;
	if (l->end.offset > SEGMENT_HEADER_LEN && l->end.offset + record.len > SEGMENT_LEN_MAX) {
		error = l->sync_error = io_fdatasync(l->fd);
		l->distrust = l->distrust || error;
		if (!error)
			error = begin_segment(l);
	}
	if (!error)
		error = io_pwrite(l->fd, record, l->end.offset);
	if (error)
		return error;
	*ret_place = l->end;
	l->end.offset += record.len;
	return 0;
}

int letterbox_undo(struct letterbox *l, struct letterbox_place place)
{
	while (l->end.segment > place.segment || l->last > l->end.segment) {
		char name[SEGMENT_NAME_LEN + 1];
		segment_name(l->last, name);
		int error = io_unlink(l->folder_fd, name, false);
		if (error)
			return error;
		fd_close(&l->fd);
		l->last--;
		uint64_t len;
		error = open_last(l, &len);
		if (error)
			return error;
		l->end.offset = len;
	}
	int error = io_truncate(l->fd, place.offset);
	if (error)
		return error;
	l->end = place;
	if (letterbox_place_cmp(place, l->start) <= 0)
		l->sync_error = 0; /* nothing is left that it was about */
	return 0;
}

void letterbox_sync_begin(struct letterbox *l)
{
	sync_file_range(l->fd, 0, 0, SYNC_FILE_RANGE_WRITE);
}

int letterbox_sync_name(struct letterbox *l)
{
	int error = l->folder_dirty ? io_fsync(l->folder_fd) : 0;
	if (!error)
		l->folder_dirty = false;
	return error;
}

int letterbox_written(struct letterbox *l)
{
	int error = 0;
	if (l->fd >= 0 && sync_file_range(l->fd, 0, 0, SYNC_FILE_RANGE_WAIT_BEFORE) < 0)
		error = errno == ENOSYS ? 0 : -errno;
	l->distrust = l->distrust || error;
	return error;
}

int letterbox_sync(struct letterbox *l)
{
	int error = io_fdatasync(l->fd);
	if (!error)
		error = letterbox_sync_name(l);
	if (error && !l->sync_error)
		l->sync_error = error;
	l->distrust = l->distrust || l->sync_error;
	return l->sync_error;
}

int letterbox_committed(struct letterbox *l, struct letterbox_place *ret_end)
{
	if (l->locked) {
		*ret_end = l->end;
		return 0;
	}
	int error = take_lock(l, LOCK_SH, LETTERBOX_READ_WAIT_MS);
	if (error)
		return error;
	error = letterbox_find_last(l);
	struct letterbox_place end = {1, 0};
	if (!error && l->last > 0) {
		struct letterbox_open *open;
		end.segment = l->last;
		error = letterbox_keep_open(l, l->last, &open, &end.offset);
	}
	flock(l->folder_fd, LOCK_UN);
	if (!error)
		*ret_end = end;
	return error;
}
