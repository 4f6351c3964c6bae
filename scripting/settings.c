#include "scripting/settings.h"

#include <lauxlib.h>
#include <lua.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "scripting/locate.h"

#define FILE_MAX (256 * 1024)
#define PART_MAX 64

struct reading {
    const char *path; /* of the file */
    const struct settings_item *items;
    char *out;
    struct arena *arena;
    struct bundle_report *report;
    struct slice source;
};

static void wrong(struct reading *r, const char *key, const char *format, const char *what)
{
    int line;
    int column;
    char message[200];
    const char *last = strrchr(key, '.') == NULL ? key : strrchr(key, '.') + 1;
    locate_key(r->source, last, 1, &line, &column);
    snprintf(message, sizeof message, format, what);
    bundle_report_add(r->report, r->path, line, column, "%s %s", key, message);
}

static int lua_env(lua_State *lua)
{
    const char *value = getenv(luaL_checkstring(lua, 1));
    if (value == NULL)
        return luaL_error(lua, "the environment has no %s", lua_tostring(lua, 1));
    lua_pushstring(lua, value);
    return 1;
}

/* A secret's file: its text without the last line's end. */
static int lua_file(lua_State *lua)
{
    char text[4096];
    const char *path = luaL_checkstring(lua, 1);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return luaL_error(lua, "%s cannot be read", path);
    size_t length = fread(text, 1, sizeof text, file);
    fclose(file);
    while (length > 0 && (text[length - 1] == '\n' || text[length - 1] == '\r'))
        length--;
    lua_pushlstring(lua, text, length);
    return 1;
}

static bool store_text(struct reading *r, const struct settings_item *item, lua_State *lua)
{
    size_t length;
    if (lua_type(lua, -1) != LUA_TSTRING) {
        wrong(r, item->path, "must be a text%s", "");
        return false;
    }
    const char *text = lua_tolstring(lua, -1, &length);
    struct slice copy = arena_copy(r->arena, (struct slice){text, length});
    *(const char **)(void *)(r->out + item->offset) = copy.at;
    return copy.at != NULL;
}

static void store_number(struct reading *r, const struct settings_item *item, lua_State *lua)
{
    char range[80];
    bool integer = item->kind == SETTINGS_INTEGER;
    snprintf(range, sizeof range, "%s from %.15g to %.15g", integer ? "an integer" : "a number",
             item->least, item->most);
    if (lua_type(lua, -1) != LUA_TNUMBER || (integer && !lua_isinteger(lua, -1)) ||
        lua_tonumber(lua, -1) < item->least || lua_tonumber(lua, -1) > item->most)
        wrong(r, item->path, "must be %s", range);
    else if (integer)
        *(int64_t *)(void *)(r->out + item->offset) = lua_tointeger(lua, -1);
    else
        *(double *)(void *)(r->out + item->offset) = lua_tonumber(lua, -1);
}

static void store_list(struct reading *r, const struct settings_item *item, lua_State *lua)
{
    if (lua_type(lua, -1) != LUA_TTABLE) {
        wrong(r, item->path, "must be a list of texts: { %s }", "\"...\"");
        return;
    }
    size_t count = lua_rawlen(lua, -1);
    const char **list = arena_array(r->arena, count + 1, sizeof list[0]);
    for (size_t i = 0; list != NULL && i < count; i++) {
        if (lua_rawgeti(lua, -1, (lua_Integer)i + 1) != LUA_TSTRING)
            wrong(r, item->path, "must be a list of texts: { %s }", "\"...\"");
        else
            list[i] = arena_copy(r->arena, slice_of(lua_tostring(lua, -1))).at;
        lua_pop(lua, 1);
    }
    *(const char ***)(void *)(r->out + item->offset) = list;
}

