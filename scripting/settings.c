#include "scripting/settings.h"

#include <errno.h>
#include <fcntl.h>
#include <lauxlib.h>
#include <lua.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/memory.h"
#include "scripting/locate.h"
#include "scripting/sandbox.h"

#define FILE_MAX 262144
#define SECRET_MAX 4096
#define INSTRUCTIONS 1000000
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
    locate_path(r->source, key, &line, &column);
    snprintf(message, sizeof message, format, what);
    bundle_report_add(r->report, r->path, line, column, "%s %s", key, message);
}

/* A whole file, if it's a regular one of less than `size` bytes. NULL, or what is wrong. */
static const char *read_file(const char *path, char *text, size_t size, size_t *length)
{
    struct stat status;
    const char *fault = NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &status) != 0)
        fault = strerror(errno);
    else if (!S_ISREG(status.st_mode))
        fault = "it is no regular file";
    for (*length = 0; fault == NULL;) {
        ssize_t got = read(fd, text + *length, size - *length);
        if (got < 0 && errno != EINTR)
            fault = strerror(errno);
        if (got == 0)
            break;
        *length += got < 0 ? 0 : (size_t)got;
        if (*length == size)
            fault = "it is too large";
    }
    if (fd >= 0)
        close(fd);
    return fault;
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
    char text[SECRET_MAX + 1];
    size_t length;
    const char *path = luaL_checkstring(lua, 1);
    const char *fault = read_file(path, text, sizeof text, &length);
    if (fault != NULL)
        return luaL_error(lua, "%s cannot be read: %s", path, fault);
    while (length > 0 && (text[length - 1] == '\n' || text[length - 1] == '\r'))
        length--;
    lua_pushlstring(lua, text, length);
    memory_wipe(text, sizeof text);
    return 1;
}

/* The string on top of the stack as a C text; NULL: the report says why. */
static const char *take_text(struct reading *r, const struct settings_item *item, lua_State *lua)
{
    size_t length;
    const char *text = lua_tolstring(lua, -1, &length);
    if (strlen(text) != length) {
        wrong(r, item->path, "must be a text without NUL%s", "");
        return NULL;
    }
    struct slice copy = arena_copy(r->arena, (struct slice){text, length});
    if (copy.at == NULL)
        wrong(r, item->path, "finds no memory%s", "");
    return copy.at;
}

static void store_text(struct reading *r, const struct settings_item *item, lua_State *lua)
{
    if (lua_type(lua, -1) != LUA_TSTRING)
        wrong(r, item->path, "must be a text%s", "");
    else
        *(const char **)(void *)(r->out + item->offset) = take_text(r, item, lua);
}

static void store_number(struct reading *r, const struct settings_item *item, lua_State *lua)
{
    char range[80];
    bool integer = item->kind == SETTINGS_INTEGER;
    bool good = lua_type(lua, -1) == LUA_TNUMBER && (!integer || lua_isinteger(lua, -1)) &&
                lua_tonumber(lua, -1) >= item->least && lua_tonumber(lua, -1) <= item->most;
    snprintf(range, sizeof range, "%s from %.15g to %.15g", integer ? "an integer" : "a number",
             item->least, item->most);
    if (!good) /* NaN, too */
        wrong(r, item->path, "must be %s", range);
    else if (integer)
        *(int64_t *)(void *)(r->out + item->offset) = lua_tointeger(lua, -1);
    else
        *(double *)(void *)(r->out + item->offset) = lua_tonumber(lua, -1);
}

/* 1, 2, ... without a gap, nothing else, all of them texts. */
static bool is_list(lua_State *lua)
{
    lua_Integer count = 0;
    lua_Integer last = 0;
    if (lua_type(lua, -1) != LUA_TTABLE)
        return false;
    for (lua_pushnil(lua); lua_next(lua, -2) != 0; lua_pop(lua, 1)) {
        lua_Integer key = lua_isinteger(lua, -2) ? lua_tointeger(lua, -2) : 0;
        if (key < 1 || lua_type(lua, -1) != LUA_TSTRING) {
            lua_pop(lua, 2);
            return false;
        }
        count++;
        last = key > last ? key : last;
    }
    return last == count;
}

static void store_list(struct reading *r, const struct settings_item *item, lua_State *lua)
{
    if (!is_list(lua)) {
        wrong(r, item->path, "must be a list of texts: { %s }", "\"...\"");
        return;
    }
    size_t count = lua_rawlen(lua, -1);
    const char **list = arena_array(r->arena, count + 1, sizeof list[0]);
    if (list == NULL)
        wrong(r, item->path, "finds no memory%s", "");
    for (size_t i = 0; list != NULL && i < count; i++) {
        lua_rawgeti(lua, -1, (lua_Integer)i + 1);
        list[i] = take_text(r, item, lua);
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
static int known(const struct reading *r, const char *path, const char *key)
{
    size_t length = strlen(path);
    if (strchr(key, '.') != NULL)
        return 0; /* ["listen.public"] = ... is read by nobody */
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
        int is = known(r, path, key);
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
    size_t length;
    char *text = arena_alloc(r->arena, FILE_MAX);
    const char *fault =
        text == NULL ? "out of memory" : read_file(r->path, text, FILE_MAX, &length);
    if (fault != NULL) {
        bundle_report_add(r->report, r->path, 0, 0, "cannot be read: %s", fault);
        return false;
    }
    r->source = (struct slice){text, length};
    return true;
}

bool settings_read(const char *path, const struct settings_item *items, void *out,
                   struct arena *arena, struct bundle_report *report)
{
    struct reading r = {path, items, out, arena, report, {NULL, 0}};
    struct sandbox_fault fault;
    report->count = 0;
    if (!load_file(&r))
        return false;
    struct sandbox *sandbox = sandbox_new();
    if (sandbox == NULL) {
        bundle_report_add(report, path, 0, 0, "out of memory");
        return false;
    }
    lua_State *lua = sandbox_lua(sandbox);
    lua_pushcfunction(lua, read_protected);
    bool good = sandbox_load(sandbox, r.source, &fault);
    if (good) {
        sandbox_budget(sandbox, INSTRUCTIONS);
        lua_pushlightuserdata(lua, &r);
        good = sandbox_call(sandbox, 2, 0, &fault);
    }
    if (!good)
        bundle_report_add(report, path, fault.line, fault.line > 0, "%s", fault.message);
    sandbox_free(sandbox);
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
