#include "session/imap/message_limit.h"

/* "MESSAGELIMIT n" or "MESSAGELIMIT n uid" (RFC 9738 §6). */
static struct str code_of(struct imap_session *s, uint32_t lowest)
{
	struct buf text CLEANUP(buf_done) = BUF_MAX(64);
	struct str code;

	buf_printf(&text, "MESSAGELIMIT %u", s->message_limit);
	if (lowest != 0)
		buf_printf(&text, " %u", lowest);
	return arena_dup(&s->arena, buf_str(&text), &code) ? code : STR("LIMIT");
}

static struct imap_result refusal(struct imap_session *s, uint32_t lowest)
{
	return (struct imap_result){
	    IMAP_NO, code_of(s, lowest), "Too many messages at once; try with fewer"};
}

static uint32_t uid_at(const struct imap_session *s, size_t at)
{
	return store_view_entry(s->view, at).uid;
}

/* Drops what lies below position `from`. */
static void cut_below(struct imap_session *s, struct imap_positions *positions, size_t from)
{
	size_t i = 0;

	while (positions->v[i].end <= from)
		positions->count -= positions->v[i].end - positions->v[i].first, i++;
	positions->count -= from - positions->v[i].first;
	positions->v[i].first = from;
	positions->v += i;
	positions->n -= i;
	s->lowest_processed = uid_at(s, from);
}

/* The lowest position of the highest that may be; the positions are more than that. */
static size_t lowest_of(const struct imap_session *s, const struct imap_positions *positions)
{
	size_t left = s->message_limit, i = positions->n;

	for (;;) {
		const struct imap_position_range *range = &positions->v[--i];
		size_t len = range->end - range->first;
		if (len >= left)
			return range->end - left;
		left -= len;
	}
}

void imap_limit_positions(struct imap_session *s, struct imap_positions *positions)
{
	if (positions->count > s->message_limit)
		cut_below(s, positions, lowest_of(s, positions));
}

void imap_limit_deleted(struct imap_session *s, struct imap_positions *positions)
{
	size_t n = 0, lowest = 0;

	if (positions->count <= s->message_limit)
		return;
	for (size_t i = positions->n; i > 0; i--) {
		for (size_t at = positions->v[i - 1].end; at > positions->v[i - 1].first; at--) {
			uint64_t flags = store_view_entry(s->view, at - 1).flags;
			if ((flags & STORE_DELETED) == 0 || (flags & STORE_GONE) != 0)
				continue;
			if (n++ == s->message_limit) {
				cut_below(s, positions, lowest);
				return;
			}
			lowest = at - 1;
		}
	}
}

bool imap_limit_refuses(
    struct imap_session *s, const struct imap_positions *positions, struct imap_result *ret_result)
{
	if (positions->count <= s->message_limit)
		return false;
	*ret_result = refusal(s, uid_at(s, lowest_of(s, positions)));
	return true;
}

bool imap_limit_refuses_count(struct imap_session *s, size_t n, struct imap_result *ret_result)
{
	if (n <= s->message_limit)
		return false;
	*ret_result = refusal(s, 0);
	return true;
}

/* By the numbers and UIDs that all messages found must have. */
static bool is_candidate(const struct imap_search_key *key, size_t at, const struct store_entry *e)
{
	for (; key != NULL; key = key->next) {
		if (key->op == SEARCH_AND && !is_candidate(key->child, at, e))
			return false;
		if (key->op == SEARCH_SEQUENCE && !imap_set_has(&key->set, (uint32_t)at + 1))
			return false;
		if (key->op == SEARCH_UID && !imap_set_has(&key->set, e->uid))
			return false;
	}
	return true;
}

/* Adds "UID lowest:*" to the program, which is a SEARCH_AND. */
static bool add_lowest(struct imap_session *s, struct imap_search_key *program, uint32_t lowest)
{
	struct imap_search_key *key = ARENA_NEW(&s->arena, struct imap_search_key);
	struct imap_range *range = ARENA_NEW(&s->arena, struct imap_range);

	if (key == NULL || range == NULL)
		return false;
	*range = (struct imap_range){lowest, UINT32_MAX};
	key->op = SEARCH_UID;
	key->set = (struct imap_set){.ranges = range, .n = 1};
	key->next = program->child;
	program->child = key;
	return true;
}

bool imap_limit_search(
    struct imap_session *s, struct imap_search_key *key, bool whole, struct imap_result *ret_result)
{
	size_t n = 0;
	uint32_t lowest = 0;

	if (s->view->n <= s->message_limit)
		return true;
	for (size_t at = s->view->n; at > 0; at--) {
		const struct store_entry e = store_view_entry(s->view, at - 1);
		if ((e.flags & STORE_GONE) != 0 || !is_candidate(key, at - 1, &e))
			continue;
		if (n++ < s->message_limit) {
			lowest = e.uid;
			continue;
		}
		if (whole) {
			*ret_result = refusal(s, 0);
			return false;
		}
		s->lowest_processed = lowest;
		if (add_lowest(s, key, lowest))
			return true;
		*ret_result = imap_too_much();
		return false;
	}
	return true;
}

void imap_limit_tell(struct imap_session *s, struct imap_result *result)
{
	if (s->lowest_processed == 0 || result->status != IMAP_OK)
		return;
	struct str code = code_of(s, s->lowest_processed);
	if (result->code.len == 0) {
		result->code = code;
		return;
	}
	/* §3.1: where the OK has a code of its own. */
	buf_add(&s->out.buf, STR("* NO ["));
	buf_add(&s->out.buf, code);
	buf_add(&s->out.buf, STR("] Only the messages with the highest UIDs\r\n"));
}
