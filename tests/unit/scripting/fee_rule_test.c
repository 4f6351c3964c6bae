#include "scripting/fee_rule.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/base/chance.h"

#define AMOUNT_MAX INT64_C(9007199254740991)

__extension__ typedef unsigned __int128 wide;

/* A model that shares nothing with the code: part * rate / 1,000,000 by long division, bit by bit,
 * in numbers that cannot overflow. */
static wide model_share(int64_t part, int64_t rate, enum rounding rounding)
{
    wide product = (wide)(uint64_t)part * (uint64_t)rate;
    wide quotient = 0;
    uint64_t rest = 0;

    for (int bit = 127; bit >= 0; bit--) {
        rest = rest << 1 | (uint64_t)(product >> bit & 1);
        quotient = quotient << 1 | (rest >= 1000000);
        rest -= rest >= 1000000 ? 1000000 : 0;
    }
    if (rounding == ROUND_UP)
        return quotient + (rest > 0);
    if (rounding == ROUND_HALF_UP)
        return quotient + (rest >= 500000);
    if (rounding == ROUND_HALF_EVEN)
        return quotient + (rest > 500000 || (rest == 500000 && (quotient & 1) != 0));
    return quotient;
}

/* The fee as the words of the manual say it: which slab an amount falls into, or which part of it.
 */
static wide model_fee(const struct fee_rule *rule, int64_t amount)
{
    wide fee = 0;
    int64_t from = 0; /* where the slab begins */

    for (int i = 0; i < rule->slab_count; i++) {
        const struct fee_slab *slab = &rule->slabs[i];
        bool reached = amount > from;
        bool falls_in = reached && amount <= slab->upto;
        int64_t part = falls_in ? amount - from : slab->upto - from;

        if (rule->graduated && reached)
            fee += model_share(part, slab->rate, rule->rounding) + (wide)(uint64_t)slab->flat;
        if (!rule->graduated && falls_in)
            fee = model_share(amount, slab->rate, rule->rounding) + (wide)(uint64_t)slab->flat;
        from = slab->upto;
    }
    if (fee < (wide)(uint64_t)rule->minimum)
        fee = (wide)(uint64_t)rule->minimum;
    return fee > (wide)(uint64_t)rule->cap ? (wide)(uint64_t)rule->cap : fee;
}

static int64_t random_amount(struct chance *chance, int64_t most)
{
    uint64_t bits = chance_bits(chance) >> (11 + chance_below(chance, 52));

    return (int64_t)(bits % (uint64_t)most) + 1;
}

static void random_rule(struct chance *chance, struct fee_rule *rule)
{
    int64_t upto = 0;

    memset(rule, 0, sizeof *rule);
    rule->graduated = chance_below(chance, 2) == 0;
    rule->rounding = (enum rounding)chance_below(chance, 4);
    rule->slab_count = 1 + (int)chance_below(chance, FEE_SLABS_MAX);
    for (int i = 0; i < rule->slab_count; i++) {
        struct fee_slab *slab = &rule->slabs[i];

        upto += random_amount(chance, AMOUNT_MAX / FEE_SLABS_MAX);
        slab->upto = i == rule->slab_count - 1 ? INT64_MAX : upto;
        slab->flat = chance_below(chance, 3) == 0 ? 0 : random_amount(chance, AMOUNT_MAX);
        slab->rate = (int64_t)chance_below(chance, chance_below(chance, 2) == 0 ? 1000001 : 20000);
    }
    rule->minimum = chance_below(chance, 2) == 0 ? 0 : random_amount(chance, AMOUNT_MAX);
    rule->cap = INT64_MAX;
    if (chance_below(chance, 2) == 0)
        rule->cap = rule->minimum + random_amount(chance, AMOUNT_MAX);
}

static int64_t fee_of(const struct fee_rule *rule, int64_t amount)
{
    int64_t fee = -1;

    assert_true(fee_rule_amount(rule, amount, &fee));
    assert_true(fee >= rule->minimum && fee <= rule->cap);
    assert_true((wide)(uint64_t)fee == model_fee(rule, amount));
    return fee;
}

/* Every rule that a file can say, every border of its slabs from both sides, and anything. */
static void test_a_model_says_the_same(void **state)
{
    (void)state;
    struct chance chance = {4711};

    for (int round = 0; round < 3000; round++) {
        struct fee_rule rule;

        random_rule(&chance, &rule);
        fee_of(&rule, 1);
        fee_of(&rule, AMOUNT_MAX);
        for (int i = 0; i < rule.slab_count - 1; i++)
            for (int64_t beside = -1; beside <= 1; beside++)
                fee_of(&rule, rule.slabs[i].upto + beside > 0 ? rule.slabs[i].upto + beside : 1);
        for (int i = 0; i < 20; i++)
            fee_of(&rule, random_amount(&chance, AMOUNT_MAX));
    }
}

/* More money never costs less within one slab, nor anywhere under graduated slabs. */
static void test_more_never_costs_less(void **state)
{
    (void)state;
    struct chance chance = {99};

    for (int round = 0; round < 20000; round++) {
        struct fee_rule rule;

        random_rule(&chance, &rule);
        if (!rule.graduated) {
            rule.slab_count = 1;
            rule.slabs[0].upto = INT64_MAX;
        }

        int64_t less = random_amount(&chance, AMOUNT_MAX - 1000);
        int64_t more = less + random_amount(&chance, 1000) - 1;

        assert_true(fee_of(&rule, less) <= fee_of(&rule, more));
    }
}

