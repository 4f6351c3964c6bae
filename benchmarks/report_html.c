#include "benchmarks/report_html.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "benchmarks/charts.h"
#include "benchmarks/markup.h"
#include "benchmarks/report_overload.h"
#include "benchmarks/report_style.h"
#include "benchmarks/result.h"

#define SPECTRA_MAX 5    /* lines in one chart that can still be told apart */
#define COSTS_SEEN 4.0   /* bars of CPU are cut at so many times their median */
#define TARGETS_SEEN 2.0 /* bars of figures are cut at twice their target */

struct page {
    const struct result *result;
    struct arena *arena;
    struct bytes *out;
    bool failed;
};

static double *numbers(struct page *page, size_t count)
{
    double *list = arena_array(page->arena, count, sizeof list[0]);
    if (list == NULL)
        page->failed = true;
    return list;
}

static void section(struct page *page, const char *title, const char *text)
{
    bytes_add_text(page->out, "<section>\n");
    markup_element(page->out, "h2", "", title);
    if (text != NULL)
        markup_element(page->out, "p", "", text);
}

static void section_end(struct page *page)
{
    bytes_add_text(page->out, "</section>\n");
}

static void grid(struct page *page)
{
    bytes_add_text(page->out, "<div class=\"charts\">\n");
}

static void grid_end(struct page *page)
{
    bytes_add_text(page->out, "</div>\n");
}

/* ---- figures */

static void chart_figures(struct page *page)
{
    const struct result *result = page->result;
    struct charts_bar *bars = arena_array(page->arena, result->figure_count, sizeof bars[0]);
    double *parts = numbers(page, result->figure_count);
    char text[2 * NUMBERS_TEXT_MAX + RESULT_TEXT_MAX];
    char value[NUMBERS_TEXT_MAX];
    char target[NUMBERS_TEXT_MAX];
    size_t count = 0;
    if (bars == NULL || parts == NULL) {
        page->failed = true;
        return;
    }
    for (size_t i = 0; i < result->figure_count; i++) {
        const struct result_figure *figure = &result->figures[i];
        enum result_verdict verdict = result_judge(figure);
        if (verdict == RESULT_OPEN || !(figure->target > 0))
            continue;
        snprintf(text, sizeof text, "%s %s %s (%s %s)", verdict == RESULT_REACHED ? "✓" : "✗",
                 numbers_text(value, figure->value), figure->unit, figure->lower ? "≤" : "≥",
                 numbers_text(target, figure->target));
        parts[count] = figure->value / figure->target;
        bars[count] = (struct charts_bar){figure->name, &parts[count],
                                          arena_copy(page->arena, slice_of(text)).at,
                                          verdict == RESULT_REACHED ? 2 : 1};
        if (bars[count].value == NULL) {
            page->failed = true;
            return;
        }
        count++;
    }
    charts_bars_write(page->out,
                      &(struct charts_bars){
                          "figures",
                          "Figures as a part of their targets (%)",
                          "The line is the target. Where the text says ≥ a bar has to reach it, "
                          "where it says ≤ to stay short of it. Green (✓) is reached, orange "
                          "(✗) is not. Bars end at twice the target.",
                          {"of the target", AXIS_LINEAR, AXIS_PART},
                          (const char *[]){"Part of the target"},
                          1,
                          bars,
                          count,
                          1,
                          "target",
                          TARGETS_SEEN});
}

static void table_figures(struct page *page)
{
    const struct result *result = page->result;
    const char *const head[] = {"Figure", "Value", "Unit", "Target", "Verdict"};
    char value[NUMBERS_TEXT_MAX];
    char target[NUMBERS_TEXT_MAX];
    char bound[NUMBERS_TEXT_MAX + 8];
    markup_table(page->out, "Figures and their targets", head, 5);
    for (size_t i = 0; i < result->figure_count; i++) {
        const struct result_figure *figure = &result->figures[i];
        numbers_text(target, figure->target);
        snprintf(bound, sizeof bound, "%s%s",
                 isnan(figure->target) ? ""
                 : figure->lower       ? "≤ "
                                       : "≥ ",
                 target);
        markup_table_row(page->out,
                         (const char *[]){figure->name, numbers_text(value, figure->value),
                                          figure->unit, bound,
                                          result_verdict_name(result_judge(figure))},
                         5);
    }
    markup_table_end(page->out);
}

