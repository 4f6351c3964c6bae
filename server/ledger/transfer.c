#include "ledger/transfer.h"

#include <assert.h>
#include <stddef.h>

static enum refusal check_payer(const struct transfer *transfer)
{
    const struct account *from = transfer->from;
    if (transfer->payer == NULL && !transfer->anyones) {
        assert(from != NULL && from->kind != ACCOUNT_WALLET);
        return REFUSAL_NONE;
    }
    if (from == NULL || from->kind != ACCOUNT_WALLET)
        return REFUSAL_WALLET_NOT_FOUND;
    if (!transfer->anyones && !uuid_equal(&from->owner, transfer->payer))
        return REFUSAL_WALLET_NOT_FOUND;
    return REFUSAL_NONE;
}

static bool is_recipient(const struct transfer *transfer)
{
    enum account_kind kind = transfer->out        ? ACCOUNT_SETTLEMENT
                             : transfer->supplier ? ACCOUNT_SUPPLIER
                                                  : ACCOUNT_WALLET;
    return transfer->to != NULL && transfer->to->kind == kind;
}

static enum refusal check_statuses(const struct transfer *transfer)
{
    if (transfer->from->status == ACCOUNT_CLOSED)
        return REFUSAL_WALLET_CLOSED;
    if (transfer->from->status == ACCOUNT_FROZEN)
        return REFUSAL_WALLET_FROZEN;
    if (transfer->to->status == ACCOUNT_CLOSED)
        return REFUSAL_RECIPIENT_CANNOT_RECEIVE;
    return REFUSAL_NONE;
}

enum refusal transfer_check_parties(const struct transfer *transfer)
{
    assert(money_is_amount(transfer->amount.minor));
    enum refusal refusal = check_payer(transfer);
    if (refusal != REFUSAL_NONE)
        return refusal;
    if (!is_recipient(transfer))
        return REFUSAL_RECIPIENT_NOT_FOUND;
    if (transfer->from == transfer->to)
        return REFUSAL_SAME_WALLET;
    refusal = check_statuses(transfer);
    if (refusal != REFUSAL_NONE)
        return refusal;
    if (transfer->amount.currency != transfer->from->currency ||
        transfer->amount.currency != transfer->to->currency)
        return REFUSAL_CURRENCY_MISMATCH;
    return REFUSAL_NONE;
}

enum refusal transfer_check_money(const struct transfer *transfer)
{
    const struct account *from = transfer->from;
    int64_t total;
    int64_t left;
    int64_t filled;
    assert(transfer->fee >= 0 && (transfer->fee == 0 || transfer->fees != NULL));
    assert(transfer->fee <= MONEY_MAX);

    if (!money_add(transfer->amount.minor, transfer->fee, &total) ||
        !money_add(account_available(from), -total, &left) || left < from->floor)
        return from->kind == ACCOUNT_WALLET ? REFUSAL_INSUFFICIENT_FUNDS : REFUSAL_LIMIT_EXCEEDED;
    if (!money_add(transfer->to->posted, transfer->amount.minor, &filled) || filled > MONEY_MAX)
        return REFUSAL_RECIPIENT_CANNOT_RECEIVE;
    if (transfer->fee > 0 && !money_add(transfer->fees->posted, transfer->fee, &filled))
        return REFUSAL_LIMIT_EXCEEDED;
    /* posted alone must fit, too: an account may hold less than it has */
    if (!money_add(from->posted, -total, &filled))
        return REFUSAL_LIMIT_EXCEEDED;
    return REFUSAL_NONE;
}

int transfer_post(const struct transfer *transfer, const struct uuid *transaction,
                  struct posting postings[TRANSACTION_POSTINGS_MAX])
{
    int count = 0;
    int64_t sum = 0;
    assert(transfer_check_parties(transfer) == REFUSAL_NONE);
    assert(transfer_check_money(transfer) == REFUSAL_NONE);

    postings[count++] =
        transaction_post(transfer->from, -(transfer->amount.minor + transfer->fee), 0, transaction);
    postings[count++] = transaction_post(transfer->to, transfer->amount.minor, 0, transaction);
    if (transfer->fee > 0)
        postings[count++] = transaction_post(transfer->fees, transfer->fee, 0, transaction);

    for (int i = 0; i < count; i++)
        sum += postings[i].amount;
    assert(sum == 0 && count <= TRANSACTION_POSTINGS_MAX);
    return count;
}
