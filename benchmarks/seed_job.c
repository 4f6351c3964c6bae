#include "benchmarks/seed_job.h"

#include <errno.h>
#include <libpq-fe.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "base/json.h"
#include "config.h"
#include "ledger/account.h"
#include "scripting/bundle.h"
#include "store/gate.h"

/* On the disk, with indexes: a tenth more than measured with a million and ten million. */
#define BYTES_PER_WALLET 1000 /* its deposit not included */
#define BYTES_PER_TRANSACTION 1700
#define BYTES_AT_LEAST (64 << 20)

void seed_job_fail(const char *format, ...)
{
    va_list arguments;
    fflush(stdout);
    fprintf(stderr, "moolah-bench seed: ");
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fprintf(stderr, "\n");
    exit(1);
}

/* What PostgreSQL says, its first line. */
static const char *complaint(PGconn *connection)
{
    char *message = PQerrorMessage(connection);
    message[strcspn(message, "\n")] = '\0';
    return message;
}

PGconn *seed_job_connect(const struct seed_job *job)
{
    PGconn *connection = PQconnectdb(job->database);
    if (PQstatus(connection) != CONNECTION_OK)
        seed_job_fail("cannot reach the database of %s: is ci/up --data %s running? (%s)",
                      job->folder, job->folder, complaint(connection));
    /* Where the role may, foreign keys aren't looked up row by row: they follow from how the rows
     * are made. */
    seed_job_run(connection, "set client_min_messages = warning; set statement_timeout = 0; "
                             "set lock_timeout = 0; set idle_in_transaction_session_timeout = 0; "
                             "set maintenance_work_mem = '256MB'; "
                             "set max_parallel_maintenance_workers = 0; set timezone = 'UTC'; "
                             "select set_config('session_replication_role', 'replica', false) "
                             "from pg_roles where rolname = current_user and rolsuper");
    return connection;
}

void seed_job_run(PGconn *connection, const char *sql)
{
    PGresult *result = PQexec(connection, sql);
    ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
        seed_job_fail("%s: %s", sql, complaint(connection));
    PQclear(result);
}

int64_t seed_job_ask(PGconn *connection, const char *sql)
{
    PGresult *result = PQexec(connection, sql);
    if (PQresultStatus(result) != PGRES_TUPLES_OK)
        seed_job_fail("%s: %s", sql, complaint(connection));
    int64_t answer = PQntuples(result) == 0 ? 0 : strtoll(PQgetvalue(result, 0, 0), NULL, 10);
    PQclear(result);
    return answer;
}

/* ---- what the folder says */

static void take_text(const struct json *demo, const char *name, char *out, size_t size)
{
    const struct json *value = demo == NULL ? NULL : json_member(demo, name);
    if (value == NULL || json_kind(value) != JSON_STRING || json_string(value).length >= size)
        seed_job_fail("demo.json says nothing of \"%s\": start ci/up on that folder again", name);
    struct slice text = json_string(value);
    memcpy(out, text.at, text.length);
    out[text.length] = '\0';
}

static void read_demo(struct seed_job *job)
{
    static char text[65536];
    char path[512];
    char partner_key[96];
    struct arena arena;
    struct json_error error;
    snprintf(path, sizeof path, "%s/demo.json", job->folder);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        seed_job_fail("there is no %s (%s): start `ci/up --data %s` first, and leave it running",
                      path, strerror(errno), job->folder);
    size_t length = fread(text, 1, sizeof text, file);
    fclose(file);
    arena_init(&arena);
    const struct json *demo = json_parse((struct slice){text, length}, &arena, &error);
    if (demo != NULL && json_kind(demo) != JSON_OBJECT)
        demo = NULL;
    take_text(demo, "database", job->database, sizeof job->database);
    take_text(demo, "partner_key", partner_key, sizeof partner_key);
    if (gate_token_parse(slice_of(partner_key), &job->partner) != GATE_PARTNER)
        seed_job_fail("the partner_key of demo.json is none: start ci/up on that folder again");
    arena_release(&arena);
}

