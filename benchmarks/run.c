#include "benchmarks/run.h"

#include <ev.h>
#include <getopt.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "benchmarks/ask.h"
#include "benchmarks/audit.h"
#include "benchmarks/chaos.h"
#include "benchmarks/load.h"
#include "benchmarks/population.h"
#include "benchmarks/run_record.h"
#include "benchmarks/scenario_file.h"
#include "benchmarks/site.h"
#include "benchmarks/wire.h"

#define REPLAYS 20000
#define BUSY_WARNING 0.9

static const char help[] =
    "moolah-bench run SCENARIO --data DIR [options]: drive a running ci/up --data DIR\n"
    "\n"
    "SCENARIO is a file, or the name of one in benchmarks/scenarios: send_money, popular_wallet,\n"
    "mixed, balance, statement, sign_in, single_user, new_connections, idle_connections, "
    "constant.\n"
    "\n"
    "  --closed            each stream asks again as soon as it is answered: for peaks (the "
    "default)\n"
    "  --rate SPEC         open loop: 1000, steps 500:10,2000:5, a ramp 100-5000:30, a spike\n"
    "                      500:10,5000:2,500:10. Latency counts from the intended moment\n"
    "  --poisson           arrivals of the open loop at random instead of evenly\n"
    "  --seconds S         of load (10), the warm-up included where SPEC has no lengths\n"
    "  --warm-up S         seconds of load before anything is counted (2)\n"
    "  --connections N     (64)   --streams N   at once on each connection (8)\n"
    "  --wallets N         use only the first N wallets of the population\n"
    "  --audit             afterwards, prove from our own journal that each acknowledged request\n"
    "                      exists once, each refusal moved nothing, and replays give the same "
    "bytes;\n"
    "                      without a passed audit no throughput is printed\n"
    "  --audit-keys        the same without the ledger's invariants, for whoever runs\n"
    "                      `moolah ledger verify` afterwards, and with a tenth of the replays\n"
    "  --chaos             kill workers, master, PostgreSQL and Redis meanwhile (implies --audit)\n"
    "  --port N            drive another server on that port with the same certificate: neither "
    "its\n"
    "                      metrics nor its ledger are looked at (no --audit)\n"
    "  --name NAME         of this run in the record; --json FILE  append its record there\n"
    "  --quiet             no line a second\n"
    "\n"
    "Exit codes: 0 ran (and the audit passed), 1 failed, 2 wrong usage.\n";

struct options {
    const char *scenario;
    const char *data;
    const char *rate;
    const char *name;
    const char *json;
    bool closed, poisson, audit, keys_only, chaos, quiet;
    double seconds, warm_up;
    int connections, streams;
    int port; /* 0: the site's */
    size_t wallets;
};

static int fail(int code, const char *what)
{
    fprintf(stderr, "moolah-bench: %s\n", what);
    return code;
}

enum {
    OPTION_DATA = 256,
    OPTION_CLOSED,
    OPTION_RATE,
    OPTION_POISSON,
    OPTION_SECONDS,
    OPTION_WARM_UP,
    OPTION_CONNECTIONS,
    OPTION_STREAMS,
    OPTION_WALLETS,
    OPTION_PORT,
    OPTION_AUDIT,
    OPTION_AUDIT_KEYS,
    OPTION_CHAOS,
    OPTION_NAME,
    OPTION_JSON,
    OPTION_QUIET,
    OPTION_HELP
};

static const struct option long_options[] = {
    {"data", required_argument, NULL, OPTION_DATA},
    {"closed", no_argument, NULL, OPTION_CLOSED},
    {"rate", required_argument, NULL, OPTION_RATE},
    {"poisson", no_argument, NULL, OPTION_POISSON},
    {"seconds", required_argument, NULL, OPTION_SECONDS},
    {"warm-up", required_argument, NULL, OPTION_WARM_UP},
    {"connections", required_argument, NULL, OPTION_CONNECTIONS},
    {"streams", required_argument, NULL, OPTION_STREAMS},
    {"wallets", required_argument, NULL, OPTION_WALLETS},
    {"port", required_argument, NULL, OPTION_PORT},
    {"audit", no_argument, NULL, OPTION_AUDIT},
    {"audit-keys", no_argument, NULL, OPTION_AUDIT_KEYS},
    {"chaos", no_argument, NULL, OPTION_CHAOS},
    {"name", required_argument, NULL, OPTION_NAME},
    {"json", required_argument, NULL, OPTION_JSON},
    {"quiet", no_argument, NULL, OPTION_QUIET},
    {"help", no_argument, NULL, OPTION_HELP},
    {NULL, 0, NULL, 0},
};

