#include "scripting/sandbox.h"

#include <assert.h>
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/memory.h"
#include "scripting/integers.h"

#define HOOK_EVERY 100

struct sandbox {
    lua_State *lua;
    size_t used;
    int budget;           /* instructions left */
    int64_t cpu_deadline; /* of this thread's CPU clock, us; 0: from the next look on */
    size_t most;
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
    if (size > before && sandbox->used + (size - before) > sandbox->most)
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

static void count(lua_State *lua, lua_Debug *record);

/* From now on every instruction raises: nothing that catches one error gets away. */
static void stop(lua_State *lua, const char *why)
{
    lua_sethook(lua, count, LUA_MASKCOUNT, 1);
    luaL_where(lua, 0);
    lua_pushstring(lua, why);
    lua_concat(lua, 2);
    lua_error(lua);
}

static void count(lua_State *lua, lua_Debug *record)
{
    struct sandbox *sandbox = sandbox_of(lua);
    (void)record;
    sandbox->budget -= sandbox->budget > 0 ? HOOK_EVERY : 0;
    if (sandbox->budget <= 0)
        stop(lua, "the rule used up its instruction budget");
    int64_t now = sandbox_cpu_us();
    if (sandbox->cpu_deadline == 0)
        sandbox->cpu_deadline = now + SANDBOX_CPU_MAX_US;
    if (now >= sandbox->cpu_deadline)
        stop(lua, "the rule used up its time");
}

int64_t sandbox_cpu_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

void sandbox_budget(struct sandbox *sandbox, int instructions)
{
    sandbox->budget = instructions;
    sandbox->cpu_deadline = sandbox_cpu_us() + SANDBOX_CPU_MAX_US;
    lua_sethook(sandbox->lua, count, LUA_MASKCOUNT, HOOK_EVERY);
}

void sandbox_rebudget(struct sandbox *sandbox, int instructions)
{
    sandbox->budget = instructions;
    sandbox->cpu_deadline = 0;
    lua_sethook(sandbox->lua, count, LUA_MASKCOUNT, HOOK_EVERY);
}

void sandbox_cap(struct sandbox *sandbox, size_t most)
{
    sandbox->most = most;
}

/* Lua's own tostring shows where a table lies: another answer in every process. */
static int to_text(lua_State *lua)
{
    switch (lua_type(lua, 1)) {
    case LUA_TNIL:
        lua_pushliteral(lua, "nil");
        return 1;
    case LUA_TBOOLEAN:
        lua_pushstring(lua, lua_toboolean(lua, 1) ? "true" : "false");
        return 1;
    case LUA_TNUMBER:
    case LUA_TSTRING:
        lua_settop(lua, 1);
        lua_tolstring(lua, 1, NULL);
        return 1;
    default:
        return luaL_error(lua, "a %s has no text", luaL_typename(lua, 1));
    }
}

/* What a rule may call: nothing here loops over more than it was given, and nothing allocates more
 * than a message. */
static void open_allowed(lua_State *lua)
{
    static const char *const allowed[] = {"assert", "error", "ipairs", "select", "type"};
    luaL_requiref(lua, "_G", luaopen_base, 1);
    lua_newtable(lua); /* the globals that rules see */
    for (size_t i = 0; i < sizeof allowed / sizeof allowed[0]; i++) {
        lua_getfield(lua, -2, allowed[i]);
        assert(lua_isfunction(lua, -1));
        lua_setfield(lua, -2, allowed[i]);
    }
    lua_pushcfunction(lua, to_text);
    lua_setfield(lua, -2, "tostring");
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
    struct sandbox_fault fault;
    if (sandbox == NULL)
        return NULL;
    sandbox->used = 0;
    sandbox->most = SANDBOX_MEMORY_MAX;
    sandbox->lua = lua_newstate(allocate, sandbox);
    if (sandbox->lua == NULL) {
        memory_free(sandbox);
        return NULL;
    }
    *(struct sandbox **)lua_getextraspace(sandbox->lua) = sandbox;
    sandbox->budget = INT32_MAX;
    lua_pushcfunction(sandbox->lua, build);
    if (!sandbox_call(sandbox, 0, 0, &fault)) {
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

/* Lua says "@:LINE: what": a chunk has a short name, because Lua cuts long ones. */
static bool take_fault(lua_State *lua, struct sandbox_fault *fault)
{
    const char *text = lua_type(lua, -1) == LUA_TSTRING ? lua_tostring(lua, -1) : NULL;
    char *end = NULL;
    fault->line = 0;
    if (text == NULL)
        text = "error object is no string";
    else if (strncmp(text, "@:", 2) == 0)
        fault->line = (int)strtol(text + 2, &end, 10);
    if (end != NULL)
        text = strncmp(end, ": ", 2) == 0 ? end + 2 : end;
    snprintf(fault->message, sizeof fault->message, "%s", text);
    lua_pop(lua, 1);
    return false;
}

bool sandbox_load(struct sandbox *sandbox, struct slice source, struct sandbox_fault *fault)
{
    return luaL_loadbufferx(sandbox->lua, source.at, source.length, "=@", "t") == LUA_OK ||
           take_fault(sandbox->lua, fault);
}

bool sandbox_call(struct sandbox *sandbox, int arguments, int results, struct sandbox_fault *fault)
{
    return lua_pcall(sandbox->lua, arguments, results, 0) == LUA_OK ||
           take_fault(sandbox->lua, fault);
}