static void write_figures(struct page *page)
{
    section(
        page, "Figures against their targets",
        "fee_rule_share is counted, not timed: the fee rule's instructions (callgrind) as a part "
        "of those of a transfer's counted pieces. chaos_recovery_... is the longest time without "
        "a success after that fault.");
    grid(page);
    chart_figures(page);
    bytes_add_text(page->out, "<div>\n");
    table_figures(page);
    bytes_add_text(page->out, "</div>\n");
    grid_end(page);
    section_end(page);
}

/* ---- load */

struct curve { /* the curve's columns */
    double *offered, *throughput, *p50, *p99, *batch;
    size_t count;
};

static void take_curve(struct page *page, struct curve *curve)
{
    const struct result *result = page->result;
    size_t count = result->curve_count;
    double *all = numbers(page, 5 * count);
    *curve = (struct curve){.count = 0};
    if (all == NULL)
        return;
    *curve =
        (struct curve){all, all + count, all + 2 * count, all + 3 * count, all + 4 * count, count};
    for (size_t i = 0; i < count; i++) {
        curve->offered[i] = result->curve[i].offered;
        curve->throughput[i] = result->curve[i].throughput;
        curve->p50[i] = result->curve[i].p50;
        curve->p99[i] = result->curve[i].p99;
        curve->batch[i] = result->curve[i].batch_mean;
    }
}

static void chart_latency(struct page *page, const struct curve *c)
{
    const struct charts_line lines[] = {
        {"p50", c->throughput, c->p50, c->count, CHARTS_LINE, AXIS_TIME, 0},
        {"p99", c->throughput, c->p99, c->count, CHARTS_LINE, AXIS_TIME, 1},
        {"Offered per second", c->throughput, c->offered, c->count, CHARTS_TABLE, AXIS_PLAIN, 0},
    };
    char note[300];
    snprintf(note, sizeof note,
             "%zu points in the order of the load offered, up to saturation and past it, where the "
             "line turns up and back. Latency counts from the intended time.%s",
             c->count,
             page->result->quick ? " A quick run has few points; ci/bench without --quick has ten."
                                 : "");
    charts_plot_write(page->out,
                      &(struct charts_plot){"latency",
                                            "Latency (logarithmic) against throughput (answers/s)",
                                            note,
                                            {"answered per second", AXIS_LINEAR, AXIS_PLAIN},
                                            {"latency, logarithmic", AXIS_LOG, AXIS_TIME},
                                            lines,
                                            3,
                                            NULL,
                                            0});
}

static void chart_batch(struct page *page, const struct curve *c)
{
    const struct charts_line lines[] = {
        {"Transfers in a batch", c->offered, c->batch, c->count, CHARTS_LINE, AXIS_PLAIN, 2}};
    charts_plot_write(page->out,
                      &(struct charts_plot){"batch",
                                            "Batch size (transfers) against load (requests/s)",
                                            "How many transfers share one database transaction, "
                                            "on average.",
                                            {"offered per second", AXIS_LINEAR, AXIS_PLAIN},
                                            {"transfers in a batch", AXIS_LINEAR, AXIS_PLAIN},
                                            lines,
                                            1,
                                            NULL,
                                            0});
}

/* ---- percentile spectra, a few runs in a chart */

static bool take_spectrum(struct page *page, const struct result_run *run, int color,
                          struct charts_line *line)
{
    double *parts = numbers(page, run->spectrum_count);
    double *us = numbers(page, run->spectrum_count);
    if (parts == NULL || us == NULL)
        return false;
    for (size_t i = 0; i < run->spectrum_count; i++) {
        parts[i] = run->spectrum[i].part;
        us[i] = run->spectrum[i].us;
        /* the maximum stands where one call of all stands: no measurement reaches infinite nines */
        if (parts[i] >= 1 && run->sent > 1)
            parts[i] = fmax(1 - 1 / run->sent, i > 0 ? parts[i - 1] : 0);
    }
    *line = (struct charts_line){run->name,   parts,     us,   run->spectrum_count,
                                 CHARTS_LINE, AXIS_TIME, color};
    return true;
}

