/* Giving back: a refund by who received (a part, several times, never more than the original), a
 * reversal by operators (all that is left, fee included). In both, `from` is the original's
 * receiver and `to` its payer; `fee` is what the fees give back to `to` beside the amount. As in
 * transfer.h: what speaks against it is said first; what acts cannot fail. */
#ifndef LEDGER_REFUND_H
#define LEDGER_REFUND_H

#include "ledger/transfer.h"

/* What is given back of: as it was booked, and what went back before. */
struct refund_original {
    enum transaction_kind kind;
    int64_t amount;
    int64_t fee;
    int64_t refundable; /* of the fee: what full refunds give back, by the rule that priced it */
    int64_t refunded;   /* of the amount, by refunds before */
    int64_t fee_refunded;
    int64_t refunds; /* how many there were */
    bool reversed;
};

/* Of one original: they are added up under its lock, and told with it. A reversal gives back the
 * rest. */
#define REFUNDS_MAX 1000

/* Refunds: of what one wallet paid to another or to a supplier. Reversals: of deposits and
 * withdrawals, too. */
bool refund_is_possible(enum transaction_kind original, bool reversal);

/* What is left of the amount; 0 after a reversal. */
int64_t refund_left(const struct refund_original *original);

/* What goes back of the fee when `amount` goes back: its share rounded down, so that refunds of the
 * whole amount give back the whole share. A reversal: all that is left of the fee. */
int64_t refund_fee(const struct refund_original *original, int64_t amount, bool reversal);

/* Parties and original; transfer->amount may be more than is left. */
enum refusal refund_check(const struct transfer *transfer, const struct refund_original *original,
                          bool reversal);

/* The money, with transfer->fee as refund_fee says. `allow_negative`: `from` may end below its
 * floor. */
enum refusal refund_check_money(const struct transfer *transfer, bool allow_negative);

/* After both said REFUSAL_NONE. Counts in `original`; returns how many postings. */
int refund_post(const struct transfer *transfer, struct refund_original *original, bool reversal,
                const struct uuid *transaction, struct posting postings[TRANSACTION_POSTINGS_MAX]);

#endif
