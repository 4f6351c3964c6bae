#include "store/archive.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "store/archive_answers.h"
#include "store/archive_state.h"

#define WAIT_TRIES 600 /* of 100 ms: for transactions that began before */
#define LOCK_TRIES 100

/* The partitions' names, quoted where they must be. */
struct parts {
    char names[ARCHIVE_TABLES][140];
};

/* ---- may it be taken out? */

static bool refuse_if(struct archive_state *state, const char *sql, const char *why)
{
    int64_t found = 0;
    if (!archive_state_number(state, sql, &found))
        return false;
    return found == 0 || archive_state_fail(state, "%s %s", state->archive->month, why);
}

static bool has_table(struct archive_state *state, const char *sql, bool *has)
{
    int64_t found = 0;
    bool good = archive_state_number(state, sql, &found);
    *has = found == 1;
    return good;
}

static bool check_age(struct archive_state *state)
{
    char sql[200];
    snprintf(sql, sizeof sql,
             "select ($1::date > date_trunc('month', now() at time zone 'UTC') - "
             "interval '%d months')::integer",
             ARCHIVE_MONTHS_KEPT + 1);
    return refuse_if(state, sql, "is too young: the current month and the 3 before it stay");
}

static bool find_parts(struct archive_state *state, struct parts *parts)
{
    for (int i = 0; i < ARCHIVE_TABLES; i++) {
        char sql[200];
        snprintf(sql, sizeof sql,
                 "select month_partition('%s', $1::timestamp at time zone 'UTC')::text",
                 archive_manifest_table(i));
        if (!archive_state_text(state, sql, parts->names[i], sizeof parts->names[i]))
            return false;
        if (parts->names[i][0] == '\0')
            return archive_state_fail(state, "there is no month %s here", state->archive->month);
    }
    return true;
}

/* What still works on a month's transactions keeps it here. */
static bool check_use(struct archive_state *state, const struct parts *parts)
{
    bool holds = false;
    bool seals = false;
    char sql[500];
    if (!has_table(state, "select (to_regclass('holds') is not null)::integer", &holds) ||
        !has_table(state, "select (to_regclass('seals') is not null)::integer", &seals))
        return false;
    if (holds && !refuse_if(state,
                            "select count(*) from holds where status = 1 and id >= " ARCHIVE_FIRST
                            " and id < " ARCHIVE_BEHIND,
                            "has open holds: they end first"))
        return false;
    snprintf(sql, sizeof sql,
             "select count(*) from (select from %s where id > coalesce((select through_id from "
             "seals order by number desc limit 1), '00000000-0000-0000-0000-000000000000') "
             "limit 1) unsealed",
             parts->names[ARCHIVE_TRANSACTIONS]);
    return !seals || refuse_if(state, sql, "isn't sealed to its end yet");
}

/* ---- files */

static bool read_columns(struct archive_state *state, const char *part, struct archive_table *table)
{
    char sql[400];
    snprintf(sql, sizeof sql,
             "select string_agg('\"' || attname || '\"', ',' order by attnum) from pg_attribute "
             "where attrelid = '%s'::regclass and attnum > 0 and not attisdropped",
             part);
    return archive_state_text(state, sql, table->columns, sizeof table->columns);
}

static bool read_ids(struct archive_state *state, const char *part, int i,
                     struct archive_table *table)
{
    char sql[400];
    const char *id = i == ARCHIVE_TRANSACTIONS ? "id" : "transaction_id";
    snprintf(sql, sizeof sql, "select min(%s::text collate \"C\") from %s", id, part);
    if (!archive_state_text(state, sql, table->first_id, sizeof table->first_id))
        return false;
    snprintf(sql, sizeof sql, "select max(%s::text collate \"C\") from %s", id, part);
    return archive_state_text(state, sql, table->last_id, sizeof table->last_id);
}

static bool receive(struct archive_state *state, struct archive_file *file)
{
    char *line = NULL;
    int length;
    bool good = true;
    while ((length = PQgetCopyData(state->conn, &line, 0)) > 0) {
        good = good && archive_file_write(file, line, (size_t)length);
        PQfreemem(line);
    }
    PGresult *end = PQgetResult(state->conn);
    bool said = length == -1 && PQresultStatus(end) == PGRES_COMMAND_OK;
    PQclear(end);
    while ((end = PQgetResult(state->conn)) != NULL)
        PQclear(end);
    if (!said)
        return archive_state_refuse(state, state->conn);
    return good ||
           archive_state_fail(state, "%s: it can't be written; is the disk full?", state->path);
}

/* What is in the folder already is written over if it is the same month of the same ledger, by its
 * ids: an archive may be all there is of another one. */
