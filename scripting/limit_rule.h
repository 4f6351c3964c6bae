/* A limit rule, compiled: what a *.limit.lua file says, as plain caps. */
#ifndef SCRIPTING_LIMIT_RULE_H
#define SCRIPTING_LIMIT_RULE_H

#include "base/currency.h"
#include "ledger/limit.h"
#include "scripting/bundle.h"

#define LIMIT_RULE_TIERS 4

struct limit_rule {
    char file[BUNDLE_NAME_MAX];
    char name[64]; /* "wallet.send@1" */
    currency currency;
    unsigned classes; /* what it counts: a bit per enum limit_class */
    struct limit_cap caps[LIMIT_RULE_TIERS][LIMIT_CAPS_MAX];
    size_t counts[LIMIT_RULE_TIERS];
};

#endif
