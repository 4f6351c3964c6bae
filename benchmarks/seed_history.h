/* The history itself: for each new wallet a deposit, then transfers, in the order of their moments.
 * Each is decided by posting/order.c, priced by the rules, and answered by api/receipt.c, as if it
 * had come in over HTTP at that moment; the rows are what the server would have written. */
#ifndef BENCHMARKS_SEED_HISTORY_H
#define BENCHMARKS_SEED_HISTORY_H

#include "benchmarks/seed_job.h"
#include "ledger/account.h"

struct seed_history;

/* What it leaves: the accounts as they are after the last transaction. */
struct seed_accounts {
    const struct account *wallets; /* the new ones, by index */
    size_t wallet_count;
    const struct account *system; /* fees and settlement */
    size_t system_count;
};

/* Writes all of it, into open transactions; tells how far it is about every second. */
struct seed_history *seed_history_write(const struct seed_job *job);
struct seed_accounts seed_history_accounts(const struct seed_history *history);
/* Commits what it wrote, transactions first. Frees. */
void seed_history_commit(struct seed_history *history);

#endif