static void chart_spectrum(struct page *page, const struct charts_line *lines, size_t count,
                           size_t index)
{
    char id[40];
    char title[60];
    snprintf(id, sizeof id, "spectrum%zu", index);
    snprintf(title, sizeof title,
             index == 0 ? "Percentile spectrum (latency)" : "Percentile spectrum (latency), %zu",
             index + 1);
    charts_plot_write(page->out,
                      &(struct charts_plot){id,
                                            title,
                                            "So many of the calls took at most so long. Each step "
                                            "to the right is ten times rarer.",
                                            {"part of the calls, in nines", AXIS_NINES, AXIS_PART},
                                            {"latency, logarithmic", AXIS_LOG, AXIS_TIME},
                                            lines,
                                            count,
                                            NULL,
                                            0});
}

static void write_spectra(struct page *page)
{
    const struct result *result = page->result;
    struct charts_line lines[SPECTRA_MAX];
    size_t count = 0;
    size_t charts = 0;
    for (size_t i = 0; i < result->run_count && !page->failed; i++) {
        if (result->runs[i].spectrum_count == 0 ||
            !take_spectrum(page, &result->runs[i], (int)count, &lines[count]))
            continue;
        if (++count == SPECTRA_MAX) {
            chart_spectrum(page, lines, count, charts++);
            count = 0;
        }
    }
    if (count > 0 || charts == 0)
        chart_spectrum(page, lines, count, charts);
}

static void write_load(struct page *page)
{
    struct curve curve;
    section(page, "Load", NULL);
    grid(page);
    take_curve(page, &curve);
    chart_latency(page, &curve);
    write_spectra(page);
    if (!report_overload_write(page->result, page->arena, page->out))
        page->failed = true;
    chart_batch(page, &curve);
    grid_end(page);
    section_end(page);
}

/* ---- cost */

struct costs { /* CPU per request by process: a bar for each run */
    const char *names[RESULT_PROCESSES_MAX];
    size_t processes;
    struct charts_bar *bars;
    double *totals; /* sorted */
    size_t count;
};

static int by_size(const void *a, const void *b)
{
    const double *one = a;
    const double *other = b;
    return (*one > *other) - (*one < *other);
}

static bool add_cost(struct page *page, const struct result_run *run, struct costs *costs)
{
    char text[NUMBERS_TEXT_MAX];
    double *parts = numbers(page, costs->processes);
    double total = 0;
    if (parts == NULL)
        return false;
    for (size_t k = 0; k < costs->processes; k++) {
        parts[k] = result_number(&run->cpu, costs->names[k]);
        total += parts[k] > 0 ? parts[k] : 0;
    }
    if (total <= 0)
        return true;
    struct slice value = arena_copy(page->arena, slice_of(numbers_time(text, total)));
    if (value.at == NULL)
        return false;
    costs->totals[costs->count] = total;
    costs->bars[costs->count++] = (struct charts_bar){run->name, parts, value.at, 0};
    return true;
}

/* Of the sign-ins, or of all but them: a password costs hundreds of transfers. */
static bool take_costs(struct page *page, bool sign_ins, struct costs *costs)
{
    const struct result *result = page->result;
    *costs = (struct costs){0};
    costs->processes = result_processes(result, costs->names);
    costs->bars = arena_array(page->arena, result->run_count, sizeof costs->bars[0]);
    costs->totals = numbers(page, result->run_count);
    if (costs->bars == NULL || costs->totals == NULL)
        return false;
    for (size_t i = 0; i < result->run_count; i++) {
        const struct result_run *run = &result->runs[i];
        if ((strcmp(run->scenario, "sign_in") == 0) == sign_ins && !add_cost(page, run, costs))
            return false;
    }
    qsort(costs->totals, costs->count, sizeof costs->totals[0], by_size);
    return true;
}

