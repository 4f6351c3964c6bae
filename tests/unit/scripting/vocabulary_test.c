#include "scripting/vocabulary.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#include <lua.h>

#include "scripting/sandbox.h"
#include "tests/unit/base/chance.h"

static void test_every_number_written_down_is_read_back(void **state)
{
    (void)state;
    struct chance chance = {5};

    for (int i = 0; i < 100000; i++) {
        char text[64];
        int digits = (int)chance_below(&chance, 5);
        int64_t scale = 1;
        int64_t value = (int64_t)(chance_bits(&chance) >> (1 + chance_below(&chance, 63)));
        int64_t back = -1;

        for (int d = 0; d < digits; d++)
            scale *= 10;
        if (digits > 0)
            snprintf(text, sizeof text, "%lld.%0*lld", (long long)(value / scale), digits,
                     (long long)(value % scale));
        else
            snprintf(text, sizeof text, "%lld", (long long)value);
        assert_true(vocabulary_decimal(slice_of(text), digits, &back));
        assert_int_equal(back, value);
        /* zeros behind the point may be left out */
        while (digits > 0 && text[strlen(text) - 1] == '0')
            text[strlen(text) - 1] = '\0';
        if (text[strlen(text) - 1] == '.')
            text[strlen(text) - 1] = '\0';
        assert_true(vocabulary_decimal(slice_of(text), digits, &back));
        assert_int_equal(back, value);
    }
}

static void test_what_is_no_decimal(void **state)
{
    (void)state;
    static const char *const wrong[] = {"",
                                        ".",
                                        ".5",
                                        "5.",
                                        "1.2.3",
                                        "1..2",
                                        "-1",
                                        "+1",
                                        " 1",
                                        "1 ",
                                        "1,00",
                                        "1e2",
                                        "0x1",
                                        "1.234",
                                        "1.00\n",
                                        "\xd9\xa1",
                                        "1 00",
                                        "1'00",
                                        "1.-1",
                                        "NaN",
                                        "inf",
                                        "92233720368547758.08",
                                        "99999999999999999999999999999999999999",
                                        "00000000000000000000000000000000000000001"};
    int64_t value = -5;

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_false(vocabulary_decimal(slice_of(wrong[i]), 2, &value));
    assert_false(vocabulary_decimal((struct slice){"1\0", 2}, 2, &value));
    assert_false(vocabulary_decimal((struct slice){NULL, 0}, 2, &value));
    assert_int_equal(value, -5);
    assert_true(vocabulary_decimal(SLICE("92233720368547758.07"), 2, &value));
    assert_int_equal(value, INT64_MAX);
    assert_true(vocabulary_decimal(SLICE("007"), 0, &value));
    assert_int_equal(value, 7);
}

static int open_and_run(lua_State *lua)
{
    vocabulary_open(lua);
    lua_call(lua, 0, 1);
    if (lua_type(lua, -1) == LUA_TTABLE)
        lua_pushboolean(lua, vocabulary_is_fee(lua, -1));
    return 1;
}

/* What a chunk returns: an integer, 1 when it's a fee, 0 when it's another table; or its fault. */
static int64_t run(const char *source, struct sandbox_fault *fault)
{
    int64_t result = -1;
    struct sandbox *sandbox = sandbox_new();
    lua_State *lua = sandbox_lua(sandbox);

    fault->message[0] = '\0';
    fault->line = 0;
    lua_pushcfunction(lua, open_and_run);
    if (sandbox_load(sandbox, slice_of(source), fault) && sandbox_call(sandbox, 1, 1, fault))
        result = lua_isboolean(lua, -1) ? lua_toboolean(lua, -1) : lua_tointeger(lua, -1);
    sandbox_free(sandbox);
    return result;
}

static void test_words(void **state)
{
    (void)state;
    static const struct {
        const char *source;
        int64_t result; /* -1: a fault */
        const char *message;
    } cases[] = {
        {"return (ZAR '12.5').amount", 1250, ""},
        {"return (JPY '12').amount", 12, ""},
        {"return (KWD '0.001').amount", 1, ""},
        {"return (pct '0.9').ppm", 9000, ""},
        {"return (pct '100').ppm", 1000000, ""},
        {"return (pct '0.0001').ppm", 1, ""},
        {"return fee {}", 1, ""},
        {"fee {} return {}", 0, ""},
        {"local a = fee {} fee {} return a", 0, ""}, /* the last one counts */
        {"local f = { } return fee(f)", 1, ""},
        {"return ZAR '1.234'", -1, "ZAR \"1.234\" is no amount: digits with at most 2 decimals"},
        {"return JPY '1.5'", -1, "JPY \"1.5\" is no amount: digits with at most 0 decimals"},
        {"return ZAR(5)", -1, "ZAR wants its number as a text: ZAR \"1.00\""},
        {"return ZAR()", -1, "ZAR wants its number as a text: ZAR \"1.00\""},
        {"return pct(5)", -1, "pct wants its number as a text: pct \"1.00\""},
        {"return pct '100.0001'", -1,
         "pct \"100.0001\" is no rate: 0 to 100 with at most 4 decimals"},
        {"return pct '0.00001'", -1,
         "pct \"0.00001\" is no rate: 0 to 100 with at most 4 decimals"},
        {"return fee 'x'", -1, "fee wants a table: fee { id = ..., ... }"},
        {"return fee()", -1, "fee wants a table: fee { id = ..., ... }"},
        {"return XXZ '1'", -1, "'XXZ' is not a word of rule files"},
        {"return zar '1'", -1, "'zar' is not a word of rule files; did you mean 'ZAR'?"},
        {"return Zar '1'", -1, "'Zar' is not a word of rule files; did you mean 'ZAR'?"},
        {"return fees {}", -1, "'fees' is not a word of rule files; did you mean 'fee'?"},
        {"return limits {}", -1, "'limits' is not a word of rule files; did you mean 'limit'?"},
        {"return tostrin(1)", -1,
         "'tostrin' is not a word of rule files; did you mean 'tostring'?"},
        {"return os.time()", -1, "'os' is not a word of rule files"},
        {"return _ENV['ZAR\\0'] '1'", -1, "'ZAR' is not a word of rule files"},
        {"return _ENV[{}]", -1, "'?' is not a word of rule files"},
        {"price = 5", -1, "rules keep no state: make 'price' local"},
        {"\n\nZAR = 5", -1, "rules keep no state: make 'ZAR' local"},
        {"function helper() end", -1, "rules keep no state: make 'helper' local"},
        {"_ENV[5] = 1", -1, "rules keep no state: make 'it' local"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct sandbox_fault fault;
        int64_t result = run(cases[i].source, &fault);

        if (result != cases[i].result || strcmp(fault.message, cases[i].message) != 0)
            print_error("%s: %lld, %s\n", cases[i].source, (long long)result, fault.message);
        assert_int_equal(result, cases[i].result);
        assert_string_equal(fault.message, cases[i].message);
        assert_int_equal(fault.line, result >= 0 ? 0 : cases[i].source[0] == '\n' ? 3 : 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_number_written_down_is_read_back),
        cmocka_unit_test(test_what_is_no_decimal),
        cmocka_unit_test(test_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
