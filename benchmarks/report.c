#include "benchmarks/report.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/json.h"
#include "benchmarks/numbers.h"
#include "benchmarks/report_html.h"
#include "benchmarks/result.h"

static const char help[] =
    "moolah-bench report RESULT.json [--html PAGE.html] [--json | --figures]: a result for people\n"
    "\n"
    "Takes the result.json that ci/bench leaves (or `moolah-bench collect`), prints where it was\n"
    "measured and tables: the runs, CPU per request by process, the baselines, and the figures\n"
    "against their targets.\n"
    "\n"
    "  --html PAGE.html   writes a page with charts, too: one file, nothing is loaded from "
    "elsewhere\n"
    "  --json             figures and verdicts for programs, instead of the tables\n"
    "  --figures          a line `name value unit` each, instead of the tables\n"
    "\n"
    "  moolah-bench report var/bench/result.json --html var/bench/report.html\n"
    "\n"
    "First see that each audit says passed, and that there is no WARNING. A target that isn't\n"
    "reached is no error.\n"
    "Exit codes: 0 written, 2 wrong usage, or a file that is no result or can't be written.\n";

static void heading(struct bytes *out, const char *text)
{
    bytes_printf(out, "\n%s\n\n", text);
}

static void add_entries(struct bytes *out, const char *name, const struct result_entries *entries)
{
    bytes_printf(out, "%s:", name);
    for (size_t i = 0; i < entries->count; i++)
        bytes_printf(out, "%s %s %s", i == 0 ? "" : ",", entries->at[i].name, entries->at[i].text);
    bytes_add_char(out, '\n');
}

static bool table_figures(const struct result *result, struct arena *arena, struct bytes *out)
{
    const char *const head[] = {"figure", "value", "unit", "target", "verdict"};
    struct numbers_table table;
    char value[NUMBERS_TEXT_MAX];
    char bound[NUMBERS_TEXT_MAX];
    char target[NUMBERS_TEXT_MAX + 4];
    numbers_table_init(&table, arena, head, 5);
    for (size_t i = 0; i < result->figure_count; i++) {
        const struct result_figure *figure = &result->figures[i];
        snprintf(target, sizeof target, "%s%s",
                 isnan(figure->target) ? ""
                 : figure->lower       ? "<= "
                                       : ">= ",
                 numbers_text(bound, figure->target));
        numbers_table_row(&table, (const char *[]){figure->name, numbers_text(value, figure->value),
                                                   figure->unit, target,
                                                   result_verdict_name(result_judge(figure))});
    }
    return numbers_table_write(&table, out);
}

static bool table_runs(const struct result *result, struct arena *arena, struct bytes *out)
{
    const char *const head[] = {"run",   "audit",  "answered/s", "p50",   "p90",       "p99",
                                "p99.9", "p99.99", "max",        "batch", "bench busy"};
    struct numbers_table table;
    char t[9][NUMBERS_TEXT_MAX];
    numbers_table_init(&table, arena, head, 11);
    for (size_t i = 0; i < result->run_count; i++) {
        const struct result_run *run = &result->runs[i];
        const struct result_percentiles *l = &run->latency;
        snprintf(t[8], sizeof t[8], isnan(run->bench_busy) ? "-" : "%.0f %%",
                 run->bench_busy * 100);
        numbers_table_row(&table,
                          (const char *[]){run->name, run->audit,
                                           numbers_text(t[0], result_throughput(run)),
                                           numbers_time(t[1], l->p50), numbers_time(t[2], l->p90),
                                           numbers_time(t[3], l->p99), numbers_time(t[4], l->p999),
                                           numbers_time(t[5], l->p9999), numbers_time(t[6], l->max),
                                           numbers_text(t[7], run->batch_mean), t[8]});
    }
    return numbers_table_write(&table, out);
}

