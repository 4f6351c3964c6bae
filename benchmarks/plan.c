#include "benchmarks/plan.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "benchmarks/numbers.h"
#include "scripting/settings.h"

#define GB 1e9
#define ASKED_USERS 200000.0 /* of the third phase */
#define MONTH_MINUTES 43200.0
#define SYSTEM_GB 1.0 /* memory of the system and the server beside the data */
#define STATEMENT 2   /* among the calls */
#define GOODPUT_LEAST 0.9

static const char help[] =
    "moolah-bench plan --wallets N --monthly N --peak N --report RESULT.json [--prices FILE] "
    "[--json]\n"
    "\n"
    "From what was measured to what has to be bought: servers, PostgreSQL and its replicas, "
    "Redis,\n"
    "database size, disks, growth, availability and price a month, for four phases: 10,000, "
    "50,000\n"
    "and 200,000 users, and beyond. What you ask for is the third; the others are in proportion.\n"
    "\n"
    "  --wallets N       wallets of the third phase\n"
    "  --monthly N       transfers a month\n"
    "  --peak N          transfers a second at the peak\n"
    "  --report FILE     a result of ci/bench. A quick one will do for a first idea, and is "
    "called\n"
    "                    rough then\n"
    "  --prices FILE     machines, prices and every assumption (benchmarks/plan_prices.lua): copy\n"
    "                    and edit it\n"
    "  --json            the same for programs\n"
    "\n"
    "  moolah-bench plan --wallets 500000 --monthly 10000000 --peak 300 --report \\\n"
    "      var/bench/result.json\n"
    "\n"
    "Numbers may be written 1e7. First comes what to buy and where each line is from, then what "
    "was\n"
    "measured, what is assumed (by the names of the price table), then each product of each "
    "phase.\n"
    "Exit codes: 0 planned, 2 wrong usage, a broken file, or a result that lacks a run.\n";

static const char *const scenarios[PLAN_CALLS] = {"send_money", "balance", "statement"};
static const char *const processes[PLAN_PROCESSES] = {"moolahd", "postgres", "redis"};

/* ---- prices */

#define NUMBER(path, member, least, most, help)                                              \
    {                                                                                        \
        path, SETTINGS_NUMBER, offsetof(struct plan_prices, member), NULL, least, most, help \
    }
#define TEXT(path, member, help)                                                    \
    {                                                                               \
        path, SETTINGS_TEXT, offsetof(struct plan_prices, member), NULL, 0, 0, help \
    }
#define MACHINE(size, at)                                                                        \
    TEXT("machines." size ".name", machines[at].name, "what it is called"),                      \
        NUMBER("machines." size ".cores", machines[at].cores, 1, 10000, "cores"),                \
        NUMBER("machines." size ".memory_gb", machines[at].memory_gb, 0.5, 1e6, "memory in GB"), \
        NUMBER("machines." size ".price", machines[at].price, 0, 1e9, "price of a month")

