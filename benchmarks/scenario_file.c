#include "benchmarks/scenario_file.h"

#include <dirent.h>
#include <errno.h>
#include <lua.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "benchmarks/journal.h"
#include "scripting/locate.h"
#include "scripting/sandbox.h"

#define SOURCE_MAX 65536
#define INSTRUCTIONS 1000000
#define AMOUNT_MAX 9007199254740991. /* the API's */

/* A scenario file on its way to a struct. */
struct reading {
    struct scenario *scenario;
    char *error;
    size_t size;
    char where[64]; /* "call 2 (transfer): " */
    bool wrong;
};

static void complain(struct reading *r, const char *key, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The first complaint is the one that's told. */
static void complain(struct reading *r, const char *key, const char *format, ...)
{
    va_list arguments;
    if (r->wrong)
        return;
    r->wrong = true;
    int length = snprintf(r->error, r->size, "%s%.40s ", r->where, key);
    va_start(arguments, format);
    if (length > 0 && (size_t)length < r->size)
        vsnprintf(r->error + length, r->size - (size_t)length, format, arguments);
    va_end(arguments);
}

static int field(lua_State *lua, int table, const char *key)
{
    table = lua_absindex(lua, table);
    lua_pushstring(lua, key);
    return lua_rawget(lua, table);
}

static const char *type_name(lua_State *lua, int type)
{
    return type == LUA_TNIL ? "missing" : lua_typename(lua, type);
}

static void read_text(struct reading *r, lua_State *lua, const char *key, char *out, size_t size)
{
    size_t length = 0;
    int type = field(lua, -1, key);
    const char *text = type == LUA_TSTRING ? lua_tolstring(lua, -1, &length) : "";
    if (type != LUA_TSTRING && type != LUA_TNIL)
        complain(r, key, "must be a text, not a %s", type_name(lua, type));
    else if (length >= size)
        complain(r, key, "has %zu characters: at most %zu are allowed", length, size - 1);
    else
        snprintf(out, size, "%s", text);
    lua_pop(lua, 1);
}

struct range {
    double otherwise, most; /* from 0 to there */
    bool whole;
};

static double read_number(struct reading *r, lua_State *lua, const char *key,
                          const struct range *range)
{
    int type = field(lua, -1, key);
    double number = type == LUA_TNUMBER ? lua_tonumber(lua, -1) : range->otherwise;
    const char *kind = range->whole ? "whole number" : "number";
    if (type != LUA_TNUMBER && type != LUA_TNIL)
        complain(r, key, "must be a %s from 0 to %g, not a %s", kind, range->most,
                 type_name(lua, type));
    else if (!(number >= 0 && number <= range->most) || (range->whole && number != floor(number)))
        complain(r, key, "must be a %s from 0 to %.15g, not %.15g", kind, range->most, number);
    lua_pop(lua, 1);
    return r->wrong ? range->otherwise : number;
}

static int read_count(struct reading *r, lua_State *lua, const char *key, int most)
{
    const struct range range = {0, most, true};
    return (int)read_number(r, lua, key, &range);
}

static bool read_flag(struct reading *r, lua_State *lua, const char *key)
{
    int type = field(lua, -1, key);
    bool flag = lua_toboolean(lua, -1) != 0;
    lua_pop(lua, 1);
    if (type != LUA_TBOOLEAN && type != LUA_TNIL)
        complain(r, key, "must be true or false, not a %s", type_name(lua, type));
    return flag;
}

static void complain_unknown(struct reading *r, const char *key, const char *const *known)
{
    char all[200] = "";
    const char *near = locate_similar(key, known);
    if (near != NULL) {
        complain(r, key, "is not known here; did you mean %s?", near);
        return;
    }
    for (size_t length = 0; *known != NULL && length < sizeof all; known++)
        length += (size_t)snprintf(all + length, sizeof all - length, " %s", *known);
    complain(r, key, "is not known here; known are:%s", all);
}

static void check_keys(struct reading *r, lua_State *lua, const char *const *known)
{
    for (lua_pushnil(lua); lua_next(lua, -2) != 0; lua_pop(lua, 1)) {
        const char *key = lua_type(lua, -2) == LUA_TSTRING ? lua_tostring(lua, -2) : "a list";
        const char *const *at = known;
        while (*at != NULL && strcmp(*at, key) != 0)
            at++;
        if (*at == NULL)
            complain_unknown(r, key, known);
    }
}

static void read_caller(struct reading *r, lua_State *lua, struct scenario_call *call)
{
    char word[16] = "";
    read_text(r, lua, "as", word, sizeof word);
    call->as = strcmp(word, "from") == 0      ? SCENARIO_FROM
               : strcmp(word, "partner") == 0 ? SCENARIO_PARTNER
                                              : SCENARIO_NOBODY;
    if (call->as == SCENARIO_NOBODY && strcmp(word, "nobody") != 0)
        complain(r, "as", "must be \"from\", \"partner\" or \"nobody\", not \"%s\"", word);
}

struct integers {
    int least_count, room;
    double least, most;
    const char *example;
};

/* A list of integers; returns how many. */
static int read_integers(struct reading *r, lua_State *lua, const char *key,
                         const struct integers *wanted, int64_t *out)
{
    int type = field(lua, -1, key);
    int count = type == LUA_TTABLE ? (int)lua_rawlen(lua, -1) : 0;
    bool good = count >= wanted->least_count && count <= wanted->room;
    for (int i = 0; good && i < count; i++) {
        double number = lua_rawgeti(lua, -1, i + 1) == LUA_TNUMBER ? lua_tonumber(lua, -1) : NAN;
        good = number >= wanted->least && number <= wanted->most && number == floor(number);
        out[i] = good ? (int64_t)number : 0;
        lua_pop(lua, 1);
    }
    if (!good)
        complain(r, key, "must be a list of %d to %d whole numbers from %.15g to %.15g, as in %s",
                 wanted->least_count, wanted->room, wanted->least, wanted->most, wanted->example);
    lua_pop(lua, 1);
    return good ? count : 0;
}

static void read_amount(struct reading *r, lua_State *lua, struct scenario_call *call)
{
    static const struct integers wanted = {2, 2, 1, AMOUNT_MAX, "amount = { 1, 500 }"};
    int64_t amount[2] = {0};
    int type = field(lua, -1, "amount");
    lua_pop(lua, 1);
    call->least = call->most = 1;
    if (type == LUA_TNIL) {
        if (strstr(call->path, "{amount}") != NULL || strstr(call->body, "{amount}") != NULL)
            complain(r, "amount", "is missing, and {amount} needs it: amount = { least, most }");
        return;
    }
    if (read_integers(r, lua, "amount", &wanted, amount) == 0)
        return;
    call->least = amount[0];
    call->most = amount[1];
    if (call->most < call->least)
        complain(r, "amount", "must be { least, most }, not { %lld, %lld }", (long long)amount[0],
                 (long long)amount[1]);
}

static void read_expect(struct reading *r, lua_State *lua, struct scenario_call *call)
{
    static const struct integers wanted = {1, SCENARIO_EXPECT_MAX - 1, 200, 599,
                                           "expect = { 201 }: which statuses are right"};
    int64_t expect[SCENARIO_EXPECT_MAX] = {0};
    int count = read_integers(r, lua, "expect", &wanted, expect);
    for (int i = 0; i < count; i++) {
        call->expect[i] = (int)expect[i];
        if (call->key && !journal_is_final(call->expect[i]))
            complain(r, "expect",
                     "has %d, and the audit of a call with a key knows 201, 404 and 422: leave "
                     "key away where nothing moves",
                     call->expect[i]);
    }
}

/* Braces around one lowercase word are meant to be a place; others are JSON's. */
static void check_places(struct reading *r, const char *key, const char *template)
{
    for (const char *at = template; (at = strchr(at, '{')) != NULL; at++) {
        size_t length = strspn(at + 1, "abcdefghijklmnopqrstuvwxyz_");
        if (length == 0 || at[1 + length] != '}' || scenario_knows_place(at + 1, length))
            continue;
        complain(r, key, "has a place {%.*s} that is not known; known are: %s", (int)length, at + 1,
                 SCENARIO_PLACES);
    }
}

static void check_method(struct reading *r, const char *method)
{
    static const char *const known[] = {"GET", "POST", "PUT", "PATCH", "DELETE"};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strcmp(method, known[i]) == 0)
            return;
    complain(r, "method", "must be GET, POST, PUT, PATCH or DELETE, not '%s'", method);
}