/* A column for each process. */
static bool table_cpu(const struct result *result, struct arena *arena, struct bytes *out)
{
    const char *head[RESULT_PROCESSES_MAX + 1] = {"CPU per request"};
    const char *cells[RESULT_PROCESSES_MAX + 1];
    char texts[RESULT_PROCESSES_MAX][NUMBERS_TEXT_MAX];
    size_t processes = result_processes(result, head + 1);
    struct numbers_table table;
    numbers_table_init(&table, arena, head, processes + 1);
    for (size_t i = 0; i < result->run_count; i++) {
        cells[0] = result->runs[i].name;
        for (size_t k = 0; k < processes; k++)
            cells[k + 1] = numbers_time(texts[k], result_number(&result->runs[i].cpu, head[k + 1]));
        if (result->runs[i].cpu.count > 0)
            numbers_table_row(&table, cells);
    }
    return numbers_table_write(&table, out);
}

static bool table_baselines(const struct result *result, struct arena *arena, struct bytes *out)
{
    const char *const head[] = {"baseline", "value", "unit", "send_money_peak is"};
    const struct result_run *peak = result_find_run(result, "send_money_peak");
    double throughput = peak == NULL ? NAN : result_throughput(peak);
    struct numbers_table table;
    char value[NUMBERS_TEXT_MAX];
    char times[NUMBERS_TEXT_MAX];
    char ratio[NUMBERS_TEXT_MAX + 4];
    numbers_table_init(&table, arena, head, 4);
    for (size_t i = 0; i < result->baseline_count; i++) {
        const struct result_baseline *baseline = &result->baselines[i];
        bool compares = strcmp(baseline->unit, "1/s") == 0 && baseline->value > 0;
        numbers_text(times, compares ? throughput / baseline->value : NAN);
        snprintf(ratio, sizeof ratio, "%s%s", times, strcmp(times, "-") == 0 ? "" : " x");
        numbers_table_row(&table,
                          (const char *[]){baseline->name, numbers_text(value, baseline->value),
                                           baseline->unit, ratio});
    }
    return numbers_table_write(&table, out);
}

bool report_tables(const struct result *result, struct arena *arena, struct bytes *out)
{
    char warning[RESULT_MESSAGE_MAX];
    bytes_printf(out, "Moolah benchmark of %s, commit %s%s\n", result->at,
                 result->commit[0] == '\0' ? "unknown" : result->commit,
                 result->quick ? " (a quick run: short, so noisy)" : "");
    add_entries(out, "machine", &result->machine);
    add_entries(out, "versions", &result->versions);
    add_entries(out, "settings", &result->settings);
    add_entries(out, "data", &result->data);
    heading(out, "Runs, latency from the intended time:");
    if (!table_runs(result, arena, out))
        return false;
    for (size_t i = 0; i < result->run_count; i++)
        if (strcmp(result->runs[i].audit, "failed") == 0)
            bytes_printf(out, "%s: the audit FAILED, so its throughput is not shown\n",
                         result->runs[i].name);
    if (result_warning(result, warning))
        bytes_printf(out, "WARNING: %s\n", warning);
    bytes_add_char(out, '\n');
    if (!table_cpu(result, arena, out))
        return false;
    heading(out, "Baselines of the same run:");
    if (!table_baselines(result, arena, out))
        return false;
    heading(out, "Figures:");
    return table_figures(result, arena, out) && !out->failed;
}

void report_figures(const struct result *result, struct bytes *out)
{
    char number[NUMBERS_TEXT_MAX];
    for (size_t i = 0; i < result->figure_count; i++)
        if (isfinite(result->figures[i].value))
            bytes_printf(out, "%s %s %s\n", result->figures[i].name,
                         numbers_json(number, result->figures[i].value), result->figures[i].unit);
}

static void add_number(struct json_writer *writer, const char *key, double number)
{
    char text[NUMBERS_TEXT_MAX];
    json_write_key(writer, key);
    json_write_raw(writer, slice_of(numbers_json(text, number)));
}

