#include "smtp/hello.h"

#include "smtp/parameter.h"
#include "smtp/timestamp.h"

static void add_extensions(const struct smtp_offer *offer, struct buf *out)
{
	if (offer->extensions & SMTP_EXTENSION_REQUIRETLS)
		buf_add(out, STR("250-REQUIRETLS\r\n"));
	if (offer->extensions & SMTP_EXTENSION_DELIVERBY)
		buf_add(out, STR("250-DELIVERBY\r\n"));
	if (offer->extensions & SMTP_EXTENSION_FUTURERELEASE) {
		buf_printf(out, "250-FUTURERELEASE %llu ", (unsigned long long)offer->hold_max);
		smtp_timestamp_format(offer->now + offer->hold_max, out);
		buf_add(out, STR("\r\n"));
	}
	if (offer->extensions & SMTP_EXTENSION_AUTH)
		buf_add(out, STR("250-AUTH PLAIN LOGIN\r\n"));
}

bool smtp_hello_format(const struct smtp_offer *offer, struct buf *out)
{
	buf_printf(out, "250-%.*s\r\n", STR_FMT(offer->hostname));
	buf_add(out, STR("250-PIPELINING\r\n"
	                 "250-8BITMIME\r\n"
	                 "250-SMTPUTF8\r\n"
	                 "250-CHUNKING\r\n"
	                 "250-BINARYMIME\r\n"
	                 "250-DSN\r\n"
	                 "250-ENHANCEDSTATUSCODES\r\n"));
	if (offer->starttls)
		buf_add(out, STR("250-STARTTLS\r\n"));
	add_extensions(offer, out);
	buf_printf(out, "250-SIZE %llu\r\n", (unsigned long long)offer->size_max);
	buf_printf(out, "250-LIMITS RCPTMAX=%u MAILMAX=%u\r\n", offer->rcpt_max, offer->mail_max);
	buf_add(out, STR("250 HELP\r\n"));
	return !buf_failed(out);
}
