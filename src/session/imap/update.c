/* What changed in the account while the client was not looking, told where the protocol allows. */
#include "session/imap/rights.h"
#include "session/imap/commands.h"
#include "session/imap/notify.h"
#include "session/imap/vanished.h"

#include <errno.h>

#include "base/clock.h"
#include "ipc/channel.h"
#include "ipc/messages.h"
#include "store/store_ingest.h"

static const struct {
	uint64_t bit;
	enum imap_flag flag;
	struct str name;
} flag_table[] = {
    {STORE_ANSWERED, IMAP_ANSWERED, STR_INIT("\\Answered")},
    {STORE_FLAGGED, IMAP_FLAGGED, STR_INIT("\\Flagged")},
    {STORE_DELETED, IMAP_DELETED, STR_INIT("\\Deleted")},
    {STORE_SEEN, IMAP_SEEN, STR_INIT("\\Seen")},
    {STORE_DRAFT, IMAP_DRAFT, STR_INIT("\\Draft")},
    {STORE_RECENT, 0, STR_INIT("\\Recent")},
};

static void write_flag(struct str name, bool *first, struct buf *out)
{
	if (!*first)
		buf_add_c(out, ' ');
	*first = false;
	buf_add(out, name);
}

static void write_keywords(struct imap_session *s, uint64_t keywords, bool *first, struct buf *out)
{
	while (keywords != 0) {
		uint64_t bit = keywords & -keywords;
		struct str name = store_keyword_name(s->store, bit);
		if (name.len > 0)
			write_flag(name, first, out);
		keywords &= ~bit;
	}
}

/* \Recent is no flag of IMAP4rev2 (RFC 9051 appendix E). */
void imap_flags_write(struct imap_session *s, uint64_t flags, struct buf *out)
{
	const uint64_t system = STORE_SYSTEM_FLAGS | STORE_RECENT;
	bool first = true;

	if (s->rev2)
		flags &= ~STORE_RECENT;
	buf_add_c(out, '(');
	for (size_t i = 0; (flags & system) != 0 && i < ARRAY_LEN(flag_table); i++)
		if ((flags & flag_table[i].bit) != 0)
			write_flag(flag_table[i].name, &first, out);
	write_keywords(s, flags & STORE_FLAGS_MASK & ~(uint64_t)STORE_SYSTEM_FLAGS, &first, out);
	buf_add_c(out, ')');
}

int imap_flags_to_store(
    struct imap_session *s, const struct imap_flags *flags, bool create, uint64_t *ret_flags)
{
	uint64_t bits = 0, bit;

	for (size_t i = 0; i < ARRAY_LEN(flag_table); i++)
		if ((flags->system & flag_table[i].flag) != 0)
			bits |= flag_table[i].bit;
	for (size_t i = 0; i < flags->n_keywords; i++) {
		int r = store_keyword(s->store, flags->keywords[i], create, &bit);
		if (r < 0)
			return r;
		bits |= bit;
	}
	*ret_flags = bits;
	return 0;
}

void imap_send_flags(struct imap_session *s)
{
	struct buf *out = &s->out.buf;
	uint64_t all = STORE_SYSTEM_FLAGS | store_keywords(s->store);
	uint64_t permitted = all & imap_rights_flags(s->rights);

	s->known_keywords = store_keywords(s->store);
	buf_add(out, STR("* FLAGS "));
	imap_flags_write(s, all, out);
	buf_add(out, STR("\r\n* OK [PERMANENTFLAGS "));
	if (s->read_only) {
		buf_add(out, STR("()] Nothing can be changed here\r\n"));
		return;
	}
	imap_flags_write(s, permitted, out);
	if ((s->rights & STORE_RIGHT_WRITE) != 0 &&
	    __builtin_popcountll(s->known_keywords) < STORE_KEYWORDS_MAX) {
		out->len--;
		buf_add(out, STR(" \\*)"));
	}
	buf_add(out, STR("] These flags are kept\r\n"));
}

