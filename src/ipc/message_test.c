#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/num.h"
#include "ipc/messages.h"

#include <errno.h>

/*
 * Every declared message is filled from its table, so that each test below holds for all of them,
 * the ones of tomorrow too.
 */
enum { SAMPLE_STR = 3, SAMPLE_LIST = 2, FIRST_FD = 700, STRUCT_MAX = 512 };

static const uint64_t sample_u64s[SAMPLE_LIST] = {1, UINT64_MAX};
static const struct str sample_strs[SAMPLE_LIST] = {STR_INIT("a"), STR_INIT("")};

static uint64_t natural(enum ipc_kind kind)
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
		return UINT16_MAX;
	}
}

static uint64_t most(const struct ipc_field *f)
{
	return f->max != 0 ? f->max : natural(f->kind);
}

static size_t number_len(enum ipc_kind kind)
{
	return kind == IPC_U8 ? 1 : kind == IPC_U16 ? 2 : kind == IPC_U32 ? 4 : 8;
}

/* Sets a field to its sample, and returns how many bytes that takes on the wire. */
static size_t fill(const struct ipc_field *f, void *msg, int *next_fd)
{
	void *at = (char *)msg + f->offset;
	uint64_t number = most(f);

	switch (f->kind) {
	case IPC_STR:
	case IPC_SECRET:
		*(struct str *)at = STR("x\0y");
		return 2 + SAMPLE_STR;
	case IPC_U64S:
		*(struct ipc_u64s *)at = (struct ipc_u64s){sample_u64s, SAMPLE_LIST};
		return 2 + 8 * SAMPLE_LIST;
	case IPC_STRS:
		*(struct ipc_strs *)at = (struct ipc_strs){sample_strs, SAMPLE_LIST};
		return 2 + 3 + 2;
	case IPC_FD:
		*(int *)at = (*next_fd)++;
		return 0;
	default:
		memcpy(at, &number, number_len(f->kind)); /* little-endian machine */
		return number_len(f->kind);
	}
}

struct sample {
	const struct ipc_message *m;
	_Alignas(max_align_t) char msg[STRUCT_MAX];
	struct buf bytes;
	int fds[IPC_FDS_MAX];
	size_t n_fds;
	size_t at[32]; /* where each field stands on the wire */
};

static void make(const struct ipc_message *m, struct sample *s)
{
	int next_fd = FIRST_FD;
	size_t at = 2;

	*s = (struct sample){.m = m, .bytes = BUF_MAX(IPC_MESSAGE_MAX)};
	assert_true(m->struct_len <= STRUCT_MAX && m->n_fields <= 32);
	for (size_t i = 0; i < m->n_fields; i++) {
		s->at[i] = at;
		at += fill(&m->fields[i], s->msg, &next_fd);
	}
	assert_true(ipc_encode(m->type, s->msg, &s->bytes, s->fds, &s->n_fds));
	assert_int_equal(s->bytes.len, at);
	assert_int_equal(s->n_fds, next_fd - FIRST_FD);
}

static int decode(struct str bytes, const int *fds, size_t n_fds)
{
	struct arena a CLEANUP(arena_done) = ARENA_MAX(1 << 21);
	uint16_t type;
	void *msg;
	/* Exactly as long as the message, so that a read past its end is seen. */
	char *exact = malloc(bytes.len > 0 ? bytes.len : 1);

	assert_non_null(exact);
	if (bytes.len > 0)
		memcpy(exact, bytes.p, bytes.len);
	int r = ipc_decode(str_of(exact, bytes.len), fds, n_fds, &a, &type, &msg);
	free(exact);
	return r;
}

static void for_each_message(void (*test)(struct sample *s))
{
	size_t i = 0;

	for (const struct ipc_message *m; (m = ipc_message_at(i)) != NULL; i++) {
		struct sample s;
		make(m, &s);
		test(&s);
		buf_done(&s.bytes);
	}
	assert_true(i >= 60);
}