static bool may_write_over(struct archive_state *state, const struct archive_table *table)
{
    static char text[16384];
    static struct archive_manifest old;
    const struct archive_table *there = &old.tables[ARCHIVE_TRANSACTIONS];
    char path[1200];
    char error[160];
    snprintf(path, sizeof path, "%s/" ARCHIVE_MANIFEST, state->path);
    FILE *file = fopen(path, "rbe");
    if (file == NULL && errno == ENOENT)
        return true;
    struct slice whole = {text, file == NULL ? 0 : fread(text, 1, sizeof text, file)};
    if (file != NULL)
        fclose(file);
    return (archive_manifest_read(whole, &old, error) &&
            strcmp(there->first_id, table->first_id) == 0 &&
            strcmp(there->last_id, table->last_id) == 0) ||
           archive_state_fail(state, "%.300s is not of this ledger: choose another folder", path);
}

/* Written, on the disk, and read back: the file says what the database said. */
static bool write_table(struct archive_state *state, const char *part, int i,
                        struct archive_table *table)
{
    char path[1200];
    char sql[2600];
    struct archive_file_sum back;
    snprintf(path, sizeof path, "%s/%s", state->path, archive_manifest_file(i));
    if (!read_columns(state, part, table) || !read_ids(state, part, i, table) ||
        (i == ARCHIVE_TRANSACTIONS && !may_write_over(state, table)))
        return false;
    snprintf(sql, sizeof sql, "copy (select %s from %s order by %s) to stdout", table->columns,
             part, i == ARCHIVE_TRANSACTIONS ? "id" : "transaction_id, account, version");
    struct archive_file *file = archive_file_create(path);
    if (file == NULL)
        return archive_state_fail(state, "%.300s can't be written", path);
    PGresult *begun = PQexec(state->conn, sql);
    bool good = PQresultStatus(begun) == PGRES_COPY_OUT;
    PQclear(begun);
    good = good ? receive(state, file) : archive_state_refuse(state, state->conn);
    bool closed = archive_file_close(file, &table->sum);
    if (!good)
        return false;
    if (!closed || !archive_file_check(path, &back) || back.rows != table->sum.rows ||
        memcmp(back.content, table->sum.content, sizeof back.content) != 0)
        return archive_state_fail(state, "%.300s is not what was written into it", path);
    memcpy(table->sum.file, back.file, sizeof back.file);
    return true;
}

static bool write_manifest(struct archive_state *state, const struct archive_manifest *manifest,
                           char hex[2 * CRYPTO_HASH_SIZE + 1])
{
    struct bytes text;
    uint8_t hash[CRYPTO_HASH_SIZE];
    bytes_init(&text, NULL);
    archive_manifest_write(manifest, &text);
    bool good =
        !text.failed && archive_file_put(state->path, ARCHIVE_MANIFEST, text.at, text.length);
    if (good)
        crypto_sha256(bytes_view(&text), hash);
    for (size_t i = 0; good && i < sizeof hash; i++)
        snprintf(hex + 2 * i, 3, "%02x", hash[i]);
    bytes_release(&text);
    return good || archive_state_fail(state, "%.300s: its manifest can't be written", state->path);
}

/* ---- the database */

static bool note_month(struct archive_state *state, const char *hex)
{
    char transactions[24];
    char postings[24];
    const char *values[] = {state->archive->month, state->month, state->next, state->path, hex,
                            transactions,          postings};
    snprintf(transactions, sizeof transactions, "%lld", (long long)state->archive->transactions);
    snprintf(postings, sizeof postings, "%lld", (long long)state->archive->postings);
    PGresult *answer = PQexecParams(
        state->conn,
        "insert into archives (month, begins, ends, folder, manifest, transactions, postings) "
        "values ($1, uuid_floor($2::timestamp at time zone 'UTC'), "
        "uuid_floor($3::timestamp at time zone 'UTC'), $4, decode($5, 'hex'), $6::bigint, "
        "$7::bigint)",
        7, NULL, values, NULL, NULL, 0);
    bool good = PQresultStatus(answer) == PGRES_COMMAND_OK;
    PQclear(answer);
    return good || archive_state_refuse(state, state->conn);
}

/* Runs of versions. What a posting did to `held` is told by a column that old schemas haven't. */
static bool note_balances(struct archive_state *state, const struct parts *parts)
{
    return archive_state_run(
        state,
        "insert into archive_balances (account, version, first_version, month, posted_before, "
        "held_before, posted, held) select account, max(version), min(version), '%s', "
        "(array_agg(posted_after - amount order by version))[1], "
        "(array_agg(held_after - held_change order by version))[1], "
        "(array_agg(posted_after order by version desc))[1], "
        "(array_agg(held_after order by version desc))[1] from (select p.*, "
        "coalesce((to_jsonb(p)->>'hold')::bigint, 0) as held_change, "
        "version - row_number() over (partition by account order by version) as run "
        "from %s p) r group by account, run",
        state->archive->month, parts->names[ARCHIVE_POSTINGS]);
}

/* Whoever read a key before its answer was written down may be about to read its transaction: all
 * that have begun by now are waited for. They are told by their locks on themselves, which
 * everybody may see; when another role's began (pg_stat_activity) is kept from who isn't in
 * pg_read_all_stats. Autovacuum, of no user, reads no keys. */
