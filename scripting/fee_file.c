#include "scripting/fee_file.h"

#include <assert.h>
#include <lauxlib.h>
#include <lua.h>
#include <stdarg.h>
#include <stdio.h>

#include "scripting/locate.h"
#include "scripting/sandbox.h"
#include "scripting/vocabulary.h"

#define AMOUNT_MAX INT64_C(9007199254740991) /* 2^53-1: the largest a client may name */

/* One file on its way to a rule. Everything that touches Lua runs inside one protected call. */
struct compile {
    lua_State *lua;
    const char *file;
    struct slice source;
    struct fee_rule *rule;
    struct bundle_report *report;
    bool wrong;        /* something was found; the report may be full */
    char code[4];      /* the rule's currency */
    const char *table; /* the one being read: "", "applies" or "slabs" */
    int slab;          /* the one being read, from 1; 0: none */
};

/* A finding at the place where `key` stands in the table being read. */
static void find_fault(struct compile *c, const char *key, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void find_fault(struct compile *c, const char *key, const char *format, ...)
{
    char message[200];
    char path[100];
    int line;
    int column;
    va_list arguments;
    c->wrong = true;
    if (bundle_report_is_full(c->report))
        return; /* to look for the place takes time */
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    if (c->slab > 0)
        snprintf(path, sizeof path, "slabs.%d.%.60s", c->slab, key);
    else
        snprintf(path, sizeof path, "%s%s%.60s", c->table, c->table[0] == '\0' ? "" : ".", key);
    locate_path(c->source, path, &line, &column);
    if (c->slab > 0)
        bundle_report_add(c->report, c->file, line, column, "slab %d: %s", c->slab, message);
    else
        bundle_report_add(c->report, c->file, line, column, "%s", message);
}

/* Push table[key], raw. */
static int raw_field(lua_State *lua, int table, const char *key)
{
    table = lua_absindex(lua, table);
    lua_pushstring(lua, key);
    return lua_rawget(lua, table);
}

static void check_keys(struct compile *c, int table, const char *const *known)
{
    table = lua_absindex(c->lua, table);
    lua_pushnil(c->lua);
    for (; lua_next(c->lua, table) != 0; lua_pop(c->lua, 1)) {
        if (bundle_report_is_full(c->report)) {
            lua_pop(c->lua, 2);
            return;
        }
        const char *key = lua_type(c->lua, -2) == LUA_TSTRING ? lua_tostring(c->lua, -2) : NULL;
        const char *const *at = known;
        while (key != NULL && *at != NULL && strcmp(*at, key) != 0)
            at++;
        if (key == NULL) {
            find_fault(c, "", "only named keys are known here: key = value");
        } else if (*at == NULL) {
            const char *near = locate_similar(key, known);
            find_fault(c, key, "unknown key '%.40s'%s%s%s", key,
                       near == NULL ? "" : "; did you mean '", near == NULL ? "" : near,
                       near == NULL ? "" : "'?");
        }
    }
}

/* A text of 1..most characters. */
static bool read_text(struct compile *c, int table, const char *key, size_t most, char *out)
{
    size_t length = 0;
    bool good = raw_field(c->lua, table, key) == LUA_TSTRING;
    const char *text = good ? lua_tolstring(c->lua, -1, &length) : NULL;
    good = good && length >= 1 && length <= most && strlen(text) == length;
    if (good)
        memcpy(out, text, length + 1);
    else
        find_fault(c, key, "%s must be a text of 1 to %zu characters", key, most);
    lua_pop(c->lua, 1);
    return good;
}

static bool read_integer(struct compile *c, int table, const char *key, int64_t most, int64_t *out)
{
    raw_field(c->lua, table, key);
    bool good = lua_isinteger(c->lua, -1) && lua_tointeger(c->lua, -1) >= 1 &&
                lua_tointeger(c->lua, -1) <= most;
    if (good)
        *out = lua_tointeger(c->lua, -1);
    else
        find_fault(c, key, "%s must be an integer from 1 to %lld", key, (long long)most);
    lua_pop(c->lua, 1);
    return good;
}

static bool read_bool(struct compile *c, int table, const char *key, bool *present)
{
    int type = raw_field(c->lua, table, key);
    bool value = lua_toboolean(c->lua, -1) != 0;
    *present = type == LUA_TBOOLEAN;
    if (type != LUA_TBOOLEAN && type != LUA_TNIL)
        find_fault(c, key, "%s must be true or false", key);
    lua_pop(c->lua, 1);
    return value;
}

/* An amount in the rule's currency. `*out` stays when it's absent. */
static void read_amount(struct compile *c, int table, const char *key, int64_t *out)
{
    int type = raw_field(c->lua, table, key);
    if (type == LUA_TTABLE) {
        bool amount = raw_field(c->lua, -1, "amount") == LUA_TNUMBER && lua_isinteger(c->lua, -1);
        int64_t value = amount ? lua_tointeger(c->lua, -1) : 0;
        bool code = raw_field(c->lua, -2, "code") == LUA_TSTRING;
        if (!amount || !code || value < 0 || value > AMOUNT_MAX)
            find_fault(c, key, "%s must be an amount: %s \"1.00\"", key, c->code);
        else if (strcmp(lua_tostring(c->lua, -1), c->code) != 0)
            find_fault(c, key, "%s is in %s, the rule in %s", key, lua_tostring(c->lua, -1),
                       c->code);
        else
            *out = value;
        lua_pop(c->lua, 2);
    } else if (type != LUA_TNIL) {
        find_fault(c, key, "%s must be an amount: %s \"1.00\"", key, c->code);
    }
    lua_pop(c->lua, 1);
}

static void read_rate(struct compile *c, int table, int64_t *out)
{
    int type = raw_field(c->lua, table, "rate");
    if (type == LUA_TTABLE) {
        raw_field(c->lua, -1, "ppm");
        if (!lua_isinteger(c->lua, -1))
            find_fault(c, "rate", "rate must be a percentage: pct \"0.90\"");
        else if (lua_tointeger(c->lua, -1) < 0 || lua_tointeger(c->lua, -1) > FEE_RATE_WHOLE)
            find_fault(c, "rate", "rate must be from 0 to 100 percent");
        else
            *out = lua_tointeger(c->lua, -1);
        lua_pop(c->lua, 1);
    } else if (type != LUA_TNIL) {
        find_fault(c, "rate", "rate must be a percentage: pct \"0.90\"");
    }
    lua_pop(c->lua, 1);
}

/* How many members a list has: 1, 2, ... without a gap and nothing else. -1: it's no list, or has
 * more than `most`. */
static int list_length(lua_State *lua, int table, int most)
{
    int count = 0;
    lua_Integer last = 0;
    table = lua_absindex(lua, table);
    if (lua_type(lua, table) != LUA_TTABLE)
        return -1;
    for (lua_pushnil(lua); lua_next(lua, table) != 0; lua_pop(lua, 1)) {
        lua_Integer key = lua_isinteger(lua, -2) ? lua_tointeger(lua, -2) : 0;
        if (key < 1 || key > most) {
            lua_pop(lua, 2);
            return -1;
        }
        count++;
        last = key > last ? key : last;
    }
    return last == count ? count : -1;
}

static void read_tiers(struct compile *c, int table)
{
    c->rule->tiers = 0xf;
    if (raw_field(c->lua, table, "tiers") != LUA_TNIL) {
        int count = list_length(c->lua, -1, 4);
        c->rule->tiers = 0;
        for (int i = 1; i <= count; i++, lua_pop(c->lua, 1)) {
            lua_rawgeti(c->lua, -1, i);
            lua_Integer tier = lua_isinteger(c->lua, -1) ? lua_tointeger(c->lua, -1) : -1;
            if (tier < 0 || tier > 3)
                find_fault(c, "tiers", "tiers are integers from 0 to 3");
            else
                c->rule->tiers |= 1U << tier;
        }
        if (count < 1)
            find_fault(c, "tiers", "tiers must be a list like { 0, 1 }");
    }
    lua_pop(c->lua, 1);
}

static bool has_fees(const char *kind)
{
    static const char *const known[] = {"transfer", "hold", "withdrawal", "purchase"};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strcmp(kind, known[i]) == 0)
            return true;
    return false;
}