void imap_enable_condstore(struct imap_session *s)
{
	if (s->condstore)
		return;
	s->condstore = true;
	if (s->view != NULL)
		buf_printf(&s->out.buf, "* OK [HIGHESTMODSEQ %llu] MODSEQ is on\r\n",
		    (unsigned long long)s->view->highest_modseq);
}

void imap_tell_others(struct imap_session *s)
{
	const struct ipc_changed nothing_named = {{NULL, 0}};

	s->notify_due = true;

	/* A full channel: the registry has not read yet that something changed, which says it all.
	 */
	if (s->registry >= 0 && ipc_send(s->registry, IPC_CHANGED, &nothing_named) == -EPIPE)
		s->draining = true;
}

/* What failed now is tried again, with the next command or while waiting in IDLE. */
static void try_again_soon(struct imap_session *s)
{
	s->changed = true;
	s->try_again_at_ms = clock_ms() + IMAP_TRY_AGAIN_MS;
}

static void take_in(struct imap_session *s, unsigned budget_ms)
{
	size_t n_taken = 0;
	bool more = false;

	s->changed = false;
	s->try_again_at_ms = 0;
	int r = store_ingest_for(s->store, budget_ms, &n_taken, &more);
	s->mail_waits = r == 0 && more;
	s->taken_in_at_ms = clock_ms();
	if (r < 0)
		try_again_soon(s);
	else if (more)
		s->changed = true;
	s->index_behind = true;
	if (n_taken > 0)
		imap_tell_others(s);
}

void imap_take_in(struct imap_session *s)
{
	take_in(s, IMAP_TAKE_IN_MS);
}

void imap_take_in_some(struct imap_session *s)
{
	take_in(s, 0);
}

bool imap_is_due(const struct imap_session *s)
{
	return s->changed &&
	       (!s->mail_waits || clock_ms() >= s->taken_in_at_ms + IMAP_TAKE_IN_EVERY_MS);
}

void imap_fetch_open(struct imap_session *s, size_t at, uint32_t uid, bool with_uid)
{
	struct buf *out = &s->out.buf;

	buf_add(out, STR("* "));
	buf_add_u64(out, s->uidonly ? uid : at + 1);
	buf_add(out, s->uidonly ? STR(" UIDFETCH (") : STR(" FETCH ("));
	if (with_uid && !s->uidonly) {
		buf_add(out, STR("UID "));
		buf_add_u64(out, uid);
		buf_add_c(out, ' ');
	}
}

/* RFC 7162 §3.2.4: with CONDSTORE both UID and MODSEQ are always there. */
void imap_send_entry(struct imap_session *s, size_t at, bool with_uid, bool with_flags)
{
	const struct store_entry e = store_view_entry(s->view, at);
	struct buf *out = &s->out.buf;

	imap_fetch_open(s, at, e.uid, with_uid || s->rev2 || s->condstore);
	if (with_flags) {
		buf_add(out, STR("FLAGS "));
		imap_flags_write(s, e.flags, out);
		buf_add_c(out, ' ');
	}
	if (s->condstore) {
		buf_add(out, STR("MODSEQ ("));
		buf_add_u64(out, e.modseq);
		buf_add(out, STR(") "));
	}
	out->len--; /* the last space */
	buf_add(out, STR(")\r\n"));
	imap_output_room(&s->out);
}

static void send_expunged(struct imap_session *s, const struct store_changes *changes)
{
	if (s->qresync || s->uidonly) {
		vanished_send(s, changes->gone_uids, changes->n_gone);
		return;
	}
	/* From the end, so that no number moves before it is told. */
	for (size_t i = changes->n_gone; i > 0; i--) {
		buf_add(&s->out.buf, STR("* "));
		buf_add_u64(&s->out.buf, (uint64_t)changes->gone[i - 1] + 1);
		buf_add(&s->out.buf, STR(" EXPUNGE\r\n"));
		imap_output_room(&s->out);
	}
}

