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

static bool add_slab(const struct fee_slab *slab, int64_t part, enum rounding rounding,
                     int64_t *fee)
{
    int64_t share;
    return integers_muldiv(part, slab->rate, FEE_RATE_WHOLE, rounding, &share) &&
           !__builtin_add_overflow(*fee, share, fee) &&
           !__builtin_add_overflow(*fee, slab->flat, fee);
}

static bool price_whole(const struct fee_rule_line *line, const struct fee_slab *slabs,
                        int64_t base, int64_t *fee)
{
    int i = 0;
    while (base > slabs[i].upto)
        i++;
    assert(i < line->slab_count);
    return add_slab(&slabs[i], base, line->rounding, fee);
}

static bool price_graduated(const struct fee_rule_line *line, const struct fee_slab *slabs,
                            int64_t base, int64_t *fee)
{
    int64_t below = 0;
    for (int i = 0; i < line->slab_count && below < base; i++) {
        int64_t top = base < slabs[i].upto ? base : slabs[i].upto;
        if (!add_slab(&slabs[i], top - below, line->rounding, fee))
            return false;
        below = top;
    }
    return true;
}

static inline bool price_line(const struct fee_rule *rule, const struct fee_rule_line *line,
                              int64_t base, int64_t *fee)
{
    const struct fee_slab *slabs = &rule->slabs[line->first_slab];
    assert(line->slab_count > 0 && base >= 0);
    *fee = 0;
    if (base == 0)
        return true;
    if (!(line->graduated ? price_graduated(line, slabs, base, fee)
                          : price_whole(line, slabs, base, fee)))
        return false;
    if (*fee < line->minimum)
        *fee = line->minimum;
    if (*fee > line->cap)
        *fee = line->cap;
    return true;
}

bool fee_rule_line_amount(const struct fee_rule *rule, int line, int64_t base, int64_t *fee)
{
    assert(line >= 0 && line < rule->line_count);
    return price_line(rule, &rule->lines[line], base, fee);
}

bool fee_rule_price(const struct fee_rule *rule, int64_t amount, int64_t lines[FEE_LINES_MAX],
                    int64_t *total)
{
    assert(amount > 0 && rule->line_count > 0);
    *total = 0;
    for (int i = 0; i < rule->line_count; i++) {
        const struct fee_rule_line *line = &rule->lines[i];
        assert(line->of < i);
        if (!price_line(rule, line, line->of < 0 ? amount : lines[line->of], &lines[i]) ||
            __builtin_add_overflow(*total, lines[i], total))
            return false;
    }
    return true;
}

bool fee_rule_amount(const struct fee_rule *rule, int64_t amount, int64_t *fee)
{
    int64_t lines[FEE_LINES_MAX];
    return fee_rule_price(rule, amount, lines, fee);
}