static void read_applies(struct compile *c, int table)
{
    static const char *const known[] = {"kind", "currency", "tiers", "own", NULL};
    char kind[16] = "";
    bool own_given;
    if (raw_field(c->lua, table, "applies") != LUA_TTABLE) {
        find_fault(c, "applies",
                   "applies must say what the rule is for: { kind = \"transfer\", "
                   "currency = \"ZAR\" }");
        lua_pop(c->lua, 1);
        return;
    }
    c->table = "applies";
    check_keys(c, -1, known);
    if (read_text(c, -1, "kind", 15, kind) && !has_fees(kind))
        find_fault(c, "kind",
                   "kind '%s' has no fees; known are: transfer, hold, withdrawal, purchase", kind);
    memcpy(c->rule->kind, kind, sizeof kind);
    char code[4] = "";
    bool given = read_text(c, -1, "currency", 3, code);
    c->rule->currency = given ? currency_parse(slice_of(code)) : 0;
    if (given && c->rule->currency == 0)
        find_fault(c, "currency", "currency must be an ISO 4217 code like \"ZAR\"");
    memcpy(c->code, code, sizeof code);
    bool own = read_bool(c, -1, "own", &own_given);
    c->rule->own = !own_given || own;
    c->rule->other = !own_given || !own;
    read_tiers(c, -1);
    c->table = "";
    lua_pop(c->lua, 1);
}

