#include "ledger/refund.h"

#include <assert.h>
#include <stddef.h>

bool refund_is_possible(enum transaction_kind original, bool reversal)
{
    switch (original) {
    case TRANSACTION_TRANSFER:
    case TRANSACTION_CAPTURE:
    case TRANSACTION_PURCHASE:
        return true;
    case TRANSACTION_DEPOSIT:
    case TRANSACTION_WITHDRAWAL:
        return reversal;
    case TRANSACTION_HOLD:
    case TRANSACTION_VOID:
    case TRANSACTION_EXPIRY:
    case TRANSACTION_REFUND:
    case TRANSACTION_REVERSAL:
        break;
    }
    return false;
}

int64_t refund_left(const struct refund_original *original)
{
    assert(original->refunded >= 0 && original->refunded <= original->amount);
    return original->reversed ? 0 : original->amount - original->refunded;
}

int64_t refund_fee(const struct refund_original *original, int64_t amount, bool reversal)
{
    assert(amount >= 1 && amount <= refund_left(original));
    assert(original->refundable >= 0 && original->refundable <= original->fee);
    if (reversal)
        return original->fee - original->fee_refunded;
    int64_t owed = money_share(original->refundable, original->refunded + amount, original->amount);
    assert(owed >= original->fee_refunded); /* shares only grow */
    return owed - original->fee_refunded;
}

static enum refusal check_parties(const struct transfer *transfer, bool reversal)
{
    const struct account *from = transfer->from;
    if (from == NULL || transfer->to == NULL)
        return REFUSAL_WALLET_NOT_FOUND;
    if (from->currency != transfer->amount.currency ||
        transfer->to->currency != transfer->amount.currency)
        return REFUSAL_CURRENCY_MISMATCH;
    if (from->status == ACCOUNT_CLOSED)
        return REFUSAL_WALLET_CLOSED;
    if (from->status == ACCOUNT_FROZEN && !reversal)
        return REFUSAL_WALLET_FROZEN;
    if (transfer->to->status == ACCOUNT_CLOSED)
        return REFUSAL_RECIPIENT_CANNOT_RECEIVE;
    return REFUSAL_NONE;
}

enum refusal refund_check(const struct transfer *transfer, const struct refund_original *original,
                          bool reversal)
{
    if (!refund_is_possible(original->kind, reversal))
        return REFUSAL_NOT_REFUNDABLE;
    enum refusal refusal = check_parties(transfer, reversal);
    if (refusal != REFUSAL_NONE)
        return refusal;
    int64_t left = refund_left(original);
    if (left == 0 || transfer->amount.minor > left)
        return REFUSAL_REFUND_EXCEEDS_ORIGINAL;
    if (!reversal && original->refunds >= REFUNDS_MAX)
        return REFUSAL_LIMIT_EXCEEDED;
    return REFUSAL_NONE;
}

enum refusal refund_check_money(const struct transfer *transfer, bool allow_negative)
{
    const struct account *from = transfer->from;
    int64_t amount = transfer->amount.minor;
    int64_t left;
    int64_t filled;
    assert(transfer->fee >= 0 && money_is_amount(amount));
    if (!money_add(account_available(from), -amount, &left) ||
        !money_add(from->posted, -amount, &filled))
        return REFUSAL_LIMIT_EXCEEDED;
    if (left < from->floor && (!allow_negative || left < -MONEY_MAX))
        return REFUSAL_INSUFFICIENT_FUNDS;
    if (!money_add(transfer->to->posted, amount, &filled) ||
        !money_add(filled, transfer->fee, &filled) || filled > MONEY_MAX)
        return REFUSAL_RECIPIENT_CANNOT_RECEIVE;
    if (transfer->fee > 0 &&
        (transfer->fees == NULL || !money_add(transfer->fees->posted, -transfer->fee, &filled)))
        return REFUSAL_LIMIT_EXCEEDED;
    return REFUSAL_NONE;
}

static void count_in(struct refund_original *original, const struct transfer *transfer,
                     bool reversal)
{
    original->refunded += transfer->amount.minor;
    original->fee_refunded += transfer->fee;
    original->refunds++;
    original->reversed = reversal;
    assert(original->refunded <= original->amount && original->fee_refunded <= original->fee);
}

int refund_post(const struct transfer *transfer, struct refund_original *original, bool reversal,
                const struct uuid *transaction, struct posting postings[TRANSACTION_POSTINGS_MAX])
{
    int count = 0;
    int64_t amount = transfer->amount.minor;
    int64_t left = account_available(transfer->from) - amount;
    assert(refund_check(transfer, original, reversal) == REFUSAL_NONE);
    assert(transfer->fee == refund_fee(original, amount, reversal));

    if (left < transfer->from->floor) /* it was allowed, or the money's check had said no */
        account_lower_floor(transfer->from, left);
    postings[count++] = transaction_post(transfer->from, -amount, 0, transaction);
    postings[count++] = transaction_post(transfer->to, amount + transfer->fee, 0, transaction);
    if (transfer->fee > 0)
        postings[count++] = transaction_post(transfer->fees, -transfer->fee, 0, transaction);
    count_in(original, transfer, reversal);
    return count;
}
