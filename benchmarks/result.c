#include "benchmarks/result.h"

#include <math.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/json.h"
#include "benchmarks/numbers.h"

#define NUMBER_MOST 1e18
#define POINTER_MAX 200
#define PEAK_NOISE 0.02

/* Where we are, and whether something was wrong: the first trouble stays. */
struct reading {
    struct arena *arena;
    char *message;
    bool failed;
    char pointer[POINTER_MAX];
};

static void wrong(struct reading *r, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void wrong(struct reading *r, const char *format, ...)
{
    char what[RESULT_MESSAGE_MAX - POINTER_MAX - 4];
    va_list arguments;
    if (r->failed)
        return;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    snprintf(r->message, RESULT_MESSAGE_MAX, "%s%s%s", r->pointer, r->pointer[0] == '\0' ? "" : " ",
             what);
    r->failed = true;
}

/* Go down to a member; what comes back is for leave(). */
static size_t enter(struct reading *r, const char *name)
{
    size_t length = strlen(r->pointer);
    snprintf(r->pointer + length, sizeof r->pointer - length, "/%s", name);
    return length;
}

static size_t enter_at(struct reading *r, size_t index)
{
    char name[24];
    snprintf(name, sizeof name, "%zu", index);
    return enter(r, name);
}

static void leave(struct reading *r, size_t length)
{
    r->pointer[length] = '\0';
}

/* NULL: absent, null, or of another kind, which is said. */
static const struct json *member(struct reading *r, const struct json *object, const char *name,
                                 enum json_kind kind)
{
    const struct json *value = json_member(object, name);
    if (value == NULL || json_kind(value) == JSON_NULL)
        return NULL;
    if (json_kind(value) != kind) {
        size_t back = enter(r, name);
        wrong(r, "must be %s, not %s", json_kind_name(kind), json_kind_name(json_kind(value)));
        leave(r, back);
        return NULL;
    }
    return value;
}

static double to_number(struct reading *r, const struct json *value)
{
    char text[64];
    double number = NAN;
    if (value == NULL || json_kind(value) == JSON_NULL)
        return NAN;
    if (json_kind(value) == JSON_INTEGER) {
        number = (double)json_integer(value);
    } else if (json_kind(value) == JSON_NUMBER && json_number(value).length < sizeof text) {
        snprintf(text, sizeof text, "%.*s", (int)json_number(value).length, json_number(value).at);
        number = strtod(text, NULL);
    } else {
        wrong(r, "must be a number of a sane length, not %s", json_kind_name(json_kind(value)));
    }
    if (fabs(number) > NUMBER_MOST) {
        wrong(r, "is too large a number");
        number = NAN;
    }
    return number;
}

static double number_of(struct reading *r, const struct json *object, const char *name)
{
    size_t back = enter(r, name);
    double number = to_number(r, json_member(object, name));
    leave(r, back);
    return number;
}

/* A number that cannot be below nothing. */
static double amount_of(struct reading *r, const struct json *object, const char *name)
{
    double number = number_of(r, object, name);
    size_t back = enter(r, name);
    if (number < 0)
        wrong(r, "is below 0");
    leave(r, back);
    return number;
}

static const char *copy_text(struct reading *r, struct slice text)
{
    if (text.length > RESULT_TEXT_MAX) {
        wrong(r, "is a text of %zu bytes: %d at most", text.length, RESULT_TEXT_MAX);
        return "";
    }
    struct slice copy = arena_copy(r->arena, text);
    if (copy.at == NULL) {
        wrong(r, "out of memory");
        return "";
    }
    return copy.at;
}

static const char *text_of(struct reading *r, const struct json *object, const char *name)
{
    const struct json *value = member(r, object, name, JSON_STRING);
    size_t back = enter(r, name);
    const char *text = value == NULL ? "" : copy_text(r, json_string(value));
    leave(r, back);
    return text;
}

static const char *name_of(struct reading *r, const struct json *object)
{
    const char *name = text_of(r, object, "name");
    if (name[0] == '\0')
        wrong(r, "has no name");
    return name;
}

/* Several numbers at once, by where they go. */
struct field {
    const char *name;
    size_t offset;
};

static void amounts_of(struct reading *r, const struct json *object, const struct field *fields,
                       void *out)
{
    for (; fields->name != NULL; fields++)
        *(double *)(void *)((char *)out + fields->offset) = amount_of(r, object, fields->name);
}

/* A list of objects or arrays: room for its elements in *out, and how many. Each is `size` bytes,
 * read by `read`. */
struct list {
    const char *name;
    size_t most, size;
    enum json_kind kind; /* of an element */
    void (*read)(struct reading *r, const struct json *element, void *out);
};

static size_t list_of(struct reading *r, const struct json *object, const struct list *list,
                      void **out)
{
    const struct json *array = member(r, object, list->name, JSON_ARRAY);
    const struct json *element;
    size_t back = enter(r, list->name);
    size_t count = array == NULL ? 0 : json_count(array);
    size_t at = 0;
    if (count > list->most) {
        wrong(r, "has %zu elements: %zu at most", count, list->most);
        count = 0;
    }
    *out = arena_array(r->arena, count, list->size);
    if (*out == NULL) {
        wrong(r, "out of memory");
        count = 0;
    }
    for (size_t i = 0; i < count && !r->failed && json_next_element(array, &at, &element); i++) {
        size_t back_in = enter_at(r, i);
        if (json_kind(element) == list->kind)
            list->read(r, element, (char *)*out + i * list->size);
        else
            wrong(r, "must be %s, not %s", json_kind_name(list->kind),
                  json_kind_name(json_kind(element)));
        leave(r, back_in);
    }
    leave(r, back);
    return count;
}

static struct result_entry entry_of(struct reading *r, struct slice key, const struct json *value)
{
    struct result_entry entry = {copy_text(r, key), "", NAN};
    char text[NUMBERS_TEXT_MAX];
    size_t back = enter(r, entry.name);
    switch (json_kind(value)) {
    case JSON_NULL:
        break;
    case JSON_BOOL:
        entry.text = json_bool(value) ? "on" : "off";
        break;
    case JSON_INTEGER:
    case JSON_NUMBER:
        entry.number = to_number(r, value);
        numbers_text(text, entry.number);
        entry.text = copy_text(r, slice_of(text));
        break;
    case JSON_STRING:
        entry.text = copy_text(r, json_string(value));
        break;
    case JSON_ARRAY:
    case JSON_OBJECT:
        wrong(r, "must be a text or a number, not %s", json_kind_name(json_kind(value)));
        break;
    }
    leave(r, back);
    return entry;
}

static void entries_of(struct reading *r, const struct json *object, const char *name,
                       struct result_entries *out)
{
    const struct json *entries = member(r, object, name, JSON_OBJECT);
    const struct json *value;
    struct slice key;
    size_t back = enter(r, name);
    size_t count = entries == NULL ? 0 : json_count(entries);
    size_t at = 0;
    if (count > RESULT_LIST_MAX) {
        wrong(r, "has %zu members: %d at most", count, RESULT_LIST_MAX);
        count = 0;
    }
    out->count = 0;
    out->at = arena_array(r->arena, count, sizeof out->at[0]);
    if (out->at == NULL) {
        wrong(r, "out of memory");
        count = 0;
    }
    while (!r->failed && out->count < count && json_next(entries, &at, &key, &value))
        out->at[out->count++] = entry_of(r, key, value);
    leave(r, back);
}

static void read_percentiles(struct reading *r, const struct json *run, const char *name,
                             struct result_percentiles *out)
{
#define AT(member) offsetof(struct result_percentiles, member)
    static const struct field fields[] = {
        {"mean", AT(mean)},  {"p50", AT(p50)},      {"p90", AT(p90)}, {"p99", AT(p99)},
        {"p99.9", AT(p999)}, {"p99.99", AT(p9999)}, {"max", AT(max)}, {NULL, 0},
    };
#undef AT
    const struct json *object = member(r, run, name, JSON_OBJECT);
    size_t back = enter(r, name);
    *out = (struct result_percentiles){NAN, NAN, NAN, NAN, NAN, NAN, NAN};
    if (object != NULL)
        amounts_of(r, object, fields, out);
    leave(r, back);
}

static void read_quantile(struct reading *r, const struct json *element, void *out)
{
    struct result_quantile *quantile = out;
    if (json_count(element) != 2) {
        wrong(r, "must be [part, microseconds]");
        return;
    }
    quantile->part = to_number(r, json_element(element, 0));
    quantile->us = to_number(r, json_element(element, 1));
    if (!(quantile->part >= 0 && quantile->part <= 1) || quantile->us < 0)
        wrong(r, "must be [part from 0 to 1, microseconds]");
}

static void read_second(struct reading *r, const struct json *element, void *out)
{
#define AT(member) offsetof(struct result_second, member)
    static const struct field fields[] = {
        {"t", AT(t)},           {"offered", AT(offered)},
        {"ok", AT(ok)},         {"refused", AT(refused)},
        {"failed", AT(failed)}, {"p50", AT(p50)},
        {"p99", AT(p99)},       {NULL, 0},
    };
#undef AT
    amounts_of(r, element, fields, out);
}

static void read_fault(struct reading *r, const struct json *element, void *out)
{
    struct result_fault *fault = out;
    fault->t = amount_of(r, element, "t");
    fault->what = text_of(r, element, "what");
}

static void read_call(struct reading *r, const struct json *element, void *out)
{
#define AT(member) offsetof(struct result_call, member)
    static const struct field fields[] = {
        {"sent", AT(sent)}, {"ok", AT(ok)}, {"p50", AT(p50)}, {"p99", AT(p99)}, {NULL, 0},
    };
#undef AT
    ((struct result_call *)out)->name = name_of(r, element);
    amounts_of(r, element, fields, out);
}

static void read_run_lists(struct reading *r, const struct json *run, struct result_run *out)
{
    static const struct list spectrum = {"spectrum", RESULT_LIST_MAX,
                                         sizeof(struct result_quantile), JSON_ARRAY, read_quantile};
    static const struct list series = {"series", RESULT_LIST_MAX, sizeof(struct result_second),
                                       JSON_OBJECT, read_second};
    static const struct list faults = {"faults", RESULT_LIST_MAX, sizeof(struct result_fault),
                                       JSON_OBJECT, read_fault};
    static const struct list calls = {"by_call", RESULT_LIST_MAX, sizeof(struct result_call),
                                      JSON_OBJECT, read_call};
    void *list;
    out->spectrum_count = list_of(r, run, &spectrum, &list);
    out->spectrum = list;
    out->series_count = list_of(r, run, &series, &list);
    out->series = list;
    out->fault_count = list_of(r, run, &faults, &list);
    out->faults = list;
    out->call_count = list_of(r, run, &calls, &list);
    out->calls = list;
}

static void read_run(struct reading *r, const struct json *run, void *into)
{
#define AT(member) offsetof(struct result_run, member)
    static const struct field fields[] = {
        {"connections", AT(connections)},
        {"streams", AT(streams)},
        {"rate", AT(rate)},
        {"seconds", AT(seconds)},
        {"throughput", AT(throughput)},
        {"offered", AT(offered)},
        {"sent", AT(sent)},
        {"batch_mean", AT(batch_mean)},
        {"bench_busy", AT(bench_busy)},
        {NULL, 0},
    };
#undef AT
    struct result_run *out = into;
    out->name = name_of(r, run);
    out->scenario = text_of(r, run, "scenario");
    out->mode = text_of(r, run, "mode");
    out->audit = text_of(r, run, "audit");
    amounts_of(r, run, fields, out);
    read_percentiles(r, run, "latency_us", &out->latency);
    read_percentiles(r, run, "service_us", &out->service);
    entries_of(r, run, "statuses", &out->statuses);
    entries_of(r, run, "cpu_us_per_request", &out->cpu);
    read_run_lists(r, run, out);
}

static void read_load(struct reading *r, const struct json *element, void *out)
{
#define AT(member) offsetof(struct result_load, member)
    static const struct field fields[] = {
        {"offered", AT(offered)}, {"throughput", AT(throughput)}, {"p50", AT(p50)},
        {"p99", AT(p99)},         {"batch_mean", AT(batch_mean)}, {NULL, 0},
    };
#undef AT
    amounts_of(r, element, fields, out);
}

static void read_guarantee(struct reading *r, const struct json *element, void *out)
{
    struct result_guarantee *guarantee = out;
    guarantee->name = name_of(r, element);
    guarantee->per_second = amount_of(r, element, "per_second");
}

static void read_baseline(struct reading *r, const struct json *element, void *out)
{
    struct result_baseline *baseline = out;
    baseline->name = name_of(r, element);
    baseline->unit = text_of(r, element, "unit");
    baseline->value = number_of(r, element, "value");
}

static void read_figure(struct reading *r, const struct json *element, void *out)
{
    struct result_figure *figure = out;
    const char *better = text_of(r, element, "better");
    figure->name = name_of(r, element);
    figure->unit = text_of(r, element, "unit");
    figure->value = number_of(r, element, "value");
    figure->target = number_of(r, element, "target");
    figure->lower = strcmp(better, "lower") == 0;
    if (!figure->lower && better[0] != '\0' && strcmp(better, "higher") != 0)
        wrong(r, "better is neither \"higher\" nor \"lower\"");
}

static void read_lists(struct reading *r, const struct json *root, struct result *out)
{
    static const struct list runs = {"runs", RESULT_RUNS_MAX, sizeof(struct result_run),
                                     JSON_OBJECT, read_run};
    static const struct list curve = {"curve", RESULT_LIST_MAX, sizeof(struct result_load),
                                      JSON_OBJECT, read_load};
    static const struct list guarantees = {"guarantees", RESULT_LIST_MAX,
                                           sizeof(struct result_guarantee), JSON_OBJECT,
                                           read_guarantee};
    static const struct list baselines = {
        "baselines", RESULT_LIST_MAX, sizeof(struct result_baseline), JSON_OBJECT, read_baseline};
    static const struct list figures = {"figures", RESULT_LIST_MAX, sizeof(struct result_figure),
                                        JSON_OBJECT, read_figure};
    void *list;
    out->run_count = list_of(r, root, &runs, &list);
    out->runs = list;
    out->curve_count = list_of(r, root, &curve, &list);
    out->curve = list;
    out->guarantee_count = list_of(r, root, &guarantees, &list);
    out->guarantees = list;
    out->baseline_count = list_of(r, root, &baselines, &list);
    out->baselines = list;
    out->figure_count = list_of(r, root, &figures, &list);
    out->figures = list;
}

static void read_root(struct reading *r, const struct json *root, struct result *out)
{
    if (json_kind(root) != JSON_OBJECT) {
        wrong(r, "the result must be an object, not %s", json_kind_name(json_kind(root)));
        return;
    }
    const struct json *format = member(r, root, "format", JSON_INTEGER);
    if (format == NULL || json_integer(format) != 1) {
        wrong(r, "is no benchmark result of format 1, as ci/bench leaves it as result.json");
        return;
    }
    const struct json *quick = member(r, root, "quick", JSON_BOOL);
    out->quick = quick != NULL && json_bool(quick);
    out->at = text_of(r, root, "at");
    out->commit = text_of(r, root, "commit");
    entries_of(r, root, "machine", &out->machine);
    entries_of(r, root, "versions", &out->versions);
    entries_of(r, root, "settings", &out->settings);
    entries_of(r, root, "data", &out->data);
    read_lists(r, root, out);
}

const struct result *result_parse(struct slice text, struct arena *arena,
                                  char message[RESULT_MESSAGE_MAX])
{
    struct reading r = {.arena = arena, .message = message};
    struct json_error error;
    message[0] = '\0';
    const struct json *root = json_parse(text, arena, &error);
    struct result *out = arena_alloc(arena, sizeof *out);
    if (root == NULL) {
        wrong(&r,
              "is no JSON%s%s: %s at byte %zu (a result is what ci/bench leaves as result.json)",
              error.pointer[0] == '\0' ? "" : " at ", error.pointer, error.message, error.offset);
        return NULL;
    }
    if (out == NULL) {
        wrong(&r, "out of memory");
        return NULL;
    }
    read_root(&r, root, out);
    return r.failed ? NULL : out;
}

/* {NULL, 0}: the message is set. Release with free. */
static struct slice load(const char *path, char message[RESULT_MESSAGE_MAX])
{
    struct slice none = {NULL, 0};
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        snprintf(message, RESULT_MESSAGE_MAX, "%.200s cannot be read", path);
        return none;
    }
    size_t room = 65536;
    size_t length = 0;
    char *text = malloc(room);
    while (text != NULL && (length += fread(text + length, 1, room - length, file)) == room) {
        char *more = room >= RESULT_BYTES_MAX ? NULL : realloc(text, room * 2);
        if (more == NULL)
            free(text);
        text = more;
        room *= 2;
    }
    fclose(file);
    if (text == NULL)
        snprintf(message, RESULT_MESSAGE_MAX, "%.200s is larger than %zu MiB, or memory is out",
                 path, RESULT_BYTES_MAX >> 20);
    return text == NULL ? none : (struct slice){text, length};
}

