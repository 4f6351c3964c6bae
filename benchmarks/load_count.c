#include "benchmarks/load_count.h"

static bool has(const struct load_window *window, int64_t at)
{
    return at >= window->from && at < window->to;
}

void load_count_offered(struct load *load, const struct load_window *window, int64_t intended)
{
    load->offered += has(window, intended);
}

void load_count_answer(struct load *load, const struct load_window *window,
                       const struct load_answer *answer)
{
    struct load_call_figures *figures = &load->calls[answer->call];
    load->ok += answer->ok && has(window, answer->answered);
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
