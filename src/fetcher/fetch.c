#include "fetcher/fetch.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/fd.h"
#include "ipc/channel.h"
#include "ipc/messages.h"
#include "mail/mta_sts.h"

static_assert((int)MTA_STS_NONE == (int)STS_NONE && (int)MTA_STS_TESTING == (int)STS_TESTING &&
                  (int)MTA_STS_ENFORCE == (int)STS_ENFORCE,
    "a policy's mode is sent as it is");
static_assert((int)MTA_STS_MX_MAX <= (int)OUTGOING_STS_MX_MAX, "all of a policy's hosts fit");
static_assert((int)MTA_STS_POLICY_LEN_MAX <= (int)WEB_ANSWER_MAX, "a whole policy can be fetched");

/* The policy in an answer of the server; what is wrong with it goes into `answer->why`. */
static enum fetched read_policy(struct web_answer *answer, struct mta_sts_policy *ret_policy)
{
	const char *why = NULL;

	if (answer->status != 200) {
		snprintf(answer->why, sizeof(answer->why),
		    "the web server answered with status %ld", answer->status);
		return FETCHED_FAILED;
	}
	/* RFC 8461 §3.2: so that who may put a picture there cannot put a policy there. */
	if (strcmp(answer->type, "text/plain") != 0) {
		snprintf(answer->why, sizeof(answer->why), "the web server says it is no text");
		return FETCHED_INVALID;
	}
	if (mta_sts_parse(buf_str(answer->content), ret_policy, &why))
		return FETCHED_OK;
	snprintf(answer->why, sizeof(answer->why), "the policy is not valid: %s", why);
	return FETCHED_INVALID;
}

int fetch_policy(
    const struct web *web, bool allow_private, const struct ipc_fetch_policy *question, int channel)
{
	struct buf url CLEANUP(buf_done) = BUF_MAX(DNS_NAME_MAX + 64);
	struct buf content CLEANUP(buf_done) = BUF_MAX(WEB_ANSWER_MAX);
	struct web_answer answer = {.content = &content};
	struct mta_sts_policy policy = {0};
	enum fetched fetched = FETCHED_FAILED;

	/* RFC 8461 §3.3 */
	buf_printf(&url, "https://" MTA_STS_HOST_PREFIX "%.*s/.well-known/mta-sts.txt",
	    STR_FMT(question->domain));
	const struct web_request request = {
	    .url = buf_str(&url), .addresses = question->addresses, .allow_private = allow_private};
	switch (web_ask(web, &request, &answer)) {
	case WEB_OK:
		fetched = read_policy(&answer, &policy);
		break;
	case WEB_CERTIFICATE:
		fetched = FETCHED_WEBPKI;
		break;
	default:
		break;
	}
	const struct ipc_policy message = {
	    .request = question->request,
	    .result = (uint8_t)fetched,
	    .mode = (uint8_t)policy.mode,
	    .max_age = policy.max_age,
	    .mx = {policy.mx, policy.n_mx},
	    .detail = str_of_cstr(answer.why),
	};
	return ipc_send(channel, IPC_POLICY, &message) == 0 ? 0 : 1;
}

/* The content of a sealed memory file; given. */
static int read_report(int fd, char **ret_p, size_t *ret_len)
{
	size_t len;
	int r = fd_check_sealed(fd, &len);

	if (r == 0 && len > FETCH_REPORT_MAX)
		r = -EFBIG;
	if (r < 0)
		return r;
	char *p = malloc(len + 1);
	assert(p != NULL);
	r = fd_pread_all(fd, p, len, 0);
	if (r < 0) {
		free(p);
		return r;
	}
	*ret_p = p;
	*ret_len = len;
	return 0;
}

int fetch_post(
    const struct web *web, bool allow_private, const struct ipc_post_report *question, int channel)
{
	struct buf content CLEANUP(buf_done) = BUF_MAX(WEB_ANSWER_MAX);
	struct web_answer answer = {.content = &content};
	char *report = NULL;
	size_t len = 0;
	bool ok = false;
	int r = read_report(question->report, &report, &len);

	if (r == 0) {
		const struct web_request request = {.url = question->url,
		    .addresses = question->addresses,
		    .allow_private = allow_private,
		    .posts = true,
		    .content = str_of(report, len),
		    .type = "application/tlsrpt+gzip"};
		bool answered = web_ask(web, &request, &answer) == WEB_OK;
		ok = answered && answer.status >= 200 && answer.status < 300;
		if (answered && !ok)
			snprintf(answer.why, sizeof(answer.why),
			    "the web server answered with status %ld", answer.status);
	} else {
		snprintf(answer.why, sizeof(answer.why), "the report: %s", strerror(-r));
	}
	free(report);
	const struct ipc_posted message = {
	    .request = question->request, .ok = ok, .detail = str_of_cstr(answer.why)};
	return ipc_send(channel, IPC_POSTED, &message) == 0 ? 0 : 1;
}
