/* If-None-Match against what RFC 9110 says of it. */
#include "api/etag.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static void test_lists(void **state)
{
    static const struct {
        const char *header;
        bool matches;
    } lists[] = {
        {"\"tag\"", true},
        {"W/\"tag\"", true},
        {"*", true},
        {"\"a\",\"tag\"", true},
        {"\"a\" , W/\"b\"\t,\"tag\" ", true},
        {" ,, \"tag\"", true},
        {"\"a,b\", \"tag\"", true},
        {"\"tag\", *", true},
        {"", false},
        {"tag", false},
        {"\"Tag\"", false},
        {"\"tag", false},
        {"\"tags\"", false},
        {"\"a,\"tag\"", false},
        {"\"a\"\"tag\"", false},
        {"w/\"tag\"", false},
        {"*, \"a\"", false},
        {"**", false},
        {"\"a\"", false},
        {"W/", false},
        {"\"", false},
        {"\"\"", false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
        if (etag_matches(slice_of(lists[i].header), SLICE("\"tag\"")) != lists[i].matches)
            fail_msg("%s", lists[i].header);
    assert_false(etag_matches((struct slice){NULL, 0}, SLICE("\"tag\"")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_lists)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
