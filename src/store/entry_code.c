#include "store/entry_code.h"

#include <errno.h>

#include "base/num.h"
#include "store/view_entries.h"

enum {
	CODE_VERSION = 1,
	NUMBER_LEN_MAX = 10,
	ENTRY_LEN_MIN = 4,
	ENTRY_LEN_MAX = 4 * NUMBER_LEN_MAX,
	SET_LEN = 8,
};

static char *put_number(char *to, uint64_t n)
{
	for (; n >= 0x80; n >>= 7)
		*to++ = (char)(0x80 | (n & 0x7f));
	*to++ = (char)n;
	return to;
}

static uint64_t difference(uint64_t now, uint64_t before)
{
	return now >= before ? (now - before) << 1 : ((before - now) << 1) | 1;
}

static uint64_t apply(uint64_t before, uint64_t difference)
{
	return difference & 1 ? before - (difference >> 1) : before + (difference >> 1);
}

static bool is_kept(const struct view_entry *entry, uint32_t end)
{
	return !entry->gone && entry->uid < end;
}

static bool write_head(const struct view_entries *e, uint32_t end, struct buf *out)
{
	char number[2 * NUMBER_LEN_MAX], set[SET_LEN];
	size_t n = 0;

	if (e->n_flag_sets > ENTRY_CODE_SETS_MAX)
		return false;
	for (size_t i = 0; i < e->n; i++) {
		struct view_entry entry = view_entries_get(e, i);
		n += is_kept(&entry, end);
	}
	buf_add_c(out, CODE_VERSION);
	buf_add(out, str_of(number, (size_t)(put_number(number, e->n_flag_sets) - number)));
	for (size_t i = 0; i < e->n_flag_sets; i++) {
		num_put64(set, e->flag_sets[i]);
		buf_add(out, str_of(set, sizeof(set)));
	}
	return buf_add(out, str_of(number, (size_t)(put_number(number, n) - number)));
}

bool entry_code_write(const struct view_entries *e, uint32_t end, struct buf *out)
{
	struct view_entry before = {0};

	if (!write_head(e, end, out))
		return false;
	for (size_t i = 0; i < e->n; i++) {
		const struct view_entry entry = view_entries_get(e, i);
		if (!is_kept(&entry, end))
			continue;
		char *start = buf_reserve(out, ENTRY_LEN_MAX), *to = start;
		if (start == NULL)
			return false;
		to = put_number(to, entry.uid - before.uid);
		to = put_number(to, difference(entry.message, before.message));
		to = put_number(to, difference(entry.modseq, before.modseq));
		to = put_number(to, entry.flag_set);
		buf_commit(out, (size_t)(to - start));
		before = entry;
	}
	return !buf_failed(out);
}

struct reading {
	const uint8_t *p, *end;
	bool wrong;
};

static uint64_t get_number(struct reading *r)
{
	uint64_t n = 0;

	for (unsigned shift = 0; shift < 7 * NUMBER_LEN_MAX && r->p < r->end; shift += 7) {
		uint8_t octet = *r->p++;
		if (shift == 63 && octet > 1)
			break;
		n |= (uint64_t)(octet & 0x7f) << shift;
		if ((octet & 0x80) == 0)
			return n;
	}
	r->wrong = true;
	return 0;
}

/* The sets have the numbers in the list that they have in the code. */
static size_t read_sets(struct reading *r, struct view_entries *e)
{
	uint64_t n = get_number(r);

	if (n > ENTRY_CODE_SETS_MAX || n * SET_LEN > (size_t)(r->end - r->p)) {
		r->wrong = true;
		return 0;
	}
	for (uint64_t i = 0; i < n; i++, r->p += SET_LEN) {
		uint64_t flags = num_get64(r->p);
		uint32_t set;
		bool known = (flags & ~STORE_FLAGS_MASK) == 0 &&
		             view_entries_flag_set(e, flags, &set) == 0 && set == i;
		r->wrong = r->wrong || !known;
	}
	return (size_t)n;
}

/* All four numbers at once where each is one octet, as most are. */
static void get_entry(struct reading *r, uint64_t ret_n[static ENTRY_LEN_MIN])
{
	bool short_ones = r->end - r->p >= ENTRY_LEN_MIN && (num_get32(r->p) & 0x80808080) == 0;

	for (size_t i = 0; i < ENTRY_LEN_MIN; i++)
		ret_n[i] = short_ones ? *r->p++ : get_number(r);
}

static bool read_entry(struct reading *r, size_t n_sets, struct view_entry *entry)
{
	uint64_t n[ENTRY_LEN_MIN];

	get_entry(r, n);
	uint64_t uid = entry->uid + n[0], message = apply(entry->message, n[1]),
	         modseq = apply(entry->modseq, n[2]);
	if (r->wrong || n[0] == 0 || n[0] > UINT32_MAX || uid > UINT32_MAX ||
	    message > UINT32_MAX || modseq >> VIEW_MODSEQ_BITS != 0 || n[3] >= n_sets)
		return false;
	*entry = (struct view_entry){.uid = (uint32_t)uid,
	    .message = (uint32_t)message,
	    .modseq = modseq,
	    .flag_set = (uint32_t)n[3]};
	return true;
}

int entry_code_read(struct str code, struct view_entries *e)
{
	struct reading r = {(const uint8_t *)code.p, (const uint8_t *)code.p + code.len, false};
	struct view_entry entry = {0};

	assert(e->n == 0 && e->n_flag_sets == 0);
	if (code.len == 0 || *r.p++ != CODE_VERSION)
		return -EBADMSG;
	size_t n_sets = read_sets(&r, e);
	uint64_t n = get_number(&r);
	if (r.wrong || n > (size_t)(r.end - r.p) / ENTRY_LEN_MIN)
		return -EBADMSG;
	while (e->n < n) {
		if (!read_entry(&r, n_sets, &entry))
			return -EBADMSG;
		view_entries_push(e, &entry);
	}
	return r.p == r.end ? 0 : -EBADMSG;
}
