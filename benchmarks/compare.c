#include "benchmarks/compare.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/json.h"
#include "benchmarks/numbers.h"

#define SECONDS_LEAST 5
#define THROUGHPUT_LEAST 0.02
#define THROUGHPUT_UNKNOWN 0.10
#define P50_LEAST 0.10
#define P99_LEAST 0.20
#define P999_LEAST 0.35
#define CPU_LEAST 0.05
#define FIGURE_LEAST 0.10
#define BASELINE_LEAST 0.10
#define FAILED_LEAST 0.001
#define TAIL_LEAST 100 /* calls beyond a percentile that make it mean something */

/* ---- noise */

struct series {
    double mean;
    double error; /* the mean's variance */
    double freedom;
};

static struct series measure(const double *values, size_t count)
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

double compare_noise(const double *before, size_t before_count, const double *after,
                     size_t after_count)
{
    if (before_count < SECONDS_LEAST || after_count < SECONDS_LEAST)
        return NAN;
    struct series a = measure(before, before_count);
    struct series b = measure(after, after_count);
    double noise = student(fmin(a.freedom, b.freedom)) * sqrt(a.error + b.error) / a.mean;
    return a.mean > 0 && isfinite(noise) ? noise : NAN;
}

/* One column of a run's series, without its first and last second and what was not measured. */
static double *column(struct arena *arena, const struct result_run *run, size_t offset,
                      size_t *count)
{
    double *values = arena_array(arena, run->series_count, sizeof values[0]);
    *count = 0;
    for (size_t i = 1; values != NULL && i + 1 < run->series_count; i++) {
        double value = *(const double *)(const void *)((const char *)&run->series[i] + offset);
        if (isfinite(value))
            values[(*count)++] = value;
    }
    return values;
}

static double noise_of(struct compare *c, const struct result_run *const runs[2], size_t offset)
{
    size_t counts[2];
    double *before = column(c->arena, runs[0], offset, &counts[0]);
    double *after = column(c->arena, runs[1], offset, &counts[1]);
    if (before == NULL || after == NULL) {
        c->failed = true;
        return NAN;
    }
    return compare_noise(before, counts[0], after, counts[1]);
}

/* ---- lists that grow */

static void *grow(struct compare *c, void *list, size_t *room, size_t count, size_t size)
{
    if (count < *room)
        return list;
    *room = *room == 0 ? 64 : *room * 2;
    void *more = arena_array(c->arena, *room, size);
    if (more == NULL)
        c->failed = true;
    else if (count > 0)
        memcpy(more, list, count * size);
    return more;
}

/* The row's verdict, and the row itself. Rows that lack a side are left out. */
static void add_row(struct compare *c, struct compare_row row, bool lower)
{
    if (c->failed || isnan(row.before) || isnan(row.after))
        return;
    struct compare_row *rows = grow(c, c->rows, &c->row_room, c->row_count, sizeof c->rows[0]);
    if (rows == NULL)
        return;
    c->rows = rows;
    double difference = row.after - row.before;
    bool beyond = fabs(difference) > row.noise * fabs(row.before);
    row.change = row.before != 0 ? difference / fabs(row.before) : difference == 0 ? 0 : NAN;
    if (row.verdict != COMPARE_MOVED)
        row.verdict = (difference < 0) == lower ? COMPARE_BETTER : COMPARE_WORSE;
    if (!beyond)
        row.verdict = COMPARE_SAME;
    c->better += row.verdict == COMPARE_BETTER;
    c->worse += row.verdict == COMPARE_WORSE;
    c->rows[c->row_count++] = row;
}

static void add_alone(struct compare *c, const char *kind, const char *name, bool in_first)
{
    char text[RESULT_TEXT_MAX + 80];
    const char **alone =
        c->failed ? NULL : grow(c, c->alone, &c->alone_room, c->alone_count, sizeof c->alone[0]);
    if (alone == NULL)
        return;
    c->alone = alone;
    snprintf(text, sizeof text, "%s %s is only in the %s", kind, name,
             in_first ? "first" : "second");
    const char *copy = arena_copy(c->arena, slice_of(text)).at;
    if (copy == NULL)
        c->failed = true;
    else
        c->alone[c->alone_count++] = copy;
}

