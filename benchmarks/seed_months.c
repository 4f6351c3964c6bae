#include "benchmarks/seed_months.h"

#include <assert.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "base/memory.h"

enum { LANES = 2, TABLES = 2 };

static const struct {
    const char *name;
    const char *columns;
    const char *key;    /* its primary key, as schema/ has it */
    const char *ranged; /* by this column */
} tables[TABLES] = {
    {"transactions",
     "id, kind, currency, amount, fee, from_account, to_account, caller, from_version, to_version, "
     "note, reference, bundle, pricing, facts, trace_id, created_at",
     "id", "id"},
    {"postings", "account, version, transaction_id, amount, posted_after, held_after",
     "account, version, transaction_id", "transaction_id"},
};

struct month {
    int64_t begin, end; /* Unix us */
    char suffix[24];    /* 2026_12 */
    char floor[40], ceiling[40];
    bool fresh[TABLES]; /* made here */
};

struct lane {
    PGconn *connection;
    struct copy_stream stream;
    bool indexing;
};

struct seed_months {
    int count;
    int current; /* -1: none yet */
    struct month months[SEED_JOB_MONTHS_MAX];
    struct lane lanes[TABLES][LANES]; /* month m is loaded in lane m % LANES */
};

/* schema/'s uuid_floor: the smallest UUIDv7 of a moment. */
static void write_floor(int64_t unix_us, char text[40])
{
    uint64_t ms = (uint64_t)unix_us / 1000;
    snprintf(text, 40, "%08llx-%04llx-0000-0000-000000000000", (unsigned long long)(ms >> 16),
             (unsigned long long)(ms & 0xffff));
}

static struct month make_month(int64_t from, int nth)
{
    struct tm date;
    struct month month = {0};
    time_t seconds = (time_t)(from / CLOCK_SECOND);
    gmtime_r(&seconds, &date);
    struct tm first = {.tm_year = date.tm_year, .tm_mon = date.tm_mon + nth, .tm_mday = 1};
    struct tm next = {.tm_year = date.tm_year, .tm_mon = date.tm_mon + nth + 1, .tm_mday = 1};
    month.begin = (int64_t)timegm(&first) * CLOCK_SECOND; /* brings month 13 into order, too */
    month.end = (int64_t)timegm(&next) * CLOCK_SECOND;
    strftime(month.suffix, sizeof month.suffix, "%Y_%m", &first);
    write_floor(month.begin, month.floor);
    write_floor(month.end, month.ceiling);
    return month;
}

struct seed_months *seed_months_new(const struct seed_job *job)
{
    char sql[128];
    struct seed_months *months = memory_alloc(sizeof *months);
    if (months == NULL)
        seed_job_fail("out of memory");
    months->count = job->months;
    months->current = -1;
    for (int t = 0; t < TABLES; t++) {
        for (int l = 0; l < LANES; l++) {
            months->lanes[t][l].connection = seed_job_connect(job);
            seed_job_run(months->lanes[t][l].connection, "begin");
        }
        for (int m = 0; m < months->count; m++) {
            struct month *month = &months->months[m];
            if (t == 0)
                *month = make_month(job->from, m);
            snprintf(sql, sizeof sql, "select (to_regclass('public.%s_%s') is null)::integer",
                     tables[t].name, month->suffix);
            month->fresh[t] = seed_job_ask(months->lanes[t][0].connection, sql) == 1;
        }
    }
    return months;
}

/* Triggers of rows come with attaching, those of statements don't: the parent's are repeated. */
static void guard_table(PGconn *connection, int t, const struct month *month)
{
    char sql[700];
    snprintf(sql, sizeof sql,
             "do $$ declare definition text; begin for definition in select pg_get_triggerdef(oid) "
             "from pg_trigger where tgrelid = 'public.%s'::regclass and not tgisinternal and "
             "tgtype & 1 = 0 loop execute replace(definition, ' ON public.%s FOR EACH', "
             "' ON public.%s_%s FOR EACH'); end loop; end $$",
             tables[t].name, tables[t].name, tables[t].name, month->suffix);
    seed_job_run(connection, sql);
}

