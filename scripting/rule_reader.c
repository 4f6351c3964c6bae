#include "scripting/rule_reader.h"

#include <lua.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "scripting/locate.h"
#include "scripting/sandbox.h"
#include "scripting/vocabulary.h"

/* What runs in the sandbox. */
struct run {
    struct rule_reader *reader;
    const struct rule_kind *kind;
};

/* Lua's stack: the chunk, a light userdata with the struct run. */
static int read_protected(lua_State *lua)
{
    const struct run *run = lua_touserdata(lua, 2);
    run->reader->lua = lua;
    lua_settop(lua, 1);
    vocabulary_open(lua);
    lua_call(lua, 0, 1);
    if (run->kind->is(lua, -1))
        run->kind->read(run->reader, 1);
    else
        rule_reader_fault(run->reader, "", "the file must end in: %s", run->kind->ending);
    return 0;
}

static void add_finding(struct rule_reader *r, int line, int column, const char *message)
{
    r->wrong = true;
    bundle_report_add(r->report, r->file, line, column, "%s", message);
}

static void check_exact(struct rule_reader *r)
{
    int line;
    int column;
    if (locate_inexact(r->source, &line, &column))
        add_finding(r, line, column,
                    "rules count in whole numbers: no '/', '^' or fractions; amounts are texts, "
                    "muldiv(a, b, c, rounding) divides");
}

bool rule_reader_compile(struct rule_reader *r, const struct rule_kind *kind)
{
    struct run run = {r, kind};
    struct sandbox_fault fault;
    struct sandbox *sandbox = sandbox_new();
    if (sandbox == NULL) {
        add_finding(r, 0, 0, "out of memory");
        return false;
    }
    lua_State *lua = sandbox_lua(sandbox);
    lua_pushcfunction(lua, read_protected);
    bool good = sandbox_load(sandbox, r->source, &fault);
    if (good) {
        sandbox_budget(sandbox, RULE_READER_INSTRUCTIONS);
        lua_pushlightuserdata(lua, &run);
        good = sandbox_call(sandbox, 2, 0, &fault);
    }
    if (good)
        check_exact(r);
    else
        add_finding(r, fault.line, fault.line > 0, fault.message);
    if (good && r->keep && !r->wrong)
        r->kept = sandbox;
    else
        sandbox_free(sandbox);
    return !r->wrong;
}

static void path_to(const struct rule_reader *r, const char *key, char *path, size_t size)
{
    const struct rule_place *place = &r->place;
    if (place->list == NULL)
        snprintf(path, size, "%.60s", key);
    else if (place->member == 0)
        snprintf(path, size, "%s.%.60s", place->list, key);
    else
        snprintf(path, size, "%s.%d.%.60s", place->list, place->member, key);
}

void rule_reader_fault(struct rule_reader *r, const char *key, const char *format, ...)
{
    char message[200];
    char path[100];
    int line;
    int column;
    va_list arguments;
    r->wrong = true;
    if (bundle_report_is_full(r->report))
        return; /* to look for the place takes time */
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    path_to(r, key, path, sizeof path);
    locate_path(r->source, path, &line, &column);
    if (r->place.word != NULL)
        bundle_report_add(r->report, r->file, line, column, "%s %d: %s", r->place.word,
                          r->place.number, message);
    else
        bundle_report_add(r->report, r->file, line, column, "%s", message);
}

int rule_reader_push(struct rule_reader *r, int table, const char *key)
{
    table = lua_absindex(r->lua, table);
    lua_pushstring(r->lua, key);
    return lua_rawget(r->lua, table);
}

static void check_key(struct rule_reader *r, const char *key, const char *const *known)
{
    const char *const *at = known;
    while (key != NULL && *at != NULL && strcmp(*at, key) != 0)
        at++;
    if (key == NULL) {
        rule_reader_fault(r, "", "only named keys are known here: key = value");
    } else if (*at == NULL) {
        const char *near = locate_similar(key, known);
        rule_reader_fault(r, key, "unknown key '%.40s'%s%s%s", key,
                          near == NULL ? "" : "; did you mean '", near == NULL ? "" : near,
                          near == NULL ? "" : "'?");
    }
}

void rule_reader_check_keys(struct rule_reader *r, int table, const char *const *known)
{
    table = lua_absindex(r->lua, table);
    for (lua_pushnil(r->lua); lua_next(r->lua, table) != 0; lua_pop(r->lua, 1)) {
        if (bundle_report_is_full(r->report)) {
            lua_pop(r->lua, 2);
            return;
        }
        check_key(r, lua_type(r->lua, -2) == LUA_TSTRING ? lua_tostring(r->lua, -2) : NULL, known);
    }
}

bool rule_reader_text(struct rule_reader *r, int table, const char *key, size_t most, char *out)
{
    size_t length = 0;
    bool good = rule_reader_push(r, table, key) == LUA_TSTRING;
    const char *text = good ? lua_tolstring(r->lua, -1, &length) : NULL;
    good = good && length >= 1 && length <= most && strlen(text) == length;
    if (good)
        memcpy(out, text, length + 1);
    else
        rule_reader_fault(r, key, "%s must be a text of 1 to %zu characters", key, most);
    lua_pop(r->lua, 1);
    return good;
}

