#include "session/imap/commands.h"
#include "session/imap/message_limit.h"
#include "session/imap/notify.h"
#include "session/imap/rights.h"

#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/num.h"
#include "ipc/channel.h"
#include "ipc/messages.h"
#include "session/heard.h"
#include "store/store_ingest.h"
#include "store/store_search.h"
#include "store/store_space.h"

void imap_session_init(
    struct imap_session *s, struct store *store, int stream, int registry, uint64_t append_limit)
{
	const struct imap_limits limits = {.text_len = IMAP_TEXT_LEN_MAX,
	    .literal_len = IMAP_LITERAL_LEN_MAX,
	    .message_len = append_limit,
	    .messages_len = IMAP_MESSAGES_FACTOR * append_limit};

	*s = (struct imap_session){.stream = stream,
	    .registry = registry,
	    .store = store,
	    .subject = {.is_owner = true},
	    .append_limit = append_limit,
	    .timeout_ms = 30 * 60 * 1000,
	    .message_limit = UINT32_MAX,
	    .index_behind = true,
	    .reader = imap_reader_new(&limits),
	    .arena = ARENA_MAX(IMAP_SESSION_ARENA_MAX)};
	imap_spools_init(&s->spools, s->reader, store, append_limit);
	imap_output_init(&s->out, stream);
	s->out.store = store;
	checking_init(&s->checking);
}

/* Who fills a mailbox leaves its list behind, so that the first to open it need not make it. */
static void keep_list_of_appended(struct imap_session *s)
{
	uint64_t mailbox = s->appended_to;
	struct store_view *view;

	s->appended_to = 0;
	if ((s->view != NULL && s->view->mailbox == mailbox) ||
	    store_view_select(s->store, mailbox, true, &view) < 0)
		return;
	int kept = store_view_tidy(view);
	(void)kept;
	store_view_close(view);
}

/* What fails is tried again in the next silence, or is the next command's to tell. */
static void keep_list(struct imap_session *s)
{
	if (s->appended_to != 0 && !store_damaged(s->store))
		keep_list_of_appended(s);
	if (s->view == NULL || store_damaged(s->store))
		return;
	int kept = store_view_tidy(s->view);
	(void)kept;
}

void imap_session_done(struct imap_session *s)
{
	checking_done(&s->checking);
	keep_list(s);
	imap_unselect(s, false);
	imap_reader_free(s->reader);
	imap_spools_done(&s->spools);
	imap_output_done(&s->out);
	arena_done(&s->arena);
	imap_compression_free(s->compression);
	free(s->input);
	free(s->saved);
	imap_notify_free(s->notify);
}

/* What the registry says: changes, or that the server stops. False at the end of the channel. */
static bool hear_registry(struct imap_session *s)
{
	struct heard heard = {0};
	bool is_there = session_hear(s->registry, &heard);

	if (heard.changed)
		s->changed = s->notify_due = true;
	if (heard.drain)
		s->draining = true;
	return is_there;
}

/* Nothing was said for a while: an idle connection holds as little as it can. */
static void give_back_memory(struct imap_session *s)
{
	if (s->input_start == s->input_end) {
		free(s->input);
		s->input = NULL;
		s->input_start = s->input_end = 0;
	}
	if (imap_reader_idle(s->reader))
		arena_done(&s->arena);
	imap_output_release(&s->out);
	keep_list(s);
	store_tidy(s->store);
	store_release_memory(s->store);
	malloc_trim(0);
}

/* While nobody waits for us, a slice of the word index is made, or of the database given back. */
static void work_on_index(struct imap_session *s)
{
	bool more = false;
	int r = store_search_work(s->store, IMAP_INDEX_SLICE_MS, &more);

	if (r == 0 && !more)
		r = store_space_work(s->store, IMAP_INDEX_SLICE_MS, &more);
	s->index_behind = r == 0 && more;
}

/* A silence: how it is used so far. */
struct silence {
	uint64_t pause; /* before the next slice of the index */
	bool quiet;     /* memory was given back */
};

/* How long to wait for a word before the silence is put to some use. */
static uint64_t next_use(
    const struct imap_session *s, const struct silence *silence, uint64_t now, uint64_t left)
{
	if (s->mail_waits)
		return num_min(left, IMAP_TAKE_IN_AFTER_MS);
	if (!silence->quiet)
		left = num_min(left, IMAP_QUIET_MS);
	if (s->index_behind)
		return num_min(left, silence->pause);
	if (silence->quiet)
		left = num_min(left, s->checking.next_ms > now ? s->checking.next_ms - now : 0);
	return left;
}