static void chart_cpu(struct page *page)
{
    struct costs c;
    if (!take_costs(page, false, &c)) {
        page->failed = true;
        return;
    }
    double most = c.count == 0 ? NAN : COSTS_SEEN * c.totals[c.count / 2];
    charts_bars_write(page->out,
                      &(struct charts_bars){"cpu",
                                            "CPU per request, by process (time)",
                                            "All on one machine; bench is the load generator "
                                            "itself. Bars end at four times the median run; "
                                            "beyond it, the number says how long they are.",
                                            {"of CPU", AXIS_LINEAR, AXIS_TIME},
                                            c.names,
                                            c.processes,
                                            c.bars,
                                            c.count,
                                            NAN,
                                            NULL,
                                            most});
    if (!take_costs(page, true, &c)) {
        page->failed = true;
        return;
    }
    if (c.count > 0)
        charts_bars_write(page->out,
                          &(struct charts_bars){"cpu_sign_in",
                                                "CPU per sign-in, by process (time)",
                                                "argon2id is meant to be dear. Where sign-ins run "
                                                "beside payments, the payments' CPU is in it.",
                                                {"of CPU", AXIS_LINEAR, AXIS_TIME},
                                                c.names,
                                                c.processes,
                                                c.bars,
                                                c.count,
                                                NAN,
                                                NULL,
                                                NAN});
}

static void chart_guarantees(struct page *page)
{
    const struct result *result = page->result;
    struct charts_bar *bars = arena_array(page->arena, result->guarantee_count, sizeof bars[0]);
    char text[4 * NUMBERS_TEXT_MAX];
    char rate[NUMBERS_TEXT_MAX];
    char more[NUMBERS_TEXT_MAX];
    if (bars == NULL) {
        page->failed = true;
        return;
    }
    for (size_t i = 0; i < result->guarantee_count; i++) {
        const struct result_guarantee *now = &result->guarantees[i];
        double before = i == 0 ? NAN : result->guarantees[i - 1].per_second;
        double added =
            now->per_second > 0 && before > 0 ? 1e6 / now->per_second - 1e6 / before : NAN;
        snprintf(text, sizeof text, "%s/s%s%s%s", numbers_text(rate, now->per_second),
                 isnan(added) ? ""
                 : added < 0  ? ", "
                              : ", +",
                 isnan(added) ? "" : numbers_time(more, added), isnan(added) ? "" : " each");
        struct slice value = arena_copy(page->arena, slice_of(text));
        if (value.at == NULL)
            page->failed = true;
        bars[i] =
            (struct charts_bar){now->name, &now->per_second, value.at == NULL ? "" : value.at, 0};
    }
    charts_bars_write(page->out,
                      &(struct charts_bars){"guarantees",
                                            "What each guarantee costs (transfers/s)",
                                            "Each bar has all that the ones above it have. The "
                                            "second number is the time it adds to a transfer.",
                                            {"transfers per second", AXIS_LINEAR, AXIS_PLAIN},
                                            (const char *[]){"Per second"},
                                            1,
                                            bars,
                                            result->guarantee_count,
                                            NAN,
                                            NULL,
                                            NAN});
}

/* Those in 1/s, and the fastest transfer run beside them. */
static void chart_baselines(struct page *page)
{
    const struct result *result = page->result;
    struct charts_bar *bars = arena_array(page->arena, result->baseline_count + 1, sizeof bars[0]);
    char text[NUMBERS_TEXT_MAX];
    const struct result_run *peak = result_find_run(result, "send_money_peak");
    double *throughput = numbers(page, 1);
    size_t count = 0;
    if (bars == NULL || throughput == NULL) {
        page->failed = true;
        return;
    }
    *throughput = peak == NULL ? NAN : result_throughput(peak);
    if (!isnan(*throughput))
        bars[count++] = (struct charts_bar){"this server: send_money_peak", throughput, "", 2};
    for (size_t i = 0; i < result->baseline_count; i++)
        if (strcmp(result->baselines[i].unit, "1/s") == 0)
            bars[count++] =
                (struct charts_bar){result->baselines[i].name, &result->baselines[i].value, "", 0};
    for (size_t i = 0; i < count; i++) {
        struct slice value =
            arena_copy(page->arena, slice_of(numbers_text(text, bars[i].parts[0])));
        if (value.at == NULL)
            page->failed = true;
        bars[i].value = value.at == NULL ? "" : value.at;
    }
    charts_bars_write(page->out, &(struct charts_bars){
                                     "baselines",
                                     "Baselines of the same run (per second)",
                                     "The same machine, tables and settings; green is this server.",
                                     {"per second", AXIS_LINEAR, AXIS_PLAIN},
                                     (const char *[]){"Per second"},
                                     1,
                                     bars,
                                     count,
                                     NAN,
                                     NULL,
                                     NAN});
}

