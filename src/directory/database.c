#include "directory/database.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "base/clock.h"
#include "base/fd.h"
#include "directory/database_private.h"
#include "seal/key_file.h"
#include "seal/keys.h"
#include "seal/sealed_schema.h"
#include "seal/vfs.h"

static const char version_1[] =
    "CREATE TABLE setting(name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID, STRICT;"
    "CREATE TABLE domain(name TEXT PRIMARY KEY, created_at INTEGER NOT NULL) WITHOUT ROWID, STRICT;"
    "CREATE TABLE account("
    " id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " domain TEXT NOT NULL REFERENCES domain(name),"
    " local TEXT NOT NULL,"
    " state INTEGER NOT NULL,"
    " quota_bytes INTEGER NOT NULL,"
    " created_at INTEGER NOT NULL,"
    " UNIQUE(domain, local)) STRICT;"
    "CREATE TABLE slot("
    " account INTEGER NOT NULL REFERENCES account(id) ON DELETE CASCADE,"
    " kind INTEGER NOT NULL,"
    " sealed BLOB NOT NULL,"
    " created_at INTEGER NOT NULL,"
    " PRIMARY KEY(account, kind)) WITHOUT ROWID, STRICT;"
    "CREATE TABLE alias("
    " id INTEGER PRIMARY KEY,"
    " domain TEXT NOT NULL REFERENCES domain(name),"
    " local TEXT NOT NULL,"
    " created_at INTEGER NOT NULL,"
    " UNIQUE(domain, local)) STRICT;"
    "CREATE TABLE alias_target("
    " alias INTEGER NOT NULL REFERENCES alias(id) ON DELETE CASCADE,"
    " place INTEGER NOT NULL,"
    " domain TEXT NOT NULL,"
    " local TEXT NOT NULL,"
    " PRIMARY KEY(alias, place)) WITHOUT ROWID, STRICT;"
    "CREATE INDEX alias_target_of ON alias_target(domain, local);"
    "PRAGMA user_version=1;";

/*
 * What each version added to the one before it. A database of an older version is brought up to
 * date when it is opened, a step at a time; a new one goes the same way.
 */
static const char *const steps[] = {
    version_1,
    /* 2: keys of DKIM */
    "CREATE TABLE dkim_key("
    " domain TEXT NOT NULL REFERENCES domain(name) ON DELETE CASCADE,"
    " selector TEXT NOT NULL,"
    " algorithm INTEGER NOT NULL,"
    " state INTEGER NOT NULL,"
    " public BLOB NOT NULL,"
    " sealed BLOB NOT NULL,"
    " created_at INTEGER NOT NULL,"
    " PRIMARY KEY(domain, selector)) WITHOUT ROWID, STRICT;"
    "PRAGMA user_version=2;",
    /* 3: who may send as, or on behalf of, an address that is not theirs */
    "CREATE TABLE send_grant("
    " domain TEXT NOT NULL,"
    " local TEXT NOT NULL,"
    " account INTEGER NOT NULL REFERENCES account(id) ON DELETE CASCADE,"
    " rights INTEGER NOT NULL,"
    " created_at INTEGER NOT NULL,"
    " PRIMARY KEY(domain, local, account)) WITHOUT ROWID, STRICT;"
    "CREATE INDEX send_grant_to ON send_grant(account, domain, local);"
    "PRAGMA user_version=3;",
};