bool rule_reader_name(struct rule_reader *r, int table, const char *key, size_t most, char *out)
{
    if (!rule_reader_text(r, table, key, most, out))
        return false;
    if (out[strspn(out, "abcdefghijklmnopqrstuvwxyz0123456789._-")] == '\0')
        return true;
    rule_reader_fault(r, key, "%s is made of a-z, 0-9, '.', '_' and '-'", key);
    return false;
}

bool rule_reader_has(struct rule_reader *r, int table, const char *key)
{
    bool has = rule_reader_push(r, table, key) != LUA_TNIL;
    lua_pop(r->lua, 1);
    return has;
}

bool rule_reader_integer(struct rule_reader *r, int table, const char *key, int64_t most,
                         int64_t *out)
{
    rule_reader_push(r, table, key);
    bool good = lua_isinteger(r->lua, -1) && lua_tointeger(r->lua, -1) >= 1 &&
                lua_tointeger(r->lua, -1) <= most;
    if (good)
        *out = lua_tointeger(r->lua, -1);
    else
        rule_reader_fault(r, key, "%s must be an integer from 1 to %lld", key, (long long)most);
    lua_pop(r->lua, 1);
    return good;
}

bool rule_reader_bool(struct rule_reader *r, int table, const char *key, bool *present)
{
    int type = rule_reader_push(r, table, key);
    bool value = lua_toboolean(r->lua, -1) != 0;
    *present = type == LUA_TBOOLEAN;
    if (type != LUA_TBOOLEAN && type != LUA_TNIL)
        rule_reader_fault(r, key, "%s must be true or false", key);
    lua_pop(r->lua, 1);
    return *present && value;
}

/* The parts of an amount, as the vocabulary makes it. False: it's none. */
static bool take_parts(struct rule_reader *r, int64_t *minor, char code[4])
{
    if (lua_type(r->lua, -1) != LUA_TTABLE)
        return false;
    rule_reader_push(r, -1, "amount");
    rule_reader_push(r, -2, "code");
    bool good = lua_isinteger(r->lua, -2) && lua_type(r->lua, -1) == LUA_TSTRING;
    if (good) {
        *minor = lua_tointeger(r->lua, -2);
        snprintf(code, 4, "%s", lua_tostring(r->lua, -1));
    }
    lua_pop(r->lua, 2);
    return good;
}

void rule_reader_take_amount(struct rule_reader *r, const char *key, int64_t least, int64_t *out)
{
    int64_t minor = -1;
    char code[4] = "";
    if (!take_parts(r, &minor, code) || minor < least || minor > RULE_READER_AMOUNT_MAX)
        rule_reader_fault(r, key, "%s must be an amount%s: %s \"1.00\"", key,
                          least > 0 ? " above zero" : "", r->code);
    else if (strcmp(code, r->code) != 0)
        rule_reader_fault(r, key, "%s is in %s, the rule in %s", key, code, r->code);
    else
        *out = minor;
}

void rule_reader_amount(struct rule_reader *r, int table, const char *key, int64_t least,
                        int64_t *out)
{
    if (rule_reader_push(r, table, key) != LUA_TNIL)
        rule_reader_take_amount(r, key, least, out);
    lua_pop(r->lua, 1);
}

currency rule_reader_currency(struct rule_reader *r, int table)
{
    if (!rule_reader_text(r, table, "currency", sizeof r->code - 1, r->code))
        return 0;
    currency which = currency_parse(slice_of(r->code));
    if (which == 0)
        rule_reader_fault(r, "currency", "currency must be an ISO 4217 code like \"ZAR\"");
    return which;
}

void rule_reader_head(struct rule_reader *r, int table, struct rule_head *head)
{
    *head = (struct rule_head){.version = 0};
    rule_reader_name(r, table, "id", sizeof head->id - 1, head->id);
    rule_reader_integer(r, table, "version", 999999, &head->version);
    rule_reader_text(r, table, "owner", sizeof head->owner - 1, head->owner);
    snprintf(head->name, sizeof head->name, "%s@%lld", head->id, (long long)head->version);
}

int rule_reader_list_length(struct rule_reader *r, int table, int most)
{
    int count = 0;
    lua_Integer last = 0;
    table = lua_absindex(r->lua, table);
    if (lua_type(r->lua, table) != LUA_TTABLE)
        return -1;
    for (lua_pushnil(r->lua); lua_next(r->lua, table) != 0; lua_pop(r->lua, 1)) {
        lua_Integer key = lua_isinteger(r->lua, -2) ? lua_tointeger(r->lua, -2) : 0;
        if (key < 1 || key > most) {
            lua_pop(r->lua, 2);
            return -1;
        }
        count++;
        last = key > last ? key : last;
    }
    return last == count ? count : -1;
}