static const struct settings_item items[] = {
    TEXT("currency", currency, "of all prices"),
    MACHINE("small", 0),
    MACHINE("medium", 1),
    MACHINE("large", 2),
    MACHINE("huge", 3),
    NUMBER("core_speed", core_speed, 0.05, 20, "a bought core against the measured one"),
    NUMBER("storage.disk_gb", disk_gb, 0, 1e6, "price of a GB of disk"),
    NUMBER("storage.archive_gb", archive_gb, 0, 1e6, "price of a GB of object storage"),
    NUMBER("traffic.balances", balances, 0, 1e4, "for each transfer"),
    NUMBER("traffic.statements", statements, 0, 1e4, "for each transfer"),
    NUMBER("traffic.sign_ins", sign_ins, 0, 1e4, "for each transfer"),
    NUMBER("traffic.sign_in_ms", sign_in_ms, 0, 1e4, "CPU of one sign-in"),
    NUMBER("headroom.cpu", use_cpu, 0.01, 1, "part of the cores busy at the peak"),
    NUMBER("headroom.memory", use_memory, 0.01, 1, "part of the memory in use"),
    NUMBER("headroom.disk", use_disk, 0.01, 1, "part of the disk in use"),
    NUMBER("headroom.together_cores", together_cores, 0, 1e4, "cores that may share two machines"),
    NUMBER("bytes.wallet", wallet_bytes, 0, 1e9, "of a wallet in the database"),
    NUMBER("bytes.redis_wallet", redis_wallet_bytes, 0, 1e9, "of a wallet in Redis"),
    NUMBER("bytes.wal_kept_gb", wal_kept_gb, 0, 1e6, "WAL on the database's disk"),
    NUMBER("retention.online_months", online_months, 1, 1200, "months in the database"),
    NUMBER("retention.archive_months", archive_months, 0, 1200, "months in the archive"),
    NUMBER("retention.hot_months", hot_months, 0, 1200, "months that stay in memory"),
    NUMBER("retention.backups", backups, 0, 1000, "whole backups that are kept"),
    NUMBER("retention.wal_days", wal_days, 0, 3660, "days of archived WAL"),
    NUMBER("retention.compressed", compressed, 0.01, 1, "what compression leaves"),
    NUMBER("availability.target", target, 0, 1, "part of the time"),
    NUMBER("availability.machine", machine, 0, 1, "of one machine"),
    NUMBER("availability.standbys", standbys, 0, 20, "of the database"),
    NUMBER("availability.failovers", failovers, 0, 1000, "a month"),
    NUMBER("availability.failover_minutes", failover_minutes, 0, 1000, "each"),
    NUMBER("beyond_users", beyond_users, 200001, 1e10, "users of the fourth phase"),
    {0},
};

bool plan_read_prices(const char *path, struct arena *arena, struct plan_prices *prices,
                      struct bytes *out)
{
    struct bundle_report report;
    *prices = (struct plan_prices){0};
    if (settings_read(path, items, prices, arena, &report))
        return true;
    bundle_report_write(&report, out);
    return false;
}

/* ---- what was measured */

/* Whose CPU is that of its own calls alone: not beside sign-ins (ci/bench's storm_...), nor with
 * much of it spent on refusals. */
static bool is_usable(const struct result_run *run)
{
    bool saturated =
        strcmp(run->mode, "open") == 0 && run->throughput < GOODPUT_LEAST * run->offered;
    if (strncmp(run->name, "storm_", 6) == 0 || saturated)
        return false;
    for (int i = 0; i < PLAN_PROCESSES; i++)
        if (!(result_number(&run->cpu, processes[i]) >= 0))
            return false;
    return run->throughput > 0 && run->fault_count == 0 && strcmp(run->audit, "failed") != 0;
}

/* The scenario's run nearest to the rate, by ratio; NULL: there is none. */
static const struct result_run *nearest(const struct result *result, const char *scenario,
                                        double rate)
{
    const struct result_run *best = NULL;
    double best_distance = INFINITY;
    for (size_t i = 0; i < result->run_count; i++) {
        const struct result_run *run = &result->runs[i];
        if (strcmp(run->scenario, scenario) != 0 || !is_usable(run))
            continue;
        double distance = fabs(log(run->throughput / rate));
        if (best == NULL || distance < best_distance) {
            best = run;
            best_distance = distance;
        }
    }
    return best;
}

static bool check(const struct result *result, char message[RESULT_MESSAGE_MAX])
{
    static const char *const sizes[] = {"row_bytes_per_transfer", "wal_bytes_per_transfer"};
    for (int i = 0; i < PLAN_CALLS; i++)
        if (nearest(result, scenarios[i], 1) == NULL && !(result->quick && i == STATEMENT)) {
            snprintf(message, RESULT_MESSAGE_MAX,
                     "the report has no run of the scenario %s with cpu_us_per_request of moolahd, "
                     "postgres and redis (faults none, audit not failed, not past saturation): "
                     "`ci/bench` without --quick makes all that a plan needs",
                     scenarios[i]);
            return false;
        }
    for (int i = 0; i < 2; i++)
        if (!(result_number(&result->data, sizes[i]) > 0)) {
            snprintf(message, RESULT_MESSAGE_MAX,
                     "the report has no data.%s: a run of the scenario send_money with ci/bench "
                     "measures it",
                     sizes[i]);
            return false;
        }
    return true;
}