static void table_baselines(struct page *page)
{
    const struct result *result = page->result;
    const struct result_run *peak = result_find_run(result, "send_money_peak");
    double throughput = peak == NULL ? NAN : result_throughput(peak);
    const char *const head[] = {"Baseline", "Value", "Unit", "send_money_peak is"};
    char value[NUMBERS_TEXT_MAX];
    char times[NUMBERS_TEXT_MAX];
    char ratio[NUMBERS_TEXT_MAX + 4];
    markup_table(page->out, "Baselines and ratios", head, 4);
    for (size_t i = 0; i < result->baseline_count; i++) {
        const struct result_baseline *baseline = &result->baselines[i];
        bool compares = strcmp(baseline->unit, "1/s") == 0 && baseline->value > 0;
        numbers_text(times, compares ? throughput / baseline->value : NAN);
        snprintf(ratio, sizeof ratio, "%s%s", times, strcmp(times, "-") == 0 ? "" : " ×");
        markup_table_row(page->out,
                         (const char *[]){baseline->name, numbers_text(value, baseline->value),
                                          baseline->unit, ratio},
                         4);
    }
    markup_table_end(page->out);
}

static void write_cost(struct page *page)
{
    section(page, "Cost, and what it is compared with", NULL);
    grid(page);
    chart_cpu(page);
    chart_guarantees(page);
    chart_baselines(page);
    bytes_add_text(page->out, "<div>\n");
    table_baselines(page);
    bytes_add_text(page->out, "</div>\n");
    grid_end(page);
    section_end(page);
}

/* ---- time lines */

struct timeline {
    double *t, *offered, *ok, *refused, *failed, *p50, *p99;
    size_t count;
    struct charts_mark *marks;
    size_t mark_count;
};

static bool take_timeline(struct page *page, const struct result_run *run, struct timeline *line)
{
    size_t n = run->series_count;
    double *all = numbers(page, 7 * n);
    struct charts_mark *marks = arena_array(page->arena, run->fault_count, sizeof marks[0]);
    if (all == NULL || marks == NULL) {
        page->failed = true;
        return false;
    }
    *line = (struct timeline){all,         all + n,     all + 2 * n, all + 3 * n, all + 4 * n,
                              all + 5 * n, all + 6 * n, n,           marks,       run->fault_count};
    for (size_t i = 0; i < n; i++) {
        const struct result_second *second = &run->series[i];
        line->t[i] = second->t;
        line->offered[i] = second->offered;
        line->ok[i] = second->ok;
        line->refused[i] = second->refused;
        line->failed[i] = second->failed;
        line->p50[i] = second->p50;
        line->p99[i] = second->p99;
    }
    for (size_t i = 0; i < run->fault_count; i++)
        marks[i] = (struct charts_mark){run->faults[i].t, run->faults[i].what};
    return true;
}

