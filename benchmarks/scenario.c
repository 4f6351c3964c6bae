#include "benchmarks/scenario.h"

#include <errno.h>
#include <lua.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "benchmarks/population.h"
#include "scripting/sandbox.h"

#define SOURCE_MAX 65536
#define INSTRUCTIONS 1000000

/* A scenario file on its way to a struct. */
struct reading {
    struct scenario *scenario;
    char *error;
    size_t size;
    bool wrong;
};

static void complain(struct reading *r, const char *key, const char *what)
{
    if (!r->wrong)
        snprintf(r->error, r->size, "%s: %s", key, what);
    r->wrong = true;
}

static int field(lua_State *lua, int table, const char *key)
{
    table = lua_absindex(lua, table);
    lua_pushstring(lua, key);
    return lua_rawget(lua, table);
}

static void read_text(struct reading *r, lua_State *lua, const char *key, char *out, size_t size)
{
    size_t length = 0;
    int type = field(lua, -1, key);
    const char *text = type == LUA_TSTRING ? lua_tolstring(lua, -1, &length) : "";
    if ((type != LUA_TSTRING && type != LUA_TNIL) || length >= size)
        complain(r, key, "must be a text, and not so long");
    else
        snprintf(out, size, "%s", text);
    lua_pop(lua, 1);
}

static double read_number(struct reading *r, lua_State *lua, const char *key, double otherwise,
                          double most)
{
    int type = field(lua, -1, key);
    double number = type == LUA_TNUMBER ? lua_tonumber(lua, -1) : otherwise;
    if ((type != LUA_TNUMBER && type != LUA_TNIL) || !(number >= 0 && number <= most))
        complain(r, key, "must be a number from 0 on, within reason");
    lua_pop(lua, 1);
    return number;
}

static bool read_flag(lua_State *lua, const char *key)
{
    field(lua, -1, key);
    bool flag = lua_toboolean(lua, -1) != 0;
    lua_pop(lua, 1);
    return flag;
}

