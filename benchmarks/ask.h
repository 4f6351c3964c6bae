/* One call, waited for: what a run asks beside its load. */
#ifndef BENCHMARKS_ASK_H
#define BENCHMARKS_ASK_H

#include <stdbool.h>

#include "benchmarks/site.h"

struct ev_loop;
struct wire_target;

/* Does a connection come about, within some seconds? */
bool ask_answers(struct wire_target *target, struct ev_loop *loop);

/* The sum and the count of a histogram in the server's /metrics, over all its series. False: it
 * can't be had. */
struct ask_histogram {
    double sum;
    double count;
};
bool ask_metrics(const struct site *site, struct ev_loop *loop, const char *name,
                 struct ask_histogram *out);

#endif
