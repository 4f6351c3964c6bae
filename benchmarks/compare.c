#include "benchmarks/compare.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/json.h"
#include "benchmarks/compare_noise.h"
#include "benchmarks/numbers.h"

#define FAILED_LEAST 0.001
#define LOAD_LEAST 0.02 /* rates within this are the same */
#define TAIL_LEAST 100  /* calls beyond a percentile that make it mean something */

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

/* Why nothing of these two results can be judged; NULL: it can. */
static const char *excuse(const struct compare *c)
{
    return !c->same_machine    ? "other machine"
           : !c->same_length   ? "quick against full"
           : !c->same_settings ? "other settings"
                               : NULL;
}

static void judge(struct compare_row *row, bool lower)
{
    double difference = row->after - row->before;
    bool beyond = fabs(difference) > row->noise * fabs(row->before);
    row->change = row->before != 0 ? difference / fabs(row->before) : difference == 0 ? 0 : NAN;
    if (!beyond)
        row->verdict = COMPARE_SAME;
    else if (row->verdict == COMPARE_MOVED)
        return;
    else if (row->why != NULL)
        row->verdict = COMPARE_DIFFERS;
    else
        row->verdict = (difference < 0) == lower ? COMPARE_BETTER : COMPARE_WORSE;
}

/* The row and its verdict. Rows that lack a side are left out. */
static void add_row(struct compare *c, struct compare_row row, bool lower)
{
    if (c->failed || isnan(row.before) || isnan(row.after))
        return;
    struct compare_row *rows = grow(c, c->rows, &c->row_room, c->row_count, sizeof c->rows[0]);
    if (rows == NULL)
        return;
    c->rows = rows;
    judge(&row, lower);
    c->better += row.verdict == COMPARE_BETTER;
    c->worse += row.verdict == COMPARE_WORSE;
    c->differs += row.verdict == COMPARE_DIFFERS;
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

/* The disk's kind stands before the comma, the time of a durable write after it: that is measured
 * each time, and never the same. */
static size_t kind_of(const char *name, const char *text)
{
    return strcmp(name, "disk") == 0 ? strcspn(text, ",") : strlen(text);
}

/* How busy the machine was before is no part of what it is. */
static bool same_machine(const struct result *before, const struct result *after)
{
    static const char *const parts[] = {"cpu", "cores", "memory_mb", "kernel", "disk"};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        const char *was = result_text(&before->machine, parts[i]);
        const char *is = result_text(&after->machine, parts[i]);
        if (was == NULL && is == NULL)
            continue;
        if (was == NULL || is == NULL || kind_of(parts[i], was) != kind_of(parts[i], is) ||
            strncmp(was, is, kind_of(parts[i], was)) != 0)
            return false;
    }
    return true;
}

static void compare_circumstances(struct compare *c, const struct result *before,
                                  const struct result *after)
{
    c->same_machine = same_machine(before, after);
    compare_entries(c, "machine", &before->machine, &after->machine);
    c->same_settings = compare_entries(c, "settings", &before->settings, &after->settings);
    compare_entries(c, "versions", &before->versions, &after->versions);
    compare_entries(c, "data", &before->data, &after->data);
    if (before->quick != after->quick)
        add_difference(c, (struct compare_difference){"run", "quick", before->quick ? "yes" : "no",
                                                      after->quick ? "yes" : "no"});
    c->same_length = before->quick == after->quick;
    c->same_settings = c->same_settings && same_data(before, after);
}

/* ---- rows */

struct pair { /* a run of both results */
    const struct result_run *runs[2];
    const char *why; /* its numbers aren't judged */
    bool quick;
};

struct number { /* that both have */
    const char *what;
    enum compare_unit unit;
    double before, after;
    bool lower; /* is better */
};

/* `process`: whose CPU, else NULL. */
static void add_measured(struct compare *c, const struct pair *pair, struct number number,
                         enum compare_noise_measure measure, const char *process)
{
    struct compare_noise noise =
        compare_noise_of_run(pair->runs, measure, process, pair->quick, c->arena);
    c->failed = c->failed || isnan(noise.part);
    add_row(c,
            (struct compare_row){.name = pair->runs[0]->name,
                                 .what = number.what,
                                 .unit = number.unit,
                                 .before = number.before,
                                 .after = number.after,
                                 .noise = noise.part,
                                 .basis = noise.basis,
                                 .why = pair->why},
            number.lower);
}

