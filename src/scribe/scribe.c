#include "scribe/scribe.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "ipc/channel.h"
#include "ipc/messages.h"
#include "mail/dkim_sign.h"
#include "mail/message_id.h"
#include "mail/outgoing_message.h"
#include "scribe/sealing.h"

enum {
	READ_MAX = 256 * 1024, /* a larger message is mapped */
	ARENA_LEN = 8 << 20,
	HEADER_ROOM = 64 * 1024, /* for what is added to a header */
	SCRIBE_GRACE_MS =
	    10 * 1000,       /* the queue ends one that is idle; this is for one that does not */
	SET_MAX = 32 * 1024, /* an ARC set */
};

static_assert((int)OUTGOING_AUTHORS == (int)OUTGOING_AUTHORS_MAX, "as many as the message takes");
static_assert((int)OUTGOING_ADDRESS_MAX == (int)IPC_ADDRESS_MAX, "as long");
static_assert((int)OUTGOING_DETAIL_MAX <= (int)IPC_TEXT_MAX, "as long");
static_assert((int)OUTGOING_LOOP == (int)EXAMINED_LOOP, "the same order");
static_assert((int)DKIM_KEY_ED25519 == (int)DKIM_ED25519_SHA256, "the same order");
static_assert((int)DKIM_SIGN_FIELD_MAX <= (int)IPC_STRS_ITEM_MAX, "as long");

struct scribe {
	int channel;
	char *room; /* READ_MAX bytes, for one message after the other; NULL: none was read yet */
	struct arena arena;
	/* the message under way */
	int message;
	bool complete;
	enum outgoing_body declared;
	struct str text;
	bool is_mapped;
	struct outgoing_found found;
	uint8_t body_hash[DKIM_HASH_LEN];
	struct sealing sealing; /* of mail that is forwarded */
	/* what it becomes */
	struct buf set;    /* of ARC */
	struct buf header; /* without the empty line */
	struct buf fields[OUTGOING_SIGNATURES_MAX];
	uint8_t hashes[OUTGOING_SIGNATURES_MAX][DKIM_HASH_LEN];
	size_t n_signatures;
};

/* --- the message as it came --- */

static int read_message(struct scribe *s)
{
	size_t len;
	int r = fd_check_sealed(s->message, &len);

	if (r < 0)
		return r;
	if (len > READ_MAX) {
		void *map = mmap(NULL, len, PROT_READ, MAP_PRIVATE, s->message, 0);
		if (map == MAP_FAILED)
			return -errno;
		s->is_mapped = true;
		s->text = str_of(map, len);
		return 0;
	}
	if (s->room == NULL && (s->room = malloc(READ_MAX)) == NULL)
		return -ENOMEM;
	s->text = str_of(s->room, len);
	return fd_pread_all(s->message, s->room, len, 0);
}

static int tell_examined(struct scribe *s)
{
	const struct outgoing_found *f = &s->found;
	struct ipc_examined m = {
	    .result = (uint8_t)f->verdict,
	    .detail = str_of_cstr(f->detail),
	    .authors = {f->authors, f->verdict == OUTGOING_OK ? f->n_authors : 0},
	    .sender = f->verdict == OUTGOING_OK ? f->sender : STR(""),
	    .tls_optional = f->tls_optional,
	    .body = (uint8_t)f->body,
	    .smtputf8 = f->needs_smtputf8,
	    .header_len = (uint32_t)f->header.len,
	};

	return ipc_send(s->channel, IPC_EXAMINED, &m);
}

static void hash_body(struct scribe *s)
{
	struct dkim_body body;

	dkim_body_begin(&body, DKIM_RELAXED, DKIM_BODY_WHOLE);
	dkim_body_add(&body, s->found.text);
	dkim_body_end(&body, s->body_hash);
}

/* --- the message as it goes --- */