static const char *const texts[N_STATEMENTS] = {
    [BEGIN] = "BEGIN IMMEDIATE",
    [COMMIT] = "COMMIT",
    [ROLLBACK] = "ROLLBACK",
    [SETTING_GET] = "SELECT value FROM setting WHERE name=?1",
    [SETTING_PUT] = "INSERT OR REPLACE INTO setting(name,value) VALUES(?1,?2)",
    [DOMAIN_ADD] = "INSERT INTO domain(name,created_at) VALUES(?1,?2)",
    [DOMAIN_REMOVE] = "DELETE FROM domain WHERE name=?1",
    [DOMAIN_FIND] = "SELECT 1 FROM domain WHERE name=?1",
    [DOMAIN_LIST] = "SELECT name, created_at,"
                    " (SELECT count(*) FROM account WHERE domain=d.name AND state=1),"
                    " (SELECT count(*) FROM alias WHERE domain=d.name)"
                    " FROM domain d WHERE name>?1 ORDER BY name LIMIT ?2",
    [DOMAIN_IN_USE] = "SELECT EXISTS(SELECT 1 FROM account WHERE domain=?1)"
                      " OR EXISTS(SELECT 1 FROM alias WHERE domain=?1)",
    [NAME_IN_USE] = "SELECT EXISTS(SELECT 1 FROM account WHERE local=?1 AND domain=?2)"
                    " OR EXISTS(SELECT 1 FROM alias WHERE local=?1 AND domain=?2)",
    [ACCOUNT_FIND] = "SELECT id,quota_bytes,created_at FROM account"
                     " WHERE local=?1 AND domain=?2 AND state=1",
    [ACCOUNT_FIRST] = "SELECT min(id) FROM account"
                      " WHERE (domain=?1 OR ?1='') AND state=1",
    [ACCOUNT_ADD] = "INSERT INTO account(local,domain,state,quota_bytes,created_at)"
                    " VALUES(?1,?2,0,?3,?4)",
    [ACCOUNT_STATE] = "UPDATE account SET state=?2 WHERE id=?1",
    [ACCOUNT_NAME] = "SELECT local,domain,state FROM account WHERE id=?1",
    [ACCOUNT_ERASE] = "DELETE FROM account WHERE id=?1 AND state<>1",
    [ACCOUNT_UNFINISHED] = "SELECT min(id) FROM account WHERE state<>1 AND id>?1",
    [ACCOUNT_LIST] = "SELECT local,domain,id,quota_bytes,created_at FROM account"
                     " WHERE state=1 AND (domain,local)>(?2,?1) ORDER BY domain,local LIMIT ?3",
    [SLOT_GET] = "SELECT sealed FROM slot WHERE account=?1 AND kind=?2",
    [SLOT_PUT] = "INSERT OR REPLACE INTO slot(account,kind,sealed,created_at) VALUES(?1,?2,?3,?4)",
    [SLOTS_FORGET] = "DELETE FROM slot WHERE account=?1",
    [ALIAS_FIND] = "SELECT id FROM alias WHERE local=?1 AND domain=?2",
    [ALIAS_ADD] = "INSERT INTO alias(local,domain,created_at) VALUES(?1,?2,?3)",
    [ALIAS_REMOVE] = "DELETE FROM alias WHERE local=?1 AND domain=?2",
    [ALIAS_TARGET_ADD] = "INSERT INTO alias_target(local,domain,alias,place) VALUES(?1,?2,?3,?4)",
    [ALIAS_TARGETS] = "SELECT local,domain FROM alias_target WHERE alias="
                      "(SELECT id FROM alias WHERE local=?1 AND domain=?2) ORDER BY place",
    [ALIAS_OF] = "SELECT a.local,a.domain FROM alias_target t JOIN alias a ON a.id=t.alias"
                 " WHERE t.local=?1 AND t.domain=?2 AND (a.local<>?1 OR a.domain<>?2)"
                 " ORDER BY a.domain,a.local LIMIT 1",
    [GRANT_GET] = "SELECT rights FROM send_grant WHERE local=?1 AND domain=?2 AND account=?3",
    [GRANT_PUT] = "INSERT OR REPLACE INTO send_grant(local,domain,account,rights,created_at)"
                  " VALUES(?1,?2,?3,?4,?5)",
    [GRANT_REMOVE] = "DELETE FROM send_grant WHERE local=?1 AND domain=?2 AND account=?3",
    [GRANTS_FORGET] = "DELETE FROM send_grant WHERE local=?1 AND domain=?2",
    [GRANTS_FORGET_OF] = "DELETE FROM send_grant WHERE account=?1",
    [GRANTS_COUNT] = "SELECT count(*) FROM send_grant WHERE account=?1",
    [GRANTS_TO] = "SELECT local,domain,rights FROM send_grant WHERE account=?1"
                  " ORDER BY domain,local LIMIT ?2",
    [ALIAS_LIST] = "SELECT local,domain FROM alias WHERE (domain,local)>(?2,?1)"
                   " ORDER BY domain,local LIMIT ?3",
    [DKIM_ADD] = "INSERT INTO dkim_key(domain,selector,algorithm,state,public,sealed,created_at)"
                 " VALUES(?1,?2,?3,?4,?5,?6,?7)",
    [DKIM_OF] = "SELECT domain,selector,algorithm,state,public,sealed,created_at FROM dkim_key"
                " WHERE domain=?1 ORDER BY state,selector",
    [DKIM_AFTER] = "SELECT domain,selector,algorithm,state,public,sealed,created_at FROM dkim_key"
                   " WHERE (domain,selector)>(?1,?2) ORDER BY domain,selector LIMIT ?3",
    [DKIM_COUNT] = "SELECT count(*) FROM dkim_key WHERE domain=?1",
    [DKIM_COUNT_NEW] = "SELECT count(*) FROM dkim_key WHERE domain=?1 AND state=0",
    [DKIM_COUNT_OLD] = "SELECT count(*) FROM dkim_key WHERE domain=?1 AND state=2",
    [DKIM_MISSING] = "SELECT name FROM domain d WHERE NOT EXISTS(SELECT 1 FROM dkim_key"
                     " WHERE domain=d.name AND algorithm=?1 AND state<>2) LIMIT 1",
    [DKIM_AGE] = "UPDATE dkim_key AS k SET state=2 WHERE domain=?1 AND state=1 AND EXISTS("
                 "SELECT 1 FROM dkim_key WHERE domain=?1 AND state=0 AND algorithm=k.algorithm)",
    [DKIM_PROMOTE] = "UPDATE dkim_key SET state=1 WHERE domain=?1 AND state=0",
    [DKIM_RETIRE] = "DELETE FROM dkim_key WHERE domain=?1 AND state=2",
};

