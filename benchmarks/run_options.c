#include "benchmarks/run_options.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "benchmarks/chaos.h"
#include "benchmarks/load.h"
#include "benchmarks/population.h"
#include "benchmarks/scenario_file.h"
#include "scripting/locate.h"

#define SCENARIOS MOOLAH_SOURCE_DIR "/benchmarks/scenarios"
#define EXAMPLE "moolah-bench run send_money --data var --audit"

static const char help[] =
    "moolah-bench run SCENARIO --data DIR [options]: drive a running ci/up --data DIR\n"
    "\n"
    "SCENARIO is a file, or the name of one in benchmarks/scenarios (--list shows them).\n"
    "\n"
    "  --closed            each stream asks again as soon as it is answered: for peaks (the\n"
    "                      default)\n"
    "  --rate SPEC         open loop: 1000, steps 500:10,2000:5, a ramp 100-5000:30, a spike\n"
    "                      500:10,5000:2,500:10. Latency counts from the intended moment\n"
    "  --poisson           arrivals of the open loop at random instead of evenly\n"
    "  --peak N            requests/s that the server reaches, for scenarios at a multiple of it\n"
    "                      (overload_2x, overload_10x); without: it's measured first, 5 s\n"
    "  --seconds S         of load (10), the warm-up included, where SPEC has no lengths\n"
    "  --warm-up S         seconds of load before anything is counted (a fifth, 2 at most)\n"
    "  --connections N     (the scenario's, else 64)   --streams N  at once on each (8)\n"
    "  --wallets N         use only the first N wallets of the population\n"
    "  --zipf S            popularity of wallets: 0 all alike, to 1 (the scenario's)\n"
    "  --audit             afterwards, prove from our own journal that each acknowledged request\n"
    "                      exists once, each refusal moved nothing, and replays give the same\n"
    "                      bytes. Scenarios that move money print a throughput only then\n"
    "  --audit-keys        the same without the ledger's invariants, for whoever runs\n"
    "                      `moolah ledger verify` afterwards, and with a tenth of the replays\n"
    "  --chaos             kill workers, master, PostgreSQL and Redis meanwhile, and make Redis\n"
    "                      forget (implies --audit); takes 25 s at least for all of\n"
    "                      them, and longer when one has to wait for the recovery from another\n"
    "  --port N            drive another server on that port with the same certificate: neither\n"
    "                      its metrics nor its ledger are looked at (no --audit)\n"
    "  --name NAME         of this run in the record; --json FILE  append its record there\n"
    "  --quiet             no line a second\n"
    "  --list              the scenarios of benchmarks/scenarios, and nothing else\n"
    "\n"
    "  moolah-bench run send_money --data var --audit\n"
    "  moolah-bench run mixed --data var --rate 500 --poisson --seconds 60 --audit\n"
    "  moolah-bench run overload_2x --data var --seconds 20 --audit\n"
    "\n"
    "Ctrl-C ends the load and prints what was measured so far; during the audit it\n"
    "prints it all the same, marked as unaudited, and fails. Neither leaves a record.\n"
    "Exit codes: 0 all answers were right or refused with 429 or 503 (and the audit passed);\n"
    "1 failed: the audit did, an answer was wrong (with --chaos that alone doesn't count), or "
    "none\n"
    "was right; 2 wrong usage, a scenario that can't be understood, too; 130 interrupted.\n";