static void read_call(struct reading *r, lua_State *lua, struct scenario_call *call)
{
    static const char *const known[] = {"name", "weight", "method", "path",   "body",
                                        "as",   "key",    "amount", "expect", NULL};
    static const struct range weight = {1, 1e6, false};
    read_text(r, lua, "name", call->name, sizeof call->name);
    if (call->name[0] == '\0')
        complain(r, "name", "is missing");
    snprintf(r->where, sizeof r->where, "call %d (%s): ", r->scenario->call_count, call->name);
    check_keys(r, lua, known);
    read_text(r, lua, "method", call->method, sizeof call->method);
    check_method(r, call->method);
    read_text(r, lua, "path", call->path, sizeof call->path);
    if (call->path[0] != '/')
        complain(r, "path", "must begin with a /, not '%.60s'", call->path);
    read_text(r, lua, "body", call->body, sizeof call->body);
    check_places(r, "path", call->path);
    check_places(r, "body", call->body);
    read_caller(r, lua, call);
    call->weight = read_number(r, lua, "weight", &weight);
    call->key = read_flag(r, lua, "key");
    read_amount(r, lua, call);
    read_expect(r, lua, call);
}

static void read_calls(struct reading *r, lua_State *lua)
{
    struct scenario *s = r->scenario;
    int type = field(lua, -1, "calls");
    int count = type == LUA_TTABLE ? (int)lua_rawlen(lua, -1) : 0;
    double weights = 0;
    if (type != LUA_TTABLE || count == 0)
        complain(r, "calls", "must be a list of calls: calls = { { name = ... } }");
    if (count > SCENARIO_CALLS_MAX)
        complain(r, "calls", "are %d: at most %d are allowed", count, SCENARIO_CALLS_MAX);
    while (!r->wrong && s->call_count < count) {
        s->call_count++;
        snprintf(r->where, sizeof r->where, "call %d: ", s->call_count);
        if (lua_rawgeti(lua, -1, s->call_count) == LUA_TTABLE)
            read_call(r, lua, &s->calls[s->call_count - 1]);
        else
            complain(r, "it", "must be a table: { name = ... }");
        weights += s->calls[s->call_count - 1].weight;
        lua_pop(lua, 1);
    }
    lua_pop(lua, 1);
    r->where[0] = '\0';
    if (weights <= 0)
        complain(r, "weight", "of every call is 0: none would ever be sent");
}