/* Passwords checked a second by one core. */
static double argon2id(const struct result *result)
{
    for (size_t i = 0; i < result->baseline_count; i++)
        if (strcmp(result->baselines[i].name, "argon2id") == 0)
            return result->baselines[i].value;
    return NAN;
}

static void take_measured(struct plan *plan)
{
    const struct result *result = plan->result;
    double passwords = argon2id(result);
    plan->row_bytes = result_number(&result->data, "row_bytes_per_transfer");
    plan->wal_bytes = result_number(&result->data, "wal_bytes_per_transfer");
    plan->sign_in_measured = passwords > 0;
    plan->sign_in_ms = passwords > 0 ? 1000 / passwords : plan->prices.sign_in_ms;
    plan->no_statements = nearest(result, scenarios[STATEMENT], 1) == NULL;
    if (result->quick)
        plan->rough[plan->rough_count++] =
            "The result is a quick one: runs of a second or three, so CPU and bytes per transfer "
            "may be off by a quarter. Before you buy, run `ci/bench` without --quick.";
    if (plan->no_statements)
        plan->rough[plan->rough_count++] =
            "It has no run of statements (quick results have none): one is reckoned as a transfer.";
}

/* ---- one phase */

static void need_cores(const struct plan *plan, struct plan_phase *phase)
{
    const struct plan_prices *prices = &plan->prices;
    double peak = phase->demand.peak;
    phase->rates[0] = peak;
    phase->rates[1] = peak * prices->balances;
    phase->rates[2] = peak * prices->statements;
    for (int i = 0; i < PLAN_CALLS; i++) {
        const char *scenario = scenarios[i == STATEMENT && plan->no_statements ? 0 : i];
        phase->runs[i] = nearest(plan->result, scenario, fmax(phase->rates[i], 1e-3));
        assert(phase->runs[i] != NULL); /* plan_make has looked */
        for (int k = 0; k < PLAN_PROCESSES; k++)
            phase->busy[k] +=
                phase->rates[i] * result_number(&phase->runs[i]->cpu, processes[k]) / 1e6;
    }
    phase->busy[PLAN_MOOLAHD] += peak * prices->sign_ins * plan->sign_in_ms / 1e3;
    for (int k = 0; k < PLAN_PROCESSES; k++)
        phase->cores[k] = phase->busy[k] / prices->core_speed / prices->use_cpu;
}

static void need_bytes(const struct plan *plan, struct plan_phase *phase)
{
    const struct plan_prices *prices = &plan->prices;
    const struct plan_demand *demand = &phase->demand;
    phase->base_gb = demand->wallets * prices->wallet_bytes / GB;
    phase->growth_gb = demand->monthly * plan->row_bytes / GB;
    phase->size_gb = phase->base_gb + phase->growth_gb * prices->online_months;
    phase->disk_gb = phase->size_gb / prices->use_disk + prices->wal_kept_gb;
    phase->memory_gb =
        (phase->base_gb + phase->growth_gb * prices->hot_months) / prices->use_memory + SYSTEM_GB;
    phase->redis_gb =
        demand->wallets * prices->redis_wallet_bytes / GB / prices->use_memory + SYSTEM_GB;
    phase->wal_gb = demand->monthly * plan->wal_bytes / GB;
    phase->wal_mbit = demand->peak * plan->wal_bytes * 8 / 1e6;
    phase->archive_gb = phase->growth_gb * prices->archive_months * prices->compressed;
    phase->backup_gb = (phase->size_gb * prices->backups + phase->wal_gb * prices->wal_days / 30) *
                       prices->compressed;
}

