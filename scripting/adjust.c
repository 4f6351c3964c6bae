#include "scripting/adjust.h"

#include <assert.h>
#include <lauxlib.h>
#include <lua.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/memory.h"
#include "ledger/money.h"
#include "scripting/integers.h"
#include "scripting/sandbox.h"
#include "scripting/vocabulary.h"

#define MARKED "moolah.adjust"
#define REASON_MAX 150

enum { RUN = 1, CELLS = 2 }; /* what always lies on the stack */

struct adjust {
    struct sandbox *sandbox;
    int cells; /* upvalues of all that can be reached: {function, index, value, ...} */
};

/* One call on its way. */
struct call {
    const struct fee_rule *rule;
    const struct fee_facts *facts;
    int64_t *lines;
    bool set[FEE_LINES_MAX];
    int64_t to[FEE_LINES_MAX];
    bool denied;
    char reason[REASON_MAX + 1];
};

static const char deny_key; /* its address: no rule can make one */

void adjust_mark(lua_State *lua)
{
    lua_setfield(lua, LUA_REGISTRYINDEX, MARKED);
}

/* ---- freezing: every table that can be reached becomes an empty one that shows another, which
 * nobody can reach; every upvalue is noted. */

enum { SEEN = 1, QUEUE, NOTED }; /* on the stack while freezing */

/* Queue the value on top, unless it can't change or is known. Popped. */
static void reach(lua_State *lua)
{
    int type = lua_type(lua, -1);
    if (type == LUA_TTABLE || (type == LUA_TFUNCTION && !lua_iscfunction(lua, -1))) {
        lua_pushvalue(lua, -1);
        if (lua_rawget(lua, SEEN) == LUA_TNIL) {
            lua_pushvalue(lua, -2);
            lua_pushboolean(lua, 1);
            lua_rawset(lua, SEEN);
            lua_pushvalue(lua, -2);
            lua_rawseti(lua, QUEUE, (lua_Integer)lua_rawlen(lua, QUEUE) + 1);
        }
        lua_pop(lua, 1);
    }
    lua_pop(lua, 1);
}

static int refuse_change(lua_State *lua)
{
    return luaL_error(lua, "rules keep no state: adjust can't change a table that it was given");
}

static int length_of(lua_State *lua)
{
    lua_pushinteger(lua, (lua_Integer)lua_rawlen(lua, lua_upvalueindex(1)));
    return 1;
}

/* The table on top: all it holds goes into a new one, which is left on top of it. */
static void move_out(lua_State *lua)
{
    int table = lua_gettop(lua);
    lua_newtable(lua);
    for (lua_pushnil(lua); lua_next(lua, table) != 0;) {
        lua_pushvalue(lua, -2);
        reach(lua);
        lua_pushvalue(lua, -1);
        reach(lua);
        lua_pushvalue(lua, -2);
        lua_insert(lua, -2);
        lua_rawset(lua, table + 1); /* the key stays, for lua_next */
    }
    for (lua_pushnil(lua); lua_next(lua, table + 1) != 0;) {
        lua_pop(lua, 1);
        lua_pushvalue(lua, -1);
        lua_pushnil(lua);
        lua_rawset(lua, table);
    }
}

/* The table on top. The globals' own table shows what it showed: words that aren't in it. */
static void freeze_table(lua_State *lua)
{
    move_out(lua);
    lua_createtable(lua, 0, 3);
    if (lua_getmetatable(lua, -3) != 0) { /* only the globals have one */
        lua_createtable(lua, 0, 1);
        lua_getfield(lua, -2, "__index");
        lua_setfield(lua, -2, "__index");
        lua_setmetatable(lua, -4);
        lua_pop(lua, 1);
    }
    lua_pushvalue(lua, -2);
    lua_setfield(lua, -2, "__index");
    lua_pushcfunction(lua, refuse_change);
    lua_setfield(lua, -2, "__newindex");
    lua_pushvalue(lua, -2);
    lua_pushcclosure(lua, length_of, 1);
    lua_setfield(lua, -2, "__len");
    lua_setmetatable(lua, -3);
    lua_pop(lua, 1);
}

