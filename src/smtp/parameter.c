#include "smtp/parameter.h"

#include "base/num.h"
#include "smtp/timestamp.h"

struct parameter {
	struct str keyword;
	/* `value` is NULL where no "=" stands. False: not a value of this keyword. */
	bool (*set)(void *parameters, const struct str *value);
};

static bool is_keyword(struct str s)
{
	if (s.len == 0 || s.p[0] == '-')
		return false;
	for (size_t i = 0; i < s.len; i++) {
		if (!ascii_is_alpha(s.p[i]) && !ascii_is_digit(s.p[i]) && s.p[i] != '-')
			return false;
	}
	return true;
}

/*   esmtp-value = 1*(%d33-60 / %d62-126 / UTF8-non-ascii) */
static bool is_value(struct str s)
{
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.p[i];
		if (c < 33 || c == '=' || c == 127)
			return false;
	}
	return s.len > 0;
}

static bool set_one(const struct parameter *table, size_t n, struct str keyword,
    const struct str *value, unsigned *seen, void *parameters, enum smtp_parameter_result *why)
{
	for (size_t i = 0; i < n; i++) {
		if (!str_eq_nocase(table[i].keyword, keyword))
			continue;
		if (*seen & 1u << i) {
			*why = SMTP_PARAMETER_TWICE;
			return false;
		}
		*seen |= 1u << i;
		*why = SMTP_PARAMETER_SYNTAX;
		return table[i].set(parameters, value);
	}
	*why = SMTP_PARAMETER_UNKNOWN;
	return false;
}

/*
 *   Mail-parameters = esmtp-param *(SP esmtp-param)
 *   esmtp-param     = esmtp-keyword ["=" esmtp-value]
 *   esmtp-keyword   = (ALPHA / DIGIT) *(ALPHA / DIGIT / "-")
 *
 * Several spaces between parameters, and spaces at the end, are let pass (RFC 5321 §4.1.1).
 */
static enum smtp_parameter_result parse(
    struct str s, const struct parameter *table, size_t n, void *parameters)
{
	unsigned seen = 0;
	if (s.len > 0 && s.p[0] != ' ')
		return SMTP_PARAMETER_SYNTAX;
	while (s.len > 0) {
		struct str item = str_cut(&s, ' ');
		if (item.len == 0)
			continue;
		struct str value = item;
		struct str keyword = str_cut(&value, '=');
		bool has_value = keyword.len < item.len;
		if (!is_keyword(keyword) || (has_value && !is_value(value)))
			return SMTP_PARAMETER_SYNTAX;
		enum smtp_parameter_result why;
		if (!set_one(table, n, keyword, has_value ? &value : NULL, &seen, parameters, &why))
			return why;
	}
	return SMTP_PARAMETER_OK;
}

/*   size-value = 1*20DIGIT (RFC 1870 §3) */
static bool set_size(void *parameters, const struct str *value)
{
	struct smtp_mail_parameters *p = parameters;
	return value && value->len <= 20 && num_parse(*value, UINT64_MAX, &p->size);
}

static bool set_body(void *parameters, const struct str *value)
{
	static const struct str names[] = {
	    [SMTP_BODY_7BIT] = STR_INIT("7BIT"),
	    [SMTP_BODY_8BITMIME] = STR_INIT("8BITMIME"),
	    [SMTP_BODY_BINARYMIME] = STR_INIT("BINARYMIME"),
	};
	struct smtp_mail_parameters *p = parameters;
	for (size_t i = 0; value && i < ARRAY_LEN(names); i++) {
		if (str_eq_nocase(*value, names[i])) {
			p->body = (enum smtp_body)i;
			return true;
		}
	}
	return false;
}

static bool set_smtputf8(void *parameters, const struct str *value)
{
	struct smtp_mail_parameters *p = parameters;
	p->smtputf8 = true;
	return value == NULL;
}

static bool set_ret(void *parameters, const struct str *value)
{
	struct smtp_mail_parameters *p = parameters;
	if (value && str_eq_nocase(*value, STR("FULL")))
		p->ret = SMTP_RET_FULL;
	else if (value && str_eq_nocase(*value, STR("HDRS")))
		p->ret = SMTP_RET_HDRS;
	return p->ret != SMTP_RET_DEFAULT;
}