static void check_keys(struct reading *r, lua_State *lua, const char *const *known)
{
    static char key[64];
    for (lua_pushnil(lua); lua_next(lua, -2) != 0; lua_pop(lua, 1)) {
        snprintf(key, sizeof key, "%s",
                 lua_type(lua, -2) == LUA_TSTRING ? lua_tostring(lua, -2) : "a number");
        const char *const *at = known;
        while (*at != NULL && strcmp(*at, key) != 0)
            at++;
        if (*at == NULL)
            complain(r, key, "is not known here");
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
        complain(r, "as", "must be \"from\", \"partner\" or \"nobody\"");
}

/* A list of integers; returns how many. */
static int read_integers(lua_State *lua, const char *key, int64_t *out, int room)
{
    int count = 0;
    if (field(lua, -1, key) == LUA_TTABLE) {
        while (count < room && lua_rawgeti(lua, -1, count + 1) == LUA_TNUMBER) {
            out[count++] = (int64_t)lua_tonumber(lua, -1);
            lua_pop(lua, 1);
        }
        if (count < room)
            lua_pop(lua, 1);
    }
    lua_pop(lua, 1);
    return count;
}

static void read_call(struct reading *r, lua_State *lua, struct scenario_call *call)
{
    static const char *const known[] = {"name", "weight", "method", "path",   "body",
                                        "as",   "key",    "amount", "expect", NULL};
    int64_t amount[2] = {1, 1};
    int64_t expect[SCENARIO_EXPECT_MAX] = {0};
    check_keys(r, lua, known);
    read_text(r, lua, "name", call->name, sizeof call->name);
    read_text(r, lua, "method", call->method, sizeof call->method);
    read_text(r, lua, "path", call->path, sizeof call->path);
    read_text(r, lua, "body", call->body, sizeof call->body);
    read_caller(r, lua, call);
    call->weight = read_number(r, lua, "weight", 1, 1e6);
    call->key = read_flag(lua, "key");
    read_integers(lua, "amount", amount, 2);
    call->least = amount[0];
    call->most = amount[1];
    int count = read_integers(lua, "expect", expect, SCENARIO_EXPECT_MAX - 1);
    for (int i = 0; i < count; i++)
        call->expect[i] = (int)expect[i];
    if (call->name[0] == '\0' || call->method[0] == '\0' || call->path[0] != '/')
        complain(r, "calls", "each needs a name, a method and a path");
    if (count == 0)
        complain(r, "expect", "each call says which statuses are right: expect = { 201 }");
    if (call->least < 1 || call->most < call->least)
        complain(r, "amount", "is a pair: amount = { least, most }");
}

static void read_calls(struct reading *r, lua_State *lua)
{
    struct scenario *s = r->scenario;
    if (field(lua, -1, "calls") != LUA_TTABLE) {
        complain(r, "calls", "must be a list of calls");
        lua_pop(lua, 1);
        return;
    }
    while (lua_rawgeti(lua, -1, s->call_count + 1) == LUA_TTABLE) {
        if (s->call_count == SCENARIO_CALLS_MAX) {
            complain(r, "calls", "are too many");
            break;
        }
        read_call(r, lua, &s->calls[s->call_count++]);
        lua_pop(lua, 1);
    }
    lua_pop(lua, 2);
}

static void read_scenario(struct reading *r, lua_State *lua)
{
    static const char *const known[] = {"help",        "calls",         "twice",
                                        "zipf",        "idle",          "streams",
                                        "connections", "one_at_a_time", "requests_per_connection",
                                        NULL};
    struct scenario *s = r->scenario;
    check_keys(r, lua, known);
    read_text(r, lua, "help", s->help, sizeof s->help);
    s->twice = read_number(r, lua, "twice", 0, 1);
    s->zipf = read_number(r, lua, "zipf", 0, 3);
    s->connections = (int)read_number(r, lua, "connections", 0, 100000);
    s->streams = (int)read_number(r, lua, "streams", 0, 1000);
    s->idle = (int)read_number(r, lua, "idle", 0, 1000000);
    s->requests_per_connection = (int)read_number(r, lua, "requests_per_connection", 0, 1e9);
    s->one_at_a_time = read_flag(lua, "one_at_a_time");
    read_calls(r, lua);
    if (s->call_count == 0 && s->idle == 0)
        complain(r, "calls", "there are none");
}

static int read_protected(lua_State *lua)
{
    struct reading *r = lua_touserdata(lua, 2);
    lua_settop(lua, 1);
    lua_call(lua, 0, 1);
    if (lua_type(lua, -1) == LUA_TTABLE)
        read_scenario(r, lua);
    else
        complain(r, "scenario", "the file must return a table");
    return 0;
}

static bool compile(struct scenario *scenario, const char *path, struct slice source, char *error,
                    size_t size)
{
    struct sandbox_fault fault;
    char said[300] = "";
    struct reading reading = {scenario, said, sizeof said, false};
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
    if (!good && fault.line > 0)
        snprintf(error, size, "%s:%d: %s", path, fault.line, fault.message);
    else if (!good)
        snprintf(error, size, "%s: %s", path, fault.message);
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

bool scenario_load(struct scenario *scenario, const char *path, char *error, size_t size)
{
    static char source[SOURCE_MAX];
    memset(scenario, 0, sizeof *scenario);
    take_name(scenario, path);
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        snprintf(error, size, "%s: %s", path, strerror(errno));
        return false;
    }
    size_t length = fread(source, 1, sizeof source, file);
    fclose(file);
    return compile(scenario, path, (struct slice){source, length}, error, size);
}

/* Gray et al., "Quickly Generating Billion-Record Synthetic Databases" (SIGMOD 1994), section 3.2:
 * a Zipf-distributed rank from one random number. */
void scenario_prepare(struct scenario *scenario, size_t wallets)
{
    scenario->wallets = wallets;
    if (scenario->zipf <= 0)
        return;
    double theta = scenario->zipf >= 1 ? 0.99 : scenario->zipf; /* the formula's range */
    for (size_t i = 1; i <= wallets; i++)
        scenario->zeta_n += 1 / pow((double)i, theta);
    scenario->zeta_2 = 1 + 1 / pow(2, theta);
    scenario->alpha = 1 / (1 - theta);
    scenario->eta =
        (1 - pow(2. / (double)wallets, 1 - theta)) / (1 - scenario->zeta_2 / scenario->zeta_n);
}

/* splitmix64: a stream of numbers from any seed. */
static uint64_t roll(uint64_t *dice)
{
    uint64_t z = *dice += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static double part(uint64_t *dice)
{
    return (double)(roll(dice) >> 11) / 9007199254740992.;
}

static size_t pick_wallet(const struct scenario *scenario, uint64_t *dice)
{
    double u = part(dice);
    if (scenario->zipf <= 0)
        return (size_t)(u * (double)scenario->wallets);
    double uz = u * scenario->zeta_n;
    if (uz < 1)
        return 0;
    if (uz < scenario->zeta_2)
        return 1;
    double rank =
        (double)scenario->wallets * pow(scenario->eta * u - scenario->eta + 1, scenario->alpha);
    return rank >= (double)scenario->wallets ? scenario->wallets - 1 : (size_t)rank;
}

static const struct scenario_call *pick_call(const struct scenario *scenario, uint64_t *dice)
{
    double sum = 0;
    for (int i = 0; i < scenario->call_count; i++)
        sum += scenario->calls[i].weight;
    double at = part(dice) * sum;
    for (int i = 0; i < scenario->call_count; i++) {
        at -= scenario->calls[i].weight;
        if (at < 0)
            return &scenario->calls[i];
    }
    return &scenario->calls[scenario->call_count - 1];
}

/* What the places in a template stand for. */
struct values {
    const struct population_member *from, *to, *popular;
    uint64_t serial;
    int64_t amount;
};

static const char *value_of(const struct values *values, struct slice name, char number[24])
{
    if (slice_equals(name, "from"))
        return values->from->wallet;
    if (slice_equals(name, "to"))
        return values->to->wallet;
    if (slice_equals(name, "popular"))
        return values->popular->wallet;
    if (slice_equals(name, "phone"))
        return values->from->phone;
    if (slice_equals(name, "password"))
        return values->from->password;
    bool amount = slice_equals(name, "amount");
    if (!amount && !slice_equals(name, "serial"))
        return NULL;
    snprintf(number, 24, "%lld", amount ? (long long)values->amount : (long long)values->serial);
    return number;
}

/* "{name}" becomes its value; any other brace stays (JSON has many). */
static size_t render(const char *template, const struct values *values, char out[SCENARIO_TEXT_MAX])
{
    size_t length = 0;
    char number[24];
    while (*template != '\0' && length < SCENARIO_TEXT_MAX - 1) {
        size_t name = *template == '{' ? strspn(template + 1, "abcdefghijklmnopqrstuvwxyz") : 0;
        const char *value = name > 0 && template[1 + name] == '}'
                                ? value_of(values, (struct slice){template + 1, name}, number)
                                : NULL;
        if (value == NULL) {
            out[length++] = *template ++;
            continue;
        }
        size_t take = strlen(value);
        if (take > SCENARIO_TEXT_MAX - 1 - length)
            take = SCENARIO_TEXT_MAX - 1 - length;
        memcpy(out + length, value, take);
        length += take;
        template += name + 2;
    }
    out[length] = '\0';
    return length;
}

static void add_authorization(const struct scenario_run *run, const struct population_member *from,
                              struct scenario_request *out)
{
    const char *token = out->call->as == SCENARIO_FROM      ? from->token
                        : out->call->as == SCENARIO_PARTNER ? run->partner_key
                                                            : NULL;
    out->authorization_length = 0;
    if (token != NULL)
        out->authorization_length =
            (size_t)snprintf(out->authorization, sizeof out->authorization, "Bearer %s", token);
}

void scenario_request(const struct scenario_run *run, uint64_t serial, struct scenario_request *out)
{
    struct population_member from;
    struct population_member to;
    struct population_member popular;
    uint64_t dice = run->seed ^ serial * UINT64_C(0xd1342543de82ef95);
    out->call = pick_call(run->scenario, &dice);
    size_t payer = pick_wallet(run->scenario, &dice);
    size_t payee = pick_wallet(run->scenario, &dice);
    if (payee == payer)
        payee = (payee + 1) % run->scenario->wallets;
    population_member(run->population, payer, &from);
    population_member(run->population, payee, &to);
    population_member(run->population, 0, &popular);
    if (payer == 0 && strstr(out->call->body, "{popular}") != NULL)
        population_member(run->population, 1, &from); /* not to itself */
    int64_t span = out->call->most - out->call->least + 1;
    const struct values values = {&from, &to, &popular, serial,
                                  out->call->least + (int64_t)(roll(&dice) % (uint64_t)span)};
    out->path_length = render(out->call->path, &values, out->path);
    out->body_length = render(out->call->body, &values, out->body);
    out->key_length = !out->call->key ? 0
                                      : (size_t)snprintf(out->key, sizeof out->key, "b-%s-%llu",
                                                         run->name, (unsigned long long)serial);
    add_authorization(run, &from, out);
}
