/* What came of a run: for people, and as JSON (benchmarks/README.md has the members). */
#ifndef BENCHMARKS_RUN_RECORD_H
#define BENCHMARKS_RUN_RECORD_H

#include <stdbool.h>
#include <stddef.h>

#include "benchmarks/audit.h"
#include "benchmarks/chaos.h"
#include "benchmarks/load.h"
#include "benchmarks/site.h"

struct run_record {
    const char *name;
    const char *rate; /* NULL: closed loop */
    const struct load *load;
    const struct audit *audit; /* NULL: off */
    const struct chaos *chaos; /* NULL: none */
    bool unaudited;            /* it moved money, and nobody has looked whether it is right */
    double cpu[SITE_PARTS];    /* seconds, of the measured time; NaN: it can't be said */
    double pool_cpu;           /* of moolahd's: its password pools' */
    double idle_cpu;           /* what no process of the machine has used */
    double batch_mean;         /* NaN: the same */
    size_t memory_before;      /* moolahd's, before the first connection */
    size_t memory_moolahd;     /* at the end of the load */
};

/* To standard output. */
void run_record_print(const struct run_record *record, bool with_throughput);

/* Append it as one line of JSON, whole or not at all. False: it could not be (errno). */
bool run_record_write(const struct run_record *record, const char *path);

#endif