static void compare_fields(const struct ipc_message *m, const void *a, const void *b)
{
	for (size_t i = 0; i < m->n_fields; i++) {
		const struct ipc_field *f = &m->fields[i];
		const char *x = (const char *)a + f->offset, *y = (const char *)b + f->offset;
		const struct ipc_u64s *u = (const void *)x, *v = (const void *)y;
		const struct ipc_strs *s = (const void *)x, *t = (const void *)y;
		switch (f->kind) {
		case IPC_STR:
		case IPC_SECRET:
			assert_true(str_eq(*(const struct str *)(const void *)x,
			    *(const struct str *)(const void *)y));
			break;
		case IPC_U64S:
			assert_int_equal(u->n, v->n);
			assert_memory_equal(u->v, v->v, u->n * 8);
			break;
		case IPC_STRS:
			assert_int_equal(s->n, t->n);
			for (size_t k = 0; k < s->n; k++)
				assert_true(str_eq(s->v[k], t->v[k]));
			break;
		case IPC_FD:
			assert_memory_equal(x, y, sizeof(int));
			break;
		default:
			assert_memory_equal(x, y, number_len(f->kind));
		}
	}
}

static void round_trip(struct sample *s)
{
	struct arena a CLEANUP(arena_done) = ARENA_MAX(1 << 20);
	uint16_t type;
	void *msg;

	assert_int_equal(ipc_decode(buf_str(&s->bytes), s->fds, s->n_fds, &a, &type, &msg), 0);
	assert_int_equal(type, s->m->type);
	compare_fields(s->m, s->msg, msg);
}

static void every_message_survives_the_way(void **state UNUSED)
{
	for_each_message(round_trip);
}

static void cut_and_lengthen(struct sample *s)
{
	for (size_t len = 0; len < s->bytes.len; len++)
		assert_int_equal(
		    decode(str_first(buf_str(&s->bytes), len), s->fds, s->n_fds), -EBADMSG);
	assert_true(buf_add_c(&s->bytes, '\0'));
	assert_int_equal(decode(buf_str(&s->bytes), s->fds, s->n_fds), -EBADMSG);
}

static void every_other_length_is_refused(void **state UNUSED)
{
	for_each_message(cut_and_lengthen);
}

static void change_descriptors(struct sample *s)
{
	static const int fds[IPC_FDS_MAX + 1] = {1, 2, 3, 4, 5};

	for (size_t n = 0; n <= IPC_FDS_MAX; n++)
		assert_int_equal(decode(buf_str(&s->bytes), fds, n), n == s->n_fds ? 0 : -EBADMSG);
}

static void every_other_number_of_descriptors_is_refused(void **state UNUSED)
{
	for_each_message(change_descriptors);
}

/* Writes a larger number, length or count than allowed into the encoded message. */
static void exceed_on_the_wire(struct sample *s)
{
	for (size_t i = 0; i < s->m->n_fields; i++) {
		const struct ipc_field *f = &s->m->fields[i];
		size_t len = f->kind <= IPC_U64 ? number_len(f->kind) : 2;
		char kept[8], larger[8];
		if (f->kind == IPC_FD || most(f) == natural(f->kind))
			continue;
		char *at = s->bytes.p + s->at[i];
		memcpy(kept, at, len);
		num_put64(larger, most(f) + 1);
		memcpy(at, larger, len);
		assert_int_equal(decode(buf_str(&s->bytes), s->fds, s->n_fds), -EBADMSG);
		memcpy(at, kept, len);
	}
	assert_int_equal(decode(buf_str(&s->bytes), s->fds, s->n_fds), 0);
}

static void more_than_the_maximum_is_refused(void **state UNUSED)
{
	for_each_message(exceed_on_the_wire);
}

/* The sender's own check, field by field. */
static void exceed_in_the_struct(struct sample *s)
{
	static char bytes[UINT16_MAX + 1];
	struct buf out CLEANUP(buf_done) = BUF_MAX(2 * IPC_MESSAGE_MAX);
	int fds[IPC_FDS_MAX];
	size_t n_fds;

	for (size_t i = 0; i < s->m->n_fields; i++) {
		const struct ipc_field *f = &s->m->fields[i];
		int next_fd = FIRST_FD;
		void *at = s->msg + f->offset;
		uint64_t larger = most(f) + 1;
		if (f->kind == IPC_FD)
			*(int *)at = -1;
		else if (f->kind == IPC_STR || f->kind == IPC_SECRET)
			*(struct str *)at = str_of(bytes, larger);
		else if (f->kind == IPC_U64S)
			((struct ipc_u64s *)at)->n = larger;
		else if (f->kind == IPC_STRS)
			((struct ipc_strs *)at)->n = larger;
		else if (most(f) == natural(f->kind))
			continue;
		else
			memcpy(at, &larger, number_len(f->kind));
		buf_clear(&out);
		assert_false(ipc_encode(s->m->type, s->msg, &out, fds, &n_fds));
		fill(f, s->msg, &next_fd);
	}
}

