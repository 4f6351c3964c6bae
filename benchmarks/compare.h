/* moolah-bench compare A.json B.json [--all] [--json]: what changed from A to B beyond noise.
 * --all shows what did not, too.
 *
 * Noise is a part of the old value that a change has to exceed before it counts:
 * - throughput: from the per-second series of both runs, without their first and last second. The
 *   interval of the difference of two means at 99 % (Student's t), with fewer effective seconds the
 *   more a second resembles the one before; never under 2 %, because two runs of the same build
 *   differ by more than the seconds of one run do. Under 5 seconds left: 10 %.
 * - p50 and p99: the same from the per-second p50 and p99, never under 10 % and 20 %. p99.9: 35 %,
 *   and only where a run has 100 calls beyond it.
 * - CPU per request of each process but the generator: 5 %.
 * - figures: 10 %, 20 % when the name has p99, 35 % when it has p999 or p99.9.
 * - calls that failed: a tenth of a percent of those sent, for runs without faults.
 * An audit that passed and now fails is always worse. Baselines are told, but judge nobody: when
 * they moved by more than 10 %, the machine did. */
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
    COMPARE_MOVED /* beyond noise, but neither good nor bad: a baseline */
};

enum compare_unit { COMPARE_NUMBER, COMPARE_TIME /* microseconds */, COMPARE_PART };

struct compare_row {
    const char *name; /* of the run or the figure */
    const char *what; /* "throughput", "p99", "cpu moolahd", "figure", "baseline", ... */
    enum compare_unit unit;
    double before, after;
    double change; /* a part of `before`; NAN when that is 0 */
    double noise;  /* the same: what it has to exceed */
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
    size_t better, worse;
    bool same_machine, same_settings; /* settings, data, quick */
    bool failed;                      /* memory ran out */
    struct arena *arena;
};

/* argv[0] is "compare". 0 nothing got worse, 1 something did, 2 usage or a broken file. */
int compare_main(int argc, char **argv);

void compare_results(const struct result *before, const struct result *after, struct arena *arena,
                     struct compare *out);

/* The noise of the difference of two series' means, as a part of the first's; NAN: too short. */
double compare_noise(const double *before, size_t before_count, const double *after,
                     size_t after_count);

/* False: memory ran out. */
bool compare_text(const struct compare *compare, bool all, struct bytes *out);
void compare_json(const struct compare *compare, struct bytes *out);

#endif
