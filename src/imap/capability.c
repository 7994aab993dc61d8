#include "imap/capability.h"

enum { ALWAYS = IMAP_STAGE_PLAIN | IMAP_STAGE_TLS | IMAP_STAGE_SIGNED_IN };

static const struct {
	struct str name;
	unsigned stages;
} capabilities[] = {
    {STR_INIT("IMAP4rev1"), ALWAYS},
    {STR_INIT("IMAP4rev2"), ALWAYS},
    {STR_INIT("LITERAL+"), ALWAYS},
    {STR_INIT("SASL-IR"), ALWAYS},
    {STR_INIT("ID"), ALWAYS},
    {STR_INIT("ENABLE"), ALWAYS},
    {STR_INIT("IDLE"), ALWAYS},
    {STR_INIT("STARTTLS"), IMAP_STAGE_PLAIN},
    {STR_INIT("LOGINDISABLED"), IMAP_STAGE_PLAIN},
    {STR_INIT("AUTH=PLAIN"), IMAP_STAGE_TLS},
    {STR_INIT("NAMESPACE"), IMAP_STAGE_SIGNED_IN},
    {STR_INIT("UNSELECT"), IMAP_STAGE_SIGNED_IN},
    {STR_INIT("UIDPLUS"), IMAP_STAGE_SIGNED_IN},
    {STR_INIT("MOVE"), IMAP_STAGE_SIGNED_IN},
    {STR_INIT("CHILDREN"), IMAP_STAGE_SIGNED_IN},
    {STR_INIT("LIST-EXTENDED"), IMAP_STAGE_SIGNED_IN},
    {STR_INIT("LIST-STATUS"), IMAP_STAGE_SIGNED_IN},
    {STR_INIT("SPECIAL-USE"), IMAP_STAGE_SIGNED_IN},
    {STR_INIT("CREATE-SPECIAL-USE"), IMAP_STAGE_SIGNED_IN},
    {STR_INIT("SAVEDATE"), IMAP_STAGE_SIGNED_IN},
    {STR_INIT("OBJECTID"), IMAP_STAGE_SIGNED_IN},
    {STR_INIT("PREVIEW"), IMAP_STAGE_SIGNED_IN},
    {STR_INIT("QUOTA"), IMAP_STAGE_SIGNED_IN},
    {STR_INIT("QUOTA=RES-STORAGE"), IMAP_STAGE_SIGNED_IN},
    {STR_INIT("QUOTA=RES-MESSAGE"), IMAP_STAGE_SIGNED_IN},
    {STR_INIT("QUOTA=RES-MAILBOX"), IMAP_STAGE_SIGNED_IN},
    {STR_INIT("QUOTA=RES-ANNOTATION-STORAGE"), IMAP_STAGE_SIGNED_IN},
    {STR_INIT("METADATA"), IMAP_STAGE_SIGNED_IN},
    {STR_INIT("LIST-METADATA"), IMAP_STAGE_SIGNED_IN},
    {STR_INIT("UTF8=ACCEPT"), IMAP_STAGE_SIGNED_IN},
    {STR_INIT("STATUS=SIZE"), IMAP_STAGE_SIGNED_IN},
    {STR_INIT("ESEARCH"), IMAP_STAGE_SIGNED_IN},
    {STR_INIT("SEARCHRES"), IMAP_STAGE_SIGNED_IN},
    {STR_INIT("SORT"), IMAP_STAGE_SIGNED_IN},
    {STR_INIT("SORT=DISPLAY"), IMAP_STAGE_SIGNED_IN},
    {STR_INIT("ESORT"), IMAP_STAGE_SIGNED_IN},
    {STR_INIT("BINARY"), IMAP_STAGE_SIGNED_IN},
    {STR_INIT("MULTIAPPEND"), IMAP_STAGE_SIGNED_IN},
    {STR_INIT("CONDSTORE"), IMAP_STAGE_SIGNED_IN},
    {STR_INIT("QRESYNC"), IMAP_STAGE_SIGNED_IN},
    {STR_INIT("ACL"), IMAP_STAGE_SIGNED_IN},
    {STR_INIT("RIGHTS=texk"), IMAP_STAGE_SIGNED_IN},
    {STR_INIT("LIST-MYRIGHTS"), IMAP_STAGE_SIGNED_IN},
};

void imap_capability_write(enum imap_stage stage, uint64_t append_limit, struct buf *out)
{
	for (size_t i = 0; i < ARRAY_LEN(capabilities); i++) {
		if ((capabilities[i].stages & stage) == 0)
			continue;
		buf_add(out, capabilities[i].name);
		buf_add_c(out, ' ');
	}
	buf_add(out, STR("APPENDLIMIT="));
	buf_add_u64(out, append_limit);
}

void imap_capability_code_write(enum imap_stage stage, uint64_t append_limit, struct buf *out)
{
	buf_add(out, STR("[CAPABILITY "));
	imap_capability_write(stage, append_limit, out);
	buf_add_c(out, ']');
}
