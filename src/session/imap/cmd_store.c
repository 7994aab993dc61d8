#include "session/imap/change.h"
#include "session/imap/commands.h"
#include "session/imap/message_limit.h"
#include "session/imap/rights.h"
#include "store/store_change.h"

static bool was_modified(const struct store_uids *modified, uint32_t uid)
{
	size_t low = 0, high = modified->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (modified->v[middle] < uid)
			low = middle + 1;
		else
			high = middle;
	}
	return low < modified->n && modified->v[low] == uid;
}

static void send_all(struct imap_session *s, const struct imap_positions *positions, bool uid,
    const struct store_flag_result *result)
{
	for (size_t i = 0; i < positions->n; i++) {
		for (size_t at = positions->v[i].first; at < positions->v[i].end; at++) {
			const struct store_entry e = store_view_entry(s->view, at);
			if ((e.flags & STORE_GONE) == 0 && !was_modified(&result->modified, e.uid))
				imap_send_entry(s, at, uid, true);
		}
	}
}

static void send_changed(
    struct imap_session *s, const struct imap_command *c, const struct store_flag_result *result)
{
	for (size_t i = 0; i < result->n_changed; i++)
		imap_send_entry(s, result->changed[i], true, !c->store.silent);
}

static void send_result(struct imap_session *s, const struct imap_command *c,
    const struct imap_positions *positions, const struct store_flag_result *result)
{
	if (!c->store.silent) {
		send_all(s, positions, c->uid, result);
		return;
	}
	/* RFC 7162 §3.1.3: the new MODSEQ is told even of .SILENT. */
	if (s->condstore)
		send_changed(s, c, result);
}

static size_t position_of(const struct imap_session *s, uint32_t uid)
{
	return store_view_at(s->view, uid);
}

/* "MODIFIED set" of those that failed UNCHANGEDSINCE, in the numbers of the command. */
static struct str modified_code(struct imap_session *s, const struct store_uids *modified, bool uid)
{
	struct imap_set_builder set CLEANUP(imap_set_builder_done) = {0};
	struct buf text CLEANUP(buf_done) = BUF_MAX(1 << 20);
	struct str code;

	for (size_t i = 0; i < modified->n; i++) {
		uint32_t number = modified->v[i];
		imap_set_builder_add(&set, uid ? number : (uint32_t)position_of(s, number) + 1);
	}
	struct imap_set whole = imap_set_builder_set(&set);
	buf_add(&text, STR("MODIFIED "));
	imap_set_write(&whole, &text);
	if (buf_failed(&text) || !arena_dup(&s->arena, buf_str(&text), &code))
		return STR("");
	return code;
}

/* What was changed is told, whatever became of the rest. */
static struct imap_result result_of(struct imap_session *s, const struct imap_command *c,
    const struct imap_positions *positions, const struct store_flag_result *changed, int error)
{
	struct imap_result result = IMAP_RESULT_OK("STORE done");

	if (store_keywords(s->store) != s->known_keywords)
		imap_send_flags(s);
	if (changed->n_changed > 0)
		imap_tell_others(s);
	if (error < 0) {
		send_changed(s, c, changed);
		return imap_store_error(s, error);
	}
	send_result(s, c, positions, changed);
	if (changed->modified.n > 0)
		result.code = modified_code(s, &changed->modified, c->uid);
	return result;
}

static struct imap_result store(
    struct imap_session *s, const struct imap_command *c, const struct imap_positions *positions)
{
	static const enum store_flag_mode modes[] = {
	    [STORE_REPLACE] = STORE_FLAGS_SET,
	    [STORE_ADD] = STORE_FLAGS_ADD,
	    [STORE_REMOVE] = STORE_FLAGS_REMOVE,
	};
	struct store_flag_change change = {.mode = modes[c->store.mode],
	    .kept = ~imap_rights_flags(s->rights),
	    .conditional = c->store.has_unchanged_since,
	    .unchanged_since = c->store.unchanged_since};
	struct store_flag_result changed = {0};
	struct store_uids uids;

	/* Who may not set a keyword makes none either. */
	bool may_name = (s->rights & STORE_RIGHT_WRITE) != 0;
	int r = imap_flags_to_store(
	    s, &c->store.flags, may_name && c->store.mode != STORE_REMOVE, &change.flags);
	bool asks = change.flags != 0 || (!may_name && c->store.flags.n_keywords > 0);
	/* RFC 4314 §4: only where none of them may be changed is it refused. */
	if (r == 0 && (change.flags & ~change.kept) == 0 &&
	    (asks || imap_rights_flags(s->rights) == 0))
		return IMAP_RESULT_NO("NOPERM", "You have no right to change these flags here");
	if (r == 0)
		r = imap_uids_of(s, positions, &uids);
	if (r == 0)
		r = change_flags(s, uids, &change, &changed);
	return result_of(s, c, positions, &changed, r);
}

/* RFC 9051 §6.4.6, with UNCHANGEDSINCE of RFC 7162 §3.1.3. */
struct imap_result imap_cmd_store(struct imap_session *s, const struct imap_command *c)
{
	struct imap_positions positions;
	struct imap_result result;

	if (s->read_only)
		return IMAP_RESULT_NO("NOPERM", "The mailbox is open for reading only");
	if (!imap_positions_of(s, &c->store.set, c->uid, &positions, &result))
		return result;
	imap_limit_positions(s, &positions);
	if (c->store.has_unchanged_since)
		imap_enable_condstore(s);
	return store(s, c, &positions);
}
