#include "ipc/message.h"

#include <assert.h>
#include <errno.h>

#include "base/num.h"
#include "ipc/messages.h"

/* The natural limits of the wire format: counts and lengths are u16. */
enum { IPC_COUNT_MAX = UINT16_MAX };

static uint64_t natural_max(enum ipc_kind kind)
{
	switch (kind) {
	case IPC_U8:
		return UINT8_MAX;
	case IPC_U16:
		return UINT16_MAX;
	case IPC_U32:
		return UINT32_MAX;
	case IPC_U64:
		return UINT64_MAX;
	default:
		return IPC_COUNT_MAX;
	}
}

static uint64_t field_max(const struct ipc_field *f)
{
	uint64_t natural = natural_max(f->kind);

	return f->max == 0 || f->max > natural ? natural : f->max;
}

static size_t number_len(enum ipc_kind kind)
{
	switch (kind) {
	case IPC_U8:
		return 1;
	case IPC_U16:
		return 2;
	case IPC_U32:
		return 4;
	default:
		return 8;
	}
}

/* Encoding */

static uint64_t number_of(const struct ipc_field *f, const void *at)
{
	switch (f->kind) {
	case IPC_U8:
		return *(const uint8_t *)at;
	case IPC_U16:
		return *(const uint16_t *)at;
	case IPC_U32:
		return *(const uint32_t *)at;
	default:
		return *(const uint64_t *)at;
	}
}

static bool add_number(struct buf *out, uint64_t value, size_t len)
{
	char bytes[8];

	num_put64(bytes, value);
	return buf_add(out, str_of(bytes, len));
}

static bool add_str(struct buf *out, struct str s, uint64_t max)
{
	return s.len <= max && add_number(out, s.len, 2) && buf_add(out, s);
}

static bool add_u64s(struct buf *out, const struct ipc_u64s *list, uint64_t max)
{
	if (list->n > max || !add_number(out, list->n, 2))
		return false;
	for (size_t i = 0; i < list->n; i++)
		if (!add_number(out, list->v[i], 8))
			return false;
	return true;
}

static bool add_strs(struct buf *out, const struct ipc_strs *list, uint64_t max)
{
	if (list->n > max || !add_number(out, list->n, 2))
		return false;
	for (size_t i = 0; i < list->n; i++)
		if (!add_str(out, list->v[i], IPC_STRS_ITEM_MAX))
			return false;
	return true;
}

static bool add_field(const struct ipc_field *f, const void *msg, struct buf *out,
    int fds[static IPC_FDS_MAX], size_t *n_fds)
{
	const void *at = (const char *)msg + f->offset;
	uint64_t max = field_max(f);

	switch (f->kind) {
	case IPC_STR:
	case IPC_SECRET:
		return add_str(out, *(const struct str *)at, max);
	case IPC_U64S:
		return add_u64s(out, at, max);
	case IPC_STRS:
		return add_strs(out, at, max);
	case IPC_FD:
		if (*(const int *)at < 0 || *n_fds == IPC_FDS_MAX)
			return false;
		fds[(*n_fds)++] = *(const int *)at;
		return true;
	default:
		return number_of(f, at) <= max &&
		       add_number(out, number_of(f, at), number_len(f->kind));
	}
}

bool ipc_encode(
    uint16_t type, const void *msg, struct buf *out, int fds[static IPC_FDS_MAX], size_t *ret_n_fds)
{
	const struct ipc_message *m = ipc_message_of(type);
	size_t start = out->len, n_fds = 0;
	bool ok = m != NULL && add_number(out, type, 2);

	for (size_t i = 0; ok && i < m->n_fields; i++)
		ok = add_field(&m->fields[i], msg, out, fds, &n_fds);
	if (!ok || out->len - start > IPC_MESSAGE_MAX)
		return false;
	*ret_n_fds = n_fds;
	return true;
}

bool ipc_has_secret(uint16_t type)
{
	const struct ipc_message *m = ipc_message_of(type);

	for (size_t i = 0; m != NULL && i < m->n_fields; i++)
		if (m->fields[i].kind == IPC_SECRET)
			return true;
	return false;
}

/* Decoding */

struct reader {
	struct str rest;
	const int *fds;
	size_t n_fds;
	struct arena *arena;
};

