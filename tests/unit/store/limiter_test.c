#include "store/limiter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/memory.h"
#include "store/gate.h"

/* The model: the times of all that passed. One more may pass when every stretch that ends now has
 * had fewer than it may: a bucket of `burst`, refilled steadily. Kept as the bucket's level in
 * units of 1/interval, which is exact in integers. */
struct model {
    int64_t level; /* microseconds of refilling that are missing: 0 is full */
    int64_t since;
};

static void settle(struct model *model, int64_t now)
{
    int64_t passed = now - model->since;
    model->level = model->level > passed ? model->level - passed : 0;
    model->since = now;
}

/* 0: it may pass; else how long to wait. */
static int64_t wait_of(struct model *model, const struct gate_rate *rate, int64_t now)
{
    settle(model, now);
    int64_t over = model->level + limiter_interval(rate) - limiter_tolerance(rate);
    return over > 0 ? over : 0;
}

static void test_as_a_bucket(void **state)
{
    static const struct gate_rate rates[] = {{10, 5}, {0.5, 1}, {1000, 100}, {3, 7}};
    enum { KEYS = 20 };
    struct model models[KEYS] = {{0, 0}};
    struct limiter *limiter = limiter_new();
    unsigned dice = 1;
    int64_t now = INT64_C(1000000000);
    long refused = 0;
    (void)state;
    assert_non_null(limiter);
    for (int i = 0; i < 200000; i++) {
        int key = rand_r(&dice) % KEYS;
        const struct gate_rate *rate = &rates[key % 4];
        int64_t retry = -1;
        now += rand_r(&dice) % 20 == 0 ? rand_r(&dice) % 200000 : rand_r(&dice) % 2000;
        int64_t wait = wait_of(&models[key], rate, now);
        assert_int_equal(limiter_allow(limiter, (uint64_t)key + 1, rate, now, &retry), wait == 0);
        assert_true(retry == wait);
        refused += wait > 0;
        if (wait == 0) {
            limiter_charge(limiter, (uint64_t)key + 1, rate, now);
            models[key].level += limiter_interval(rate);
        }
        if (rand_r(&dice) % 1000 == 0) {
            limiter_forget(limiter, (uint64_t)key + 1);
            models[key].level = 0;
        }
    }
    assert_in_range(refused, 10000, 190000);
    limiter_free(limiter);
}

static void test_a_burst_then_the_rate(void **state)
{
    const struct gate_rate rate = {4, 3};
    struct limiter *limiter = limiter_new();
    int64_t now = 5000000;
    int64_t retry;
    (void)state;
    for (int i = 0; i < 3; i++) {
        assert_true(limiter_allow(limiter, 9, &rate, now, &retry));
        limiter_charge(limiter, 9, &rate, now);
    }
    assert_false(limiter_allow(limiter, 9, &rate, now, &retry));
    assert_int_equal(retry, 250000);
    assert_false(limiter_allow(limiter, 9, &rate, now + retry - 1, &retry));
    assert_true(limiter_allow(limiter, 9, &rate, now + 250000, &retry));
    assert_true(limiter_allow(limiter, 10, &rate, now, &retry)); /* another's */
    limiter_free(limiter);
}

/* Whoever floods the table with keys of their own pushes out emptier cells, not the one that is
 * refused most. */
static void test_a_full_set_forgets_the_emptiest(void **state)
{
    const struct gate_rate rate = {1, 10};
    struct limiter *limiter = limiter_new();
    const uint64_t same_set = 65536 / 4;
    int64_t retry;
    (void)state;
    for (int i = 0; i < 10; i++)
        limiter_charge(limiter, 7, &rate, 1000000);
    for (uint64_t k = 1; k < 1000; k++)
        limiter_charge(limiter, 7 + k * same_set, &rate, 1000000);
    assert_false(limiter_allow(limiter, 7, &rate, 1000000, &retry));
    limiter_free(limiter);
}

static void test_no_memory(void **state)
{
    (void)state;
    memory_fail_after(0);
    assert_null(limiter_new());
    memory_fail_never();
    limiter_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_as_a_bucket),
        cmocka_unit_test(test_a_burst_then_the_rate),
        cmocka_unit_test(test_a_full_set_forgets_the_emptiest),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