static void use_silence(struct imap_session *s, struct silence *silence, uint64_t waited_ms)
{
	if (s->mail_waits) {
		imap_take_in_some(s);
	} else if (s->index_behind && waited_ms == silence->pause) {
		work_on_index(s);
		silence->pause = IMAP_INDEX_PAUSE_MS;
	} else if (!silence->quiet && waited_ms == IMAP_QUIET_MS) {
		give_back_memory(s);
		silence->quiet = true;
	} else if (silence->quiet && clock_ms() >= s->checking.next_ms) {
		silence->quiet = checking_step(&s->checking, s->store);
	}
}

/* Waits for bytes, for a word of the registry, or until there is something to tell. 0, -ETIMEDOUT,
 * -EPIPE when the registry is gone. */
static int wait_for_any(struct imap_session *s, uint64_t until_ms, uint64_t tell_at_ms)
{
	struct pollfd fds[2] = {
	    {.fd = s->stream, .events = POLLIN}, {.fd = s->registry, .events = POLLIN}};
	struct silence silence = {.pause = IMAP_INDEX_AFTER_MS};

	for (;;) {
		uint64_t now = clock_ms();
		if (now >= until_ms)
			return -ETIMEDOUT;
		if (now >= tell_at_ms)
			return 0;
		uint64_t left = next_use(s, &silence, now, num_min(until_ms, tell_at_ms) - now);
		int r = poll(fds, 2, (int)left);
		if (r < 0 && errno != EINTR)
			return -errno;
		if (r == 0)
			use_silence(s, &silence, left);
		if (r <= 0)
			continue;
		if (fds[1].revents != 0 && !hear_registry(s))
			return -EPIPE;
		return 0;
	}
}

static int read_plain(int fd, char *to, size_t room, size_t *ret_len)
{
	ssize_t n = read(fd, to, room);

	if (n < 0)
		return errno == EINTR ? -EAGAIN : -errno;
	*ret_len = (size_t)n;
	return n == 0 ? -ENODATA : 0;
}

/* Reads what is there: a large literal goes straight to its place. 0 or -errno; -EAGAIN nothing. */
static int read_some(struct imap_session *s)
{
	size_t room;
	char *to = imap_reader_room(s->reader, &room);
	bool direct = room > IMAP_INPUT_LEN;

	if (!direct) {
		if (s->input == NULL && (s->input = malloc(IMAP_INPUT_LEN)) == NULL)
			abort();
		to = s->input;
		room = IMAP_INPUT_LEN;
	}
	size_t n = 0;
	int r = s->compression != NULL
	            ? imap_compression_read(s->compression, s->stream, to, room, &n)
	            : read_plain(s->stream, to, room, &n);
	if (r < 0)
		return r;
	if (direct) {
		imap_reader_filled(s->reader, n);
	} else {
		s->input_start = 0;
		s->input_end = n;
	}
	return 0;
}

static void refuse_command(struct imap_session *s)
{
	struct str tag = imap_reader_tag(s->reader);
	const char *why = imap_reader_refusal(s->reader);

	buf_printf(&s->out.buf, "%.*s %s %s\r\n", STR_FMT(tag),
	    imap_reader_too_big(s->reader) ? "NO [TOOBIG]" : "BAD", why);
	imap_reader_reset(s->reader);
	if (++s->n_bad >= IMAP_BAD_COMMANDS_MAX)
		s->ending = true;
}

/* Feeds what was read. True when a line is complete or the connection is to end. */
static bool feed(struct imap_session *s)
{
	struct str rest = str_of(s->input + s->input_start, s->input_end - s->input_start);

	for (;;) {
		enum imap_read result = imap_reader_feed(s->reader, &rest);
		s->input_start = s->input_end - rest.len;
		switch (result) {
		case IMAP_READ_MORE:
			return false;
		case IMAP_READ_CONTINUE:
			buf_add(&s->out.buf, STR("+ OK\r\n"));
			if (imap_output_flush(&s->out) < 0)
				return true;
			break;
		case IMAP_READ_COMMAND:
			return true;
		case IMAP_READ_REFUSED:
			refuse_command(s);
			break;
		case IMAP_READ_FATAL:
			buf_printf(&s->out.buf, "* BYE %s\r\n", imap_reader_refusal(s->reader));
			s->ending = true;
			return true;
		}
		if (s->ending)
			return true;
	}
}