static bool cut(struct reader *r, size_t len, struct str *ret_piece)
{
	if (r->rest.len < len)
		return false;
	*ret_piece = str_first(r->rest, len);
	r->rest = str_from(r->rest, len);
	return true;
}

static bool cut_number(struct reader *r, size_t len, uint64_t max, uint64_t *ret_value)
{
	char bytes[8] = {0};
	struct str piece;

	if (!cut(r, len, &piece))
		return false;
	memcpy(bytes, piece.p, len);
	uint64_t value = num_get64(bytes);
	if (value > max)
		return false;
	*ret_value = value;
	return true;
}

static bool cut_str(struct reader *r, uint64_t max, struct str *ret_s)
{
	uint64_t len;

	return cut_number(r, 2, max, &len) && cut(r, len, ret_s);
}

static bool cut_u64s(struct reader *r, uint64_t max, struct ipc_u64s *ret_list)
{
	struct str piece;
	uint64_t n;

	if (!cut_number(r, 2, max, &n) || !cut(r, n * 8, &piece))
		return false;
	uint64_t *v = ARENA_NEW_ARRAY(r->arena, uint64_t, n);
	if (v == NULL)
		return false;
	for (size_t i = 0; i < n; i++)
		v[i] = num_get64(piece.p + i * 8);
	*ret_list = (struct ipc_u64s){v, n};
	return true;
}

static bool cut_strs(struct reader *r, uint64_t max, struct ipc_strs *ret_list)
{
	uint64_t n;

	/* Each entry takes two bytes at least: a count that cannot be true allocates nothing. */
	if (!cut_number(r, 2, max, &n) || r->rest.len < n * 2)
		return false;
	struct str *v = ARENA_NEW_ARRAY(r->arena, struct str, n);
	if (v == NULL)
		return false;
	for (size_t i = 0; i < n; i++)
		if (!cut_str(r, IPC_STRS_ITEM_MAX, &v[i]))
			return false;
	*ret_list = (struct ipc_strs){v, n};
	return true;
}

static void put_number(enum ipc_kind kind, void *at, uint64_t value)
{
	switch (kind) {
	case IPC_U8:
		*(uint8_t *)at = (uint8_t)value;
		break;
	case IPC_U16:
		*(uint16_t *)at = (uint16_t)value;
		break;
	case IPC_U32:
		*(uint32_t *)at = (uint32_t)value;
		break;
	default:
		*(uint64_t *)at = value;
		break;
	}
}

static bool cut_field(struct reader *r, const struct ipc_field *f, void *msg)
{
	void *at = (char *)msg + f->offset;
	uint64_t max = field_max(f), value;

	switch (f->kind) {
	case IPC_STR:
	case IPC_SECRET:
		return cut_str(r, max, at);
	case IPC_U64S:
		return cut_u64s(r, max, at);
	case IPC_STRS:
		return cut_strs(r, max, at);
	case IPC_FD:
		if (r->n_fds == 0)
			return false;
		*(int *)at = *r->fds++;
		r->n_fds--;
		return true;
	default:
		if (!cut_number(r, number_len(f->kind), max, &value))
			return false;
		put_number(f->kind, at, value);
		return true;
	}
}

int ipc_decode(struct str bytes, const int *fds, size_t n_fds, struct arena *a, uint16_t *ret_type,
    void **ret_msg)
{
	struct reader r = {.rest = bytes, .fds = fds, .n_fds = n_fds, .arena = a};
	uint64_t type;

	if (bytes.len > IPC_MESSAGE_MAX || !cut_number(&r, 2, UINT16_MAX, &type))
		return -EBADMSG;
	const struct ipc_message *m = ipc_message_of((uint16_t)type);
	if (m == NULL)
		return -EBADMSG;
	void *msg = arena_alloc(a, m->struct_len);
	if (msg == NULL)
		return -EBADMSG;
	for (size_t i = 0; i < m->n_fields; i++)
		if (!cut_field(&r, &m->fields[i], msg))
			return -EBADMSG;
	if (r.rest.len > 0 || r.n_fds > 0)
		return -EBADMSG;
	*ret_type = (uint16_t)type;
	*ret_msg = msg;
	return 0;
}