/* The value on top of the stack. */
static void store(struct reading *r, const struct settings_item *item, lua_State *lua)
{
    switch (item->kind) {
    case SETTINGS_TEXT:
        store_text(r, item, lua);
        return;
    case SETTINGS_INTEGER:
    case SETTINGS_NUMBER:
        store_number(r, item, lua);
        return;
    case SETTINGS_BOOL:
        if (lua_type(lua, -1) != LUA_TBOOLEAN)
            wrong(r, item->path, "must be true or false%s", "");
        else
            *(bool *)(void *)(r->out + item->offset) = lua_toboolean(lua, -1) != 0;
        return;
    case SETTINGS_LIST:
        store_list(r, item, lua);
        return;
    }
}

/* Push the member that a path names; nil when there is none. */
static void push_member(lua_State *lua, int table, const char *path)
{
    char part[PART_MAX];
    lua_pushvalue(lua, table);
    while (path[0] != '\0') {
        size_t length = strcspn(path, ".");
        snprintf(part, sizeof part, "%.*s", (int)length, path);
        path += length + (path[length] == '.');
        if (lua_type(lua, -1) == LUA_TTABLE) {
            lua_pushstring(lua, part);
            lua_rawget(lua, -2);
        } else {
            lua_pushnil(lua);
        }
        lua_remove(lua, -2);
    }
}

static void read_default(struct reading *r, const struct settings_item *item, lua_State *lua)
{
    char chunk[256];
    snprintf(chunk, sizeof chunk, "return %s", item->otherwise);
    if (luaL_loadstring(lua, chunk) != LUA_OK)
        luaL_error(lua, "the default of %s is broken", item->path);
    lua_call(lua, 0, 1);
    if (lua_isnil(lua, -1))
        *(const char **)(void *)(r->out + item->offset) = NULL;
    else
        store(r, item, lua);
    lua_pop(lua, 1);
}

/* 0: no such path; 1: a table on the way to one; 2: a setting. */
static int known(const struct reading *r, const char *path)
{
    size_t length = strlen(path);
    for (const struct settings_item *item = r->items; item->path != NULL; item++) {
        if (strcmp(item->path, path) == 0)
            return 2;
        if (strncmp(item->path, path, length) == 0 && item->path[length] == '.')
            return 1;
    }
    return 0;
}

static void suggest(struct reading *r, const char *path)
{
    const char *names[128];
    size_t count = 0;
    for (const struct settings_item *item = r->items; item->path != NULL && count < 127; item++)
        names[count++] = item->path;
    names[count] = NULL;
    const char *near = locate_similar(path, names);
    if (near == NULL)
        wrong(r, path, "is not a known setting%s", ": see moolahd --describe-config");
    else
        wrong(r, path, "is not a known setting; did you mean %s?", near);
}

static void check_table(struct reading *r, lua_State *lua, const char *prefix)
{
    char path[2 * PART_MAX];
    luaL_checkstack(lua, 8, "nested too deep");
    for (lua_pushnil(lua); lua_next(lua, -2) != 0; lua_pop(lua, 1)) {
        const char *key = lua_type(lua, -2) == LUA_TSTRING ? lua_tostring(lua, -2) : "[...]";
        snprintf(path, sizeof path, "%s%s%s", prefix, prefix[0] == '\0' ? "" : ".", key);
        int is = known(r, path);
        if (is == 0)
            suggest(r, path);
        else if (is == 1 && lua_type(lua, -1) != LUA_TTABLE)
            wrong(r, path, "must be a table%s", "");
        else if (is == 1 && strlen(prefix) < PART_MAX)
            check_table(r, lua, path);
    }
}