static int make_header(struct scribe *s, const struct ipc_finish *finish)
{
	struct buf id CLEANUP(buf_done) = BUF_MAX(MESSAGE_ID_LEN_MAX);
	unsigned char random[16];

	/* in one piece, so that none is left behind when it grows */
	s->header = BUF_MAX(s->found.header.len + HEADER_ROOM);
	if (buf_reserve(&s->header, s->header.max) == NULL)
		return -ENOMEM;
	if (!s->complete) {
		struct str header = s->found.header;
		if (!s->found.lacks_empty_line)
			header.len -= 2; /* the empty line */
		sealing_add_header(header, finish->name, &s->header);
		if (header.len > 0 && !str_ends(header, STR("\r\n")))
			buf_add(&s->header, STR("\r\n"));
		return buf_failed(&s->header) ? -E2BIG : 0;
	}
	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		return -EIO;
	if (!message_id_format(random, finish->name, &id))
		return -E2BIG;
	struct outgoing_completion with = {
	    .date = {.epoch_s = (int64_t)(finish->at / 1000)},
	    .message_id = buf_str(&id),
	    .sender = finish->sender,
	};
	return outgoing_complete(&s->found, &with, &s->header) ? 0 : -E2BIG;
}

static int prepare_signatures(struct scribe *s, const struct ipc_finish *finish)
{
	struct buf names CLEANUP(buf_done) = BUF_MAX(DKIM_SIGN_NAMES_MAX);

	if (finish->domain.len == 0 || !s->complete)
		return 0;
	if (finish->selectors.n != finish->algorithms.n ||
	    !dkim_sign_names(buf_str(&s->header), &names))
		return -EPROTO;
	for (size_t i = 0; i < finish->selectors.n; i++) {
		struct dkim_signer signer = {
		    .domain = finish->domain,
		    .selector = finish->selectors.v[i],
		    .kind = finish->algorithms.v[i] == DKIM_RSA_SHA256 ? DKIM_KEY_RSA
		                                                       : DKIM_KEY_ED25519,
		    .at = finish->at / 1000,
		};
		s->fields[i] = BUF_MAX(DKIM_SIGN_FIELD_MAX);
		s->n_signatures++;
		if (finish->algorithms.v[i] >= N_DKIM_ALGORITHMS ||
		    !dkim_sign_prepare(&signer, buf_str(&s->header), buf_str(&names), s->body_hash,
		        &s->fields[i], s->hashes[i]))
			return -EPROTO;
	}
	return 0;
}

/* Mail that is forwarded has an ARC set on top instead. */
static int seal(struct scribe *s, const struct ipc_finish *finish)
{
	struct sealing_message m = {.header = s->found.header,
	    .body = s->found.text,
	    .goes = buf_str(&s->header),
	    .body_hash = s->body_hash};

	if (finish->domain.len == 0 || s->complete)
		return 0;
	if (finish->selectors.n != 1 || finish->algorithms.n != 1 ||
	    finish->algorithms.v[0] != DKIM_RSA_SHA256)
		return -EPROTO;
	s->set = BUF_MAX(SET_MAX);
	return sealing_make(&s->sealing, s->channel, finish, &m, &s->set);
}

