#include "benchmarks/collect.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yyjson.h>

#include "base/arena.h"
#include "base/clock.h"
#include "benchmarks/collect_figures.h"
#include "benchmarks/result.h"
#include "version.h"

#define LINE_MAX_BYTES (4 << 20)
#define FORMAT 1
#define CURVE "curve_"

static const char help[] =
    "moolah-bench collect --runs RUNS.jsonl [--notes NOTES] --out RESULT.json [--quick]\n"
    "\n"
    "Makes a result file of what was measured, the one that `moolah-bench report`, `compare` and\n"
    "`plan` take. ci/bench does it for you; by hand it goes\n"
    "\n"
    "  moolah-bench run send_money --data var/b --audit --name send_money_peak --json runs.jsonl\n"
    "  moolah-bench collect --runs runs.jsonl --out result.json\n"
    "  moolah-bench report result.json\n"
    "\n"
    "  --runs FILE    a line per run, as `moolah-bench run --json FILE` has appended them. "
    "Figures\n"
    "                 go by the names (--name) that ci/bench gives them, so those must be what "
    "they\n"
    "                 are there; runs named curve_... become the curve. No name twice\n"
    "  --notes FILE   a line per fact, as ci/bench writes them to var/bench/notes.txt:\n"
    "                   machine KEY VALUE    versions KEY VALUE    settings KEY VALUE\n"
    "                   data KEY VALUE       measure NAME VALUE\n"
    "                   baseline NAME VALUE UNIT    guarantee PER_SECOND NAME\n"
    "  --out FILE     the result\n"
    "  --quick        says in it that the runs were short\n"
    "\n"
    "Prints each figure that can be had as `name value unit`, and a warning when a run was faster\n"
    "than the peak.\n"
    "Exit codes: 0 written, 1 a file can't be read, understood or written, 2 wrong usage.\n";

struct collect {
    yyjson_mut_doc *doc;
    yyjson_mut_val *root;
    yyjson_mut_val *curve;
    yyjson_mut_val *guarantees;
    struct collect_figures result;
    char *line;
    const char *path;
    int line_number;
};

static bool complain(const struct collect *c, const char *what)
{
    fprintf(stderr, "moolah-bench collect: %s:%d: %s\n", c->path, c->line_number, what);
    return false;
}

static bool is_number(const char *text, double *number)
{
    char *end;
    *number = strtod(text, &end);
    return end != text && *end == '\0' && isfinite(*number);
}

/* A number where it is one. */
static void put(struct collect *c, yyjson_mut_val *object, const char *key, const char *text)
{
    double number;
    yyjson_mut_val *name = yyjson_mut_strcpy(c->doc, key);
    if (is_number(text, &number))
        yyjson_mut_obj_put(object, name, yyjson_mut_real(c->doc, number));
    else
        yyjson_mut_obj_put(object, name, yyjson_mut_strcpy(c->doc, text));
}

static const char *text_of(yyjson_mut_val *object, const char *key)
{
    const char *text = yyjson_mut_get_str(yyjson_mut_obj_get(object, key));
    return text == NULL ? "" : text;
}

static bool is_there(yyjson_mut_val *list, const char *name)
{
    struct yyjson_mut_arr_iter all;
    yyjson_mut_arr_iter_init(list, &all);
    for (yyjson_mut_val *one; (one = yyjson_mut_arr_iter_next(&all)) != NULL;)
        if (strcmp(text_of(one, "name"), name) == 0)
            return true;
    return false;
}

/* ---- notes */

static bool take_number(struct collect *c, const char *word, char *first, char *rest)
{
    yyjson_mut_doc *doc = c->doc;
    double number;
    if (strcmp(word, "measure") == 0) {
        put(c, c->result.measures, first, rest);
        return true;
    }
    if (strcmp(word, "guarantee") == 0) {
        if (!is_number(first, &number))
            return complain(c, "guarantee PER_SECOND NAME");
        yyjson_mut_val *object = yyjson_mut_arr_add_obj(doc, c->guarantees);
        yyjson_mut_obj_add_strcpy(doc, object, "name", rest);
        yyjson_mut_obj_add_real(doc, object, "per_second", number);
        return true;
    }
    const char *value = strsep(&rest, " ");
    if (rest == NULL || !is_number(value, &number))
        return complain(c, "baseline NAME VALUE UNIT");
    if (is_there(c->result.baselines, first))
        return complain(c, "is the second baseline of that name, one of each was expected");
    yyjson_mut_val *object = yyjson_mut_arr_add_obj(doc, c->result.baselines);
    yyjson_mut_obj_add_strcpy(doc, object, "name", first);
    yyjson_mut_obj_add_real(doc, object, "value", number);
    yyjson_mut_obj_add_strcpy(doc, object, "unit", rest);
    return true;
}