static void write_timeline(struct page *page, const struct result_run *run, size_t index)
{
    struct timeline l;
    char id[40];
    char title[RESULT_TEXT_MAX + 40];
    if (!take_timeline(page, run, &l))
        return;
    const struct charts_line flows[] = {
        {"offered", l.t, l.offered, l.count, CHARTS_DASHED, AXIS_PLAIN, 7},
        {"good (2xx)", l.t, l.ok, l.count, CHARTS_LINE, AXIS_PLAIN, 0},
        {"refused", l.t, l.refused, l.count, CHARTS_LINE, AXIS_PLAIN, 3},
        {"failed", l.t, l.failed, l.count, CHARTS_LINE, AXIS_PLAIN, 1},
    };
    const struct charts_line times[] = {
        {"p50", l.t, l.p50, l.count, CHARTS_LINE, AXIS_TIME, 0},
        {"p99", l.t, l.p99, l.count, CHARTS_LINE, AXIS_TIME, 1},
    };
    const struct charts_axis seconds = {"seconds", AXIS_LINEAR, AXIS_PLAIN};
    snprintf(id, sizeof id, "flow%zu", index);
    snprintf(title, sizeof title, "%s: answers per second", run->name);
    charts_plot_write(page->out, &(struct charts_plot){id,
                                                       title,
                                                       NULL,
                                                       seconds,
                                                       {"per second", AXIS_LINEAR, AXIS_PLAIN},
                                                       flows,
                                                       4,
                                                       l.marks,
                                                       l.mark_count});
    snprintf(id, sizeof id, "time%zu", index);
    snprintf(title, sizeof title, "%s: latency (logarithmic)", run->name);
    charts_plot_write(page->out,
                      &(struct charts_plot){id,
                                            title,
                                            NULL,
                                            seconds,
                                            {"latency, logarithmic", AXIS_LOG, AXIS_TIME},
                                            times,
                                            2,
                                            l.marks,
                                            l.mark_count});
}

static size_t write_timelines_of(struct page *page, bool with_faults)
{
    const struct result *result = page->result;
    size_t count = 0;
    for (size_t i = 0; i < result->run_count && !page->failed; i++) {
        const struct result_run *run = &result->runs[i];
        if (run->series_count == 0 || (run->fault_count > 0) != with_faults)
            continue;
        write_timeline(page, run, i);
        count++;
    }
    return count;
}

static void write_timelines(struct page *page)
{
    section(page, "Time lines",
            "A point for each second. Faults are the numbered lines; what each was is told below "
            "its chart.");
    grid(page);
    size_t count = write_timelines_of(page, true);
    grid_end(page);
    if (count == 0)
        markup_element(page->out, "p", " class=\"none\"", "No run of this report had faults.");
    bytes_add_text(page->out,
                   "<details><summary>Runs without faults</summary>\n<div class=\"charts\">\n");
    write_timelines_of(page, false);
    bytes_add_text(page->out, "</div></details>\n");
    section_end(page);
}

/* ---- runs and where they ran */

static const char *audit_of(const struct result_run *run)
{
    return run->audit[0] == '\0' ? "-" : run->audit;
}

static void table_runs(struct page *page)
{
    const struct result *result = page->result;
    const char *const head[] = {"Run", "Mode", "Audit", "Answered/s", "Mean", "p50",
                                "p90", "p99",  "p99.9", "p99.99",     "Max",  "Bench busy"};
    char t[9][NUMBERS_TEXT_MAX];
    markup_table(page->out, "Runs, latency from the intended time", head, 12);
    for (size_t i = 0; i < result->run_count; i++) {
        const struct result_run *run = &result->runs[i];
        const struct result_percentiles *l = &run->latency;
        markup_table_row(page->out,
                         (const char *[]){run->name, run->mode, audit_of(run),
                                          numbers_text(t[0], result_throughput(run)),
                                          numbers_time(t[1], l->mean), numbers_time(t[2], l->p50),
                                          numbers_time(t[3], l->p90), numbers_time(t[4], l->p99),
                                          numbers_time(t[5], l->p999), numbers_time(t[6], l->p9999),
                                          numbers_time(t[7], l->max),
                                          axis_label(t[8], AXIS_PART, run->bench_busy)},
                         12);
    }
    markup_table_end(page->out);
}

