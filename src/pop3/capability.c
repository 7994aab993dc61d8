#include "pop3/capability.h"

#include "base/attr.h"

enum {
	PLAIN = POP3_STAGE_PLAIN,
	UNDER_TLS = POP3_STAGE_TLS | POP3_STAGE_SIGNED_IN,
	ANY = PLAIN | UNDER_TLS,
};

/*
 * What can be used before sign-in is told in both states, and the other way round where its RFC
 * says so (RFC 2449 §6). USER and SASL are there once no password can be overheard. LOGIN-DELAY is
 * not told: there is none.
 */
static const struct {
	struct str text;
	unsigned stages;
} capabilities[] = {
    {STR_INIT("TOP"), ANY},
    {STR_INIT("UIDL"), ANY},
    {STR_INIT("STLS"), PLAIN},                 /* RFC 2595 §4 */
    {STR_INIT("USER"), UNDER_TLS},             /* RFC 2449 §6.2 */
    {STR_INIT("SASL PLAIN LOGIN"), UNDER_TLS}, /* RFC 5034 §3 */
    {STR_INIT("RESP-CODES"), ANY},             /* RFC 2449 §6.4 */
    {STR_INIT("AUTH-RESP-CODE"), ANY},         /* RFC 3206 §6 */
    {STR_INIT("PIPELINING"), ANY},             /* RFC 2449 §6.6 */
    {STR_INIT("EXPIRE NEVER"), ANY},           /* RFC 2449 §6.7 */
    {STR_INIT("IMPLEMENTATION Gatepost"), ANY},
};

void pop3_capability_write(enum pop3_stage stage, struct buf *out)
{
	buf_add(out, STR("+OK This is what there is\r\n"));
	for (size_t i = 0; i < ARRAY_LEN(capabilities); i++)
		if ((capabilities[i].stages & stage) != 0) {
			buf_add(out, capabilities[i].text);
			buf_add(out, STR("\r\n"));
		}
	buf_add(out, STR(".\r\n"));
}
