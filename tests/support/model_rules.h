/* What the walks' rule files say, twice: as the files that the server reads, and worked out again
 * by hand, so that one can be held against the other. Low enough that a walk runs into them. */
#ifndef SUPPORT_MODEL_RULES_H
#define SUPPORT_MODEL_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Written into a folder of rules; NULL ends them. */
struct model_rules_file {
    const char *name;
    const char *text;
};
extern const struct model_rules_file model_rules_files[];

struct model_rules_fee {
    int64_t amount;
    bool refundable;
};

/* What a movement of STEP_... `currency` costs. False: no rule applies, or the fee is too much. */
bool model_rules_price(bool withdrawal, int currency, int tier, bool own, int64_t amount,
                       struct model_rules_fee *fee);

enum { MODEL_RULES_TRANSFER, MODEL_RULES_WITHDRAWAL, MODEL_RULES_HOLD, MODEL_RULES_CLASSES };

enum model_rules_over { MODEL_RULES_SINGLE, MODEL_RULES_PERIOD, MODEL_RULES_BALANCE };

/* A limit: all that is sent in a walk is sent in one day, and in ten minutes. */
struct model_rules_cap {
    const char *which;
    int tier;
    enum model_rules_over over;
    unsigned classes; /* a bit each */
    int64_t sum;      /* or */
    int64_t count;    /* 0 */
};

/* Limits of wallets in rand, in the order in which they are told; `which` NULL ends them. In other
 * currencies there are none. */
extern const struct model_rules_cap model_rules_caps[];

#endif
