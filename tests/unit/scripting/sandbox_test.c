/* Everything a rule file may try against its sandbox ends in a clean refusal, within its budget,
 * its time and its memory. */
#include "scripting/sandbox.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <lauxlib.h>
#include <lua.h>

#include "base/bytes.h"
#include "base/memory.h"

#define BUDGET 100000

#define SPENT "the rule used up its instruction budget"
#define LATE "the rule used up its time"
#define MEMORY "not enough memory"

struct ending {
    bool good;
    struct sandbox_fault fault;
    size_t memory; /* when it ended */
    int64_t cpu;
    int64_t result;
};

static struct ending run(struct slice source)
{
    struct ending ending = {.good = false};
    int64_t began = sandbox_cpu_us();
    struct sandbox *sandbox = sandbox_new();

    assert_non_null(sandbox);
    if (sandbox_load(sandbox, source, &ending.fault)) {
        sandbox_budget(sandbox, BUDGET);
        ending.good = sandbox_call(sandbox, 0, 1, &ending.fault);
    }
    if (ending.good)
        ending.result = lua_tointeger(sandbox_lua(sandbox), -1);
    ending.memory = sandbox_memory(sandbox);
    ending.cpu = sandbox_cpu_us() - began;
    sandbox_free(sandbox);
    return ending;
}

/* A budget is looked at every 100 instructions; the dearest of them copies the whole memory. The
 * rest is room for a slow machine and for ASan: without the looks it would be minutes. */
static void check_bounds(const char *what, const struct ending *ending)
{
    if (ending->cpu >= 8000000 || ending->memory > SANDBOX_MEMORY_MAX)
        print_error("%.60s: %lld us, %zu bytes\n", what, (long long)ending->cpu, ending->memory);
    assert_true(ending->cpu < 8000000);
    assert_true(ending->memory <= SANDBOX_MEMORY_MAX);
}

struct attack {
    const char *source;
    const char *message; /* how it is refused: the beginning */
};

/* All of them, so that one run shows every surprise. */
static void refuse_all(const struct attack *attacks, size_t count)
{
    int surprises = 0;

    for (size_t i = 0; i < count; i++) {
        struct ending ending = run(slice_of(attacks[i].source));
        size_t length = strlen(attacks[i].message);

        check_bounds(attacks[i].source, &ending);
        if (!ending.good && strncmp(ending.fault.message, attacks[i].message, length) == 0)
            continue;
        print_error("%s: %s\n", attacks[i].source, ending.good ? "works" : ending.fault.message);
        surprises++;
    }
    assert_int_equal(surprises, 0);
}

static void test_what_is_not_there(void **state)
{
    (void)state;
    static const char *const absent[] = {
        "coroutine",    "pcall",        "xpcall",
        "load",         "loadstring",   "loadfile",
        "dofile",       "require",      "package",
        "os",           "io",           "debug",
        "print",        "warn",         "string",
        "table",        "math",         "utf8",
        "next",         "pairs",        "rawget",
        "rawset",       "rawlen",       "rawequal",
        "setmetatable", "getmetatable", "collectgarbage",
        "_G",           "arg",          "unpack",
        "_VERSION",     "jit",          "ffi",
    };

    for (size_t i = 0; i < sizeof absent / sizeof absent[0]; i++) {
        char source[100];

        snprintf(source, sizeof source, "assert(%s == nil) return 7", absent[i]);
        assert_int_equal(run(slice_of(source)).result, 7);
    }
    /* and nothing else than this */
    struct sandbox *sandbox = sandbox_new();
    lua_State *lua = sandbox_lua(sandbox);
    static const char known[] = " assert error ipairs select type tostring muldiv add sub min max ";
    int count = 0;

    lua_pushglobaltable(lua);
    for (lua_pushnil(lua); lua_next(lua, -2) != 0; lua_pop(lua, 1), count++) {
        char word[40];

        snprintf(word, sizeof word, " %s ", lua_tostring(lua, -2));
        assert_non_null(strstr(known, word));
        assert_true(lua_isfunction(lua, -1));
    }
    assert_int_equal(count, 11);
    assert_int_equal(lua_getmetatable(lua, -1), 0);
    lua_pushliteral(lua, "");
    assert_int_equal(lua_getmetatable(lua, -1), 0); /* strings have no methods */
    sandbox_free(sandbox);
}

