/* A batch of transfers that all go well: 128 orders between 200 wallets, priced by rules/. */
#ifndef INSTRUCTIONS_ORDERS_H
#define INSTRUCTIONS_ORDERS_H

#include <stdbool.h>

#include "api/receipt.h"
#include "posting/batch.h"

#define ORDERS_COUNT 128

struct orders {
    struct receipt_order receipts[ORDERS_COUNT];
    struct posting_order *list[ORDERS_COUNT];
    char keys[ORDERS_COUNT][32];
    struct account accounts[ORDERS_COUNT * 3]; /* what the batch locks, in id order */
    size_t account_count;
    struct batch_terms terms;
};

/* False: the rules can't be loaded, or out of memory. */
bool orders_make(struct orders *orders);

/* Prepare and decide a batch of them, over the accounts as they are before. False: out of memory.
 */
bool orders_decide(const struct orders *orders, struct batch *batch);

/* Did every transfer come about? */
bool orders_are_posted(const struct batch *batch);

#endif
