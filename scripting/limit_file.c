#include "scripting/limit_file.h"

#include <lua.h>
#include <stdio.h>
#include <string.h>

#include "scripting/locate.h"
#include "scripting/rule_reader.h"
#include "scripting/vocabulary.h"

#define COUNT_MAX 1000000
#define WINDOW_TEXT_MAX 8

static const char *const kinds[LIMIT_CLASSES + 1] = {
    [LIMIT_TRANSFER] = "transfer", [LIMIT_WITHDRAWAL] = "withdrawal", [LIMIT_HOLD] = "hold"};

struct compile {
    struct rule_reader reader; /* first */
    struct limit_rule *rule;
    int tier; /* the one being read */
};

/* An integer from 1, or the same number as before when it's absent. */
static void read_count(struct compile *c, const char *key, int64_t most, int64_t *out)
{
    if (rule_reader_has(&c->reader, -1, key))
        rule_reader_integer(&c->reader, -1, key, most, out);
}

/* Only what says something becomes a cap. */
static void add_cap(struct compile *c, const struct limit_cap *cap)
{
    size_t *count = &c->rule->counts[c->tier];
    if (cap->sum == LIMIT_NONE && cap->count == LIMIT_NONE)
        return;
    if (*count == LIMIT_CAPS_MAX) {
        rule_reader_fault(&c->reader, "rolling", "more than %d limits", LIMIT_CAPS_MAX);
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
    if (lua_type(c->reader.lua, -1) != LUA_TTABLE) {
        rule_reader_fault(&c->reader, "",
                          "a rolling limit is a table: { window = \"10m\", count = 5 }");
        return;
    }
    rule_reader_check_keys(&c->reader, -1, known);
    bool given = rule_reader_text(&c->reader, -1, "window", WINDOW_TEXT_MAX, text);
    snprintf(code, sizeof code, "rolling_%s", text);
    struct limit_cap cap = new_cap(c, LIMIT_ROLLING, code);
    cap.window = parse_window(text);
    if (given && cap.window == 0)
        rule_reader_fault(&c->reader, "window",
                          "window must be like \"90s\", \"10m\" or \"24h\", a day at most");
    rule_reader_amount(&c->reader, -1, "sum", 0, &cap.sum);
    read_count(c, "count", LIMIT_MOVES_MAX, &cap.count);
    if (cap.sum == LIMIT_NONE && cap.count == LIMIT_NONE)
        rule_reader_fault(&c->reader, "", "a rolling limit needs a sum, a count, or both");
    if (cap.count == LIMIT_NONE)
        cap.count = LIMIT_MOVES_MAX;
    add_cap(c, &cap);
}

static void read_rolling(struct compile *c)
{
    struct rule_reader *r = &c->reader;
    const struct rule_place outer = r->place;
    if (rule_reader_push(r, -1, "rolling") != LUA_TNIL) {
        int count = rule_reader_list_length(r, -1, LIMIT_CAPS_MAX);
        if (count < 1)
            rule_reader_fault(r, "rolling",
                              "rolling must be a list: { { window = \"10m\", count = 5 } }");
        for (int i = 1; i <= count; i++, lua_pop(r->lua, 1)) {
            r->place = (struct rule_place){"rolling", i, "tier", c->tier};
            lua_rawgeti(r->lua, -1, i);
            read_window(c);
        }
        r->place = outer;
    }
    lua_pop(r->lua, 1);
}

static void read_plain(struct compile *c, enum limit_period period, const char *key,
                       const char *count_key)
{
    struct limit_cap cap = new_cap(c, period, key);
    rule_reader_amount(&c->reader, -1, key, 0, &cap.sum);
    if (count_key != NULL)
        read_count(c, count_key, COUNT_MAX, &cap.count);
    add_cap(c, &cap);
}

/* The value on top of the stack. */
static void read_tier(struct compile *c)
{
    static const char *const known[] = {"single",       "daily",   "daily_count",   "weekly",
                                        "weekly_count", "monthly", "monthly_count", "balance",
                                        "rolling",      NULL};
    if (lua_type(c->reader.lua, -1) != LUA_TTABLE) {
        rule_reader_fault(
            &c->reader, "",
            "every tier has a table: [%d] = { daily = %s \"1000.00\" }; {} is no limit", c->tier,
            c->reader.code);
        return;
    }
    rule_reader_check_keys(&c->reader, -1, known);
    read_plain(c, LIMIT_SINGLE, "single", NULL);
    read_plain(c, LIMIT_DAY, "daily", "daily_count");
    read_plain(c, LIMIT_WEEK, "weekly", "weekly_count");
    read_plain(c, LIMIT_MONTH, "monthly", "monthly_count");
    read_rolling(c);
    read_plain(c, LIMIT_BALANCE, "balance", NULL);
}

static bool is_tier(lua_State *lua, int at)
{
    return lua_isinteger(lua, at) && lua_tointeger(lua, at) >= 0 &&
           lua_tointeger(lua, at) < LIMIT_RULE_TIERS;
}

static void read_tiers(struct compile *c, int table)
{
    if (rule_reader_push(&c->reader, table, "tiers") != LUA_TTABLE) {
        rule_reader_fault(&c->reader, "tiers",
                          "tiers must be a table: { [0] = { daily = ... }, ... }");
        lua_pop(c->reader.lua, 1);
        return;
    }
    for (lua_pushnil(c->reader.lua); lua_next(c->reader.lua, -2) != 0; lua_pop(c->reader.lua, 1))
        if (!is_tier(c->reader.lua, -2))
            rule_reader_fault(&c->reader, "tiers", "tiers are [0], [1], [2] and [3]");
    for (c->tier = 0; c->tier < LIMIT_RULE_TIERS; c->tier++) {
        c->reader.place = (struct rule_place){"tiers", c->tier + 1, "tier", c->tier};
        lua_rawgeti(c->reader.lua, -1, c->tier);
        read_tier(c);
        lua_pop(c->reader.lua, 1);
    }
    c->reader.place = (struct rule_place){0};
    lua_pop(c->reader.lua, 1);
}

static unsigned class_bit(const char *kind)
{
    for (unsigned i = 0; i < LIMIT_CLASSES; i++)
        if (kind != NULL && strcmp(kind, kinds[i]) == 0)
            return 1U << i;
    return 0;
}

static void refuse_kind(struct rule_reader *r, const char *kind)
{
    const char *near = kind == NULL ? NULL : locate_similar(kind, kinds);
    rule_reader_fault(r, "kinds", "kinds are \"transfer\", \"withdrawal\" and \"hold\"%s%s%s",
                      near == NULL ? "" : "; did you mean \"", near == NULL ? "" : near,
                      near == NULL ? "" : "\"?");
}

static void read_kinds(struct compile *c, int table)
{
    struct rule_reader *r = &c->reader;
    c->rule->classes = LIMIT_ALL;
    if (rule_reader_push(r, table, "kinds") != LUA_TNIL) {
        int count = rule_reader_list_length(r, -1, LIMIT_CLASSES);
        c->rule->classes = 0;
        for (int i = 1; i <= count; i++, lua_pop(r->lua, 1)) {
            lua_rawgeti(r->lua, -1, i);
            const char *kind =
                lua_type(r->lua, -1) == LUA_TSTRING ? lua_tostring(r->lua, -1) : NULL;
            unsigned bit = class_bit(kind);
            c->rule->classes |= bit;
            if (bit == 0)
                refuse_kind(r, kind);
        }
        if (count < 1)
            rule_reader_fault(r, "kinds", "kinds must be a list like { \"transfer\", \"hold\" }");
    }
    lua_pop(r->lua, 1);
}

static void read_rule(struct rule_reader *r, int table)
{
    static const char *const known[] = {"id",    "version", "owner", "currency",
                                        "kinds", "tiers",   NULL};
    struct compile *c = (struct compile *)(void *)r;
    struct rule_head head;
    rule_reader_check_keys(r, table, known);
    rule_reader_head(r, table, &head);
    memcpy(c->rule->name, head.name, sizeof c->rule->name);
    c->rule->currency = rule_reader_currency(r, table);
    read_kinds(c, table);
    read_tiers(c, table);
}

bool limit_file_compile(const char *file, struct slice source, struct limit_rule *rule,
                        struct bundle_report *report)
{
    static const struct rule_kind kind = {vocabulary_is_limit, read_rule, "return limit { ... }"};
    struct compile c = {{.file = file, .source = source, .report = report}, rule, 0};
    memset(rule, 0, sizeof *rule);
    snprintf(rule->file, sizeof rule->file, "%s", file);
    return rule_reader_compile(&c.reader, &kind);
}
