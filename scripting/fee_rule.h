/* A fee rule, compiled: what a *.fee.lua file says, as a C struct. */
#ifndef SCRIPTING_FEE_RULE_H
#define SCRIPTING_FEE_RULE_H

#include "scripting/bundle.h"
#include "scripting/fee.h"
#include "scripting/integers.h"

#define FEE_SLABS_MAX 32
#define FEE_RATE_WHOLE 1000000 /* rates are parts per million: 0.90 % is 9000, 90 basis points */

struct fee_slab {
    int64_t upto; /* the largest amount it covers; INT64_MAX: all above */
    int64_t flat;
    int64_t rate;
};

struct fee_rule {
    char file[BUNDLE_NAME_MAX];
    char name[64]; /* "transfer.p2p@3" */
    char kind[16];
    currency currency;
    unsigned tiers;  /* bit per tier */
    bool own, other; /* applies between own wallets, between those of two owners */
    int64_t from;    /* the moments when it applies, Unix us; INT64_MIN: ever since */
    int64_t to;      /* the first at which it doesn't any more; INT64_MAX: for ever */
    bool graduated; /* each slab prices its part of the amount; else the one the whole falls into */
    bool may_exceed_amount;
    bool refundable; /* a refund gives its share back */
    struct fee_slab slabs[FEE_SLABS_MAX];
    int slab_count;
    int64_t minimum;
    int64_t cap; /* INT64_MAX: none */
    enum rounding rounding;
};

bool fee_rule_applies(const struct fee_rule *rule, const struct fee_facts *facts);

/* Could both apply to the same facts? */
bool fee_rule_overlaps(const struct fee_rule *a, const struct fee_rule *b);

/* Is there a moment at which both are effective? */
bool fee_rule_meets(const struct fee_rule *a, const struct fee_rule *b);

/* What `amount` costs by this rule. False: it doesn't fit into 64 bits. */
bool fee_rule_amount(const struct fee_rule *rule, int64_t amount, int64_t *fee);

#endif
