/* The book of a batch: the accounts it has locked, and what its orders are about, found by id. */
#ifndef LEDGER_BOOK_H
#define LEDGER_BOOK_H

#include <stddef.h>

#include "ledger/account.h"
#include "ledger/hold.h"

/* What some orders are about: a hold, or a transaction of which something went back before. Read
 * while the payer's account is locked, so nobody else can change it either. */
struct subject {
    struct uuid id;
    struct hold hold; /* HOLD_NONE: there is none of that id */
    bool finished;    /* its hold, by this batch: to be written */
    int64_t refunded; /* of a transaction: by refunds and reversal before */
    int64_t fee_refunded;
    int64_t refunds; /* how many, the reversal among them */
    bool reversed;
    struct uuid hold_id; /* of a capture: its hold; else nil */
};

struct book {
    struct account *accounts; /* sorted by id, each once */
    size_t count;
    struct subject *subjects; /* likewise */
    size_t subject_count;
};

/* Sort `ids` and drop duplicates; returns how many are left. The order of PostgreSQL's uuid: locks
 * are taken in it. */
size_t book_sort_ids(struct uuid *ids, size_t count);

/* NULL: not in the book. */
struct account *book_find(const struct book *book, const struct uuid *id);
struct subject *book_find_subject(const struct book *book, const struct uuid *id);

#endif