static void load_bundle(struct seed_job *job, const char *folder)
{
    struct bundle_report report = {.count = 0};
    struct bytes findings;
    job->bundle = bundle_load(folder, &report);
    if (job->bundle != NULL)
        return;
    bytes_init(&findings, NULL);
    bundle_report_write(&report, &findings);
    seed_job_fail("the rules in %s don't load, so nothing has a price:\n%.*s", folder,
                  (int)findings.length, findings.at);
}

/* The rules that the server of that folder serves. */
static void read_rules(struct seed_job *job)
{
    char path[512];
    struct config config = {0};
    struct bundle_report report = {.count = 0};
    if (job->rules != NULL) {
        load_bundle(job, job->rules);
        return;
    }
    snprintf(path, sizeof path, "%s/moolahd.lua", job->folder);
    if (!config_read(path, &config, &report))
        seed_job_fail("%s: %s; name the folder of the rules with --rules", path,
                      report.count > 0 ? report.findings[0].message : "cannot be read");
    load_bundle(job, config.rules);
    config_release(&config);
}

static void name_file(const struct seed_job *job, const char *name, char path[512])
{
    snprintf(path, 512, "%s/%s", job->folder, name);
}

/* Members come before their history does. */
static void read_population(struct seed_job *job)
{
    char path[512];
    char error[700];
    name_file(job, "population.json", path);
    int found = population_read(path, &job->seed, error, sizeof error);
    if (found < 0)
        seed_job_fail("%s", error);
    if (found == 0) {
        crypto_random(job->seed.key, sizeof job->seed.key);
        job->seed.since = job->from / 1000 - INT64_C(86400000);
        job->seed.wallets = 0;
    }
    job->wallets_before = job->seed.wallets;
    if ((int64_t)job->wallets_before >= job->wallets)
        seed_job_fail("%s is seeded already, with %zu wallets: a larger --wallets adds to them "
                      "(and --transactions between the new ones); to start afresh, choose another "
                      "--data",
                      job->folder, job->wallets_before);
    job->seed.wallets = (size_t)job->wallets;
    job->population = population_new(&job->seed);
    if (job->population == NULL)
        seed_job_fail("out of memory");
}

/* From the first of a month to now. */
static void set_span(struct seed_job *job)
{
    struct tm date;
    job->until = clock_now();
    time_t seconds = (time_t)(job->until / CLOCK_SECOND);
    gmtime_r(&seconds, &date);
    date = (struct tm){
        .tm_year = date.tm_year, .tm_mon = date.tm_mon - (job->months - 1), .tm_mday = 1};
    job->from = (int64_t)timegm(&date) * CLOCK_SECOND;
}

void seed_job_read(struct seed_job *job)
{
    if (!crypto_start())
        seed_job_fail("the system has no source of random bytes");
    set_span(job);
    read_demo(job);
    read_rules(job);
    read_population(job);
}

/* ---- what the database says */

static bool has_account(PGconn *connection, enum account_kind kind, unsigned stripe)
{
    char sql[128];
    char text[33];
    const struct uuid id = account_system_id(kind, CURRENCY_ZAR, stripe);
    for (size_t i = 0; i < sizeof id.bytes; i++)
        snprintf(text + 2 * i, 3, "%02x", id.bytes[i]);
    snprintf(sql, sizeof sql, "select 1 from accounts where id = '%s'", text);
    return seed_job_ask(connection, sql) == 1;
}

/* System accounts of our own, from the last stripe down: servers count from the first up, so nobody
 * waits for us, and we for nobody. */
static unsigned find_stripe(PGconn *connection)
{
    unsigned stripe = ACCOUNT_STRIPES_MAX - 1;
    while (stripe > 0 && (has_account(connection, ACCOUNT_FEES, stripe) ||
                          has_account(connection, ACCOUNT_SETTLEMENT, stripe)))
        stripe--;
    return stripe;
}

static bool has_member(PGconn *connection, const struct seed_job *job, size_t i)
{
    char sql[128];
    struct population_member member;
    population_member(job->population, i, &member);
    snprintf(sql, sizeof sql, "select 1 from users where phone = '%s'", member.phone);
    return seed_job_ask(connection, sql) == 1;
}

/* A seeding commits connection after connection, transactions first, the people last. One that
 * ended just there has left its announcement. */