static void test_nothing_gets_out(void **state)
{
    (void)state;
    static const struct attack attacks[] = {
        {"return ('x'):rep(1e9)", "attempt to index a string value"},
        {"return ('x').rep", "attempt to index a string value"},
        {"return (''):format(1)", "attempt to index a string value"},
        {"local s = 'x' return #s.y", "attempt to index a string value"},
        {"return ('').dump", "attempt to index a string value"},
        {"return '10' + 5", "attempt to perform arithmetic on a string value"},
        {"return -'10'", "attempt to perform arithmetic on a string value"},
        {"return '10' | 5", "attempt to perform bitwise operation on a string value"},
        {"return 'a' < 1", "attempt to compare string with number"},
        {"return {} < {}", "attempt to compare two table values"},
        {"return 1 // 0", "attempt to divide by zero"},
        {"return 1 % 0", "attempt to perform 'n%"},
        {"return load('return 1')", "attempt to call a nil value (global 'load')"},
        {"return pcall(error)", "attempt to call a nil value (global 'pcall')"},
        {"return require 'os'", "attempt to call a nil value (global 'require')"},
        {"return _G.os", "attempt to index a nil value (global '_G')"},
        {"_ENV = nil return assert", "attempt to index a nil value (upvalue '_ENV')"},
        {"local _ENV = {} return assert(1)", "attempt to call a nil value (global 'assert')"},
        {"local function f(_ENV) return type end return f('')", "attempt to index a string value"},
        {"return tostring({})", "a table has no text"},
        {"return tostring(tostring)", "a function has no text"},
        {"return 'x' .. {}", "attempt to concatenate a table value"},
        {"error({})", "error object is no string"},
        {"error(nil)", "error object is no string"},
        {"error(5)", "error object is no string"},
        {"error()", "error object is no string"},
        {"assert(false, {})", "error object is no string"},
        {"assert(false)", "assertion failed!"},
        {"assert()", "bad argument #1 to 'assert' (value expected)"},
        {"local t = {__tostring = function() while true do end end} error(t)",
         "error object is no string"},
        {"local x <close> = {}", "variable 'x' got a non-closable value"},
        {"local x <close> = {__close = error}", "variable 'x' got a non-closable value"},
        {"local x <evil> = 1", "unknown attribute 'evil'"},
        {"return select(0)", "bad argument #1 to 'select' (index out of range)"},
        {"return select(-5, 1)", "bad argument #1 to 'select' (index out of range)"},
        {"return select(-0x8000000000000000)", "bad argument #1 to 'select'"},
        {"return ipairs()", "bad argument #1 to 'ipairs' ("},
        {"for _ in ipairs('x') do end", "attempt to index a string value"},
        {"for i = 1, 10, 0 do end", "'for' step is zero"},
        {"for i = 1, {} do end", "bad 'for' limit"},
        {"for k in {} do end", "attempt to call a table value"},
        {"goto nowhere", "no visible label 'nowhere'"},
        {"break", "break outside loop"},
        {"\x1bLua", "attempt to load a binary chunk (mode is 't')"},
        {"return \"\\xzz\"", "hexadecimal digit expected"},
        {"return '\\u{7fffffffff}'", "UTF-8 value too large"},
        {"return [==[", "unfinished long string"},
        {"#!/bin/sh", "unexpected symbol near '#'"},
    };

    refuse_all(attacks, sizeof attacks / sizeof attacks[0]);
}

