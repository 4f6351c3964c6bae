/* Deciding one order while its accounts are locked: rules (facts -> decision), every refusal, then
 * the postings, then the answer that is remembered under its key. The code behind a quote, too
 * (quote.c): the same, on an unlocked snapshot. */
#ifndef POSTING_ORDER_H
#define POSTING_ORDER_H

#include "base/arena.h"
#include "ledger/book.h"
#include "ledger/limit.h"
#include "posting/posting.h"
#include "store/ledger_rows.h"

struct batch_terms;

#define ORDER_ACCOUNTS_MAX 3

/* What it counts as in a batch and in the queue: 1, a bulk as many as it has items. So many times
 * the accounts above, and so many transactions, are what it needs room for. */
size_t order_weight(const struct posting_order *order);

/* The accounts an order touches: payer, recipient, fees; of a bulk each item's. Returns how many.
 */
size_t order_accounts(const struct posting_order *order, unsigned stripe, struct uuid *ids);

/* Most are: nothing but accounts and a key. */
static inline bool order_is_plain(const struct posting_order *order)
{
    return order->kind == TRANSACTION_TRANSFER || order->kind == TRANSACTION_DEPOSIT;
}

/* What else it must know under the lock: a hold, what was given back. NULL: nothing. */
const struct uuid *order_subject(const struct posting_order *order);

/* Does it make a hold? Does it belong to something earlier? Room is made accordingly. */
bool order_makes_hold(const struct posting_order *order);

/* Has the asker filled in what this kind needs? */
bool order_is_whole(const struct posting_order *order);

/* Where a batch's transactions and postings are written down; room for all is the batch's business.
 */
struct order_ink {
    struct arena *arena;
    struct ledger_transaction *transactions;
    size_t transaction_count;
    struct posting *postings;
    size_t posting_count;
    struct hold *holds; /* new ones */
    size_t hold_count;
    struct ledger_link *links;
    size_t link_count;
    int zone; /* of the calendar: mostly a batch's payers live in one */
    struct limit_calendar calendar;
    size_t member_count; /* transactions without a key of their own: a bulk's but its first */
    enum posting_outcome outcome; /* of the order decided last */
    struct slice body;            /* and its answer, or why its rule failed */
};

/* Decide `order`. POSTING_ANSWERED: `key` has status, transaction (nil: refused, and only then an
 * answer to keep) and is to be remembered; any other outcome leaves it without a status and the
 * book untouched. False: out of memory, the batch must not be written. */
bool order_decide(const struct posting_order *order, const struct batch_terms *terms,
                  struct book *book, struct order_ink *ink, struct ledger_key *key);

#endif
