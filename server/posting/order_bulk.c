/* Bulks: many transfers under one key. Items are decided in order, each on what the ones before
 * have left of the book. Nothing is written down for good before all are decided: what must not be
 * is taken back, in the book and in the ink. */
#include <assert.h>

#include "posting/order_kind.h"

#define RESULT_USUAL 96 /* bytes of an item's part of the answer */

/* A decision on its way through the items. */
struct bulk {
    const struct posting_order *order;
    const struct batch_terms *terms;
    struct posting_order *item; /* lives as long as what is written points to it */
    struct posting_result *results;
    struct uuid first; /* transaction */
    size_t posted;
};

/* One of its accounts as it was, with what its limits have counted. */
struct saved {
    struct account *place;
    struct account account;
    struct limit_counters *counters; /* NULL: nobody had asked for them */
    struct limit_move *moves;
    size_t move_count;
};

struct before {
    struct saved *accounts;
    size_t count;
    struct order_ink ink;
};

void order_bulk_item(const struct posting_order *bulk, size_t at, struct posting_order *item)
{
    const struct posting_item *said = &bulk->items[at];
    assert(at < bulk->item_count);
    *item = *bulk;
    item->items = NULL;
    item->item_count = 0;
    item->from = said->from;
    item->to = said->to;
    item->amount = said->amount;
    item->note = said->note;
    item->reference = said->reference;
}

/* False: out of memory. */
static bool save(struct saved *saved, struct account *account, struct arena *arena)
{
    *saved = (struct saved){.place = account, .account = *account};
    if (account->counters != NULL) {
        saved->counters = arena_room(arena, sizeof *saved->counters);
        if (saved->counters == NULL)
            return false;
        *saved->counters = *account->counters;
    }
    if (account->window == NULL)
        return true;
    saved->move_count = account->window->count;
    saved->moves = arena_array(arena, saved->move_count, sizeof saved->moves[0]);
    if (saved->moves == NULL)
        return false;
    memcpy(saved->moves, account->window->moves, saved->move_count * sizeof saved->moves[0]);
    return true;
}

static bool remember(struct before *before, const struct bulk *bulk, struct book *book,
                     const struct order_ink *ink)
{
    size_t most = bulk->order->item_count * ORDER_ACCOUNTS_MAX;
    struct uuid *ids = arena_array(ink->arena, most, sizeof ids[0]);
    *before = (struct before){.ink = *ink};
    before->accounts = arena_array(ink->arena, most, sizeof before->accounts[0]);
    if (ids == NULL || before->accounts == NULL)
        return false;
    size_t count = book_sort_ids(ids, order_accounts(bulk->order, bulk->terms->stripe, ids));
    for (size_t i = 0; i < count; i++) {
        struct account *account = book_find(book, &ids[i]);
        if (account != NULL && !save(&before->accounts[before->count++], account, ink->arena))
            return false;
    }
    return true;
}

/* Transfers touch accounts only: no hold, nothing that was given back. */
static void take_back(const struct before *before, struct order_ink *ink)
{
    assert(ink->hold_count == before->ink.hold_count);
    for (size_t i = 0; i < before->count; i++) {
        const struct saved *saved = &before->accounts[i];
        *saved->place = saved->account;
        if (saved->counters != NULL)
            *saved->account.counters = *saved->counters;
        if (saved->moves == NULL)
            continue; /* nobody had asked for its window */
        struct limit_window *window = saved->account.window;
        assert(window != NULL);
        window->count = saved->move_count;
        memcpy(window->moves, saved->moves, saved->move_count * sizeof saved->moves[0]);
    }
    ink->transaction_count = before->ink.transaction_count;
    ink->posting_count = before->ink.posting_count;
    ink->link_count = before->ink.link_count;
    ink->member_count = before->ink.member_count;
}

/* False: out of memory. */
static bool note_result(const struct decision *d, const struct uuid *id, struct arena *arena,
                        struct posting_result *result)
{
    *result = (struct posting_result){
        .refusal = d->refusal, .transaction = *id, .fee = d->transfer.fee, .breach = d->breach};
    if (d->refusal == REFUSAL_INSUFFICIENT_FUNDS)
        result->available = account_available(d->transfer.from);
    if (d->refusal == REFUSAL_RULE_DENIED) {
        result->reason = arena_copy(arena, slice_of(d->fee.reason)).at;
        return result->reason != NULL;
    }
    return true;
}

/* The key names the bulk's first transaction; links lead from it to the others. */
static void link_member(struct order_ink *ink, const struct uuid *first)
{
    const struct ledger_transaction *t = &ink->transactions[ink->transaction_count - 1];
    if (uuid_equal(first, &t->id))
        return;
    ink->member_count++;
    ink->links[ink->link_count++] = (struct ledger_link){.original = *first,
                                                         .transaction = t->id,
                                                         .kind = LEDGER_LINK_BULK,
                                                         .amount = t->amount,
                                                         .fee = t->fee};
}

/* False: out of memory. ink->outcome isn't POSTING_ANSWERED: the whole bulk has failed. */
static bool decide_items(struct bulk *bulk, struct book *book, struct order_ink *ink)
{
    for (size_t i = 0; i < bulk->order->item_count; i++) {
        struct uuid id = {{0}};
        struct decision d;
        order_bulk_item(bulk->order, i, bulk->item);
        order_begin(&d, bulk->item, bulk->terms);
        if (!order_run(&d, book, ink, &id))
            return false;
        if (ink->outcome != POSTING_ANSWERED)
            return true;
        if (!note_result(&d, &id, ink->arena, &bulk->results[i]))
            return false;
        if (d.refusal != REFUSAL_NONE)
            continue;
        if (bulk->posted++ == 0)
            bulk->first = id;
        link_member(ink, &bulk->first);
    }
    return true;
}

static bool answer(const struct bulk *bulk, struct order_ink *ink, struct ledger_key *key)
{
    const struct posting_decision decided = {
        .created_at = bulk->terms->now, .results = bulk->results, .posted = bulk->posted};
    struct bytes body;
    bytes_init(&body, ink->arena);
    bytes_reserve(&body, bulk->order->item_count * RESULT_USUAL);
    key->status = bulk->order->render(bulk->order, &decided, &body);
    key->transaction = bulk->first;
    key->answer = ink->body = bytes_view(&body);
    assert(body.failed || (key->status >= 200 && key->status < 500 && body.length > 0));
    return !body.failed;
}

bool order_bulk_decide(const struct posting_order *order, const struct batch_terms *terms,
                       struct book *book, struct order_ink *ink, struct ledger_key *key)
{
    struct bulk bulk = {.order = order, .terms = terms};
    struct before before;
    bulk.item = arena_alloc(ink->arena, sizeof *bulk.item);
    bulk.results = arena_array(ink->arena, order->item_count, sizeof bulk.results[0]);
    if (bulk.item == NULL || bulk.results == NULL || !remember(&before, &bulk, book, ink) ||
        !decide_items(&bulk, book, ink))
        return false;
    if (ink->outcome != POSTING_ANSWERED) { /* a rule failed, or a row can't be: nothing of it */
        take_back(&before, ink);
        return true;
    }
    if (order->all && bulk.posted < order->item_count) {
        take_back(&before, ink);
        for (size_t i = 0; i < order->item_count; i++)
            bulk.results[i].transaction = (struct uuid){{0}};
        bulk.first = (struct uuid){{0}};
        bulk.posted = 0;
    }
    return answer(&bulk, ink, key);
}