/* Each of these runs for ever, or for minutes, without its bound. */
static void test_nothing_runs_on(void **state)
{
    (void)state;
    static const struct attack attacks[] = {
        {"while true do end", SPENT},
        {"repeat until false", SPENT},
        {"::again:: goto again", SPENT},
        {"for i = 1, 0x7fffffffffffffff do end", SPENT},
        {"for i = 1, 0x7fffffffffffffff, 0x7ffffffffffffff do for k = 1, i do end end", SPENT},
        {"local function f() return f() end f()", SPENT},
        {"local function f() local a <const> = f return a() end f()", SPENT},
        {"local t = {} t.t = t while t do t = t.t end", SPENT},
        {"while true do type(1) end", SPENT},
        {"local f f = function() f() end while true do f() end", ""},
        {"local function f(n) return 1 + f(n + 1) end f(1)", ""},
        {"local function f(...) return 1 + f(1, ...) end f()", ""},
        {"local function f() return select('#', f()) end f()", ""},
        {"local function f() for _ in f do end end f()", ""},
        {"local s = 'x' while true do s = s .. s end", MEMORY},
        {"local s = 'x' while true do s = s .. s .. s .. s .. s .. s .. s .. s end", MEMORY},
        {"local s = 'x' while true do s = s .. 'x' end", ""},
        {"local t = {} for i = 1, 0x7fffffff do t[i] = {} end", ""},
        {"local t = {} for i = 1, 0x7fffffff do t[i << 20] = i end", ""},
        {"local t = {} while true do t = {t, t, t, t} end", ""},
        {"local t = {} for i = 1, 0x7fffffff do t[i] = function() return i end end", ""},
        {"local t = {} for i = 1, 0x7fffffff do t[i] = tostring(i) .. 'aaaaaaaaaaaaaaaaaaaa"
         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa' end",
         ""},
        /* one instruction, megabytes: copied, compared, hashed */
        {"local s = 'x' for i = 1, 20 do s = s .. s end while true do local t = s .. 'y' end", ""},
        {"local s = 'x' for i = 1, 20 do s = s .. s end local t = s .. 'y' s = s .. 'x' "
         "while true do local b = s == t end",
         ""},
        {"local s = 'x' for i = 1, 20 do s = s .. s end local t = s .. 'y' s = s .. 'x' "
         "while true do local b = s < t end",
         ""},
        {"local s = 'x' for i = 1, 20 do s = s .. s end local t = {} "
         "while true do t[s .. 'y'] = 1 end",
         ""},
        /* keys chosen to collide: every one at the same place of a table of 2^16 */
        {"local t = {} for i = 1, 0x7fffffff do t[i * 65535] = 1 end", ""},
        {"local t = {} for i = 1, 20000 do t[i * 32767] = 1 end "
         "while true do local x = t[32767 * 0x7fff1] end",
         ""},
        /* a full table that is counted again for each new key */
        {"local t = {} for i = 1, 16384 do t[i * 3] = 1 end for i = 1, 0x7fffffff do "
         "t[i * 3] = nil t[(i + 16384) * 3] = 1 end",
         ""},
        {"local t = {} for i = 1, 100 do t[i] = i end while true do local n = #t end", SPENT},
        {"for i = 1, 0x7fffffff do local s = tostring(i) end", SPENT},
        {"while true do muldiv(0x7fffffffffffffff, 0x7fffffffffffffff, 0x7fffffffffffffff, 'up') "
         "end",
         SPENT},
        {"for _, v in ipairs({1, 2, 3}) do while true do end end", SPENT},
    };

    refuse_all(attacks, sizeof attacks / sizeof attacks[0]);
}

/* `before`, then `part` again and again up to `size` bytes, then `after`. */
static void repeat(struct bytes *out, const char *before, const char *part, const char *after)
{
    size_t size = 32768;

    bytes_clear(out);
    bytes_add_text(out, before);
    for (int i = 0; out->length + strlen(part) + strlen(after) + 8 < size; i++)
        bytes_printf(out, part, i, i);
    bytes_add_text(out, after);
    assert_false(out->failed);
}

/* The compiler runs without the hook: what it takes hangs on the source's length, and nothing it
 * is given makes it overflow its stack. */