/* ---- circumstances */

static void add_difference(struct compare *c, struct compare_difference difference)
{
    struct compare_difference *list = c->failed
                                          ? NULL
                                          : grow(c, c->differences, &c->difference_room,
                                                 c->difference_count, sizeof c->differences[0]);
    if (list == NULL)
        return;
    c->differences = list;
    c->differences[c->difference_count++] = difference;
}

/* True: all the same. */
static bool compare_entries(struct compare *c, const char *group,
                            const struct result_entries *before, const struct result_entries *after)
{
    size_t known = c->difference_count;
    for (size_t i = 0; i < before->count; i++) {
        const char *name = before->at[i].name;
        const char *other = result_text(after, name);
        if (other == NULL || strcmp(before->at[i].text, other) != 0)
            add_difference(c, (struct compare_difference){group, name, before->at[i].text,
                                                          other == NULL ? "-" : other});
    }
    for (size_t i = 0; i < after->count; i++)
        if (result_text(before, after->at[i].name) == NULL)
            add_difference(
                c, (struct compare_difference){group, after->at[i].name, "-", after->at[i].text});
    return c->difference_count == known;
}

/* Sizes grow from run to run by themselves; only what was asked for counts as another set-up. */
static bool same_data(const struct result *before, const struct result *after)
{
    double wallets[] = {result_number(&before->data, "wallets"),
                        result_number(&after->data, "wallets")};
    return wallets[0] == wallets[1] || (isnan(wallets[0]) && isnan(wallets[1]));
}

static void compare_circumstances(struct compare *c, const struct result *before,
                                  const struct result *after)
{
    c->same_machine = compare_entries(c, "machine", &before->machine, &after->machine);
    c->same_settings = compare_entries(c, "settings", &before->settings, &after->settings);
    compare_entries(c, "versions", &before->versions, &after->versions);
    compare_entries(c, "data", &before->data, &after->data);
    if (before->quick != after->quick)
        add_difference(c, (struct compare_difference){"run", "quick", before->quick ? "yes" : "no",
                                                      after->quick ? "yes" : "no"});
    c->same_settings =
        c->same_settings && before->quick == after->quick && same_data(before, after);
}

/* ---- rows */

static double at_least(double noise, double least)
{
    return isnan(noise) || noise < least ? least : noise;
}

static void compare_latency(struct compare *c, const struct result_run *const runs[2])
{
    const struct result_percentiles *before = &runs[0]->latency;
    const struct result_percentiles *after = &runs[1]->latency;
    const char *name = runs[0]->name;
    double p50 = noise_of(c, runs, offsetof(struct result_second, p50));
    double p99 = noise_of(c, runs, offsetof(struct result_second, p99));
    double sent = fmin(runs[0]->sent, runs[1]->sent);
    add_row(c,
            (struct compare_row){.name = name,
                                 .what = "p50",
                                 .unit = COMPARE_TIME,
                                 .before = before->p50,
                                 .after = after->p50,
                                 .noise = at_least(p50, P50_LEAST)},
            true);
    add_row(c,
            (struct compare_row){.name = name,
                                 .what = "p99",
                                 .unit = COMPARE_TIME,
                                 .before = before->p99,
                                 .after = after->p99,
                                 .noise = at_least(p99, P99_LEAST)},
            true);
    if (sent >= TAIL_LEAST * 1000)
        add_row(c,
                (struct compare_row){.name = name,
                                     .what = "p99.9",
                                     .unit = COMPARE_TIME,
                                     .before = before->p999,
                                     .after = after->p999,
                                     .noise = P999_LEAST},
                true);
}

