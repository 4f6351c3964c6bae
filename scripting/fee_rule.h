/* A fee rule, compiled: what a *.fee.lua file says, as a C struct. */
#ifndef SCRIPTING_FEE_RULE_H
#define SCRIPTING_FEE_RULE_H

#include "scripting/bundle.h"
#include "scripting/fee.h"
#include "scripting/integers.h"

#define FEE_SLABS_MAX 32       /* a line */
#define FEE_RULE_SLABS_MAX 64  /* all lines together */
#define FEE_RATE_WHOLE 1000000 /* rates are parts per million: 0.90 % is 9000, 90 basis points */

struct fee_slab {
    int64_t upto; /* the largest amount it covers; INT64_MAX: all above */
    int64_t flat;
    int64_t rate;
};

/* A line of the fee: "fee", "vat". */
struct fee_rule_line {
    char code[32];
    int of;         /* it's computed of that earlier line; -1: of the amount */
    int first_slab; /* of the rule's */
    int slab_count;
    bool graduated; /* each slab prices its part of the amount; else the one the whole falls into */
    bool refundable; /* a refund gives its share back */
    int64_t minimum;
    int64_t cap; /* INT64_MAX: none */
    enum rounding rounding;
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
    bool may_exceed_amount;
    bool receiver_pays; /* out of the amount */
    struct fee_rule_line lines[FEE_LINES_MAX];
    int line_count;
    struct fee_slab slabs[FEE_RULE_SLABS_MAX]; /* of the first line, of the second, ... */
    int slab_count;
    struct adjust *adjust; /* NULL: none */
};

bool fee_rule_applies(const struct fee_rule *rule, const struct fee_facts *facts);

/* Could both apply to the same facts? */
bool fee_rule_overlaps(const struct fee_rule *a, const struct fee_rule *b);

/* Is there a moment at which both are effective? */
bool fee_rule_meets(const struct fee_rule *a, const struct fee_rule *b);

/* What a line is, of `base`: the amount, or what the line is that it's computed of. Of nothing it's
 * nothing. False: it doesn't fit into 64 bits. */
bool fee_rule_line_amount(const struct fee_rule *rule, int line, int64_t base, int64_t *fee);

/* What `amount` costs by this rule: line by line (as many as the rule has), and together. False: it
 * doesn't fit into 64 bits. */
bool fee_rule_price(const struct fee_rule *rule, int64_t amount, int64_t lines[FEE_LINES_MAX],
                    int64_t *total);

/* The same, together only. */
bool fee_rule_amount(const struct fee_rule *rule, int64_t amount, int64_t *fee);

#endif