static bool set_envid(void *parameters, const struct str *value)
{
	struct smtp_mail_parameters *p = parameters;
	if (!value || value->len > SMTP_ENVID_MAX || !smtp_xtext_is_valid(*value))
		return false;
	p->envid = *value;
	return true;
}

static bool set_require_tls(void *parameters, const struct str *value)
{
	struct smtp_mail_parameters *p = parameters;
	p->extensions |= SMTP_EXTENSION_REQUIRETLS;
	p->require_tls = true;
	return value == NULL;
}

/*
 *   by-value = by-time ";" by-mode [by-trace]
 *   by-time  = ["-" / "+"] 1*9DIGIT
 *   by-mode  = "N" / "R"
 *   by-trace = "T"
 *
 * What is to be returned must have some time to be delivered in (RFC 2852 §4).
 */
static bool set_by(void *parameters, const struct str *value)
{
	struct smtp_mail_parameters *p = parameters;
	uint64_t seconds;
	if (!value)
		return false;
	struct str mode = *value;
	struct str time = str_cut(&mode, ';');
	bool negative = str_skip(&time, STR("-"));
	if (!negative)
		(void)str_skip(&time, STR("+"));
	if (time.len > 9 || !num_parse(time, SMTP_BY_MAX, &seconds))
		return false;
	if (str_skip_nocase(&mode, STR("R")))
		p->by_mode = SMTP_BY_RETURN;
	else if (str_skip_nocase(&mode, STR("N")))
		p->by_mode = SMTP_BY_NOTIFY;
	else
		return false;
	p->extensions |= SMTP_EXTENSION_DELIVERBY;
	p->by_trace = str_skip_nocase(&mode, STR("T"));
	p->by_seconds = negative ? -(int64_t)seconds : (int64_t)seconds;
	return mode.len == 0 && (p->by_seconds > 0 || p->by_mode == SMTP_BY_NOTIFY);
}

/*   hold-for = 1*9DIGIT, not 0 */
static bool set_hold_for(void *parameters, const struct str *value)
{
	struct smtp_mail_parameters *p = parameters;
	p->extensions |= SMTP_EXTENSION_FUTURERELEASE;
	return value && value->len <= 9 && p->hold_until == 0 &&
	       num_parse(*value, SMTP_HOLD_MAX, &p->hold_seconds) && p->hold_seconds > 0;
}

static bool set_hold_until(void *parameters, const struct str *value)
{
	struct smtp_mail_parameters *p = parameters;
	p->extensions |= SMTP_EXTENSION_FUTURERELEASE;
	return value && p->hold_seconds == 0 && smtp_timestamp_parse(*value, &p->hold_until) &&
	       p->hold_until > 0;
}

/* Who a relay says submitted it: "<>" or an address in xtext (RFC 4954 §5). Nobody is believed. */
static bool set_auth(void *parameters, const struct str *value)
{
	struct smtp_mail_parameters *p = parameters;
	p->extensions |= SMTP_EXTENSION_AUTH;
	return value && value->len <= SMTP_AUTH_PARAMETER_MAX && smtp_xtext_is_valid(*value);
}

/*
 *   notify-esmtp-value  = "NEVER" / 1#notify-list-element
 *   notify-list-element = "SUCCESS" / "FAILURE" / "DELAY"
 */
static bool set_notify(void *parameters, const struct str *value)
{
	static const struct {
		struct str name;
		unsigned bit;
	} names[] = {
	    {STR_INIT("SUCCESS"), SMTP_NOTIFY_SUCCESS},
	    {STR_INIT("FAILURE"), SMTP_NOTIFY_FAILURE},
	    {STR_INIT("DELAY"), SMTP_NOTIFY_DELAY},
	};
	struct smtp_rcpt_parameters *p = parameters;
	if (!value)
		return false;
	if (str_eq_nocase(*value, STR("NEVER"))) {
		p->notify = SMTP_NOTIFY_NEVER;
		return true;
	}
	if (value->p[value->len - 1] == ',')
		return false;
	for (struct str rest = *value; rest.len > 0;) {
		struct str item = str_cut(&rest, ',');
		size_t i = 0;
		while (i < ARRAY_LEN(names) && !str_eq_nocase(item, names[i].name))
			i++;
		if (i == ARRAY_LEN(names))
			return false;
		p->notify |= names[i].bit;
	}
	return true;
}