static void say_line(const char *format, va_list arguments)
{
    fputs("moolah-bench: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
}

void run_options_say(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    say_line(format, arguments);
    va_end(arguments);
}

static int misused(const char *format, ...) __attribute__((format(printf, 1, 2)));

static int misused(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    say_line(format, arguments);
    va_end(arguments);
    return 2;
}

enum {
    OPTION_DATA = 256,
    OPTION_CLOSED,
    OPTION_RATE,
    OPTION_POISSON,
    OPTION_PEAK,
    OPTION_SECONDS,
    OPTION_WARM_UP,
    OPTION_CONNECTIONS,
    OPTION_STREAMS,
    OPTION_WALLETS,
    OPTION_ZIPF,
    OPTION_PORT,
    OPTION_AUDIT,
    OPTION_AUDIT_KEYS,
    OPTION_CHAOS,
    OPTION_NAME,
    OPTION_JSON,
    OPTION_QUIET,
    OPTION_LIST,
    OPTION_HELP
};

static const struct option long_options[] = {
    {"data", required_argument, NULL, OPTION_DATA},
    {"closed", no_argument, NULL, OPTION_CLOSED},
    {"rate", required_argument, NULL, OPTION_RATE},
    {"poisson", no_argument, NULL, OPTION_POISSON},
    {"peak", required_argument, NULL, OPTION_PEAK},
    {"seconds", required_argument, NULL, OPTION_SECONDS},
    {"warm-up", required_argument, NULL, OPTION_WARM_UP},
    {"connections", required_argument, NULL, OPTION_CONNECTIONS},
    {"streams", required_argument, NULL, OPTION_STREAMS},
    {"wallets", required_argument, NULL, OPTION_WALLETS},
    {"zipf", required_argument, NULL, OPTION_ZIPF},
    {"port", required_argument, NULL, OPTION_PORT},
    {"audit", no_argument, NULL, OPTION_AUDIT},
    {"audit-keys", no_argument, NULL, OPTION_AUDIT_KEYS},
    {"chaos", no_argument, NULL, OPTION_CHAOS},
    {"name", required_argument, NULL, OPTION_NAME},
    {"json", required_argument, NULL, OPTION_JSON},
    {"quiet", no_argument, NULL, OPTION_QUIET},
    {"list", no_argument, NULL, OPTION_LIST},
    {"help", no_argument, NULL, OPTION_HELP},
    {NULL, 0, NULL, 0},
};

static const struct number {
    int option;
    const char *name;
    double least, most;
    bool whole;
} numbers[] = {
    {OPTION_PEAK, "--peak", 1, 1e6, false},
    {OPTION_SECONDS, "--seconds", 0.1, LOAD_SECONDS_MAX, false},
    {OPTION_WARM_UP, "--warm-up", 0, LOAD_SECONDS_MAX, false},
    {OPTION_CONNECTIONS, "--connections", 1, SCENARIO_CONNECTIONS_MAX, true},
    {OPTION_STREAMS, "--streams", 1, SCENARIO_STREAMS_MAX, true},
    {OPTION_WALLETS, "--wallets", 2, POPULATION_MAX, true},
    {OPTION_ZIPF, "--zipf", 0, 1, false},
    {OPTION_PORT, "--port", 1, 65535, true},
};

/* NULL: it's none that has a number. */
static const struct number *find_number(int option)
{
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        if (numbers[i].option == option)
            return &numbers[i];
    return NULL;
}

/* -1: taken. */
static int take_number(const struct number *wanted, const char *text, struct run_options *o)
{
    char *end;
    double number = strtod(text, &end);
    bool good = end != text && *end == '\0' && number >= wanted->least && number <= wanted->most;
    if (!good || (wanted->whole && number != floor(number)))
        return misused("%s must be a %snumber from %.15g to %.15g, not '%s'", wanted->name,
                       wanted->whole ? "whole " : "", wanted->least, wanted->most, text);
    if (wanted->option == OPTION_PEAK)
        o->peak = number;
    else if (wanted->option == OPTION_SECONDS)
        o->seconds = number;
    else if (wanted->option == OPTION_WARM_UP)
        o->warm_up = number;
    else if (wanted->option == OPTION_CONNECTIONS)
        o->connections = (int)number;
    else if (wanted->option == OPTION_STREAMS)
        o->streams = (int)number;
    else if (wanted->option == OPTION_WALLETS)
        o->wallets = (size_t)number;
    else if (wanted->option == OPTION_ZIPF)
        o->zipf = number;
    else
        o->port = (int)number;
    return -1;
}

/* Names become lines `NAME_throughput value unit`. */
static int take_name(const char *text, struct run_options *o)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                  "_.-";
    o->name = text;
    if (text[0] != '\0' && text[strspn(text, allowed)] == '\0')
        return -1;
    return misused("--name must be letters, digits, _ . and -, not '%s'", text);
}

static int unknown(const char *word)
{
    static const char *names[sizeof long_options / sizeof long_options[0]];
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        names[i] = long_options[i].name;
    const char *near = locate_similar(word + strspn(word, "-"), names);
    if (near != NULL)
        return misused("%s is no option; did you mean --%s? moolah-bench run --help lists them all",
                       word, near);
    return misused("%s is no option: moolah-bench run --help lists them all", word);
}

/* -1: go on; else the exit code. */
static int take_option(int option, struct run_options *o)
{
    switch (option) {
    case OPTION_DATA:
        o->data = optarg;
        return -1;
    case OPTION_CLOSED:
        o->closed = true;
        return -1;
    case OPTION_RATE:
        o->rate = optarg;
        return -1;
    case OPTION_POISSON:
        o->poisson = true;
        return -1;
    case OPTION_AUDIT:
        o->audit = true;
        return -1;
    case OPTION_AUDIT_KEYS:
        o->audit = o->keys_only = true;
        return -1;
    case OPTION_CHAOS:
        o->audit = o->chaos = true;
        return -1;
    case OPTION_NAME:
        return take_name(optarg, o);
    case OPTION_JSON:
        o->json = optarg;
        return -1;
    case OPTION_QUIET:
        o->quiet = true;
        return -1;
    case OPTION_LIST:
        scenario_file_list(SCENARIOS, stdout);
        return 0;
    case OPTION_HELP:
    case 'h':
        return fputs(help, stdout) < 0;
    default:
        return take_number(find_number(option), optarg, o);
    }
}

