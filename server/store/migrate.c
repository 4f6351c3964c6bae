#include "store/migrate.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"

static const struct {
    int number;
    const char *name;
    const char *text;
} migrations[] = {
#include "migrations.inc"
};

#define MIGRATIONS (sizeof migrations / sizeof migrations[0])
/* Another migration is waited for, for a minute. What a migration itself locks, the server that
 * runs meanwhile waits for, too: so it gives up soon. */
#define LOCK "set lock_timeout = '60s'; select pg_advisory_lock(7309452)"
#define PATIENCE "set lock_timeout = '10s'"
#define TABLE                                                                    \
    "create table if not exists schema_migrations (number integer primary key, " \
    "name text not null, sha256 text not null, applied_at timestamptz not null default now())"

static bool fail(struct migrate_result *result, const char *where, const char *what)
{
    snprintf(result->error, sizeof result->error, "%s%s%s", where, where[0] == '\0' ? "" : ": ",
             what);
    for (size_t length = strlen(result->error); length > 0; length--) {
        if (result->error[length - 1] != '\n')
            break;
        result->error[length - 1] = '\0';
    }
    return false;
}

static bool run(PGconn *conn, const char *sql, const char *where, struct migrate_result *result)
{
    PGresult *answer = PQexec(conn, sql);
    int status = (int)PQresultStatus(answer);
    bool good = status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
    if (!good)
        fail(result, where, PQresultErrorMessage(answer));
    PQclear(answer);
    return good;
}

/* Which line of the file PostgreSQL means. */
static bool fail_at_line(struct migrate_result *result, size_t i, const PGresult *answer)
{
    char where[200];
    const char *position = PQresultErrorField(answer, PG_DIAG_STATEMENT_POSITION);
    long left = position == NULL ? 0 : strtol(position, NULL, 10);
    int line = 1;
    for (const char *at = migrations[i].text; *at != '\0' && --left > 0; at++)
        line += *at == '\n';
    snprintf(where, sizeof where, "schema/%04d_%s.sql:%d", migrations[i].number, migrations[i].name,
             position == NULL ? 0 : line);
    return fail(result, where, PQresultErrorField(answer, PG_DIAG_MESSAGE_PRIMARY));
}

static void hash_text(const char *text, char hex[65])
{
    uint8_t hash[CRYPTO_HASH_SIZE];
    crypto_sha256(slice_of(text), hash);
    for (size_t i = 0; i < sizeof hash; i++)
        snprintf(hex + 2 * i, 3, "%02x", hash[i]);
}

/* One file: all of it and its note, or nothing. */
static bool apply(PGconn *conn, size_t i, struct migrate_result *result)
{
    char note[256];
    char hex[65];
    hash_text(migrations[i].text, hex);
    snprintf(note, sizeof note,
             "insert into schema_migrations (number, name, sha256) values (%d, '%s', '%s')",
             migrations[i].number, migrations[i].name, hex);
    if (!run(conn, "begin", "", result))
        return false;
    PGresult *answer = PQexec(conn, migrations[i].text);
    int status = (int)PQresultStatus(answer);
    bool good = status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
    if (!good)
        fail_at_line(result, i, answer);
    PQclear(answer);
    good = good && run(conn, note, "", result) && run(conn, "commit", "", result);
    if (!good)
        PQclear(PQexec(conn, "rollback"));
    return good;
}

/* What the database has of migration i: true when applied. A changed one is an error. */
static bool is_applied(const PGresult *applied, size_t i, struct migrate_result *result)
{
    char number[16];
    char hex[65];
    snprintf(number, sizeof number, "%d", migrations[i].number);
    for (int row = 0; row < PQntuples(applied); row++) {
        if (strcmp(PQgetvalue(applied, row, 0), number) != 0)
            continue;
        hash_text(migrations[i].text, hex);
        if (strcmp(PQgetvalue(applied, row, 1), hex) != 0)
            fail(result, migrations[i].name,
                 "was changed after it had been applied: add a new migration instead");
        return true;
    }
    return false;
}

static bool is_newer(const PGresult *applied, struct migrate_result *result)
{
    for (int row = 0; row < PQntuples(applied); row++)
        if (strtol(PQgetvalue(applied, row, 0), NULL, 10) > migrations[MIGRATIONS - 1].number)
            return !fail(result, "",
                         "the database is newer than this program: install the newer one");
    return false;
}

static bool has_table(PGconn *conn, bool *has, struct migrate_result *result)
{
    PGresult *answer = PQexec(conn, "select to_regclass('schema_migrations') is not null");
    bool good = PQresultStatus(answer) == PGRES_TUPLES_OK;
    if (good)
        *has = PQgetvalue(answer, 0, 0)[0] == 't';
    else
        fail(result, "", PQresultErrorMessage(answer));
    PQclear(answer);
    return good;
}

/* What is applied. NULL: an error, or there is no table yet (then without result->error). */
static PGresult *read_applied(PGconn *conn, struct migrate_result *result)
{
    bool has = false;
    if (!has_table(conn, &has, result) || !has)
        return NULL;
    PGresult *applied = PQexec(conn, "select number, sha256 from schema_migrations");
    if (PQresultStatus(applied) == PGRES_TUPLES_OK)
        return applied;
    fail(result, "", PQresultErrorMessage(applied));
    PQclear(applied);
    return NULL;
}

static bool walk(PGconn *conn, bool only_look, struct migrate_result *result)
{
    PGresult *applied = read_applied(conn, result);
    bool good = result->error[0] == '\0' && !is_newer(applied, result);
    for (size_t i = 0; good && i < MIGRATIONS; i++) {
        struct migrate_step *step = &result->steps[result->count++];
        step->number = migrations[i].number;
        step->name = migrations[i].name;
        step->applied = is_applied(applied, i, result);
        good = result->error[0] == '\0';
        if (!good || step->applied || only_look)
            continue;
        good = apply(conn, i, result);
        step->applied = step->fresh = good;
    }
    PQclear(applied);
    return good;
}

static bool take_turn(PGconn *conn, struct migrate_result *result)
{
    PGresult *answer = PQexec(conn, LOCK);
    const char *sqlstate = PQresultErrorField(answer, PG_DIAG_SQLSTATE);
    bool good = PQresultStatus(answer) == PGRES_TUPLES_OK;
    if (sqlstate != NULL && strcmp(sqlstate, "55P03") == 0)
        fail(result, "", "another migration of this database has been running for a minute");
    else if (!good)
        fail(result, "", PQresultErrorMessage(answer));
    PQclear(answer);
    return good && run(conn, PATIENCE, "", result);
}

bool migrate_run(const char *conninfo, bool only_look, struct migrate_result *result)
{
    memset(result, 0, sizeof *result);
    PGconn *conn = PQconnectdb(conninfo);
    bool good = PQstatus(conn) == CONNECTION_OK;
    if (!good)
        fail(result, "", PQerrorMessage(conn));
    good = good && run(conn, "set client_min_messages = warning", "", result);
    if (good && !only_look)
        good = take_turn(conn, result) && run(conn, TABLE, "", result);
    good = good && walk(conn, only_look, result);
    PQfinish(conn);
    return good;
}