static void table_calls(struct page *page, const struct result_run *run)
{
    const char *const head[] = {"Call", "Sent", "Good", "p50", "p99"};
    char t[4][NUMBERS_TEXT_MAX];
    if (run->call_count == 0)
        return;
    markup_element(page->out, "h3", "", run->name);
    markup_table(page->out, run->name, head, 5);
    for (size_t i = 0; i < run->call_count; i++) {
        const struct result_call *call = &run->calls[i];
        markup_table_row(page->out,
                         (const char *[]){call->name, numbers_text(t[0], call->sent),
                                          numbers_text(t[1], call->ok),
                                          numbers_time(t[2], call->p50),
                                          numbers_time(t[3], call->p99)},
                         5);
    }
    markup_table_end(page->out);
}

static void write_runs(struct page *page)
{
    section(page, "Runs",
            "The audit proves afterwards that each acknowledged transfer exists exactly once; a "
            "run that failed it has no throughput.");
    table_runs(page);
    bytes_add_text(page->out, "<details><summary>By call</summary>\n");
    for (size_t i = 0; i < page->result->run_count; i++)
        table_calls(page, &page->result->runs[i]);
    bytes_add_text(page->out, "</details>\n");
    section_end(page);
}

static void table_entries(struct page *page, const char *title,
                          const struct result_entries *entries)
{
    const char *const head[] = {title, "Value"};
    markup_table(page->out, title, head, 2);
    for (size_t i = 0; i < entries->count; i++)
        markup_table_row(page->out, (const char *[]){entries->at[i].name, entries->at[i].text}, 2);
    markup_table_end(page->out);
}

static void write_circumstances(struct page *page)
{
    const struct result *result = page->result;
    section(page, "Machine, versions, settings, data", NULL);
    grid(page);
    table_entries(page, "Machine", &result->machine);
    table_entries(page, "Versions", &result->versions);
    table_entries(page, "Settings", &result->settings);
    table_entries(page, "Data", &result->data);
    grid_end(page);
    section_end(page);
}

static void write_head(struct page *page)
{
    const struct result *result = page->result;
    char warning[RESULT_MESSAGE_MAX];
    size_t reached = 0;
    size_t judged = 0;
    for (size_t i = 0; i < result->figure_count; i++) {
        reached += result_judge(&result->figures[i]) == RESULT_REACHED;
        judged += result_judge(&result->figures[i]) != RESULT_OPEN;
    }
    bytes_add_text(page->out,
                   "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n"
                   "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n"
                   "<title>Moolah benchmark</title>\n<style>\n" REPORT_STYLE
                   "</style>\n</head>\n<body>\n<header>\n<h1>Moolah benchmark</h1>\n<p>");
    markup_text(page->out, result->at);
    bytes_add_text(page->out, " · commit ");
    markup_text(page->out, result->commit[0] == '\0' ? "unknown" : result->commit);
    if (result->quick)
        bytes_add_text(page->out, " · <strong>quick run</strong>: short, so noisy");
    bytes_printf(page->out, "</p>\n<p><strong>%zu of %zu targets reached</strong></p>\n", reached,
                 judged);
    for (size_t i = 0; i < result->run_count; i++)
        if (strcmp(result->runs[i].audit, "failed") == 0) {
            bytes_add_text(page->out, "<p class=\"warning\"><strong>The audit of ");
            markup_text(page->out, result->runs[i].name);
            bytes_add_text(page->out, " FAILED</strong>: its figures are worth nothing</p>\n");
        }
    if (result_warning(result, warning)) {
        bytes_add_text(page->out, "<p class=\"warning\"><strong>Warning</strong>: ");
        markup_text(page->out, warning);
        bytes_add_text(page->out, "</p>\n");
    }
    bytes_add_text(page->out, "</header>\n");
}

bool report_html_write(const struct result *result, struct arena *arena, struct bytes *out)
{
    struct page page = {result, arena, out, false};
    write_head(&page);
    bytes_add_text(out, "<main>\n");
    write_figures(&page);
    write_load(&page);
    write_cost(&page);
    write_timelines(&page);
    write_runs(&page);
    write_circumstances(&page);
    bytes_add_text(out, "</main>\n</body>\n</html>\n");
    return !page.failed && !out->failed;
}