static void take_number(int option, struct options *o)
{
    double number = strtod(optarg, NULL);
    if (option == OPTION_SECONDS)
        o->seconds = number;
    else if (option == OPTION_WARM_UP)
        o->warm_up = number;
    else if (option == OPTION_CONNECTIONS)
        o->connections = (int)number;
    else if (option == OPTION_STREAMS)
        o->streams = (int)number;
    else if (option == OPTION_PORT)
        o->port = (int)number;
    else
        o->wallets = number < 0 ? 0 : (size_t)number;
}

static bool take_option(int option, struct options *o)
{
    switch (option) {
    case OPTION_DATA:
        o->data = optarg;
        return true;
    case OPTION_CLOSED:
        o->closed = true;
        return true;
    case OPTION_RATE:
        o->rate = optarg;
        return true;
    case OPTION_POISSON:
        o->poisson = true;
        return true;
    case OPTION_AUDIT:
        o->audit = true;
        return true;
    case OPTION_AUDIT_KEYS:
        o->audit = o->keys_only = true;
        return true;
    case OPTION_CHAOS:
        o->audit = o->chaos = true;
        return true;
    case OPTION_NAME:
        o->name = optarg;
        return true;
    case OPTION_JSON:
        o->json = optarg;
        return true;
    case OPTION_QUIET:
        o->quiet = true;
        return true;
    case OPTION_SECONDS:
    case OPTION_WARM_UP:
    case OPTION_CONNECTIONS:
    case OPTION_STREAMS:
    case OPTION_WALLETS:
    case OPTION_PORT:
        take_number(option, o);
        return true;
    default:
        return false;
    }
}

/* -1: go on; else the exit code. */
static int read_options(int argc, char **argv, struct options *o)
{
    *o = (struct options){.seconds = 10, .warm_up = 2};
    for (int option; (option = getopt_long(argc, argv, "h", long_options, NULL)) != -1;) {
        if (option == OPTION_HELP || option == 'h')
            return fputs(help, stdout) < 0;
        if (!take_option(option, o)) {
            fputs(help, stderr);
            return 2;
        }
    }
    if (optind != argc - 1 || o->data == NULL) {
        fputs(help, stderr);
        return 2;
    }
    o->scenario = argv[optind];
    if (o->closed && o->rate != NULL)
        return fail(2, "--closed or --rate, not both");
    if (o->port < 0 || o->port > 65535 || (o->port > 0 && o->audit))
        return fail(2, "--port is one from 1 to 65535, and its server's ledger can't be audited");
    if (!(o->seconds > 0 && o->seconds <= LOAD_SECONDS_MAX) || !(o->warm_up >= 0) ||
        o->connections < 0 || o->connections > 20000 || o->streams < 0 || o->streams > 1000)
        return fail(2, "--seconds, --warm-up, --connections or --streams is out of range");
    return -1;
}

struct run {
    struct options options;
    struct site site;
    struct scenario scenario;
    struct population *population;
    struct wire_target *target;
    struct ev_loop *loop;
    struct load load;
    struct chaos chaos;
    struct audit audit;
    struct run_record record;
    char name[40];
    double cpu_before[SITE_PARTS];
    double cpu[SITE_PARTS];
};

static bool open_scenario(struct run *run, char *error, size_t size)
{
    char path[400];
    const char *given = run->options.scenario;
    if (strchr(given, '/') != NULL || strstr(given, ".lua") != NULL)
        return scenario_file_load(&run->scenario, given, error, size);
    snprintf(path, sizeof path, "%s/benchmarks/scenarios/%s.lua", MOOLAH_SOURCE_DIR, given);
    return scenario_file_load(&run->scenario, path, error, size);
}

static bool open_all(struct run *run, char *error, size_t size)
{
    if (!open_scenario(run, error, size) || !site_open(&run->site, run->options.data, error, size))
        return false;
    run->population = population_open(run->options.data, error, size);
    int port = run->options.port > 0 ? run->options.port : run->site.port;
    run->target = wire_target_new("127.0.0.1", port, run->site.ca, error, size);
    if (run->population == NULL || run->target == NULL)
        return false;
    struct population_member first;
    population_member(run->population, 0, &first);
    if (first.token[0] != '\0')
        return true;
    snprintf(error, size, "there are only the demo users: moolah-bench seed --data %s first",
             run->options.data);
    return false;
}

static int chosen(int given, int scenario, int otherwise)
{
    return given > 0 ? given : scenario > 0 ? scenario : otherwise;
}

