/* Tests of addresses: address and envelope (RFC 5228 §2.7.4, §5.1, §5.4; RFC 5233). */
#include "sieve/types.h"

#include <errno.h>

#include "base/buf.h"
#include "mail/address.h"

#include "sieve/fields.h"

#define TAKES_ADDRESS                                                                              \
	(SIEVE_TAKES(SIEVE_GROUP_MATCH) | SIEVE_TAKES(SIEVE_GROUP_COMPARATOR) |                    \
	    SIEVE_TAKES(SIEVE_GROUP_ADDRESS_PART))

/* The test of one address after the other: each counts, or is matched. */
struct looking {
	struct sieve_run *run;
	const struct sieve_call *call;
	enum sieve_address_part part;
	uint64_t n;
};

static struct looking looking_of(struct sieve_run *run, const struct sieve_call *call)
{
	const struct sieve_given_tag *part = sieve_call_tag(call, SIEVE_GROUP_ADDRESS_PART);

	return (struct looking){.run = run,
	    .call = call,
	    .part = part != NULL ? (enum sieve_address_part)part->tag->value : SIEVE_ALL};
}

/* The part of an address that is looked at; false where it has none (RFC 5233 §4: without a
 * separator there is no detail, not an empty one). */
static bool part_of(const struct looking *looking, struct str local, struct str domain,
    struct str all, struct str *ret_part)
{
	char separator = looking->run->message->subaddress_separator;
	struct str user, detail;
	bool has_detail = address_subaddress(local, separator, &user, &detail);

	switch (looking->part) {
	case SIEVE_ALL:
		*ret_part = all;
		return true;
	case SIEVE_LOCALPART:
		*ret_part = local;
		return true;
	case SIEVE_DOMAIN:
		*ret_part = domain;
		return true;
	case SIEVE_USER:
		*ret_part = user;
		return true;
	case SIEVE_DETAIL:
		break;
	}
	*ret_part = detail;
	return has_detail;
}

static int look_at(struct looking *looking, struct str local, struct str domain, struct str all)
{
	struct str part;

	if (!part_of(looking, local, domain, all, &part))
		return 0;
	looking->n++;
	if (looking->call->counts)
		return 0;
	return sieve_run_match(
	    looking->run, looking->call, part, looking->call->arguments[1].texts);
}

static int look_at_end(struct looking *looking)
{
	const struct sieve_call *call = looking->call;

	return call->counts
	           ? sieve_run_count(looking->run, call, looking->n, call->arguments[1].texts)
	           : 0;
}

/* --- address --- */

/* The fields that hold addresses: those of RFC 5322 §3.6, and others that are in use (RFC 2076). */
static const struct str address_fields[] = {STR_INIT("from"), STR_INIT("to"), STR_INIT("cc"),
    STR_INIT("bcc"), STR_INIT("sender"), STR_INIT("reply-to"), STR_INIT("resent-from"),
    STR_INIT("resent-to"), STR_INIT("resent-cc"), STR_INIT("resent-bcc"), STR_INIT("resent-sender"),
    STR_INIT("resent-reply-to"), STR_INIT("return-path"), STR_INIT("envelope-to"),
    STR_INIT("x-envelope-to"), STR_INIT("x-original-to"), STR_INIT("delivered-to"),
    STR_INIT("errors-to"), STR_INIT("disposition-notification-to"), STR_INIT("return-receipt-to"),
    STR_INIT("mail-followup-to"), STR_INIT("approved")};

static bool holds_addresses(struct str name)
{
	for (size_t i = 0; i < ARRAY_LEN(address_fields); i++)
		if (str_eq_nocase(name, address_fields[i]))
			return true;
	return false;
}

static void check_address(struct sieve_checker *checker, struct sieve_call *call)
{
	sieve_check_index(checker, call);
	for (const struct sieve_text *name = call->arguments[0].texts; name != NULL;
	     name = name->next)
		if (name->pieces == NULL && !holds_addresses(name->text))
			sieve_checker_tell(checker, name->place,
			    "header '%.*s' is not allowed in the address test: it holds no "
			    "addresses",
			    STR_FMT(str_first(name->text, 60)));
}

/* One mailbox of a list; what is no address, and the name of a group, is stepped over. */
static int look_at_mailbox(struct looking *looking, const struct address *address)
{
	struct buf all CLEANUP(buf_done) = BUF_MAX(SIEVE_VALUE_LEN_MAX);
	struct arena *arena = looking->run->arena;
	struct str kept;

	if (address->kind != ADDRESS_MAILBOX || address->host.len == 0)
		return 0;
	buf_add(&all, address->mailbox);
	buf_add_c(&all, '@');
	buf_add(&all, address->host);
	if (buf_failed(&all) || !arena_dup(arena, buf_str(&all), &kept))
		return -E2BIG;
	return look_at(looking, str_first(kept, address->mailbox.len),
	    str_from(kept, address->mailbox.len + 1), kept);
}

