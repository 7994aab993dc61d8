#include "ledger/record.h"

#include <errno.h>
#include <sodium.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/num.h"
#include "sandbox/role.h"

static const char *const kind_names[N_LEDGER_KINDS] = {
    [LEDGER_START] = "server.start",
    [LEDGER_STOP] = "server.stop",
    [LEDGER_ALARM_GATE_CRASH] = "alarm.gate-crash",
    [LEDGER_ALARM_ROLE_CRASH] = "alarm.role-crash",
    [LEDGER_ALARM_BAD_MESSAGE] = "alarm.bad-message",
    [LEDGER_ALARM_DAMAGE] = "alarm.damage",
    [LEDGER_ACCOUNT_ADD] = "account.add",
    [LEDGER_ACCOUNT_REMOVE] = "account.remove",
    [LEDGER_ACCOUNT_PASSWORD] = "account.password",
    [LEDGER_DOMAIN_ADD] = "domain.add",
    [LEDGER_DOMAIN_REMOVE] = "domain.remove",
    [LEDGER_DOMAIN_KEYS] = "domain.keys",
    [LEDGER_ALIAS_ADD] = "alias.add",
    [LEDGER_ALIAS_REMOVE] = "alias.remove",
    [LEDGER_SEND_GRANT] = "send.grant",
    [LEDGER_SEND_REVOKE] = "send.revoke",
    [LEDGER_FILES] = "server.files",
};

const char *record_kind_name(enum ledger_kind kind)
{
	return kind_names[kind];
}

/* What is in quotes cannot end the line or the quotes, nor hide from a terminal. */
static void add_quoted(struct buf *out, struct str s)
{
	buf_add_c(out, '"');
	for (size_t i = 0; i < s.len; i++) {
		char c = s.p[i];
		if (c >= 0x20 && c < 0x7f && c != '"' && c != '\\')
			buf_add_c(out, c);
		else
			buf_printf(out, "\\x%02x", (unsigned char)c);
	}
	buf_add_c(out, '"');
}

/* A peer is an address: what has another byte in it is not written as one. */
static void add_peer(struct buf *out, struct str peer)
{
	bool is_address = peer.len > 0;

	for (size_t i = 0; i < peer.len && is_address; i++)
		is_address = ascii_hex(peer.p[i]) >= 0 || peer.p[i] == '.' || peer.p[i] == ':';
	buf_add(out, is_address ? peer : peer.len > 0 ? STR("?") : STR("-"));
}

static void hash_line(const unsigned char before[static RECORD_HASH_LEN], struct str line,
    unsigned char ret_hash[static RECORD_HASH_LEN])
{
	unsigned char bytes[RECORD_HASH_LEN + RECORD_LINE_MAX];

	memcpy(bytes, before, RECORD_HASH_LEN);
	memcpy(bytes + RECORD_HASH_LEN, line.p, line.len);
	/* Without any state of a library: nothing is opened or set up inside the sandbox. */
	crypto_hash_sha256(ret_hash, bytes, RECORD_HASH_LEN + line.len);
}

bool record_write(struct chain *chain, uint64_t at_ms, enum role sender,
    const struct ipc_ledger_event *event, struct buf *out)
{
	struct buf line CLEANUP(buf_done) = BUF_MAX(RECORD_LINE_MAX - 2 * RECORD_HASH_LEN - 2);
	unsigned char hash[RECORD_HASH_LEN];

	buf_printf(&line, "%llu %llu %s %s ", (unsigned long long)chain->sequence + 1,
	    (unsigned long long)at_ms, record_kind_name(event->kind), role_row(sender)->name);
	if (event->account != 0)
		buf_add_u64(&line, event->account);
	else
		buf_add_c(&line, '-');
	buf_add_c(&line, ' ');
	add_peer(&line, event->peer);
	buf_add_c(&line, ' ');
	add_quoted(&line, event->detail);
	if (buf_failed(&line))
		return false;
	hash_line(chain->hash, buf_str(&line), hash);
	buf_add(out, buf_str(&line));
	buf_add_c(out, ' ');
	hex_encode(str_of(hash, sizeof(hash)), out);
	buf_add_c(out, '\n');
	if (buf_failed(out))
		return false;
	chain->sequence++;
	memcpy(chain->hash, hash, sizeof(hash));
	return true;
}

