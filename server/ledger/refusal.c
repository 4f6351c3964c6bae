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
    };
    assert((unsigned)refusal < REFUSAL_COUNT && names[refusal] != NULL);
    return names[refusal];
}