/* --- statements --- */

sqlite3_stmt *database_begin(struct database *db, enum statement which)
{
	return db->statements[which];
}

void database_end(sqlite3_stmt **statement)
{
	sqlite3_reset(*statement);
	sqlite3_clear_bindings(*statement);
}

void database_bind(sqlite3_stmt *s, int place, struct str text)
{
	sqlite3_bind_text(s, place, text.p ? text.p : "", (int)text.len, SQLITE_STATIC);
}

void database_bind_name(sqlite3_stmt *s, int place, const struct name *name)
{
	database_bind(s, place, name->local);
	database_bind(s, place + 1, name->domain);
}

void database_bind_u64(sqlite3_stmt *s, int place, uint64_t value)
{
	sqlite3_bind_int64(s, place, (sqlite3_int64)value);
}

bool database_text(sqlite3_stmt *s, int column, struct arena *a, struct str *ret_text)
{
	const char *text = (const char *)sqlite3_column_text(s, column);
	return arena_dup(a, str_of(text, (size_t)sqlite3_column_bytes(s, column)), ret_text);
}

int database_step(sqlite3_stmt *s)
{
	int code = sqlite3_step(s);
	return code == SQLITE_ROW ? 1 : sealed_db_result(code);
}

int database_run(sqlite3_stmt *s)
{
	int result = database_step(s);
	database_end(&s);
	return result > 0 ? 0 : result;
}

int database_transaction(struct database *db)
{
	return database_run(database_begin(db, BEGIN));
}

int database_finish(struct database *db, int error)
{
	if (!error)
		error = database_run(database_begin(db, COMMIT));
	/* a failed COMMIT leaves the transaction open; a failed statement may have ended it */
	if (error && !sqlite3_get_autocommit(db->handle)) {
		int rolled_back = database_run(database_begin(db, ROLLBACK));
		if (rolled_back)
			return rolled_back;
	}
	return error;
}

/* --- opening --- */

int database_make_key(void)
{
	return key_file_make(AT_FDCWD, DATABASE_KEY);
}

/* One without its checksum is of the first version. */
static int read_server_key(struct secret **ret_server)
{
	return key_file_read(AT_FDCWD, DATABASE_KEY, true, ret_server);
}

int database_check_key(void)
{
	struct secret *server CLEANUP(secret_free) = NULL;
	return read_server_key(&server);
}

static int read_keys(struct secret **ret_key, struct secret **ret_srs)
{
	struct secret *server CLEANUP(secret_free) = NULL;
	int error = read_server_key(&server);
	if (error)
		return error;
	*ret_key = secret_derive(server, KEYS_LABEL_DIRECTORY_DB, STR(""));
	*ret_srs = secret_derive(server, KEYS_LABEL_SRS, STR(""));
	return 0;
}

int database_open(bool create, struct database **ret_database)
{
	struct secret *key CLEANUP(secret_free) = NULL;
	struct secret *srs CLEANUP(secret_free) = NULL;
	int error = read_keys(&key, &srs);
	if (error)
		return error;
	struct database *db = calloc(1, sizeof(*db));
	if (!db)
		return -ENOMEM;
	db->srs = srs;
	srs = NULL;
	seal_vfs_init();
	error = sealed_db_open(DATABASE_FILE, key, create ? SEALED_DB_CREATE : 0, &db->handle);
	if (!error)
		error = sealed_db_upgrade(db->handle, steps, ARRAY_LEN(steps));
	if (!error)
		error = sealed_db_prepare(db->handle, texts, N_STATEMENTS, db->statements);
	if (error) {
		database_close(db);
		return error;
	}
	*ret_database = db;
	return 0;
}