/* hex_encode writes lower case only: the same hash in other letters is a line that was changed. */
static bool is_as_written(struct str line)
{
	for (size_t i = line.len - num_min(line.len, 2 * RECORD_HASH_LEN); i < line.len; i++) {
		if (line.p[i] >= 'A' && line.p[i] <= 'F')
			return false;
	}
	return true;
}

/* Splits a line into what is hashed and its hash; false when it has none. */
static bool split(struct str line, struct str *ret_body, struct buf *hash)
{
	enum { DIGITS = 2 * RECORD_HASH_LEN };

	if (line.len <= DIGITS + 1 || line.len > RECORD_LINE_MAX ||
	    line.p[line.len - DIGITS - 1] != ' ')
		return false;
	*ret_body = str_first(line, line.len - DIGITS - 1);
	return hex_decode(str_from(line, line.len - DIGITS), hash);
}

void record_check_line(struct record_check *check, struct str line)
{
	struct buf stated CLEANUP(buf_done) = BUF_MAX(RECORD_HASH_LEN);
	unsigned char hash[RECORD_HASH_LEN];
	struct str body;
	uint64_t sequence;

	if (!split(line, &body, &stated)) {
		check->torn++;
		return;
	}
	check->lines++;
	hash_line(check->chain.hash, body, hash);
	bool is_right = num_parse(str_cut(&body, ' '), UINT64_MAX, &sequence) &&
	                sequence == check->chain.sequence + 1 &&
	                memcmp(hash, stated.p, sizeof(hash)) == 0 && is_as_written(line);
	if (!is_right && check->first_wrong == 0)
		check->first_wrong = check->lines + check->torn;
	/* On from what the line says of itself, so that one changed line is one wrong line. */
	check->chain.sequence = is_right ? sequence : check->chain.sequence + 1;
	memcpy(check->chain.hash, stated.p, sizeof(hash));
}

/* Takes the whole lines in `*bytes` and leaves what follows them. */
static void check_lines(
    struct record_check *check, const struct record_lines *lines, struct buf *bytes)
{
	struct str rest = buf_str(bytes);

	while (str_index(rest, '\n') < rest.len) {
		uint64_t n_before = check->lines;
		struct str line = str_cut(&rest, '\n');
		record_check_line(check, line);
		if (lines != NULL && check->lines > n_before && check->first_wrong == 0)
			lines->fn(lines->ctx, line);
	}
	buf_consume(bytes, bytes->len - rest.len);
}

int record_check_file(int fd, const struct record_lines *lines, struct record_check *ret_check)
{
	struct record_check check = {0};
	struct buf bytes CLEANUP(buf_done) = BUF_MAX(2 * (size_t)RECORD_LINE_MAX);
	off_t at = 0;

	for (;;) {
		char *to = buf_reserve(&bytes, RECORD_LINE_MAX);
		if (to == NULL)
			return -EUCLEAN;
		ssize_t got = pread(fd, to, RECORD_LINE_MAX, at);
		if (got < 0)
			return -errno;
		if (got == 0)
			break;
		at += got;
		buf_commit(&bytes, (size_t)got);
		check_lines(&check, lines, &bytes);
		/* More without an end than a line can be is no line: as one torn piece. */
		if (bytes.len >= RECORD_LINE_MAX) {
			check.torn++;
			buf_clear(&bytes);
		}
	}
	check.open_end = bytes.len > 0;
	*ret_check = check;
	return 0;
}