struct str imap_expunged_code(struct imap_session *s)
{
	struct buf code CLEANUP(buf_done) = BUF_MAX(64);
	struct str copy;

	if (!s->qresync || !imap_send_updates(s, false, true))
		return STR("");
	buf_printf(&code, "HIGHESTMODSEQ %llu", (unsigned long long)s->view->highest_modseq);
	return arena_dup(&s->arena, buf_str(&code), &copy) ? copy : STR("");
}

/*
 * Sessions that select the mailbox later shall not see \Recent (RFC 3501 §2.3.2). The client waits
 * for its news, not for this. A failure costs nothing but that.
 */
static int use_recent(struct imap_session *s)
{
	if (s->read_only || s->rev2 || s->view->n_recent == 0)
		return 0;
	(void)imap_output_flush(&s->out);
	int r = store_view_use_recent(s->view);
	return r == -ENOENT ? r : 0;
}

/*
 * How many there are. Behind VANISHED that need not be said (RFC 7162 §3.2.10), but there are
 * clients that do not count back those of which they have only heard.
 */
static void send_counts(struct imap_session *s, const struct store_changes *changes, bool expunged)
{
	bool vanished = expunged && changes->n_gone > 0 && (s->qresync || s->uidonly);

	if (changes->n_new > 0 || vanished)
		buf_printf(&s->out.buf, "* %zu EXISTS\r\n", s->view->n);
	if (!s->rev2 && changes->n_new > 0)
		buf_printf(&s->out.buf, "* %u RECENT\r\n", s->view->n_recent);
}

static int send_updates(struct imap_session *s, bool keep_numbers, bool with_uid)
{
	const struct imap_fetch_items *items = imap_notify_items(s);
	struct store_changes changes;

	if (imap_notify_selected(s) == NOTIFY_NOTHING)
		return 0;
	int r = store_view_refresh(s->view, keep_numbers, &s->arena, &changes);

	if (r < 0)
		return r;
	if (!keep_numbers)
		send_expunged(s, &changes);
	if (store_keywords(s->store) != s->known_keywords)
		imap_send_flags(s);
	send_counts(s, &changes, !keep_numbers);
	if (items != NULL && changes.n_new > 0)
		r = imap_fetch_new(s, items, s->view->n - changes.n_new);
	for (size_t i = 0; imap_notify_flags(s) && i < changes.n_changed; i++)
		imap_send_entry(s, changes.changed[i], with_uid || s->notify != NULL, true);
	if (r < 0)
		return r;
	return changes.n_new > 0 ? use_recent(s) : 0;
}

/* What is too long to be told never will be: who selects the mailbox anew need not be told it. */
bool imap_end_untold(struct imap_session *s)
{
	buf_add(&s->out.buf, STR("* BYE Too much changed at once; sign in again\r\n"));
	s->ending = true;
	return false;
}

bool imap_load_view(struct imap_session *s, struct imap_result *ret_result)
{
	int r = s->view != NULL ? store_view_load(s->view) : 0;

	if (r == 0)
		return true;
	*ret_result = imap_store_error(s, r);
	return r == -ESTALE ? imap_end_untold(s) : false;
}

/* What cannot be read now can be later. */
bool imap_send_updates(struct imap_session *s, bool keep_numbers, bool with_uid)
{
	imap_send_metadata_changes(s);
	imap_notify_tell(s);
	/* Who may not read it is not told what happens in it. */
	bool told = s->view != NULL && imap_may_read_selected(s);
	int r = told ? send_updates(s, keep_numbers, with_uid) : 0;

	if (r == -ENOENT)
		buf_add(&s->out.buf, STR("* BYE The selected mailbox was deleted\r\n"));
	else if (r == -E2BIG || r == -ESTALE)
		return imap_end_untold(s);
	else if (r < 0)
		try_again_soon(s);
	s->ending |= r == -ENOENT;
	return !s->ending;
}