static bool begins(struct slice text, const char *with)
{
    size_t length = strlen(with);
    return text.length >= length && memcmp(text.at, with, length) == 0;
}

/* What somebody took for a result, and what to do with it; NULL: none of what we know. */
static const char *mistaken_for(struct slice text)
{
    static const char *const facts[] = {"machine ",  "versions ",  "settings ", "data ",
                                        "baseline ", "guarantee ", "measure "};
    if (begins(text, "{\"name\":")) /* as run_record.c writes them */
        return "these are runs as `moolah-bench run --json` records them, not a result yet: "
               "`moolah-bench collect --runs FILE --out result.json` makes one of them";
    if (begins(text, "<!DOCTYPE html>"))
        return "this is a page for people: give the result.json that it was made of";
    for (size_t i = 0; i < sizeof facts / sizeof facts[0]; i++)
        if (begins(text, facts[i]))
            return "these are the facts that ci/bench has noted, not a result yet: `moolah-bench "
                   "collect --runs RUNS.jsonl --notes FILE --out result.json` makes one";
    return NULL;
}

const struct result *result_read(const char *path, struct arena *arena,
                                 char message[RESULT_MESSAGE_MAX])
{
    char what[RESULT_MESSAGE_MAX];
    struct slice text = load(path, message);
    if (text.at == NULL)
        return NULL;
    const struct result *result = result_parse(text, arena, what);
    const char *mistaken = result == NULL ? mistaken_for(text) : NULL;
    if (result == NULL)
        snprintf(message, RESULT_MESSAGE_MAX, "%.150s: %.300s", path,
                 mistaken != NULL ? mistaken : what);
    free((char *)(uintptr_t)text.at);
    return result;
}