static bool take_note(struct collect *c)
{
    char *rest = c->line;
    const char *word = strsep(&rest, " ");
    char *first = strsep(&rest, " ");
    if (word[0] == '{')
        return complain(c, "is JSON, not a fact: runs go to --runs, and a result is one already");
    if (first == NULL || rest == NULL)
        return complain(c, "a fact is WORD KEY VALUE");
    if (strcmp(word, "baseline") == 0 || strcmp(word, "guarantee") == 0 ||
        strcmp(word, "measure") == 0)
        return take_number(c, word, first, rest);
    yyjson_mut_val *object = yyjson_mut_obj_get(c->root, word);
    if (!yyjson_mut_is_obj(object))
        return complain(c, "begins with no word that is known");
    if (strcmp(word, "versions") == 0) /* a commit of digits is no number */
        yyjson_mut_obj_put(object, yyjson_mut_strcpy(c->doc, first),
                           yyjson_mut_strcpy(c->doc, rest));
    else
        put(c, object, first, rest);
    return true;
}

/* ---- runs */

/* An open loop's rate as a number; steps and ramps have none. */
static double set_rate(struct collect *c, yyjson_mut_val *run)
{
    double rate = NAN;
    const char *text = yyjson_mut_get_str(yyjson_mut_obj_get(run, "rate"));
    bool fixed = text != NULL && is_number(text, &rate);
    if (text == NULL)
        return rate;
    yyjson_mut_obj_put(run, yyjson_mut_str(c->doc, "rate"),
                       fixed ? yyjson_mut_real(c->doc, rate) : yyjson_mut_null(c->doc));
    if (!fixed)
        yyjson_mut_obj_put(run, yyjson_mut_str(c->doc, "schedule"),
                           yyjson_mut_strcpy(c->doc, text));
    return rate;
}

static void copy_number(struct collect *c, yyjson_mut_val *from, yyjson_mut_val *to,
                        const char *key)
{
    yyjson_mut_val *value = yyjson_mut_obj_get(from, key);
    if (yyjson_mut_is_num(value))
        yyjson_mut_obj_put(to, yyjson_mut_str(c->doc, key),
                           yyjson_mut_real(c->doc, yyjson_mut_get_num(value)));
}

/* A closed loop offers what it gets: its point is the peak. */
static void add_point(struct collect *c, yyjson_mut_val *run)
{
    yyjson_mut_val *point = yyjson_mut_arr_add_obj(c->doc, c->curve);
    yyjson_mut_val *latency = yyjson_mut_obj_get(run, "latency_us");
    copy_number(c, run, point, "offered");
    copy_number(c, run, point, "throughput");
    copy_number(c, latency, point, "p50");
    copy_number(c, latency, point, "p99");
    copy_number(c, run, point, "batch_mean");
}

/* Figures go by these names, so what stands under one must be that: NULL is any. */
static const struct known {
    const char *name, *scenario, *mode;
} known[] = {
    {"send_money_peak", "send_money", "closed"},
    {"small_send_money", "send_money", "closed"},
    {"big_send_money", "send_money", "closed"},
    {"popular_wallet", "popular_wallet", "closed"},
    {"single_user", "single_user", "closed"},
    {"at_1000", "send_money", "open"},
    {"balance", "balance", "closed"},
    {"constant", "constant", "closed"},
    {"statement", "statement", "open"},
    {"big_statement", "statement", "open"},
    {"mixed", "mixed", "open"},
    {"new_connections", "new_connections", "closed"},
    {"idle_connections", "idle_connections", NULL},
    {"overload_2x", "overload_2x", "open"},
    {"overload_10x", "overload_10x", "open"},
    {"storm_payments", "send_money", "open"},
    {"storm_payments_alone", "send_money", "open"},
    {"storm_argon2id", "send_money", "open"},
    {"storm_sign_in", "sign_in", "closed"},
    {"chaos", "send_money", NULL},
    {CURVE, "send_money", "open"},
};