/* The function on top: note its upvalues that no other has, and reach what they hold. */
static void note_upvalues(lua_State *lua)
{
    for (int i = 1; lua_getupvalue(lua, -1, i) != NULL; i++) {
        lua_Integer noted = (lua_Integer)lua_rawlen(lua, NOTED);
        void *cell = lua_upvalueid(lua, -2, i);
        if (lua_rawgetp(lua, SEEN, cell) == LUA_TNIL) {
            lua_pushboolean(lua, 1);
            lua_rawsetp(lua, SEEN, cell);
            lua_pushvalue(lua, -3);
            lua_rawseti(lua, NOTED, noted + 1);
            lua_pushinteger(lua, i);
            lua_rawseti(lua, NOTED, noted + 2);
            lua_pushvalue(lua, -2);
            if (lua_isnil(lua, -1)) { /* a list has no nil: a null pointer stands for it */
                lua_pop(lua, 1);
                lua_pushlightuserdata(lua, NULL);
            }
            lua_rawseti(lua, NOTED, noted + 3);
        }
        lua_pop(lua, 1);
        reach(lua);
    }
}

static int make_denial(lua_State *lua)
{
    size_t length = 0;
    const char *text =
        lua_type(lua, 1) == LUA_TSTRING ? lua_tolstring(lua, 1, &length) : (const char *)"";
    bool good =
        length >= 1 && length <= REASON_MAX && json_write_is_utf8((struct slice){text, length});
    for (size_t i = 0; i < length; i++)
        good = good && (unsigned char)text[i] >= ' ' && text[i] != 0x7f;
    if (!good)
        return luaL_error(lua, "m.deny wants its reason as a text of 1 to %d bytes", REASON_MAX);
    lua_createtable(lua, 0, 1);
    lua_pushvalue(lua, 1);
    lua_rawsetp(lua, -2, &deny_key);
    return 1;
}

static int run(lua_State *lua);

/* The upvalues of run. What tx and q show is all that ever changes. */
#define FUNCTION lua_upvalueindex(1)
#define TX lua_upvalueindex(2)
#define Q lua_upvalueindex(3)
#define M lua_upvalueindex(4)
#define TX_SHOWN lua_upvalueindex(5)
#define Q_SHOWN lua_upvalueindex(6)

/* tx and q of that rule, with all their keys. */
static void push_arguments(lua_State *lua, const struct fee_rule *rule)
{
    static const char *const numbers[] = {"amount", "tier", "own", "at"};
    char code[4];
    currency_text(rule->currency, code);
    lua_newtable(lua);
    lua_pushstring(lua, rule->kind);
    lua_setfield(lua, -2, "kind");
    lua_pushstring(lua, code);
    lua_setfield(lua, -2, "currency");
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        lua_pushinteger(lua, 0);
        lua_setfield(lua, -2, numbers[i]);
    }
    lua_pushvalue(lua, -1);
    reach(lua);
    lua_newtable(lua);
    for (int i = 0; i < rule->line_count; i++) {
        lua_pushinteger(lua, 0);
        lua_setfield(lua, -2, rule->lines[i].code);
    }
    lua_pushinteger(lua, 0);
    lua_setfield(lua, -2, "total");
    lua_pushvalue(lua, -1);
    reach(lua);
}

static void push_shown(lua_State *lua, int table)
{
    lua_getmetatable(lua, table);
    lua_getfield(lua, -1, "__index");
    lua_remove(lua, -2);
}

/* Stack: a light userdata with the rule. Leaves RUN and CELLS. */
static int prepare(lua_State *lua)
{
    const struct fee_rule *rule = lua_touserdata(lua, 1);
    lua_settop(lua, 0);
    lua_newtable(lua);
    lua_newtable(lua);
    lua_newtable(lua);
    lua_pushglobaltable(lua);
    vocabulary_forget(lua);
    reach(lua);
    int function = lua_gettop(lua) + 1;
    lua_getfield(lua, LUA_REGISTRYINDEX, MARKED);
    assert(lua_isfunction(lua, -1));
    lua_pushvalue(lua, -1);
    reach(lua);
    push_arguments(lua, rule);
    lua_newtable(lua); /* m, frozen like the rest */
    integers_open(lua);
    lua_pushcfunction(lua, make_denial);
    lua_setfield(lua, -2, "deny");
    lua_pushvalue(lua, -1);
    reach(lua);
    for (lua_Integer i = 1; lua_rawgeti(lua, QUEUE, i) != LUA_TNIL; i++) {
        if (lua_istable(lua, -1))
            freeze_table(lua);
        else
            note_upvalues(lua);
        lua_pop(lua, 1);
    }
    lua_pop(lua, 1);
    push_shown(lua, function + 1);
    push_shown(lua, function + 2);
    lua_pushcclosure(lua, run, 6);
    lua_pushvalue(lua, NOTED);
    lua_pushnil(lua);
    lua_setfield(lua, LUA_REGISTRYINDEX, MARKED);
    return 2;
}

