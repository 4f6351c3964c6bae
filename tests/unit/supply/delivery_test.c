#include "supply/delivery.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"

#define REFERENCE "pur_0000000000000000000000001z"

static struct arena arena;
static struct purchases_purchase purchase;
static struct supplier_question question;

static int begin(void **state)
{
    (void)state;
    arena_init(&arena);
    purchase = (struct purchases_purchase){.rule = SLICE("power@2"),
                                           .amount = 5000,
                                           .currency = CURRENCY_ZAR,
                                           .fields = SLICE("{\"meter\":\"1\"}")};
    return uuid_parse(SLICE(REFERENCE), "pur_", &purchase.id) ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    arena_release(&arena);
    return 0;
}

static enum supplier_result read_as(int status, const char *body, bool asks)
{
    question = (struct supplier_question){.purchase = &purchase, .arena = &arena};
    delivery_read(&question, status, slice_of(body), asks);
    return question.result;
}

#define ABOUT "{\"reference\":\"" REFERENCE "\",\"amount\":5000,\"currency\":\"ZAR\","

static void test_the_question(void **state)
{
    struct bytes out;
    (void)state;
    bytes_init(&out, &arena);
    delivery_write(&purchase, &out);
    bytes_add_char(&out, '\0');
    assert_string_equal(out.at, "{\"reference\":\"" REFERENCE
                                "\",\"product\":\"power\",\"amount\":5000,\"currency\":\"ZAR\","
                                "\"fields\":{\"meter\":\"1\"}}");
}

static void test_clear_words(void **state)
{
    (void)state;
    assert_int_equal(read_as(200,
                             ABOUT "\"status\":\"delivered\",\"supplier_reference\":\"s-1\","
                                   "\"goods\":{ \"token\" : \"12\", \"units\":\"3.5\"}}",
                             false),
                     SUPPLIER_DELIVERED);
    assert_true(slice_equals(question.goods, "{\"token\":\"12\",\"units\":\"3.5\"}"));
    assert_string_equal(question.reference, "s-1");
    assert_int_equal(read_as(201, ABOUT "\"status\":\"declined\"}", false), SUPPLIER_DECLINED);
    assert_int_equal(read_as(200, ABOUT "\"status\":\"pending\"}", true), SUPPLIER_PENDING);
    assert_int_equal(read_as(404, "", true), SUPPLIER_NOT_FOUND);
}

/* Whatever else is said may mean anything: it's asked again. */
static void test_what_is_not_believed(void **state)
{
    static const char *const bodies[] = {
        "",
        "{",
        "[]",
        "7",
        ABOUT "\"status\":\"done\"}",
        ABOUT "\"status\":\"delivered\"}",
        ABOUT "\"status\":\"delivered\",\"goods\":{}}",
        ABOUT "\"status\":\"delivered\",\"goods\":[\"1\"]}",
        ABOUT "\"status\":\"delivered\",\"goods\":{\"pin\":1}}",
        ABOUT "\"status\":\"delivered\",\"goods\":{\"pin\":\"\"}}",
        ABOUT "\"status\":\"delivered\",\"goods\":{\"P\\\"\":\"1\"}}",
        ABOUT "\"status\":\"delivered\",\"goods\":{\"pin\":\"1\"},\"more\":1}",
        ABOUT "\"status\":\"delivered\",\"goods\":{\"pin\":\"1\"},\"supplier_reference\":7}",
        ABOUT "\"status\":\"delivered\",\"goods\":{\"pin\":\"1\"},\"status\":\"declined\"}",
        ABOUT "\"status\":\"declined\",\"goods\":{\"pin\":\"1\"}}",
        ABOUT "\"status\":\"pending\",\"goods\":{\"pin\":\"1\"}}",
        "{\"reference\":\"" REFERENCE "\",\"amount\":5001,\"currency\":\"ZAR\","
        "\"status\":\"declined\"}",
        "{\"reference\":\"" REFERENCE "\",\"amount\":5000.0,\"currency\":\"ZAR\","
        "\"status\":\"declined\"}",
        "{\"reference\":\"" REFERENCE "\",\"amount\":5000,\"currency\":\"USD\","
        "\"status\":\"declined\"}",
        "{\"reference\":\"pur_00000000000000000000000020\",\"amount\":5000,\"currency\":\"ZAR\","
        "\"status\":\"declined\"}",
        "{\"amount\":5000,\"currency\":\"ZAR\",\"status\":\"declined\"}",
    };
    static const int statuses[] = {100, 202, 204, 302, 400, 401, 409, 422, 500, 503};
    (void)state;
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++)
        if (read_as(200, bodies[i], i % 2 == 0) != SUPPLIER_UNKNOWN)
            fail_msg("believed: %s", bodies[i]);
    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++)
        assert_int_equal(read_as(statuses[i], ABOUT "\"status\":\"declined\"}", false),
                         SUPPLIER_UNKNOWN);
    assert_int_equal(read_as(404, ABOUT "\"status\":\"declined\"}", false), SUPPLIER_UNKNOWN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_question),
        cmocka_unit_test(test_clear_words),
        cmocka_unit_test(test_what_is_not_believed),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