/*
 *   original-recipient-address = addr-type ";" xtext
 *
 * With the type "utf-8" the address may hold UTF-8 (RFC 6533 §3).
 */
static bool set_orcpt(void *parameters, const struct str *value)
{
	struct smtp_rcpt_parameters *p = parameters;
	if (!value || value->len > SMTP_ORCPT_MAX)
		return false;
	struct str address = *value;
	struct str type = str_cut(&address, ';');
	if (type.len == value->len || !is_keyword(type) || address.len == 0)
		return false;
	if (!str_eq_nocase(type, STR("utf-8")) && !smtp_xtext_is_valid(address))
		return false;
	p->orcpt_type = type;
	p->orcpt = address;
	return true;
}

enum smtp_parameter_result smtp_mail_parameters_parse(
    struct str s, struct smtp_mail_parameters *ret)
{
	static const struct parameter table[] = {
	    {STR_INIT("SIZE"), set_size},
	    {STR_INIT("BODY"), set_body},
	    {STR_INIT("SMTPUTF8"), set_smtputf8},
	    {STR_INIT("RET"), set_ret},
	    {STR_INIT("ENVID"), set_envid},
	    {STR_INIT("REQUIRETLS"), set_require_tls},
	    {STR_INIT("BY"), set_by},
	    {STR_INIT("HOLDFOR"), set_hold_for},
	    {STR_INIT("HOLDUNTIL"), set_hold_until},
	    {STR_INIT("AUTH"), set_auth},
	};
	struct smtp_mail_parameters parameters = {0};
	enum smtp_parameter_result result = parse(s, table, ARRAY_LEN(table), &parameters);
	if (result == SMTP_PARAMETER_OK)
		*ret = parameters;
	return result;
}

enum smtp_parameter_result smtp_rcpt_parameters_parse(
    struct str s, struct smtp_rcpt_parameters *ret)
{
	static const struct parameter table[] = {
	    {STR_INIT("NOTIFY"), set_notify},
	    {STR_INIT("ORCPT"), set_orcpt},
	};
	struct smtp_rcpt_parameters parameters = {0};
	enum smtp_parameter_result result = parse(s, table, ARRAY_LEN(table), &parameters);
	if (result == SMTP_PARAMETER_OK)
		*ret = parameters;
	return result;
}

/*
 *   xtext   = *( xchar / hexchar )
 *   xchar   = any ASCII CHAR between "!" (33) and "~" (126), except for "+" and "="
 *   hexchar = ASCII "+" immediately followed by two upper case hexadecimal digits
 *
 * A hexchar that hides a control character is refused: what is decoded ends up in header fields.
 */
static bool xtext_next(struct str *rest, char *ret_c)
{
	char c = rest->p[0];
	if (c < 33 || c > 126 || c == '=')
		return false;
	if (c != '+') {
		*ret_c = c;
		*rest = str_from(*rest, 1);
		return true;
	}
	if (rest->len < 3 || ascii_hex(rest->p[1]) < 0 || ascii_hex(rest->p[2]) < 0)
		return false;
	int value = ascii_hex(rest->p[1]) * 16 + ascii_hex(rest->p[2]);
	*ret_c = (char)value;
	*rest = str_from(*rest, 3);
	return value >= 32 && value != 127;
}

bool smtp_xtext_is_valid(struct str s)
{
	char c;
	while (s.len > 0) {
		if (!xtext_next(&s, &c))
			return false;
	}
	return true;
}

bool smtp_xtext_decode(struct str s, struct buf *out)
{
	size_t before = out->len;
	while (s.len > 0) {
		char c;
		if (!xtext_next(&s, &c) || !buf_add_c(out, c)) {
			out->len = before;
			return false;
		}
	}
	return true;
}
