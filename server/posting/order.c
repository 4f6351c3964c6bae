#include "posting/order.h"

#include <assert.h>
#include <stddef.h>

#include "posting/order_kind.h"

#define RECEIPT_USUAL 1023 /* room that most texts never outgrow: what does, is copied */

static const struct order_kind *const kinds[TRANSACTION_KIND_MAX + 1] = {
    [TRANSACTION_DEPOSIT] = &order_move_deposit,
    [TRANSACTION_TRANSFER] = &order_move_transfer,
    [TRANSACTION_WITHDRAWAL] = &order_move_withdrawal,
    [TRANSACTION_HOLD] = &order_hold_place,
    [TRANSACTION_CAPTURE] = &order_hold_capture,
    [TRANSACTION_VOID] = &order_hold_void,
    [TRANSACTION_EXPIRY] = &order_hold_expiry,
    [TRANSACTION_REFUND] = &order_refund_refund,
    [TRANSACTION_REVERSAL] = &order_refund_reversal,
    [TRANSACTION_PURCHASE] = &order_hold_capture,
};

static const struct order_kind *kind_of(const struct posting_order *order)
{
    assert((unsigned)order->kind <= TRANSACTION_KIND_MAX && kinds[order->kind] != NULL);
    return kinds[order->kind];
}

/* The lane's own stripe of settlement, also when an earlier transaction used another one. */
static struct uuid account_of(enum account_kind kind, const struct uuid *named,
                              const struct posting_order *order, unsigned stripe)
{
    if (kind == ACCOUNT_SETTLEMENT || account_system_kind(named) == ACCOUNT_SETTLEMENT)
        return account_system_id(ACCOUNT_SETTLEMENT, order->amount.currency, stripe);
    return *named;
}

/* Payer, recipient, fees: which of them it has. */
struct parties {
    struct uuid ids[ORDER_ACCOUNTS_MAX];
    bool has[ORDER_ACCOUNTS_MAX];
};

enum { PAYER, RECIPIENT, FEES };

static struct parties find_ids(const struct posting_order *order, unsigned stripe)
{
    const struct order_kind *kind = kind_of(order);
    struct parties p = {.has = {false}};
    if (kind->subject && uuid_is_nil(&order->subject.id))
        return p; /* it will be refused: there is nothing to move */
    p.ids[PAYER] = account_of(kind->from, &order->from, order, stripe);
    p.has[PAYER] = true;
    p.ids[RECIPIENT] = account_of(kind->to, &order->to, order, stripe);
    p.has[RECIPIENT] = !kind->leaves_to && !uuid_is_nil(&p.ids[RECIPIENT]);
    p.has[FEES] = kind->fees;
    if (kind->fees)
        p.ids[FEES] = account_system_id(ACCOUNT_FEES, order->amount.currency, stripe);
    return p;
}

size_t order_weight(const struct posting_order *order)
{
    return order->items == NULL ? 1 : order->item_count;
}

static size_t accounts_of_one(const struct posting_order *order, unsigned stripe, struct uuid *ids)
{
    const struct parties p = find_ids(order, stripe);
    size_t count = 0;
    for (int i = 0; i < ORDER_ACCOUNTS_MAX; i++)
        if (p.has[i])
            ids[count++] = p.ids[i];
    return count;
}

size_t order_accounts(const struct posting_order *order, unsigned stripe, struct uuid *ids)
{
    size_t count = 0;
    if (order->items == NULL)
        return accounts_of_one(order, stripe, ids);
    for (size_t i = 0; i < order->item_count; i++) {
        struct posting_order item;
        order_bulk_item(order, i, &item);
        count += accounts_of_one(&item, stripe, ids + count);
    }
    return count;
}

const struct uuid *order_subject(const struct posting_order *order)
{
    return kind_of(order)->subject && !uuid_is_nil(&order->subject.id) ? &order->subject.id : NULL;
}

bool order_makes_hold(const struct posting_order *order)
{
    return order->kind == TRANSACTION_HOLD;
}

