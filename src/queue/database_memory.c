#include <errno.h>

#include "queue/database_memory.h"
#include "queue/database_private.h"

/* --- policies: patterns of MX names are kept as lines --- */

static int split_lines(struct str text, struct arena *a, struct ipc_strs *ret_lines)
{
	struct str *v = ARENA_NEW_ARRAY(a, struct str, OUTGOING_RECORDS_MAX);
	size_t n = 0;
	if (!v)
		return -ENOMEM;
	while (text.len > 0 && n < OUTGOING_RECORDS_MAX)
		v[n++] = str_cut(&text, '\n');
	*ret_lines = (struct ipc_strs){v, n};
	return 0;
}

int queue_db_policy(
    struct queue_db *db, struct str domain, struct arena *a, struct queued_policy *ret_policy)
{
	sqlite3_stmt *s = db->statements[POLICY_GET];
	queue_db_bind(s, 1, domain);
	struct queued_policy p = {0};
	struct str mx;
	int result = queue_db_step(s);
	int error = result < 0 ? result : result == 0 ? -ENOENT : 0;
	if (!error && (!queue_db_text(s, 0, a, &p.txt) || !queue_db_text(s, 2, a, &mx)))
		error = -ENOMEM;
	if (!error) {
		p.mode = (uint8_t)queue_db_u64(s, 1);
		p.fetched_at = queue_db_u64(s, 3);
		p.expires_at = queue_db_u64(s, 4);
		error = split_lines(mx, a, &p.mx);
	}
	queue_db_end(s);
	if (!error)
		*ret_policy = p;
	return error;
}

int queue_db_set_policy(struct queue_db *db, struct str domain, const struct queued_policy *policy)
{
	enum { LINES_MAX = OUTGOING_STS_MX_MAX * (IPC_STRS_ITEM_MAX + 1) };
	struct buf mx CLEANUP(buf_done) = BUF_MAX(LINES_MAX);
	for (size_t i = 0; i < policy->mx.n; i++) {
		buf_add(&mx, policy->mx.v[i]);
		buf_add_c(&mx, '\n');
	}
	sqlite3_stmt *s = db->statements[POLICY_SET];
	queue_db_bind(s, 1, domain);
	queue_db_bind(s, 2, policy->txt);
	queue_db_bind_u64(s, 3, policy->mode);
	queue_db_bind(s, 4, buf_str(&mx));
	queue_db_bind_u64(s, 5, policy->fetched_at);
	queue_db_bind_u64(s, 6, policy->expires_at);
	return queue_db_run(s);
}

/* --- results of TLS --- */

/* The columns that tell one kind from another. */
struct tls_kind {
	uint64_t day;
	struct str domain, strings, mx, receiving, sending, detail;
	uint8_t policy, result;
};

static int run_tls(struct queue_db *db, enum statement which, const struct tls_kind *k)
{
	sqlite3_stmt *s = db->statements[which];
	queue_db_bind_u64(s, 1, k->day);
	queue_db_bind(s, 2, k->domain);
	queue_db_bind_u64(s, 3, k->policy);
	queue_db_bind(s, 4, k->strings);
	queue_db_bind(s, 5, k->mx);
	queue_db_bind_u64(s, 6, k->result);
	queue_db_bind(s, 7, k->receiving);
	queue_db_bind(s, 8, k->sending);
	queue_db_bind(s, 9, k->detail);
	return queue_db_run(s);
}

/* How many kinds there are, of the day or of its domain; counted up to `max`. */
static int count_tls(struct queue_db *db, enum statement which, const struct tls_kind *k,
    uint64_t max, uint64_t *ret_n)
{
	sqlite3_stmt *s = db->statements[which];
	queue_db_bind_u64(s, 1, k->day);
	queue_db_bind_u64(s, 2, max);
	if (which == TLS_COUNT)
		queue_db_bind(s, 3, k->domain);
	return queue_db_number(s, ret_n);
}