static void test_hostile_sources(void **state)
{
    (void)state;
    static const struct {
        const char *before, *part, *after;
        const char *message; /* NULL: it compiles and ends */
    } sources[] = {
        {"return ", "(", "", "C stack overflow"},
        {"return ", "{", "", "C stack overflow"},
        {"return ", "not ", "1", "C stack overflow"},
        {"return ", "- ", "1", "C stack overflow"},
        {"return ", "a..", "a", "C stack overflow"},
        {"return ", "1^", "1", "C stack overflow"},
        {"return ", "function() return ", "", "C stack overflow"},
        {"", "do ", "", "C stack overflow"},
        {"", "if a then ", "", "C stack overflow"},
        {"", "while a do ", "", "C stack overflow"},
        {"", "::l%d:: ", "", "C stack overflow"},
        {"", "::l%d:: do end ", "return 1", NULL},
        {"", "goto l%d ", "", "no visible label"},
        {"", "local a%d ", "", "too many local variables"},
        {"local ", "a%d,", "z = 1", "too many local variables"},
        {"", "local function f%d() end ", "", "too many local variables"},
        {"a", ",a", " = 1", "C stack overflow"},
        {"return function(", "a%d,", "...) end", "too many local variables"},
        {"local t = {} return t", ".a", "", "attempt to index a nil value"},
        {"return type", "''", "", "attempt to call a string value"},
        {"return nil", " or nil", "", NULL},
        {"return 1", " and 1", "", NULL},
        {"if nil then ", "elseif nil then ", " end", NULL},
        {"while nil do ", "break ", " end", NULL},
        {"return 1", " == 1", "", NULL},
        {"return {", "{},", "}", NULL},
        {"return {", "[%d]=1,", "}", NULL},
        {"return {", "k%d=%d,", "}", NULL},
        {"local t = {", "function()end,", "}", NULL},
        {"return '", "aaaaaaaa", "'", NULL},
        {"return '", "\\255", "'", NULL},
        {"return [[", "]]..[[", "]]", ""},
        {"local ", "aaaaaaaa", " = 1 return 1", NULL},
        {"return ", "1111111", "", NULL},
        {"return 0x", "fffffff", "", NULL},
        {"--[[", "]=]", "", ""},
        {"", "\n", "return 1", NULL},
        {"", ";", "return 1", NULL},
    };
    struct bytes text;
    int surprises = 0;

    bytes_init(&text, NULL);
    for (size_t i = 0; i < sizeof sources / sizeof sources[0]; i++) {
        repeat(&text, sources[i].before, sources[i].part, sources[i].after);

        struct ending ending = run(bytes_view(&text));
        const char *wanted = sources[i].message;

        bool expected =
            wanted == NULL ? ending.good : !ending.good && strstr(ending.fault.message, wanted);

        if (!expected)
            print_error("%s%s...%s: %s\n", sources[i].before, sources[i].part, sources[i].after,
                        ending.good ? "works" : ending.fault.message);
        surprises += !expected;
        check_bounds(sources[i].part, &ending);
    }
    bytes_release(&text);
    assert_int_equal(surprises, 0);
}

/* Upvalues: 255 at most; 60 functions deep with 4 each is more. */
static void test_many_upvalues(void **state)
{
    (void)state;
    struct bytes text;

    bytes_init(&text, NULL);
    for (int f = 0; f < 2; f++) {
        bytes_add_text(&text, "local function f() ");
        for (int i = 0; i < 150; i++)
            bytes_printf(&text, "local a%d_%d = 1 ", f, i);
    }
    bytes_add_text(&text, "local function g() return 0");
    for (int i = 0; i < 300; i++)
        bytes_printf(&text, "+a%d_%d", i / 150, i % 150);
    bytes_add_text(&text, " end end end");

    struct ending ending = run(bytes_view(&text));

    assert_false(ending.good);
    assert_non_null(strstr(ending.fault.message, "too many upvalues"));
    bytes_release(&text);
}

