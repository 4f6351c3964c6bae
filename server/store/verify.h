/* The ledger's verifier: what must always hold (schema/README.md), each invariant with counts.
 * Set-based, over one snapshot of the database: reading locks nobody out, and no row costs a round
 * trip. A sound ledger is read table by table from end to end, in bounded memory; only one that
 * isn't is joined and sorted to find out where. Blocking libpq and hiredis: for the command line.
 */
#ifndef STORE_VERIFY_H
#define STORE_VERIFY_H

#include <stdbool.h>
#include <stdint.h>

struct verify_seals_keys; /* verify_seals.h */

struct verify_line {
    const char *name;
    const char *what;  /* what holds */
    bool checked;      /* false: see `reason` */
    char reason[160];  /* why it was not: there is nothing of it yet, no Redis, ... */
    bool searched;     /* row by row; false: sums of hashes agree (verify_sums.h) */
    int64_t looked_at; /* rows */
    int64_t broken;
    char first[200]; /* the first broken one; "" when none */
};

/* What to verify, and who hears of it. */
struct verify {
    const char *conninfo;
    const char *checkpoints;                                   /* a file of seals', or NULL */
    const struct verify_seals_keys *keys;                      /* who may sign; NULL: anybody */
    const char *redis;                                         /* store/redis_address.h, or NULL */
    void (*tell)(void *owner, const struct verify_line *line); /* each invariant, in order */
    void *owner;
    char error[512]; /* why it could not be done */
};

/* False: verify->error. */
bool verify_run(struct verify *verify);

#endif
