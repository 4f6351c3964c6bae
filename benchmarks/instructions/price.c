/* Price a transfer: what the fee rule itself costs, a part of deciding the batch. */
#include "benchmarks/instructions/orders.h"
#include "benchmarks/instructions/pieces.h"
#include "scripting/fee.h"

PIECES_COUNTED bool counted_price(const struct orders *orders, const struct fee_facts *facts)
{
    struct fee_decision decision;
    bool good = true;
    for (size_t i = 0; i < ORDERS_COUNT; i++) {
        fee_price(orders->terms.bundle, &facts[i], &decision);
        good = good && decision.outcome == FEE_OK && decision.total > 0;
    }
    return good;
}

static bool run(const char *scratch)
{
    static struct orders orders;
    static struct fee_facts facts[ORDERS_COUNT];
    (void)scratch;
    if (!orders_make(&orders))
        return pieces_fail(&price_piece, "the rules can't be loaded, or out of memory");
    for (size_t i = 0; i < ORDERS_COUNT; i++) {
        const struct posting_order *order = orders.list[i];
        facts[i] = (struct fee_facts){.kind = transaction_kind_name(order->kind),
                                      .amount = order->amount.minor,
                                      .currency = order->amount.currency,
                                      .tier = 1};
    }
    for (int round = 0; round < PIECES_ROUNDS; round++)
        if (!counted_price(&orders, facts))
            return pieces_fail(&price_piece, "not every transfer has a price");
    return true;
}

const struct piece price_piece = {"fee_rule", "counted_price", ORDERS_COUNT, "transfer", run};
