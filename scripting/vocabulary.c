#include "scripting/vocabulary.h"

#include <lauxlib.h>
#include <lua.h>
#include <stdio.h>

#include "scripting/locate.h"

#define LAST_FEE "moolah.fee"
#define LAST_LIMIT "moolah.limit"
#define LAST_PRODUCT "moolah.product"
#define DECIMAL_MAX \
    40 /* characters: 64 bits, their point, and zeros that somebody likes in front */

bool vocabulary_decimal(struct slice text, int digits, int64_t *out)
{
    int64_t value = 0;
    int decimals = -1; /* none yet */
    if (text.length == 0 || text.length > DECIMAL_MAX || text.at[0] == '.' ||
        text.at[text.length - 1] == '.')
        return false;
    for (size_t i = 0; i < text.length; i++) {
        char c = text.at[i];
        if (c == '.' && decimals < 0) {
            decimals = 0;
            continue;
        }
        if (c < '0' || c > '9' || decimals == digits)
            return false;
        decimals += decimals >= 0;
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, c - '0', &value))
            return false;
    }
    for (int i = decimals < 0 ? 0 : decimals; i < digits; i++)
        if (__builtin_mul_overflow(value, 10, &value))
            return false;
    *out = value;
    return true;
}

static struct slice text_argument(lua_State *lua, const char *word)
{
    size_t length = 0;
    if (lua_type(lua, 1) != LUA_TSTRING)
        luaL_error(lua, "%s wants its number as a text: %s \"1.00\"", word, word);
    const char *text = lua_tolstring(lua, 1, &length);
    return (struct slice){text, length};
}

static int make_amount(lua_State *lua)
{
    const char *code = lua_tostring(lua, lua_upvalueindex(1));
    struct slice text = text_argument(lua, code);
    int digits = currency_digits(currency_parse(slice_of(code)));
    int64_t amount;
    if (!vocabulary_decimal(text, digits, &amount))
        return luaL_error(lua, "%s \"%s\" is no amount: digits with at most %d decimals", code,
                          text.at, digits);
    lua_createtable(lua, 0, 2);
    lua_pushinteger(lua, amount);
    lua_setfield(lua, -2, "amount");
    lua_pushvalue(lua, lua_upvalueindex(1));
    lua_setfield(lua, -2, "code");
    return 1;
}

static int make_rate(lua_State *lua)
{
    struct slice text = text_argument(lua, "pct");
    int64_t ppm;
    if (!vocabulary_decimal(text, 4, &ppm) || ppm > 1000000)
        return luaL_error(lua, "pct \"%s\" is no rate: 0 to 100 with at most 4 decimals", text.at);
    lua_createtable(lua, 0, 1);
    lua_pushinteger(lua, ppm);
    lua_setfield(lua, -2, "ppm");
    return 1;
}

/* What a file returns must be what it made last. */
static int keep_table(lua_State *lua, const char *word, const char *place)
{
    if (lua_type(lua, 1) != LUA_TTABLE)
        return luaL_error(lua, "%s wants a table: %s { id = ..., ... }", word, word);
    lua_settop(lua, 1);
    lua_pushvalue(lua, 1);
    lua_setfield(lua, LUA_REGISTRYINDEX, place);
    return 1;
}

static int make_fee(lua_State *lua)
{
    return keep_table(lua, "fee", LAST_FEE);
}

static int make_limit(lua_State *lua)
{
    return keep_table(lua, "limit", LAST_LIMIT);
}

static int make_product(lua_State *lua)
{
    return keep_table(lua, "product", LAST_PRODUCT);
}

/* What a word that there isn't may have been meant to be: *near, or "". */
static void guess(const char *name, size_t length, char near[16])
{
    static const char *const words[] = {
        "fee", "limit",  "product", "pct",    "muldiv", "add",      "sub",  "min",
        "max", "assert", "error",   "ipairs", "select", "tostring", "type", NULL};
    char code[4] = "";
    for (size_t i = 0; length == 3 && i < 3; i++)
        code[i] = (char)(name[i] >= 'a' && name[i] <= 'z' ? name[i] - 'a' + 'A' : name[i]);
    const char *word = currency_parse(slice_of(code)) != 0 ? code : locate_similar(name, words);
    snprintf(near, 16, "%s", word == NULL ? "" : word);
}

/* An unknown global: a currency, or a mistake. */
static int find_global(lua_State *lua)
{
    char near[16];
    size_t length = 1;
    const char *name = lua_type(lua, 2) == LUA_TSTRING ? lua_tolstring(lua, 2, &length) : "?";
    if (currency_parse((struct slice){name, length}) == 0) {
        guess(name, length, near);
        return luaL_error(lua, "'%s' is not a word of rule files%s%s%s", name,
                          near[0] == '\0' ? "" : "; did you mean '", near,
                          near[0] == '\0' ? "" : "'?");
    }
    lua_pushvalue(lua, 2);
    lua_pushcclosure(lua, make_amount, 1);
    return 1;
}

static int refuse_global(lua_State *lua)
{
    return luaL_error(lua, "rules keep no state: make '%s' local",
                      lua_type(lua, 2) == LUA_TSTRING ? lua_tostring(lua, 2) : "it");
}

void vocabulary_open(struct lua_State *lua)
{
    lua_pushglobaltable(lua);
    lua_pushcfunction(lua, make_fee);
    lua_setfield(lua, -2, "fee");
    lua_pushcfunction(lua, make_limit);
    lua_setfield(lua, -2, "limit");
    lua_pushcfunction(lua, make_product);
    lua_setfield(lua, -2, "product");
    lua_pushcfunction(lua, make_rate);
    lua_setfield(lua, -2, "pct");
    lua_createtable(lua, 0, 2);
    lua_pushcfunction(lua, find_global);
    lua_setfield(lua, -2, "__index");
    lua_pushcfunction(lua, refuse_global);
    lua_setfield(lua, -2, "__newindex");
    lua_setmetatable(lua, -2);
    lua_pop(lua, 1);
}

void vocabulary_forget(struct lua_State *lua)
{
    static const char *const words[] = {"fee", "limit", "product"};
    static const char *const places[] = {LAST_FEE, LAST_LIMIT, LAST_PRODUCT};
    lua_pushglobaltable(lua);
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        lua_pushnil(lua);
        lua_setfield(lua, LUA_REGISTRYINDEX, places[i]);
        lua_pushstring(lua, words[i]);
        lua_pushnil(lua);
        lua_rawset(lua, -3);
    }
    lua_pop(lua, 1);
}

static bool is_kept(lua_State *lua, int at, const char *place)
{
    at = lua_absindex(lua, at);
    lua_getfield(lua, LUA_REGISTRYINDEX, place);
    bool is = lua_type(lua, at) == LUA_TTABLE && lua_rawequal(lua, at, -1) == 1;
    lua_pop(lua, 1);
    return is;
}

bool vocabulary_is_fee(struct lua_State *lua, int at)
{
    return is_kept(lua, at, LAST_FEE);
}

bool vocabulary_is_limit(struct lua_State *lua, int at)
{
    return is_kept(lua, at, LAST_LIMIT);
}

bool vocabulary_is_product(struct lua_State *lua, int at)
{
    return is_kept(lua, at, LAST_PRODUCT);
}
