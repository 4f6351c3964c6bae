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
    const struct fee_rule_line *line = &rule->lines[0];
    wide fee = 0;
    int64_t from = 0; /* where the slab begins */

    for (int i = 0; i < rule->slab_count; i++) {
        const struct fee_slab *slab = &rule->slabs[i];
        bool reached = amount > from;
        bool falls_in = reached && amount <= slab->upto;
        int64_t part = falls_in ? amount - from : slab->upto - from;

        if (line->graduated && reached)
            fee += model_share(part, slab->rate, line->rounding) + (wide)(uint64_t)slab->flat;
        if (!line->graduated && falls_in)
            fee = model_share(amount, slab->rate, line->rounding) + (wide)(uint64_t)slab->flat;
        from = slab->upto;
    }
    if (fee < (wide)(uint64_t)line->minimum)
        fee = (wide)(uint64_t)line->minimum;
    return fee > (wide)(uint64_t)line->cap ? (wide)(uint64_t)line->cap : fee;
}

static int64_t random_amount(struct chance *chance, int64_t most)
{
    uint64_t bits = chance_bits(chance) >> (11 + chance_below(chance, 52));

    return (int64_t)(bits % (uint64_t)most) + 1;
}

static void random_rule(struct chance *chance, struct fee_rule *rule)
{
    struct fee_rule_line *line = &rule->lines[0];
    int64_t upto = 0;

    memset(rule, 0, sizeof *rule);
    line->graduated = chance_below(chance, 2) == 0;
    line->rounding = (enum rounding)chance_below(chance, 4);
    line->of = -1;
    rule->line_count = 1;
    rule->slab_count = line->slab_count = 1 + (int)chance_below(chance, FEE_SLABS_MAX);
    for (int i = 0; i < rule->slab_count; i++) {
        struct fee_slab *slab = &rule->slabs[i];

        upto += random_amount(chance, AMOUNT_MAX / FEE_SLABS_MAX);
        slab->upto = i == rule->slab_count - 1 ? INT64_MAX : upto;
        slab->flat = chance_below(chance, 3) == 0 ? 0 : random_amount(chance, AMOUNT_MAX);
        slab->rate = (int64_t)chance_below(chance, chance_below(chance, 2) == 0 ? 1000001 : 20000);
    }
    line->minimum = chance_below(chance, 2) == 0 ? 0 : random_amount(chance, AMOUNT_MAX);
    line->cap = INT64_MAX;
    if (chance_below(chance, 2) == 0)
        line->cap = line->minimum + random_amount(chance, AMOUNT_MAX);
}

static int64_t fee_of(const struct fee_rule *rule, int64_t amount)
{
    int64_t fee = -1;

    assert_true(fee_rule_amount(rule, amount, &fee));
    assert_true(fee >= rule->lines[0].minimum && fee <= rule->lines[0].cap);
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
        if (!rule.lines[0].graduated) {
            rule.slab_count = rule.lines[0].slab_count = 1;
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
        .lines = {{.code = "fee",
                   .of = -1,
                   .slab_count = 3,
                   .cap = INT64_MAX,
                   .rounding = ROUND_HALF_UP}},
        .line_count = 1,
    };

    assert_int_equal(fee_of(&rule, 10000), 250);
    assert_int_equal(fee_of(&rule, 10001), 160 + 90);
    assert_int_equal(fee_of(&rule, 100000), 160 + 900);
    assert_int_equal(fee_of(&rule, 100001), 310 + 750);
    rule.lines[0].graduated = true; /* each slab it reaches adds its flat fee and its share */
    assert_int_equal(fee_of(&rule, 10000), 250);
    assert_int_equal(fee_of(&rule, 10001), 250 + 160);
    assert_int_equal(fee_of(&rule, 200000), 250 + 160 + 810 + 310 + 750);
    rule.lines[0].minimum = 300;
    rule.lines[0].cap = 2000;
    assert_int_equal(fee_of(&rule, 1), 300);
    assert_int_equal(fee_of(&rule, 200000), 2000);
}

static void test_what_does_not_fit_is_no_price(void **state)
{
    (void)state;
    struct fee_rule rule = {
        .slabs = {{INT64_MAX, INT64_MAX, 1000000}},
        .slab_count = 1,
        .lines =
            {{.code = "fee", .of = -1, .slab_count = 1, .cap = INT64_MAX, .rounding = ROUND_UP}},
        .line_count = 1,
    };
    int64_t fee;

    assert_false(fee_rule_amount(&rule, 1, &fee));
    rule.lines[0].graduated = true;
    assert_false(fee_rule_amount(&rule, 1, &fee));
    rule.slabs[0].flat = INT64_MAX - 1;
    assert_true(fee_rule_amount(&rule, 1, &fee));
    assert_int_equal(fee, INT64_MAX);
}

/* A line may be computed of any before it; of nothing it's nothing, whatever its minimum. */
static void test_lines_of_lines(void **state)
{
    (void)state;
    const struct fee_rule rule = {
        .slabs = {{10000, 0, 0},
                  {INT64_MAX, 100, 10000},
                  {INT64_MAX, 0, 150000},
                  {INT64_MAX, 7, 0}},
        .slab_count = 4,
        .lines = {{.code = "fee", .of = -1, .slab_count = 2, .cap = 500, .rounding = ROUND_UP},
                  {.code = "vat",
                   .of = 0,
                   .first_slab = 2,
                   .slab_count = 1,
                   .minimum = 20,
                   .cap = INT64_MAX,
                   .rounding = ROUND_HALF_UP},
                  {.code = "levy", .of = -1, .first_slab = 3, .slab_count = 1, .cap = INT64_MAX}},
        .line_count = 3,
    };
    int64_t lines[FEE_LINES_MAX];
    int64_t total;

    assert_true(fee_rule_price(&rule, 10000, lines, &total));
    assert_true(lines[0] == 0 && lines[1] == 0 && lines[2] == 7 && total == 7);
    assert_true(fee_rule_price(&rule, 10001, lines, &total));
    assert_true(lines[0] == 201 && lines[1] == 30 && lines[2] == 7 && total == 238);
    assert_true(fee_rule_price(&rule, AMOUNT_MAX, lines, &total));
    assert_true(lines[0] == 500 && lines[1] == 75 && lines[2] == 7 && total == 582);
    assert_true(fee_rule_amount(&rule, AMOUNT_MAX, &total));
    assert_int_equal(total, 582);
    assert_true(fee_rule_line_amount(&rule, 1, 1, &total));
    assert_int_equal(total, 20);
}

/* Each fits, together they don't. */
static void test_lines_that_do_not_fit_together(void **state)
{
    (void)state;
    struct fee_rule rule = {
        .slabs = {{INT64_MAX, INT64_MAX, 0}, {INT64_MAX, 1, 0}},
        .slab_count = 2,
        .lines = {{.of = -1, .slab_count = 1, .cap = INT64_MAX},
                  {.of = -1, .first_slab = 1, .slab_count = 1, .cap = INT64_MAX}},
        .line_count = 2,
    };
    int64_t total;

    assert_false(fee_rule_amount(&rule, 1, &total));
    rule.slabs[0].flat--;
    assert_true(fee_rule_amount(&rule, 1, &total));
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
        cmocka_unit_test(test_lines_of_lines),
        cmocka_unit_test(test_lines_that_do_not_fit_together),
        cmocka_unit_test(test_overlaps_are_all_found_and_no_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
