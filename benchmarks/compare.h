/* moolah-bench compare A.json B.json [--all] [--json]: what changed from A to B beyond noise
 * (compare_noise.h: a part of the old value that a change has to exceed before it counts). --all
 * shows what did not, too.
 *
 * Better and worse are said only of the same machine (cpu, cores, memory, kernel, disk) with the
 * same settings, and of runs that were asked for the same load: anything else just differs. But an
 * audit that passed and now fails is always worse. p99.9 is compared where both runs have 100 calls
 * beyond it. Calls that failed: a tenth of a percent of those sent, for runs without faults.
 * Baselines are told, but judge nobody: when they moved, the machine did. */
#ifndef BENCHMARKS_COMPARE_H
#define BENCHMARKS_COMPARE_H

#include <stdbool.h>
#include <stddef.h>

#include "benchmarks/result.h"

struct bytes;

enum compare_verdict {
    COMPARE_SAME, /* within noise */
    COMPARE_BETTER,
    COMPARE_WORSE,
    COMPARE_MOVED,  /* beyond noise, but neither good nor bad: a baseline */
    COMPARE_DIFFERS /* beyond noise, but not of the same: `why` says what */
};

enum compare_unit { COMPARE_NUMBER, COMPARE_TIME /* microseconds */, COMPARE_PART };

struct compare_row {
    const char *name; /* of the run or the figure */
    const char *what; /* "throughput", "p99", "cpu moolahd", "figure", "baseline", ... */
    enum compare_unit unit;
    double before, after;
    double change;     /* a part of `before`; NAN when that is 0 */
    double noise;      /* the same: what it has to exceed */
    const char *basis; /* of the noise, as compare_noise.h has it */
    const char *why;   /* it isn't judged; NULL: it is */
    enum compare_verdict verdict;
};

struct compare_difference { /* of machine, versions, settings or data */
    const char *group, *name, *before, *after;
};

struct compare {
    struct compare_row *rows;
    size_t row_count, row_room;
    struct compare_difference *differences;
    size_t difference_count, difference_room;
    const char **alone; /* "run x is only in the first", ... */
    size_t alone_count, alone_room;
    size_t better, worse, differs;
    bool same_machine, same_settings; /* settings, wallets */
    bool same_length;                 /* both quick, or both full */
    bool failed;                      /* memory ran out */
    struct arena *arena;
};

/* argv[0] is "compare". 0 nothing got worse beyond noise, or it can't be said; 1 something did; 2
 * usage or a broken file. */
int compare_main(int argc, char **argv);

void compare_results(const struct result *before, const struct result *after, struct arena *arena,
                     struct compare *out);

/* False: memory ran out. */
bool compare_text(const struct compare *compare, bool all, struct bytes *out);
void compare_json(const struct compare *compare, struct bytes *out);

#endif