static struct adjust *refuse_new(struct sandbox *sandbox, struct adjust *adjust)
{
    sandbox_free(sandbox);
    memory_free(adjust);
    return NULL;
}

struct adjust *adjust_new(struct sandbox *sandbox, struct fee_rule *rule,
                          struct sandbox_fault *fault)
{
    struct adjust *adjust = memory_alloc(sizeof *adjust);
    lua_State *lua = sandbox_lua(sandbox);
    *fault = (struct sandbox_fault){0, "out of memory"};
    if (adjust == NULL)
        return refuse_new(sandbox, adjust);
    sandbox_budget(sandbox, INT32_MAX);
    lua_settop(lua, 0);
    lua_pushcfunction(lua, prepare);
    lua_pushlightuserdata(lua, rule);
    if (!sandbox_call(sandbox, 1, 2, fault))
        return refuse_new(sandbox, adjust);
    lua_gc(lua, LUA_GCCOLLECT);
    if (sandbox_memory(sandbox) > ADJUST_KEPT_MAX) {
        snprintf(fault->message, sizeof fault->message,
                 "adjust and the locals that it uses take more than %d KiB",
                 ADJUST_KEPT_MAX / 1024);
        return refuse_new(sandbox, adjust);
    }
    sandbox_cap(sandbox, ADJUST_MEMORY_MAX);
    *adjust = (struct adjust){sandbox, (int)lua_rawlen(lua, CELLS) / 3};
    return adjust;
}

void adjust_free(struct adjust *adjust)
{
    if (adjust == NULL)
        return;
    sandbox_free(adjust->sandbox);
    memory_free(adjust);
}

size_t adjust_memory(const struct adjust *adjust)
{
    return sandbox_memory(adjust->sandbox);
}

/* ---- a call */

/* Refill what tx and q show. Their keys are there: nothing is allocated. */
static void fill_facts(lua_State *lua, const struct fee_facts *facts)
{
    lua_pushinteger(lua, facts->amount);
    lua_setfield(lua, TX_SHOWN, "amount");
    lua_pushinteger(lua, facts->tier);
    lua_setfield(lua, TX_SHOWN, "tier");
    lua_pushboolean(lua, facts->own);
    lua_setfield(lua, TX_SHOWN, "own");
    lua_pushinteger(lua, facts->at);
    lua_setfield(lua, TX_SHOWN, "at");
}

static void fill_lines(lua_State *lua, const struct call *call)
{
    int64_t total = 0;
    for (int i = 0; i < call->rule->line_count; i++) {
        total += call->lines[i];
        lua_pushinteger(lua, call->lines[i]);
        lua_setfield(lua, Q_SHOWN, call->rule->lines[i].code);
    }
    lua_pushinteger(lua, total);
    lua_setfield(lua, Q_SHOWN, "total");
}

/* The amounts in the table on top. In the order of the lines, so that one fault is always the
 * same; whatever else is in it is counted only. */
static void take_amounts(lua_State *lua, struct call *call)
{
    int found = 0;
    int there = 0;
    for (int i = 0; i < call->rule->line_count; i++, lua_pop(lua, 1)) {
        const char *code = call->rule->lines[i].code;
        lua_pushstring(lua, code);
        if (lua_rawget(lua, -2) == LUA_TNIL)
            continue;
        lua_Integer amount = lua_isinteger(lua, -1) ? lua_tointeger(lua, -1) : -1;
        if (amount < 0 || amount > MONEY_MAX)
            luaL_error(lua, "adjust made of line '%s' no whole number of 0 or more", code);
        call->set[i] = true;
        call->to[i] = amount;
        found++;
    }
    for (lua_pushnil(lua); lua_next(lua, -2) != 0; lua_pop(lua, 1))
        there++;
    if (there != found)
        luaL_error(lua, "adjust returned something that is no line's code");
}