static void compare_latency(struct compare *c, const struct pair *pair)
{
    const struct result_percentiles *a = &pair->runs[0]->latency;
    const struct result_percentiles *b = &pair->runs[1]->latency;
    add_measured(c, pair, (struct number){"p50", COMPARE_TIME, a->p50, b->p50, true},
                 COMPARE_NOISE_P50, NULL);
    add_measured(c, pair, (struct number){"p99", COMPARE_TIME, a->p99, b->p99, true},
                 COMPARE_NOISE_P99, NULL);
    if (fmin(pair->runs[0]->sent, pair->runs[1]->sent) >= TAIL_LEAST * 1000)
        add_measured(c, pair, (struct number){"p99.9", COMPARE_TIME, a->p999, b->p999, true},
                     COMPARE_NOISE_P999, NULL);
}

static void compare_cpu(struct compare *c, const struct pair *pair)
{
    char what[RESULT_TEXT_MAX + 8];
    const struct result_entries *before = &pair->runs[0]->cpu;
    const struct result_entries *after = &pair->runs[1]->cpu;
    for (size_t i = 0; i < before->count; i++) {
        const struct result_entry *cpu = &before->at[i];
        if (strcmp(cpu->name, "bench") == 0)
            continue;
        snprintf(what, sizeof what, "cpu %s", cpu->name);
        const char *copy = arena_copy(c->arena, slice_of(what)).at;
        c->failed = c->failed || copy == NULL;
        add_measured(
            c, pair,
            (struct number){copy, COMPARE_TIME, cpu->number, result_number(after, cpu->name), true},
            COMPARE_NOISE_CPU, cpu->name);
    }
}

/* 1 passed, 0 failed, NAN not audited. */
static double audit_of(const struct result_run *run)
{
    return strcmp(run->audit, "passed") == 0 ? 1 : strcmp(run->audit, "failed") == 0 ? 0 : NAN;
}

static void compare_failures(struct compare *c, const struct pair *pair)
{
    double parts[] = {result_failed_part(pair->runs[0]), result_failed_part(pair->runs[1])};
    /* the threshold is a part of the calls, not of what failed before */
    if (!(fabs(parts[1] - parts[0]) > FAILED_LEAST) ||
        pair->runs[0]->fault_count + pair->runs[1]->fault_count > 0)
        return;
    add_row(c,
            (struct compare_row){.name = pair->runs[0]->name,
                                 .what = "failed calls",
                                 .unit = COMPARE_PART,
                                 .before = parts[0],
                                 .after = parts[1],
                                 .noise = 0,
                                 .basis = "floor",
                                 .why = pair->why},
            true);
}

static bool alike(double a, double b)
{
    return a == b || (isnan(a) && isnan(b)) || fabs(a - b) <= LOAD_LEAST * fabs(a);
}

/* A rate that was a part of the peak is another when the peak is. */
static bool same_load(const struct result_run *a, const struct result_run *b)
{
    return strcmp(a->scenario, b->scenario) == 0 && strcmp(a->mode, b->mode) == 0 &&
           alike(a->rate, b->rate) && alike(a->connections, b->connections) &&
           alike(a->streams, b->streams);
}

static void compare_run(struct compare *c, const struct pair *pair)
{
    const struct result_run *before = pair->runs[0];
    const struct result_run *after = pair->runs[1];
    if (audit_of(before) != audit_of(after))
        add_row(c,
                (struct compare_row){.name = before->name,
                                     .what = "audit",
                                     .before = audit_of(before),
                                     .after = audit_of(after),
                                     .basis = "floor"},
                false);
    add_measured(c, pair,
                 (struct number){"throughput", COMPARE_NUMBER, result_throughput(before),
                                 result_throughput(after), false},
                 COMPARE_NOISE_THROUGHPUT, NULL);
    compare_latency(c, pair);
    compare_cpu(c, pair);
    compare_failures(c, pair);
}

