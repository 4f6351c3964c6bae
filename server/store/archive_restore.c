#include "store/archive_restore.h"

#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "store/archive_state.h"

/* What `archives` has of the month; false: nothing, or archive->error. */
static bool find_month(struct archive_state *state, char hex[80])
{
    char sql[160];
    int64_t here = 0;
    snprintf(sql, sizeof sql, "select encode(manifest, 'hex') from archives where month = '%s'",
             state->archive->month);
    if (!archive_state_text(state, sql, hex, 80))
        return false;
    if (hex[0] != '\0')
        return true;
    if (!archive_state_number(state,
                              "select (month_partition('transactions', $1::timestamp at time zone "
                              "'UTC') is not null)::integer",
                              &here))
        return false;
    state->archive->already = here == 1;
    return state->archive->already ||
           archive_state_fail(state, "%s was never taken out of this database",
                              state->archive->month);
}

/* The manifest must be the very one that was written. */
static bool read_manifest(struct archive_state *state, const char *hex,
                          struct archive_manifest *manifest)
{
    static char text[16384];
    char path[1200];
    char error[160];
    char found[2 * CRYPTO_HASH_SIZE + 1];
    uint8_t hash[CRYPTO_HASH_SIZE];
    snprintf(path, sizeof path, "%s/" ARCHIVE_MANIFEST, state->path);
    FILE *file = fopen(path, "rbe");
    if (file == NULL)
        return archive_state_fail(state, "there is no %.300s", path);
    struct slice whole = {text, fread(text, 1, sizeof text, file)};
    fclose(file);
    crypto_sha256(whole, hash);
    for (size_t i = 0; i < sizeof hash; i++)
        snprintf(found + 2 * i, 3, "%02x", hash[i]);
    if (strcmp(found, hex) != 0)
        return archive_state_fail(state, "%.300s is not the one that was written", path);
    return archive_manifest_read(whole, manifest, error) ||
           archive_state_fail(state, "%.300s: %s", path, error);
}

/* A free name for it. */
static bool name_part(struct archive_state *state, int i, char name[80])
{
    char sql[300];
    snprintf(sql, sizeof sql,
             "select n || case when to_regclass('public.' || n) is null then '' else "
             "to_char(clock_timestamp(), '_YYYYMMDDHH24MISS') end "
             "from (select '%s_' || to_char($1::date, 'YYYY_MM') as n) named",
             archive_manifest_table(i));
    return archive_state_text(state, sql, name, 80);
}

/* As make_partitions makes one, and with its bounds as a check: so attaching it reads nothing. */
static bool make_part(struct archive_state *state, int i, const char *name, char bounds[2][40])
{
    const char *parent = archive_manifest_table(i);
    const char *id = i == ARCHIVE_TRANSACTIONS ? "id" : "transaction_id";
    return archive_state_text(state, "select " ARCHIVE_FIRST, bounds[0], 40) &&
           archive_state_text(state, "select " ARCHIVE_BEHIND " where $1::date is not null",
                              bounds[1], 40) &&
           archive_state_run(state,
                             "create table %s (like %s including all, constraint restored check "
                             "(%s is not null and %s >= '%s' and %s < '%s'))",
                             name, parent, id, id, bounds[0], id, bounds[1]) &&
           archive_state_run(state,
                             "create trigger %s_never_emptied before truncate on %s "
                             "for each statement execute function refuse_change()",
                             parent, name);
}

static bool send(struct archive_state *state, struct archive_file *file)
{
    static char piece[65536];
    ssize_t got;
    bool good = true;
    while (good && (got = archive_file_read(file, piece, sizeof piece)) != 0)
        good = got > 0 && PQputCopyData(state->conn, piece, (int)got) == 1;
    bool ended = PQputCopyEnd(state->conn, good ? NULL : "the file is damaged") == 1;
    for (PGresult *end; (end = PQgetResult(state->conn)) != NULL; PQclear(end))
        good = good && PQresultStatus(end) == PGRES_COMMAND_OK;
    return good && ended;
}

static bool load_part(struct archive_state *state, int i, const char *name,
                      const struct archive_table *table)
{
    char path[1200];
    char sql[2600];
    struct archive_file_sum sum;
    snprintf(path, sizeof path, "%s/%s", state->path, archive_manifest_file(i));
    struct archive_file *file = archive_file_open(path);
    if (file == NULL)
        return archive_state_fail(state, "there is no %.300s", path);
    snprintf(sql, sizeof sql, "copy %s (%s) from stdin", name, table->columns);
    PGresult *begun = PQexec(state->conn, sql);
    bool good = PQresultStatus(begun) == PGRES_COPY_IN;
    PQclear(begun);
    if (!good)
        archive_state_refuse(state, state->conn);
    else if (!send(state, file))
        good = archive_state_fail(state, "%.200s can't be read in: %.200s", path,
                                  PQerrorMessage(state->conn));
    bool whole = archive_file_close(file, &sum);
    if (good && (!whole || sum.rows != table->sum.rows ||
                 memcmp(sum.content, table->sum.content, sizeof sum.content) != 0))
        return archive_state_fail(state, "%.300s is not what its manifest says", path);
    return good;
}

static bool attach_part(struct archive_state *state, int i, const char *name, char bounds[2][40])
{
    return archive_state_run(state,
                             "alter table %s attach partition %s for values from ('%s') to "
                             "('%s')",
                             archive_manifest_table(i), name, bounds[0], bounds[1]) &&
           archive_state_run(state, "alter table %s drop constraint restored", name);
}

static bool bring_back(struct archive_state *state, const struct archive_manifest *manifest)
{
    char names[ARCHIVE_TABLES][80];
    char bounds[2][40];
    if (!archive_state_run(state, "begin"))
        return false;
    for (int i = 0; i < ARCHIVE_TABLES; i++)
        if (!name_part(state, i, names[i]) || !make_part(state, i, names[i], bounds) ||
            !load_part(state, i, names[i], &manifest->tables[i]) ||
            !attach_part(state, i, names[i], bounds))
            return false;
    state->archive->transactions = manifest->tables[ARCHIVE_TRANSACTIONS].sum.rows;
    state->archive->postings = manifest->tables[ARCHIVE_POSTINGS].sum.rows;
    return archive_state_run(state, "delete from archive_balances where month = '%s'",
                             state->archive->month) &&
           archive_state_run(state, "delete from archives where month = '%s'",
                             state->archive->month) &&
           archive_state_run(state, "commit") &&
           archive_state_run(state, "analyze %s", names[ARCHIVE_TRANSACTIONS]) &&
           archive_state_run(state, "analyze %s", names[ARCHIVE_POSTINGS]);
}

bool archive_restore(struct archive *archive)
{
    static struct archive_manifest manifest;
    struct archive_state state;
    char hex[80];
    bool good = archive_state_begin(&state, archive) && find_month(&state, hex);
    if (good && !archive->already)
        good = read_manifest(&state, hex, &manifest) && bring_back(&state, &manifest);
    archive_state_end(&state);
    return good;
}
