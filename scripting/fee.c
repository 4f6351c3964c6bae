#include "scripting/fee.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "ledger/money.h"
#include "scripting/adjust.h"
#include "scripting/fee_rule.h"
#include "scripting/sandbox.h"

static void fail(struct fee_decision *decision, const char *what, const char *rule)
{
    decision->outcome = FEE_FAILED;
    snprintf(decision->reason, sizeof decision->reason, "%s%s%s", what, rule == NULL ? "" : ": ",
             rule == NULL ? "" : rule);
}

/* At most one rule applies to any facts: the bundle's check saw to that. */
static const struct fee_rule *find(const struct bundle *bundle, const struct fee_facts *facts)
{
    const struct fee_rule *rules = bundle_fee_rules(bundle);
    size_t count = bundle_rule_count(bundle);
    for (size_t i = 0; i < count; i++)
        if (fee_rule_applies(&rules[i], facts))
            return &rules[i];
    return NULL;
}

static void put_line(struct fee_decision *decision, const struct fee_rule *rule, int at,
                     int64_t amount)
{
    struct fee_line *line = &decision->lines[decision->count++];
    _Static_assert(sizeof line->rule == sizeof rule->name, "names fit");
    _Static_assert(sizeof line->code == sizeof rule->lines[0].code, "codes fit");
    memcpy(line->rule, rule->name, sizeof line->rule);
    memcpy(line->code, rule->lines[at].code, sizeof line->code);
    line->amount = amount;
    line->refundable = rule->lines[at].refundable;
    line->receiver_pays = rule->receiver_pays;
}

/* False: it was denied, or failed. A sum that doesn't fit is more than money can be, too. */
static bool adjust(struct fee_decision *decision, const struct fee_rule *rule,
                   const struct fee_facts *facts, int64_t *lines, int64_t *fee)
{
    struct sandbox_fault fault;
    enum adjust_outcome outcome = adjust_lines(rule, facts, lines, &fault);
    *fee = 0;
    for (int i = 0; i < rule->line_count; i++)
        if (__builtin_add_overflow(*fee, lines[i], fee))
            *fee = INT64_MAX;
    if (outcome == ADJUST_DONE)
        return true;
    decision->outcome = outcome == ADJUST_DENIED ? FEE_DENIED : FEE_FAILED;
    if (outcome == ADJUST_DENIED)
        snprintf(decision->reason, sizeof decision->reason, "%.180s", fault.message);
    else
        snprintf(decision->reason, sizeof decision->reason, "%s: adjust, line %d: %.100s",
                 rule->name, fault.line, fault.message);
    return false;
}

void fee_price(const struct bundle *bundle, const struct fee_facts *facts,
               struct fee_decision *decision)
{
    assert(facts->tier >= 0 && facts->tier <= 3 && facts->amount > 0);
    const struct fee_rule *rule = find(bundle, facts);
    int64_t lines[FEE_LINES_MAX];
    int64_t fee;
    decision->outcome = FEE_OK;
    decision->count = 0;
    decision->total = 0;
    decision->receiver_pays = false;
    decision->reason[0] = '\0';
    if (rule == NULL) {
        char code[4];
        currency_text(facts->currency, code);
        decision->outcome = FEE_FAILED;
        snprintf(decision->reason, sizeof decision->reason,
                 "no rule applies to: %.15s, %s, tier %d, between %s wallets", facts->kind, code,
                 facts->tier, facts->own ? "own" : "different owners'");
        return;
    }
    bool fits = fee_rule_price(rule, facts->amount, lines, &fee);
    if (fits && rule->adjust != NULL && !adjust(decision, rule, facts, lines, &fee))
        return;
    if (!fits || fee > MONEY_MAX) {
        fail(decision, "the fee is more than money can be", rule->name);
        return;
    }
    if (rule->receiver_pays && fee >= facts->amount) { /* nothing is wrong with the rule */
        decision->outcome = FEE_DENIED;
        snprintf(decision->reason, sizeof decision->reason,
                 "the receiver pays the fee, and nothing of the amount would be left");
        return;
    }
    if (fee > facts->amount && !rule->may_exceed_amount) {
        fail(decision, "the fee is more than the amount, and the rule has no may_exceed_amount",
             rule->name);
        return;
    }
    for (int i = 0; i < rule->line_count; i++)
        put_line(decision, rule, i, lines[i]);
    decision->total = fee;
    decision->receiver_pays = rule->receiver_pays;
}

bool fee_has_kind(const struct bundle *bundle, const char *kind)
{
    const struct fee_rule *rules = bundle_fee_rules(bundle);
    for (size_t i = 0; i < bundle_rule_count(bundle); i++)
        if (strcmp(rules[i].kind, kind) == 0)
            return true;
    return false;
}
