/*
 * fetcher/web.h: one HTTPS request with libcurl, which this role alone loads.
 *
 * HTTP/1.1 over TLS 1.2 or later to port 443, the server's certificate valid for the host by the
 * authorities of outbound.ca_file. No redirect is followed, no proxy used, no name looked up, no
 * cookie or credential kept. Nothing of the environment counts.
 *
 * Limits: WEB_SECONDS in all, WEB_ANSWER_MAX bytes of answer, WEB_ADDRESSES_MAX addresses.
 */
#ifndef FETCHER_WEB_H
#define FETCHER_WEB_H

#include "base/buf.h"
#include "ipc/message.h"
#include "sandbox/role.h"

enum { WEB_SECONDS = 60, WEB_ANSWER_MAX = 65536, WEB_ADDRESSES_MAX = 16, WEB_WHY_MAX = 300 };

struct web;

/* Loads the library and the certificates, before the sandbox. Without certificates it goes on, and
 * every request fails. Given; lives as long as the process. -errno after an error line. */
MUST_USE int web_new(const struct role_start *start, struct web **ret_web);

struct web_request {
	struct str url; /* https://host[:443]/… */
	struct ipc_strs addresses;
	bool allow_private;
	bool posts; /* POST `content` as `type`; otherwise GET */
	struct str content;
	const char *type; /* of what is sent */
};

enum web_result { WEB_OK, WEB_FAILED, WEB_CERTIFICATE };

struct web_answer {
	long status;           /* of HTTP */
	char type[64];         /* media type, without parameters, in lower case; or "" */
	struct buf *content;   /* the caller's, of at least WEB_ANSWER_MAX */
	char why[WEB_WHY_MAX]; /* unless WEB_OK */
};

/* Makes the request, and waits. WEB_OK says that there was an answer, whatever its status. */
MUST_USE enum web_result web_ask(
    const struct web *web, const struct web_request *request, struct web_answer *ret_answer);

#endif
