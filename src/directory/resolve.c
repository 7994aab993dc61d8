#include "directory/resolve.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "mail/address.h"
#include "mail/srs.h"

enum { CACHE_ROWS = 2048, CACHED_ACCOUNTS_MAX = 8, ARENA_LEN = 1 << 20, DAY_S = 86400 };

/* One remembered answer; longer ones are looked up anew. */
struct cached {
	uint64_t generation; /* valid where it is the resolver's */
	size_t address_len;
	char address[IPC_ADDRESS_MAX];
	enum rcpt_result result;
	size_t n_accounts;
	uint64_t accounts[CACHED_ACCOUNTS_MAX];
};

struct resolver {
	struct database *db;
	uint64_t generation;
	struct arena arena; /* for one lookup */
	uint64_t accounts[RESOLVE_ACCOUNTS_MAX];
	size_t n_accounts;
	struct str outside[RESOLVE_OUTSIDE_MAX];
	size_t n_outside;
	struct cached cache[CACHE_ROWS];
};

int resolver_new(struct database *db, struct resolver **ret_resolver)
{
	struct resolver *r = calloc(1, sizeof(*r));
	if (!r)
		return -ENOMEM;
	r->db = db;
	r->generation = 1;
	r->arena = ARENA_MAX(ARENA_LEN);
	*ret_resolver = r;
	return 0;
}

void resolver_free(struct resolver *resolver)
{
	if (!resolver)
		return;
	arena_done(&resolver->arena);
	free(resolver);
}

void resolver_changed(struct resolver *resolver)
{
	resolver->generation++;
}

/* --- following aliases --- */

/* The names still to be looked at, and those that were: each stands here once. */
struct worklist {
	struct name *names;
	size_t n, done;
};

static int add_work(struct worklist *work, struct name name)
{
	for (size_t i = 0; i < work->n; i++)
		if (name_eq(&work->names[i], &name))
			return 0;
	if (work->n == RESOLVE_ALIASES_MAX)
		return -E2BIG;
	work->names[work->n++] = name;
	return 0;
}

static int add_account(struct resolver *r, uint64_t account)
{
	for (size_t i = 0; i < r->n_accounts; i++)
		if (r->accounts[i] == account)
			return 0;
	if (r->n_accounts == RESOLVE_ACCOUNTS_MAX)
		return -E2BIG;
	r->accounts[r->n_accounts++] = account;
	return 0;
}

static int add_outside(struct resolver *r, const struct name *name)
{
	struct buf text CLEANUP(buf_done) = BUF_MAX(NAME_LEN_MAX);
	struct str address;
	if (!name_format(name, &text) || !arena_dup(&r->arena, buf_str(&text), &address))
		return -ENOMEM;
	for (size_t i = 0; i < r->n_outside; i++)
		if (str_eq(r->outside[i], address))
			return 0;
	if (r->n_outside == RESOLVE_OUTSIDE_MAX)
		return -E2BIG;
	r->outside[r->n_outside++] = address;
	return 0;
}

/* Where an alias leads: here, under the name that this server knows it by, or out of the house. */
static int add_target(struct resolver *r, struct worklist *work, const struct name *target)
{
	struct name ours;
	int error = database_domain_find(r->db, target->domain);
	if (error == -ENOENT)
		return add_outside(r, target);
	if (!error && !name_fold(target, &r->arena, &ours))
		error = -ENOMEM;
	return error ? error : add_work(work, ours);
}

static int add_targets(struct resolver *r, struct worklist *work, const struct name *name)
{
	struct name *targets;
	size_t n;
	int error = database_alias_targets(r->db, name, &r->arena, &targets, &n);
	for (size_t i = 0; !error && i < n; i++)
		error = add_target(r, work, &targets[i]);
	return error;
}

/* Everything that `name` leads to, itself an account or alias: 0, or -ENOENT where it is neither.
 */
static int follow(struct resolver *r, const struct name *name)
{
	struct worklist work = {
	    .names = ARENA_NEW_ARRAY(&r->arena, struct name, RESOLVE_ALIASES_MAX)};
	if (!work.names)
		return -ENOMEM;
	int error = add_work(&work, *name);
	while (!error && work.done < work.n) {
		struct name next = work.names[work.done++];
		uint64_t account;
		error = database_account_id(r->db, &next, &account);
		if (!error)
			error = add_account(r, account);
		else if (error == -ENOENT)
			error = add_targets(r, &work, &next);
		/* a target that is gone does not stop the others */
		if (error == -ENOENT && work.done > 1)
			error = 0;
	}
	if (error)
		return error;
	return r->n_accounts > 0 || r->n_outside > 0 ? 0 : -ENOENT;
}

/* Mail for postmaster must be taken (RFC 5321 §4.5.1), and for abuse should be (RFC 2142 §4): where
 * nobody has that name, whoever runs the domain, or else the server, gets it. */
static int follow_postmaster(struct resolver *r, const struct name *name)
{
	const struct name postmaster = {STR("postmaster"), name->domain};
	uint64_t account;
	int error = -ENOENT;
	if (str_eq(name->local, STR("abuse")))
		error = follow(r, &postmaster);
	else if (!str_eq(name->local, postmaster.local))
		return -ENOENT;
	if (error != -ENOENT)
		return error;
	error = database_domain_find(r->db, name->domain);
	if (error)
		return error;
	error = database_account_first(r->db, name->domain, &account);
	if (error == -ENOENT)
		error = database_account_first(r->db, STR(""), &account);
	return error ? error : add_account(r, account);
}

