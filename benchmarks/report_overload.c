#include "benchmarks/report_overload.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "benchmarks/charts.h"
#include "benchmarks/result.h"

#define OFFERED_SEEN 1.5 /* times the peak: beyond, all that is offered would leave the drawing */
#define GOODPUT_WANTED 0.9
#define OTHER "other connections"

struct point {
    double offered; /* in multiples of the peak */
    double good;    /* per second */
    double refused; /* part of all answers */
    bool other;     /* another set-up than the curve's: not to be joined with it */
};

struct overload { /* the points' columns, by what was offered, the curve's first */
    double *offered, *good, *refused;
    double *other_good, *other_refused; /* of another set-up; NAN where the former are not */
    double *all;                        /* that is offered a second; NAN beyond what is drawn */
    double *wanted;                     /* of good answers */
    size_t count;
    double peak;
};

/* What was told at once to come back later. */
static double refused_part(const struct result_run *run)
{
    double all = 0;
    double refused = 0;
    for (size_t i = 0; i < run->statuses.count; i++) {
        const struct result_entry *status = &run->statuses.at[i];
        double count = isnan(status->number) ? 0 : status->number;
        all += count;
        if (strcmp(status->name, "429") == 0 || strcmp(status->name, "503") == 0)
            refused += count;
    }
    return all > 0 ? round(refused / all * 1000) / 1000 : NAN;
}

static int by_offered(const void *a, const void *b)
{
    const struct point *one = a;
    const struct point *other = b;
    if (one->other != other->other)
        return one->other ? 1 : -1;
    return (one->offered > other->offered) - (one->offered < other->offered);
}

static bool is_load(const struct result_run *run)
{
    return strncmp(run->name, "curve_", 6) == 0 || strncmp(run->name, "overload", 8) == 0;
}

static bool alike(double a, double b)
{
    return a == b || (isnan(a) && isnan(b));
}

/* The first of the curve, else of any load: what is set up like it makes one line. */
static const struct result_run *reference_of(const struct result *result)
{
    const struct result_run *first = NULL;
    for (size_t i = 0; i < result->run_count; i++) {
        const struct result_run *run = &result->runs[i];
        if (strncmp(run->name, "curve_", 6) == 0)
            return run;
        if (first == NULL && is_load(run))
            first = run;
    }
    return first;
}

static bool take(const struct result *result, struct arena *arena, struct overload *overload)
{
    const struct result_run *peak = result_find_run(result, "send_money_peak");
    struct point *points = arena_array(arena, result->run_count, sizeof points[0]);
    double *all = arena_array(arena, 7 * result->run_count, sizeof all[0]);
    const struct result_run *reference = reference_of(result);
    *overload = (struct overload){.peak = peak == NULL ? NAN : result_throughput(peak)};
    if (points == NULL || all == NULL)
        return false;
    for (size_t i = 0; i < result->run_count; i++) {
        const struct result_run *run = &result->runs[i];
        double offered = run->offered / overload->peak;
        if (is_load(run) && isfinite(offered) && offered > 0)
            points[overload->count++] =
                (struct point){offered, result_throughput(run), refused_part(run),
                               !alike(run->connections, reference->connections) ||
                                   !alike(run->streams, reference->streams)};
    }
    qsort(points, overload->count, sizeof points[0], by_offered);
    overload->offered = all;
    overload->good = all + overload->count;
    overload->refused = all + 2 * overload->count;
    overload->all = all + 3 * overload->count;
    overload->wanted = all + 4 * overload->count;
    overload->other_good = all + 5 * overload->count;
    overload->other_refused = all + 6 * overload->count;
    for (size_t i = 0; i < overload->count; i++) {
        overload->offered[i] = points[i].offered;
        overload->good[i] = points[i].other ? NAN : points[i].good;
        overload->refused[i] = points[i].other ? NAN : points[i].refused;
        overload->other_good[i] = points[i].other ? points[i].good : NAN;
        overload->other_refused[i] = points[i].other ? points[i].refused : NAN;
        overload->all[i] =
            points[i].offered <= OFFERED_SEEN ? points[i].offered * overload->peak : NAN;
        overload->wanted[i] = GOODPUT_WANTED * overload->peak;
    }
    return true;
}

static void chart_goodput(const struct overload *o, struct bytes *out)
{
    const struct charts_line lines[] = {
        {"good (2xx)", o->offered, o->good, o->count, CHARTS_LINE, AXIS_PLAIN, 0},
        {"good, " OTHER, o->offered, o->other_good, o->count, CHARTS_DOTS, AXIS_PLAIN, 2},
        {"all that is offered", o->offered, o->all, o->count, CHARTS_DASHED, AXIS_PLAIN, 7},
        {"0.9 of the peak", o->offered, o->wanted, o->count, CHARTS_DASHED, AXIS_PLAIN, 1},
        {"refused", o->offered, o->refused, o->count, CHARTS_TABLE, AXIS_PART, 3},
        {"refused, " OTHER, o->offered, o->other_refused, o->count, CHARTS_TABLE, AXIS_PART, 3},
    };
    charts_plot_write(out, &(struct charts_plot){
                               "goodput",
                               "Goodput under overload (good answers/s)",
                               "What is answered well against what is offered: 1 is "
                               "send_money_peak. A line that stays up past 1 refuses early. Dots "
                               "are runs with other connections and streams: not of the line.",
                               {"offered, in multiples of the peak", AXIS_LOG, AXIS_PLAIN},
                               {"good answers per second", AXIS_LINEAR, AXIS_PLAIN},
                               lines,
                               6,
                               NULL,
                               0});
}

static void chart_refused(const struct overload *o, struct bytes *out)
{
    const struct charts_line lines[] = {
        {"refused (429, 503)", o->offered, o->refused, o->count, CHARTS_LINE, AXIS_PART, 3},
        {"refused, " OTHER, o->offered, o->other_refused, o->count, CHARTS_DOTS, AXIS_PART, 2},
    };
    charts_plot_write(
        out, &(struct charts_plot){"refused",
                                   "Refused under overload (% of requests)",
                                   "Told to come back later; how soon is refused_us of each run. "
                                   "Past the peak somebody has to be: of twice what can be "
                                   "done half, of ten times 90 %.",
                                   {"offered, in multiples of the peak", AXIS_LOG, AXIS_PLAIN},
                                   {"part of the requests", AXIS_LINEAR, AXIS_PART},
                                   lines,
                                   2,
                                   NULL,
                                   0});
}

bool report_overload_write(const struct result *result, struct arena *arena, struct bytes *out)
{
    struct overload overload;
    if (!take(result, arena, &overload))
        return false;
    chart_goodput(&overload, out);
    chart_refused(&overload, out);
    return true;
}
