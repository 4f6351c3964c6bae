/* moolah-bench: the benchmark harness. */
#include <stdio.h>
#include <string.h>

#include "base/crypto.h"
#include "base/zone.h"
#include "benchmarks/collect.h"
#include "benchmarks/compare.h"
#include "benchmarks/plan.h"
#include "benchmarks/raw.h"
#include "benchmarks/report.h"
#include "benchmarks/run.h"
#include "benchmarks/seed.h"
#include "version.h"

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *help;
} commands[] = {
    {"seed", seed_main, "fill the database of a running ci/up: wallets, months of transactions"},
    {"run", run_main, "drive it with a scenario: open or closed loop, with audit and faults"},
    {"raw", raw_main,
     "post without a server: what the database itself takes, guarantee by guarantee"},
    {"collect", collect_main, "make a result file of what ci/bench has measured"},
    {"report", report_main, "a result for people: tables, and a page with charts"},
    {"compare", compare_main, "what changed between two results beyond noise"},
    {"plan", plan_main, "from a result to servers, storage and costs"},
};

#define COMMANDS (sizeof commands / sizeof commands[0])

static int print_help(FILE *out, int code)
{
    fputs("moolah-bench: the benchmark harness (ci/bench runs all of it with its baselines)\n\n",
          out);
    for (size_t i = 0; i < COMMANDS; i++)
        fprintf(out, "  moolah-bench %-8s %s\n", commands[i].name, commands[i].help);
    fputs("\nmoolah-bench COMMAND --help says more. benchmarks/README.md is the manual.\n", out);
    return code;
}

int main(int argc, char **argv)
{
    if (argc < 2)
        return print_help(stderr, 2);
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
        return print_help(stdout, 0);
    if (strcmp(argv[1], "--version") == 0)
        return printf("moolah-bench %s\n", MOOLAH_VERSION) < 0;
    if (!crypto_start()) {
        fprintf(stderr, "moolah-bench: no source of random numbers\n");
        return 1;
    }
    const char *missing = zone_open(); /* what is booked here counts in its wallet's day, too */
    if (missing != NULL) {
        fprintf(stderr, "moolah-bench: the system's time zones lack %s: install tzdata\n", missing);
        return 1;
    }
    for (size_t i = 0; i < COMMANDS; i++)
        if (strcmp(argv[1], commands[i].name) == 0)
            return commands[i].run(argc - 1, argv + 1);
    fprintf(stderr, "moolah-bench: '%s' is no command\n", argv[1]);
    return print_help(stderr, 2);
}