/* The cheapest kind with so much in one machine. */
static const struct plan_machine *one_with(const struct plan_prices *prices, double cores,
                                           double memory_gb)
{
    const struct plan_machine *best = NULL;
    for (int i = 0; i < PLAN_MACHINES; i++) {
        const struct plan_machine *machine = &prices->machines[i];
        if (machine->cores >= cores && machine->memory_gb >= memory_gb &&
            (best == NULL || machine->price < best->price))
            best = machine;
    }
    return best;
}

/* Servers are alike: enough of the kind that is cheapest in sum, and one more that may fail. */
static struct plan_tier servers(const struct plan_prices *prices, double cores)
{
    struct plan_tier best = {NULL, 0};
    for (int i = 0; i < PLAN_MACHINES; i++) {
        const struct plan_machine *machine = &prices->machines[i];
        double count = fmax(1, ceil(cores / machine->cores)) + 1;
        if (best.machine == NULL || count * machine->price < best.count * best.machine->price)
            best = (struct plan_tier){machine, count};
    }
    return best;
}

double plan_available(const struct plan_prices *prices, const struct plan_phase *phase, int tier)
{
    double up = prices->machine;
    double count = phase->tiers[tier].count;
    if (phase->together || tier != PLAN_MOOLAHD)
        return 1 - pow(1 - up, count);
    return pow(up, count) + count * (1 - up) * pow(up, count - 1);
}

double plan_replicas(const struct plan_phase *phase)
{
    return phase->tiers[phase->together ? 0 : PLAN_POSTGRES].count - 1;
}

static void choose_machines(const struct plan_prices *prices, struct plan_phase *phase)
{
    double cores =
        phase->cores[PLAN_MOOLAHD] + phase->cores[PLAN_POSTGRES] + phase->cores[PLAN_REDIS];
    const struct plan_machine *all =
        one_with(prices, cores, phase->memory_gb + phase->redis_gb - SYSTEM_GB);
    phase->together = cores <= prices->together_cores && all != NULL;
    if (phase->together) {
        phase->tiers[0] = (struct plan_tier){all, 1 + fmax(1, prices->standbys)};
        return;
    }
    phase->tiers[PLAN_MOOLAHD] = servers(prices, phase->cores[PLAN_MOOLAHD]);
    phase->tiers[PLAN_POSTGRES] = (struct plan_tier){
        one_with(prices, phase->cores[PLAN_POSTGRES], phase->memory_gb), 1 + prices->standbys};
    phase->tiers[PLAN_REDIS] =
        (struct plan_tier){one_with(prices, phase->cores[PLAN_REDIS], phase->redis_gb), 2};
}

static void sum_up(const struct plan_prices *prices, struct plan_phase *phase)
{
    double databases = phase->tiers[phase->together ? 0 : PLAN_POSTGRES].count;
    phase->available = 1 - prices->failovers * prices->failover_minutes / MONTH_MINUTES;
    for (int k = 0; k < (phase->together ? 1 : PLAN_PROCESSES); k++) {
        const struct plan_tier *tier = &phase->tiers[k];
        phase->available *= plan_available(prices, phase, k);
        phase->machine_price += tier->machine == NULL ? NAN : tier->count * tier->machine->price;
    }
    phase->storage_price = databases * phase->disk_gb * prices->disk_gb +
                           (phase->archive_gb + phase->backup_gb) * prices->archive_gb;
}

bool plan_make(const struct result *result, const struct plan_prices *prices,
               const struct plan_demand *demand, struct plan *out, char message[RESULT_MESSAGE_MAX])
{
    const double users[PLAN_PHASES] = {10000, 50000, ASKED_USERS, prices->beyond_users};
    *out = (struct plan){.result = result, .prices = *prices};
    if (!check(result, message))
        return false;
    take_measured(out);
    for (int i = 0; i < PLAN_PHASES; i++) {
        struct plan_phase *phase = &out->phases[i];
        double part = users[i] / ASKED_USERS;
        phase->users = users[i];
        phase->demand = (struct plan_demand){demand->wallets * part, demand->monthly * part,
                                             demand->peak * part};
        need_cores(out, phase);
        need_bytes(out, phase);
        choose_machines(&out->prices, phase);
        sum_up(&out->prices, phase);
    }
    return true;
}

