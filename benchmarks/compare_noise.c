#include "benchmarks/compare_noise.h"

#include <math.h>
#include <string.h>

#include "base/arena.h"
#include "benchmarks/result.h"

#define SECONDS_LEAST 5
#define SECONDS_FULL 10.0 /* a run of so many has the floors as they are */
#define QUICK_FACTOR 2.0
#define BASELINE_LEAST 0.10
#define FIGURE_LEAST 0.10
#define RECOVERY_LEAST 1.
#define TICKS_US 20000.0 /* one at the beginning, one at the end */
#define SOURCES_MAX 2

const char compare_noise_help[] =
    "What counts as noise, by `noise from`:\n"
    "  seconds  99 % interval of the difference, from the seconds of both runs\n"
    "  spread   runs too short for that: from their slowest second to their fastest\n"
    "  ticks    CPU is counted in ticks of 10 ms\n"
    "  floor    never less than what two runs of one build differ by: throughput 2 %, p50 10 %,\n"
    "           p99 20 %, p99.9 35 %, CPU 5 %, baselines 10 %; more for runs under 10 s (the root\n"
    "           of 10 / seconds), twice for quick results\n"
    "A figure made of several numbers has the noise of all of them.\n";

/* ---- from seconds */

struct series {
    double mean;
    double error; /* the mean's variance */
    double freedom;
};

static struct series measure_series(const double *values, size_t count)
{
    double sum = 0;
    double squares = 0;
    double neighbours = 0;
    for (size_t i = 0; i < count; i++)
        sum += values[i];
    double mean = sum / (double)count;
    for (size_t i = 0; i < count; i++) {
        squares += (values[i] - mean) * (values[i] - mean);
        if (i > 0)
            neighbours += (values[i] - mean) * (values[i - 1] - mean);
    }
    double likeness = squares > 0 ? fmin(fmax(neighbours / squares, 0), 0.9) : 0;
    double effective = fmax(2, (double)count * (1 - likeness) / (1 + likeness));
    double variance = squares / (double)(count - 1);
    return (struct series){mean, variance / effective, effective - 1};
}

/* Student's t, two-sided 99 %: the table, and what lies between on the safe side. */
static double student(double freedom)
{
    static const double table[] = {63.66, 9.925, 5.841, 4.604, 4.032, 3.707, 3.499, 3.355,
                                   3.250, 3.169, 3.106, 3.055, 3.012, 2.977, 2.947};
    size_t at = freedom < 1 ? 1 : (size_t)fmin(freedom, 1e6);
    if (at <= sizeof table / sizeof table[0])
        return table[at - 1];
    return at < 20 ? 2.947 : at < 30 ? 2.845 : at < 60 ? 2.750 : at < 120 ? 2.660 : 2.617;
}

double compare_noise_of_seconds(const double *before, size_t before_count, const double *after,
                                size_t after_count)
{
    if (before_count < SECONDS_LEAST || after_count < SECONDS_LEAST)
        return NAN;
    struct series a = measure_series(before, before_count);
    struct series b = measure_series(after, after_count);
    double noise = student(fmin(a.freedom, b.freedom)) * sqrt(a.error + b.error) / a.mean;
    return a.mean > 0 && isfinite(noise) ? noise : NAN;
}

/* As a part of the mean; NAN: fewer than two. */
static double spread(const double *values, size_t count)
{
    double sum = 0;
    double least = INFINITY;
    double most = -INFINITY;
    for (size_t i = 0; i < count; i++) {
        sum += values[i];
        least = fmin(least, values[i]);
        most = fmax(most, values[i]);
    }
    return count >= 2 && sum > 0 ? (most - least) / (sum / (double)count) : NAN;
}

/* One column of a run's series without what was not measured, and `edge` seconds at each end. */
static double *column(struct arena *arena, const struct result_run *run, size_t offset, size_t edge,
                      size_t *count)
{
    double *values = arena_array(arena, run->series_count, sizeof values[0]);
    *count = 0;
    for (size_t i = edge; values != NULL && i + edge < run->series_count; i++) {
        double value = *(const double *)(const void *)((const char *)&run->series[i] + offset);
        if (isfinite(value))
            values[(*count)++] = value;
    }
    return values;
}