static int look_up(struct resolver *r, const struct name *name)
{
	struct name untagged = *name;
	int error = follow(r, name);
	if (error == -ENOENT && name_without_tag(name, &untagged))
		error = follow(r, &untagged);
	if (error == -ENOENT)
		error = follow_postmaster(r, &untagged);
	return error;
}

/* "postmaster" alone, RFC 5321 §4.1.1.3. */
static bool parse(struct resolver *r, struct str address, struct name *ret_name)
{
	struct domain_row *rows;
	size_t n;
	if (!str_eq_nocase(address, STR("postmaster")))
		return name_parse(address, &r->arena, ret_name);
	if (database_domains(r->db, STR(""), 1, &r->arena, &rows, &n) || n == 0)
		return false;
	*ret_name = (struct name){STR("postmaster"), rows[0].name};
	return true;
}

/* What is no address here: is at least its domain ours? */
static enum rcpt_result judge_unparsed(struct resolver *r, struct str address)
{
	struct str local;
	struct str domain;
	struct str canonical;
	if (!address_split(address, &local, &domain) ||
	    !name_parse_domain(domain, &r->arena, &canonical))
		return RCPT_NOT_LOCAL;
	return database_domain_find(r->db, canonical) ? RCPT_NOT_LOCAL : RCPT_UNKNOWN;
}

/* Where a bounce goes for an address that we made: 0, or -ENOENT where it is no good one. */
static int follow_rewritten(struct resolver *r, struct str local)
{
	struct buf text CLEANUP(buf_done) = BUF_MAX(SRS_LEN_MAX);
	struct name name;
	uint32_t day = (uint32_t)(clock_wall() / DAY_S);
	if (srs_reverse(database_srs_key(r->db), day, local, &text) ||
	    !name_parse_outside(buf_str(&text), &r->arena, &name))
		return -ENOENT;
	int error = database_domain_find(r->db, name.domain);
	if (error == -ENOENT)
		return add_outside(r, &name);
	struct name ours;
	return error ? error : name_fold(&name, &r->arena, &ours) ? follow(r, &ours) : -ENOMEM;
}

/* 1: it is no such address. Else it is judged: 0, -ENOENT, or another error. */
static int try_rewritten(struct resolver *r, struct str address)
{
	struct str local;
	struct str domain;
	struct str canonical;
	if (!address_split(address, &local, &domain) || !srs_is_rewritten(local) ||
	    !name_parse_domain(domain, &r->arena, &canonical) ||
	    database_domain_find(r->db, canonical))
		return 1;
	return follow_rewritten(r, local);
}

static struct resolved answer_of(const struct resolver *r, int error)
{
	if (error)
		return (struct resolved){
		    .result = error == -ENOENT ? RCPT_UNKNOWN : RCPT_TEMPORARY, .error = error};
	return (struct resolved){.result = RCPT_OK,
	    .accounts = r->accounts,
	    .n_accounts = r->n_accounts,
	    .outside = r->outside,
	    .n_outside = r->n_outside};
}

static struct resolved resolve_uncached(struct resolver *r, struct str address)
{
	struct name name;
	arena_clear(&r->arena);
	r->n_accounts = r->n_outside = 0;
	int error = try_rewritten(r, address);
	if (error <= 0)
		return answer_of(r, error);
	if (!parse(r, address, &name))
		return (struct resolved){.result = judge_unparsed(r, address)};
	error = database_domain_find(r->db, name.domain);
	if (error)
		return (struct resolved){
		    .result = error == -ENOENT ? RCPT_NOT_LOCAL : RCPT_TEMPORARY, .error = error};
	return answer_of(r, look_up(r, &name));
}

/* --- the cache --- */

static struct cached *cache_row(struct resolver *r, struct str address)
{
	uint64_t h = 0xcbf29ce484222325ULL; /* FNV-1a; who shares a row matters to nobody */
	for (size_t i = 0; i < address.len; i++)
		h = (h ^ (unsigned char)address.p[i]) * 0x100000001b3ULL;
	return &r->cache[(h ^ (h >> 32)) % CACHE_ROWS];
}

static void remember(
    struct resolver *r, struct cached *row, struct str address, const struct resolved *answer)
{
	if (answer->result == RCPT_TEMPORARY || answer->n_accounts > CACHED_ACCOUNTS_MAX ||
	    answer->n_outside > 0)
		return;
	row->generation = r->generation;
	row->address_len = address.len;
	if (address.len > 0)
		memcpy(row->address, address.p, address.len);
	row->result = answer->result;
	row->n_accounts = answer->n_accounts;
	for (size_t i = 0; i < answer->n_accounts; i++)
		row->accounts[i] = answer->accounts[i];
}

struct resolved resolver_resolve(struct resolver *r, struct str address)
{
	if (address.len > IPC_ADDRESS_MAX)
		return resolve_uncached(r, address);
	struct cached *row = cache_row(r, address);
	if (row->generation == r->generation &&
	    str_eq(str_of(row->address, row->address_len), address))
		return (struct resolved){.result = row->result,
		    .accounts = row->accounts,
		    .n_accounts = row->n_accounts};
	struct resolved answer = resolve_uncached(r, address);
	remember(r, row, address, &answer);
	return answer;
}
