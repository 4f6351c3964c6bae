/* Decide a batch: which accounts and keys, then order by order rule, refusals, postings, receipt.
 */
#include "benchmarks/instructions/orders.h"
#include "benchmarks/instructions/pieces.h"

PIECES_COUNTED bool counted_decide(const struct orders *orders, struct batch *batch)
{
    return orders_decide(orders, batch);
}

static bool run(const char *scratch)
{
    static struct orders orders;
    (void)scratch;
    if (!orders_make(&orders))
        return pieces_fail(&decide_piece, "the rules can't be loaded, or out of memory");
    for (int round = 0; round < PIECES_ROUNDS; round++) {
        struct batch *batch = batch_new(orders.list, ORDERS_COUNT);
        if (batch == NULL || !counted_decide(&orders, batch) || !orders_are_posted(batch))
            return pieces_fail(&decide_piece, "not every transfer of the batch came about");
        batch_answer(batch);
        batch_free(batch);
    }
    return true;
}

const struct piece decide_piece = {"decide_batch", "counted_decide", 1, "batch of 128", run};
