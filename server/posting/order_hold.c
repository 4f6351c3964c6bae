/* Holds: made, captured, given up, expired. */
#include <assert.h>

#include "posting/order_kind.h"

/* Priced now, and the fee is put aside beside the amount. Without rules of its own a hold costs
 * what a transfer costs: it's one, in two steps. */
static void check_place(struct decision *d)
{
    d->transfer.supplier = d->order->purchase;
    d->refusal = transfer_check_parties(&d->transfer);
    if (d->refusal != REFUSAL_NONE)
        return;
    if (!d->order->purchase)
        order_price_ask(d, order_price_has(d, "hold") ? "hold" : "transfer");
    else if (order_price_has(d, "purchase"))
        order_price_ask(d, "purchase"); /* without rules the product's price is all */
    if (d->refusal != REFUSAL_NONE || d->failed)
        return;
    d->refusal = hold_check_money(&d->transfer);
}

static int post_place(struct decision *d, const struct uuid *id, struct posting *postings)
{
    const struct posting_order *order = d->order;
    assert(order->expires_in > 0);
    d->hold = (struct hold){
        .id = *id,
        .from = d->transfer.from->id,
        .to = d->transfer.to->id,
        .currency = order->amount.currency,
        .amount = order->amount.minor,
        .fee = d->transfer.fee,
        .bundle = d->bundle,
        .pricing = d->pricing,
        .expires_at = d->terms->now + order->expires_in,
        .status = HOLD_OPEN,
    };
    return hold_place(&d->transfer, id, postings);
}

static struct hold *hold_of(const struct decision *d)
{
    return d->subject == NULL ? NULL : &d->subject->hold;
}

static void check_capture(struct decision *d)
{
    const struct hold *hold = hold_of(d);
    d->refusal = hold_check_open(hold);
    if (d->refusal != REFUSAL_NONE)
        return;
    d->remaining = hold->amount;
    d->transfer.amount.currency = hold->currency;
    if (d->transfer.amount.minor == 0)
        d->transfer.amount.minor = hold->amount;
    d->refusal = hold_check_capture(hold, &d->transfer, d->terms->now);
    if (d->refusal == REFUSAL_NONE)
        d->transfer.fee = hold_fee(hold, &d->transfer);
}

static int post_capture(struct decision *d, const struct uuid *id, struct posting *postings)
{
    d->subject->finished = true;
    return hold_capture(&d->subject->hold, &d->transfer, id, postings);
}

/* What is given up is all of it. */
static void check_release(struct decision *d)
{
    const struct hold *hold = hold_of(d);
    d->refusal = hold_check_open(hold);
    if (d->refusal != REFUSAL_NONE)
        return;
    d->transfer.amount = (struct money){hold->amount, hold->currency};
    d->transfer.fee = hold->fee;
}

static int post_void(struct decision *d, const struct uuid *id, struct posting *postings)
{
    d->subject->finished = true;
    return hold_release(&d->subject->hold, HOLD_VOIDED, d->transfer.from, id, postings);
}

/* Not before its time, whatever clock the asker looked at; and that isn't remembered, because the
 * key of an expiry is needed again. */
static void check_expiry(struct decision *d)
{
    check_release(d);
    d->early = d->refusal == REFUSAL_NONE && d->terms->now < d->subject->hold.expires_at;
}

static int post_expiry(struct decision *d, const struct uuid *id, struct posting *postings)
{
    d->subject->finished = true;
    return hold_release(&d->subject->hold, HOLD_EXPIRED, d->transfer.from, id, postings);
}

const struct order_kind order_hold_place = {
    .check = check_place, .price = order_price_write, .post = post_place};
const struct order_kind order_hold_capture = {.fees = true,
                                              .subject = true,
                                              .check = check_capture,
                                              .price = order_price_capture,
                                              .post = post_capture};
const struct order_kind order_hold_void = {.leaves_to = true,
                                           .subject = true,
                                           .check = check_release,
                                           .price = order_price_write,
                                           .post = post_void};
const struct order_kind order_hold_expiry = {.leaves_to = true,
                                             .subject = true,
                                             .check = check_expiry,
                                             .price = order_price_write,
                                             .post = post_expiry};
