/* How much of a difference between two results is noise: a part of the old value that a change has
 * to exceed before it counts. From the two runs' own seconds where they have them, with a floor
 * below, because two runs of the same build differ by more than the seconds of one run do:
 * - "seconds": five seconds and more on both sides, without the first and the last. The interval of
 *   the difference of two means at 99 % (Student's t), with fewer effective seconds the more a
 *   second resembles the one before.
 * - "spread": fewer, but two at least. The distance from the slowest to the fastest second.
 * - "ticks": CPU is counted in ticks of 10 ms; short runs of cheap calls have few of them.
 * - "floor": throughput 2 %, p50 10 %, p99 20 %, p99.9 35 %, CPU 5 %, baselines and figures without
 *   runs 10 %. For runs of under 10 s it is multiplied by the root of 10 / seconds, and doubled
 * when either result is a quick one. Several numbers in one figure: the root of the sum of their
 * squares. */
#ifndef BENCHMARKS_COMPARE_NOISE_H
#define BENCHMARKS_COMPARE_NOISE_H

#include <stdbool.h>
#include <stddef.h>

struct arena;
struct result;
struct result_figure;
struct result_run;

enum compare_noise_measure {
    COMPARE_NOISE_THROUGHPUT,
    COMPARE_NOISE_P50,
    COMPARE_NOISE_P99,
    COMPARE_NOISE_P999,
    COMPARE_NOISE_CPU
};

struct compare_noise {
    double part;       /* NAN: memory ran out */
    const char *basis; /* "seconds", "spread", "ticks" or "floor" */
};

/* `process`: whose CPU, else NULL. */
struct compare_noise compare_noise_of_run(const struct result_run *const runs[2],
                                          enum compare_noise_measure measure, const char *process,
                                          bool quick, struct arena *arena);

/* By the runs and baselines that collect_figures.c makes the figure of. */
struct compare_noise compare_noise_of_figure(const struct result *const results[2],
                                             const struct result_figure *figure,
                                             struct arena *arena);

struct compare_noise compare_noise_of_baseline(bool quick);

/* The "seconds" of two series, as a part of the first's mean; NAN: too short. */
double compare_noise_of_seconds(const double *before, size_t before_count, const double *after,
                                size_t after_count);

/* The lines that tell people all of this. */
extern const char compare_noise_help[];

#endif
