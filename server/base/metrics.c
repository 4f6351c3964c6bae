#include "base/metrics.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "base/bytes.h"

enum {
    SERIES_MAX = 2048,
    CELLS_MAX = 16384, /* a counter or gauge takes one, a histogram BUCKETS + 2 */
    BUCKETS = 17,
    LABELS_MAX = 160
};

/* Upper bounds of durations, in microseconds; of sizes, 1 2 4 ... */
static const uint64_t duration_bounds[BUCKETS] = {
    50,    100,    250,    500,    1000,    2500,    5000,    10000,   25000,
    50000, 100000, 250000, 500000, 1000000, 2500000, 5000000, 10000000};

struct series {
    const char *name;
    char labels[LABELS_MAX];
    const char *help;
    enum metric_kind kind;
    bool is_duration;
    int cell; /* first of its cells: value, or buckets, +Inf, sum */
};

static struct {
    struct series series[SERIES_MAX]; /* registered before the fork: every process has the same */
    int count;
    int cells;
    int slots;
    int mine;
    uint64_t *shared; /* slots x CELLS_MAX */
} board = {.count = 1, .cells = 1};

bool metrics_start(int slots)
{
    assert(slots > 0 && board.shared == NULL);
    size_t size = (size_t)slots * CELLS_MAX * sizeof board.shared[0];
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return false;
    board.shared = memory;
    board.slots = slots;
    board.mine = slots - 1;
    return true;
}

void metrics_stop(void)
{
    if (board.shared != NULL)
        munmap(board.shared, (size_t)board.slots * CELLS_MAX * sizeof board.shared[0]);
    board.shared = NULL;
    board.count = 1;
    board.cells = 1;
}

void metrics_enter(int slot)
{
    assert(slot >= 0 && slot < board.slots);
    board.mine = slot;
}

static bool ends_with(const char *text, const char *tail)
{
    size_t length = strlen(text);
    size_t tail_length = strlen(tail);
    return length >= tail_length && strcmp(text + length - tail_length, tail) == 0;
}

metric metrics_register(enum metric_kind kind, const char *name, const char *labels,
                        const char *help)
{
    for (int i = 1; i < board.count; i++)
        if (strcmp(board.series[i].name, name) == 0 && strcmp(board.series[i].labels, labels) == 0)
            return i;
    int cells = kind == METRIC_HISTOGRAM ? BUCKETS + 2 : 1;
    assert(strlen(labels) < LABELS_MAX);
    if (board.count == SERIES_MAX || board.cells + cells > CELLS_MAX)
        return 0;
    struct series *series = &board.series[board.count];
    series->name = name;
    snprintf(series->labels, sizeof series->labels, "%s", labels);
    series->help = help;
    series->kind = kind;
    series->is_duration = ends_with(name, "_seconds");
    series->cell = board.cells;
    board.cells += cells;
    return board.count++;
}

static uint64_t *cell_of(int slot, int cell)
{
    return &board.shared[(size_t)slot * CELLS_MAX + (size_t)cell];
}

static void bump(int cell, uint64_t amount)
{
    __atomic_fetch_add(cell_of(board.mine, cell), amount, __ATOMIC_RELAXED);
}

void metrics_add(metric counter, uint64_t amount)
{
    if (board.shared == NULL || counter == 0)
        return;
    bump(board.series[counter].cell, amount);
}

void metrics_set(metric gauge, int64_t value)
{
    if (board.shared == NULL || gauge == 0)
        return;
    assert(board.series[gauge].kind == METRIC_GAUGE);
    __atomic_store_n(cell_of(board.mine, board.series[gauge].cell), (uint64_t)value,
                     __ATOMIC_RELAXED);
}

static uint64_t bound_of(const struct series *series, int bucket)
{
    return series->is_duration ? duration_bounds[bucket] : UINT64_C(1) << bucket;
}

void metrics_observe(metric histogram, uint64_t value)
{
    if (board.shared == NULL || histogram == 0)
        return;
    const struct series *series = &board.series[histogram];
    int bucket = 0;
    assert(series->kind == METRIC_HISTOGRAM);
    while (bucket < BUCKETS && value > bound_of(series, bucket))
        bucket++;
    bump(series->cell + bucket, 1);
    bump(series->cell + BUCKETS + 1, value);
}

