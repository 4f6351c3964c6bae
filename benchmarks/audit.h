/* The proof after a run: what the generator's own journal says was acknowledged must be in the
 * ledger, once each, and nothing else may be. */
#ifndef BENCHMARKS_AUDIT_H
#define BENCHMARKS_AUDIT_H

#include <stdbool.h>
#include <stdint.h>

#include "benchmarks/load.h"
#include "benchmarks/site.h"

struct audit {
    uint64_t keyed;        /* keys sent */
    uint64_t acknowledged; /* 2xx */
    uint64_t declined;     /* 404 and 422, remembered */
    uint64_t unknown;      /* no final answer while the load ran; asked again until there was one */
    uint64_t replayed;     /* asked a second time on purpose: same bytes wanted */
    uint64_t faults;       /* 0: passed */
    char first[256];       /* the first fault, for people */
};

/* Settle what is unknown, replay up to `replays` keys, hold every key against the ledger, verify
 * the ledger's invariants. Says what it does on standard error. False: it could not be done
 * (`first` says why). */
struct audit_depth {
    uint64_t replays; /* at most so many keys are sent again */
    bool invariants;  /* of the whole ledger; false: somebody verifies it later */
};

bool audit_run(struct audit *audit, struct load *load, const struct site *site,
               struct ev_loop *loop, const struct audit_depth *depth);

#endif
