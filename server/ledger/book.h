/* The book of a batch: the accounts it has locked, found by id. */
#ifndef LEDGER_BOOK_H
#define LEDGER_BOOK_H

#include <stddef.h>

#include "ledger/account.h"

struct book {
    struct account *accounts; /* sorted by id, each once */
    size_t count;
};

/* Sort `ids` and drop duplicates; returns how many are left. The order of PostgreSQL's uuid: locks
 * are taken in it. */
size_t book_sort_ids(struct uuid *ids, size_t count);

/* NULL: not in the book. */
struct account *book_find(const struct book *book, const struct uuid *id);

#endif
