/* text/event-stream: what is written is what the HTML standard's parser takes; ids are read back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "api/sse.h"
#include "base/bytes.h"
#include "tests/unit/base/dies.h"

static void expect(const struct bytes *out, const char *text)
{
    assert_int_equal(out->length, strlen(text));
    assert_memory_equal(out->at, text, out->length);
}

static void test_events_as_the_standard_has_them(void **state)
{
    struct bytes out;
    (void)state;
    bytes_init(&out, NULL);
    sse_write_retry(&out, 1500);
    sse_write_event(&out, 0, "wallet", SLICE("{\"a\":1}"));
    sse_write_event(&out, INT64_C(123456789012345678), "transaction.transfer", SLICE("{}"));
    bytes_add_slice(&out, SSE_HEARTBEAT);
    expect(&out, "retry: 1500\n\n"
                 "id: 0\nevent: wallet\ndata: {\"a\":1}\n\n"
                 "id: 123456789012345678\nevent: transaction.transfer\ndata: {}\n\n"
                 ":\n\n");
    bytes_release(&out);
}

/* Data of several lines would be several events. */
static void write_lines(void *data)
{
    struct bytes out;
    bytes_init(&out, NULL);
    sse_write_event(&out, 1, "wallet", slice_of(data));
}

static void test_data_is_one_line(void **state)
{
    char feed[] = "a\nid: 7";
    char carriage[] = "a\rb";
    (void)state;
    assert_true(dies(write_lines, feed));
    assert_true(dies(write_lines, carriage));
}

static void test_ids(void **state)
{
    static const char *const bad[] = {"",
                                      "-1",
                                      "+1",
                                      " 1",
                                      "1 ",
                                      "1.0",
                                      "1e3",
                                      "0x1",
                                      "a",
                                      "1a",
                                      ":",
                                      "\xc2\xb2",
                                      "1234567890123456789"};
    int64_t id = -5;
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(sse_read_id(slice_of(bad[i]), &id));
    assert_int_equal(id, -5);
    assert_true(sse_read_id(SLICE("0"), &id));
    assert_int_equal(id, 0);
    assert_true(sse_read_id(SLICE("007"), &id));
    assert_int_equal(id, 7);
    assert_true(sse_read_id(SLICE("999999999999999999"), &id));
    assert_int_equal(id, INT64_C(999999999999999999));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_events_as_the_standard_has_them),
        cmocka_unit_test(test_data_is_one_line),
        cmocka_unit_test(test_ids),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