static void test_the_border_belongs_to_the_slab_below(void **state)
{
    (void)state;
    struct fee_rule rule = {
        .slabs = {{10000, 250, 0}, {100000, 160, 9000}, {INT64_MAX, 310, 7500}},
        .slab_count = 3,
        .minimum = 0,
        .cap = INT64_MAX,
        .rounding = ROUND_HALF_UP,
    };

    assert_int_equal(fee_of(&rule, 10000), 250);
    assert_int_equal(fee_of(&rule, 10001), 160 + 90);
    assert_int_equal(fee_of(&rule, 100000), 160 + 900);
    assert_int_equal(fee_of(&rule, 100001), 310 + 750);
    rule.graduated = true; /* each slab it reaches adds its flat fee and its share */
    assert_int_equal(fee_of(&rule, 10000), 250);
    assert_int_equal(fee_of(&rule, 10001), 250 + 160);
    assert_int_equal(fee_of(&rule, 200000), 250 + 160 + 810 + 310 + 750);
    rule.minimum = 300;
    rule.cap = 2000;
    assert_int_equal(fee_of(&rule, 1), 300);
    assert_int_equal(fee_of(&rule, 200000), 2000);
}

static void test_what_does_not_fit_is_no_price(void **state)
{
    (void)state;
    struct fee_rule rule = {
        .slabs = {{INT64_MAX, INT64_MAX, 1000000}},
        .slab_count = 1,
        .cap = INT64_MAX,
        .rounding = ROUND_UP,
    };
    int64_t fee;

    assert_false(fee_rule_amount(&rule, 1, &fee));
    rule.graduated = true;
    assert_false(fee_rule_amount(&rule, 1, &fee));
    rule.slabs[0].flat = INT64_MAX - 1;
    assert_true(fee_rule_amount(&rule, 1, &fee));
    assert_int_equal(fee, INT64_MAX);
}

/* The check of a bundle rests on this: two rules overlap when, and only when, there are facts to
 * which both apply. All pairs of rules, all facts. */
enum { KINDS = 2, CURRENCIES = 2, TIERS = 4, MOMENTS = 2 };
enum { PERIODS = 3, RULES = KINDS * CURRENCIES * 15 * 3 * PERIODS };

static const char *const kinds[KINDS] = {"transfer", "deposit"};

static struct fee_rule nth_rule(int n)
{
    struct fee_rule rule = {.slab_count = 1};

    snprintf(rule.kind, sizeof rule.kind, "%s", kinds[n % KINDS]);
    n /= KINDS;
    rule.currency = n % CURRENCIES == 0 ? CURRENCY_ZAR : currency_parse(SLICE("USD"));
    n /= CURRENCIES;
    rule.tiers = (unsigned)(n % 15) + 1;
    n /= 15;
    rule.own = n % 3 != 0;
    rule.other = n % 3 != 1;
    n /= 3;
    rule.from = n == 0 ? 50 : INT64_MIN;
    rule.to = n == 1 ? 50 : INT64_MAX;
    return rule;
}

static bool both_apply_somewhere(const struct fee_rule *a, const struct fee_rule *b)
{
    bool found = false;

    for (int n = 0; n < KINDS * CURRENCIES * TIERS * 2 * MOMENTS; n++) {
        const struct fee_facts facts = {
            .kind = kinds[n % KINDS],
            .currency = n / KINDS % CURRENCIES == 0 ? CURRENCY_ZAR : currency_parse(SLICE("USD")),
            .tier = n / KINDS / CURRENCIES % TIERS,
            .own = n / KINDS / CURRENCIES / TIERS % 2 == 1,
            .at = 49 + n / KINDS / CURRENCIES / TIERS / 2,
            .amount = 1,
        };
        found = found || (fee_rule_applies(a, &facts) && fee_rule_applies(b, &facts));
    }
    return found;
}

static void test_overlaps_are_all_found_and_no_others(void **state)
{
    (void)state;
    static struct fee_rule rules[RULES];
    int overlaps = 0;

    for (int i = 0; i < RULES; i++)
        rules[i] = nth_rule(i);
    for (int i = 0; i < RULES; i++) {
        for (int k = 0; k < RULES; k++) {
            assert_int_equal(fee_rule_overlaps(&rules[i], &rules[k]),
                             both_apply_somewhere(&rules[i], &rules[k]));
            overlaps += fee_rule_overlaps(&rules[i], &rules[k]);
        }
        assert_true(fee_rule_overlaps(&rules[i], &rules[i]));
    }
    assert_true(overlaps > RULES && overlaps < RULES * RULES / 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_model_says_the_same),
        cmocka_unit_test(test_more_never_costs_less),
        cmocka_unit_test(test_the_border_belongs_to_the_slab_below),
        cmocka_unit_test(test_what_does_not_fit_is_no_price),
        cmocka_unit_test(test_overlaps_are_all_found_and_no_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
