/* When a supplier may be asked for goods: only while the driver has time to hear the answer. All
 * else of a sale is tests/integration/purchases_test.c's. */
#include "supply/sale.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"

#define TIMEOUT_US CLOCK_SECOND

static int delivered;

static bool deliver(struct supplier *supplier, struct supplier_question *question)
{
    assert_non_null(supplier);
    assert_non_null(question->done);
    delivered++;
    return true;
}

static bool ask(struct supplier *supplier, struct supplier_question *question)
{
    (void)supplier;
    (void)question;
    return false;
}

static void told(struct till_ticket *ticket)
{
    (void)ticket;
    fail_msg("it has no end yet");
}

static const struct supplier_kind fake = {deliver, ask};

static struct till *make_till(struct ev_loop *loop)
{
    static const char *const suppliers[] = {"power https://x.example t", NULL};
    const struct till_settings settings = {.suppliers = suppliers, .timeout_us = TIMEOUT_US};
    struct till *till = till_new(loop, &settings);
    struct sale any = {.till = till, .purchase = {.supplier = SLICE("power")}};
    assert_non_null(till);
    till_supplier(&any)->kind = &fake;
    return till;
}

static struct sale to_deliver(struct till *till, int64_t left)
{
    return (struct sale){.till = till,
                         .purchase = {.supplier = SLICE("power"), .status = PURCHASE_DELIVERING},
                         .lease_end = clock_monotonic() + left,
                         .lease_end_wall = clock_now() + left};
}

static void test_asked_within_the_lease(void **state)
{
    struct ev_loop *loop = ev_loop_new(0);
    struct till *till = make_till(loop);
    struct sale sale = to_deliver(till, TILL_LEASE_US);
    (void)state;
    delivered = 0;
    sale_advance(&sale);
    assert_int_equal(delivered, 1);
    till_free(till);
    ev_loop_destroy(loop);
}

/* By either clock: one stands while the machine is asleep, somebody sets the other. */
static void test_how_much_is_left(void **state)
{
    struct sale sale = to_deliver(NULL, TILL_LEASE_US);
    (void)state;
    assert_true(till_has_time(&sale, TIMEOUT_US));
    assert_false(till_has_time(&sale, TILL_LEASE_US + 1));
    sale.lease_end_wall -= TILL_LEASE_US;
    assert_false(till_has_time(&sale, TIMEOUT_US));
    sale = to_deliver(NULL, TILL_LEASE_US);
    sale.lease_end -= TILL_LEASE_US;
    assert_false(till_has_time(&sale, TIMEOUT_US));
}

/* Another driver may have it: it's left as it is, and nobody is asked. */
static void test_not_asked_behind_it(void **state)
{
    struct ev_loop *loop = ev_loop_new(0);
    struct till *till = make_till(loop);
    const struct sale sale = to_deliver(till, 0);
    struct till_ticket ticket = {.done = told};
    (void)state;
    delivered = 0;
    assert_false(till_drive(till, &sale.purchase, &ticket)); /* taken up without any lease */
    assert_int_equal(delivered, 0);
    assert_true(till_is_idle(till));
    till_free(till);
    ev_loop_destroy(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_asked_within_the_lease),
        cmocka_unit_test(test_how_much_is_left),
        cmocka_unit_test(test_not_asked_behind_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
