#include "ledger/refusal.h"

#include <assert.h>

const char *refusal_name(enum refusal refusal)
{
    static const char *const names[REFUSAL_COUNT] = {
        [REFUSAL_NONE] = "none",
        [REFUSAL_WALLET_NOT_FOUND] = "wallet_not_found",
        [REFUSAL_RECIPIENT_NOT_FOUND] = "recipient_not_found",
        [REFUSAL_SAME_WALLET] = "same_wallet",
        [REFUSAL_WALLET_FROZEN] = "wallet_frozen",
        [REFUSAL_WALLET_CLOSED] = "wallet_closed",
        [REFUSAL_RECIPIENT_CANNOT_RECEIVE] = "recipient_cannot_receive",
        [REFUSAL_CURRENCY_MISMATCH] = "currency_mismatch",
        [REFUSAL_RULE_DENIED] = "rule_denied",
        [REFUSAL_INSUFFICIENT_FUNDS] = "insufficient_funds",
        [REFUSAL_LIMIT_EXCEEDED] = "limit_exceeded",
        [REFUSAL_HOLD_NOT_FOUND] = "hold_not_found",
        [REFUSAL_HOLD_EXPIRED] = "hold_expired",
        [REFUSAL_HOLD_FINISHED] = "hold_finished",
        [REFUSAL_CAPTURE_EXCEEDS_HOLD] = "capture_exceeds_hold",
        [REFUSAL_TRANSACTION_NOT_FOUND] = "transaction_not_found",
        [REFUSAL_NOT_REFUNDABLE] = "not_refundable",
        [REFUSAL_REFUND_EXCEEDS_ORIGINAL] = "refund_exceeds_original",
        [REFUSAL_QUOTE_UNFIT] = "validation_failed",
        [REFUSAL_QUOTE_EXPIRED] = "quote_expired",
    };
    assert((unsigned)refusal < REFUSAL_COUNT && names[refusal] != NULL);
    return names[refusal];
}