static enum imap_wait end(struct imap_session *s, const char *why)
{
	if (why != NULL)
		buf_printf(&s->out.buf, "* BYE %s\r\n", why);
	s->ending = true;
	return IMAP_WAIT_END;
}

static enum imap_wait end_by(struct imap_session *s, int error)
{
	if (error == -ETIMEDOUT)
		return end(s, "Autologout; idle for too long");
	return end(s, error == -EPIPE ? "The server is restarting" : NULL);
}

/* When IDLE is to tell what changed: at once, later when it failed just now, or not at all. */
static uint64_t tell_at(const struct imap_session *s, bool for_changes)
{
	return for_changes && s->changed ? s->try_again_at_ms : UINT64_MAX;
}

enum imap_wait imap_wait(struct imap_session *s, bool for_changes)
{
	uint64_t until_ms = clock_ms() + s->timeout_ms;

	for (;;) {
		if (feed(s))
			return s->ending || s->out.error < 0 ? IMAP_WAIT_END : IMAP_WAIT_LINE;
		if (imap_output_flush(&s->out) < 0)
			return IMAP_WAIT_END;
		int r = read_some(s);
		if (r == 0)
			continue;
		if (r != -EAGAIN)
			return end(s, r == -EPROTO ? "That is not deflate" : NULL);
		if (s->draining && (for_changes || imap_reader_idle(s->reader)))
			return end(s, "The server is restarting");
		if (clock_ms() >= tell_at(s, for_changes))
			return IMAP_WAIT_CHANGED;
		r = wait_for_any(s, until_ms, tell_at(s, for_changes));
		if (r < 0)
			return end_by(s, r);
	}
}

static void answer(struct imap_session *s, struct str tag, const struct imap_result *result)
{
	static const struct str words[] = {STR_INIT(" OK "), STR_INIT(" NO "), STR_INIT(" BAD ")};
	struct buf *out = &s->out.buf;

	buf_add(out, tag);
	buf_add(out, words[result->status]);
	if (result->code.len > 0) {
		buf_add_c(out, '[');
		buf_add(out, result->code);
		buf_add(out, STR("] "));
	}
	buf_add(out, str_of_cstr(result->text));
	buf_add(out, STR("\r\n"));
}

/* What happened meanwhile stands before the tagged response. */
static void update(
    struct imap_session *s, const struct imap_handler *h, const struct imap_command *c)
{
	if (s->registry >= 0 && !hear_registry(s))
		s->ending = true;
	if (s->changed)
		store_let_go(s->store); /* what we are to see may be later than what is held */
	/* APPEND took in what was there; what others append meanwhile they take in themselves. */
	if (imap_is_due(s) && c->id != IMAP_APPEND)
		imap_take_in(s);
	(void)imap_send_updates(s, h->keeps_numbers && !c->uid, c->uid);
}

static bool leaves_selected(const struct imap_command *c)
{
	return c->id == IMAP_SELECT || c->id == IMAP_EXAMINE || c->id == IMAP_CLOSE ||
	       c->id == IMAP_UNSELECT || c->id == IMAP_LOGOUT || c->id == IMAP_UNAUTHENTICATE;
}

/* Those that leave the selected mailbox alone, or leave it, need no right to it. */
static bool reads_selected(const struct imap_handler *h)
{
	return h->states == IMAP_SELECTED && !h->without_view;
}

/* Commands that name messages, or answer with them, by their numbers. */
static bool uses_numbers(const struct imap_handler *h, const struct imap_command *c)
{
	return h->states == IMAP_SELECTED && !h->without_view && !c->uid && c->id != IMAP_EXPUNGE;
}

static struct imap_result handle(struct imap_session *s, const struct imap_command *c)
{
	const struct imap_handler *h = imap_handler_of(c->id);
	unsigned state = s->view != NULL ? IMAP_SELECTED : IMAP_AUTHENTICATED;

	if (h == NULL)
		return IMAP_RESULT_BAD("Already signed in");
	if ((h->states & state) == 0)
		return IMAP_RESULT_BAD("No mailbox is selected");
	if (h->reads_little)
		store_hold(s->store);
	if (!imap_renew_rights(s, !leaves_selected(c)) && reads_selected(h))
		return IMAP_RESULT_NO("NOPERM", "You have no right to read this mailbox any more");
	if (s->uidonly && uses_numbers(h, c))
		return imap_uid_required();
	struct imap_result result;
	s->lowest_processed = 0;
	if (h->without_view || imap_load_view(s, &result))
		result = h->run(s, c);
	imap_limit_tell(s, &result);
	if (c->id != IMAP_LOGOUT && !s->gives_back)
		update(s, h, c);
	return result;
}

