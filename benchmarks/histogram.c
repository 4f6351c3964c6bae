#include "benchmarks/histogram.h"

#include <assert.h>
#include <math.h>
#include <string.h>

void histogram_clear(struct histogram *histogram)
{
    memset(histogram, 0, sizeof *histogram);
}

/* Up to 2 x STEPS each value has a cell of its own; above, the cells of each further power of two
 * are twice as wide as those of the one before. */
static int cell_of(uint64_t value)
{
    if (value < 2 * HISTOGRAM_STEPS)
        return (int)value;
    int power =
        63 - __builtin_clzll(value) - 10; /* value >> power lies in STEPS .. 2 x STEPS - 1 */
    if (power > HISTOGRAM_POWERS - 1)
        return HISTOGRAM_CELLS - 1;
    return power * HISTOGRAM_STEPS + (int)(value >> power);
}

/* The largest value that shares a cell. */
static int64_t top_of(int cell)
{
    if (cell < 2 * HISTOGRAM_STEPS)
        return cell;
    int power = cell / HISTOGRAM_STEPS - 1;
    int64_t step = cell - power * HISTOGRAM_STEPS;
    return ((step + 1) << power) - 1;
}

void histogram_add(struct histogram *histogram, int64_t us)
{
    int64_t value = us < 0 ? 0 : us;
    histogram->cells[cell_of((uint64_t)value)]++;
    if (histogram->count == 0 || value < histogram->least)
        histogram->least = value;
    if (value > histogram->most)
        histogram->most = value;
    histogram->count++;
    histogram->sum += (double)value;
}

void histogram_merge(struct histogram *into, const struct histogram *from)
{
    if (from->count == 0)
        return;
    if (into->count == 0 || from->least < into->least)
        into->least = from->least;
    if (from->most > into->most)
        into->most = from->most;
    into->count += from->count;
    into->sum += from->sum;
    for (int i = 0; i < HISTOGRAM_CELLS; i++)
        into->cells[i] += from->cells[i];
}

int64_t histogram_at(const struct histogram *histogram, double part)
{
    assert(part >= 0 && part <= 1);
    if (histogram->count == 0)
        return 0;
    uint64_t wanted = (uint64_t)ceil(part * (double)histogram->count);
    uint64_t seen = 0;
    if (wanted == 0)
        return histogram->least;
    for (int i = 0; i < HISTOGRAM_CELLS; i++) {
        seen += histogram->cells[i];
        if (seen >= wanted) /* the last cell has all that is beyond it, too */
            return i < HISTOGRAM_CELLS - 1 && top_of(i) < histogram->most ? top_of(i)
                                                                          : histogram->most;
    }
    return histogram->most;
}

bool histogram_supports(const struct histogram *histogram, double part)
{
    double beyond = (1 - part) * (double)histogram->count;
    return histogram->count > 0 && (part == 1 || beyond > HISTOGRAM_BEYOND - 1e-6);
}

double histogram_mean(const struct histogram *histogram)
{
    return histogram->count == 0 ? 0 : histogram->sum / (double)histogram->count;
}