const struct result_run *result_find_run(const struct result *result, const char *name)
{
    for (size_t i = 0; i < result->run_count; i++)
        if (strcmp(result->runs[i].name, name) == 0)
            return &result->runs[i];
    return NULL;
}

static const struct result_entry *find(const struct result_entries *entries, const char *name)
{
    for (size_t i = 0; i < entries->count; i++)
        if (strcmp(entries->at[i].name, name) == 0)
            return &entries->at[i];
    return NULL;
}

double result_number(const struct result_entries *entries, const char *name)
{
    const struct result_entry *entry = find(entries, name);
    return entry == NULL ? NAN : entry->number;
}

const char *result_text(const struct result_entries *entries, const char *name)
{
    const struct result_entry *entry = find(entries, name);
    return entry == NULL ? NULL : entry->text;
}

double result_throughput(const struct result_run *run)
{
    return strcmp(run->audit, "failed") == 0 ? NAN : run->throughput;
}

bool result_warning(const struct result *result, char message[RESULT_MESSAGE_MAX])
{
    const struct result_run *peak = result_find_run(result, "send_money_peak");
    const struct result_run *best = NULL;
    char texts[2][NUMBERS_TEXT_MAX];
    double most = peak == NULL ? NAN : result_throughput(peak) * (1 + PEAK_NOISE);
    for (size_t i = 0; i < result->run_count; i++) {
        const struct result_run *run = &result->runs[i];
        if (run == peak || strcmp(run->scenario, "send_money") != 0 ||
            !(result_throughput(run) > most))
            continue;
        best = run;
        most = result_throughput(run);
    }
    if (best == NULL)
        return false;
    snprintf(message, RESULT_MESSAGE_MAX,
             "%.60s answered %s/s, send_money_peak only %s/s: the peak was measured cold, or "
             "somebody else was on the machine, and whatever is a part of it is off. Measure again",
             best->name, numbers_text(texts[0], best->throughput),
             numbers_text(texts[1], peak->throughput));
    return true;
}

