/* The text of every statement, in the order of enum db_statement. */
#include "store/db.h"

#define MAILBOX_COLUMNS                                                                            \
	"id, name, object_id, use, uidvalidity, uidnext, highest_modseq, first_recent, "           \
	"n_messages, n_unseen, n_deleted, size, expunged_since"

#define ORDER_KEYS "subject, sender, recipient, copied, sender_shown, recipient_shown"

const char *const db_statements[DB_N_STATEMENTS] = {
    [DB_BEGIN] = "BEGIN IMMEDIATE",
    [DB_BEGIN_READ] = "BEGIN DEFERRED",
    [DB_COMMIT] = "COMMIT",
    [DB_ROLLBACK] = "ROLLBACK",
    [DB_STATE_GET] = "SELECT segment, offset, rebuild_segment, rebuild_offset, next_modseq, "
                     "next_message, next_mailbox, next_uidvalidity, keyword_generation, swept_at, "
                     "witness, skipped, checked_at, check_place FROM state WHERE id = 1",
    [DB_STATE_PUT] =
        "UPDATE state SET segment = ?1, offset = ?2, rebuild_segment = ?3, "
        "rebuild_offset = ?4, next_modseq = ?5, next_message = ?6, next_mailbox = ?7, "
        "next_uidvalidity = ?8, keyword_generation = ?9, swept_at = ?10, "
        "witness = ?11, skipped = ?12, checked_at = ?13, check_place = ?14 WHERE id = 1",
    [DB_KEYWORDS] = "SELECT bit, name FROM keywords ORDER BY bit",
    [DB_KEYWORD_ADD] = "INSERT INTO keywords (bit, name) VALUES (?1, ?2)",
    [DB_MAILBOX_LIST] = "SELECT " MAILBOX_COLUMNS ", EXISTS (SELECT 1 FROM subscriptions s WHERE "
                        "s.name = mailboxes.name) FROM mailboxes ORDER BY name <> 'INBOX', name",
    [DB_MAILBOX_BY_NAME] = "SELECT " MAILBOX_COLUMNS
                           ", EXISTS (SELECT 1 FROM subscriptions s WHERE s.name = mailboxes.name) "
                           "FROM mailboxes WHERE name = ?1",
    [DB_MAILBOX_BY_ID] = "SELECT " MAILBOX_COLUMNS
                         ", EXISTS (SELECT 1 FROM subscriptions s WHERE s.name = mailboxes.name) "
                         "FROM mailboxes WHERE id = ?1",
    [DB_MAILBOX_BY_USE] = "SELECT id FROM mailboxes WHERE use = ?1",
    [DB_MAILBOX_COUNT] = "SELECT count(*) FROM mailboxes",
    [DB_MAILBOX_ADD] = "INSERT INTO mailboxes (id, uidvalidity, use, highest_modseq, name, "
                       "object_id) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    [DB_MAILBOX_PUT] = "UPDATE mailboxes SET uidnext = ?2, highest_modseq = ?3, n_messages = ?4, "
                       "n_unseen = ?5, n_deleted = ?6, size = ?7, expunged_since = ?8, "
                       "first_recent = ?9, uidvalidity = ?10 WHERE id = ?1",
    [DB_MAILBOX_RENAME] = "UPDATE mailboxes SET name = ?2 WHERE id = ?1",
    [DB_MAILBOX_REMOVE] = "DELETE FROM mailboxes WHERE id = ?1",
    [DB_MAILBOX_RECENT] = "UPDATE mailboxes SET first_recent = uidnext WHERE id = ?1",
    [DB_MAILBOX_RECENT_BELOW] =
        "UPDATE mailboxes SET first_recent = ?2 WHERE id = ?1 AND first_recent < ?2",
    [DB_SUBSCRIBE] = "INSERT OR IGNORE INTO subscriptions (name) VALUES (?1)",
    [DB_UNSUBSCRIBE] = "DELETE FROM subscriptions WHERE name = ?1",
    [DB_SUBSCRIPTIONS_COUNT] = "SELECT count(*) FROM subscriptions",
    [DB_SUBSCRIPTIONS_ALONE] = "SELECT name FROM subscriptions WHERE name NOT IN (SELECT name FROM "
                               "mailboxes) ORDER BY name",
    [DB_MESSAGE_ADD] =
        "INSERT INTO messages (id, segment, offset, length, received_ms, has_sent, sent_at, "
        "sent_zone, body, subject, message_id, refs, body_text, bodystructure, reverse_path, "
        "recipient, blob) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, "
        "?15, ?16, ?17)",
    [DB_MESSAGE_BODY] = "SELECT segment, offset, length, body FROM messages WHERE id = ?1",
    [DB_MESSAGE_REMOVE] = "DELETE FROM messages WHERE id = ?1",
    [DB_MESSAGES_LAST] =
        "SELECT m.id, m.segment, m.offset, coalesce((SELECT e.uid FROM entries e WHERE e.message = "
        "m.id AND e.mailbox = ?2), 0) FROM messages m WHERE m.id >= ?1 ORDER BY m.id DESC",
    [DB_LINE_ENDS_PUT] = "UPDATE messages SET line_ends = ?2 WHERE id = ?1",
    [DB_LINE_ENDS] =
        "SELECT n.uid, m.line_ends FROM messages m CROSS JOIN entries n ON n.message = "
        "m.id WHERE m.line_ends <> 0 AND n.mailbox = ?1",
    [DB_ENVELOPE_ADD] = "INSERT INTO envelopes (id, envelope) VALUES (?1, ?2)",
    [DB_ENVELOPE_REMOVE] = "DELETE FROM envelopes WHERE id = ?1",
    [DB_ORDER_ADD] = "INSERT OR IGNORE INTO orders (id, sent_at, is_reply, " ORDER_KEYS
                     ", ids) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    [DB_ORDER_REMOVE] = "DELETE FROM orders WHERE id = ?1",
    [DB_ORDERS_DUE] = "SELECT next, end FROM orders_due",
    [DB_ORDERS_DUE_MOVE] = "UPDATE orders_due SET next = ?1",
    [DB_ORDERS_DUE_NONE] = "DELETE FROM orders_due",
    [DB_ORDERS_UNFILLED] =
        "SELECT m.id, CASE WHEN m.has_sent THEN m.sent_at ELSE coalesce((SELECT n.internal_at FROM "
        "entries n WHERE n.message = m.id LIMIT 1), m.received_ms / 1000) END, v.envelope, "
        "m.subject, m.message_id, m.refs FROM messages m CROSS JOIN envelopes v ON v.id = m.id "
        "WHERE m.id >= ?1 AND m.id < ?2 ORDER BY m.id LIMIT ?3",
    [DB_ORDER_ENTRIES_SCAN] = "SELECT uid, internal_at, size FROM entries WHERE mailbox = ?1 AND "
                              "uid >= ?2 ORDER BY uid",
    [DB_OBJECT_ADD] = "INSERT INTO objects (message, email_id, thread_id) VALUES (?1, ?2, ?3)",
    [DB_OBJECT_GET] = "SELECT email_id, thread_id FROM objects WHERE message = ?1",
    [DB_OBJECT_BY_EMAIL] = "SELECT message FROM objects WHERE email_id = ?1 ORDER BY message",
    [DB_OBJECT_BY_THREAD] = "SELECT message FROM objects WHERE thread_id = ?1 ORDER BY message",
    [DB_THREAD_GET] = "SELECT thread_id FROM thread_keys WHERE key = ?1",
    [DB_THREAD_ADD] = "INSERT OR IGNORE INTO thread_keys (key, thread_id) VALUES (?1, ?2)",
    [DB_THREAD_PUT] = "INSERT OR REPLACE INTO thread_keys (key, thread_id) VALUES (?1, ?2)",
    [DB_THREADS_NEXT] = "SELECT max(key) FROM (SELECT key FROM thread_keys WHERE key > ?1 ORDER BY "
                        "key LIMIT 1000)",
    [DB_THREADS_TRIM] = "DELETE FROM thread_keys WHERE key > ?1 AND key <= ?2 AND NOT EXISTS "
                        "(SELECT 1 FROM objects o WHERE o.thread_id = thread_keys.thread_id)",
    [DB_OBJECT_THREAD] = "UPDATE objects SET thread_id = ?2 WHERE message = ?1",
    [DB_OBJECT_ADD_WHOLE] = "INSERT INTO objects (message, email_id, thread_id, preview) VALUES "
                            "(?1, ?2, ?3, ?4)",
    [DB_PREVIEW_GET] = "SELECT preview FROM objects WHERE message = ?1 AND preview IS NOT NULL",
    [DB_ANNOTATION_PUT] =
        "INSERT OR REPLACE INTO annotations (mailbox, modseq, changed_at, entry, value) VALUES "
        "(?1, ?2, ?3, ?4, ?5)",
    [DB_ANNOTATION_FORGET] = "DELETE FROM annotations WHERE value IS NULL AND changed_at < ?1",
    [DB_ANNOTATION_TRIM] =
        "DELETE FROM annotations WHERE value IS NULL AND modseq <= (SELECT modseq FROM annotations "
        "WHERE value IS NULL ORDER BY modseq DESC LIMIT 1 OFFSET ?1)",
    [DB_ANNOTATION_COUNT] =
        "SELECT count(*) FROM annotations WHERE mailbox = ?1 AND value IS NOT NULL",
    [DB_ANNOTATION_USAGE] = "SELECT coalesce(sum(length(entry) + length(value)), 0) FROM "
                            "annotations WHERE value IS NOT NULL",
    [DB_ANNOTATIONS] = "SELECT entry, value FROM annotations WHERE mailbox = ?1 AND value IS NOT "
                       "NULL AND (entry = ?2 OR (entry >= ?3 AND entry < ?4)) ORDER BY entry",
    [DB_ANNOTATIONS_CHANGED] =
        "SELECT coalesce(b.name, ''), a.entry FROM annotations a LEFT JOIN mailboxes b ON b.id = "
        "a.mailbox WHERE a.modseq > ?1 AND a.modseq <> ?2 ORDER BY a.mailbox, a.entry",
    [DB_DELETED_SIZE] = "SELECT sum(size) FROM entries WHERE mailbox = ?1 AND (flags & 8) <> 0",
    [DB_USAGE] = "SELECT count(*), coalesce(sum(n_messages), 0) FROM mailboxes",
    [DB_ENTRY_ADD] = "INSERT INTO entries (mailbox, uid, message, flags, modseq, saved_at, size, "
                     "internal_at, internal_zone) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    [DB_ENTRY_GET] = "SELECT message, flags, modseq, size, internal_at, internal_zone FROM entries "
                     "WHERE mailbox = ?1 AND uid = ?2",
    [DB_ENTRIES_FLAGS] = "UPDATE OR FAIL entries SET flags = (flags & ?4) | ?5, modseq = ?6 WHERE "
                         "mailbox = ?1 AND uid "
                         "BETWEEN ?2 AND ?3 AND flags <> ((flags & ?4) | ?5)",
    [DB_ENTRY_REMOVE] = "DELETE FROM entries WHERE mailbox = ?1 AND uid = ?2",
    [DB_ENTRY_DELETED] =
        "SELECT uid FROM entries WHERE mailbox = ?1 AND (flags & 8) <> 0 ORDER BY uid",
    [DB_ENTRY_OF_MAILBOX] =
        "SELECT uid FROM entries WHERE mailbox = ?1 AND uid > ?2 ORDER BY uid LIMIT 1000",
    [DB_ENTRY_OF_MESSAGE] = "SELECT 1 FROM entries WHERE message = ?1 LIMIT 1",
    [DB_ENTRIES_OF_MESSAGE] =
        "SELECT count(*) FROM (SELECT 1 FROM entries WHERE message = ?1 LIMIT 2)",
    [DB_ENTRIES] = "SELECT uid, message, flags, modseq FROM entries WHERE mailbox = ?1 AND uid < "
                   "?2 AND uid >= ?3 ORDER BY uid",
    [DB_ENTRIES_CHANGED] = "SELECT uid, message, flags, modseq FROM entries WHERE mailbox = ?1 AND "
                           "uid BETWEEN ?2 AND ?3 AND modseq > ?4",
    [DB_ENTRIES_FROM] =
        "SELECT uid, message, flags, modseq FROM entries WHERE mailbox = ?1 AND uid >= ?2 ORDER BY "
        "uid",
    [DB_ENTRIES_FROM_COUNT] = "SELECT count(*) FROM entries WHERE mailbox = ?1 AND uid >= ?2",
    [DB_ENTRIES_PART] =
        "SELECT count(*), min(uid), max(uid), sum((flags & 1) = 0), sum((flags & 8) <> 0), "
        "sum(size) FROM (SELECT uid, flags, size FROM entries WHERE mailbox = ?1 AND uid < ?2 "
        "ORDER BY uid LIMIT ?3)",
    [DB_ENTRIES_RENUMBER] = "UPDATE entries SET mailbox = ?2, modseq = ?3, uid = uid + ?5 WHERE "
                            "mailbox = ?1 AND uid <= ?4",
    [DB_LIST_GET] =
        "SELECT modseq, uidnext, entries FROM lists WHERE mailbox = ?1 AND uidvalidity = ?2",
    [DB_LIST_BEHIND] =
        "SELECT l.modseq, l.uidnext, (SELECT coalesce(sum(CASE WHEN c.first = 0 THEN ?3 ELSE "
        "c.last "
        "- c.first + 1 END), 0) FROM changes c WHERE c.mailbox = ?1 AND c.modseq > l.modseq) + "
        "(SELECT count(*) FROM expunged x WHERE x.mailbox = ?1 AND x.modseq > l.modseq) FROM lists "
        "l WHERE l.mailbox = ?1 AND l.uidvalidity = ?2",
    [DB_LIST_PUT] = "INSERT OR REPLACE INTO lists (mailbox, uidvalidity, modseq, uidnext, entries) "
                    "VALUES (?1, ?2, ?3, ?4, ?5)",
    [DB_RANKED] =
        "SELECT uidnext FROM ranked WHERE mailbox = ?1 AND sort_key = ?2 AND uidvalidity = ?3",
    [DB_RANKED_PUT] = "INSERT OR REPLACE INTO ranked (mailbox, sort_key, uidvalidity, uidnext) "
                      "VALUES (?1, ?2, ?3, ?4)",
    [DB_RANKS_SCAN] = "SELECT ranks FROM ranks WHERE mailbox = ?1 AND sort_key = ?2 AND first >= "
                      "?3 ORDER BY first",
    [DB_RANKS_ADD] = "INSERT INTO ranks (mailbox, sort_key, first, ranks) VALUES (?1, ?2, ?3, ?4)",
    [DB_RANKS_CLEAR] = "DELETE FROM ranks WHERE mailbox = ?1 AND sort_key = ?2",
    [DB_EXPUNGED_ADD] =
        "INSERT OR REPLACE INTO expunged (mailbox, modseq, uid) VALUES (?1, ?2, ?3)",
    [DB_EXPUNGED_PART] = "INSERT INTO expunged (mailbox, modseq, uid) SELECT mailbox, ?2, uid FROM "
                         "entries WHERE mailbox = ?1 AND uid <= ?3",
    [DB_EXPUNGED_SINCE] = "SELECT uid, modseq FROM expunged WHERE mailbox = ?1 AND modseq > ?2 AND "
                          "uid >= ?3 ORDER BY "
                          "uid",
    [DB_EXPUNGED_FORGET] = "DELETE FROM expunged WHERE mailbox = ?1",
    [DB_EXPUNGED_CUT] = "SELECT modseq FROM expunged WHERE mailbox = ?1 ORDER BY modseq DESC, uid "
                        "DESC LIMIT 1 OFFSET ?2",
    [DB_EXPUNGED_FULL] =
        "SELECT mailbox FROM expunged GROUP BY mailbox HAVING count(*) > ?1 LIMIT 1",
    [DB_EXPUNGED_TRIM] = "DELETE FROM expunged WHERE mailbox = ?1 AND modseq <= ?2",
    [DB_RIGHTS_LIST] =
        "SELECT identifier, rights FROM rights WHERE mailbox = ?1 ORDER BY identifier",
    [DB_RIGHTS_GET] = "SELECT rights FROM rights WHERE mailbox = ?1 AND identifier = ?2",
    [DB_RIGHTS_COUNT] = "SELECT count(*) FROM rights WHERE mailbox = ?1",
    [DB_RIGHTS_COUNT_ALL] = "SELECT count(*) FROM rights",
    [DB_RIGHTS_PUT] =
        "INSERT OR REPLACE INTO rights (mailbox, rights, identifier) VALUES (?1, ?2, ?3)",
    [DB_RIGHTS_FORGET] = "DELETE FROM rights WHERE mailbox = ?1 AND identifier = ?2",
    [DB_RIGHTS_FORGET_ALL] = "DELETE FROM rights WHERE mailbox = ?1",
    [DB_RIGHTS_INHERIT] = "INSERT OR REPLACE INTO rights (mailbox, identifier, rights) SELECT ?2, "
                          "identifier, rights FROM rights WHERE mailbox = ?1",
    [DB_CHANGES_ADD] =
        "INSERT OR REPLACE INTO changes (mailbox, modseq, first, last) VALUES (?1, ?2, ?3, ?4)",
    [DB_CHANGES_SINCE] =
        "SELECT first, last FROM changes WHERE mailbox = ?1 AND modseq > ?2 ORDER BY modseq, first",
    [DB_CHANGES_CUT] = "SELECT modseq FROM changes WHERE mailbox = ?1 ORDER BY modseq DESC, first "
                       "DESC LIMIT 1 OFFSET ?2",
    [DB_CHANGES_FULL] = "SELECT mailbox FROM changes GROUP BY mailbox HAVING count(*) > ?1 LIMIT 1",
    [DB_CHANGES_TRIM] = "DELETE FROM changes WHERE mailbox = ?1 AND modseq <= ?2",
    [DB_DEAD_ADD] = "INSERT OR REPLACE INTO dead (segment, offset, length, blob) SELECT segment, "
                    "offset, length, blob FROM messages WHERE id = ?1",
    [DB_DEAD_LIST] = "SELECT segment, offset, length, blob FROM dead ORDER BY segment, offset "
                     "LIMIT 250",
    [DB_DEAD_REMOVE] = "DELETE FROM dead WHERE segment = ?1 AND offset = ?2",
    [DB_BLOB_KNOWN] = "SELECT 1 FROM messages WHERE blob = ?1",
    [DB_PLACEMENTS] =
        "SELECT m.segment, m.offset, n.mailbox, n.message, n.flags, n.size, n.internal_at, "
        "n.internal_zone FROM messages m CROSS JOIN entries n ON n.message = m.id ORDER BY m.id",
    [DB_ENTRIES_CLEAR] = "DELETE FROM entries",
    [DB_MAILBOXES_CLEAR] = "UPDATE mailboxes SET uidnext = 1, first_recent = 1, n_messages = 0, "
                           "n_unseen = 0, n_deleted = 0, size = 0, uidvalidity = uidvalidity + ?1",
};
