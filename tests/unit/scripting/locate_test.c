#include "scripting/locate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/memory.h"
#include "tests/unit/base/chance.h"

/* In memory that ends with the text: ASan sees a read beyond it. */
static void place_of(struct slice source, const char *path, int *line, int *column)
{
    char *exact = memory_alloc(source.length);

    memcpy(exact, source.at, source.length);
    locate_path((struct slice){exact, source.length}, path, line, column);
    memory_free(exact);
}

static const char source[] = /* */
    "local size = 3 -- size = 4\n"
    "local text = \"flat = 1 { { {\" .. 'size = \\' { ='\n"
    "--[[ id = 7 {\n"
    "]] --[==[ id = 8 ]] ]==]\n"
    "local long = [[ id = 9 { ]]\n"
    "return fee {\n"
    "    id = 'x', if_id == nil,\n"
    "    applies = { kind = 1, tiers\n"
    "        = { 0 }, own = { kind = 2 } },\n"
    "    slabs = {\n"
    "        { upto = 1, flat = 2 },\n"
    "        { flat = 3, deeper = { flat = 4, { x = 1 } } }, { rate = 5 },\n"
    "    },\n"
    "    owner = 1, kind = 3,\n"
    "}\n";

static void test_places(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        int line, column;
    } cases[] = {
        {"id", 7, 5},
        {"if_id", 0, 0},
        {"applies", 8, 5},
        {"applies.kind", 8, 17},
        {"applies.tiers", 8, 27},
        {"applies.own", 9, 18},
        {"applies.own.kind", 9, 26},
        {"applies.nothing", 8, 5}, /* the nearest that is there */
        {"kind", 14, 16},
        {"slabs", 10, 5},
        {"slabs.1.upto", 11, 11},
        {"slabs.1.flat", 11, 21},
        {"slabs.1.rate", 11, 9},
        {"slabs.2.flat", 12, 11},
        {"slabs.2.deeper.flat", 12, 32},
        {"slabs.3.rate", 12, 59},
        {"slabs.3.flat", 12, 57},
        {"slabs.4.flat", 10, 5},
        {"slabs.2", 12, 9},
        {"size", 1, 7},    /* outside the table */
        {"no.size", 1, 7}, /* nowhere on the path: wherever its last part stands */
        {"nowhere", 0, 0},
        {"", 0, 0},
        {"a.b.c.d.e.f", 0, 0},
        {".", 0, 0},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int line = -1, column = -1;

        place_of(SLICE(source), cases[i].path, &line, &column);
        if (line != cases[i].line || column != cases[i].column)
            print_error("%s: %d:%d\n", cases[i].path, line, column);
        assert_int_equal(line, cases[i].line);
        assert_int_equal(column, cases[i].column);
    }
}

/* Cut short or damaged anywhere, it reads nothing beyond the end and says a place in the text. */
static void test_any_text(void **state)
{
    (void)state;
    static const char alphabet[] = "{}[]=-'\"\\\n ab.1e/^_,";
    static const char *const paths[] = {"slabs.2.flat", "applies.kind", "a", "1.1.a"};
    struct chance chance = {3};

    for (int i = 0; i < 60000; i++) {
        char text[sizeof source];
        size_t length = 1 + chance_below(&chance, sizeof source - 1);
        int line, column;

        memcpy(text, source, sizeof source);
        for (uint64_t hits = chance_below(&chance, 40); hits > 0; hits--)
            text[chance_below(&chance, length)] = alphabet[chance_below(&chance, sizeof alphabet)];
        place_of((struct slice){text, length}, paths[i % 4], &line, &column);
        assert_true((line == 0) == (column == 0));
        assert_true(line <= (int)length && column <= (int)length);
        locate_inexact((struct slice){text, length}, &line, &column);
    }
}

static void test_fractions(void **state)
{
    (void)state;
    static const struct {
        const char *source;
        int line, column; /* 0: there is none */
    } cases[] = {
        {"return 1", 0, 0},
        {"return 10 // 3 .. 'a' .. 1", 0, 0},
        {"return 9223372036854775807", 0, 0},
        {"return 0xffffffffffffffff, 0x1e5, 0XE", 0, 0},
        {"return a1e5, x2.y3, e, p.e", 0, 0},
        {"local t = ...", 0, 0},
        {"-- 1.5 / 2 ^ 3\nreturn '1.5/2' .. \"1e5\" .. [[ 0.1 ]]", 0, 0},
        {"return 1.0", 1, 8},
        {"return .5", 1, 8},
        {"return 5.", 1, 8},
        {"return 1e5", 1, 8},
        {"return 1E+5", 1, 8},
        {"return 0x1p4", 1, 8},
        {"return 0x.8", 1, 8},
        {"return 9223372036854775808", 1, 8},
        {"local a = 1\nreturn a/2", 2, 9},
        {"local a = 1\n  return ab / 2", 2, 13},
        {"return 2^10", 1, 9},
        {"return a ^ b", 1, 10},
        {"return 1//2/3", 1, 12},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int line = -1, column = -1;
        bool found = locate_inexact(slice_of(cases[i].source), &line, &column);

        if (line != cases[i].line || column != cases[i].column)
            print_error("%s: %d:%d\n", cases[i].source, line, column);
        assert_int_equal(found, cases[i].line > 0);
        assert_int_equal(line, cases[i].line);
        assert_int_equal(column, cases[i].column);
    }
}

static void test_similar(void **state)
{
    (void)state;
    static const char *const known[] = {"minimum", "cap", "rounding", "id", "slabs", NULL};
    static const char *const none[] = {NULL};

    assert_string_equal(locate_similar("minimun", known), "minimum");
    assert_string_equal(locate_similar("minimum", known), "minimum");
    assert_string_equal(locate_similar("slab", known), "slabs");
    assert_string_equal(locate_similar("caps", known), "cap");
    assert_string_equal(locate_similar("ronding", known), "rounding");
    assert_null(locate_similar("colour", known));
    assert_null(locate_similar("", known));
    assert_null(locate_similar("x", known));
    assert_null(locate_similar("minimum", none));
    assert_null(locate_similar("minimum_minimum_minimum_minimum_minimum", known));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_places),
        cmocka_unit_test(test_any_text),
        cmocka_unit_test(test_fractions),
        cmocka_unit_test(test_similar),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
