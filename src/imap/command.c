#include "imap/command.h"

#include "imap/command_args.h"

struct syntax {
	struct str name;
	bool uid; /* may stand behind UID */
	bool (*parse)(struct imap_parser *p, struct imap_command *c);
};

static const struct syntax syntaxes[N_IMAP_COMMANDS] = {
    [IMAP_CAPABILITY] = {STR_INIT("CAPABILITY"), false, NULL},
    [IMAP_NOOP] = {STR_INIT("NOOP"), false, NULL},
    [IMAP_LOGOUT] = {STR_INIT("LOGOUT"), false, NULL},
    [IMAP_ID] = {STR_INIT("ID"), false, imap_parse_id},
    [IMAP_STARTTLS] = {STR_INIT("STARTTLS"), false, NULL},
    [IMAP_LOGIN] = {STR_INIT("LOGIN"), false, imap_parse_two_names},
    [IMAP_AUTHENTICATE] = {STR_INIT("AUTHENTICATE"), false, imap_parse_authenticate},
    [IMAP_ENABLE] = {STR_INIT("ENABLE"), false, imap_parse_enable},
    [IMAP_SELECT] = {STR_INIT("SELECT"), false, imap_parse_select},
    [IMAP_EXAMINE] = {STR_INIT("EXAMINE"), false, imap_parse_select},
    [IMAP_CREATE] = {STR_INIT("CREATE"), false, imap_parse_create},
    [IMAP_DELETE] = {STR_INIT("DELETE"), false, imap_parse_name},
    [IMAP_RENAME] = {STR_INIT("RENAME"), false, imap_parse_two_names},
    [IMAP_SUBSCRIBE] = {STR_INIT("SUBSCRIBE"), false, imap_parse_name},
    [IMAP_UNSUBSCRIBE] = {STR_INIT("UNSUBSCRIBE"), false, imap_parse_name},
    [IMAP_LIST] = {STR_INIT("LIST"), false, imap_parse_list},
    [IMAP_LSUB] = {STR_INIT("LSUB"), false, imap_parse_lsub},
    [IMAP_NAMESPACE] = {STR_INIT("NAMESPACE"), false, NULL},
    [IMAP_STATUS] = {STR_INIT("STATUS"), false, imap_parse_status},
    [IMAP_APPEND] = {STR_INIT("APPEND"), false, imap_parse_append},
    [IMAP_IDLE] = {STR_INIT("IDLE"), false, NULL},
    [IMAP_CHECK] = {STR_INIT("CHECK"), false, NULL},
    [IMAP_CLOSE] = {STR_INIT("CLOSE"), false, NULL},
    [IMAP_UNSELECT] = {STR_INIT("UNSELECT"), false, NULL},
    [IMAP_EXPUNGE] = {STR_INIT("EXPUNGE"), true, imap_parse_expunge},
    [IMAP_SEARCH] = {STR_INIT("SEARCH"), true, imap_parse_search},
    [IMAP_FETCH] = {STR_INIT("FETCH"), true, imap_parse_fetch},
    [IMAP_STORE] = {STR_INIT("STORE"), true, imap_parse_store},
    [IMAP_COPY] = {STR_INIT("COPY"), true, imap_parse_set_and_name},
    [IMAP_MOVE] = {STR_INIT("MOVE"), true, imap_parse_set_and_name},
    [IMAP_NOTIFY] = {STR_INIT("NOTIFY"), false, imap_parse_notify},
    [IMAP_COMPRESS] = {STR_INIT("COMPRESS"), false, imap_parse_compress},
    [IMAP_REPLACE] = {STR_INIT("REPLACE"), true, imap_parse_replace},
    [IMAP_GETQUOTA] = {STR_INIT("GETQUOTA"), false, imap_parse_name},
    [IMAP_GETQUOTAROOT] = {STR_INIT("GETQUOTAROOT"), false, imap_parse_name},
    [IMAP_SETQUOTA] = {STR_INIT("SETQUOTA"), false, imap_parse_setquota},
    [IMAP_GETMETADATA] = {STR_INIT("GETMETADATA"), false, imap_parse_getmetadata},
    [IMAP_SETMETADATA] = {STR_INIT("SETMETADATA"), false, imap_parse_setmetadata},
    [IMAP_SORT] = {STR_INIT("SORT"), true, imap_parse_sort},
    [IMAP_THREAD] = {STR_INIT("THREAD"), true, imap_parse_thread},
    [IMAP_ESEARCH] = {STR_INIT("ESEARCH"), false, imap_parse_esearch},
    [IMAP_SETACL] = {STR_INIT("SETACL"), false, imap_parse_set_acl},
    [IMAP_DELETEACL] = {STR_INIT("DELETEACL"), false, imap_parse_name_and_identifier},
    [IMAP_GETACL] = {STR_INIT("GETACL"), false, imap_parse_name},
    [IMAP_LISTRIGHTS] = {STR_INIT("LISTRIGHTS"), false, imap_parse_name_and_identifier},
    [IMAP_MYRIGHTS] = {STR_INIT("MYRIGHTS"), false, imap_parse_name},
    [IMAP_UNAUTHENTICATE] = {STR_INIT("UNAUTHENTICATE"), false, NULL},
};

struct str imap_command_name(enum imap_command_id id)
{
	return syntaxes[id].name;
}

static bool parse_command_name(struct imap_parser *p, struct imap_command *c)
{
	c->uid = imap_skip_word(p, STR("UID"));
	if (c->uid && !imap_parse_space(p))
		return false;
	for (unsigned id = 0; id < N_IMAP_COMMANDS; id++) {
		if (c->uid && !syntaxes[id].uid)
			continue;
		if (!imap_skip_word(p, syntaxes[id].name))
			continue;
		c->id = id;
		return true;
	}
	return imap_fail(
	    p, c->uid ? "FETCH, STORE, SEARCH, SORT, THREAD, COPY, MOVE, REPLACE or EXPUNGE"
	              : "a command");
}

/* command = tag SP (command-any / command-auth / command-nonauth / command-select) CRLF */
bool imap_command_parse(struct imap_parser *p, struct imap_command *ret_command)
{
	struct imap_command *c = ret_command;

	*c = (struct imap_command){.tag = STR("*")};
	if (!imap_parse_tag(p, &c->tag))
		return false;
	if (!imap_parse_space(p) || !parse_command_name(p, c))
		return false;
	if (syntaxes[c->id].parse != NULL && !syntaxes[c->id].parse(p, c))
		return false;
	return imap_parse_end(p);
}

void imap_error_write(const struct imap_parser *p, struct buf *out)
{
	size_t shown = p->error_at + 1;

	buf_printf(out, "expected %s at column %zu", p->error != NULL ? p->error : "something else",
	    shown);
}
