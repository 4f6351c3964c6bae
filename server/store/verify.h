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

/* What to verify, and who hears of it. */
struct verify {
    const char *conninfo;
    const char *redis; /* address as in the configuration, or NULL */
    void (*tell)(void *owner, const struct verify_line *line); /* each invariant, in order */
    void *owner;
    char error[512]; /* why it could not be done */
};

/* False: verify->error. */
bool verify_run(struct verify *verify);

#endif
