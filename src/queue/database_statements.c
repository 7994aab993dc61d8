#include "queue/database_private.h"

#define MESSAGE_COLUMNS                                                                            \
	"account,origin,connection,peer,user,reverse_path,envelope_id,ret,body,smtputf8,"          \
	"require_tls,tls_optional,by_mode,by_trace,deliver_by,received_at,hold_until,expires_at,"  \
	"look_at,told,size"
#define RECIPIENT_COLUMNS                                                                          \
	"r.id,r.message,r.destination,r.address,r.original,r.via,r.hops,r.notify,r.state,"         \
	"r.attempts,r.tried_at,r.next_at,r.code,r.status,r.mta,r.text,d.name,r.sender,r.crashes"
/* A name with a space: only those of relays have one, behind the first word (config/config.h). */
#define IS_RELAY "((name>='relay ' AND name<'relay!') OR (name>='outbound ' AND name<'outbound!'))"

const char *const queue_db_texts[N_STATEMENTS] = {
    [BEGIN] = "BEGIN IMMEDIATE",
    [COMMIT] = "COMMIT",
    [ROLLBACK] = "ROLLBACK",
    [SETTING_GET] = "SELECT value FROM setting WHERE name=?1",
    [SETTING_SET] = "INSERT OR REPLACE INTO setting(name,value) VALUES(?1,?2)",
    [MESSAGE_ADD] = "INSERT INTO message(id," MESSAGE_COLUMNS ",file) VALUES"
                    "(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17,?18,?19,?20,?21,"
                    "?22,?23)",
    [MESSAGE_GET] = "SELECT " MESSAGE_COLUMNS ",file FROM message WHERE id=?1",
    [MESSAGE_LAST] =
        "SELECT max(coalesce((SELECT seq FROM sqlite_sequence WHERE name='message'),0),"
        " coalesce((SELECT max(id) FROM message),0),"
        " coalesce((SELECT max(id) FROM fresh),0))",
    [MESSAGE_LOOK] = "UPDATE message SET look_at=?2,told=?3,hold_until=?4,expires_at=?5"
                     " WHERE id=?1",
    [MESSAGE_REMOVE] = "DELETE FROM message WHERE id=?1",
    [MESSAGES_TO_LOOK_AT] = "SELECT id FROM message WHERE look_at<=?1 ORDER BY look_at LIMIT ?2",
    [MESSAGES_AFTER] = "SELECT id FROM message WHERE id>?1 ORDER BY id LIMIT ?2",
    [MESSAGES_OF_DOMAIN] =
        "SELECT DISTINCT message FROM recipient INDEXED BY recipient_open_message"
        " WHERE destination=(SELECT id FROM destination WHERE name=?3) AND state<3"
        " AND message>?1 ORDER BY message LIMIT ?2",
    /* The same where relays stand between: their recipients are found by their addresses. */
    [MESSAGES_OF_RELAYED_DOMAIN] =
        "SELECT DISTINCT message FROM recipient INDEXED BY recipient_of_message"
        " WHERE message>?1 AND message<=?4 AND state<3 AND"
        " (destination=(SELECT id FROM destination WHERE name=?3)"
        "  OR (lower(substr(address,-length(?3)-1))='@'||?3"
        "   AND destination IN (SELECT id FROM destination WHERE " IS_RELAY ")))"
        " ORDER BY message LIMIT ?2",
    [MESSAGES_OF_ACCOUNT] =
        "SELECT id FROM message WHERE id>?1 AND account=?3 ORDER BY id LIMIT ?2",
    [MESSAGES_OF_USER] = "SELECT id FROM message WHERE id>?1 AND id<=?4"
                         " AND (user=?3 OR reverse_path=?3) ORDER BY id LIMIT ?2",
    [MESSAGES_COUNT] = "SELECT count(*) FROM message WHERE account=?1",
    [CONTENT_ADD] = "INSERT INTO content(message,bytes) VALUES(?1,?2)",
    [CONTENT_GET] = "SELECT bytes FROM content WHERE message=?1",
    [FILE_ADD] = "INSERT INTO file(id,message) VALUES(?1,?2)",
    [FILE_FIND] = "SELECT message FROM file WHERE id=?1",
    [RECIPIENT_ADD] = "INSERT INTO recipient(message,destination,address,original,via,hops,notify,"
                      "state,attempts,tried_at,next_at,code,status,mta,text,sender)"
                      " VALUES(?1,?2,?3,?4,?5,?6,?7,?8,0,0,?9,0,'','','',?10)",
    [RECIPIENT_SET] = "UPDATE recipient SET state=?2,attempts=?3,tried_at=?4,next_at=?5,code=?6,"
                      "status=?7,mta=?8,text=?9,crashes=?10 WHERE id=?1",
    [RECIPIENT_MOVE] = "UPDATE recipient SET destination=?2,state=0 WHERE id=?1 AND state<3",
    [RECIPIENTS_OF] = "SELECT " RECIPIENT_COLUMNS
                      " FROM recipient r LEFT JOIN destination d ON d.id=r.destination"
                      " WHERE r.message=?1 AND r.id>?2 ORDER BY r.id LIMIT ?3",
    [RECIPIENTS_WAKE] = "UPDATE recipient SET state=0"
                        " WHERE destination=?1 AND state=1 AND state<3",
    [RECIPIENT_FIND] = "SELECT 1 FROM recipient WHERE message=?1 AND address=?2 LIMIT 1",
    [RECIPIENTS_OPEN] = "SELECT 1 FROM recipient WHERE message=?1 AND state<3 LIMIT 1",
    [RECIPIENT_DUE] =
        "SELECT message,sender FROM recipient WHERE destination=?1 AND state=0 AND state<3"
        " AND next_at<=?2 ORDER BY next_at LIMIT 1",
    [RECIPIENTS_DUE] = "SELECT " RECIPIENT_COLUMNS
                       " FROM recipient r LEFT JOIN destination d ON d.id=r.destination"
                       " WHERE r.message=?1 AND r.destination=?2 AND r.state=0 AND r.next_at<=?3"
                       " AND r.sender=?5"
                       " ORDER BY r.id LIMIT ?4",
    [DESTINATION_ADD] = "INSERT INTO destination(name,due_at,blocked_until,failures,reason)"
                        " VALUES(?1,NULL,0,0,'')",
    [DESTINATION_FIND] = "SELECT id FROM destination WHERE name=?1",
    [DESTINATION_GET] =
        "SELECT id,name,blocked_until,failures,reason,due_at FROM destination WHERE id=?1",
    [DESTINATION_SET] = "UPDATE destination SET blocked_until=?2,failures=?3,reason=?4 WHERE id=?1",
    [DESTINATION_RELAYED] = "SELECT 1 FROM destination WHERE " IS_RELAY " LIMIT 1",
    [DESTINATION_DUE] = "SELECT max((SELECT min(next_at) FROM recipient"
                        " WHERE destination=?1 AND state=0 AND state<3),blocked_until),due_at"
                        " FROM destination WHERE id=?1",
    [DESTINATION_SET_DUE] = "UPDATE destination SET due_at=?2 WHERE id=?1",
    [DESTINATION_FORGET] = "DELETE FROM destination WHERE id>?1 AND id<=?2 AND due_at IS NULL"
                           " AND blocked_until<?3"
                           " AND NOT EXISTS(SELECT 1 FROM recipient"
                           " WHERE recipient.destination=destination.id AND state<3)"
                           " AND name NOT IN (SELECT destination FROM fresh)",
    [DESTINATION_LAST] = "SELECT max(id) FROM destination",
    [DESTINATIONS_DUE] = "SELECT id,name,blocked_until,failures,reason,due_at FROM destination"
                         " WHERE due_at IS NOT NULL AND due_at<=?1 ORDER BY due_at",
    [DESTINATIONS_ACTIVE] = "SELECT DISTINCT destination FROM recipient WHERE state=1"
                            " LIMIT ?1",
    [DESTINATION_NEXT] = "SELECT min(due_at) FROM destination WHERE due_at IS NOT NULL",
    [FRESH_ADD] = "INSERT INTO fresh(id," MESSAGE_COLUMNS ",destination,recipients,bytes) VALUES"
                  "(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17,?18,?19,?20,?21,"
                  "?22,?23,?24,?25)",
    [FRESH_GET] = "SELECT destination,recipients,received_at,account FROM fresh WHERE id=?1",
    [FRESH_TO_MESSAGE] = "INSERT INTO message(id," MESSAGE_COLUMNS ") SELECT id," MESSAGE_COLUMNS
                         " FROM fresh WHERE id=?1",
    [FRESH_TO_CONTENT] =
        "INSERT INTO content(message,bytes) SELECT id,bytes FROM fresh WHERE id=?1",
    [FRESH_END] = "DELETE FROM fresh WHERE id=?1",
    [FRESH_FIRST] = "SELECT min(id) FROM fresh",
    [FRESH_COUNT] = "SELECT count(*) FROM fresh WHERE account=?1",
    [RATE_GET] = "SELECT coalesce(sum(CASE WHEN hour=?2 THEN messages END),0),"
                 " coalesce(sum(CASE WHEN hour=?2 THEN recipients END),0),"
                 " coalesce(sum(CASE WHEN hour<>?2 THEN recipients END),0)"
                 " FROM rate WHERE account=?1 AND hour>?2-24 AND hour<=?2",
    [RATE_SET] = "INSERT OR REPLACE INTO rate(account,hour,messages,recipients)"
                 " VALUES(?1,?2,?3,?4)",
    /* What is of the future was written before the clock was set back. */
    [RATE_FORGET] = "DELETE FROM rate WHERE hour<=?1-24 OR hour>?1+1",
    [POLICY_GET] = "SELECT txt,mode,mx,fetched_at,expires_at FROM policy WHERE domain=?1",
    [POLICY_SET] = "INSERT OR REPLACE INTO policy(domain,txt,mode,mx,fetched_at,expires_at)"
                   " VALUES(?1,?2,?3,?4,?5,?6)",
    [TLS_ADD] = "INSERT INTO tls_result(day,domain,policy,policy_strings,mx,result,receiving,"
                "sending,detail,sessions) VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,1)"
                " ON CONFLICT DO UPDATE SET sessions=sessions+1",
    [TLS_AGAIN] = "UPDATE tls_result SET sessions=sessions+1 WHERE day=?1 AND domain=?2 AND"
                  " policy=?3 AND policy_strings=?4 AND mx=?5 AND result=?6 AND receiving=?7 AND"
                  " sending=?8 AND detail=?9",
    [TLS_COUNT] = "SELECT count(*) FROM (SELECT 1 FROM tls_result WHERE day=?1 AND domain=?3"
                  " LIMIT ?2)",
    [TLS_COUNT_DAY] = "SELECT count(*) FROM (SELECT 1 FROM tls_result WHERE day=?1 LIMIT ?2)",
    [TLS_NEXT] = "SELECT day,domain FROM tls_result WHERE day<?1 AND (day,domain)>(?2,?3)"
                 " ORDER BY day,domain LIMIT 1",
    [TLS_OF] = "SELECT policy,policy_strings,mx,result,receiving,sending,detail,sessions"
               " FROM tls_result WHERE day=?1 AND domain=?2"
               " ORDER BY policy,policy_strings,mx,result LIMIT ?3",
    [TLS_FORGET] = "DELETE FROM tls_result WHERE day=?1 AND domain=?2",
};
