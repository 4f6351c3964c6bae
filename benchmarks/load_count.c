#include "benchmarks/load_count.h"

#include <math.h>

#include "base/clock.h"
#include "base/memory.h"

#define RAMP_PARTS 5

static bool has(const struct load_window *window, int64_t at)
{
    return at >= window->from && at < window->to;
}

bool load_count_make_steps(struct load *load)
{
    const struct arrivals *arrivals = &load->settings.arrivals;
    double begins = 0;
    load->step_count = 0;
    if (load->settings.closed ||
        (arrivals->count == 1 && arrivals->phases[0].from == arrivals->phases[0].to))
        return true;
    load->steps = memory_alloc((size_t)arrivals->count * RAMP_PARTS * sizeof load->steps[0]);
    if (load->steps == NULL)
        return false;
    for (int i = 0; i < arrivals->count; i++) {
        const struct arrivals_phase *phase = &arrivals->phases[i];
        int parts = phase->from == phase->to ? 1 : RAMP_PARTS;
        double grows = (phase->to - phase->from) / parts;
        for (int part = 0; part < parts; part++) {
            struct load_step *step = &load->steps[load->step_count++];
            step->from = phase->from + grows * part;
            step->to = part + 1 == parts ? phase->to : step->from + grows;
            step->begins = begins + phase->seconds * part / parts;
            step->ends = begins + phase->seconds * (part + 1) / parts;
        }
        begins += phase->seconds;
    }
    return true;
}

double load_count_seconds(const struct load *load, const struct load_step *step)
{
    double from = load->settings.warm_up;
    return fmin(step->ends, from + load->measured) - fmax(step->begins, from);
}

/* NULL: of none, or not in the measured time. */
static struct load_step *step_at(const struct load *load, const struct load_window *window,
                                 int64_t at)
{
    double second = (double)(at - window->began) / CLOCK_SECOND;
    for (int i = 0; has(window, at) && i < load->step_count; i++)
        if (second < load->steps[i].ends)
            return &load->steps[i];
    return NULL;
}

void load_count_offered(struct load *load, const struct load_window *window, int64_t intended)
{
    struct load_step *step = step_at(load, window, intended);
    load->offered += has(window, intended);
    if (step != NULL)
        step->offered++;
}

static void count_in_steps(struct load *load, const struct load_window *window,
                           const struct load_answer *answer)
{
    struct load_step *meant = step_at(load, window, answer->intended);
    struct load_step *came = step_at(load, window, answer->answered);
    if (came != NULL)
        came->ok += answer->ok;
    if (meant == NULL)
        return;
    meant->refused += answer->refused;
    if (answer->ok)
        histogram_add(&meant->latency, answer->answered - answer->intended);
}

void load_count_answer(struct load *load, const struct load_window *window,
                       const struct load_answer *answer)
{
    struct load_call_figures *figures = &load->calls[answer->call];
    load->ok += answer->ok && has(window, answer->answered);
    count_in_steps(load, window, answer);
    if (!has(window, answer->intended))
        return;
    load->statuses[answer->status < LOAD_STATUSES ? answer->status : 0]++;
    load->wrong += !answer->ok && !answer->refused && answer->status != 0;
    load->retry_after_missing += answer->refused && !answer->told_when;
    figures->sent++;
    if (answer->refused && answer->status != 0)
        histogram_add(&load->refusals, answer->answered - answer->began);
    if (!answer->ok)
        return;
    figures->ok++;
    histogram_add(&figures->latency, answer->answered - answer->intended);
    histogram_add(&load->latency, answer->answered - answer->intended);
    histogram_add(&load->service, answer->answered - answer->began);
}

void load_count_end(struct load *load)
{
    uint64_t answered = 0;
    for (int status = 1; status < LOAD_STATUSES; status++)
        answered += load->statuses[status];
    load->lost = load->offered > answered ? load->offered - answered : 0;
}
