#include "benchmarks/raw.h"

#include <errno.h>
#include <ev.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "benchmarks/population.h"
#include "benchmarks/raw_job.h"
#include "benchmarks/raw_lane.h"
#include "benchmarks/raw_place.h"
#include "benchmarks/raw_queue.h"
#include "benchmarks/site.h"

#define WARM_UP_S 0.5
#define LANES_MAX 16
#define PATIENCE_S 60 /* until something is posted */
#define LEVEL_ARGON2ID (RAW_JOB_GATE + 1)

static const char *const level_names[] = {"bare",   "keys", "postings", "rules",
                                          "limits", "gate", "argon2id", NULL};

static const char help[] =
    "moolah-bench raw --data DIR [options]: transfers into the database of a running\n"
    "ci/up --data DIR without its server, batch after batch, over the seeded wallets.\n"
    "\n"
    "  --level LEVEL      bare      accounts locked and updated set-wise, a transactions row each\n"
    "                     keys      + idempotency keys looked up and written\n"
    "                     postings  + postings: a whole ledger, by hand (the default)\n"
    "                     rules     + prices by the rules, real receipts: the server's own queue\n"
    "                     limits    + limits: as rules, and the folder must have some\n"
    "                     gate      + session and rate limits, asked of Redis: the server's own "
    "gate\n"
    "                     argon2id  no database: how many passwords a core checks a second\n"
    "  --batch N          (256)   --connections N  each with a batch in flight (2)\n"
    "  --seconds S        measured (5), after half a second to warm up\n"
    "  --wallets N        use only the first N wallets   --rules FOLDER  (rules/ of the source)\n"
    "\n"
    "bare and keys would leave a broken ledger: they run in a database aside, in the same\n"
    "cluster. Prints `raw_LEVEL N 1/s` and the CPU per transfer, ours and PostgreSQL's.\n";

struct options {
    const char *data;
    const char *rules;
    int level;
    int batch, connections;
    double seconds;
    size_t wallets;
};

static int fail(int code, const char *what)
{
    fprintf(stderr, "moolah-bench raw: %s\n", what);
    return code;
}

static int level_of(const char *name)
{
    for (int i = 0; level_names[i] != NULL; i++)
        if (strcmp(level_names[i], name) == 0)
            return i;
    return -1;
}

enum {
    OPTION_DATA = 256,
    OPTION_LEVEL,
    OPTION_BATCH,
    OPTION_CONNECTIONS,
    OPTION_SECONDS,
    OPTION_WALLETS,
    OPTION_RULES,
    OPTION_HELP
};

static const struct option long_options[] = {
    {"data", required_argument, NULL, OPTION_DATA},
    {"level", required_argument, NULL, OPTION_LEVEL},
    {"batch", required_argument, NULL, OPTION_BATCH},
    {"connections", required_argument, NULL, OPTION_CONNECTIONS},
    {"seconds", required_argument, NULL, OPTION_SECONDS},
    {"wallets", required_argument, NULL, OPTION_WALLETS},
    {"rules", required_argument, NULL, OPTION_RULES},
    {"help", no_argument, NULL, OPTION_HELP},
    {NULL, 0, NULL, 0},
};

static bool take_option(int option, struct options *o)
{
    if (option == OPTION_DATA)
        o->data = optarg;
    else if (option == OPTION_RULES)
        o->rules = optarg;
    else if (option == OPTION_LEVEL)
        o->level = level_of(optarg);
    else if (option == OPTION_BATCH)
        o->batch = (int)strtol(optarg, NULL, 10);
    else if (option == OPTION_CONNECTIONS)
        o->connections = (int)strtol(optarg, NULL, 10);
    else if (option == OPTION_SECONDS)
        o->seconds = strtod(optarg, NULL);
    else if (option == OPTION_WALLETS)
        o->wallets = (size_t)strtoull(optarg, NULL, 10);
    else
        return false;
    return true;
}