static int add_kind(struct queue_db *db, struct tls_kind *k)
{
	uint64_t n_domain = 0, n_day = 0;
	int error = count_tls(db, TLS_COUNT, k, QUEUE_TLS_ROWS_MAX, &n_domain);
	if (!error && db->tls_day != k->day) {
		error = count_tls(db, TLS_COUNT_DAY, k, QUEUE_TLS_DAY_MAX, &n_day);
		db->tls_day = k->day;
		db->tls_rows = n_day;
	}
	if (error || db->tls_rows >= QUEUE_TLS_DAY_MAX)
		return error;
	if (n_domain >= QUEUE_TLS_ROWS_MAX)
		k->strings = k->mx = k->receiving = k->sending = k->detail = STR("");
	error = run_tls(db, TLS_ADD, k);
	if (!error)
		db->tls_rows++;
	return error;
}

int queue_db_tls_add(
    struct queue_db *db, uint64_t now, struct str domain, const struct ipc_tls_result *result)
{
	enum { STRINGS_MAX = OUTGOING_RECORDS_MAX * (IPC_STRS_ITEM_MAX + 1) };
	struct buf strings CLEANUP(buf_done) = BUF_MAX(STRINGS_MAX);
	bool failed = result->result != TLS_SUCCESS;
	for (size_t i = 0; i < result->policy_strings.n; i++) {
		buf_add(&strings, result->policy_strings.v[i]);
		buf_add_c(&strings, '\n');
	}
	/* Of successes only the number is reported. */
	struct tls_kind kind = {.day = now / QUEUE_DAY_MS,
	    .domain = domain,
	    .policy = result->policy,
	    .strings = buf_str(&strings),
	    .mx = result->mx,
	    .result = result->result,
	    .receiving = failed ? result->receiving : STR(""),
	    .sending = failed ? result->sending : STR(""),
	    .detail = failed ? result->detail : STR("")};
	int error = run_tls(db, TLS_AGAIN, &kind);
	if (error || sqlite3_changes(db->handle) > 0)
		return error;
	return add_kind(db, &kind);
}

int queue_db_tls_next(struct queue_db *db, uint64_t day, uint64_t after_day,
    struct str after_domain, struct arena *a, uint64_t *ret_day, struct str *ret_domain)
{
	sqlite3_stmt *s = db->statements[TLS_NEXT];
	queue_db_bind_u64(s, 1, day);
	queue_db_bind_u64(s, 2, after_day);
	queue_db_bind(s, 3, after_domain);
	int result = queue_db_step(s);
	if (result > 0) {
		*ret_day = queue_db_u64(s, 0);
		result = queue_db_text(s, 1, a, ret_domain) ? 1 : -ENOMEM;
	}
	queue_db_end(s);
	return result < 0 ? result : result == 0 ? -ENOENT : 0;
}

static int read_tls(sqlite3_stmt *s, struct arena *a, struct queued_tls *ret_tls)
{
	struct queued_tls t = {.policy = (uint8_t)queue_db_u64(s, 0),
	    .result = (uint8_t)queue_db_u64(s, 3),
	    .sessions = queue_db_u64(s, 7)};
	struct str strings;
	if (!queue_db_text(s, 1, a, &strings) || !queue_db_text(s, 2, a, &t.mx) ||
	    !queue_db_text(s, 4, a, &t.receiving) || !queue_db_text(s, 5, a, &t.sending) ||
	    !queue_db_text(s, 6, a, &t.detail))
		return -ENOMEM;
	*ret_tls = t;
	return split_lines(strings, a, &ret_tls->policy_strings);
}

int queue_db_tls(struct queue_db *db, uint64_t day, struct str domain, struct arena *a,
    struct queued_tls *ret_v, size_t max, size_t *ret_n)
{
	size_t n = 0;
	int result = 0;
	sqlite3_stmt *s = db->statements[TLS_OF];
	queue_db_bind_u64(s, 1, day);
	queue_db_bind(s, 2, domain);
	queue_db_bind_u64(s, 3, max);
	while (n < max && (result = queue_db_step(s)) > 0) {
		result = read_tls(s, a, &ret_v[n]);
		if (result)
			break;
		n++;
	}
	queue_db_end(s);
	*ret_n = n;
	return result < 0 ? result : 0;
}

int queue_db_tls_forget(struct queue_db *db, uint64_t day, struct str domain)
{
	sqlite3_stmt *s = db->statements[TLS_FORGET];
	queue_db_bind_u64(s, 1, day);
	queue_db_bind(s, 2, domain);
	return queue_db_run(s);
}
