/* The ledger's verifier: what must always hold (schema/README.md), each invariant with counts. One
 * snapshot of the whole database, set-based. Blocking libpq: for the command line. */
#ifndef STORE_VERIFY_H
#define STORE_VERIFY_H

#include <stdbool.h>
#include <stdint.h>

struct verify_line {
    const char *name;
    const char *what;  /* what holds */
    bool checked;      /* false: there is nothing of it yet, or no Redis was given */
    int64_t looked_at; /* rows */
    int64_t broken;
    char first[200]; /* the first broken one; "" when none */
};

/* Calls `tell` for each invariant in order. `redis`: address as in the configuration, or NULL.
 * False: could not be done, `error` says why. */
bool verify_run(const char *conninfo, const char *redis,
                void (*tell)(void *owner, const struct verify_line *line), void *owner, char *error,
                int error_size);

#endif
