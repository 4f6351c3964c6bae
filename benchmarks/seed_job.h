/* What is to be seeded, and everything that speaks against it, said before the database is
 * touched. */
#ifndef BENCHMARKS_SEED_JOB_H
#define BENCHMARKS_SEED_JOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/uuid.h"
#include "benchmarks/population.h"

#define SEED_JOB_MONTHS_MAX 60

struct bundle;
struct pg_conn; /* libpq's */

struct seed_job {
    const char *folder;    /* ci/up's --data */
    int64_t wallets;       /* so many there shall be */
    int64_t transactions;  /* transfers to add */
    int months;            /* over which they are spread, the present one included */
    const char *rules;     /* NULL: those that the server serves */
    char database[512];    /* conninfo of the schema's owner */
    struct uuid partner;   /* who brings the opening deposits */
    struct bundle *bundle; /* prices the transfers */
    size_t wallets_before; /* seeded earlier: they stay as they are */
    struct population_seed seed;
    struct population *population; /* of `seed`: earlier and new ones */
    int64_t from, until;           /* the history, Unix us */
    unsigned stripe;               /* of the system accounts: nobody else's */
};

/* "moolah-bench seed: ...", and the end of the process: open transactions are undone. */
_Noreturn void seed_job_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* demo.json, population.json, the rules. Ends the process when something is missing. */
void seed_job_read(struct seed_job *job);

/* The database: migrated, nobody else seeding, nothing half done, room on the disk. Ends the
 * process when not. */
void seed_job_check(struct seed_job *job, struct pg_conn *connection);

/* DIR/population.json is there before the commit under another name: whatever happens then, its key
 * is not lost. */
void seed_job_announce(const struct seed_job *job);
void seed_job_finish(const struct seed_job *job);

/* A connection as the schema's owner, set up for loading. */
struct pg_conn *seed_job_connect(const struct seed_job *job);
/* One statement; ends the process when the database refuses it. */
void seed_job_run(struct pg_conn *connection, const char *sql);
/* The first field of its answer as a number; 0: null or no row. */
int64_t seed_job_ask(struct pg_conn *connection, const char *sql);

#endif
