/* A batch: the orders that share one database transaction, and what is decided about them. Pure
 * between its inputs (orders, locked accounts, remembered keys, bundle, moment) and its output
 * (what to write, what to answer): no I/O, no clock, so it's unit-tested without a database. The
 * lane moves it through the database. */
#ifndef POSTING_BATCH_H
#define POSTING_BATCH_H

#include "base/arena.h"
#include "ledger/book.h"
#include "posting/posting.h"
#include "store/ledger_rows.h"

struct batch_changes;
struct bundle;

/* What becomes of one order. */
struct batch_verdict {
    enum posting_outcome outcome;
    int status;
    struct slice body;
    bool replayed;
    size_t leader; /* the first order of the batch with the same key; itself when it's that one */
    size_t asked;  /* its place among the asked keys, when it's the leader */
};

struct batch {
    struct batch *next;            /* in the queue's list of batches to submit again */
    struct posting_order **orders; /* in order of arrival; borrowed until `done` */
    size_t count;
    size_t weight;      /* of all of them (order_weight) */
    int retries;        /* after errors that go away by themselves */
    bool resubmitted;   /* an earlier submission's fate is unknown: only the keys can tell */
    struct arena arena; /* everything below lives in it, from batch_prepare to batch_reset */

    struct uuid *ids; /* accounts to lock, sorted, each once */
    size_t id_count;
    struct uuid *subject_ids; /* what some orders are about, sorted, each once */
    size_t subject_count;
    size_t hold_count;        /* orders that make a hold */
    struct ledger_key *asked; /* keys to look for, sorted, each once */
    size_t asked_count;
    struct batch_verdict *verdicts; /* one per order */

    struct account **windows; /* payers whose last day has to be known */
    size_t window_count;

    struct book book;              /* the locked accounts, and the subjects */
    struct ledger_key *remembered; /* keys that are used already, sorted */
    size_t remembered_count;

    struct ledger_rows_writing writing; /* what batch_decide wants written; no keys: nothing */

    struct batch_changes *changes; /* wallets in doubt, newest submission first */
};

/* What a decision needs beside the rows. */
struct batch_terms {
    const struct bundle *bundle; /* NULL: transfers fail with POSTING_RULE_FAILED */
    unsigned stripe;             /* of the system accounts */
    int64_t now;                 /* Unix us: the transactions' moment */
    int64_t monotonic;           /* for deadlines of a batch that's submitted again */
};

/* A batch over `count` orders (the array is copied). NULL: out of memory. */
struct batch *batch_new(struct posting_order *const *orders, size_t count);
void batch_free(struct batch *batch);

/* Forget everything but the orders: before it is submitted again. */
void batch_reset(struct batch *batch);

/* Work out which accounts to lock and which keys to look for. False: out of memory. */
bool batch_prepare(struct batch *batch, unsigned stripe);

/* Once the accounts are locked: whose last day has to be known, because a rolling limit of `bundle`
 * (or NULL) holds for them? False: out of memory. */
bool batch_find_windows(struct batch *batch, const struct bundle *bundle);

/* Decide every order, in order of arrival. Changes the book; fills verdicts and writing. False: out
 * of memory: the batch must not be written. */
bool batch_decide(struct batch *batch, const struct batch_terms *terms);

/* It's durable (or there was nothing to write): tell every order. The orders are gone afterwards.
 */
void batch_answer(struct batch *batch);

/* Tell every order the same outcome: nothing of it moved. */
void batch_give_up(struct batch *batch, enum posting_outcome outcome);

#endif