static void check_slab_border(struct compile *c, int i)
{
    const struct fee_slab *slab = &c->rule->slabs[i];
    if (i > 0 && c->rule->slabs[i - 1].upto == INT64_MAX)
        find_fault(c, "upto", "unreachable: the slab before it has no upto, so it covers all");
    else if (i > 0 && slab->upto <= c->rule->slabs[i - 1].upto)
        find_fault(c, "upto", "upto must be above that of the slab before it");
    else if (slab->upto == 0)
        find_fault(c, "upto", "upto must be above zero");
}

static void read_slab(struct compile *c, int i)
{
    static const char *const known[] = {"upto", "flat", "rate", NULL};
    struct fee_slab *slab = &c->rule->slabs[i];
    c->slab = i + 1;
    slab->upto = INT64_MAX;
    slab->flat = -1;
    slab->rate = -1;
    if (lua_type(c->lua, -1) != LUA_TTABLE) {
        find_fault(c, "", "a slab is a table: { upto = ..., flat = ..., rate = ... }");
    } else {
        check_keys(c, -1, known);
        read_amount(c, -1, "upto", &slab->upto);
        read_amount(c, -1, "flat", &slab->flat);
        read_rate(c, -1, &slab->rate);
        if (slab->flat < 0 && slab->rate < 0)
            find_fault(c, "", "needs a flat fee, a rate, or both (flat = %s \"0.00\" is free)",
                       c->code);
    }
    slab->flat = slab->flat < 0 ? 0 : slab->flat;
    slab->rate = slab->rate < 0 ? 0 : slab->rate;
    check_slab_border(c, i);
    c->slab = 0;
}

static void read_slabs(struct compile *c, int table)
{
    int type = raw_field(c->lua, table, "slabs");
    int count = list_length(c->lua, -1, FEE_SLABS_MAX);
    for (int i = 0; i < count; i++, lua_pop(c->lua, 1)) {
        lua_rawgeti(c->lua, -1, i + 1);
        read_slab(c, i);
    }
    lua_pop(c->lua, 1);
    c->rule->slab_count = count;
    if (type != LUA_TTABLE)
        find_fault(c, "slabs",
                   "slabs must be a list: { { upto = ..., flat = ... }, { rate = ... } }");
    else if (count < 1)
        find_fault(c, "slabs", "there must be 1 to %d slabs, and nothing else", FEE_SLABS_MAX);
    else if (c->rule->slabs[count - 1].upto != INT64_MAX)
        find_fault(c, "slabs", "the last slab must have no upto, or larger amounts have no price");
}

