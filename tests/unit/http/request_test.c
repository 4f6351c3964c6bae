/* Query strings. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/memory.h"
#include "tests/unit/base/chance.h"
#include "tests/unit/http/offline.h"

static struct request *request;

static int set_up(void **state)
{
    (void)state;
    request = offline_request(METHOD_GET, "/");
    return request == NULL ? -1 : 0;
}

static int tear_down(void **state)
{
    (void)state;
    request_free(request);
    return 0;
}

static void test_values_are_found_and_decoded(void **state)
{
    static const struct {
        const char *query, *name, *value; /* NULL: absent */
    } cases[] = {
        {"limit=20", "limit", "20"},
        {"limit=20&after=x", "after", "x"},
        {"a=1&a=2", "a", "1"},
        {"a", "a", ""},
        {"a=", "a", ""},
        {"a=b=c", "a", "b=c"},
        {"a=%41%7a%2B", "a", "Az+"},
        {"a=x+y", "a", "x+y"},
        {"%61=1", "a", "1"},
        {"&&a=1&", "a", "1"},
        {"", "a", NULL},
        {"aa=1", "a", NULL},
        {"A=1", "a", NULL},
        {"a=%E2%82%ac", "a", "\xe2\x82\xac"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct slice value;
        bool bad = true;
        request->query = slice_of(cases[i].query);
        bool found = request_query(request, cases[i].name, &value, &bad);
        assert_int_equal(found, cases[i].value != NULL);
        assert_false(bad);
        if (found)
            assert_true(slice_equals(value, cases[i].value));
    }
}

static void test_broken_encodings_are_told(void **state)
{
    static const char *const broken[] = {"a=%", "a=%4",   "a=%zz",   "a=%4g", "a=%00",
                                         "%=1", "a=%%41", "b=%&a=1", "a=%-1", "a=% 1"};
    (void)state;
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        struct slice value;
        bool bad = false;
        request->query = slice_of(broken[i]);
        assert_true(request_query(request, "a", &value, &bad));
        assert_true(bad);
    }
}

static size_t encode(char *out, struct slice text, struct chance *chance)
{
    static const char digits[2][17] = {"0123456789abcdef", "0123456789ABCDEF"};
    size_t length = 0;
    for (size_t i = 0; i < text.length; i++) {
        uint8_t c = (uint8_t)text.at[i];
        bool plain = (c >= 'a' && c <= 'z') && chance_below(chance, 2) == 0;
        const char *set = digits[chance_below(chance, 2)];
        if (!plain)
            out[length++] = '%';
        if (!plain)
            out[length++] = set[c / 16];
        out[length++] = plain ? (char)c : set[c % 16];
    }
    return length;
}

/* Any names and values, encoded in any allowed way, come back as they were, in order. */
static void test_what_is_encoded_comes_back(void **state)
{
    struct chance chance = {7};
    (void)state;
    for (int round = 0; round < 500; round++) {
        char plain[8][12];
        char query[400];
        size_t lengths[8];
        size_t length = 0;
        size_t count = 2 * (1 + chance_below(&chance, 4));
        for (size_t i = 0; i < count; i++) {
            lengths[i] = 1 + chance_below(&chance, sizeof plain[i] - 1);
            for (size_t k = 0; k < lengths[i]; k++)
                plain[i][k] = (char)(1 + chance_below(&chance, 255));
            length += encode(query + length, (struct slice){plain[i], lengths[i]}, &chance);
            query[length++] = i % 2 == 0 ? '=' : '&';
        }
        request->query = (struct slice){query, length - chance_below(&chance, 2)};
        size_t at = 0;
        struct slice name, value;
        bool bad;
        for (size_t i = 0; i < count; i += 2) {
            assert_true(request_query_next(request, &at, &name, &value, &bad));
            assert_false(bad);
            assert_true(slice_equal(name, (struct slice){plain[i], lengths[i]}));
            assert_true(slice_equal(value, (struct slice){plain[i + 1], lengths[i + 1]}));
        }
        assert_false(request_query_next(request, &at, &name, &value, &bad));
    }
}

static void test_no_memory_is_no_value(void **state)
{
    struct slice value;
    bool bad = false;
    static char query[5000] = "a=";
    (void)state;
    memset(query + 2, 'x', sizeof query - 3);
    request->query = slice_of(query);
    memory_fail_after(0);
    assert_null(request_new());
    assert_true(request_query(request, "a", &value, &bad));
    memory_fail_never();
    assert_true(bad);
}

static void test_method_names(void **state)
{
    (void)state;
    assert_string_equal(request_method_name(METHOD_GET), "GET");
    assert_string_equal(request_method_name(METHOD_DELETE), "DELETE");
    assert_string_equal(request_method_name(METHOD_OTHER), "OTHER");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_values_are_found_and_decoded),
        TEST(test_broken_encodings_are_told),
        TEST(test_what_is_encoded_comes_back),
        TEST(test_no_memory_is_no_value),
        TEST(test_method_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