static bool set_up_load(struct run *run, char *error, size_t size)
{
    const struct options *o = &run->options;
    struct load_settings *s = &run->load.settings;
    size_t wallets = population_count(run->population);
    if (o->wallets >= 2 && o->wallets < wallets)
        wallets = o->wallets;
    scenario_prepare(&run->scenario, wallets);
    snprintf(run->name, sizeof run->name, "%llx", (unsigned long long)clock_now());
    s->run = (struct scenario_run){&run->scenario, run->population, run->name,
                                   run->site.partner_key, (uint64_t)clock_now()};
    s->target = run->target;
    s->connections = chosen(o->connections, run->scenario.connections, 64);
    s->streams = chosen(o->streams, run->scenario.streams, 8);
    s->closed = o->rate == NULL;
    s->warm_up = o->warm_up;
    s->grace = 15;
    s->progress = !o->quiet;
    if (!arrivals_parse(&s->arrivals, o->rate == NULL ? "1" : o->rate, o->seconds)) {
        snprintf(error, size, "--rate %s is none: 1000, 500:10,2000:5 or 100-5000:30", o->rate);
        return false;
    }
    s->arrivals.poisson = o->poisson;
    if (s->warm_up < arrivals_seconds(&s->arrivals))
        return true;
    snprintf(error, size, "the warm-up is longer than the run: --warm-up");
    return false;
}

static void on_tick(void *owner, double second)
{
    struct run *run = owner;
    if (run->options.chaos)
        chaos_tick(&run->chaos, second);
}

static void on_measuring(void *owner, bool begins)
{
    struct run *run = owner;
    for (int part = 0; part < SITE_PARTS; part++) {
        double now = site_cpu(&run->site, (enum site_part)part);
        if (begins)
            run->cpu_before[part] = now;
        else
            run->cpu[part] = now - run->cpu_before[part];
    }
    if (!begins) /* while its connections stand */
        run->record.memory_moolahd = site_memory(&run->site, SITE_MOOLAHD);
}

static double mean_batch(const struct ask_histogram *before, const struct ask_histogram *after)
{
    double count = after->count - before->count;
    return count > 0 ? (after->sum - before->sum) / count : 0;
}

static bool drive(struct run *run, char *error, size_t size)
{
    static const char batches[] = "moolah_posting_batch_orders";
    const struct load_watcher watcher = {run, on_tick, on_measuring};
    struct ask_histogram before;
    struct ask_histogram after;
    if (run->options.chaos)
        chaos_plan(&run->chaos, &run->site, arrivals_seconds(&run->load.settings.arrivals));
    run->record.memory_before = site_memory(&run->site, SITE_MOOLAHD);
    bool asked = run->options.port == 0 && ask_metrics(&run->site, run->loop, batches, &before);
    if (!load_run(&run->load, run->loop, &watcher, error, size))
        return false;
    asked = asked && ask_metrics(&run->site, run->loop, batches, &after);
    run->record.batch_mean = asked && !run->options.chaos ? mean_batch(&before, &after) : 0;
    return true;
}

static void fill_record(struct run *run)
{
    struct run_record *r = &run->record;
    const struct options *o = &run->options;
    r->name = o->name == NULL ? run->scenario.name : o->name;
    r->load = &run->load;
    r->audit = o->audit ? &run->audit : NULL;
    r->chaos = o->chaos ? &run->chaos : NULL;
    r->rate = o->rate;
    for (int part = 0; part < SITE_PARTS; part++)
        r->cpu[part] = run->cpu[part];
}

static int finish(struct run *run)
{
    const struct audit *audit = &run->audit;
    bool passed = !run->options.audit || audit->faults == 0;
    fill_record(run);
    run_record_print(&run->record, passed);
    if (run->load.busy > BUSY_WARNING)
        fprintf(stderr,
                "moolah-bench: the load generator itself was at work for %.0f %% of the time: what "
                "you see may be its limit\n",
                100 * run->load.busy);
    if (run->options.json != NULL && !run_record_append(&run->record, run->options.json))
        return fail(1, "the record could not be written: --json");
    if (passed)
        return 0;
    fprintf(stderr, "moolah-bench: the audit FAILED, %llu faults; the first: %s\n",
            (unsigned long long)audit->faults, audit->first);
    return 1;
}

static void release(struct run *run)
{
    load_release(&run->load);
    wire_target_free(run->target);
    population_free(run->population);
}

int run_main(int argc, char **argv)
{
    static struct run run;
    char error[512] = "out of memory";
    int code = read_options(argc, argv, &run.options);
    bool keys_only = run.options.keys_only && !run.options.chaos;
    const struct audit_depth depth = {keys_only ? REPLAYS / 10 : REPLAYS, !keys_only};
    if (code >= 0)
        return code;
    signal(SIGPIPE, SIG_IGN);
    run.loop = ev_default_loop(EVFLAG_AUTO);
    code = 1;
    if (!open_all(&run, error, sizeof error) || !set_up_load(&run, error, sizeof error) ||
        !drive(&run, error, sizeof error))
        fail(1, error);
    else if (run.options.audit && !audit_run(&run.audit, &run.load, &run.site, run.loop, &depth))
        fail(1, run.audit.first);
    else
        code = finish(&run);
    release(&run);
    return code;
}
