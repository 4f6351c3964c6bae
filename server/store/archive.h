/* Old months out of the database; back: store/archive_restore.h. A month's partitions of
 * transactions and postings are written into a folder "moolah-2024-01" (two files of lines as COPY
 * writes them, gzip'ed, and a manifest that says what they must be), read back, and dropped;
 * `archives` and `archive_balances` keep what is still needed here. One transaction takes a month
 * out, one brings it back: whoever dies on the way leaves the ledger as it was, and files that the
 * next try writes over.
 *
 * Answers that are derived from a month's transactions are written down under their keys before, so
 * that a replay is answered the same bytes for ever.
 *
 * Blocking libpq, as the schema's owner: for the command line. */
#ifndef STORE_ARCHIVE_H
#define STORE_ARCHIVE_H

#include <stdbool.h>
#include <stdint.h>

struct bytes;
struct wallets_transaction;

/* So many whole months before the current one are never taken out: refunds and disputes. */
#define ARCHIVE_MONTHS_KEPT 3

struct archive {
    const char *conninfo;
    const char *month;  /* "2024-01", UTC's */
    const char *folder; /* holds, or will hold, moolah-2024-01 */
    /* The answer that was given for a transaction, byte for byte (api/receipt). */
    void (*render)(const struct wallets_transaction *posted, struct bytes *answer);

    bool already; /* it was done before: nothing was changed */
    int64_t transactions, postings, answers;
    char error[512];
};

/* False: archive->error says why, and nothing has changed but answers that were written down. */
bool archive_take_out(struct archive *archive);

#endif