static int look_at_list(struct looking *looking, struct str value)
{
	struct address *address;

	if (sieve_run_spend(looking->run, value.len / 16 + 1) < 0 ||
	    address_list_parse(value, looking->run->arena, &address) < 0)
		return -E2BIG;
	for (; address != NULL; address = address->next) {
		int result = look_at_mailbox(looking, address);
		if (result != 0)
			return result;
	}
	return 0;
}

static int run_address(struct sieve_run *run, const struct sieve_call *call)
{
	struct looking looking = looking_of(run, call);
	struct sieve_field *field;
	struct sieve_walk walk;

	int result = sieve_walk_begin(run, call, call->arguments[0].texts, &walk);
	while (result == 0 && (result = sieve_walk_next(&walk, &field)) == 1) {
		if (!holds_addresses(field->name))
			return sieve_run_fail(run, "header '%.*s' holds no addresses",
			    STR_FMT(str_first(field->name, 60)));
		result = look_at_list(&looking, field->raw);
		if (result != 0)
			return result;
	}
	return result < 0 ? result : look_at_end(&looking);
}

const struct sieve_type sieve_address = {
    .name = STR_INIT("address"),
    .is_test = true,
    .groups = TAKES_ADDRESS | SIEVE_TAKES(SIEVE_GROUP_INDEX) | SIEVE_TAKES(SIEVE_GROUP_LAST),
    .parameters = {{SIEVE_STRINGS, "header list"}, {SIEVE_STRINGS, "key list"}},
    .check = check_address,
    .run = run_address,
};

/* --- envelope --- */

static const struct envelope_part {
	struct str name;
	size_t offset; /* in struct sieve_message */
} envelope_parts[] = {
    {STR_INIT("from"), offsetof(struct sieve_message, sender)},
    {STR_INIT("to"), offsetof(struct sieve_message, recipient)},
    {STR_INIT("auth"), offsetof(struct sieve_message, user)},
};

static const struct str *envelope_part(const struct sieve_message *message, struct str name)
{
	for (size_t i = 0; i < ARRAY_LEN(envelope_parts); i++)
		if (str_eq_nocase(name, envelope_parts[i].name))
			return (
			    const struct str *)((const char *)message + envelope_parts[i].offset);
	return NULL;
}

static void check_envelope(struct sieve_checker *checker, struct sieve_call *call)
{
	static const struct sieve_message any;

	for (const struct sieve_text *name = call->arguments[0].texts; name != NULL;
	     name = name->next)
		if (name->pieces == NULL && envelope_part(&any, name->text) == NULL)
			sieve_checker_tell(checker, name->place,
			    "the envelope has the parts \"from\", \"to\" and \"auth\", and no "
			    "\"%.*s\"",
			    STR_FMT(str_first(name->text, 60)));
}

/* The null reverse-path is an address of which each part is empty (§5.4). */
static int look_at_path(struct looking *looking, struct str path)
{
	struct str local = path, domain = {0};

	if (path.len > 0 && !address_split(path, &local, &domain))
		local = path;
	return look_at(looking, local, domain, path);
}

static int run_envelope(struct sieve_run *run, const struct sieve_call *call)
{
	struct looking looking = looking_of(run, call);

	for (const struct sieve_text *t = call->arguments[0].texts; t != NULL; t = t->next) {
		const struct str *part;
		struct str name;
		int result = sieve_run_text(run, t, &name);
		if (result == 0 && (part = envelope_part(run->message, name)) == NULL)
			result = sieve_run_fail(
			    run, "the envelope has no part \"%.*s\"", STR_FMT(str_first(name, 60)));
		if (result == 0)
			result = look_at_path(&looking, *part);
		if (result != 0)
			return result;
	}
	return look_at_end(&looking);
}

const struct sieve_type sieve_envelope = {
    .name = STR_INIT("envelope"),
    .extension = SIEVE_EXTENSION_ENVELOPE,
    .is_test = true,
    .groups = TAKES_ADDRESS,
    .parameters = {{SIEVE_STRINGS, "envelope parts"}, {SIEVE_STRINGS, "key list"}},
    .check = check_envelope,
    .run = run_envelope,
};
