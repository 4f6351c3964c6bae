/* What `moolah-bench run` is asked for: read, and refused with the option's name and range before
 * anything is touched. */
#ifndef BENCHMARKS_RUN_OPTIONS_H
#define BENCHMARKS_RUN_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "benchmarks/arrivals.h"

struct scenario;

struct run_options {
    char scenario[400]; /* path of its file */
    const char *data;
    const char *rate; /* NULL: closed loop, unless the scenario says otherwise */
    const char *name;
    const char *json;
    bool closed, poisson, audit, keys_only, chaos, quiet;
    double seconds, warm_up;
    double zipf;              /* negative: the scenario's */
    double peak;              /* 0: to be measured, when the scenario asks for a multiple of it */
    int connections, streams; /* 0: the scenario's */
    int port;                 /* 0: the site's */
    size_t wallets;           /* 0: all */
    struct arrivals arrivals; /* of `rate`; in a closed loop its length counts */
};

/* A line for people, on standard error. */
void run_options_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* -1: go on; else the exit code, and all has been said. */
int run_options_read(struct run_options *options, int argc, char **argv);

/* Do they suit the scenario, and a population of so many wallets? False: `error`. */
bool run_options_fit(const struct run_options *options, const struct scenario *scenario,
                     size_t wallets, char *error, size_t size);

#endif