int database_check(struct database *db, uint32_t first, uint32_t n, uint32_t *ret_n_pages)
{
	int log = first == 1 ? sealed_db_check_log(db->handle) : 0;
	if (log && log != -EBADMSG)
		return log;
	int pages = sealed_db_check_pages(db->handle, first, n, ret_n_pages);
	return pages ? pages : log;
}

void database_close(struct database *db)
{
	if (!db)
		return;
	for (size_t i = 0; i < N_STATEMENTS; i++)
		sqlite3_finalize(db->statements[i]);
	sqlite3_close_v2(db->handle);
	secret_free(&db->srs);
	free(db);
}

const uint8_t *database_srs_key(const struct database *db)
{
	return db->srs->bytes;
}

/* --- settings and domains --- */

static const struct str setting_recovery = STR_INIT("recovery public key");

int database_set_recovery(
    struct database *db, const uint8_t recovery_public[static CIPHER_PUBLIC_LEN])
{
	sqlite3_stmt *s = database_begin(db, SETTING_PUT);
	database_bind(s, 1, setting_recovery);
	sqlite3_bind_blob(s, 2, recovery_public, CIPHER_PUBLIC_LEN, SQLITE_STATIC);
	return database_run(s);
}

int database_recovery(struct database *db, uint8_t ret_recovery_public[static CIPHER_PUBLIC_LEN])
{
	sqlite3_stmt *s CLEANUP(database_end) = database_begin(db, SETTING_GET);
	database_bind(s, 1, setting_recovery);
	int result = database_step(s);
	if (result <= 0)
		return result < 0 ? result : -ENOENT;
	if (sqlite3_column_bytes(s, 0) != CIPHER_PUBLIC_LEN)
		return -EBADMSG;
	memcpy(ret_recovery_public, sqlite3_column_blob(s, 0), CIPHER_PUBLIC_LEN);
	return 0;
}

int database_domain_add(struct database *db, struct str name)
{
	sqlite3_stmt *s = database_begin(db, DOMAIN_ADD);
	database_bind(s, 1, name);
	database_bind_u64(s, 2, clock_wall());
	return database_run(s);
}

int database_domain_find(struct database *db, struct str name)
{
	sqlite3_stmt *s CLEANUP(database_end) = database_begin(db, DOMAIN_FIND);
	database_bind(s, 1, name);
	int result = database_step(s);
	return result == 0 ? -ENOENT : result < 0 ? result : 0;
}

static int domain_in_use(struct database *db, struct str name)
{
	sqlite3_stmt *s CLEANUP(database_end) = database_begin(db, DOMAIN_IN_USE);
	database_bind(s, 1, name);
	int result = database_step(s);
	return result < 0 ? result : sqlite3_column_int(s, 0);
}

static int domain_remove(struct database *db, struct str name)
{
	int error = database_domain_find(db, name);
	if (error)
		return error;
	int in_use = domain_in_use(db, name);
	if (in_use)
		return in_use < 0 ? in_use : -EBUSY;
	sqlite3_stmt *s = database_begin(db, DOMAIN_REMOVE);
	database_bind(s, 1, name);
	return database_run(s);
}

int database_domain_remove(struct database *db, struct str name)
{
	int error = database_transaction(db);
	return error ? error : database_finish(db, domain_remove(db, name));
}

int database_domain_only(struct database *db, struct arena *a, struct str *ret_name)
{
	struct domain_row *rows;
	size_t n;
	int error = database_domains(db, STR(""), 2, a, &rows, &n);
	if (error)
		return error;
	if (n != 1)
		return -ENOENT;
	*ret_name = rows[0].name;
	return 0;
}

int database_domains(struct database *db, struct str after, size_t max, struct arena *a,
    struct domain_row **ret_rows, size_t *ret_n)
{
	struct domain_row *rows = ARENA_NEW_ARRAY(a, struct domain_row, max);
	if (!rows)
		return -ENOMEM;
	sqlite3_stmt *s CLEANUP(database_end) = database_begin(db, DOMAIN_LIST);
	database_bind(s, 1, after);
	database_bind_u64(s, 2, max);
	size_t n = 0;
	int result;
	while ((result = database_step(s)) > 0) {
		if (!database_text(s, 0, a, &rows[n].name))
			return -ENOMEM;
		rows[n].created_at = (uint64_t)sqlite3_column_int64(s, 1);
		rows[n].n_accounts = (uint64_t)sqlite3_column_int64(s, 2);
		rows[n].n_aliases = (uint64_t)sqlite3_column_int64(s, 3);
		n++;
	}
	if (result < 0)
		return result;
	*ret_rows = rows;
	*ret_n = n;
	return 0;
}
