/* What a movement costs: facts in, decision out. Pure, without allocation, under a microsecond. */
#ifndef SCRIPTING_FEE_H
#define SCRIPTING_FEE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/currency.h"

struct bundle;

#define FEE_LINES_MAX 8

/* What a rule may know. */
struct fee_facts {
    const char *kind; /* "transfer" */
    int64_t amount;   /* minor units, 1 .. 2^53-1 */
    currency currency;
    int tier;   /* the payer's KYC tier, 0..3 */
    bool own;   /* between two wallets of one owner */
    int64_t at; /* when it is decided, Unix us: no clock is looked at */
};

enum fee_outcome {
    FEE_OK,
    FEE_DENIED, /* a rule says no; `reason` is for the customer */
    FEE_FAILED  /* no rule, or one that makes no sense here: the movement is refused, it is never
                   free */
};

struct fee_line {
    char rule[64];   /* "transfer.p2p@3" */
    char code[32];   /* "fee" */
    int64_t amount;  /* >= 0 */
    bool refundable; /* a refund gives its share back */
    bool receiver_pays;
};

struct fee_decision {
    enum fee_outcome outcome;
    int count;
    struct fee_line lines[FEE_LINES_MAX];
    int64_t total;      /* of the lines */
    bool receiver_pays; /* out of the amount, which is more than that */
    char reason[192];
};

void fee_price(const struct bundle *bundle, const struct fee_facts *facts,
               struct fee_decision *decision);

/* Is there any rule for that kind? */
bool fee_has_kind(const struct bundle *bundle, const char *kind);

#endif