void report_json(const struct result *result, struct bytes *out)
{
    struct json_writer writer;
    char warning[RESULT_MESSAGE_MAX] = "";
    json_write_init(&writer, out);
    json_write_object(&writer);
    json_write_key(&writer, "at");
    json_write_text(&writer, result->at);
    json_write_key(&writer, "commit");
    json_write_text(&writer, result->commit);
    result_warning(result, warning);
    json_write_key(&writer, "warning");
    json_write_text(&writer, warning);
    json_write_key(&writer, "figures");
    json_write_array(&writer);
    for (size_t i = 0; i < result->figure_count; i++) {
        const struct result_figure *figure = &result->figures[i];
        json_write_object(&writer);
        json_write_key(&writer, "name");
        json_write_text(&writer, figure->name);
        add_number(&writer, "value", figure->value);
        json_write_key(&writer, "unit");
        json_write_text(&writer, figure->unit);
        add_number(&writer, "target", figure->target);
        json_write_key(&writer, "better");
        json_write_text(&writer, figure->lower ? "lower" : "higher");
        json_write_key(&writer, "verdict");
        json_write_text(&writer, result_verdict_name(result_judge(figure)));
        json_write_object_end(&writer);
    }
    json_write_array_end(&writer);
    json_write_object_end(&writer);
    bytes_add_char(out, '\n');
}

struct options {
    const char *result, *html;
    bool json, figures, help;
};

/* `word` is what was not understood; NULL: the result is missing. */
static bool misunderstood(const char *word, const char *why)
{
    fprintf(stderr, "moolah-bench report%s%s%s %s. moolah-bench report --help says more\n",
            word == NULL ? "" : ": '", word == NULL ? "" : word, word == NULL ? "" : "'", why);
    return false;
}

static bool read_options(int argc, char **argv, struct options *options)
{
    *options = (struct options){0};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            options->help = true;
        else if (strcmp(argv[i], "--json") == 0)
            options->json = true;
        else if (strcmp(argv[i], "--figures") == 0)
            options->figures = true;
        else if (strcmp(argv[i], "--html") == 0 && i + 1 < argc)
            options->html = argv[++i];
        else if (strcmp(argv[i], "--html") == 0)
            return misunderstood(argv[i], "wants the page to write");
        else if (argv[i][0] == '-')
            return misunderstood(argv[i], "is no option");
        else if (options->result != NULL)
            return misunderstood(argv[i], "is a second result: `moolah-bench compare` takes two");
        else
            options->result = argv[i];
    }
    return options->help || options->result != NULL ||
           misunderstood(NULL, "wants a result, as ci/bench leaves it in var/bench/result.json");
}

static bool write_file(const char *path, const struct bytes *page)
{
    FILE *file = fopen(path, "we");
    if (file == NULL)
        return false;
    bool good = fwrite(page->at, 1, page->length, file) == page->length;
    return fclose(file) == 0 && good;
}

static int print_all(const struct result *result, struct arena *arena,
                     const struct options *options, struct bytes *out)
{
    if (options->html != NULL) {
        if (!report_html_write(result, arena, out)) {
            fputs("moolah-bench: out of memory\n", stderr);
            return 2;
        }
        if (!write_file(options->html, out)) {
            fprintf(stderr, "moolah-bench: %s cannot be written\n", options->html);
            return 2;
        }
        bytes_clear(out);
    }
    bool good = true;
    if (options->json)
        report_json(result, out);
    else if (options->figures)
        report_figures(result, out);
    else
        good = report_tables(result, arena, out);
    if (!good || out->failed) {
        fputs("moolah-bench: out of memory\n", stderr);
        return 2;
    }
    fwrite(out->at, 1, out->length, stdout);
    return fflush(stdout) == 0 ? 0 : 2;
}

int report_main(int argc, char **argv)
{
    struct options options;
    struct arena arena;
    struct bytes out;
    char message[RESULT_MESSAGE_MAX];
    if (!read_options(argc, argv, &options))
        return 2;
    if (options.help)
        return fputs(help, stdout) < 0;
    arena_init(&arena);
    bytes_init(&out, NULL);
    int status = 2;
    const struct result *result = result_read(options.result, &arena, message);
    if (result == NULL)
        fprintf(stderr, "moolah-bench: %s\n", message);
    else
        status = print_all(result, &arena, &options, &out);
    bytes_release(&out);
    arena_release(&arena);
    return status;
}
