/* docs/problems.md is what `moolah docs problems` prints, and every code of the catalogue stands in
 * it with a word on what the caller can do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "http/problem.h"

static void test_the_page_is_the_catalogue(void **state)
{
    static char page[65536];
    struct bytes expected;
    FILE *file = fopen(MOOLAH_SOURCE_DIR "/docs/problems.md", "r");
    (void)state;
    assert_non_null(file);
    page[fread(page, 1, sizeof page - 1, file)] = '\0';
    fclose(file);
    bytes_init(&expected, NULL);
    problem_write_docs(&expected);
    bytes_add_char(&expected, '\0');
    assert_false(expected.failed);
    assert_string_equal(page, expected.at); /* else: moolah docs problems >docs/problems.md */
    bytes_release(&expected);
}

static void test_each_code_is_found_and_helps(void **state)
{
    (void)state;
    for (int i = 0; i < PROBLEM_COUNT; i++) {
        enum problem_code code = (enum problem_code)i;
        enum problem_code found;
        assert_true(problem_find(slice_of(problem_name(code)), &found));
        assert_int_equal(found, code);
        assert_in_range(problem_status(code), 400, 599);
        assert_in_range(strlen(problem_help(code)), 10, 200);
        assert_int_equal(problem_help(code)[strlen(problem_help(code)) - 1], '.');
    }
    enum problem_code none;
    assert_false(problem_find(SLICE("refused"), &none));
    assert_false(problem_find(SLICE(""), &none));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_page_is_the_catalogue),
        cmocka_unit_test(test_each_code_is_found_and_helps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