static void compare_cpu(struct compare *c, const struct result_run *before,
                        const struct result_run *after)
{
    char what[RESULT_TEXT_MAX + 8];
    for (size_t i = 0; i < before->cpu.count; i++) {
        const struct result_entry *cpu = &before->cpu.at[i];
        if (strcmp(cpu->name, "bench") == 0)
            continue;
        snprintf(what, sizeof what, "cpu %s", cpu->name);
        const char *copy = arena_copy(c->arena, slice_of(what)).at;
        c->failed = c->failed || copy == NULL;
        add_row(c,
                (struct compare_row){.name = before->name,
                                     .what = copy,
                                     .unit = COMPARE_TIME,
                                     .before = cpu->number,
                                     .after = result_number(&after->cpu, cpu->name),
                                     .noise = CPU_LEAST},
                true);
    }
}

/* 1 passed, 0 failed, NAN not audited. */
static double audit_of(const struct result_run *run)
{
    return strcmp(run->audit, "passed") == 0 ? 1 : strcmp(run->audit, "failed") == 0 ? 0 : NAN;
}

static void compare_failures(struct compare *c, const struct result_run *before,
                             const struct result_run *after)
{
    double parts[] = {result_failed_part(before), result_failed_part(after)};
    /* the threshold is a part of the calls, not of what failed before */
    if (!(fabs(parts[1] - parts[0]) > FAILED_LEAST) || before->fault_count + after->fault_count > 0)
        return;
    add_row(c,
            (struct compare_row){.name = before->name,
                                 .what = "failed calls",
                                 .unit = COMPARE_PART,
                                 .before = parts[0],
                                 .after = parts[1],
                                 .noise = 0},
            true);
}

static void compare_run(struct compare *c, const struct result_run *before,
                        const struct result_run *after)
{
    const struct result_run *const runs[] = {before, after};
    double noise = noise_of(c, runs, offsetof(struct result_second, ok));
    if (audit_of(before) != audit_of(after))
        add_row(c,
                (struct compare_row){.name = before->name,
                                     .what = "audit",
                                     .before = audit_of(before),
                                     .after = audit_of(after)},
                false);
    add_row(c,
            (struct compare_row){.name = before->name,
                                 .what = "throughput",
                                 .before = result_throughput(before),
                                 .after = result_throughput(after),
                                 .noise = isnan(noise) ? THROUGHPUT_UNKNOWN
                                                       : fmax(noise, THROUGHPUT_LEAST)},
            false);
    compare_latency(c, runs);
    compare_cpu(c, before, after);
    compare_failures(c, before, after);
}

static void compare_runs(struct compare *c, const struct result *before, const struct result *after)
{
    for (size_t i = 0; i < before->run_count; i++) {
        const struct result_run *other = result_find_run(after, before->runs[i].name);
        if (other == NULL)
            add_alone(c, "run", before->runs[i].name, true);
        else
            compare_run(c, &before->runs[i], other);
    }
    for (size_t i = 0; i < after->run_count; i++)
        if (result_find_run(before, after->runs[i].name) == NULL)
            add_alone(c, "run", after->runs[i].name, false);
}

static const struct result_figure *find_figure(const struct result *result, const char *name)
{
    for (size_t i = 0; i < result->figure_count; i++)
        if (strcmp(result->figures[i].name, name) == 0)
            return &result->figures[i];
    return NULL;
}

static double noise_of_figure(const char *name)
{
    if (strstr(name, "p999") != NULL || strstr(name, "p99.9") != NULL ||
        strstr(name, "p99_9") != NULL)
        return P999_LEAST;
    return strstr(name, "p99") != NULL ? P99_LEAST : FIGURE_LEAST;
}

static void compare_figures(struct compare *c, const struct result *before,
                            const struct result *after)
{
    for (size_t i = 0; i < before->figure_count; i++) {
        const struct result_figure *figure = &before->figures[i];
        const struct result_figure *other = find_figure(after, figure->name);
        if (other == NULL)
            add_alone(c, "figure", figure->name, true);
        else
            add_row(c,
                    (struct compare_row){.name = figure->name,
                                         .what = "figure",
                                         .before = figure->value,
                                         .after = other->value,
                                         .noise = noise_of_figure(figure->name)},
                    other->lower);
    }
    for (size_t i = 0; i < after->figure_count; i++)
        if (find_figure(before, after->figures[i].name) == NULL)
            add_alone(c, "figure", after->figures[i].name, false);
}