struct columns {
    double *values[2]; /* NULL: memory ran out */
    size_t counts[2];
};

static struct columns columns(const struct result_run *const runs[2], size_t offset, size_t edge,
                              struct arena *arena)
{
    struct columns c;
    for (int i = 0; i < 2; i++)
        c.values[i] = column(arena, runs[i], offset, edge, &c.counts[i]);
    return c;
}

/* What the seconds of both runs say. Its part is NAN when they say nothing, its basis NULL when
 * memory ran out. */
static struct compare_noise from_series(const struct result_run *const runs[2], size_t offset,
                                        struct arena *arena)
{
    struct columns inner = columns(runs, offset, 1, arena);
    struct columns all = columns(runs, offset, 0, arena);
    if (inner.values[0] == NULL || inner.values[1] == NULL || all.values[0] == NULL ||
        all.values[1] == NULL)
        return (struct compare_noise){NAN, NULL};
    double part = compare_noise_of_seconds(inner.values[0], inner.counts[0], inner.values[1],
                                           inner.counts[1]);
    if (!isnan(part))
        return (struct compare_noise){part, "seconds"};
    return (struct compare_noise){
        hypot(spread(all.values[0], all.counts[0]), spread(all.values[1], all.counts[1])),
        "spread"};
}

/* ---- of a run */

static double floor_of(enum compare_noise_measure measure)
{
    static const double least[] = {[COMPARE_NOISE_THROUGHPUT] = 0.02,
                                   [COMPARE_NOISE_P50] = 0.10,
                                   [COMPARE_NOISE_P99] = 0.20,
                                   [COMPARE_NOISE_P999] = 0.35,
                                   [COMPARE_NOISE_CPU] = 0.05};
    return least[measure];
}

static double ticks(const struct result_run *const runs[2], const char *process)
{
    double noise = 0;
    for (int i = 0; i < 2; i++) {
        double all = result_number(&runs[i]->cpu, process) * runs[i]->sent;
        noise = hypot(noise, all > 0 ? TICKS_US / all : 0);
    }
    return noise;
}

struct compare_noise compare_noise_of_run(const struct result_run *const runs[2],
                                          enum compare_noise_measure measure, const char *process,
                                          bool quick, struct arena *arena)
{
    static const size_t offsets[] = {[COMPARE_NOISE_THROUGHPUT] =
                                         offsetof(struct result_second, ok),
                                     [COMPARE_NOISE_P50] = offsetof(struct result_second, p50),
                                     [COMPARE_NOISE_P99] = offsetof(struct result_second, p99)};
    double seconds = fmin(runs[0]->seconds, runs[1]->seconds);
    double least = floor_of(measure) * (quick ? QUICK_FACTOR : 1);
    if (seconds > 0 && seconds < SECONDS_FULL)
        least *= sqrt(SECONDS_FULL / seconds);
    struct compare_noise own = {NAN, "floor"};
    if (measure <= COMPARE_NOISE_P99)
        own = from_series(runs, offsets[measure], arena);
    else if (measure == COMPARE_NOISE_CPU && process != NULL)
        own = (struct compare_noise){ticks(runs, process), "ticks"};
    if (own.basis == NULL)
        return own;
    return own.part > least ? own : (struct compare_noise){least, "floor"};
}

struct compare_noise compare_noise_of_baseline(bool quick)
{
    return (struct compare_noise){BASELINE_LEAST * (quick ? QUICK_FACTOR : 1), "floor"};
}

/* ---- of a figure */

struct source {
    const char *run;
    enum compare_noise_measure measure;
};

#define THROUGHPUT_OF(run)            \
    {                                 \
        run, COMPARE_NOISE_THROUGHPUT \
    }
#define P50_OF(run)            \
    {                          \
        run, COMPARE_NOISE_P50 \
    }
#define P99_OF(run)            \
    {                          \
        run, COMPARE_NOISE_P99 \
    }
#define P999_OF(run)            \
    {                           \
        run, COMPARE_NOISE_P999 \
    }
#define CPU_OF(run)            \
    {                          \
        run, COMPARE_NOISE_CPU \
    }

