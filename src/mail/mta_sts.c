#include "mail/mta_sts.h"

#include "base/num.h"
#include "base/utf8.h"

enum {
	NAME_LEN_MAX = 32, /* of an extension's name: one byte and at most 31 more */
	DOMAIN_LEN_MAX = 253,
	LABEL_LEN_MAX = 63,
	MAX_AGE_DIGITS_MAX = 10,
};

static bool is_alphanumeric(char c)
{
	return ascii_is_alpha(c) || ascii_is_digit(c);
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t';
}

static void skip_spaces(struct str *rest)
{
	while (rest->len > 0 && is_space(rest->p[0]))
		*rest = str_from(*rest, 1);
}

static struct str without_trailing_spaces(struct str s)
{
	while (s.len > 0 && is_space(s.p[s.len - 1]))
		s.len--;
	return s;
}

/* sts-ext-name = (ALPHA / DIGIT) *31(ALPHA / DIGIT / "_" / "-" / ".") */
static bool is_extension_name(struct str name)
{
	if (name.len == 0 || name.len > NAME_LEN_MAX || !is_alphanumeric(name.p[0]))
		return false;
	for (size_t i = 0; i < name.len; i++) {
		char c = name.p[i];
		if (!is_alphanumeric(c) && c != '_' && c != '-' && c != '.')
			return false;
	}
	return true;
}

/* --- the record --- */

/* sts-ext-value = 1*(%x21-3A / %x3C / %x3E-7E)     ; all but "=", ";", SP and controls */
static bool is_extension_value(struct str value)
{
	for (size_t i = 0; i < value.len; i++)
		if (value.p[i] <= ' ' || value.p[i] > '~' || value.p[i] == '=')
			return false;
	return value.len > 0;
}

/* 1*32(ALPHA / DIGIT) */
static bool is_id(struct str id)
{
	for (size_t i = 0; i < id.len; i++)
		if (!is_alphanumeric(id.p[i]))
			return false;
	return id.len > 0 && id.len <= MTA_STS_ID_LEN_MAX;
}

/*
 * sts-text-record = sts-version 1*(sts-field-delim sts-field) [sts-field-delim]
 * sts-field       = sts-id / sts-extension
 * sts-field-delim = *WSP ";" *WSP
 * sts-version     = %s"v=STSv1"
 * sts-id          = %s"id=" 1*32(ALPHA / DIGIT)
 * sts-extension   = sts-ext-name "=" sts-ext-value
 */
static bool parse_record(struct str record, struct str *ret_id)
{
	struct str version = without_trailing_spaces(str_cut(&record, ';'));
	struct str id = {0};

	if (!str_eq(version, STR("v=STSv1")))
		return false;
	for (;;) {
		bool is_last = str_index(record, ';') == record.len;
		struct str field = str_cut(&record, ';');
		skip_spaces(&field);
		field = without_trailing_spaces(field);
		if (field.len == 0 && is_last)
			break;
		struct str value = field;
		struct str name = str_cut(&value, '=');
		if (!is_extension_name(name) || !is_extension_value(value))
			return false;
		if (str_eq(name, STR("id")) && !is_id(value))
			return false;
		if (str_eq(name, STR("id")) && id.len == 0)
			id = value;
		if (is_last)
			break;
	}
	if (id.len == 0)
		return false;
	*ret_id = id;
	return true;
}

bool mta_sts_id(const struct str *records, size_t n, struct str *ret_id)
{
	const struct str *found = NULL;

	for (size_t i = 0; i < n; i++) {
		if (!str_starts(records[i], STR("v=STSv1;")))
			continue;
		if (found != NULL)
			return false;
		found = &records[i];
	}
	return found != NULL && parse_record(*found, ret_id);
}

/* --- the policy --- */

/* Domain = sub-domain *("." sub-domain); sub-domain = Let-dig [Ldh-str] (RFC 5321 §4.1.2) */
static bool is_domain(struct str domain)
{
	if (domain.len == 0 || domain.len > DOMAIN_LEN_MAX || domain.p[domain.len - 1] == '.')
		return false;
	while (domain.len > 0) {
		struct str label = str_cut(&domain, '.');
		if (label.len == 0 || label.len > LABEL_LEN_MAX || label.p[0] == '-' ||
		    label.p[label.len - 1] == '-')
			return false;
		for (size_t i = 0; i < label.len; i++)
			if (!is_alphanumeric(label.p[i]) && label.p[i] != '-')
				return false;
	}
	return true;
}

/* sts-policy-mx-value = ["*."] Domain */
static bool is_pattern(struct str value)
{
	(void)str_skip(&value, STR("*."));
	return is_domain(value);
}

/* sts-policy-ext-value: no controls, UTF-8; spaces within */
static bool is_policy_value(struct str value)
{
	for (size_t i = 0; i < value.len; i++)
		if ((unsigned char)value.p[i] < ' ' || value.p[i] == 0x7f)
			return false;
	return value.len > 0 && utf8_is_valid(value);
}

