/* Giving back: refunds, reversals. */
#include "posting/order_kind.h"

static bool is_reversal(const struct decision *d)
{
    return d->order->kind == TRANSACTION_REVERSAL;
}

/* What was booked, and what went back since. */
static void find_original(struct decision *d)
{
    const struct posting_subject *subject = &d->order->subject;
    d->original = (struct refund_original){
        .kind = subject->kind,
        .amount = subject->amount,
        .fee = subject->fee,
        .refundable = subject->refundable,
        .refunded = d->subject->refunded,
        .fee_refunded = d->subject->fee_refunded,
        .refunds = d->subject->refunds,
        .reversed = d->subject->reversed,
    };
}

static void check(struct decision *d)
{
    if (d->subject == NULL) {
        d->early = d->order->subject_away;
        d->refusal = d->early ? REFUSAL_NONE : REFUSAL_TRANSACTION_NOT_FOUND;
        return;
    }
    find_original(d);
    d->remaining = refund_left(&d->original);
    if (d->transfer.amount.minor == 0)
        d->transfer.amount.minor = d->remaining;
    d->refusal = refund_check(&d->transfer, &d->original, is_reversal(d));
    if (d->refusal != REFUSAL_NONE)
        return;
    d->transfer.fee = refund_fee(&d->original, d->transfer.amount.minor, is_reversal(d));
    d->refusal = refund_check_money(&d->transfer, is_reversal(d) && d->order->allow_negative);
}

static int post(struct decision *d, const struct uuid *id, struct posting *postings)
{
    int count = refund_post(&d->transfer, &d->original, is_reversal(d), id, postings);
    d->subject->refunded = d->original.refunded;
    d->subject->fee_refunded = d->original.fee_refunded;
    d->subject->refunds = d->original.refunds;
    d->subject->reversed = d->original.reversed;
    return count;
}

/* The verifier knows by it that this one may have left a debt. */
static bool note_permission(struct decision *d, struct arena *arena)
{
    if (d->order->allow_negative)
        d->priced_facts = SLICE("{\"allow_negative\":true}");
    return order_price_write(d, arena);
}

const struct order_kind order_refund_refund = {
    .fees = true, .subject = true, .check = check, .price = order_price_write, .post = post};
const struct order_kind order_refund_reversal = {
    .fees = true, .subject = true, .check = check, .price = note_permission, .post = post};