/* A check that says what the partition's bounds will say, so that attaching it reads nothing. */
static void make_table(PGconn *connection, int t, const struct month *month)
{
    char sql[700];
    snprintf(sql, sizeof sql,
             "create table public.%s_%s (like public.%s including defaults including constraints, "
             "constraint seeded check (%s is not null and %s >= '%s'::uuid and %s < '%s'::uuid))",
             tables[t].name, month->suffix, tables[t].name, tables[t].ranged, tables[t].ranged,
             month->floor, tables[t].ranged, month->ceiling);
    seed_job_run(connection, sql);
    guard_table(connection, t, month);
}

static void await_index(struct lane *lane)
{
    if (!lane->indexing)
        return;
    for (PGresult *result; (result = PQgetResult(lane->connection)) != NULL; PQclear(result))
        if (PQresultStatus(result) != PGRES_COMMAND_OK)
            seed_job_fail("a month cannot be indexed: %s", PQresultErrorMessage(result));
    lane->indexing = false;
}

static void begin_month(struct seed_months *months, int m)
{
    char target[300];
    const struct month *month = &months->months[m];
    for (int t = 0; t < TABLES; t++) {
        struct lane *lane = &months->lanes[t][m % LANES];
        await_index(lane);
        if (month->fresh[t])
            make_table(lane->connection, t, month);
        snprintf(target, sizeof target, "public.%s_%s (%s)", tables[t].name, month->suffix,
                 tables[t].columns);
        copy_stream_begin(&lane->stream, lane->connection, target, month->fresh[t]);
    }
}

/* The index is built while the other lane loads. */
static void end_month(struct seed_months *months, int m)
{
    char sql[200];
    const struct month *month = &months->months[m];
    for (int t = 0; t < TABLES; t++) {
        struct lane *lane = &months->lanes[t][m % LANES];
        copy_stream_end(&lane->stream);
        if (!month->fresh[t])
            continue;
        snprintf(sql, sizeof sql, "alter table public.%s_%s add primary key (%s)", tables[t].name,
                 month->suffix, tables[t].key);
        if (PQsendQuery(lane->connection, sql) != 1)
            seed_job_fail("the database broke off: %s", PQerrorMessage(lane->connection));
        lane->indexing = true;
    }
}

static void advance(struct seed_months *months)
{
    assert(months->current < months->count);
    if (months->current >= 0)
        end_month(months, months->current);
    months->current++;
    if (months->current < months->count)
        begin_month(months, months->current);
}

struct seed_streams seed_months_at(struct seed_months *months, int64_t unix_us)
{
    while (months->current < 0 || unix_us >= months->months[months->current].end)
        advance(months);
    assert(months->current >= 0 && months->current < months->count);
    return (struct seed_streams){
        .transactions = &months->lanes[0][months->current % LANES].stream,
        .postings = &months->lanes[1][months->current % LANES].stream,
    };
}

void seed_months_end(struct seed_months *months)
{
    while (months->current < months->count)
        advance(months); /* months without a row have their partitions all the same */
    for (int t = 0; t < TABLES; t++)
        for (int l = 0; l < LANES; l++)
            await_index(&months->lanes[t][l]);
}

static void attach(PGconn *connection, int t, const struct month *month)
{
    char sql[500];
    snprintf(sql, sizeof sql,
             "alter table public.%s attach partition public.%s_%s for values from ('%s') to "
             "('%s'); alter table public.%s_%s drop constraint seeded",
             tables[t].name, tables[t].name, month->suffix, month->floor, month->ceiling,
             tables[t].name, month->suffix);
    seed_job_run(connection, sql);
}

void seed_months_commit(struct seed_months *months)
{
    for (int t = 0; t < TABLES; t++) {
        for (int l = 0; l < LANES; l++) {
            PGconn *connection = months->lanes[t][l].connection;
            for (int m = l; m < months->count; m += LANES)
                if (months->months[m].fresh[t])
                    attach(connection, t, &months->months[m]);
            seed_job_run(connection, "commit");
            PQfinish(connection);
        }
    }
    memory_free(months);
}