static uint64_t sum_cell(int cell)
{
    uint64_t sum = 0;
    for (int slot = 0; slot < board.slots; slot++)
        sum += __atomic_load_n(cell_of(slot, cell), __ATOMIC_RELAXED);
    return sum;
}

uint64_t metrics_total(metric which)
{
    uint64_t sum = 0;
    if (board.shared == NULL || which == 0)
        return 0;
    const struct series *series = &board.series[which];
    int cells = series->kind == METRIC_HISTOGRAM ? BUCKETS + 1 : 1;
    for (int i = 0; i < cells; i++)
        sum += sum_cell(series->cell + i);
    return sum;
}

void metrics_clear_gauges(int slot)
{
    assert(board.shared != NULL && slot >= 0 && slot < board.slots);
    for (int i = 1; i < board.count; i++)
        if (board.series[i].kind == METRIC_GAUGE)
            __atomic_store_n(cell_of(slot, board.series[i].cell), 0, __ATOMIC_RELAXED);
}

static void expose_sample(struct bytes *out, const struct series *series, const char *suffix,
                          const char *bound)
{
    bool labels = series->labels[0] != '\0';
    bytes_printf(out, "%s%s", series->name, suffix);
    if (labels || bound != NULL)
        bytes_printf(out, "{%s%s%s%s%s}", series->labels, labels && bound != NULL ? "," : "",
                     bound == NULL ? "" : "le=\"", bound == NULL ? "" : bound,
                     bound == NULL ? "" : "\"");
    bytes_add_char(out, ' ');
}

/* A duration in seconds, exactly: microseconds with the point moved. */
static void expose_number(struct bytes *out, const struct series *series, uint64_t value)
{
    if (series->is_duration)
        bytes_printf(out, "%llu.%06llu\n", (unsigned long long)(value / 1000000),
                     (unsigned long long)(value % 1000000));
    else
        bytes_printf(out, "%llu\n", (unsigned long long)value);
}

static void expose_histogram(struct bytes *out, const struct series *series)
{
    uint64_t count = 0;
    for (int bucket = 0; bucket <= BUCKETS; bucket++) {
        char bound[32] = "+Inf";
        if (bucket < BUCKETS && series->is_duration)
            snprintf(bound, sizeof bound, "%g", (double)bound_of(series, bucket) / 1e6);
        else if (bucket < BUCKETS)
            snprintf(bound, sizeof bound, "%llu", (unsigned long long)bound_of(series, bucket));
        count += sum_cell(series->cell + bucket);
        expose_sample(out, series, "_bucket", bound);
        bytes_printf(out, "%llu\n", (unsigned long long)count);
    }
    expose_sample(out, series, "_sum", NULL);
    expose_number(out, series, sum_cell(series->cell + BUCKETS + 1));
    expose_sample(out, series, "_count", NULL);
    bytes_printf(out, "%llu\n", (unsigned long long)count);
}

static void expose_series(struct bytes *out, const struct series *series)
{
    if (series->kind == METRIC_HISTOGRAM) {
        expose_histogram(out, series);
        return;
    }
    expose_sample(out, series, "", NULL);
    bytes_printf(out, "%lld\n", (long long)sum_cell(series->cell));
}

static bool is_first_of_its_name(int which)
{
    for (int i = 1; i < which; i++)
        if (strcmp(board.series[i].name, board.series[which].name) == 0)
            return false;
    return true;
}

void metrics_expose(struct bytes *out)
{
    static const char *const kinds[] = {
        [METRIC_COUNTER] = "counter", [METRIC_GAUGE] = "gauge", [METRIC_HISTOGRAM] = "histogram"};
    if (board.shared == NULL)
        return;
    for (int i = 1; i < board.count; i++) {
        const char *name = board.series[i].name;
        if (!is_first_of_its_name(i))
            continue;
        bytes_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, board.series[i].help, name,
                     kinds[board.series[i].kind]);
        for (int k = i; k < board.count; k++)
            if (strcmp(board.series[k].name, name) == 0)
                expose_series(out, &board.series[k]);
    }
}