static void read_ways(struct compile *c, int table)
{
    char word[16] = "";
    bool given;
    c->rule->graduated = false;
    if (raw_field(c->lua, table, "mode") != LUA_TNIL && read_text(c, table, "mode", 15, word)) {
        c->rule->graduated = strcmp(word, "graduated") == 0;
        if (!c->rule->graduated && strcmp(word, "whole") != 0)
            find_fault(c, "mode", "mode must be \"whole\" or \"graduated\"");
    }
    lua_pop(c->lua, 1);
    if (read_text(c, table, "rounding", 15, word) &&
        !integers_parse_rounding(word, &c->rule->rounding))
        find_fault(c, "rounding", "rounding must be half_up, half_even, down or up");
    c->rule->may_exceed_amount = read_bool(c, table, "may_exceed_amount", &given);
    c->rule->refundable = read_bool(c, table, "refundable", &given);
}

static void read_bounds(struct compile *c, int table)
{
    c->rule->minimum = 0;
    c->rule->cap = INT64_MAX;
    read_amount(c, table, "minimum", &c->rule->minimum);
    read_amount(c, table, "cap", &c->rule->cap);
    if (c->rule->cap < c->rule->minimum)
        find_fault(c, "cap", "cap is below minimum");
}

static void check_largest(struct compile *c)
{
    int64_t fee;
    if (!c->wrong && !fee_rule_amount(c->rule, AMOUNT_MAX, &fee))
        find_fault(c, "slabs", "the fee of the largest amount does not fit into 64 bits");
}

static void read_rule(struct compile *c, int table)
{
    static const char *const known[] = {
        "id",      "version", "owner",    "applies",           "mode",       "slabs",
        "minimum", "cap",     "rounding", "may_exceed_amount", "refundable", NULL};
    char id[48] = "";
    char owner[64];
    int64_t version = 0;
    check_keys(c, table, known);
    if (read_text(c, table, "id", sizeof id - 1, id) &&
        id[strspn(id, "abcdefghijklmnopqrstuvwxyz0123456789._-")] != '\0')
        find_fault(c, "id", "id is made of a-z, 0-9, '.', '_' and '-'");
    read_integer(c, table, "version", 999999, &version);
    read_text(c, table, "owner", sizeof owner - 1, owner);
    snprintf(c->rule->name, sizeof c->rule->name, "%s@%lld", id, (long long)version);
    read_applies(c, table);
    read_slabs(c, table);
    read_ways(c, table);
    read_bounds(c, table);
    check_largest(c);
}

/* Lua's stack: the chunk, a light userdata with the struct compile. */
static int compile_protected(lua_State *lua)
{
    struct compile *c = lua_touserdata(lua, 2);
    c->lua = lua;
    lua_settop(lua, 1);
    vocabulary_open(lua);
    lua_call(lua, 0, 1);
    if (vocabulary_is_fee(lua, -1))
        read_rule(c, 1);
    else
        find_fault(c, "", "the file must end in: return fee { ... }");
    return 0;
}

static void check_exact(struct compile *c)
{
    int line;
    int column;
    if (!locate_inexact(c->source, &line, &column))
        return;
    c->wrong = true;
    bundle_report_add(c->report, c->file, line, column,
                      "rules count in whole numbers: no '/', '^' or fractions; amounts are texts, "
                      "muldiv(a, b, c, rounding) divides");
}

bool fee_file_compile(const char *file, struct slice source, struct fee_rule *rule,
                      struct bundle_report *report)
{
    struct compile c = {NULL, file, source, rule, report, false, "", "", 0};
    struct sandbox_fault fault;
    struct sandbox *sandbox = sandbox_new();
    memset(rule, 0, sizeof *rule);
    snprintf(rule->file, sizeof rule->file, "%s", file);
    if (sandbox == NULL) {
        bundle_report_add(report, file, 0, 0, "out of memory");
        return false;
    }
    lua_State *lua = sandbox_lua(sandbox);
    lua_pushcfunction(lua, compile_protected);
    bool good = sandbox_load(sandbox, source, &fault);
    if (good) {
        sandbox_budget(sandbox, FEE_FILE_INSTRUCTIONS);
        lua_pushlightuserdata(lua, &c);
        good = sandbox_call(sandbox, 2, 0, &fault);
    }
    if (good) {
        check_exact(&c);
    } else {
        c.wrong = true;
        bundle_report_add(report, file, fault.line, fault.line > 0, "%s", fault.message);
    }
    sandbox_free(sandbox);
    return !c.wrong;
}