/* -1: go on; else the exit code. */
static int read_options(int argc, char **argv, struct options *o)
{
    *o = (struct options){.rules = MOOLAH_SOURCE_DIR "/rules",
                          .level = RAW_JOB_POSTINGS,
                          .batch = 256,
                          .connections = 2,
                          .seconds = 5};
    for (int option; (option = getopt_long(argc, argv, "h", long_options, NULL)) != -1;) {
        if (option == OPTION_HELP || option == 'h')
            return fputs(help, stdout) < 0;
        if (!take_option(option, o)) {
            fputs(help, stderr);
            return 2;
        }
    }
    if (optind != argc || (o->data == NULL && o->level != LEVEL_ARGON2ID)) {
        fputs(help, stderr);
        return 2;
    }
    if (o->level < 0)
        return fail(2, "--level is bare, keys, postings, rules, limits, gate or argon2id");
    if (o->batch < 1 || o->batch > 4096 || o->connections < 1 || o->connections > LANES_MAX ||
        !(o->seconds > 0 && o->seconds <= 3600))
        return fail(2, "--batch 1..4096, --connections 1..16, --seconds up to 3600");
    return -1;
}

static double own_cpu(void)
{
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
           (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

/* ---- argon2id */

static int check_passwords(double seconds)
{
    char encoded[CRYPTO_PASSWORD_HASH_MAX];
    int count = 0;
    if (!crypto_password_hash(SLICE("correct horse"), encoded))
        return fail(1, "out of memory");
    double before = own_cpu();
    int64_t began = clock_monotonic();
    int64_t end = began + (int64_t)(seconds * CLOCK_SECOND);
    for (; clock_monotonic() < end; count++)
        if (!crypto_password_verify(SLICE("correct horse"), encoded))
            return fail(1, "a right password was refused");
    double elapsed = (double)(clock_monotonic() - began) / CLOCK_SECOND;
    printf("raw_argon2id %.1f 1/s\nraw_argon2id_cpu %.1f us/password\n", count / elapsed,
           (own_cpu() - before) * 1e6 / count);
    return 0;
}

/* ---- transfers */

struct sample {
    int64_t at;
    uint64_t posted, refused;
    double own, postgres;
};

struct raw {
    struct options options;
    struct site site;
    struct raw_job job;
    struct ev_loop *loop;
    struct raw_lane *lanes[LANES_MAX];
    struct raw_queue *queue;
    char owner[520];  /* conninfo of the schema's owner */
    char server[600]; /* of the server's role */
    bool aside;
    ev_timer tick;
    int64_t began, warm, end; /* monotonic us; 0: nothing is posted yet */
    struct sample before, after;
    bool warmed;
};

static struct sample take_sample(const struct raw *raw)
{
    return (struct sample){.at = clock_monotonic(),
                           .posted = raw->job.posted,
                           .refused = raw->job.refused,
                           .own = own_cpu(),
                           .postgres = site_cpu(&raw->site, SITE_POSTGRES)};
}

static bool is_busy(const struct raw *raw)
{
    bool busy = raw->queue != NULL && raw_queue_is_busy(raw->queue);
    for (int i = 0; i < LANES_MAX && raw->lanes[i] != NULL; i++)
        busy = busy || raw_lane_is_busy(raw->lanes[i]);
    return busy;
}

static void on_tick(struct ev_loop *loop, ev_timer *watcher, int events)
{
    struct raw *raw = watcher->data;
    int64_t now = clock_monotonic();
    (void)events;
    if (raw->end == 0 && now > raw->began + PATIENCE_S * CLOCK_SECOND && !raw->job.stopping) {
        snprintf(
            raw->job.error, sizeof raw->job.error,
            "nothing was posted for %d s: PostgreSQL or Redis does not answer, see the logs in "
            "%.150s",
            PATIENCE_S, raw->options.data);
        raw->job.stopping = true;
    }
    if (raw->end == 0 && raw->job.posted + raw->job.refused > 0) {
        raw->warm = now + (int64_t)(WARM_UP_S * CLOCK_SECOND);
        raw->end = raw->warm + (int64_t)(raw->options.seconds * CLOCK_SECOND);
    }
    if (raw->end != 0 && !raw->warmed && now >= raw->warm) {
        raw->before = take_sample(raw);
        raw->warmed = true;
    }
    if (raw->end != 0 && now >= raw->end && !raw->job.stopping) {
        raw->after = take_sample(raw);
        raw->job.stopping = true;
    }
    if (raw->job.stopping && (!is_busy(raw) || raw->job.error[0] != '\0'))
        ev_break(loop, EVBREAK_ALL);
}

static bool start(struct raw *raw)
{
    struct raw_job *job = &raw->job;
    if (job->level >= RAW_JOB_RULES) {
        raw->queue = raw_queue_new(raw->loop, job, raw->options.rules);
        return raw->queue != NULL;
    }
    for (int i = 0; i < job->connections; i++) {
        raw->lanes[i] = raw_lane_new(raw->loop, job, RAW_JOB_STRIPE + (unsigned)i);
        if (raw->lanes[i] == NULL)
            return false;
    }
    return true;
}

/* What it takes must run: the connections themselves would wait until it does. */
static bool reach(struct raw *raw)
{
    char *error = raw->job.error;
    size_t size = sizeof raw->job.error;
    char why[160];
    if (!raw_place_answers(raw->owner, why, sizeof why))
        snprintf(error, size, "%s. Start it: ci/up --data %.60s", why, raw->options.data);
    else if (raw->options.level == RAW_JOB_GATE && site_pid(&raw->site, SITE_REDIS) == 0)
        snprintf(error, size, "Redis does not run. Start it: ci/up --data %.150s",
                 raw->options.data);
    return error[0] == '\0';
}

static bool set_up(struct raw *raw)
{
    struct raw_job *job = &raw->job;
    const struct options *o = &raw->options;
    job->level = (enum raw_job_level)o->level;
    job->batch = o->batch;
    job->connections = o->connections;
    job->run = job->dice = (uint64_t)clock_now();
    if (!site_open(&raw->site, o->data, job->error, sizeof job->error))
        return false;
    snprintf(raw->owner, sizeof raw->owner, "%s", raw->site.database);
    if (!reach(raw))
        return false;
    struct population *population = population_open(o->data, job->error, sizeof job->error);
    if (population == NULL)
        return false;
    bool good = raw_job_people(job, population, o->wallets);
    population_free(population);
    if (!good || job->count < 2 || uuid_is_nil(&job->people[0].user)) {
        snprintf(job->error, sizeof job->error, "there are only the demo users: moolah-bench seed");
        return false;
    }
    raw->aside = job->level < RAW_JOB_POSTINGS;
    snprintf(raw->server, sizeof raw->server, "%s user=moolah_server%s", raw->site.database,
             raw->aside ? RAW_PLACE_CONNINFO : "");
    job->conninfo = raw->server;
    job->redis = raw->site.redis;
    return !raw->aside || raw_place_make(raw->owner, job, job->error, sizeof job->error);
}

static void print(const struct raw *raw)
{
    const char *name = level_names[raw->job.level];
    double posted = (double)(raw->after.posted - raw->before.posted);
    double seconds = (double)(raw->after.at - raw->before.at) / CLOCK_SECOND;
    if (posted <= 0)
        posted = 1;
    printf("raw_%s %.1f 1/s\n", name, posted / seconds);
    printf("raw_%s_cpu_own %.1f us/transfer\n", name,
           (raw->after.own - raw->before.own) * 1e6 / posted);
    printf("raw_%s_cpu_postgres %.1f us/transfer\n", name,
           (raw->after.postgres - raw->before.postgres) * 1e6 / posted);
    if (raw->after.refused > raw->before.refused)
        printf("raw_%s_refused %llu transfers\n", name,
               (unsigned long long)(raw->after.refused - raw->before.refused));
}

static void release(struct raw *raw)
{
    for (int i = 0; i < LANES_MAX; i++)
        raw_lane_free(raw->lanes[i]);
    raw_queue_free(raw->queue);
    if (raw->aside)
        raw_place_remove(raw->owner);
    raw_job_release(&raw->job);
}

int raw_main(int argc, char **argv)
{
    static struct raw raw;
    int code = read_options(argc, argv, &raw.options);
    if (code >= 0)
        return code;
    if (raw.options.level == LEVEL_ARGON2ID)
        return check_passwords(raw.options.seconds);
    signal(SIGPIPE, SIG_IGN);
    raw.loop = ev_default_loop(EVFLAG_AUTO);
    if (set_up(&raw) && start(&raw)) {
        raw.began = clock_monotonic();
        ev_timer_init(&raw.tick, on_tick, 0.01, 0.01);
        raw.tick.data = &raw;
        ev_timer_start(raw.loop, &raw.tick);
        ev_run(raw.loop, 0);
    } else if (raw.job.error[0] == '\0') {
        fail(1, "out of memory");
        snprintf(raw.job.error, sizeof raw.job.error, "it could not begin");
    }
    code = raw.job.error[0] == '\0' ? 0 : fail(1, raw.job.error);
    if (code == 0)
        print(&raw);
    release(&raw);
    return code;
}
