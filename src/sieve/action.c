/* Actions: keep, discard, fileinto, redirect (RFC 5228 §4; :copy of RFC 3894). */
#include "sieve/types.h"

#include "base/utf8.h"
#include "mail/address.h"

#include "sieve/check.h"
#include "sieve/flags.h"

/* Where ":copy" stands the implicit keep stays as it was. */
static void cancel_keep(struct sieve_run *run, const struct sieve_call *call)
{
	if (sieve_call_tag(call, SIEVE_GROUP_COPY) == NULL)
		run->implicit_keep = false;
}

/* The flags of :flags, else those of the internal variable (RFC 5232 §5). */
static int flags_of(struct sieve_run *run, const struct sieve_call *call, struct str *ret_flags)
{
	const struct sieve_given_tag *given = sieve_call_tag(call, SIEVE_GROUP_FLAGS);

	if (given != NULL)
		return sieve_flags_of(run, given->texts, ret_flags);
	*ret_flags = run->flags;
	return 0;
}

static int keep(struct sieve_run *run, const struct sieve_call *call)
{
	struct str flags;
	int result = flags_of(run, call, &flags);

	if (result < 0)
		return result;
	cancel_keep(run, call);
	return sieve_run_act(run, SIEVE_KEEP, STR(""), flags);
}

const struct sieve_type sieve_keep = {
    .name = STR_INIT("keep"),
    .groups = SIEVE_TAKES(SIEVE_GROUP_FLAGS),
    .run = keep,
};

static int run_discard(struct sieve_run *run, const struct sieve_call *call)
{
	cancel_keep(run, call);
	return 0;
}

const struct sieve_type sieve_discard = {.name = STR_INIT("discard"), .run = run_discard};

/* --- fileinto --- */

static bool is_mailbox_name(struct str name)
{
	for (size_t i = 0; i < name.len; i++)
		if ((unsigned char)name.p[i] < ' ' || name.p[i] == 0x7f)
			return false;
	return name.len > 0 && name.len <= SIEVE_MAILBOX_LEN_MAX && utf8_is_valid(name);
}

static void check_fileinto(struct sieve_checker *checker, struct sieve_call *call)
{
	const struct sieve_text *mailbox = call->arguments[0].texts;

	if (mailbox->pieces == NULL && !is_mailbox_name(mailbox->text))
		sieve_checker_tell(checker, mailbox->place,
		    "\"%.*s\" cannot be the name of a mailbox: UTF-8 without control characters, 1 "
		    "to %d bytes",
		    STR_FMT(str_first(mailbox->text, 60)), SIEVE_MAILBOX_LEN_MAX);
}

static int run_fileinto(struct sieve_run *run, const struct sieve_call *call)
{
	struct str mailbox, flags;
	int result = sieve_run_text(run, call->arguments[0].texts, &mailbox);

	if (result < 0)
		return result;
	if (!is_mailbox_name(mailbox))
		return sieve_run_fail(run, "\"%.*s\" cannot be the name of a mailbox",
		    STR_FMT(str_first(mailbox, 60)));
	/* INBOX is where keep puts it (§4.1): the same action, however it is written */
	if (str_eq_nocase(mailbox, STR("INBOX")))
		return keep(run, call);
	result = flags_of(run, call, &flags);
	if (result < 0)
		return result;
	cancel_keep(run, call);
	return sieve_run_act(run, SIEVE_FILEINTO, mailbox, flags);
}

const struct sieve_type sieve_fileinto = {
    .name = STR_INIT("fileinto"),
    .extension = SIEVE_EXTENSION_FILEINTO,
    .groups = SIEVE_TAKES(SIEVE_GROUP_COPY) | SIEVE_TAKES(SIEVE_GROUP_FLAGS),
    .parameters = {{SIEVE_STRING, "mailbox"}},
    .check = check_fileinto,
    .run = run_fileinto,
};

/* --- redirect --- */

/* "addr-spec" or "Name <addr-spec>": one mailbox, and nothing beside it. */
static bool is_address(struct arena *arena, struct str text, struct str *ret_address)
{
	struct buf address CLEANUP(buf_done) = BUF_MAX(SIEVE_ADDRESS_LEN_MAX);
	struct buf domain CLEANUP(buf_done) = BUF_MAX(ADDRESS_DOMAIN_LEN_MAX);
	struct address *list;

	if (text.len > 4 * SIEVE_ADDRESS_LEN_MAX || address_list_parse(text, arena, &list) < 0)
		return false;
	if (list == NULL || list->next != NULL || list->kind != ADDRESS_MAILBOX ||
	    list->mailbox.len == 0 || list->route.len > 0 ||
	    !address_domain_canonical(list->host, &domain))
		return false;
	(void)address_local_quote(list->mailbox, &address);
	buf_add_c(&address, '@');
	buf_add(&address, list->host);
	return !buf_failed(&address) && arena_dup(arena, buf_str(&address), ret_address);
}

static void check_redirect(struct sieve_checker *checker, struct sieve_call *call)
{
	struct sieve_text *target = call->arguments[0].texts;

	if (target->pieces == NULL && !is_address(checker->arena, target->text, &target->text))
		sieve_checker_tell(checker, target->place,
		    "\"%.*s\" is not one mail address, as in \"name@example.org\"",
		    STR_FMT(str_first(target->text, 60)));
}

static int run_redirect(struct sieve_run *run, const struct sieve_call *call)
{
	const struct sieve_text *text = call->arguments[0].texts;
	struct str target;
	int result = sieve_run_text(run, text, &target);

	if (result < 0)
		return result;
	if (text->pieces != NULL && !is_address(run->arena, target, &target))
		return sieve_run_fail(
		    run, "\"%.*s\" is not one mail address", STR_FMT(str_first(target, 60)));
	cancel_keep(run, call);
	return sieve_run_act(run, SIEVE_REDIRECT, target, STR(""));
}

const struct sieve_type sieve_redirect = {
    .name = STR_INIT("redirect"),
    .groups = SIEVE_TAKES(SIEVE_GROUP_COPY),
    .parameters = {{SIEVE_STRING, "address"}},
    .check = check_redirect,
    .run = run_redirect,
};
