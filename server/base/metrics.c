#include "base/metrics.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "base/bytes.h"

enum {
    SERIES_MAX = 2048,
    CELLS_MAX = 32768, /* a counter or gauge takes one, a histogram CELLS_OF_HISTOGRAM */
    BUCKETS = 17,
    CELLS_OF_HISTOGRAM = BUCKETS + 2, /* buckets, +Inf, sum; the count is the sum of the buckets */
    LABELS_MAX = 160
};

/* Upper bounds: of durations, in microseconds and as they are shown; of sizes 1 2 4 ... 65536. */
static const struct {
    uint64_t us;
    const char *seconds;
} durations[BUCKETS] = {
    {50, "0.00005"},  {100, "0.0001"},  {250, "0.00025"}, {500, "0.0005"},  {1000, "0.001"},
    {2500, "0.0025"}, {5000, "0.005"},  {10000, "0.01"},  {25000, "0.025"}, {50000, "0.05"},
    {100000, "0.1"},  {250000, "0.25"}, {500000, "0.5"},  {1000000, "1"},   {2500000, "2.5"},
    {5000000, "5"},   {10000000, "10"},
};

struct series {
    const char *name;
    char labels[LABELS_MAX];
    const char *help;
    enum metric_kind kind;
    bool is_duration;
    int cell;    /* first of its cells */
    metric next; /* of the same name, in the order they were registered; 0: none */
    bool heads;  /* the first of its name */
};

static struct {
    struct series series[SERIES_MAX]; /* registered before the fork: every process has the same */
    int count;
    int cells;
    int slots;
    int mine;
    uint64_t
        *shared; /* slots x CELLS_MAX: columns are pages apart, so no two workers share a line */
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

/* The last series called `name`, or 0; `*same` is the one with these labels, or 0. */
static metric find(const char *name, const char *labels, metric *same)
{
    metric last = 0;

    *same = 0;
    for (metric i = 1; i < board.count; i++) {
        if (strcmp(board.series[i].name, name) != 0)
            continue;
        last = i;
        if (strcmp(board.series[i].labels, labels) == 0)
            *same = i;
    }
    return last;
}

metric metrics_register(enum metric_kind kind, const char *name, const char *labels,
                        const char *help)
{
    metric same;
    metric last = find(name, labels, &same);
    int cells = kind == METRIC_HISTOGRAM ? CELLS_OF_HISTOGRAM : 1;

    assert(strlen(labels) < LABELS_MAX && strchr(labels, '\n') == NULL);
    assert(strpbrk(help, "\\\n") == NULL); /* they would have to be escaped */
    assert(last == 0 || board.series[last].kind == kind);
    if (same != 0)
        return same;
    if (board.count == SERIES_MAX || board.cells + cells > CELLS_MAX)
        return 0;

    struct series *series = &board.series[board.count];

    *series = (struct series){
        .name = name,
        .help = help,
        .kind = kind,
        .is_duration = kind == METRIC_HISTOGRAM && ends_with(name, "_seconds"),
        .cell = board.cells,
        .heads = last == 0,
    };
    snprintf(series->labels, sizeof series->labels, "%s", labels);
    if (last != 0)
        board.series[last].next = board.count;
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
    assert(board.series[counter].kind == METRIC_COUNTER);
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
    return series->is_duration ? durations[bucket].us : UINT64_C(1) << bucket;
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
            snprintf(bound, sizeof bound, "%s", durations[bucket].seconds);
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
    if (series->kind == METRIC_GAUGE)
        bytes_add_int(out, (int64_t)sum_cell(series->cell));
    else
        bytes_add_uint(out, sum_cell(series->cell));
    bytes_add_char(out, '\n');
}

/* The samples of one name must stand together under its heading. */
void metrics_expose(struct bytes *out)
{
    static const char *const kinds[] = {
        [METRIC_COUNTER] = "counter",
        [METRIC_GAUGE] = "gauge",
        [METRIC_HISTOGRAM] = "histogram",
    };

    if (board.shared == NULL)
        return;
    for (metric i = 1; i < board.count; i++) {
        const struct series *head = &board.series[i];

        if (!head->heads)
            continue;
        bytes_printf(out, "# HELP %s %s\n# TYPE %s %s\n", head->name, head->help, head->name,
                     kinds[head->kind]);
        for (metric k = i; k != 0; k = board.series[k].next)
            expose_series(out, &board.series[k]);
    }
}