static bool is_curve(const char *name)
{
    return strncmp(name, CURVE, strlen(CURVE)) == 0;
}

/* Is it what its name says? */
static bool check_name(const struct collect *c, yyjson_mut_val *run, const char *name)
{
    char what[400];
    const char *wanted = is_curve(name) ? CURVE : name;
    const char *scenario = text_of(run, "scenario");
    const char *mode = text_of(run, "mode");
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        const struct known *k = &known[i];
        if (strcmp(k->name, wanted) != 0 ||
            (strcmp(k->scenario, scenario) == 0 && (k->mode == NULL || strcmp(k->mode, mode) == 0)))
            continue;
        snprintf(
            what, sizeof what,
            "the name %.80s is kept for a run of %s%s%s, as figures go by it, and this is one of "
            "'%.80s', %.20s loop: give it another --name",
            name, k->scenario, k->mode == NULL ? "" : " in a loop that is ",
            k->mode == NULL ? "" : k->mode, scenario, mode);
        return complain(c, what);
    }
    return true;
}

static bool take_run(struct collect *c)
{
    char what[300];
    yyjson_doc *read = yyjson_read(c->line, strlen(c->line), 0);
    yyjson_mut_val *run =
        read == NULL ? NULL : yyjson_val_mut_copy(c->doc, yyjson_doc_get_root(read));
    yyjson_doc_free(read);
    if (strcmp(c->line, "{") == 0 || yyjson_mut_obj_get(run, "format") != NULL)
        return complain(c, "is a result already: `moolah-bench report` shows it, and `compare` and "
                           "`plan` take it as it is");
    if (!yyjson_mut_is_obj(run))
        return complain(c, "is no run's record, a line that `moolah-bench run --json` has written "
                           "(facts go to --notes)");
    set_rate(c, run);
    const char *name = yyjson_mut_get_str(yyjson_mut_obj_get(run, "name"));
    const char *audit = yyjson_mut_get_str(yyjson_mut_obj_get(run, "audit"));
    if (name == NULL || audit == NULL)
        return complain(c, "is a record without name or audit");
    if (is_there(c->result.runs, name)) {
        snprintf(what, sizeof what,
                 "is the second run named %.80s, one of each was expected: take the line out that "
                 "doesn't count, or give runs names of their own (--name)",
                 name);
        return complain(c, what);
    }
    if (!check_name(c, run, name))
        return false;
    yyjson_mut_arr_append(c->result.runs, run);
    if (is_curve(name) && strcmp(audit, "failed") != 0)
        add_point(c, run);
    return true;
}

/* `expected`: what one of its lines is. */
static bool read_lines(struct collect *c, const char *path, bool (*take)(struct collect *c),
                       const char *expected)
{
    int lines = 0;
    FILE *file = fopen(path, "re");
    bool good = file != NULL;
    c->path = path;
    c->line_number = 0;
    if (file == NULL)
        return complain(c, strerror(errno));
    while (good && fgets(c->line, LINE_MAX_BYTES, file) != NULL) {
        c->line_number++;
        c->line[strcspn(c->line, "\n")] = '\0';
        lines += c->line[0] != '\0';
        good = c->line[0] == '\0' || take(c);
    }
    fclose(file);
    if (good && lines == 0)
        fprintf(stderr, "moolah-bench collect: %s is empty: %s expected\n", path, expected);
    return good && lines > 0;
}

/* ---- the result */