double result_failed_part(const struct result_run *run)
{
    double all = 0;
    double failed = 0;
    for (size_t i = 0; i < run->statuses.count; i++) {
        const struct result_entry *status = &run->statuses.at[i];
        double count = isnan(status->number) ? 0 : status->number;
        bool broken = status->name[0] == '5' && strcmp(status->name, "503") != 0;
        all += count;
        if (broken || strcmp(status->name, "lost") == 0)
            failed += count;
    }
    return all > 0 ? failed / all : NAN;
}

size_t result_processes(const struct result *result, const char *names[RESULT_PROCESSES_MAX])
{
    size_t count = 0;
    for (size_t i = 0; i < result->run_count; i++)
        for (size_t k = 0; k < result->runs[i].cpu.count; k++) {
            const char *name = result->runs[i].cpu.at[k].name;
            size_t known = 0;
            while (known < count && strcmp(names[known], name) != 0)
                known++;
            if (known == count && count < RESULT_PROCESSES_MAX)
                names[count++] = name;
        }
    return count;
}

enum result_verdict result_judge(const struct result_figure *figure)
{
    if (isnan(figure->value) || isnan(figure->target))
        return RESULT_OPEN;
    bool reached =
        figure->lower ? figure->value <= figure->target : figure->value >= figure->target;
    return reached ? RESULT_REACHED : RESULT_MISSED;
}

const char *result_verdict_name(enum result_verdict verdict)
{
    static const char *const names[] = {
        [RESULT_REACHED] = "reached", [RESULT_MISSED] = "not reached", [RESULT_OPEN] = "no target"};
    return names[verdict];
}