static const struct recipe {
    const char *figure;
    struct source sources[SOURCES_MAX];
    bool baseline; /* and one of those */
} recipes[] = {
    {"send_money_peak", {THROUGHPUT_OF("send_money_peak")}, false},
    {"send_money_vs_one_per_tx", {THROUGHPUT_OF("send_money_peak")}, true},
    {"send_money_vs_raw", {THROUGHPUT_OF("send_money_peak")}, true},
    {"popular_vs_uniform",
     {THROUGHPUT_OF("popular_wallet"), THROUGHPUT_OF("send_money_peak")},
     false},
    {"single_user_p50_vs_pgbench", {P50_OF("single_user")}, true},
    {"at_1000_p50", {P50_OF("at_1000")}, false},
    {"at_1000_p99", {P99_OF("at_1000")}, false},
    {"at_1000_p99.9", {P999_OF("at_1000")}, false},
    {"balance_vs_nginx", {THROUGHPUT_OF("balance"), THROUGHPUT_OF("constant")}, false},
    {"statement_p99_big_vs_empty", {P99_OF("big_statement"), P99_OF("statement")}, false},
    {"throughput_big_vs_small",
     {THROUGHPUT_OF("big_send_money"), THROUGHPUT_OF("small_send_money")},
     false},
    {"server_cpu_per_transfer", {CPU_OF("send_money_peak")}, false},
    {"overload_goodput", {THROUGHPUT_OF("overload_2x"), THROUGHPUT_OF("send_money_peak")}, false},
    {"overload_p99", {P99_OF("overload_2x")}, false},
    {"overload_10x_goodput",
     {THROUGHPUT_OF("overload_10x"), THROUGHPUT_OF("send_money_peak")},
     false},
    {"mixed", {THROUGHPUT_OF("mixed")}, false},
    {"sign_in_vs_argon2id", {THROUGHPUT_OF("storm_sign_in"), CPU_OF("storm_sign_in")}, true},
    {"storm_payments_p99", {P99_OF("storm_payments"), P99_OF("storm_payments_alone")}, false},
};

static double floor_by_name(const char *name)
{
    if (strncmp(name, "chaos_recovery_", 15) == 0) /* whose turn it was when it struck, mostly */
        return RECOVERY_LEAST;
    if (strstr(name, "p999") != NULL || strstr(name, "p99.9") != NULL)
        return floor_of(COMPARE_NOISE_P999);
    return strstr(name, "p99") != NULL ? floor_of(COMPARE_NOISE_P99) : FIGURE_LEAST;
}

static struct compare_noise by_recipe(const struct result *const results[2],
                                      const struct recipe *recipe, struct arena *arena)
{
    bool quick = results[0]->quick || results[1]->quick;
    struct compare_noise sum = {recipe->baseline ? compare_noise_of_baseline(quick).part : 0,
                                "floor"};
    double largest = sum.part;
    for (size_t i = 0; i < SOURCES_MAX && recipe->sources[i].run != NULL; i++) {
        const struct source *source = &recipe->sources[i];
        const struct result_run *const runs[2] = {result_find_run(results[0], source->run),
                                                  result_find_run(results[1], source->run)};
        if (runs[0] == NULL || runs[1] == NULL)
            return (struct compare_noise){0, "floor"};
        struct compare_noise one =
            compare_noise_of_run(runs, source->measure, "moolahd", quick, arena);
        sum.part = hypot(sum.part, one.part);
        if (one.part > largest || one.basis == NULL) {
            largest = one.part;
            sum.basis = one.basis;
        }
    }
    return sum;
}

struct compare_noise compare_noise_of_figure(const struct result *const results[2],
                                             const struct result_figure *figure,
                                             struct arena *arena)
{
    bool quick = results[0]->quick || results[1]->quick;
    struct compare_noise noise = {0, "floor"};
    for (size_t i = 0; i < sizeof recipes / sizeof recipes[0]; i++)
        if (strcmp(recipes[i].figure, figure->name) == 0)
            noise = by_recipe(results, &recipes[i], arena);
    if (noise.part == 0)
        noise.part = floor_by_name(figure->name) * (quick ? QUICK_FACTOR : 1);
    return noise;
}
