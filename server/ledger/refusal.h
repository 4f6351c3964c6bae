/* A refusal: a named business "no". It's remembered under the request's key, so the same request is
 * refused the same way for ever. */
#ifndef LEDGER_REFUSAL_H
#define LEDGER_REFUSAL_H

enum refusal {
    REFUSAL_NONE = 0,
    REFUSAL_WALLET_NOT_FOUND, /* the payer: absent, or not the caller's */
    REFUSAL_RECIPIENT_NOT_FOUND,
    REFUSAL_SAME_WALLET,
    REFUSAL_WALLET_FROZEN,
    REFUSAL_WALLET_CLOSED,
    REFUSAL_RECIPIENT_CANNOT_RECEIVE, /* closed, or full */
    REFUSAL_CURRENCY_MISMATCH,
    REFUSAL_RULE_DENIED,
    REFUSAL_INSUFFICIENT_FUNDS,
    REFUSAL_LIMIT_EXCEEDED,
    REFUSAL_HOLD_NOT_FOUND, /* absent, or nothing of the caller's */
    REFUSAL_HOLD_EXPIRED,
    REFUSAL_HOLD_FINISHED,
    REFUSAL_CAPTURE_EXCEEDS_HOLD,
    REFUSAL_TRANSACTION_NOT_FOUND, /* the original of a refund: absent, or nothing of the caller's
                                    */
    REFUSAL_NOT_REFUNDABLE,        /* not this kind */
    REFUSAL_REFUND_EXCEEDS_ORIGINAL,
    REFUSAL_QUOTE_UNFIT, /* forged, or made for another movement */
    REFUSAL_QUOTE_EXPIRED
};

#define REFUSAL_COUNT (REFUSAL_QUOTE_EXPIRED + 1)

const char *refusal_name(enum refusal refusal); /* the API's code: "insufficient_funds" */

#endif