/* A path, or a name of ours. */
static int find_scenario(const char *given, struct run_options *o)
{
    bool path = strchr(given, '/') != NULL || strstr(given, ".lua") != NULL;
    snprintf(o->scenario, sizeof o->scenario, path ? "%s" : SCENARIOS "/%s.lua", given);
    if (access(o->scenario, R_OK) == 0)
        return -1;
    if (path)
        return misused("the scenario %s can't be read: %s", given, strerror(errno));
    misused("there is no scenario '%s'; there are:", given);
    scenario_file_list(SCENARIOS, stderr);
    fputs("or the path of a file of your own: benchmarks/README.md says what it has\n", stderr);
    return 2;
}

static int check_times(struct run_options *o)
{
    if (!arrivals_parse(&o->arrivals, o->rate == NULL ? "1" : o->rate, o->seconds))
        return misused("--rate must be like 1000, 500:10,2000:5 or 100-5000:30 (per second:for so "
                       "many seconds), each over 0 and up to %d/s, for over 0 s, not '%s'",
                       ARRIVALS_RATE_MAX, o->rate);
    o->arrivals.poisson = o->poisson;
    double seconds = arrivals_seconds(&o->arrivals);
    if (seconds > LOAD_SECONDS_MAX)
        return misused("--rate %s lasts %.0f s: at most %d are allowed", o->rate, seconds,
                       LOAD_SECONDS_MAX);
    if (o->warm_up < 0)
        o->warm_up = seconds / 5 < 2 ? seconds / 5 : 2;
    if (o->warm_up >= seconds)
        return misused("--warm-up %g must be less than the run's %g s: nothing would be measured",
                       o->warm_up, seconds);
    if (o->chaos && seconds < CHAOS_SECONDS)
        return misused("--chaos must have %d s for all its faults, not %g: --seconds %d or more",
                       CHAOS_SECONDS, seconds, CHAOS_SECONDS);
    return -1;
}

int run_options_read(struct run_options *o, int argc, char **argv)
{
    *o = (struct run_options){.seconds = 10, .warm_up = -1, .zipf = -1};
    opterr = 0;
    for (int option; (option = getopt_long(argc, argv, ":h", long_options, NULL)) != -1;) {
        if (option == ':')
            return misused("%s needs a value: moolah-bench run --help", argv[optind - 1]);
        if (option == '?')
            return unknown(argv[optind - 1]);
        int code = take_option(option, o);
        if (code >= 0)
            return code;
    }
    if (optind == argc)
        return misused("a SCENARIO is missing, as in: " EXAMPLE
                       " (--list shows them, --help says more)");
    if (optind + 1 < argc)
        return misused("one SCENARIO at a time: '%s' is too much", argv[optind + 1]);
    if (o->data == NULL)
        return misused("--data DIR is missing, the folder of a running ci/up, as in: " EXAMPLE
                       " (--help says more)");
    if (o->closed && (o->rate != NULL || o->poisson))
        return misused("--closed has no arrivals: without --rate and --poisson, or those without "
                       "--closed");
    if (o->port > 0 && o->audit)
        return misused("--port is for a server whose ledger can't be audited: without --audit and "
                       "--chaos");
    int code = find_scenario(argv[optind], o);
    return code >= 0 ? code : check_times(o);
}

bool run_options_fit(const struct run_options *o, const struct scenario *scenario, size_t wallets,
                     char *error, size_t size)
{
    bool multiple = scenario->of_peak > 0 && o->rate == NULL && !o->closed;
    if (o->wallets > wallets)
        snprintf(error, size,
                 "--wallets %zu: there are %zu; moolah-bench seed --data %s --wallets %zu adds "
                 "more",
                 o->wallets, wallets, o->data, o->wallets);
    else if (o->poisson && o->rate == NULL && !multiple)
        snprintf(error, size, "--poisson is about the arrivals of an open loop: give it a --rate");
    else if (o->peak > 0 && !multiple)
        snprintf(error, size,
                 "--peak is for a scenario at a multiple of it (of_peak), without --rate "
                 "and --closed: overload_2x");
    else
        return true;
    return false;
}