static void take_result(lua_State *lua, struct call *call)
{
    size_t length = 0;
    if (lua_isnil(lua, -1))
        return;
    if (!lua_istable(lua, -1))
        luaL_error(lua, "adjust must return nil, a table of amounts, or m.deny \"why\"");
    if (lua_getmetatable(lua, -1) != 0) { /* a table of its file: what it shows */
        lua_pushliteral(lua, "__index");
        lua_rawget(lua, -2);
    }
    if (lua_rawgetp(lua, -1, &deny_key) != LUA_TSTRING) {
        lua_pop(lua, 1);
        take_amounts(lua, call);
        return;
    }
    const char *text = lua_tolstring(lua, -1, &length);
    assert(length <= REASON_MAX);
    memcpy(call->reason, text, length + 1);
    call->denied = true;
}

/* Stack: a light userdata with the call. */
static int run(lua_State *lua)
{
    struct call *call = lua_touserdata(lua, 1);
    fill_facts(lua, call->facts);
    fill_lines(lua, call);
    lua_pushvalue(lua, FUNCTION);
    lua_pushvalue(lua, TX);
    lua_pushvalue(lua, Q);
    lua_pushvalue(lua, M);
    lua_call(lua, 3, 1);
    take_result(lua, call);
    return 0;
}

/* Put every local that the call has changed back. True: there was one. Allocates nothing. */
static bool restore(struct adjust *adjust, struct sandbox_fault *fault)
{
    lua_State *lua = sandbox_lua(adjust->sandbox);
    bool changed = false;
    for (int i = 0; i < adjust->cells; i++, lua_settop(lua, CELLS)) {
        lua_rawgeti(lua, CELLS, 3 * i + 1);
        lua_rawgeti(lua, CELLS, 3 * i + 2);
        int index = (int)lua_tointeger(lua, -1);
        lua_pop(lua, 1);
        const char *name = lua_getupvalue(lua, -1, index);
        lua_rawgeti(lua, CELLS, 3 * i + 3);
        if (lua_islightuserdata(lua, -1)) {
            lua_pop(lua, 1);
            lua_pushnil(lua);
        }
        if (lua_rawequal(lua, -1, -2) != 0)
            continue;
        *fault = (struct sandbox_fault){.line = 0};
        snprintf(fault->message, sizeof fault->message,
                 "rules keep no state: adjust changed the local '%.40s' of its file", name);
        changed = true;
        lua_setupvalue(lua, -3, index);
    }
    return changed;
}

static bool take_lines(const struct call *call)
{
    int64_t lines[FEE_LINES_MAX] = {0};
    bool changed[FEE_LINES_MAX];
    for (int i = 0; i < call->rule->line_count; i++) {
        int of = call->rule->lines[i].of;
        lines[i] = call->set[i] ? call->to[i] : call->lines[i];
        if (!call->set[i] && of >= 0 && changed[of] &&
            !fee_rule_line_amount(call->rule, i, lines[of], &lines[i]))
            return false;
        changed[i] = lines[i] != call->lines[i];
    }
    memcpy(call->lines, lines, (size_t)call->rule->line_count * sizeof lines[0]);
    return true;
}

enum adjust_outcome adjust_lines(const struct fee_rule *rule, const struct fee_facts *facts,
                                 int64_t lines[FEE_LINES_MAX], struct sandbox_fault *fault)
{
    struct adjust *adjust = rule->adjust;
    struct call call = {.rule = rule, .facts = facts, .lines = lines};
    lua_State *lua = sandbox_lua(adjust->sandbox);
    assert(lua_gettop(lua) == CELLS);
    sandbox_rebudget(adjust->sandbox, ADJUST_INSTRUCTIONS);
    lua_pushvalue(lua, RUN);
    lua_pushlightuserdata(lua, &call);
    bool good = sandbox_call(adjust->sandbox, 1, 0, fault);
    if (restore(adjust, fault) || !good)
        return ADJUST_FAILED;
    if (call.denied) {
        snprintf(fault->message, sizeof fault->message, "%s", call.reason);
        return ADJUST_DENIED;
    }
    if (take_lines(&call))
        return ADJUST_DONE;
    *fault = (struct sandbox_fault){0, "a line computed of an adjusted one does not fit"};
    return ADJUST_FAILED;
}