static void read_scenario(struct reading *r, lua_State *lua)
{
    static const char *const known[] = {"help",    "calls",       "twice",
                                        "zipf",    "idle",        "streams",
                                        "of_peak", "connections", "requests_per_connection",
                                        NULL};
    static const struct range share = {0, 1, false};
    static const struct range multiple = {0, 100, false};
    struct scenario *s = r->scenario;
    check_keys(r, lua, known);
    read_text(r, lua, "help", s->help, sizeof s->help);
    s->twice = read_number(r, lua, "twice", &share);
    s->zipf = read_number(r, lua, "zipf", &share);
    s->of_peak = read_number(r, lua, "of_peak", &multiple);
    s->connections = read_count(r, lua, "connections", SCENARIO_CONNECTIONS_MAX);
    s->streams = read_count(r, lua, "streams", SCENARIO_STREAMS_MAX);
    s->idle = read_count(r, lua, "idle", 1000000);
    s->requests_per_connection = read_count(r, lua, "requests_per_connection", 1000000000);
    read_calls(r, lua);
}

static int read_protected(lua_State *lua)
{
    struct reading *r = lua_touserdata(lua, 2);
    lua_settop(lua, 1);
    lua_call(lua, 0, 1);
    if (lua_type(lua, -1) == LUA_TTABLE)
        read_scenario(r, lua);
    else
        complain(r, "it", "must return a table: return { calls = { ... } }");
    return 0;
}

