#include "scripting/fee_rule.h"

#include <assert.h>
#include <string.h>

bool fee_rule_applies(const struct fee_rule *rule, const struct fee_facts *facts)
{
    return rule->currency == facts->currency && (rule->tiers >> facts->tier & 1) != 0 &&
           (facts->own ? rule->own : rule->other) && facts->at >= rule->from &&
           facts->at < rule->to && strcmp(rule->kind, facts->kind) == 0;
}

bool fee_rule_meets(const struct fee_rule *a, const struct fee_rule *b)
{
    return a->from < b->to && b->from < a->to;
}

bool fee_rule_overlaps(const struct fee_rule *a, const struct fee_rule *b)
{
    return fee_rule_meets(a, b) && a->currency == b->currency && (a->tiers & b->tiers) != 0 &&
           ((a->own && b->own) || (a->other && b->other)) && strcmp(a->kind, b->kind) == 0;
}

static bool add_slab(const struct fee_rule *rule, const struct fee_slab *slab, int64_t part,
                     int64_t *fee)
{
    int64_t share;
    return integers_muldiv(part, slab->rate, FEE_RATE_WHOLE, rule->rounding, &share) &&
           !__builtin_add_overflow(*fee, share, fee) &&
           !__builtin_add_overflow(*fee, slab->flat, fee);
}

static bool price_whole(const struct fee_rule *rule, int64_t amount, int64_t *fee)
{
    int i = 0;
    while (amount > rule->slabs[i].upto)
        i++;
    assert(i < rule->slab_count);
    return add_slab(rule, &rule->slabs[i], amount, fee);
}

static bool price_graduated(const struct fee_rule *rule, int64_t amount, int64_t *fee)
{
    int64_t below = 0;
    for (int i = 0; i < rule->slab_count && below < amount; i++) {
        int64_t top = amount < rule->slabs[i].upto ? amount : rule->slabs[i].upto;
        if (!add_slab(rule, &rule->slabs[i], top - below, fee))
            return false;
        below = top;
    }
    return true;
}

bool fee_rule_amount(const struct fee_rule *rule, int64_t amount, int64_t *fee)
{
    assert(amount > 0 && rule->slab_count > 0);
    *fee = 0;
    if (!(rule->graduated ? price_graduated(rule, amount, fee) : price_whole(rule, amount, fee)))
        return false;
    if (*fee < rule->minimum)
        *fee = rule->minimum;
    if (*fee > rule->cap)
        *fee = rule->cap;
    return true;
}