static bool set_up(struct collect *c, bool quick)
{
    static const char *const objects[] = {"machine", "versions", "settings", "data"};
    char at[CLOCK_TEXT_MAX];
    c->line = malloc(LINE_MAX_BYTES);
    c->doc = yyjson_mut_doc_new(NULL);
    if (c->line == NULL || c->doc == NULL)
        return false;
    c->root = yyjson_mut_obj(c->doc);
    yyjson_mut_doc_set_root(c->doc, c->root);
    clock_format(clock_now(), at);
    yyjson_mut_obj_add_int(c->doc, c->root, "format", FORMAT);
    yyjson_mut_obj_add_strcpy(c->doc, c->root, "at", at);
    yyjson_mut_obj_add_str(c->doc, c->root, "commit", MOOLAH_VERSION);
    yyjson_mut_obj_add_bool(c->doc, c->root, "quick", quick);
    for (size_t i = 0; i < sizeof objects / sizeof objects[0]; i++)
        yyjson_mut_obj_add_obj(c->doc, c->root, objects[i]);
    c->result.doc = c->doc;
    c->result.runs = yyjson_mut_obj_add_arr(c->doc, c->root, "runs");
    c->curve = yyjson_mut_obj_add_arr(c->doc, c->root, "curve");
    c->guarantees = yyjson_mut_obj_add_arr(c->doc, c->root, "guarantees");
    c->result.baselines = yyjson_mut_obj_add_arr(c->doc, c->root, "baselines");
    c->result.figures = yyjson_mut_obj_add_arr(c->doc, c->root, "figures");
    c->result.measures = yyjson_mut_obj_add_obj(c->doc, c->root, "measures");
    return c->result.measures != NULL;
}

static bool write_result(const struct collect *c, const char *path)
{
    yyjson_write_err error;
    if (yyjson_mut_write_file(path, c->doc, YYJSON_WRITE_PRETTY, NULL, &error))
        return true;
    fprintf(stderr, "moolah-bench collect: %s: %s\n", path, error.msg);
    return false;
}

/* Read as everybody else will read it. */
static bool check(const char *path)
{
    char message[RESULT_MESSAGE_MAX];
    struct arena arena;
    arena_init(&arena);
    const struct result *result = result_read(path, &arena, message);
    if (result == NULL)
        fprintf(stderr, "moolah-bench collect: %s\n", message);
    else if (result_warning(result, message))
        fprintf(stderr, "moolah-bench collect: WARNING: %s\n", message);
    arena_release(&arena);
    return result != NULL;
}

struct options {
    const char *runs, *notes, *out;
    bool quick, help;
};

static bool misunderstood(const char *what, const char *why)
{
    fprintf(stderr, "moolah-bench collect: %s %s. moolah-bench collect --help says more\n", what,
            why);
    return false;
}

static bool read_options(int argc, char **argv, struct options *options)
{
    *options = (struct options){0};
    for (int i = 1; i < argc; i++) {
        const char **file = strcmp(argv[i], "--runs") == 0    ? &options->runs
                            : strcmp(argv[i], "--notes") == 0 ? &options->notes
                            : strcmp(argv[i], "--out") == 0   ? &options->out
                                                              : NULL;
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            options->help = true;
        else if (strcmp(argv[i], "--quick") == 0)
            options->quick = true;
        else if (file != NULL && i + 1 < argc)
            *file = argv[++i];
        else if (file != NULL)
            return misunderstood(argv[i], "wants a file");
        else
            return misunderstood(argv[i], "is not understood (runs go behind --runs)");
    }
    if (options->help)
        return true;
    if (options->runs == NULL)
        return misunderstood("--runs FILE", "is missing: what `moolah-bench run --json` wrote");
    return options->out != NULL ||
           misunderstood("--out FILE", "is missing: where the result is to go");
}

int collect_main(int argc, char **argv)
{
    struct options options;
    if (!read_options(argc, argv, &options))
        return 2;
    if (options.help)
        return fputs(help, stdout) < 0;
    struct collect c = {0};
    bool good = set_up(&c, options.quick) &&
                (options.notes == NULL ||
                 read_lines(&c, options.notes, take_note, "facts as ci/bench notes them were")) &&
                read_lines(&c, options.runs, take_run,
                           "a line per run, as `moolah-bench run --json` writes them, was");
    if (good) {
        collect_figures(&c.result);
        good = write_result(&c, options.out) && check(options.out);
    }
    yyjson_mut_doc_free(c.doc);
    free(c.line);
    return good ? 0 : 1;
}