/* The trace field and the header are written, and the body once from where it lies. */
static int write_message(struct scribe *s, struct str trace, int *ret_fd)
{
	int fd CLEANUP(fd_close) = memfd_create("outgoing", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	struct buf top CLEANUP(buf_done) = BUF_MAX(s->set.len + s->header.len + trace.len + 2);
	struct str body = s->found.text;

	if (fd < 0)
		return -errno;
	buf_add(&top, buf_str(&s->set));
	buf_add(&top, trace);
	buf_add(&top, buf_str(&s->header));
	buf_add(&top, STR("\r\n"));
	int r = buf_failed(&top) ? -E2BIG : fd_write_all(fd, buf_str(&top));
	if (r == 0 && body.len > 0)
		r = fd_write_all(fd, body);
	/* SMTP ends a message with a line end; only what is binary can go without (RFC 3030 §2) */
	if (r == 0 && body.len > 0 && s->found.body != OUTGOING_BINARY &&
	    !str_ends(body, STR("\r\n")))
		r = fd_write_all(fd, STR("\r\n"));
	if (r == 0)
		r = fd_seal(fd);
	if (r == 0)
		*ret_fd = fd_take(&fd);
	return r;
}

static int finish(struct scribe *s, const struct ipc_finish *m)
{
	struct str fields[OUTGOING_SIGNATURES_MAX], hashes[OUTGOING_SIGNATURES_MAX];
	int fd CLEANUP(fd_close) = -1;
	int r = make_header(s, m);

	if (r == 0)
		r = prepare_signatures(s, m);
	if (r == 0)
		r = seal(s, m);
	if (r == 0)
		r = write_message(s, m->trace, &fd);
	if (r < 0)
		return r;
	for (size_t i = 0; i < s->n_signatures; i++) {
		fields[i] = buf_str(&s->fields[i]);
		hashes[i] = str_of(s->hashes[i], DKIM_HASH_LEN);
	}
	struct ipc_finished answer = {
	    .fields = {fields, s->n_signatures},
	    .hashes = {hashes, s->n_signatures},
	    .message = fd,
	};
	return ipc_send(s->channel, IPC_FINISHED, &answer);
}

/* --- its life --- */

static int wait_for_finish(struct scribe *s)
{
	bool is_over = false;
	int r = 0;

	while (r == 0 && !is_over) {
		struct ipc_received m;
		r = ipc_wait(s->channel, SCRIBE_WAIT_MS, &m);
		if (r < 0)
			return r;
		is_over = m.type == IPC_FINISH;
		if (is_over)
			r = finish(s, m.msg);
		else
			r = m.type == IPC_KEY ? sealing_take_key(&s->sealing, m.msg) : -EPROTO;
		ipc_received_done(&m);
	}
	return r;
}

/* Nothing of a message is there any more when the next one is read. */
static void forget_message(struct scribe *s)
{
	if (s->is_mapped)
		munmap((void *)(uintptr_t)s->text.p, s->text.len);
	else if (s->room != NULL)
		explicit_bzero(s->room, s->text.len);
	arena_wipe(&s->arena);
	ipc_wipe(&s->header);
	buf_done(&s->header);
	for (size_t i = 0; i < s->n_signatures; i++)
		buf_done(&s->fields[i]);
	sealing_done(&s->sealing);
	buf_done(&s->set);
	fd_close(&s->message);
	*s = (struct scribe){
	    .channel = s->channel, .room = s->room, .arena = s->arena, .message = -1};
}

static int do_message(struct scribe *s)
{
	int r = read_message(s);

	if (r < 0)
		return r;
	outgoing_examine(s->text, s->complete, s->declared, &s->arena, &s->found);
	r = tell_examined(s);
	if (r < 0 || s->found.verdict != OUTGOING_OK)
		return r;
	if (!s->complete)
		r = sealing_ask(&s->sealing, s->channel, s->found.header);
	if (r < 0)
		return r;
	hash_body(s); /* while the queue asks others */
	return wait_for_finish(s);
}

static int wait_for_message(struct scribe *s, int timeout_ms)
{
	struct ipc_received m;
	int r = ipc_wait(s->channel, timeout_ms, &m);

	if (r < 0)
		return r;
	struct ipc_prepare *prepare = m.msg;
	if (m.type == IPC_PREPARE) {
		s->message = fd_take(&prepare->message);
		s->complete = prepare->complete;
		s->declared = prepare->body;
	}
	r = m.type == IPC_PREPARE ? 0 : -EPROTO;
	ipc_received_done(&m);
	return r;
}

static int run(struct scribe *s, unsigned messages)
{
	uint64_t until = clock_ms() + SCRIBE_LIFE_MS;
	int r = 0;

	for (unsigned n = 0; r == 0 && n < messages && clock_ms() < until; n++) {
		r = wait_for_message(s, n == 0 ? SCRIBE_WAIT_MS : SCRIBE_IDLE_MS + SCRIBE_GRACE_MS);
		if (r == 0)
			r = do_message(s);
		forget_message(s);
	}
	return r;
}

int scribe_run(struct ipc_scribe *start)
{
	struct scribe s = {
	    .channel = fd_take(&start->channel), .message = -1, .arena = ARENA_MAX(ARENA_LEN)};
	int r = run(&s, start->messages);

	free(s.room);
	arena_done(&s.arena);
	fd_close(&s.channel);
	/* That the queue went away, or took too long, is no fault of this process. */
	if (r < 0 && r != -ENODATA && r != -EPIPE && r != -ECONNRESET && r != -ETIMEDOUT) {
		log_event(LOG_ERROR, "scribe.failed", "error=%s", strerror(-r));
		return 1;
	}
	return 0;
}