/* The sandbox is the rules' and speaks of one. */
static void tell_fault(const char *path, const struct sandbox_fault *fault, char *error,
                       size_t size)
{
    static const char rule[] = "the rule ";
    bool ours = strncmp(fault->message, rule, sizeof rule - 1) == 0;
    int length = snprintf(error, size, fault->line > 0 ? "%s:%d: " : "%s: ", path, fault->line);
    if (length < 0 || (size_t)length >= size)
        return;
    snprintf(error + length, size - (size_t)length, "%s%s%s", ours ? "the scenario " : "",
             fault->message + (ours ? sizeof rule - 1 : 0), ours ? ": a loop without an end?" : "");
}

static bool compile(struct scenario *scenario, const char *path, struct slice source, char *error,
                    size_t size)
{
    struct sandbox_fault fault;
    char said[400] = "";
    struct reading reading = {scenario, said, sizeof said, "", false};
    struct sandbox *sandbox = sandbox_new();
    if (sandbox == NULL) {
        snprintf(error, size, "out of memory");
        return false;
    }
    lua_State *lua = sandbox_lua(sandbox);
    lua_pushcfunction(lua, read_protected);
    bool good = sandbox_load(sandbox, source, &fault);
    if (good) {
        sandbox_budget(sandbox, INSTRUCTIONS);
        lua_pushlightuserdata(lua, &reading);
        good = sandbox_call(sandbox, 2, 0, &fault);
    }
    if (!good)
        tell_fault(path, &fault, error, size);
    else if (reading.wrong)
        snprintf(error, size, "%s: %s", path, said);
    sandbox_free(sandbox);
    return good && !reading.wrong;
}

static void take_name(struct scenario *scenario, const char *path)
{
    const char *slash = strrchr(path, '/');
    snprintf(scenario->name, sizeof scenario->name, "%s", slash == NULL ? path : slash + 1);
    char *dot = strchr(scenario->name, '.');
    if (dot != NULL)
        *dot = '\0';
}

bool scenario_file_load(struct scenario *scenario, const char *path, char *error, size_t size)
{
    static char source[SOURCE_MAX];
    memset(scenario, 0, sizeof *scenario);
    take_name(scenario, path);
    errno = 0;
    FILE *file = fopen(path, "re");
    size_t length = file == NULL ? 0 : fread(source, 1, sizeof source, file);
    bool unread = file == NULL || ferror(file) != 0;
    int reason = errno;
    if (file != NULL)
        fclose(file);
    if (unread)
        snprintf(error, size, "%s: %s", path, strerror(reason));
    else if (length == sizeof source)
        snprintf(error, size, "%s: is longer than the %d bytes that a scenario may have", path,
                 SOURCE_MAX - 1);
    else
        return compile(scenario, path, (struct slice){source, length}, error, size);
    return false;
}

static int is_lua(const struct dirent *entry)
{
    const char *dot = strrchr(entry->d_name, '.');
    return dot != NULL && strcmp(dot, ".lua") == 0;
}

void scenario_file_list(const char *folder, FILE *out)
{
    static struct scenario scenario;
    struct dirent **entries = NULL;
    int count = scandir(folder, &entries, is_lua, alphasort);
    for (int i = 0; i < count; i++) {
        char path[600];
        char error[600];
        snprintf(path, sizeof path, "%s/%.255s", folder, entries[i]->d_name);
        bool good = scenario_file_load(&scenario, path, error, sizeof error);
        fprintf(out, "  %-17s %s\n", scenario.name, good ? scenario.help : error);
        free(entries[i]);
    }
    free(entries);
}
