/* The posting batch's SQL: what one batch reads and locks, and what it writes. Only statements,
 * encoding and decoding: the batch itself is posting/'s.
 *
 * A batch is one transaction on one connection, two flights:
 *   ledger_rows_read   begin; lock the accounts in id order; read what is remembered under the keys
 *   ledger_rows_write  accounts, transactions, postings, keys, set-wise; commit
 * and one between them when a key is used already: the transaction that its answer is derived from.
 * Each flight ends with a sync: only behind one does PostgreSQL count the time it waits for the
 * next, and takes the locks of a worker that has vanished back. The keys are read after the locks:
 * whoever had the same order before us held the same locks and has committed. A key that slips
 * through (same key, other accounts) breaks on its primary key and the batch is submitted again. */
#ifndef STORE_LEDGER_ROWS_H
#define STORE_LEDGER_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ledger/account.h"
#include "ledger/hold.h"
#include "ledger/transaction.h"
#include "store/pg_connection.h"

struct arena;
struct pg_rows;
struct wallets_transaction;

/* To prepare on a posting connection, and what to run when it connects. */
extern const struct pg_statement *const ledger_rows_statements[];
extern const char ledger_rows_setup[];

/* For a connection's setup: what is acknowledged is on disk, whatever was set for the role. A
 * stronger setting (remote_apply) or a weaker wait for standbys (local) is the operators' choice.
 */
#define LEDGER_ROWS_DURABLE                                 \
    "select set_config('synchronous_commit', 'on', false) " \
    "where current_setting('synchronous_commit') = 'off'"

extern const struct pg_statement ledger_rows_lock_accounts;
extern const struct pg_statement ledger_rows_read_keys;
extern const struct pg_statement ledger_rows_read_posted;
extern const struct pg_statement ledger_rows_update_accounts;
extern const struct pg_statement ledger_rows_open_accounts;
extern const struct pg_statement ledger_rows_make_partitions;

/* A key and what is to be, or was, remembered under it. */
struct ledger_key {
    struct uuid caller;
    struct slice key;
    uint8_t request_hash[32];
    int status;
    struct slice answer;                      /* {NULL,0}: the receipt of its transaction */
    struct uuid transaction;                  /* nil: refused */
    const struct wallets_transaction *posted; /* of one read back, when its answer is derived */
};

/* The order of the primary key: key bytes first (collation "C"), then caller. Keys are inserted in
 * it, so that two batches can't deadlock. */
int ledger_rows_compare_keys(const struct ledger_key *a, const struct ledger_key *b);

/* One transaction's row. */
struct ledger_transaction {
    struct uuid id;
    enum transaction_kind kind;
    currency currency;
    int64_t amount, fee;
    struct uuid from, to, caller;
    int64_t from_version, to_version; /* of their postings */
    struct slice note, reference;     /* {NULL,0}: null */
    const uint8_t *bundle;            /* 32 bytes or NULL */
    struct slice pricing, facts;      /* JSON, {NULL,0}: null */
    const uint8_t *trace_id;          /* 16 bytes */
};

/* The kind of a link from a bulk's first transaction, which its key names, to each other one. The
 * number stands in the database, beside those of transactions. */
#define LEDGER_LINK_BULK 100

/* A transaction belongs to something earlier: a capture to its hold, a refund to its original, an
 * item of a bulk to the first. */
struct ledger_link {
    struct uuid original, transaction;
    int kind; /* the transaction's own kind (or LEDGER_LINK_BULK), amount and fee */
    int64_t amount, fee;
};

/* What a batch read asks for. ids: sorted, each once (book_sort_ids). */
struct ledger_rows_question {
    const struct uuid *accounts;
    size_t account_count;
    const struct uuid
        *subjects; /* what some orders are about (hold_rows.h); mostly there are none */
    size_t subject_count;
    const struct ledger_key *keys; /* caller and key count */
    size_t key_count;
};

/* Send the first flight; answers come for ledger_rows_lock_accounts, then hold_rows_read_subjects
 * when there are subjects, then ledger_rows_read_keys, then its sync. */
bool ledger_rows_read(struct pg_connection *connection, struct arena *arena,
                      const struct ledger_rows_question *question);

/* Decode: `accounts` has room for as many as were asked for; `count` says how many there are, in id
 * order. False: out of memory. */
bool ledger_rows_take_accounts(const struct pg_rows *rows, struct arena *arena,
                               struct account *accounts, size_t *count);
/* Decode into the arena, in ledger_rows_compare_keys order. NULL: out of memory. */
struct ledger_key *ledger_rows_take_keys(const struct pg_rows *rows, struct arena *arena,
                                         size_t *count);

/* Which of the keys read have their answer in their transaction: 0: none, nothing to ask. */
size_t ledger_rows_derived(const struct ledger_key *keys, size_t count);

/* Ask for those transactions, in the same database transaction; the answer comes for
 * ledger_rows_read_posted, then a sync. */
bool ledger_rows_ask_posted(struct pg_connection *connection, struct arena *arena,
                            const struct ledger_key *keys, size_t count);

/* Decode: fills `posted` of the keys; NULL stays with one whose transaction is missing (a month
 * that was taken away, a mending by hand): its neighbours in the batch go on. False: out of memory.
 */
bool ledger_rows_take_posted(const struct pg_rows *rows, struct arena *arena,
                             struct ledger_key *keys, size_t count);

struct ledger_rows_writing {
    const struct account *accounts; /* only those that changed */
    size_t account_count;
    bool floors; /* some floor moved, too */
    const struct ledger_transaction *transactions;
    size_t transaction_count;
    const struct posting *postings;
    size_t posting_count;
    const struct hold *holds; /* new ones */
    size_t hold_count;
    const struct hold *finished; /* and those that ended */
    size_t finished_count;
    const struct ledger_link *links;
    size_t link_count;
    const struct ledger_key *keys; /* sorted by ledger_rows_compare_keys */
    size_t key_count;
    int64_t created_at; /* Unix us, of all of them */
};

/* Send the second flight, commit and sync included. False: out of memory or not ready, the
 * connection should be dropped. */
bool ledger_rows_write(struct pg_connection *connection, struct arena *arena,
                       const struct ledger_rows_writing *writing);

/* Nothing to write: end the transaction durably (a standby that replays wait for must have what we
 * replay), and sync. */
bool ledger_rows_end(struct pg_connection *connection, struct arena *arena);

/* After an error and the sync behind it: leave the failed transaction, and sync. */
bool ledger_rows_roll_back(struct pg_connection *connection, struct arena *arena);

/* The same, and make the partitions that transactions of that moment go to, before the sync. */
bool ledger_rows_roll_back_and_partition(struct pg_connection *connection, struct arena *arena,
                                         int64_t moment);

/* Did a row find no partition? (A CHECK has the same SQLSTATE, but a name.) */
bool ledger_rows_is_unpartitioned(const struct pg_error *error);

/* Make the system accounts of a lane, where they are missing; syncs. */
bool ledger_rows_open(struct pg_connection *connection, struct arena *arena,
                      const currency *currencies, unsigned stripe);

#endif
