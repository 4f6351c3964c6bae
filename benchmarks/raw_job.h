/* What a raw run posts, whichever way: transfers between members of the population. */
#ifndef BENCHMARKS_RAW_JOB_H
#define BENCHMARKS_RAW_JOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/uuid.h"

struct population;

/* Each level does what the one before does, and more. */
enum raw_job_level {
    RAW_JOB_BARE,     /* accounts locked and updated, a transactions row */
    RAW_JOB_KEYS,     /* + idempotency keys looked up and written, with an answer */
    RAW_JOB_POSTINGS, /* + postings: now the ledger is whole */
    RAW_JOB_RULES,    /* + prices by the rules and real receipts: the server's own posting queue */
    RAW_JOB_LIMITS,   /* + limits: the same, with rules that have some */
    RAW_JOB_GATE      /* + session and rate limits: the server's own gate, in the stack's Redis */
};

#define RAW_JOB_TOKEN_MAX 80

struct raw_job_person {
    struct uuid user;
    struct uuid wallet;
    char authorization[RAW_JOB_TOKEN_MAX]; /* "Bearer ..." */
};

struct raw_job {
    enum raw_job_level level;
    const char *conninfo; /* as the server's role */
    const char *redis;    /* store/redis_address.h */
    int batch;
    int connections; /* each with one batch in flight */
    struct raw_job_person *people;
    size_t count;
    uint64_t dice;
    uint64_t run; /* part of each key: the moment it began */
    uint64_t serial;
    bool stopping;    /* no new batches */
    uint64_t posted;  /* so far, durable */
    uint64_t refused; /* so far: funds are short */
    char error[256];  /* the first thing that went wrong */
};

/* Stripes of system accounts that no server's lane has: raw's connection i uses this one + i. */
#define RAW_JOB_STRIPE 3000

/* The first `most` members. False: out of memory. */
bool raw_job_people(struct raw_job *job, const struct population *population, size_t most);
void raw_job_release(struct raw_job *job);

/* One transfer. */
struct raw_job_transfer {
    const struct raw_job_person *from;
    const struct raw_job_person *to;
    int64_t amount;
    uint64_t serial;
};
void raw_job_next(struct raw_job *job, struct raw_job_transfer *out);

/* "r-RUN-SERIAL": in the order of serials. Returns its length. */
#define RAW_JOB_KEY_MAX 48
size_t raw_job_key(const struct raw_job *job, uint64_t serial, char key[RAW_JOB_KEY_MAX]);

#endif