struct parsing {
	struct mta_sts_policy policy;
	bool has_version, has_mode, has_max_age;
};

static const char *take_version(struct parsing *p, struct str value)
{
	if (!p->has_version && !str_eq(value, STR("STSv1")))
		return "its version is not STSv1";
	p->has_version = true;
	return NULL;
}

static const struct str modes[N_MTA_STS_MODES] = {
    STR_INIT("none"), STR_INIT("testing"), STR_INIT("enforce")};

static const char *take_mode(struct parsing *p, struct str value)
{
	for (enum mta_sts_mode mode = 0; mode < N_MTA_STS_MODES && !p->has_mode; mode++)
		if (str_eq(value, modes[mode])) {
			p->policy.mode = mode;
			p->has_mode = true;
		}
	return p->has_mode ? NULL : "its mode is none that is known";
}

static const char *take_max_age(struct parsing *p, struct str value)
{
	uint64_t seconds;

	if (p->has_max_age)
		return NULL;
	if (value.len > MAX_AGE_DIGITS_MAX || !num_parse(value, UINT64_MAX, &seconds))
		return "its max_age is no number";
	p->policy.max_age =
	    (uint32_t)(seconds < MTA_STS_MAX_AGE_MAX ? seconds : MTA_STS_MAX_AGE_MAX);
	p->has_max_age = true;
	return NULL;
}

static const char *take_mx(struct parsing *p, struct str value)
{
	if (!is_pattern(value))
		return "an mx is no host name";
	if (p->policy.n_mx == MTA_STS_MX_MAX)
		return "it has too many mx";
	p->policy.mx[p->policy.n_mx++] = value;
	return NULL;
}

/* sts-policy-field = name ":" *WSP value. Field names are case-sensitive. */
static const char *take_field(struct parsing *p, struct str line)
{
	static const struct {
		struct str name;
		const char *(*take)(struct parsing *p, struct str value);
	} fields[] = {{STR_INIT("version"), take_version}, {STR_INIT("mode"), take_mode},
	    {STR_INIT("max_age"), take_max_age}, {STR_INIT("mx"), take_mx}};
	struct str value = line;
	struct str name = str_cut(&value, ':');

	skip_spaces(&value);
	if (!is_extension_name(name) || !is_policy_value(value))
		return "a line is not `name: value`";
	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		if (str_eq(name, fields[i].name))
			return fields[i].take(p, value);
	return NULL;
}

/*
 * sts-policy-record = sts-policy-field *WSP *(sts-policy-term sts-policy-field *WSP)
 *                     [sts-policy-term]
 * sts-policy-term   = LF / CRLF
 * Empty lines are skipped, which is more than this allows: to take the policy for none would
 * protect nobody.
 */
bool mta_sts_parse(struct str text, struct mta_sts_policy *ret_policy, const char **ret_why)
{
	struct parsing p = {0};
	const char *why = text.len > MTA_STS_POLICY_LEN_MAX ? "it is too long" : NULL;

	while (text.len > 0 && why == NULL) {
		struct str line = without_trailing_spaces(str_cut_line(&text));
		if (line.len > 0)
			why = take_field(&p, line);
	}
	if (why == NULL && !p.has_version)
		why = "it says no version";
	if (why == NULL && !p.has_mode)
		why = "it says no mode";
	if (why == NULL && !p.has_max_age)
		why = "it says no max_age";
	if (why == NULL && p.policy.mode != MTA_STS_NONE && p.policy.n_mx == 0)
		why = "it names no mx";
	if (why != NULL) {
		*ret_why = why;
		return false;
	}
	*ret_policy = p.policy;
	return true;
}

bool mta_sts_write(const struct mta_sts_policy *policy, struct buf *out)
{
	buf_add(out, STR("version: STSv1\r\nmode: "));
	buf_add(out, modes[policy->mode]);
	buf_add(out, STR("\r\n"));
	for (size_t i = 0; i < policy->n_mx; i++) {
		buf_add(out, STR("mx: "));
		buf_add(out, policy->mx[i]);
		buf_add(out, STR("\r\n"));
	}
	buf_add(out, STR("max_age: "));
	buf_add_u64(out, policy->max_age);
	buf_add(out, STR("\r\n"));
	return !buf_failed(out);
}

bool mta_sts_allows(const struct str *mx, size_t n_mx, struct str host)
{
	if (host.len > 0 && host.p[host.len - 1] == '.')
		host.len--;
	struct str above = host;
	struct str first = str_cut(&above, '.');

	for (size_t i = 0; i < n_mx; i++) {
		struct str pattern = mx[i];
		bool is_wild = str_skip(&pattern, STR("*."));
		if (is_wild ? first.len > 0 && above.len > 0 && str_eq_nocase(above, pattern)
		            : host.len > 0 && str_eq_nocase(host, pattern))
			return true;
	}
	return false;
}
