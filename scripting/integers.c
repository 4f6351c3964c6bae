#include "scripting/integers.h"

#include <assert.h>
#include <lauxlib.h>
#include <lua.h>
#include <string.h>

static const char *const rounding_names[] = {
    [ROUND_HALF_UP] = "half_up",
    [ROUND_HALF_EVEN] = "half_even",
    [ROUND_DOWN] = "down",
    [ROUND_UP] = "up",
};

bool integers_parse_rounding(const char *text, enum rounding *rounding)
{
    for (int i = 0; i <= ROUND_UP; i++) {
        if (strcmp(rounding_names[i], text) != 0)
            continue;
        *rounding = (enum rounding)i;
        return true;
    }
    return false;
}

/* Is it the next one up, `rest` parts of `whole` behind an even or odd integer? */
static bool goes_up(int64_t rest, int64_t whole, bool odd, enum rounding rounding)
{
    int64_t short_of = whole - rest; /* of the next one: twice the rest may not fit */
    switch (rounding) {
    case ROUND_HALF_UP:
        return rest >= short_of;
    case ROUND_HALF_EVEN:
        return rest > short_of || (rest == short_of && odd);
    case ROUND_DOWN:
        break;
    case ROUND_UP:
        return rest > 0;
    }
    return false;
}

bool integers_muldiv(int64_t a, int64_t b, int64_t c, enum rounding rounding, int64_t *out)
{
    int64_t small;
    assert(a >= 0 && b >= 0 && c > 0);
    if (!__builtin_mul_overflow(a, b, &small)) { /* usually: one division in hardware */
        int64_t whole = small / c;
        return !__builtin_add_overflow(whole, goes_up(small % c, c, whole % 2 != 0, rounding), out);
    }
    __extension__ typedef __int128 wide;
    wide product = (wide)a * b;
    wide quotient = product / c;
    quotient += goes_up((int64_t)(product % c), c, quotient % 2 != 0, rounding);
    if (quotient > INT64_MAX)
        return false;
    *out = (int64_t)quotient;
    return true;
}

/* No strings, no floats that happen to be whole: rules say what they mean. */
static int64_t argument(lua_State *lua, int at)
{
    if (!lua_isinteger(lua, at))
        luaL_error(lua, "argument %d must be an integer", at);
    return lua_tointeger(lua, at);
}

static int lua_muldiv(lua_State *lua)
{
    enum rounding rounding;
    int64_t result;
    int64_t a = argument(lua, 1);
    int64_t b = argument(lua, 2);
    int64_t c = argument(lua, 3);
    if (lua_type(lua, 4) != LUA_TSTRING ||
        !integers_parse_rounding(lua_tostring(lua, 4), &rounding))
        return luaL_error(lua, "argument 4 must be half_up, half_even, down or up");
    if (a < 0 || b < 0 || c <= 0)
        return luaL_error(lua, "muldiv wants a >= 0, b >= 0, c > 0");
    if (!integers_muldiv(a, b, c, rounding, &result))
        return luaL_error(lua, "the result does not fit into 64 bits");
    lua_pushinteger(lua, result);
    return 1;
}

static int lua_add(lua_State *lua)
{
    int64_t result;
    if (__builtin_add_overflow(argument(lua, 1), argument(lua, 2), &result))
        return luaL_error(lua, "the result does not fit into 64 bits");
    lua_pushinteger(lua, result);
    return 1;
}

static int lua_sub(lua_State *lua)
{
    int64_t result;
    if (__builtin_sub_overflow(argument(lua, 1), argument(lua, 2), &result))
        return luaL_error(lua, "the result does not fit into 64 bits");
    lua_pushinteger(lua, result);
    return 1;
}

static int lua_min(lua_State *lua)
{
    int64_t a = argument(lua, 1);
    int64_t b = argument(lua, 2);
    lua_pushinteger(lua, a < b ? a : b);
    return 1;
}

static int lua_max(lua_State *lua)
{
    int64_t a = argument(lua, 1);
    int64_t b = argument(lua, 2);
    lua_pushinteger(lua, a > b ? a : b);
    return 1;
}

void integers_open(lua_State *lua)
{
    static const luaL_Reg functions[] = {{"muldiv", lua_muldiv}, {"add", lua_add}, {"sub", lua_sub},
                                         {"min", lua_min},       {"max", lua_max}, {NULL, NULL}};
    luaL_setfuncs(lua, functions, 0);
}