/* Stack: the chunk, the reading. Everything that may raise runs in here. */
static int read_protected(lua_State *lua)
{
    struct reading *r = lua_touserdata(lua, 2);
    lua_settop(lua, 1);
    lua_pushglobaltable(lua);
    lua_pushcfunction(lua, lua_env);
    lua_setfield(lua, -2, "env");
    lua_pushcfunction(lua, lua_file);
    lua_setfield(lua, -2, "file");
    lua_settop(lua, 1);
    lua_call(lua, 0, 1);
    if (lua_type(lua, 1) != LUA_TTABLE)
        return luaL_error(lua, "the file must return one table");
    check_table(r, lua, "");
    for (const struct settings_item *item = r->items; item->path != NULL; item++) {
        push_member(lua, 1, item->path);
        if (!lua_isnil(lua, -1))
            store(r, item, lua);
        else if (item->otherwise != NULL)
            read_default(r, item, lua);
        else
            bundle_report_add(r->report, r->path, 0, 0, "%s is required: %s", item->path,
                              item->help);
        lua_pop(lua, 1);
    }
    return 0;
}

static bool load_file(struct reading *r)
{
    FILE *file = fopen(r->path, "re");
    char *text = arena_alloc(r->arena, FILE_MAX);
    if (file == NULL || text == NULL) {
        bundle_report_add(r->report, r->path, 0, 0, "cannot be read");
        if (file != NULL)
            fclose(file);
        return false;
    }
    r->source = (struct slice){text, fread(text, 1, FILE_MAX, file)};
    fclose(file);
    return true;
}

/* "path:line: what" becomes a finding. */
static void report_lua(struct reading *r, const char *message)
{
    size_t length = strlen(r->path);
    int line = 0;
    if (strncmp(message, r->path, length) == 0 && message[length] == ':') {
        char *end;
        line = (int)strtol(message + length + 1, &end, 10);
        message = *end == ':' ? end + 1 + (end[1] == ' ') : end;
    }
    bundle_report_add(r->report, r->path, line, line > 0, "%s", message);
}

bool settings_read(const char *path, const struct settings_item *items, void *out,
                   struct arena *arena, struct bundle_report *report)
{
    struct reading r = {path, items, out, arena, report, {NULL, 0}};
    char chunk[512];
    report->count = 0;
    if (!load_file(&r))
        return false;
    lua_State *lua = luaL_newstate();
    if (lua == NULL) {
        bundle_report_add(report, path, 0, 0, "out of memory");
        return false;
    }
    snprintf(chunk, sizeof chunk, "=%s", path);
    lua_pushcfunction(lua, read_protected);
    bool good = luaL_loadbufferx(lua, r.source.at, r.source.length, chunk, "t") == LUA_OK;
    if (good) {
        lua_pushlightuserdata(lua, &r);
        good = lua_pcall(lua, 2, 0, 0) == LUA_OK;
    }
    if (!good)
        report_lua(&r, lua_type(lua, -1) == LUA_TSTRING ? lua_tostring(lua, -1) : "broken");
    lua_close(lua);
    return report->count == 0;
}

void settings_describe(const struct settings_item *items, struct bytes *out)
{
    char open[PART_MAX] = "";
    bytes_add_text(
        out, "-- Moolah's configuration: one Lua table. What is commented out is the default.\n"
             "return {\n");
    for (const struct settings_item *item = items; item->path != NULL; item++) {
        const char *dot = strchr(item->path, '.');
        size_t length = dot == NULL ? 0 : (size_t)(dot - item->path);
        if (strlen(open) != length || strncmp(open, item->path, length) != 0) {
            if (open[0] != '\0')
                bytes_add_text(out, "    },\n");
            snprintf(open, sizeof open, "%.*s", (int)length, item->path);
            if (length > 0)
                bytes_printf(out, "    %s = {\n", open);
        }
        const char *indent = length > 0 ? "        " : "    ";
        bytes_printf(out, "%s-- %s\n%s%s%s = %s,\n", indent, item->help, indent,
                     item->otherwise == NULL ? "" : "-- ", dot == NULL ? item->path : dot + 1,
                     item->otherwise == NULL ? "\"...\"" : item->otherwise);
    }
    bytes_add_text(out, open[0] == '\0' ? "}\n" : "    },\n}\n");
}