static void compare_baselines(struct compare *c, const struct result *before,
                              const struct result *after)
{
    for (size_t i = 0; i < before->baseline_count; i++)
        for (size_t k = 0; k < after->baseline_count; k++)
            if (strcmp(before->baselines[i].name, after->baselines[k].name) == 0)
                add_row(c,
                        (struct compare_row){.name = before->baselines[i].name,
                                             .what = "baseline",
                                             .before = before->baselines[i].value,
                                             .after = after->baselines[k].value,
                                             .noise = BASELINE_LEAST,
                                             .verdict = COMPARE_MOVED},
                        false);
}

void compare_results(const struct result *before, const struct result *after, struct arena *arena,
                     struct compare *out)
{
    *out = (struct compare){.arena = arena};
    compare_circumstances(out, before, after);
    compare_runs(out, before, after);
    compare_figures(out, before, after);
    compare_baselines(out, before, after);
}

/* ---- output */

static const char *verdict_name(enum compare_verdict verdict)
{
    static const char *const names[] = {[COMPARE_SAME] = "same",
                                        [COMPARE_BETTER] = "better",
                                        [COMPARE_WORSE] = "worse",
                                        [COMPARE_MOVED] = "moved"};
    return names[verdict];
}

static const char *show(char out[NUMBERS_TEXT_MAX], enum compare_unit unit, double value)
{
    switch (unit) {
    case COMPARE_NUMBER:
        return numbers_text(out, value);
    case COMPARE_TIME:
        return numbers_time(out, value);
    case COMPARE_PART:
        snprintf(out, NUMBERS_TEXT_MAX, "%.2f %%", value * 100);
        return out;
    }
    return numbers_text(out, NAN);
}

static void text_circumstances(const struct compare *c, struct bytes *out)
{
    if (!c->same_machine)
        bytes_add_text(out, "NOT THE SAME MACHINE: what follows compares two machines.\n");
    if (!c->same_settings)
        bytes_add_text(out, "NOT THE SAME SETTINGS: what follows compares two set-ups.\n");
    for (size_t i = 0; i < c->difference_count; i++) {
        const struct compare_difference *d = &c->differences[i];
        bytes_printf(out, "  %s %s: %s -> %s\n", d->group, d->name, d->before, d->after);
    }
    for (size_t i = 0; i < c->alone_count; i++)
        bytes_printf(out, "  %s\n", c->alone[i]);
    if (c->difference_count + c->alone_count > 0)
        bytes_add_char(out, '\n');
}

static size_t count_same(const struct compare *c)
{
    size_t count = 0;
    for (size_t i = 0; i < c->row_count; i++)
        count += c->rows[i].verdict == COMPARE_SAME;
    return count;
}

bool compare_text(const struct compare *compare, bool all, struct bytes *out)
{
    const char *const head[] = {"name", "what", "old", "new", "change", "noise", "verdict"};
    struct numbers_table table;
    char t[4][NUMBERS_TEXT_MAX];
    size_t moved = 0;
    text_circumstances(compare, out);
    numbers_table_init(&table, compare->arena, head, 7);
    for (size_t i = 0; i < compare->row_count; i++) {
        const struct compare_row *row = &compare->rows[i];
        if (row->verdict == COMPARE_SAME && !all)
            continue;
        snprintf(t[3], sizeof t[3], "%.1f %%", row->noise * 100);
        numbers_table_row(&table,
                          (const char *[]){row->name, row->what, show(t[0], row->unit, row->before),
                                           show(t[1], row->unit, row->after),
                                           numbers_change(t[2], row->change), t[3],
                                           verdict_name(row->verdict)});
        moved += row->verdict == COMPARE_MOVED;
    }
    bool good = !compare->failed;
    if (table.rows > 1)
        good = numbers_table_write(&table, out) && good;
    bytes_printf(out, "%zu of %zu numbers stayed within noise.\n", count_same(compare),
                 compare->row_count);
    if (moved > 0)
        bytes_printf(out, "%zu baselines moved: the machine itself was not the same both times.\n",
                     moved);
    if (compare->better + compare->worse == 0)
        bytes_add_text(out, "Nothing changed beyond noise.\n");
    else
        bytes_printf(out, "%zu better, %zu worse, beyond noise.\n", compare->better,
                     compare->worse);
    return good && !out->failed;
}

