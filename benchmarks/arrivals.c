#include "benchmarks/arrivals.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool parse_number(const char **at, double *out)
{
    char *end;
    *out = strtod(*at, &end);
    bool good = end != *at && isfinite(*out) && *out > 0;
    *at = end;
    return good;
}

static bool parse_phase(struct arrivals_phase *phase, const char **at, double seconds)
{
    if (!parse_number(at, &phase->from))
        return false;
    phase->to = phase->from;
    phase->seconds = seconds;
    if (**at == '-') {
        ++*at;
        if (!parse_number(at, &phase->to))
            return false;
    }
    if (**at == ':') {
        ++*at;
        if (!parse_number(at, &phase->seconds))
            return false;
    }
    return phase->from <= ARRIVALS_RATE_MAX && phase->to <= ARRIVALS_RATE_MAX &&
           phase->seconds <= 1e6;
}

bool arrivals_parse(struct arrivals *arrivals, const char *text, double seconds)
{
    const char *at = text;
    memset(arrivals, 0, sizeof *arrivals);
    arrivals->dice = UINT64_C(0x9e3779b97f4a7c15);
    do {
        if (arrivals->count == ARRIVALS_PHASES_MAX ||
            !parse_phase(&arrivals->phases[arrivals->count], &at, seconds))
            return false;
        arrivals->count++;
    } while (*at++ == ',');
    return at[-1] == '\0';
}

double arrivals_seconds(const struct arrivals *arrivals)
{
    double sum = 0;
    for (int i = 0; i < arrivals->count; i++)
        sum += arrivals->phases[i].seconds;
    return sum;
}

void arrivals_extend(struct arrivals *arrivals, double seconds)
{
    struct arrivals_phase *last = &arrivals->phases[arrivals->count - 1];
    if (last->from != last->to && arrivals->count < ARRIVALS_PHASES_MAX)
        arrivals->phases[arrivals->count++] = (struct arrivals_phase){last->to, last->to, seconds};
    else
        last->seconds += seconds;
}

double arrivals_rate_at(const struct arrivals *arrivals, double second)
{
    for (int i = 0; i < arrivals->count; i++) {
        const struct arrivals_phase *phase = &arrivals->phases[i];
        if (second < phase->seconds)
            return phase->from + (phase->to - phase->from) * second / phase->seconds;
        second -= phase->seconds;
    }
    return 0;
}

/* xorshift64*: the same run again has the same arrivals. */
static double random_part(struct arrivals *arrivals)
{
    uint64_t x = arrivals->dice;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    arrivals->dice = x;
    return ((double)(x * UINT64_C(2685821657736338717) >> 11) + 1) / 9007199254740993.;
}

bool arrivals_next(struct arrivals *arrivals, int64_t *us)
{
    double rate = arrivals_rate_at(arrivals, arrivals->next);
    if (rate <= 0)
        return false;
    *us = (int64_t)(arrivals->next * 1e6);
    arrivals->next += (arrivals->poisson ? -log(random_part(arrivals)) : 1) / rate;
    return true;
}
