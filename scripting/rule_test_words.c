#include "scripting/rule_test_words.h"

#include <lauxlib.h>
#include <lua.h>
#include <stddef.h>

#define LAST_TESTS "moolah.tests"
#define MADE "moolah.made" /* the tables that these words made */
#define ITEMS_MAX 1000

static const char *const words[] = {[RULE_TEST_EXAMPLE] = "example",
                                    [RULE_TEST_PROPERTY] = "property",
                                    [RULE_TEST_SEQUENCE] = "sequence",
                                    [RULE_TEST_SALE] = "sale"};

/* What stands behind the name moves from `from`, at 1, to a list of its own, pushed. */
static void take_items(lua_State *lua)
{
    lua_Integer count = (lua_Integer)lua_rawlen(lua, 1);
    if (count > ITEMS_MAX)
        luaL_error(lua, "more than %d in one test", ITEMS_MAX);
    lua_newtable(lua);
    for (lua_Integer i = 2; i <= count; i++) {
        lua_rawgeti(lua, 1, i);
        lua_rawseti(lua, -2, i - 1);
    }
    for (lua_Integer i = count; i >= 1; i--) {
        lua_pushnil(lua);
        lua_rawseti(lua, 1, i);
    }
}

static int line_of_caller(lua_State *lua)
{
    lua_Debug record;
    return lua_getstack(lua, 1, &record) != 0 && lua_getinfo(lua, "l", &record) != 0
               ? record.currentline
               : 0;
}

static int make(lua_State *lua)
{
    lua_Integer word = lua_tointeger(lua, lua_upvalueindex(1));
    if (lua_type(lua, 1) != LUA_TTABLE || (lua_rawgeti(lua, 1, 1) != LUA_TSTRING))
        return luaL_error(lua, "%s wants a table that begins with its name: %s { \"...\", ... }",
                          words[word], words[word]);
    lua_newtable(lua); /* the stack: from, name, made */
    lua_pushinteger(lua, word);
    lua_setfield(lua, 3, "word");
    lua_pushinteger(lua, line_of_caller(lua));
    lua_setfield(lua, 3, "line");
    lua_pushvalue(lua, 2);
    lua_setfield(lua, 3, "name");
    take_items(lua);
    lua_setfield(lua, 3, "items");
    lua_pushvalue(lua, 1);
    lua_setfield(lua, 3, "from");
    lua_getfield(lua, LUA_REGISTRYINDEX, MADE);
    lua_pushvalue(lua, 3);
    lua_pushboolean(lua, 1);
    lua_rawset(lua, -3);
    lua_settop(lua, 3);
    return 1;
}

static int make_tests(lua_State *lua)
{
    if (lua_type(lua, 1) != LUA_TTABLE)
        return luaL_error(lua, "tests wants a table: tests { example { ... }, ... }");
    lua_settop(lua, 1);
    lua_pushvalue(lua, 1);
    lua_setfield(lua, LUA_REGISTRYINDEX, LAST_TESTS);
    return 1;
}

/* Past the globals' metatable, which lets nobody add one. */
static void set_word(lua_State *lua, const char *name, lua_CFunction function, int upvalues)
{
    lua_pushcclosure(lua, function, upvalues);
    lua_pushstring(lua, name);
    lua_insert(lua, -2);
    lua_rawset(lua, -3);
}

void rule_test_words_open(struct lua_State *lua)
{
    lua_newtable(lua);
    lua_setfield(lua, LUA_REGISTRYINDEX, MADE);
    lua_pushglobaltable(lua);
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        lua_pushinteger(lua, (lua_Integer)i);
        set_word(lua, words[i], make, 1);
    }
    set_word(lua, "tests", make_tests, 0);
    lua_pop(lua, 1);
}

bool rule_test_words_is_tests(struct lua_State *lua, int at)
{
    at = lua_absindex(lua, at);
    lua_getfield(lua, LUA_REGISTRYINDEX, LAST_TESTS);
    bool is = lua_type(lua, at) == LUA_TTABLE && lua_rawequal(lua, at, -1) == 1;
    lua_pop(lua, 1);
    return is;
}

static lua_Integer member(lua_State *lua, int at, const char *key)
{
    lua_pushstring(lua, key);
    lua_rawget(lua, at);
    lua_Integer value = lua_tointeger(lua, -1);
    lua_pop(lua, 1);
    return value;
}

bool rule_test_words_read(struct lua_State *lua, int at, enum rule_test_word *word, int *line)
{
    at = lua_absindex(lua, at);
    lua_getfield(lua, LUA_REGISTRYINDEX, MADE);
    lua_pushvalue(lua, at);
    bool made = lua_rawget(lua, -2) == LUA_TBOOLEAN;
    lua_pop(lua, 2);
    if (!made)
        return false;
    lua_Integer which = member(lua, at, "word");
    *word = which >= RULE_TEST_EXAMPLE && which <= RULE_TEST_SALE ? (enum rule_test_word)which
                                                                  : RULE_TEST_EXAMPLE;
    *line = (int)member(lua, at, "line");
    return true;
}