static bool is_whole_bulk(const struct posting_order *order)
{
    bool whole = order->kind == TRANSACTION_TRANSFER && order->item_count >= 1 &&
                 order->item_count <= POSTING_ITEMS_MAX;
    for (size_t i = 0; whole && i < order->item_count; i++)
        whole =
            money_is_amount(order->items[i].amount.minor) && order->items[i].amount.currency != 0;
    return whole;
}

bool order_is_whole(const struct posting_order *order)
{
    if (order->items != NULL)
        return is_whole_bulk(order);
    const struct order_kind *kind = kind_of(order);
    bool amount =
        money_is_amount(order->amount.minor) || (kind->subject && order->amount.minor == 0);
    if (kind->subject && uuid_is_nil(&order->subject.id))
        return amount;
    return amount && order->amount.currency != 0 &&
           (!order_makes_hold(order) || order->expires_in > 0);
}

static void find_parties(struct decision *d, struct book *book)
{
    const struct posting_order *order = d->order;
    const struct parties p = find_ids(order, d->terms->stripe);
    bool inside = kind_of(order)->from == 0;
    d->transfer = (struct transfer){
        .amount = order->amount,
        .from = p.has[PAYER] ? book_find(book, &p.ids[PAYER]) : NULL,
        .to = p.has[RECIPIENT] ? book_find(book, &p.ids[RECIPIENT]) : NULL,
        .fees = p.has[FEES] ? book_find(book, &p.ids[FEES]) : NULL,
        .payer = inside && !order->anyones ? &order->caller : NULL,
        .anyones = inside && order->anyones,
    };
    if (order_subject(order) != NULL)
        d->subject = book_find_subject(book, &order->subject.id);
}

/* A hold is of those whose accounts are locked: its asker has read who they are. */
static bool is_its_hold(const struct decision *d)
{
    const struct hold *hold = d->subject == NULL ? NULL : &d->subject->hold;
    return hold == NULL || hold->status == HOLD_NONE || transaction_gives_back(d->order->kind) ||
           (uuid_equal(&hold->from, &d->order->from) && uuid_equal(&hold->to, &d->order->to) &&
            hold->currency == d->order->amount.currency && d->transfer.from != NULL);
}

/* A row that can't be (the database's last wall has a hole, or somebody mended by hand) moves
 * nothing; its neighbours go on. */
static bool are_sound(const struct decision *d)
{
    const struct account *const parties[] = {d->transfer.from, d->transfer.to, d->transfer.fees};
    for (size_t i = 0; i < sizeof parties / sizeof parties[0]; i++)
        if (parties[i] != NULL && !account_is_sound(parties[i]))
            return false;
    return is_its_hold(d);
}

/* What is written beside the transaction: the hold it makes, what it belongs to. */
static void write_beside(const struct decision *d, struct order_ink *ink,
                         const struct ledger_transaction *t)
{
    if (order_makes_hold(d->order))
        ink->holds[ink->hold_count++] = d->hold;
    if (d->subject != NULL)
        ink->links[ink->link_count++] = (struct ledger_link){.original = d->subject->id,
                                                             .transaction = t->id,
                                                             .kind = (int)t->kind,
                                                             .amount = t->amount,
                                                             .fee = t->fee};
}

/* Write it down and move the money. False: out of memory, before anything moved. */
static bool act(struct decision *d, struct order_ink *ink, struct uuid *id)
{
    const struct posting_order *order = d->order;
    const struct order_kind *kind = kind_of(order);
    struct posting *postings = ink->postings + ink->posting_count;
    assert(d->transfer.from != NULL); /* else it was refused */
    if (!kind->price(d, ink->arena) || !order_limit_prepare(d, ink))
        return false;

    *id = uuid_new(d->terms->now);
    int count = kind->post(d, id, postings);
    assert(count >= 1 && uuid_equal(&postings[0].account, &d->transfer.from->id));
    struct ledger_transaction *t = &ink->transactions[ink->transaction_count++];
    *t = (struct ledger_transaction){
        .id = *id,
        .kind = order->kind,
        .currency = order->amount.currency,
        .amount = d->transfer.amount.minor,
        .fee = d->transfer.fee,
        .from = d->transfer.from->id,
        .to = d->transfer.to == NULL ? order->to : d->transfer.to->id,
        .caller = order->caller,
        .from_version = postings[0].version,
        .to_version = count > 1 ? postings[1].version : 0,
        .note = order->note,
        .reference = order->reference,
        .bundle = d->bundle,
        .pricing = d->pricing,
        .facts = d->priced_facts,
        .trace_id = order->trace_id,
    };
    ink->posting_count += (size_t)count;
    order_limit_count(d, ink, id);
    write_beside(d, ink, t);
    return true;
}

