/* Money that moves at once: deposits, transfers, withdrawals. */
#include "posting/order_kind.h"

static int post(struct decision *d, const struct uuid *id, struct posting *postings)
{
    return transfer_post(&d->transfer, id, postings);
}

/* Settlement and fees exist for the currencies we serve: a currency without them is nobody's
 * wallet's. */
static void check_deposit(struct decision *d)
{
    if (d->transfer.from == NULL) {
        d->refusal = REFUSAL_CURRENCY_MISMATCH;
        return;
    }
    d->refusal = transfer_check_parties(&d->transfer);
    if (d->refusal == REFUSAL_NONE)
        d->refusal = transfer_check_money(&d->transfer);
}

static void check_money(struct decision *d)
{
    if (d->refusal != REFUSAL_NONE || d->failed)
        return;
    if (d->transfer.fee > 0 && d->transfer.fees == NULL) {
        d->refusal = REFUSAL_CURRENCY_MISMATCH;
        return;
    }
    d->refusal = transfer_check_money(&d->transfer);
}

static void check_transfer(struct decision *d)
{
    d->refusal = transfer_check_parties(&d->transfer);
    if (d->refusal != REFUSAL_NONE)
        return;
    order_price_ask(d, "transfer");
    check_money(d);
}

/* Free where the rules have nothing about withdrawals. */
static void check_withdrawal(struct decision *d)
{
    d->transfer.out = true;
    if (d->transfer.to == NULL) {
        d->refusal = REFUSAL_CURRENCY_MISMATCH;
        return;
    }
    d->refusal = transfer_check_parties(&d->transfer);
    if (d->refusal != REFUSAL_NONE)
        return;
    if (order_price_has(d, "withdrawal"))
        order_price_ask(d, "withdrawal");
    check_money(d);
}

const struct order_kind order_move_deposit = {.from = ACCOUNT_SETTLEMENT,
                                              .derived = true,
                                              .check = check_deposit,
                                              .price = order_price_write,
                                              .post = post};
const struct order_kind order_move_transfer = {.fees = true,
                                               .derived = true,
                                               .check = check_transfer,
                                               .price = order_price_write,
                                               .post = post};
const struct order_kind order_move_withdrawal = {.to = ACCOUNT_SETTLEMENT,
                                                 .fees = true,
                                                 .check = check_withdrawal,
                                                 .price = order_price_write,
                                                 .post = post};
