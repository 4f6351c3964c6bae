#include "ledger/hold.h"

#include <assert.h>
#include <stddef.h>

const char *hold_status_name(enum hold_status status)
{
    switch (status) {
    case HOLD_NONE:
        break;
    case HOLD_OPEN:
        return "open";
    case HOLD_CAPTURED:
        return "captured";
    case HOLD_VOIDED:
        return "voided";
    case HOLD_EXPIRED:
        return "expired";
    }
    return "unknown";
}

enum refusal hold_check_money(const struct transfer *transfer)
{
    const struct account *from = transfer->from;
    int64_t total;
    int64_t left;
    assert(transfer->fee >= 0 && transfer->fee <= MONEY_MAX);
    assert(money_is_amount(transfer->amount.minor));
    if (!money_add(transfer->amount.minor, transfer->fee, &total) ||
        !money_add(account_available(from), -total, &left) || left < from->floor)
        return REFUSAL_INSUFFICIENT_FUNDS;
    if (!money_add(from->held, total, &left))
        return REFUSAL_LIMIT_EXCEEDED;
    return REFUSAL_NONE;
}

int hold_place(const struct transfer *transfer, const struct uuid *transaction,
               struct posting postings[TRANSACTION_POSTINGS_MAX])
{
    assert(transfer_check_parties(transfer) == REFUSAL_NONE);
    assert(hold_check_money(transfer) == REFUSAL_NONE);
    postings[0] =
        transaction_post(transfer->from, 0, transfer->amount.minor + transfer->fee, transaction);
    return 1;
}

enum refusal hold_check_open(const struct hold *hold)
{
    if (hold == NULL || hold->status == HOLD_NONE)
        return REFUSAL_HOLD_NOT_FOUND;
    assert((hold->status == HOLD_OPEN) == uuid_is_nil(&hold->finished_by));
    return hold->status == HOLD_OPEN ? REFUSAL_NONE : REFUSAL_HOLD_FINISHED;
}

int64_t hold_fee(const struct hold *hold, const struct transfer *transfer)
{
    int64_t amount = transfer->amount.minor;
    assert(amount >= 1 && amount <= hold->amount);
    return transfer->anyones ? money_share(hold->fee, amount, hold->amount) : hold->fee;
}

enum refusal hold_check_capture(const struct hold *hold, const struct transfer *transfer,
                                int64_t now)
{
    int64_t filled;
    enum refusal refusal = hold_check_open(hold);
    if (refusal != REFUSAL_NONE)
        return refusal;
    if (now >= hold->expires_at)
        return REFUSAL_HOLD_EXPIRED;
    if (!transfer->anyones && transfer->from->status == ACCOUNT_FROZEN)
        return REFUSAL_WALLET_FROZEN;
    if (transfer->amount.minor > hold->amount)
        return REFUSAL_CAPTURE_EXCEEDS_HOLD;
    if (transfer->to == NULL || transfer->to->status == ACCOUNT_CLOSED ||
        !money_add(transfer->to->posted, transfer->amount.minor, &filled) || filled > MONEY_MAX)
        return REFUSAL_RECIPIENT_CANNOT_RECEIVE;
    int64_t fee = hold_fee(hold, transfer);
    if (fee > 0 && (transfer->fees == NULL || !money_add(transfer->fees->posted, fee, &filled)))
        return REFUSAL_LIMIT_EXCEEDED;
    return REFUSAL_NONE;
}

static void finish(struct hold *hold, enum hold_status status, const struct uuid *transaction)
{
    assert(hold->status == HOLD_OPEN && !uuid_is_nil(transaction));
    hold->status = status;
    hold->finished_by = *transaction;
}

/* What is put aside for it. */
static int64_t reserved(const struct hold *hold, const struct account *from)
{
    int64_t total;
    bool fits = money_add(hold->amount, hold->fee, &total);
    assert(fits && uuid_equal(&hold->from, &from->id) && from->held >= total);
    assert(from->currency == hold->currency);
    return total;
}

int hold_capture(struct hold *hold, const struct transfer *transfer, const struct uuid *transaction,
                 struct posting postings[TRANSACTION_POSTINGS_MAX])
{
    int count = 0;
    int64_t amount = transfer->amount.minor;
    int64_t total = reserved(hold, transfer->from);
    assert(amount >= 1 && amount <= hold->amount && uuid_equal(&hold->to, &transfer->to->id));
    assert(transfer->fee == hold_fee(hold, transfer) && transfer->to->currency == hold->currency);

    postings[count++] =
        transaction_post(transfer->from, -(amount + transfer->fee), -total, transaction);
    postings[count++] = transaction_post(transfer->to, amount, 0, transaction);
    if (transfer->fee > 0)
        postings[count++] = transaction_post(transfer->fees, transfer->fee, 0, transaction);
    finish(hold, HOLD_CAPTURED, transaction);
    hold->captured = amount;
    return count;
}

int hold_release(struct hold *hold, enum hold_status status, struct account *from,
                 const struct uuid *transaction, struct posting postings[TRANSACTION_POSTINGS_MAX])
{
    assert(status == HOLD_VOIDED || status == HOLD_EXPIRED);
    postings[0] = transaction_post(from, 0, -reserved(hold, from), transaction);
    finish(hold, status, transaction);
    return 1;
}
