#include "scripting/sandbox.h"

#include <assert.h>
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdint.h>
#include <stdio.h>

#include "base/memory.h"
#include "scripting/integers.h"

#define HOOK_EVERY 100

struct sandbox {
    lua_State *lua;
    size_t used;
    int budget; /* instructions left */
};

static void *allocate(void *user, void *old, size_t old_size, size_t size)
{
    struct sandbox *sandbox = user;
    size_t before = old == NULL ? 0 : old_size; /* without `old`, old_size is a type */
    if (size == 0) {
        sandbox->used -= before;
        memory_free(old);
        return NULL;
    }
    if (size > before && sandbox->used + (size - before) > SANDBOX_MEMORY_MAX)
        return NULL;
    void *block = memory_resize(old, size);
    if (block != NULL)
        sandbox->used = sandbox->used - before + size;
    return block;
}

static struct sandbox *sandbox_of(lua_State *lua)
{
    return *(struct sandbox **)lua_getextraspace(lua);
}

/* Once the budget is spent, every further instruction raises again: nothing that catches one error
 * gets away. */
static void count(lua_State *lua, lua_Debug *record)
{
    struct sandbox *sandbox = sandbox_of(lua);
    (void)record;
    sandbox->budget -= HOOK_EVERY;
    if (sandbox->budget > 0)
        return;
    lua_sethook(lua, count, LUA_MASKCOUNT, 1);
    luaL_error(lua, "the rule used up its instruction budget");
}

void sandbox_budget(struct sandbox *sandbox, int instructions)
{
    sandbox->budget = instructions;
    lua_sethook(sandbox->lua, count, LUA_MASKCOUNT, HOOK_EVERY);
}

/* What a rule may call: nothing here loops over more than it was given, and nothing allocates more
 * than a message. */
static void open_allowed(lua_State *lua)
{
    static const char *const allowed[] = {"assert", "error",    "ipairs",
                                          "select", "tostring", "type"};
    luaL_requiref(lua, "_G", luaopen_base, 1);
    lua_newtable(lua); /* the globals that rules see */
    for (size_t i = 0; i < sizeof allowed / sizeof allowed[0]; i++) {
        lua_getfield(lua, -2, allowed[i]);
        assert(lua_isfunction(lua, -1));
        lua_setfield(lua, -2, allowed[i]);
    }
    integers_open(lua);
    lua_pushvalue(lua, -1);
    lua_rawseti(lua, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
    lua_settop(lua, 0);
    /* strings have no methods: ("x"):rep(huge) would find string.rep through their metatable */
    lua_pushliteral(lua, "");
    lua_pushnil(lua);
    lua_setmetatable(lua, -2);
    lua_settop(lua, 0);
    lua_pushnil(lua);
    lua_setfield(lua, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
}

static int build(lua_State *lua)
{
    open_allowed(lua);
    return 0;
}

struct sandbox *sandbox_new(void)
{
    struct sandbox *sandbox = memory_alloc(sizeof *sandbox);
    char message[SANDBOX_MESSAGE_MAX];
    if (sandbox == NULL)
        return NULL;
    sandbox->lua = lua_newstate(allocate, sandbox);
    if (sandbox->lua == NULL) {
        memory_free(sandbox);
        return NULL;
    }
    *(struct sandbox **)lua_getextraspace(sandbox->lua) = sandbox;
    sandbox->budget = INT32_MAX;
    lua_pushcfunction(sandbox->lua, build);
    if (!sandbox_call(sandbox, 0, 0, message)) {
        sandbox_free(sandbox);
        return NULL;
    }
    return sandbox;
}

void sandbox_free(struct sandbox *sandbox)
{
    if (sandbox == NULL)
        return;
    lua_close(sandbox->lua);
    memory_free(sandbox);
}

struct lua_State *sandbox_lua(const struct sandbox *sandbox)
{
    return sandbox->lua;
}

size_t sandbox_memory(const struct sandbox *sandbox)
{
    return sandbox->used;
}

static void take_message(lua_State *lua, char message[SANDBOX_MESSAGE_MAX])
{
    const char *text = lua_type(lua, -1) == LUA_TSTRING ? lua_tostring(lua, -1) : NULL;
    snprintf(message, SANDBOX_MESSAGE_MAX, "%s", text == NULL ? "error object is no string" : text);
    lua_pop(lua, 1);
}

bool sandbox_load(struct sandbox *sandbox, const char *name, struct slice source,
                  char message[SANDBOX_MESSAGE_MAX])
{
    char chunk[128];
    snprintf(chunk, sizeof chunk, "=%s", name);
    if (luaL_loadbufferx(sandbox->lua, source.at, source.length, chunk, "t") == LUA_OK)
        return true;
    take_message(sandbox->lua, message);
    return false;
}

bool sandbox_call(struct sandbox *sandbox, int arguments, int results,
                  char message[SANDBOX_MESSAGE_MAX])
{
    if (lua_pcall(sandbox->lua, arguments, results, 0) == LUA_OK)
        return true;
    take_message(sandbox->lua, message);
    return false;
}