static const struct hold *hold_told(const struct decision *d)
{
    if (order_makes_hold(d->order))
        return &d->hold;
    return d->subject != NULL && d->subject->hold.status != HOLD_NONE ? &d->subject->hold : NULL;
}

/* The answer, rendered while the balances are what they are. A derived receipt isn't kept: it's
 * written from its transaction again. */
static bool answer(const struct decision *d, const struct uuid *id, struct order_ink *ink,
                   struct ledger_key *key)
{
    struct posting_decision decided = {
        .refusal = d->refusal,
        .reason = d->refusal == REFUSAL_RULE_DENIED ? d->fee.reason : NULL,
        .transaction = *id,
        .created_at = d->terms->now,
        .amount = d->transfer.amount,
        .charged = d->transfer.fee,
        .remaining = d->remaining,
        .breach = d->breach,
        .hold = hold_told(d),
        .fee = d->priced ? &d->fee : NULL,
        .bundle = d->priced ? d->bundle : NULL,
    };
    struct bytes body;
    if (d->transfer.from != NULL)
        decided.from_after = *d->transfer.from;
    if (d->transfer.to != NULL)
        decided.to_after = *d->transfer.to;
    bytes_init(&body, ink->arena);
    bytes_reserve(&body, RECEIPT_USUAL);
    key->status = d->order->render(d->order, &decided, &body);
    key->transaction = *id;
    ink->body = bytes_view(&body);
    if (d->refusal != REFUSAL_NONE || !kind_of(d->order)->derived)
        key->answer = ink->body;
    assert(body.failed || (key->status >= 200 && key->status < 500 && body.length > 0));
    return !body.failed;
}

void order_begin(struct decision *d, const struct posting_order *order,
                 const struct batch_terms *terms)
{
    memset(d, 0, offsetof(struct decision, fee));
    d->order = order;
    d->terms = terms;
    d->fee.outcome = FEE_OK;
    d->fee.count = 0;
    d->fee.total = 0;
    d->fee.receiver_pays = false;
    d->fee.reason[0] = '\0';
}

bool order_check(struct decision *d, struct book *book, struct order_ink *ink)
{
    find_parties(d, book);
    if (!are_sound(d)) {
        ink->outcome = POSTING_POISONED;
        return false;
    }
    kind_of(d->order)->check(d); /* everything that can say no: after this nothing does */
    if (d->failed) {
        ink->outcome = POSTING_RULE_FAILED;
        ink->body = arena_copy(
            ink->arena, slice_of(d->terms->bundle == NULL ? "no rules are loaded" : d->fee.reason));
        return false;
    }
    if (d->early) {
        ink->outcome = POSTING_EXPIRED;
        return false;
    }
    return true;
}

bool order_run(struct decision *d, struct book *book, struct order_ink *ink, struct uuid *id)
{
    if (!order_check(d, book, ink))
        return true;
    if (d->refusal == REFUSAL_NONE && !order_limit_check(d, ink))
        return false;
    if (d->unsound) {
        ink->outcome = POSTING_POISONED;
        return true;
    }
    ink->outcome = POSTING_ANSWERED;
    return d->refusal != REFUSAL_NONE || act(d, ink, id);
}

bool order_decide(const struct posting_order *order, const struct batch_terms *terms,
                  struct book *book, struct order_ink *ink, struct ledger_key *key)
{
    struct decision d;
    struct uuid id = {{0}};
    order_begin(&d, order, terms);
    assert(order_is_whole(order) && key->status == 0);

    ink->body = (struct slice){NULL, 0};
    if (order->items != NULL)
        return order_bulk_decide(order, terms, book, ink, key);
    if (!order_run(&d, book, ink, &id))
        return false;
    return ink->outcome != POSTING_ANSWERED || answer(&d, &id, ink, key);
}
