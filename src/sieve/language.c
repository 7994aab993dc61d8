#include "sieve/language.h"

#include "base/attr.h"

#include "sieve/types.h"

static const struct str extensions[N_SIEVE_EXTENSIONS] = {
    [SIEVE_EXTENSION_COMPARATOR_OCTET] = STR_INIT("comparator-i;octet"),
    [SIEVE_EXTENSION_COMPARATOR_ASCII_CASEMAP] = STR_INIT("comparator-i;ascii-casemap"),
    [SIEVE_EXTENSION_COMPARATOR_ASCII_NUMERIC] = STR_INIT("comparator-i;ascii-numeric"),
    [SIEVE_EXTENSION_COMPARATOR_UNICODE_CASEMAP] = STR_INIT("comparator-i;unicode-casemap"),
    [SIEVE_EXTENSION_COPY] = STR_INIT("copy"),
    [SIEVE_EXTENSION_DATE] = STR_INIT("date"),
    [SIEVE_EXTENSION_ENCODED_CHARACTER] = STR_INIT("encoded-character"),
    [SIEVE_EXTENSION_ENVELOPE] = STR_INIT("envelope"),
    [SIEVE_EXTENSION_FILEINTO] = STR_INIT("fileinto"),
    [SIEVE_EXTENSION_IMAP4FLAGS] = STR_INIT("imap4flags"),
    [SIEVE_EXTENSION_INDEX] = STR_INIT("index"),
    [SIEVE_EXTENSION_RELATIONAL] = STR_INIT("relational"),
    [SIEVE_EXTENSION_SUBADDRESS] = STR_INIT("subaddress"),
    [SIEVE_EXTENSION_VARIABLES] = STR_INIT("variables"),
};

static const struct sieve_tag tags[] = {
    {STR_INIT("is"), SIEVE_GROUP_MATCH, SIEVE_EXTENSION_BASE, SIEVE_NOTHING, SIEVE_IS},
    {STR_INIT("contains"), SIEVE_GROUP_MATCH, SIEVE_EXTENSION_BASE, SIEVE_NOTHING, SIEVE_CONTAINS},
    {STR_INIT("matches"), SIEVE_GROUP_MATCH, SIEVE_EXTENSION_BASE, SIEVE_NOTHING, SIEVE_MATCHES},
    {STR_INIT("value"), SIEVE_GROUP_MATCH, SIEVE_EXTENSION_RELATIONAL, SIEVE_STRING, SIEVE_VALUE},
    {STR_INIT("count"), SIEVE_GROUP_MATCH, SIEVE_EXTENSION_RELATIONAL, SIEVE_STRING,
        SIEVE_MATCH_COUNT},
    {STR_INIT("comparator"), SIEVE_GROUP_COMPARATOR, SIEVE_EXTENSION_BASE, SIEVE_STRING, 0},
    {STR_INIT("all"), SIEVE_GROUP_ADDRESS_PART, SIEVE_EXTENSION_BASE, SIEVE_NOTHING, SIEVE_ALL},
    {STR_INIT("localpart"), SIEVE_GROUP_ADDRESS_PART, SIEVE_EXTENSION_BASE, SIEVE_NOTHING,
        SIEVE_LOCALPART},
    {STR_INIT("domain"), SIEVE_GROUP_ADDRESS_PART, SIEVE_EXTENSION_BASE, SIEVE_NOTHING,
        SIEVE_DOMAIN},
    {STR_INIT("user"), SIEVE_GROUP_ADDRESS_PART, SIEVE_EXTENSION_SUBADDRESS, SIEVE_NOTHING,
        SIEVE_USER},
    {STR_INIT("detail"), SIEVE_GROUP_ADDRESS_PART, SIEVE_EXTENSION_SUBADDRESS, SIEVE_NOTHING,
        SIEVE_DETAIL},
    {STR_INIT("copy"), SIEVE_GROUP_COPY, SIEVE_EXTENSION_COPY, SIEVE_NOTHING, 0},
    {STR_INIT("flags"), SIEVE_GROUP_FLAGS, SIEVE_EXTENSION_IMAP4FLAGS, SIEVE_STRINGS, 0},
    {STR_INIT("index"), SIEVE_GROUP_INDEX, SIEVE_EXTENSION_INDEX, SIEVE_NUMBER, 0},
    {STR_INIT("last"), SIEVE_GROUP_LAST, SIEVE_EXTENSION_INDEX, SIEVE_NOTHING, 0},
};

struct str sieve_extension_name(enum sieve_extension extension)
{
	return extensions[extension];
}

bool sieve_extension_find(struct str name, enum sieve_extension *ret_extension)
{
	for (size_t i = SIEVE_EXTENSION_BASE + 1; i < N_SIEVE_EXTENSIONS; i++)
		if (str_eq(name, extensions[i])) {
			*ret_extension = (enum sieve_extension)i;
			return true;
		}
	return false;
}

const struct sieve_tag *sieve_tag_find(const struct sieve_type *type, struct str name)
{
	for (const struct sieve_tag *own = type->own_tags; own != NULL && own->name.len > 0; own++)
		if (str_eq(name, own->name))
			return own;
	for (size_t i = 0; i < ARRAY_LEN(tags); i++)
		if ((type->groups & SIEVE_TAKES(tags[i].group)) != 0 && str_eq(name, tags[i].name))
			return &tags[i];
	return NULL;
}

const struct sieve_given_tag *sieve_call_tag(const struct sieve_call *call, unsigned group)
{
	for (const struct sieve_given_tag *given = call->tags; given != NULL; given = given->next)
		if (given->tag->group == group)
			return given;
	return NULL;
}

const struct sieve_type *const sieve_language[] = {
    &sieve_require,
    &sieve_if,
    &sieve_elsif,
    &sieve_else,
    &sieve_stop,
    &sieve_set,
    &sieve_keep,
    &sieve_discard,
    &sieve_fileinto,
    &sieve_redirect,
    &sieve_setflag,
    &sieve_addflag,
    &sieve_removeflag,
    &sieve_true,
    &sieve_false,
    &sieve_not,
    &sieve_allof,
    &sieve_anyof,
    &sieve_header,
    &sieve_exists,
    &sieve_size,
    &sieve_address,
    &sieve_envelope,
    &sieve_string,
    &sieve_hasflag,
    &sieve_date,
    &sieve_currentdate,
    NULL,
};
