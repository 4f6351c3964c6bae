/* Who the history is about: users, their wallets and accounts, an open sign-in each, and the rules
 * that priced it. */
#ifndef BENCHMARKS_SEED_PEOPLE_H
#define BENCHMARKS_SEED_PEOPLE_H

#include "benchmarks/seed_history.h"
#include "benchmarks/seed_job.h"

/* Into the open transaction of `connection`. */
void seed_people_write(const struct seed_job *job, const struct seed_accounts *accounts,
                       struct pg_conn *connection);

#endif