static void check_earlier(struct seed_job *job, PGconn *connection)
{
    char path[512];
    char error[700];
    struct population_seed earlier;
    name_file(job, "population.json.new", path);
    int found = population_read(path, &earlier, error, sizeof error);
    if (found == 0)
        return;
    struct seed_job other = {.folder = job->folder, .seed = earlier};
    if (found > 0 && (other.population = population_new(&earlier)) != NULL &&
        has_member(connection, &other, earlier.wallets - 1)) {
        seed_job_finish(&other);
        seed_job_fail("an earlier seeding had ended just before it was reported: %s has its %zu "
                      "wallets. Seed again if you want more",
                      job->folder, earlier.wallets);
    }
    if (seed_job_ask(connection,
                     "select count(*) from (select from transactions t where not exists "
                     "(select from accounts a where a.id = t.to_account) limit 1) lost") == 0)
        unlink(path); /* it left nothing */
    else
        seed_job_fail("an earlier seeding was cut off in the middle of its commit, so %s is "
                      "broken: stop ci/up, remove the folder, start again",
                      job->folder);
}

/* Where the database's files are: the folder, unless ci/up could not put them there. */
static int64_t bytes_free(const struct seed_job *job, PGconn *connection)
{
    struct statvfs disk;
    PGresult *result = PQexec(connection, "show data_directory");
    const char *place =
        PQresultStatus(result) == PGRES_TUPLES_OK ? PQgetvalue(result, 0, 0) : job->folder;
    bool good = statvfs(place, &disk) == 0 || statvfs(job->folder, &disk) == 0;
    PQclear(result);
    return good ? (int64_t)disk.f_bavail * (int64_t)disk.f_frsize : INT64_MAX;
}

static void check_disk(const struct seed_job *job, PGconn *connection)
{
    int64_t wallets = job->wallets - (int64_t)job->wallets_before;
    int64_t rows =
        wallets * BYTES_PER_WALLET + (wallets + job->transactions) * BYTES_PER_TRANSACTION;
    /* the log of what is written, up to where a checkpoint cuts it */
    int64_t log = seed_job_ask(connection, "select 3 * setting::bigint * 1048576 / 2 from "
                                           "pg_settings where name = 'max_wal_size'");
    int64_t needed = rows + (log < rows ? log : rows) + BYTES_AT_LEAST;
    int64_t has = bytes_free(job, connection);
    if (needed > has)
        seed_job_fail("that needs about %lld MB on the disk of the database, and %lld MB are free: "
                      "ask for fewer --transactions or --wallets, or choose a --data on another "
                      "disk",
                      (long long)(needed >> 20), (long long)(has >> 20));
}

void seed_job_check(struct seed_job *job, PGconn *connection)
{
    if (seed_job_ask(connection,
                     "select count(to_regclass(name)) from unnest(array['public.accounts', "
                     "'public.transactions', 'public.postings', 'public.idempotency', "
                     "'public.users', 'public.wallets', 'public.sign_ins', "
                     "'public.rule_bundles']) name") != 8)
        seed_job_fail("the database has not been migrated: `moolah db migrate` does it, and ci/up "
                      "at its start");
    if (seed_job_ask(connection, "select pg_try_advisory_lock(7309454)::integer") != 1)
        seed_job_fail("somebody else is seeding this database right now");
    check_earlier(job, connection);
    if (has_member(connection, job, job->wallets_before))
        seed_job_fail("this database is seeded already, and %s/population.json is gone or another "
                      "one's: without it nobody can act for its wallets; start afresh with another "
                      "--data",
                      job->folder);
    check_disk(job, connection);
    job->stripe = find_stripe(connection);
}

void seed_job_announce(const struct seed_job *job)
{
    char path[512];
    name_file(job, "population.json.new", path);
    if (!population_write(path, &job->seed))
        seed_job_fail("cannot write %s: %s", path, strerror(errno));
}

void seed_job_finish(const struct seed_job *job)
{
    char announced[512];
    char path[512];
    name_file(job, "population.json.new", announced);
    name_file(job, "population.json", path);
    if (rename(announced, path) != 0)
        seed_job_fail("cannot write %s: %s; %s says the same", path, strerror(errno), announced);
}