static void run_command(struct imap_session *s)
{
	char tag[IMAP_TAG_LEN_MAX]; /* IDLE reads on, and the command's text is gone */
	struct imap_command c;
	struct imap_result result;
	struct buf wrong CLEANUP(buf_done) = BUF_MAX(1024);
	struct imap_parser p = imap_parser_of(imap_reader_text(s->reader), &s->arena);

	s->arena.max = IMAP_COMMAND_ARENA_MAX;
	bool good = imap_command_parse(&p, &c);
	s->arena.max = IMAP_SESSION_ARENA_MAX;
	memcpy(tag, c.tag.p, c.tag.len);
	c.tag.p = tag;
	imap_effort_begin(s, c.tag);
	if (good) {
		result = handle(s, &c);
		store_let_go(s->store);
	} else {
		imap_error_write(&p, &wrong);
		buf_add_c(&wrong, '\0');
		result = IMAP_RESULT_BAD(wrong.p);
	}
	s->index_behind = true;
	s->n_bad = result.status == IMAP_BAD ? s->n_bad + 1 : 0;
	if (!s->ending || c.id == IMAP_LOGOUT || s->gives_back)
		answer(s, c.tag, &result);
	if (s->n_bad >= IMAP_BAD_COMMANDS_MAX)
		end(s, "Too many bad commands");
	if (store_damaged(s->store))
		end(s, "The mailbox index is damaged and will be rebuilt; sign in again");
}

/* RFC 4978 §3: from the end of the tagged OK on. What the client sent behind COMPRESS is compressed
 * already. */
static void begin_compression(struct imap_session *s)
{
	_Static_assert(
	    (int)IMAP_INPUT_LEN <= (int)COMPRESSION_INPUT_LEN, "what was read can be handed over");
	s->compress = false;
	if (imap_output_flush(&s->out) < 0)
		return;
	s->compression =
	    imap_compression_new(str_of(s->input + s->input_start, s->input_end - s->input_start));
	s->out.compression = s->compression;
	s->input_start = s->input_end = 0;
}

/* What NOTIFY asked for, between commands. */
static void tell_unasked(struct imap_session *s)
{
	imap_take_in(s);
	(void)imap_renew_rights(s, true);
	(void)imap_send_updates(s, imap_notify_selected(s) == NOTIFY_DELAYED, true);
	arena_clear(&s->arena);
}

/*
 * Most clients select INBOX first. While the word that they are signed in is on its way to them,
 * what that needs is read and prepared. Nothing comes of it but time: what fails, fails again.
 */
static void warm_up(struct imap_session *s)
{
	struct pollfd asked = {.fd = s->stream, .events = POLLIN};
	struct store_mailbox inbox;
	struct store_view *view;
	unsigned rights = 0;
	bool waits;

	if (poll(&asked, 1, 0) != 0)
		return;
	store_hold(s->store);
	if (store_mailbox_find(s->store, STR("INBOX"), &s->arena, &inbox) == 0 &&
	    authorize_rights(s->store, &s->subject, inbox.id, &rights) == 0 &&
	    store_ingest_waits(s->store, &waits) == 0 &&
	    store_view_select(s->store, inbox.id, true, &view) == 0)
		store_view_close(view);
	store_let_go(s->store);
	arena_clear(&s->arena);
}

int imap_session_run(struct imap_session *s)
{
	warm_up(s);
	while (!s->ending && s->out.error == 0) {
		enum imap_wait heard = imap_wait(s, imap_notify_listens(s));
		if (heard == IMAP_WAIT_CHANGED) {
			tell_unasked(s);
			continue;
		}
		if (heard != IMAP_WAIT_LINE)
			break;
		run_command(s);
		if (s->compress)
			begin_compression(s);
		imap_reader_reset(s->reader);
		arena_clear(&s->arena);
	}
	int r = imap_output_flush(&s->out);
	if (r == 0 && s->gives_back)
		r = imap_give_back(s);
	return r == -EPIPE || r == -ECONNRESET ? 0 : r; /* a client may go at any time */
}