static bool await_others(struct archive_state *state)
{
    int64_t left = 1;
    /* within a transaction it shows the same for ever, unless it's told to look again */
    if (!archive_state_run(state, "select pg_stat_clear_snapshot()") ||
        !archive_state_run(state, "select set_config('moolah.others', coalesce(string_agg("
                                  "l.virtualtransaction, ','), ''), true) from pg_locks l "
                                  "join pg_stat_activity a on a.pid = l.pid where l.locktype = "
                                  "'virtualxid' and l.pid <> pg_backend_pid() and a.datname = "
                                  "current_database() and a.usesysid is not null"))
        return false;
    for (int i = 0; i < WAIT_TRIES && left > 0; i++) {
        if (!archive_state_number(state,
                                  "select count(*) from pg_locks where locktype = 'virtualxid' "
                                  "and virtualtransaction = any (string_to_array("
                                  "current_setting('moolah.others'), ','))",
                                  &left))
            return false;
        if (left > 0)
            usleep(100000);
    }
    return left == 0 ||
           archive_state_fail(state, "another transaction has been open for a minute (a backup?): "
                                     "try again when it has ended");
}

/* Detaching locks out everybody: so it waits shortly, and tries again, and others go on between.
 * "concurrently" would lock out nobody, but couldn't be part of a transaction: half a month would
 * be gone when we die. */
static bool lock_tables(struct archive_state *state)
{
    for (int i = 0; i < LOCK_TRIES; i++) {
        if (!archive_state_run(state, "savepoint before"))
            return false;
        PGresult *answer = PQexec(state->conn, "lock table transactions, postings in access "
                                               "exclusive mode");
        bool locked = PQresultStatus(answer) == PGRES_COMMAND_OK;
        const char *code = PQresultErrorField(answer, PG_DIAG_SQLSTATE);
        bool again = code != NULL && (strcmp(code, "55P03") == 0 || strcmp(code, "40P01") == 0);
        PQclear(answer);
        if (locked)
            return true;
        if (!again)
            return archive_state_refuse(state, state->conn);
        if (!archive_state_run(state, "rollback to savepoint before"))
            return false;
        usleep(100000);
    }
    return archive_state_fail(state, "others read the ledger all the time (a backup, or ledger "
                                     "verify?): try again when they have ended");
}

static bool detach(struct archive_state *state, const struct parts *parts)
{
    if (!archive_state_run(state, "set local lock_timeout = '300ms'") || !lock_tables(state))
        return false;
    for (int i = 0; i < ARCHIVE_TABLES; i++)
        if (!archive_state_run(state, "alter table %s detach partition %s",
                               archive_manifest_table(i), parts->names[i]) ||
            !archive_state_run(state, "drop table %s", parts->names[i]))
            return false;
    return archive_state_run(state, "commit");
}

/* ---- all of it */

static bool write_files(struct archive_state *state, const struct parts *parts,
                        char hex[2 * CRYPTO_HASH_SIZE + 1])
{
    static struct archive_manifest manifest;
    memset(&manifest, 0, sizeof manifest);
    snprintf(manifest.month, sizeof manifest.month, "%s", state->archive->month);
    if (mkdir(state->path, 0700) != 0 && access(state->path, W_OK) != 0)
        return archive_state_fail(state, "%.300s can't be made", state->path);
    for (int i = 0; i < ARCHIVE_TABLES; i++)
        if (!write_table(state, parts->names[i], i, &manifest.tables[i]))
            return false;
    state->archive->transactions = manifest.tables[ARCHIVE_TRANSACTIONS].sum.rows;
    state->archive->postings = manifest.tables[ARCHIVE_POSTINGS].sum.rows;
    return write_manifest(state, &manifest, hex);
}

/* Nobody writes into the month from here on; everybody reads. */
static bool take_out(struct archive_state *state)
{
    struct parts parts;
    char hex[2 * CRYPTO_HASH_SIZE + 1];
    if (!archive_state_run(state, "begin") || !find_parts(state, &parts) ||
        !archive_state_run(state, "lock table %s, %s in share mode",
                           parts.names[ARCHIVE_TRANSACTIONS], parts.names[ARCHIVE_POSTINGS]))
        return false;
    return check_use(state, &parts) &&
           archive_answers_write(state, parts.names[ARCHIVE_TRANSACTIONS],
                                 parts.names[ARCHIVE_POSTINGS]) &&
           write_files(state, &parts, hex) && note_month(state, hex) &&
           note_balances(state, &parts) && await_others(state) && detach(state, &parts);
}

bool archive_take_out(struct archive *archive)
{
    struct archive_state state;
    int64_t known = 0;
    char sql[100];
    bool good = archive_state_begin(&state, archive);
    snprintf(sql, sizeof sql, "select count(*) from archives where month = '%.7s'", archive->month);
    good = good && archive_state_number(&state, sql, &known);
    archive->already = known == 1;
    if (good && !archive->already)
        good = check_age(&state) && take_out(&state);
    archive_state_end(&state);
    return good;
}