/* ---- the command */

struct options {
    struct plan_demand demand;
    const char *report, *prices;
    bool json, help;
};

static bool misunderstood(const char *what, const char *why)
{
    fprintf(stderr, "moolah-bench plan: %s %s. moolah-bench plan --help says more\n", what, why);
    return false;
}

static bool read_number(const char *name, const char *text, double *number)
{
    char *end;
    errno = 0;
    *number = strtod(text, &end);
    return (errno == 0 && end != text && *end == '\0' && *number > 0 && *number <= 1e12) ||
           misunderstood(name, "wants a number above 0 (up to 1e12)");
}

static bool read_option(const char *name, const char *value, struct options *options)
{
    double *number = strcmp(name, "--wallets") == 0   ? &options->demand.wallets
                     : strcmp(name, "--monthly") == 0 ? &options->demand.monthly
                     : strcmp(name, "--peak") == 0    ? &options->demand.peak
                                                      : NULL;
    const char **file = strcmp(name, "--report") == 0   ? &options->report
                        : strcmp(name, "--prices") == 0 ? &options->prices
                                                        : NULL;
    if (number == NULL && file == NULL)
        return misunderstood(name, name[0] == '-' ? "is no option"
                                                  : "is not understood (a result goes behind "
                                                    "--report)");
    if (value == NULL)
        return misunderstood(name, "wants a value");
    if (number != NULL)
        return read_number(name, value, number);
    *file = value;
    return true;
}

static bool is_whole(const struct options *options)
{
    if (options->report == NULL)
        return misunderstood("--report RESULT.json", "is missing: what ci/bench has measured");
    return (options->demand.wallets > 0 && options->demand.monthly > 0 &&
            options->demand.peak > 0) ||
           misunderstood("--wallets N, --monthly N and --peak N", "are all wanted");
}

static bool read_options(int argc, char **argv, struct options *options)
{
    *options = (struct options){.prices = MOOLAH_SOURCE_DIR "/benchmarks/plan_prices.lua"};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            options->help = true;
        else if (strcmp(argv[i], "--json") == 0)
            options->json = true;
        else if (!read_option(argv[i], i + 1 < argc ? argv[i + 1] : NULL, options))
            return false;
        else
            i++;
    }
    return options->help || is_whole(options);
}

static int run(const struct options *options, struct arena *arena)
{
    char message[RESULT_MESSAGE_MAX];
    struct plan_prices prices;
    struct plan plan;
    struct bytes out;
    bytes_init(&out, arena);
    if (!plan_read_prices(options->prices, arena, &prices, &out)) {
        fwrite(out.at, 1, out.length, stderr);
        return 2;
    }
    const struct result *result = result_read(options->report, arena, message);
    if (result == NULL || !plan_make(result, &prices, &options->demand, &plan, message)) {
        fprintf(stderr, "moolah-bench: %s\n", message);
        return 2;
    }
    bool good = true;
    if (options->json)
        plan_json(&plan, &out);
    else
        good = plan_text(&plan, arena, &out);
    if (!good || out.failed) {
        fputs("moolah-bench: out of memory\n", stderr);
        return 2;
    }
    fwrite(out.at, 1, out.length, stdout);
    return fflush(stdout) == 0 ? 0 : 2;
}

int plan_main(int argc, char **argv)
{
    struct options options;
    struct arena arena;
    if (!read_options(argc, argv, &options))
        return 2;
    if (options.help)
        return fputs(help, stdout) < 0;
    arena_init(&arena);
    int status = run(&options, &arena);
    arena_release(&arena);
    return status;
}