/* What catches one error gets away with nothing: a spent budget stays spent. */
static void test_a_spent_budget_stays_spent(void **state)
{
    (void)state;
    struct sandbox *sandbox = sandbox_new();
    struct sandbox_fault fault;

    assert_true(sandbox_load(sandbox, SLICE("while true do end"), &fault));
    sandbox_budget(sandbox, 1000);
    assert_false(sandbox_call(sandbox, 0, 0, &fault));
    assert_string_equal(fault.message, SPENT);
    for (int i = 0; i < 3; i++) {
        assert_true(sandbox_load(sandbox, SLICE("local a = 1 return a"), &fault));
        assert_false(sandbox_call(sandbox, 0, 0, &fault));
        assert_string_equal(fault.message, SPENT);
    }
    sandbox_budget(sandbox, 1000);
    assert_true(sandbox_load(sandbox, SLICE("local a = 1 return a"), &fault));
    assert_true(sandbox_call(sandbox, 0, 0, &fault));
    sandbox_free(sandbox);
}

/* Nothing stays from one chunk to the next but what it put into globals: a state per file. */
static void test_two_sandboxes_share_nothing(void **state)
{
    (void)state;
    assert_true(run(SLICE("leak = 5 return leak")).good);
    assert_int_equal(run(SLICE("return leak or 3")).result, 3);
}

static void test_lines_and_messages(void **state)
{
    (void)state;
    static const struct {
        const char *source;
        int line;
        const char *message;
    } cases[] = {
        {"return 1 +", 1, "unexpected symbol near <eof>"},
        {"\n\nlocal = 5", 3, "<name> expected near '='"},
        {"\n\nerror('no')", 3, "no"},
        {"\n\nerror('no', 0)", 0, "no"},
        {"local function f() error('deep', 2) end\n\n f() return", 3, "deep"},
        {"error('@:7: made up', 0)", 7, "made up"},
        {"error('@:x', 0)", 0, "x"},
        {"\n\n\n\nlocal a = nil + 1", 5, "attempt to perform arithmetic on a nil value"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct ending ending = run(slice_of(cases[i].source));

        assert_false(ending.good);
        assert_string_equal(ending.fault.message, cases[i].message);
        assert_int_equal(ending.fault.line, cases[i].line);
    }
}

static void test_a_huge_message_is_cut(void **state)
{
    (void)state;
    struct ending ending = run(SLICE("local s = 'x' for i = 1, 20 do s = s .. s end error(s, 0)"));

    assert_false(ending.good);
    assert_int_equal(strlen(ending.fault.message), SANDBOX_MESSAGE_MAX - 1);
}

static void test_tostring(void **state)
{
    (void)state;
    assert_true(run(SLICE("assert(tostring(5) == '5' and tostring('x') == 'x' and "
                          "tostring(nil) == 'nil' and "
                          "tostring(true) == 'true' and tostring(false) == 'false' and "
                          "tostring(-0x8000000000000000) == '-9223372036854775808')"))
                    .good);
}

/* From the first allocation of a new state to the last of a run. */
static void test_every_failing_allocation(void **state)
{
    (void)state;
    static const char source[] = "local t = {} for i = 1, 50 do t[i] = {n = tostring(i)} end "
                                 "local s = '' for _, v in ipairs(t) do s = s .. v.n end";
    bool failed = true;

    for (long n = 0; failed; n++) {
        struct sandbox_fault fault;
        bool good = false;

        memory_fail_after(n);

        struct sandbox *sandbox = sandbox_new();

        if (sandbox != NULL && sandbox_load(sandbox, SLICE(source), &fault))
            good = sandbox_call(sandbox, 0, 0, &fault);
        failed = memory_failed();
        memory_fail_never();
        assert_true(good || failed); /* Lua may do with less after collecting garbage */
        if (sandbox != NULL && !good)
            assert_string_equal(fault.message, MEMORY);
        sandbox_free(sandbox);
        assert_true(n < 2000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_not_there),
        cmocka_unit_test(test_nothing_gets_out),
        cmocka_unit_test(test_nothing_runs_on),
        cmocka_unit_test(test_hostile_sources),
        cmocka_unit_test(test_many_upvalues),
        cmocka_unit_test(test_a_spent_budget_stays_spent),
        cmocka_unit_test(test_two_sandboxes_share_nothing),
        cmocka_unit_test(test_lines_and_messages),
        cmocka_unit_test(test_a_huge_message_is_cut),
        cmocka_unit_test(test_tostring),
        cmocka_unit_test(test_every_failing_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