static void add_text(struct json_writer *writer, const char *key, const char *text)
{
    json_write_key(writer, key);
    json_write_text(writer, text);
}

static void add_number(struct json_writer *writer, const char *key, double number)
{
    char text[NUMBERS_TEXT_MAX];
    json_write_key(writer, key);
    json_write_raw(writer, slice_of(numbers_json(text, number)));
}

static void json_circumstances(const struct compare *c, struct json_writer *writer)
{
    json_write_key(writer, "same_machine");
    json_write_bool(writer, c->same_machine);
    json_write_key(writer, "same_settings");
    json_write_bool(writer, c->same_settings);
    json_write_key(writer, "differences");
    json_write_array(writer);
    for (size_t i = 0; i < c->difference_count; i++) {
        json_write_object(writer);
        add_text(writer, "group", c->differences[i].group);
        add_text(writer, "name", c->differences[i].name);
        add_text(writer, "old", c->differences[i].before);
        add_text(writer, "new", c->differences[i].after);
        json_write_object_end(writer);
    }
    json_write_array_end(writer);
    json_write_key(writer, "alone");
    json_write_array(writer);
    for (size_t i = 0; i < c->alone_count; i++)
        json_write_text(writer, c->alone[i]);
    json_write_array_end(writer);
}

void compare_json(const struct compare *compare, struct bytes *out)
{
    struct json_writer writer;
    json_write_init(&writer, out);
    json_write_object(&writer);
    json_circumstances(compare, &writer);
    json_write_key(&writer, "rows");
    json_write_array(&writer);
    for (size_t i = 0; i < compare->row_count; i++) {
        const struct compare_row *row = &compare->rows[i];
        json_write_object(&writer);
        add_text(&writer, "name", row->name);
        add_text(&writer, "what", row->what);
        add_number(&writer, "old", row->before);
        add_number(&writer, "new", row->after);
        add_number(&writer, "change_percent", row->change * 100);
        add_number(&writer, "noise_percent", row->noise * 100);
        add_text(&writer, "verdict", verdict_name(row->verdict));
        json_write_object_end(&writer);
    }
    json_write_array_end(&writer);
    add_number(&writer, "better", (double)compare->better);
    add_number(&writer, "worse", (double)compare->worse);
    json_write_object_end(&writer);
    bytes_add_char(out, '\n');
}

static int run(const char *const paths[2], bool json, bool all, struct arena *arena)
{
    char message[RESULT_MESSAGE_MAX];
    struct compare compare;
    struct bytes out;
    const struct result *before = result_read(paths[0], arena, message);
    const struct result *after = before == NULL ? NULL : result_read(paths[1], arena, message);
    if (after == NULL) {
        fprintf(stderr, "moolah-bench: %s\n", message);
        return 2;
    }
    compare_results(before, after, arena, &compare);
    bytes_init(&out, arena);
    bool good = !compare.failed;
    if (good && json)
        compare_json(&compare, &out);
    else if (good)
        good = compare_text(&compare, all, &out);
    if (!good || out.failed) {
        fputs("moolah-bench: out of memory\n", stderr);
        return 2;
    }
    fwrite(out.at, 1, out.length, stdout);
    return fflush(stdout) != 0 ? 2 : compare.worse > 0;
}

int compare_main(int argc, char **argv)
{
    const char *paths[2] = {NULL, NULL};
    bool json = false;
    bool all = false;
    bool good = true;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0)
            json = true;
        else if (strcmp(argv[i], "--all") == 0)
            all = true;
        else if (argv[i][0] == '-' || paths[1] != NULL)
            good = false;
        else
            paths[paths[0] != NULL] = argv[i];
    }
    if (!good || paths[1] == NULL) {
        fputs("moolah-bench compare A.json B.json [--all] [--json]\n", stderr);
        return 2;
    }
    struct arena arena;
    arena_init(&arena);
    int status = run(paths, json, all, &arena);
    arena_release(&arena);
    return status;
}
