#include "benchmarks/axis.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>

#define TICKS_WANTED 5

void axis_init(struct axis *axis, enum axis_kind kind, enum axis_unit unit)
{
    *axis = (struct axis){.kind = kind, .unit = unit, .low = NAN, .high = NAN};
}

/* Where a value lies before it is fitted into 0..1; NAN: nowhere. */
static double transform(enum axis_kind kind, double value)
{
    switch (kind) {
    case AXIS_LINEAR:
        return isfinite(value) ? value : NAN;
    case AXIS_LOG:
        return isfinite(value) && value > 0 ? log10(value) : NAN;
    case AXIS_NINES:
        if (!(value >= 0 && value <= 1))
            return NAN;
        return fmin(-log10(1 - value), AXIS_NINES_MAX) + 0.0; /* no -0 */
    }
    return NAN;
}

void axis_see(struct axis *axis, double value)
{
    double at = transform(axis->kind, value);
    if (isnan(at))
        return;
    if (isnan(axis->low) || at < axis->low)
        axis->low = at;
    if (isnan(axis->high) || at > axis->high)
        axis->high = at;
}

const char *axis_label(char out[NUMBERS_TEXT_MAX], enum axis_unit unit, double value)
{
    switch (unit) {
    case AXIS_PLAIN:
        return numbers_text(out, value);
    case AXIS_TIME:
        return numbers_time(out, value);
    case AXIS_PART:
        if (!isfinite(value))
            return numbers_text(out, value);
        snprintf(out, NUMBERS_TEXT_MAX, "%.7g %%", value * 100);
        return out;
    }
    return numbers_text(out, NAN);
}

static void add_tick(struct axis *axis, double value)
{
    if (axis->tick_count == AXIS_TICKS_MAX)
        return;
    axis->ticks[axis->tick_count] = value;
    axis_label(axis->labels[axis->tick_count], axis->unit, value);
    axis->tick_count++;
}

/* The next of ..., 1, 2, 5, 10, 20, ... from `size` on. */
static double nice_step(double size)
{
    double power = pow(10, floor(log10(size)));
    double digits = size / power;
    double nice = digits <= 1 ? 1 : digits <= 2 ? 2 : digits <= 5 ? 5 : 10;
    return nice * power;
}

static void fit_linear(struct axis *axis)
{
    double low = fmin(axis->low, 0);
    double high = fmax(axis->high, 0);
    if (high - low < 1e-9)
        high = low + 1;
    double step = nice_step((high - low) / TICKS_WANTED);
    double first = floor(low / step + 1e-9);
    double last = ceil(high / step - 1e-9);
    axis->low = first * step;
    axis->high = last * step;
    for (int i = 0; i <= (int)(last - first); i++)
        add_tick(axis, (first + i) * step + 0.0); /* no -0 */
}

/* The power of ten, or 2 or 5 times it, next to `at`; logarithms both. */
static double nice_log(double at, bool up)
{
    static const double steps[] = {0, 0.30102999566398120, 0.69897000433601880, 1};
    double whole = floor(at + 1e-9);
    double part = at - whole;
    for (size_t i = 0; up && i < 4; i++)
        if (part <= steps[i] + 1e-9)
            return whole + steps[i];
    for (size_t i = 4; i-- > 0;)
        if (part >= steps[i] - 1e-9)
            return whole + steps[i];
    return whole;
}

static void fit_log(struct axis *axis)
{
    axis->low = nice_log(axis->low, false);
    axis->high = nice_log(axis->high, true);
    if (axis->high - axis->low < 0.5) {
        axis->low = nice_log(axis->low - 0.5, false);
        axis->high = nice_log(axis->high + 0.5, true);
    }
    double decades = axis->high - axis->low;
    int stride = (int)ceil(decades / (AXIS_TICKS_MAX * 0.5));
    bool fine = decades <= 2.5;
    for (int power = (int)floor(axis->low + 1e-9); power <= axis->high + 1e-9; power += stride)
        for (int step = 0; step < (fine ? 3 : 1); step++) {
            double value = pow(10, power) * (double[]){1, 2, 5}[step];
            double at = log10(value);
            if (at >= axis->low - 1e-9 && at <= axis->high + 1e-9)
                add_tick(axis, value);
        }
}

static void fit_nines(struct axis *axis)
{
    axis->low = 0;
    axis->high = fmax(axis->high, 2);
    add_tick(axis, 0);
    add_tick(axis, 0.5);
    for (int nines = 1; nines <= (int)floor(axis->high + 1e-9); nines++)
        add_tick(axis, 1 - pow(10, -nines));
}

void axis_fit(struct axis *axis)
{
    axis->tick_count = 0;
    if (isnan(axis->low))
        return;
    switch (axis->kind) {
    case AXIS_LINEAR:
        fit_linear(axis);
        return;
    case AXIS_LOG:
        fit_log(axis);
        return;
    case AXIS_NINES:
        fit_nines(axis);
        return;
    }
}

double axis_place(const struct axis *axis, double value)
{
    double at = transform(axis->kind, value);
    if (isnan(at) || isnan(axis->low))
        return NAN;
    return (at - axis->low) / (axis->high - axis->low);
}
