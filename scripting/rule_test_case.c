#include "scripting/rule_test_case.h"

#include <inttypes.h>
#include <lua.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void rule_test_case_fault(struct rule_test_case *test, const char *key, const char *format, ...)
{
    char message[200];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    rule_reader_fault(&test->reader, key, "%s", message);
}

bool rule_test_case_money(struct rule_test_case *test, int table, const char *key, int64_t *minor)
{
    struct rule_reader *r = &test->reader;
    bool wrong = r->wrong;
    int type = rule_reader_push(r, table, key);
    if (type == LUA_TTABLE && r->code[0] == '\0') {
        rule_reader_push(r, -1, "code");
        if (lua_type(r->lua, -1) == LUA_TSTRING)
            snprintf(r->code, sizeof r->code, "%s", lua_tostring(r->lua, -1));
        lua_pop(r->lua, 1);
    }
    *minor = -1;
    if (type != LUA_TNIL)
        rule_reader_take_amount(r, key, 0, minor);
    lua_pop(r->lua, 1);
    return *minor >= 0 && r->wrong == wrong;
}

int rule_test_case_tier(struct rule_test_case *test)
{
    struct rule_reader *r = &test->reader;
    int tier = 0;
    if (rule_reader_push(r, test->from, "tier") != LUA_TNIL) {
        lua_Integer value = lua_isinteger(r->lua, -1) ? lua_tointeger(r->lua, -1) : -1;
        if (value < 0 || value > 3)
            rule_test_case_fault(test, "tier", "tier is an integer from 0 to 3");
        else
            tier = (int)value;
    }
    lua_pop(r->lua, 1);
    return tier;
}

const char *rule_test_case_refused(struct rule_test_case *test, int table)
{
    struct rule_reader *r = &test->reader;
    const char *reason = NULL;
    int type = rule_reader_push(r, table, "refused");
    if (type == LUA_TSTRING)
        reason = lua_tostring(r->lua, -1); /* the table holds it */
    else if (type == LUA_TBOOLEAN)
        reason = lua_toboolean(r->lua, -1) != 0 ? "" : NULL;
    else if (type != LUA_TNIL)
        rule_test_case_fault(test, "refused", "refused is true, or a text of the reason");
    lua_pop(r->lua, 1);
    return reason;
}

void rule_test_case_format(int64_t minor, currency which, char text[RULE_TEST_MONEY_MAX])
{
    int64_t scale = 1;
    int digits = currency_digits(which);
    char code[4];
    currency_text(which, code);
    for (int i = 0; i < digits; i++)
        scale *= 10;
    if (digits == 0)
        snprintf(text, RULE_TEST_MONEY_MAX, "%s %" PRId64, code, minor);
    else
        snprintf(text, RULE_TEST_MONEY_MAX, "%s %" PRId64 ".%0*" PRId64, code, minor / scale,
                 digits, minor % scale);
}

currency rule_test_case_currency(const struct rule_test_case *test)
{
    return currency_parse(slice_of(test->reader.code));
}
