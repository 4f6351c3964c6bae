#include "scripting/rule_coverage.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "scripting/fee.h"
#include "scripting/fee_rule.h"
#include "scripting/limit_rule.h"
#include "scripting/product.h"

static struct rule_part *add(struct rule_coverage *coverage, const char *file, const char *rule)
{
    struct rule_part *part = &coverage->parts[coverage->count++];
    part->file = file;
    part->rule = rule;
    part->hits = 0;
    return part;
}

/* Of a rule with one line "slab 2", else "vat slab 2". */
static void name_slab(char name[40], const struct fee_rule *rule, const struct fee_rule_line *line,
                      int slab)
{
    if (rule->line_count == 1)
        snprintf(name, 40, "slab %d", slab + 1);
    else
        snprintf(name, 40, "%.31s slab %d", line->code, slab % FEE_SLABS_MAX + 1);
}

static void add_fee(struct rule_coverage *coverage, const struct fee_rule *rule)
{
    for (int i = 0; i < rule->line_count; i++)
        for (int k = 0; k < rule->lines[i].slab_count; k++)
            name_slab(add(coverage, rule->file, rule->name)->name, rule, &rule->lines[i], k);
}

static void add_fees(struct rule_coverage *coverage, const struct bundle *bundle)
{
    for (size_t i = 0; i < bundle_rule_count(bundle); i++)
        add_fee(coverage, &bundle_fee_rules(bundle)[i]);
}

static void name_cap(char name[40], int tier, const char *code)
{
    snprintf(name, 40, "tier %d %s", tier, code);
}

static void add_limits(struct rule_coverage *coverage, const struct bundle *bundle)
{
    const struct limit_rule *rules = bundle_limit_rules(bundle);
    for (size_t i = 0; i < bundle_limit_count(bundle) * LIMIT_RULE_TIERS; i++) {
        const struct limit_rule *rule = &rules[i / LIMIT_RULE_TIERS];
        int tier = (int)(i % LIMIT_RULE_TIERS);
        for (size_t k = 0; k < rule->counts[tier]; k++)
            name_cap(add(coverage, rule->file, rule->name)->name, tier, rule->caps[tier][k].code);
    }
}

static void add_products(struct rule_coverage *coverage, const struct bundle *bundle)
{
    const struct product *products = bundle_products(bundle);
    for (size_t i = 0; i < bundle_product_count(bundle); i++)
        snprintf(add(coverage, products[i].file, products[i].id)->name, 40, "price");
}

static size_t count_slabs(const struct bundle *bundle)
{
    const struct fee_rule *rules = bundle_fee_rules(bundle);
    size_t count = 0;
    for (size_t i = 0; i < bundle_rule_count(bundle); i++)
        count += (size_t)rules[i].slab_count;
    return count;
}

bool rule_coverage_init(struct rule_coverage *coverage, const struct bundle *bundle,
                        struct arena *arena)
{
    const struct limit_rule *limits = bundle_limit_rules(bundle);
    size_t count = count_slabs(bundle) + bundle_product_count(bundle);
    for (size_t i = 0; i < bundle_limit_count(bundle) * LIMIT_RULE_TIERS; i++)
        count += limits[i / LIMIT_RULE_TIERS].counts[i % LIMIT_RULE_TIERS];
    coverage->count = 0;
    coverage->parts = arena_array(arena, count, sizeof coverage->parts[0]);
    if (coverage->parts == NULL)
        return false;
    add_fees(coverage, bundle);
    add_limits(coverage, bundle);
    add_products(coverage, bundle);
    assert(coverage->count == count);
    return true;
}

/* A rule may have two caps of one name: a sum and a count over the same window. */
static void hit(struct rule_coverage *coverage, const char *rule, const char *name)
{
    size_t found = 0;
    for (size_t i = 0; i < coverage->count; i++) {
        struct rule_part *part = &coverage->parts[i];
        bool is = strcmp(part->rule, rule) == 0 && strcmp(part->name, name) == 0;
        part->hits += is;
        found += is;
    }
    assert(found > 0);
}

/* Of one line, `base` being what it's computed of. */
static void hit_line(struct rule_coverage *coverage, const struct fee_rule *rule,
                     const struct fee_rule_line *line, int64_t base)
{
    const struct fee_slab *slabs = rule->slabs + line->first_slab;
    for (int i = 0; i < line->slab_count; i++) {
        char name[40];
        int64_t below = i == 0 ? 0 : slabs[i - 1].upto;
        name_slab(name, rule, line, i);
        if (base > below && (line->graduated || base <= slabs[i].upto))
            hit(coverage, rule->name, name);
    }
}

static void hit_slabs(struct rule_coverage *coverage, const struct fee_rule *rule, int64_t amount)
{
    int64_t lines[FEE_LINES_MAX];
    int64_t total;
    if (!fee_rule_price(rule, amount, lines, &total))
        return;
    for (int i = 0; i < rule->line_count; i++) {
        int of = rule->lines[i].of;
        hit_line(coverage, rule, &rule->lines[i], of < 0 ? amount : lines[of]);
    }
}

void rule_coverage_fee(struct rule_coverage *coverage, const struct bundle *bundle,
                       const struct fee_facts *facts)
{
    const struct fee_rule *rules = bundle_fee_rules(bundle);
    for (size_t i = 0; i < bundle_rule_count(bundle); i++)
        if (fee_rule_applies(&rules[i], facts))
            hit_slabs(coverage, &rules[i], facts->amount);
}

void rule_coverage_cap(struct rule_coverage *coverage, int tier, const struct limit_cap *cap)
{
    char name[40];
    name_cap(name, tier, cap->code);
    hit(coverage, cap->rule, name);
}

void rule_coverage_product(struct rule_coverage *coverage, const struct product *product)
{
    hit(coverage, product->id, "price");
}

size_t rule_coverage_file(const struct rule_coverage *coverage, size_t from, size_t *reached)
{
    size_t at = from;
    *reached = 0;
    for (;
         at < coverage->count && strcmp(coverage->parts[at].file, coverage->parts[from].file) == 0;
         at++)
        *reached += coverage->parts[at].hits > 0;
    return at - from;
}

int64_t *rule_coverage_borders(const struct bundle *bundle, const struct fee_facts *facts,
                               struct arena *arena, size_t spare, size_t *count)
{
    const struct fee_rule *rules = bundle_fee_rules(bundle);
    int64_t *borders = arena_array(arena, count_slabs(bundle) * 3 + spare, sizeof borders[0]);
    *count = 0;
    for (size_t i = 0; borders != NULL && i < bundle_rule_count(bundle); i++) {
        if (!fee_rule_applies(&rules[i], facts))
            continue;
        for (int k = 0; k < rules[i].slab_count; k++)
            for (int64_t near = -1; near <= 1 && rules[i].slabs[k].upto != INT64_MAX; near++)
                borders[(*count)++] = rules[i].slabs[k].upto + near;
    }
    return borders;
}
