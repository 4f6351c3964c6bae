#include "scripting/rule_advice.h"

#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "scripting/fee_rule.h"
#include "scripting/limit_rule.h"
#include "scripting/locate.h"
#include "scripting/rule_coverage.h"
#include "scripting/rule_test_case.h"

static void advise(const struct bundle *bundle, struct bundle_report *report, const char *file,
                   const char *path, const char *message)
{
    int line;
    int column;
    locate_path(bundle_source(bundle, file), path, &line, &column);
    bundle_report_add(report, file, line, column, "%s", message);
}

/* ---- limits */

static const struct limit_cap *same_cap(const struct limit_rule *rule, int tier,
                                        const struct limit_cap *cap, size_t nth)
{
    for (size_t i = 0; i < rule->counts[tier]; i++)
        if (strcmp(rule->caps[tier][i].code, cap->code) == 0 && nth-- == 0)
            return &rule->caps[tier][i];
    return NULL;
}

/* How many caps of its name stand before it. */
static size_t place_of(const struct limit_rule *rule, int tier, const struct limit_cap *cap)
{
    size_t place = 0;
    for (const struct limit_cap *at = rule->caps[tier]; at < cap; at++)
        place += strcmp(at->code, cap->code) == 0;
    return place;
}

static bool is_wider(int64_t lower, int64_t upper)
{
    return upper != LIMIT_NONE && (lower == LIMIT_NONE || lower > upper);
}

/* A cap of a tier against the tier below it. */
static void compare(const struct bundle *bundle, const struct limit_rule *rule, int tier,
                    const struct limit_cap *upper, struct bundle_report *report)
{
    const struct limit_cap *lower = same_cap(rule, tier - 1, upper, place_of(rule, tier, upper));
    char path[60];
    char message[160];
    if (lower != NULL && !is_wider(lower->sum, upper->sum) && !is_wider(lower->count, upper->count))
        return;
    snprintf(path, sizeof path, "tiers.%d.%.*s", lower == NULL ? tier + 1 : tier,
             (int)strcspn(upper->code, "_"), upper->code);
    if (lower == NULL)
        snprintf(message, sizeof message,
                 "tier %d has the limit %s, tier %d below it has none: is that meant?", tier,
                 upper->code, tier - 1);
    else
        snprintf(message, sizeof message,
                 "tier %d may do more than tier %d above it (%s): is that meant?", tier - 1, tier,
                 upper->code);
    advise(bundle, report, rule->file, path, message);
}

static void look_at_limits(const struct bundle *bundle, struct bundle_report *report)
{
    const struct limit_rule *rules = bundle_limit_rules(bundle);
    for (size_t i = 0; i < bundle_limit_count(bundle); i++)
        for (int tier = 1; tier < LIMIT_RULE_TIERS; tier++)
            for (size_t k = 0; k < rules[i].counts[tier]; k++)
                compare(bundle, &rules[i], tier, &rules[i].caps[tier][k], report);
}

/* ---- fees */

/* Facts that the rule applies to. */
static struct fee_facts facts_of(const struct fee_rule *rule)
{
    struct fee_facts facts = {.kind = rule->kind, .currency = rule->currency, .own = !rule->other};
    while ((rule->tiers >> facts.tier & 1) == 0)
        facts.tier++;
    return facts;
}

static int64_t price(const struct bundle *bundle, struct fee_facts facts, int64_t amount)
{
    struct fee_decision decision;
    facts.amount = amount;
    fee_price(bundle, &facts, &decision);
    return decision.outcome == FEE_OK ? decision.total : -1;
}

/* Borders come in threes: below, at and above the end of a slab. */
static void look_at_borders(const struct bundle *bundle, const struct fee_rule *rule,
                            struct bundle_report *report)
{
    struct fee_facts facts = facts_of(rule);
    struct arena arena;
    size_t count;
    arena_init(&arena);
    int64_t *borders = rule_coverage_borders(bundle, &facts, &arena, 0, &count);
    for (size_t i = 1; borders != NULL && i + 1 < count; i += 3) {
        char money[3][RULE_TEST_MONEY_MAX];
        char path[40];
        char message[200];
        int64_t here = price(bundle, facts, borders[i]);
        int64_t above = price(bundle, facts, borders[i + 1]);
        if (here < 0 || above < 0 || above >= here)
            continue;
        rule_test_case_format(borders[i], rule->currency, money[0]);
        rule_test_case_format(here, rule->currency, money[1]);
        rule_test_case_format(above, rule->currency, money[2]);
        snprintf(path, sizeof path, "slabs.%zu.upto", i / 3 + 1);
        snprintf(message, sizeof message,
                 "%s costs %s, and the least bit more only %s: is that meant?", money[0], money[1],
                 money[2]);
        advise(bundle, report, rule->file, path, message);
    }
    arena_release(&arena);
}

static void look_at_small_amounts(const struct bundle *bundle, const struct fee_rule *rule,
                                  struct bundle_report *report)
{
    if (price(bundle, facts_of(rule), 1) < 0)
        advise(bundle, report, rule->file, "slabs",
               "the smallest amounts are refused, because the fee would be more than they are: did "
               "you mean may_exceed_amount = true?");
}

void rule_advice_find(const struct bundle *bundle, struct bundle_report *report)
{
    const struct fee_rule *rules = bundle_fee_rules(bundle);
    for (size_t i = 0; i < bundle_rule_count(bundle); i++) {
        look_at_borders(bundle, &rules[i], report);
        look_at_small_amounts(bundle, &rules[i], report);
    }
    look_at_limits(bundle, report);
}
