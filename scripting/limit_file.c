#include "scripting/limit_file.h"

#include <lua.h>
#include <stdarg.h>
#include <stdio.h>

#include "scripting/fee_file.h"
#include "scripting/locate.h"
#include "scripting/sandbox.h"
#include "scripting/vocabulary.h"

#define AMOUNT_MAX INT64_C(9007199254740991) /* 2^53-1: the largest a client may name */
#define COUNT_MAX 1000000
#define WINDOW_TEXT_MAX 8

/* One file on its way to a rule. Everything that touches Lua runs inside one protected call. */
struct compile {
    lua_State *lua;
    const char *file;
    struct slice source;
    struct limit_rule *rule;
    struct bundle_report *report;
    bool wrong;
    char code[4]; /* the rule's currency */
    int tier;     /* the one being read, or -1 */
    int window;   /* of its rolling ones, from 1; 0: none */
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
    if (c->window > 0)
        snprintf(path, sizeof path, "rolling.%d.%.60s", c->window, key);
    else if (c->tier >= 0)
        snprintf(path, sizeof path, "tiers.%d.%.60s", c->tier + 1, key);
    else
        snprintf(path, sizeof path, "%.60s", key);
    locate_path(c->source, path, &line, &column);
    if (c->tier >= 0)
        bundle_report_add(c->report, c->file, line, column, "tier %d: %s", c->tier, message);
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
    for (lua_pushnil(c->lua); lua_next(c->lua, table) != 0; lua_pop(c->lua, 1)) {
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

/* An integer from 1, or the same number as before when it's absent. */
static void read_count(struct compile *c, int table, const char *key, int64_t most, int64_t *out)
{
    int type = raw_field(c->lua, table, key);
    bool good = lua_isinteger(c->lua, -1) && lua_tointeger(c->lua, -1) >= 1 &&
                lua_tointeger(c->lua, -1) <= most;
    if (good)
        *out = lua_tointeger(c->lua, -1);
    else if (type != LUA_TNIL)
        find_fault(c, key, "%s must be an integer from 1 to %lld", key, (long long)most);
    lua_pop(c->lua, 1);
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

/* Only what says something becomes a cap. */
static void add_cap(struct compile *c, const struct limit_cap *cap)
{
    size_t *count = &c->rule->counts[c->tier];
    if (cap->sum == LIMIT_NONE && cap->count == LIMIT_NONE)
        return;
    if (*count == LIMIT_CAPS_MAX) {
        find_fault(c, "rolling", "more than %d limits", LIMIT_CAPS_MAX);
        return;
    }
    c->rule->caps[c->tier][(*count)++] = *cap;
}

static struct limit_cap new_cap(const struct compile *c, enum limit_period period, const char *code)
{
    struct limit_cap cap = {.rule = c->rule->name,
                            .period = period,
                            .classes = c->rule->classes,
                            .sum = LIMIT_NONE,
                            .count = LIMIT_NONE};
    snprintf(cap.code, sizeof cap.code, "%s", code);
    return cap;
}

/* "90s", "10m", "24h": at most a day. 0: none of these. */
static int32_t parse_window(const char *text)
{
    int64_t seconds = 0;
    const char *at = text;
    while (*at >= '0' && *at <= '9' && seconds <= LIMIT_WINDOW_MAX)
        seconds = seconds * 10 + (*at++ - '0');
    if (at == text || at[0] == '\0' || at[1] != '\0')
        return 0;
    if (*at == 'm' || *at == 'h')
        seconds *= *at == 'm' ? 60 : 3600;
    else if (*at != 's')
        return 0;
    return seconds <= LIMIT_WINDOW_MAX ? (int32_t)seconds : 0;
}

/* The table on top of the stack. */
static void read_window(struct compile *c)
{
    static const char *const known[] = {"window", "sum", "count", NULL};
    char text[WINDOW_TEXT_MAX + 1] = "";
    char code[8 + sizeof text];
    if (lua_type(c->lua, -1) != LUA_TTABLE) {
        find_fault(c, "", "a rolling limit is a table: { window = \"10m\", count = 5 }");
        return;
    }
    check_keys(c, -1, known);
    bool given = read_text(c, -1, "window", WINDOW_TEXT_MAX, text);
    snprintf(code, sizeof code, "rolling_%s", text);
    struct limit_cap cap = new_cap(c, LIMIT_ROLLING, code);
    cap.window = parse_window(text);
    if (given && cap.window == 0)
        find_fault(c, "window", "window must be like \"90s\", \"10m\" or \"24h\", a day at most");
    read_amount(c, -1, "sum", &cap.sum);
    read_count(c, -1, "count", LIMIT_MOVES_MAX, &cap.count);
    if (cap.sum == LIMIT_NONE && cap.count == LIMIT_NONE)
        find_fault(c, "", "a rolling limit needs a sum, a count, or both");
    if (cap.count == LIMIT_NONE)
        cap.count = LIMIT_MOVES_MAX;
    add_cap(c, &cap);
}

static void read_rolling(struct compile *c, int table)
{
    int type = raw_field(c->lua, table, "rolling");
    lua_Integer count = type == LUA_TTABLE ? (lua_Integer)lua_rawlen(c->lua, -1) : 0;
    if (type != LUA_TNIL && (type != LUA_TTABLE || count < 1 || count > LIMIT_CAPS_MAX))
        find_fault(c, "rolling", "rolling must be a list: { { window = \"10m\", count = 5 } }");
    for (lua_Integer i = 1; i <= count && i <= LIMIT_CAPS_MAX; i++) {
        c->window = (int)i;
        lua_rawgeti(c->lua, -1, i);
        read_window(c);
        lua_pop(c->lua, 1);
    }
    c->window = 0;
    lua_pop(c->lua, 1);
}

static void read_plain(struct compile *c, enum limit_period period, const char *key,
                       const char *count_key)
{
    struct limit_cap cap = new_cap(c, period, key);
    read_amount(c, -1, key, &cap.sum);
    if (count_key != NULL)
        read_count(c, -1, count_key, COUNT_MAX, &cap.count);
    add_cap(c, &cap);
}

/* The value on top of the stack. */
static void read_tier(struct compile *c)
{
    static const char *const known[] = {"single",       "daily",   "daily_count",   "weekly",
                                        "weekly_count", "monthly", "monthly_count", "balance",
                                        "rolling",      NULL};
    if (lua_type(c->lua, -1) != LUA_TTABLE) {
        find_fault(c, "",
                   "every tier has a table: [%d] = { daily = %s \"1000.00\" }; {} is no limit",
                   c->tier, c->code);
        return;
    }
    check_keys(c, -1, known);
    read_plain(c, LIMIT_SINGLE, "single", NULL);
    read_plain(c, LIMIT_DAY, "daily", "daily_count");
    read_plain(c, LIMIT_WEEK, "weekly", "weekly_count");
    read_plain(c, LIMIT_MONTH, "monthly", "monthly_count");
    read_rolling(c, -1);
    read_plain(c, LIMIT_BALANCE, "balance", NULL);
}

static bool is_tier(lua_State *lua, int at)
{
    return lua_isinteger(lua, at) && lua_tointeger(lua, at) >= 0 &&
           lua_tointeger(lua, at) < LIMIT_RULE_TIERS;
}

static void read_tiers(struct compile *c, int table)
{
    if (raw_field(c->lua, table, "tiers") != LUA_TTABLE) {
        find_fault(c, "tiers", "tiers must be a table: { [0] = { daily = ... }, ... }");
        lua_pop(c->lua, 1);
        return;
    }
    for (lua_pushnil(c->lua); lua_next(c->lua, -2) != 0; lua_pop(c->lua, 1))
        if (!is_tier(c->lua, -2))
            find_fault(c, "tiers", "tiers are [0], [1], [2] and [3]");
    for (c->tier = 0; c->tier < LIMIT_RULE_TIERS; c->tier++) {
        lua_rawgeti(c->lua, -1, c->tier);
        read_tier(c);
        lua_pop(c->lua, 1);
    }
    c->tier = -1;
    lua_pop(c->lua, 1);
}

static unsigned class_bit(const char *kind)
{
    static const char *const names[LIMIT_CLASSES] = {
        [LIMIT_TRANSFER] = "transfer", [LIMIT_WITHDRAWAL] = "withdrawal", [LIMIT_HOLD] = "hold"};
    for (unsigned i = 0; i < LIMIT_CLASSES; i++)
        if (kind != NULL && strcmp(kind, names[i]) == 0)
            return 1U << i;
    return 0;
}

static void read_kinds(struct compile *c, int table)
{
    int type = raw_field(c->lua, table, "kinds");
    lua_Integer count = type == LUA_TTABLE ? (lua_Integer)lua_rawlen(c->lua, -1) : 0;
    c->rule->classes = type == LUA_TNIL ? LIMIT_ALL : 0;
    for (lua_Integer i = 1; i <= count && i <= LIMIT_CLASSES; i++) {
        lua_rawgeti(c->lua, -1, i);
        unsigned bit =
            class_bit(lua_type(c->lua, -1) == LUA_TSTRING ? lua_tostring(c->lua, -1) : NULL);
        c->rule->classes |= bit;
        if (bit == 0)
            find_fault(c, "kinds", "kinds are \"transfer\", \"withdrawal\" and \"hold\"");
        lua_pop(c->lua, 1);
    }
    if (type != LUA_TNIL && (count < 1 || count > LIMIT_CLASSES))
        find_fault(c, "kinds", "kinds must be a list like { \"transfer\", \"hold\" }");
    lua_pop(c->lua, 1);
}

static void read_rule(struct compile *c, int table)
{
    static const char *const known[] = {"id",    "version", "owner", "currency",
                                        "kinds", "tiers",   NULL};
    char id[48] = "";
    char owner[64];
    int64_t version = 0;
    check_keys(c, table, known);
    if (read_text(c, table, "id", sizeof id - 1, id) &&
        id[strspn(id, "abcdefghijklmnopqrstuvwxyz0123456789._-")] != '\0')
        find_fault(c, "id", "id is made of a-z, 0-9, '.', '_' and '-'");
    read_count(c, table, "version", 999999, &version);
    if (version == 0)
        find_fault(c, "version", "version must be an integer from 1 to 999999");
    read_text(c, table, "owner", sizeof owner - 1, owner);
    snprintf(c->rule->name, sizeof c->rule->name, "%s@%lld", id, (long long)version);
    if (read_text(c, table, "currency", 3, c->code))
        c->rule->currency = currency_parse(slice_of(c->code));
    if (c->rule->currency == 0)
        find_fault(c, "currency", "currency must be an ISO 4217 code like \"ZAR\"");
    read_kinds(c, table);
    read_tiers(c, table);
}

/* Lua's stack: the chunk, a light userdata with the struct compile. */
static int compile_protected(lua_State *lua)
{
    struct compile *c = lua_touserdata(lua, 2);
    c->lua = lua;
    lua_settop(lua, 1);
    vocabulary_open(lua);
    lua_call(lua, 0, 1);
    if (vocabulary_is_limit(lua, -1))
        read_rule(c, 1);
    else
        find_fault(c, "", "the file must end in: return limit { ... }");
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
                      "rules count in whole numbers: no '/', '^' or fractions; amounts are texts");
}

bool limit_file_compile(const char *file, struct slice source, struct limit_rule *rule,
                        struct bundle_report *report)
{
    struct compile c = {.file = file, .source = source, .rule = rule, .report = report, .tier = -1};
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
