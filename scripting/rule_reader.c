#include "scripting/rule_reader.h"

#include <lua.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "scripting/locate.h"

#define AMOUNT_MAX INT64_C(9007199254740991) /* 2^53-1: the largest a client may name */

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
    if (r->list != NULL)
        snprintf(path, sizeof path, "%s.%d.%.60s", r->list, r->member, key);
    else
        snprintf(path, sizeof path, "%.60s", key);
    locate_path(r->source, path, &line, &column);
    if (r->list != NULL)
        bundle_report_add(r->report, r->file, line, column, "%s %d: %s", r->list, r->member,
                          message);
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

int64_t rule_reader_integer(struct rule_reader *r, int table, const char *key, int64_t least,
                            int64_t most)
{
    int64_t value = -1;
    rule_reader_push(r, table, key);
    if (lua_isinteger(r->lua, -1) && lua_tointeger(r->lua, -1) >= least &&
        lua_tointeger(r->lua, -1) <= most)
        value = lua_tointeger(r->lua, -1);
    else
        rule_reader_fault(r, key, "%s must be an integer from %lld to %lld", key, (long long)least,
                          (long long)most);
    lua_pop(r->lua, 1);
    return value;
}

int64_t rule_reader_amount(struct rule_reader *r, int at, const char *key)
{
    int64_t value = -1;
    bool is_table = lua_type(r->lua, at) == LUA_TTABLE;
    if (is_table) {
        int table = lua_absindex(r->lua, at);
        rule_reader_push(r, table, "amount");
        rule_reader_push(r, table, "code");
        const char *code = lua_type(r->lua, -1) == LUA_TSTRING ? lua_tostring(r->lua, -1) : "";
        bool sound = lua_isinteger(r->lua, -2) && lua_tointeger(r->lua, -2) > 0 &&
                     lua_tointeger(r->lua, -2) <= AMOUNT_MAX;
        if (sound && strcmp(code, r->code) == 0)
            value = lua_tointeger(r->lua, -2);
        lua_pop(r->lua, 2);
    }
    if (value < 0)
        rule_reader_fault(r, key, "%s must be an amount above zero: %s \"1.00\"", key, r->code);
    return value;
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
