#include "session/imap/change.h"
#include "session/imap/commands.h"
#include "session/imap/message_limit.h"
#include "session/imap/rights.h"
#include "store/store_change.h"

enum { RIGHTS_TO_MOVE = STORE_RIGHT_DELETE | STORE_RIGHT_EXPUNGE };

/* "COPYUID validity from to" (RFC 4315 §3) */
static struct str copy_code(struct imap_session *s, const struct store_copy_result *copied)
{
	struct imap_set_builder from CLEANUP(imap_set_builder_done) = {0};
	struct imap_set_builder to CLEANUP(imap_set_builder_done) = {0};
	struct buf text CLEANUP(buf_done) = BUF_MAX(4 << 20);
	struct str code;

	for (size_t i = 0; i < copied->n; i++) {
		imap_set_builder_add(&from, copied->from[i]);
		imap_set_builder_add(&to, copied->to[i]);
	}
	struct imap_set from_set = imap_set_builder_set(&from);
	struct imap_set to_set = imap_set_builder_set(&to);
	buf_printf(&text, "COPYUID %u ", copied->uidvalidity);
	imap_set_write(&from_set, &text);
	buf_add_c(&text, ' ');
	imap_set_write(&to_set, &text);
	if (buf_failed(&text) || !arena_dup(&s->arena, buf_str(&text), &code))
		return STR("");
	return code;
}

static struct imap_result copy(struct imap_session *s, const struct imap_command *c,
    const struct imap_positions *positions, uint64_t target, uint64_t permitted)
{
	bool move = c->id == IMAP_MOVE;
	struct imap_result result = IMAP_RESULT_OK(move ? "MOVE done" : "COPY done");
	struct store_copy_result copied = {0};
	struct store_uids uids;

	int r = imap_uids_of(s, positions, &uids);
	if (r == 0 && move)
		r = change_move(s, uids, target, permitted, &copied);
	else if (r == 0)
		r = store_copy(s->view, uids, target, STORE_COPY, permitted, &s->arena, &copied);
	if (r < 0)
		result = imap_store_error(s, r);
	if (copied.n == 0)
		return result;
	imap_tell_others(s);
	struct str code = copy_code(s, &copied);
	if (!move) {
		result.code = code;
		return result;
	}
	/* RFC 6851 §4.3: before the EXPUNGE responses, which the updates send. */
	buf_add(&s->out.buf, STR("* OK ["));
	buf_add(&s->out.buf, code);
	buf_add(&s->out.buf, STR("] Moved\r\n"));
	if (r == 0)
		result.code = imap_expunged_code(s); /* §4.4 */
	return result;
}

/* COPY and MOVE (RFC 9051 §6.4.7, §6.4.8). What a MOVE that fails has moved, it says. */
struct imap_result imap_cmd_copy(struct imap_session *s, const struct imap_command *c)
{
	struct imap_positions positions;
	struct store_mailbox target;
	struct imap_result result;
	unsigned rights;

	if (c->id == IMAP_MOVE && s->read_only)
		return IMAP_RESULT_NO("NOPERM", "The mailbox is open for reading only");
	/* RFC 6851 §4.4: what is moved is marked and removed here. */
	if (c->id == IMAP_MOVE && (s->rights & RIGHTS_TO_MOVE) != RIGHTS_TO_MOVE)
		return IMAP_RESULT_NO("NOPERM", "You have no right to remove messages here");
	if (!imap_positions_of(s, &c->set, c->uid, &positions, &result))
		return result;
	if (!imap_find_target(s, c->name, &target, &result))
		return result;
	/* RFC 9738 §3.1: COPY is done whole, MOVE goes on as often as it takes. */
	if (c->id == IMAP_COPY && imap_limit_refuses(s, &positions, &result))
		return result;
	imap_limit_positions(s, &positions);
	int r = authorize_rights(s->store, &s->subject, target.id, &rights);
	if (r < 0)
		return imap_store_error(s, r);
	return copy(s, c, &positions, target.id, imap_rights_flags(rights));
}