static void compare_runs(struct compare *c, const struct result *before, const struct result *after)
{
    for (size_t i = 0; i < before->run_count; i++) {
        const struct result_run *run = &before->runs[i];
        const struct result_run *other = result_find_run(after, run->name);
        struct pair pair = {{run, other}, excuse(c), before->quick || after->quick};
        if (other == NULL) {
            add_alone(c, "run", run->name, true);
            continue;
        }
        if (pair.why == NULL && !same_load(run, other))
            pair.why = "other load";
        if (pair.why == NULL && run->fault_count + other->fault_count > 0)
            pair.why = "struck by faults";
        compare_run(c, &pair);
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

static void compare_figures(struct compare *c, const struct result *before,
                            const struct result *after)
{
    const struct result *const results[] = {before, after};
    for (size_t i = 0; i < before->figure_count; i++) {
        const struct result_figure *figure = &before->figures[i];
        const struct result_figure *other = find_figure(after, figure->name);
        if (other == NULL) {
            add_alone(c, "figure", figure->name, true);
            continue;
        }
        struct compare_noise noise = compare_noise_of_figure(results, figure, c->arena);
        c->failed = c->failed || isnan(noise.part);
        add_row(c,
                (struct compare_row){.name = figure->name,
                                     .what = "figure",
                                     .before = figure->value,
                                     .after = other->value,
                                     .noise = noise.part,
                                     .basis = noise.basis,
                                     .why = excuse(c)},
                other->lower);
    }
    for (size_t i = 0; i < after->figure_count; i++)
        if (find_figure(before, after->figures[i].name) == NULL)
            add_alone(c, "figure", after->figures[i].name, false);
}

static void compare_baselines(struct compare *c, const struct result *before,
                              const struct result *after)
{
    struct compare_noise noise = compare_noise_of_baseline(before->quick || after->quick);
    for (size_t i = 0; i < before->baseline_count; i++)
        for (size_t k = 0; k < after->baseline_count; k++)
            if (strcmp(before->baselines[i].name, after->baselines[k].name) == 0)
                add_row(c,
                        (struct compare_row){.name = before->baselines[i].name,
                                             .what = "baseline",
                                             .before = before->baselines[i].value,
                                             .after = after->baselines[k].value,
                                             .noise = noise.part,
                                             .basis = noise.basis,
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
                                        [COMPARE_MOVED] = "moved",
                                        [COMPARE_DIFFERS] = "differs"};
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

/* Those that keep the numbers from being judged, by name. */
static void text_settings(const struct compare *c, struct bytes *out)
{
    const char *separator = " (";
    bytes_add_text(out, "NOT THE SAME SETTINGS");
    for (size_t i = 0; i < c->difference_count; i++) {
        const struct compare_difference *d = &c->differences[i];
        if (strcmp(d->group, "settings") != 0 && strcmp(d->name, "wallets") != 0)
            continue;
        bytes_printf(out, "%s%s", separator, d->name);
        separator = ", ";
    }
    bytes_add_text(out, "): numbers differ, nothing is better or worse. Measure again with the "
                        "same ones.\n");
}

static void text_circumstances(const struct compare *c, struct bytes *out)
{
    if (!c->same_length)
        bytes_add_text(out, "A QUICK RUN AND A FULL ONE are not comparable: its runs are seconds "
                            "long and its data small.\nCompare two of `ci/bench --quick`, or two "
                            "of `ci/bench`.\n");
    if (!c->same_machine)
        bytes_add_text(out, "NOT THE SAME MACHINE: numbers differ, nothing is better or worse.\n");
    if (!c->same_settings)
        text_settings(c, out);
    for (size_t i = 0; i < c->difference_count; i++) {
        const struct compare_difference *d = &c->differences[i];
        bytes_printf(out, "  %s %s: %s -> %s\n", d->group, d->name, d->before, d->after);
    }
    for (size_t i = 0; i < c->alone_count; i++)
        bytes_printf(out, "  %s\n", c->alone[i]);
    if (c->difference_count + c->alone_count > 0)
        bytes_add_char(out, '\n');
}

static bool text_rows(const struct compare *compare, bool all, struct bytes *out)
{
    const char *const head[] = {"name",   "what",  "old",        "new",
                                "change", "noise", "noise from", "verdict"};
    struct numbers_table table;
    char t[4][NUMBERS_TEXT_MAX];
    char verdict[40];
    numbers_table_init(&table, compare->arena, head, 8);
    for (size_t i = 0; i < compare->row_count; i++) {
        const struct compare_row *row = &compare->rows[i];
        if (row->verdict == COMPARE_SAME && !all)
            continue;
        snprintf(t[3], sizeof t[3], "%.1f %%", row->noise * 100);
        snprintf(verdict, sizeof verdict, "%s%s%s", verdict_name(row->verdict),
                 row->verdict == COMPARE_DIFFERS ? ", " : "",
                 row->verdict == COMPARE_DIFFERS ? row->why : "");
        numbers_table_row(
            &table, (const char *[]){row->name, row->what, show(t[0], row->unit, row->before),
                                     show(t[1], row->unit, row->after),
                                     numbers_change(t[2], row->change), t[3], row->basis, verdict});
    }
    return table.rows <= 1 || numbers_table_write(&table, out);
}

static size_t count_of(const struct compare *c, enum compare_verdict verdict)
{
    size_t count = 0;
    for (size_t i = 0; i < c->row_count; i++)
        count += c->rows[i].verdict == verdict;
    return count;
}

bool compare_text(const struct compare *compare, bool all, struct bytes *out)
{
    size_t moved = count_of(compare, COMPARE_MOVED);
    text_circumstances(compare, out);
    bool good = text_rows(compare, all, out) && !compare->failed;
    bytes_printf(out, "\n%s\n", compare_noise_help);
    bytes_printf(out, "%zu of %zu numbers stayed within noise.\n", count_of(compare, COMPARE_SAME),
                 compare->row_count);
    if (moved > 0)
        bytes_printf(out, "%zu baselines moved: the machine itself was not the same both times.\n",
                     moved);
    if (compare->differs > 0)
        bytes_printf(out, "%zu differ beyond noise, but can't be judged: %s.\n", compare->differs,
                     excuse(compare) != NULL ? excuse(compare) : "other load, or faults");
    if (compare->better + compare->worse > 0)
        bytes_printf(out, "%zu better, %zu worse, beyond noise.\n", compare->better,
                     compare->worse);
    else if (compare->differs == 0)
        bytes_add_text(out, "Nothing changed beyond noise.\n");
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
    json_write_key(writer, "same_length");
    json_write_bool(writer, c->same_length);
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
        add_text(&writer, "noise_from", row->basis);
        add_text(&writer, "verdict", verdict_name(row->verdict));
        add_text(&writer, "why", row->why == NULL ? "" : row->why);
        json_write_object_end(&writer);
    }
    json_write_array_end(&writer);
    add_number(&writer, "better", (double)compare->better);
    add_number(&writer, "worse", (double)compare->worse);
    add_number(&writer, "differs", (double)compare->differs);
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

static const char help[] =
    "moolah-bench compare OLD.json NEW.json [--all] [--json]: what changed beyond noise\n"
    "\n"
    "Takes two results of ci/bench (result.json). Prints first where machine, settings, versions "
    "or\n"
    "data differ, then each number that changed by more than its noise: of every run throughput,\n"
    "p50, p99, p99.9 and CPU per request, the figures, the baselines. Then what counts as noise.\n"
    "\n"
    "  --all     the numbers within noise, too\n"
    "  --json    the same for programs\n"
    "\n"
    "A number is better or worse only on the same machine (cpu, cores, memory, kernel, kind of\n"
    "disk) with the same settings, wallets and --quick, in runs asked for the same load. "
    "Otherwise\n"
    "it `differs`. But an audit that passed and now fails is worse anywhere. `moved`: a baseline\n"
    "did, so the machine was in another mood.\n"
    "\n"
    "  moolah-bench compare benchmarks/results/2026-11-25-quick-6056834.json "
    "var/bench/result.json\n"
    "\n"
    "Exit codes: 0 nothing worse beyond noise (always, where nothing can be judged), 1 something\n"
    "worse, 2 wrong usage or a file that is no result.\n";

/* `word` is the one too many; NULL: one is missing. */
static int misunderstood(const char *word)
{
    if (word == NULL)
        fputs("moolah-bench compare wants two results, the older first. ", stderr);
    else
        fprintf(stderr, "moolah-bench compare: '%s' is %s. ", word,
                word[0] == '-' ? "no option" : "one result too many");
    fputs("moolah-bench compare --help says more\n", stderr);
    return 2;
}

int compare_main(int argc, char **argv)
{
    const char *paths[2] = {NULL, NULL};
    bool json = false;
    bool all = false;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return fputs(help, stdout) < 0;
        if (strcmp(argv[i], "--json") == 0)
            json = true;
        else if (strcmp(argv[i], "--all") == 0)
            all = true;
        else if (argv[i][0] == '-' || paths[1] != NULL)
            return misunderstood(argv[i]);
        else
            paths[paths[0] != NULL] = argv[i];
    }
    if (paths[1] == NULL)
        return misunderstood(NULL);
    struct arena arena;
    arena_init(&arena);
    int status = run(paths, json, all, &arena);
    arena_release(&arena);
    return status;
}