static void more_than_the_maximum_is_not_sent(void **state UNUSED)
{
	for_each_message(exceed_in_the_struct);
}

/* A string of exactly the maximum goes through. */
static void fill_to_the_maximum(struct sample *s)
{
	static char bytes[UINT16_MAX];

	for (size_t i = 0; i < s->m->n_fields; i++) {
		const struct ipc_field *f = &s->m->fields[i];
		int next_fd = FIRST_FD;
		if (f->kind != IPC_STR && f->kind != IPC_SECRET)
			continue;
		*(struct str *)(void *)(s->msg + f->offset) = str_of(bytes, most(f));
		buf_clear(&s->bytes);
		assert_true(ipc_encode(s->m->type, s->msg, &s->bytes, s->fds, &s->n_fds));
		round_trip(s);
		fill(f, s->msg, &next_fd);
	}
}

static void the_maximum_is_taken(void **state UNUSED)
{
	for_each_message(fill_to_the_maximum);
}

static void unknown_types_are_refused(void **state UNUSED)
{
	char bytes[2];

	for (unsigned type = 0; type <= UINT16_MAX; type++) {
		num_put16(bytes, (uint16_t)type);
		if (ipc_message_of((uint16_t)type) == NULL)
			assert_int_equal(decode(str_of(bytes, 2), NULL, 0), -EBADMSG);
		else
			assert_int_equal(ipc_message_of((uint16_t)type)->type, type);
	}
	assert_int_equal(decode(str_of("", 0), NULL, 0), -EBADMSG);
	assert_int_equal(decode(str_of("\1", 1), NULL, 0), -EBADMSG);
}

static void a_long_item_of_a_list_is_refused(void **state UNUSED)
{
	static char bytes[IPC_STRS_ITEM_MAX + 1];
	struct str name = str_of(bytes, IPC_STRS_ITEM_MAX), value = STR("v");
	struct ipc_control_row row = {.names = {&name, 1}, .values = {&value, 1}};
	struct buf out CLEANUP(buf_done) = BUF_MAX(IPC_MESSAGE_MAX);
	int fds[IPC_FDS_MAX];
	size_t n_fds;

	assert_true(ipc_encode(IPC_CONTROL_ROW, &row, &out, fds, &n_fds));
	assert_int_equal(decode(buf_str(&out), NULL, 0), 0);
	name.len++;
	buf_clear(&out);
	assert_false(ipc_encode(IPC_CONTROL_ROW, &row, &out, fds, &n_fds));
}

static void a_count_that_cannot_be_true_allocates_nothing(void **state UNUSED)
{
	/* CONTROL_ROW with 32 names announced and none there, in an arena too small for 32. */
	struct arena a CLEANUP(arena_done) = ARENA_MAX(128);
	char bytes[4];
	uint16_t type;
	void *msg;

	num_put16(bytes, IPC_CONTROL_ROW);
	num_put16(bytes + 2, 32);
	assert_int_equal(ipc_decode(str_of(bytes, 4), NULL, 0, &a, &type, &msg), -EBADMSG);
	assert_true(a.used <= sizeof(struct ipc_control_row) + 16);
}

static void secrets_are_known(void **state UNUSED)
{
	assert_true(ipc_has_secret(IPC_AUTH));
	assert_true(ipc_has_secret(IPC_CONTROL));
	assert_false(ipc_has_secret(IPC_RCPT));
	assert_false(ipc_has_secret(9999));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_message_survives_the_way),
	    cmocka_unit_test(every_other_length_is_refused),
	    cmocka_unit_test(every_other_number_of_descriptors_is_refused),
	    cmocka_unit_test(more_than_the_maximum_is_refused),
	    cmocka_unit_test(more_than_the_maximum_is_not_sent),
	    cmocka_unit_test(the_maximum_is_taken),
	    cmocka_unit_test(unknown_types_are_refused),
	    cmocka_unit_test(a_long_item_of_a_list_is_refused),
	    cmocka_unit_test(a_count_that_cannot_be_true_allocates_nothing),
	    cmocka_unit_test(secrets_are_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
