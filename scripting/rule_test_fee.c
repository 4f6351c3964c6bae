#include "scripting/rule_test_fee.h"

#include <lua.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/zone.h"
#include "scripting/rule_coverage.h"
#include "scripting/rule_test_case.h"
#include "scripting/sandbox.h"

#define SPREAD 256
#define INSTRUCTIONS 5000000 /* of all checks of one property */
#define REASON_MAX 200

/* When: before all that begins one day, unless the test says. */
static void read_moment(struct rule_test_case *test, int64_t *at)
{
    char text[24] = "";
    *at = 0;
    if (rule_reader_has(&test->reader, test->from, "at") &&
        rule_reader_text(&test->reader, test->from, "at", sizeof text - 1, text) &&
        !zone_parse(ZONE_USUAL, slice_of(text), at))
        rule_test_case_fault(test, "at", "at is a moment like \"2026-12-01 00:00\", in %s",
                             zone_name(ZONE_USUAL));
}

/* False: what is wrong was said. */
static bool read_facts(struct rule_test_case *test, char kind[16], struct fee_facts *facts)
{
    bool given;
    rule_reader_text(&test->reader, test->from, "kind", 15, kind);
    facts->kind = kind;
    facts->currency = rule_test_case_currency(test);
    facts->tier = rule_test_case_tier(test);
    facts->own = rule_reader_bool(&test->reader, test->from, "own", &given);
    read_moment(test, &facts->at);
    return !test->reader.wrong;
}

static int64_t sum_of(const struct fee_decision *decision, const char *code)
{
    int64_t sum = -1;
    for (int i = 0; i < decision->count; i++)
        if (strcmp(decision->lines[i].code, code) == 0)
            sum = (sum < 0 ? 0 : sum) + decision->lines[i].amount;
    return sum;
}

static void compare(struct rule_test_case *test, const char *what, int64_t wanted, int64_t got)
{
    char money[2][RULE_TEST_MONEY_MAX];
    if (wanted == got)
        return;
    rule_test_case_format(wanted, rule_test_case_currency(test), money[0]);
    rule_test_case_format(got < 0 ? 0 : got, rule_test_case_currency(test), money[1]);
    if (got < 0)
        rule_test_case_fault(test, what, "there is no line %s, expected %s", what, money[0]);
    else
        rule_test_case_fault(test, what, "%s is %s, expected %s", what, money[1], money[0]);
}

static void compare_lines(struct rule_test_case *test, const struct fee_decision *decision)
{
    struct rule_reader *r = &test->reader;
    int type = rule_reader_push(r, test->from, "lines");
    int lines = lua_gettop(r->lua);
    size_t named = 0;
    if (type != LUA_TNIL && type != LUA_TTABLE)
        rule_test_case_fault(test, "lines", "lines is a table: { fee = %s \"2.50\" }", r->code);
    for (lua_pushnil(r->lua); type == LUA_TTABLE && lua_next(r->lua, lines) != 0;) {
        int64_t wanted;
        char code[32] = "";
        if (lua_type(r->lua, -2) == LUA_TSTRING)
            snprintf(code, sizeof code, "%s", lua_tostring(r->lua, -2));
        lua_pop(r->lua, 1);
        named++;
        if (rule_test_case_money(test, lines, code, &wanted))
            compare(test, code, wanted, sum_of(decision, code));
    }
    if (type == LUA_TTABLE && named < (size_t)decision->count)
        rule_test_case_fault(test, "lines", "there are %d lines, expected %zu", decision->count,
                             named);
    lua_settop(r->lua, lines - 1);
}

static void expect_refusal(struct rule_test_case *test, const char *reason,
                           const struct fee_decision *decision)
{
    char money[RULE_TEST_MONEY_MAX];
    rule_test_case_format(decision->total, rule_test_case_currency(test), money);
    if (decision->outcome == FEE_OK)
        rule_test_case_fault(test, "refused", "costs %s, expected to be refused", money);
    else if (strstr(decision->reason, reason) == NULL)
        rule_test_case_fault(test, "refused", "refused for another reason: %.120s",
                             decision->reason);
}

void rule_test_fee_example(struct rule_test_case *test)
{
    static const char *const known[] = {"kind", "amount", "tier",    "own", "at",
                                        "fee",  "lines",  "refused", NULL};
    struct rule_reader *r = &test->reader;
    struct fee_facts facts = {.amount = 0};
    struct fee_decision decision;
    char kind[16] = "";
    int64_t wanted;
    rule_reader_check_keys(r, test->from, known);
    if (!rule_test_case_money(test, test->from, "amount", &facts.amount) || facts.amount == 0)
        rule_test_case_fault(test, "amount", "amount must be above zero, like ZAR \"50.00\"");
    const char *reason = rule_test_case_refused(test, test->from);
    if (!read_facts(test, kind, &facts))
        return;
    fee_price(test->bundle, &facts, &decision);
    rule_coverage_fee(test->coverage, test->bundle, &facts);
    bool says = rule_reader_has(r, test->from, "fee") || rule_reader_has(r, test->from, "lines");
    if (reason != NULL) {
        expect_refusal(test, reason, &decision);
    } else if (!says) {
        rule_test_case_fault(test, "", "say what is expected: fee, lines or refused");
    } else if (decision.outcome != FEE_OK) {
        rule_test_case_fault(test, "fee", "refused: %.120s", decision.reason);
    } else {
        if (rule_test_case_money(test, test->from, "fee", &wanted))
            compare(test, "fee", wanted, decision.total);
        compare_lines(test, &decision);
    }
}

/* A property at one amount after the other. */
struct trial {
    struct rule_test_case *test;
    struct fee_facts facts;
    bool may_refuse;
    int check; /* on Lua's stack */
    char reason[REASON_MAX];
    int line; /* of what failed in `check`; 0: it said false */
};

static void push_facts(lua_State *lua, const struct fee_facts *facts, const char *code)
{
    lua_createtable(lua, 0, 5);
    lua_pushstring(lua, facts->kind);
    lua_setfield(lua, -2, "kind");
    lua_pushinteger(lua, facts->amount);
    lua_setfield(lua, -2, "amount");
    lua_pushstring(lua, code);
    lua_setfield(lua, -2, "currency");
    lua_pushinteger(lua, facts->tier);
    lua_setfield(lua, -2, "tier");
    lua_pushboolean(lua, facts->own);
    lua_setfield(lua, -2, "own");
}

static void push_decision(lua_State *lua, const struct fee_decision *decision)
{
    lua_createtable(lua, 0, decision->count + 1);
    for (int i = 0; i < decision->count; i++) {
        lua_pushinteger(lua, sum_of(decision, decision->lines[i].code));
        lua_setfield(lua, -2, decision->lines[i].code);
    }
    lua_pushinteger(lua, decision->total);
    lua_setfield(lua, -2, "total");
}

static bool holds(struct trial *trial, int64_t amount)
{
    lua_State *lua = trial->test->reader.lua;
    struct fee_decision decision;
    struct sandbox_fault fault;
    trial->facts.amount = amount;
    trial->line = 0;
    fee_price(trial->test->bundle, &trial->facts, &decision);
    rule_coverage_fee(trial->test->coverage, trial->test->bundle, &trial->facts);
    if (decision.outcome != FEE_OK) {
        snprintf(trial->reason, sizeof trial->reason, "refused: %.120s", decision.reason);
        return trial->may_refuse;
    }
    lua_pushvalue(lua, trial->check);
    push_facts(lua, &trial->facts, trial->test->reader.code);
    push_decision(lua, &decision);
    if (!sandbox_call(trial->test->sandbox, 2, 1, &fault)) {
        snprintf(trial->reason, sizeof trial->reason, "check: %.150s", fault.message);
        trial->line = fault.line;
        return false;
    }
    bool good = lua_type(lua, -1) == LUA_TBOOLEAN && lua_toboolean(lua, -1) != 0;
    char money[RULE_TEST_MONEY_MAX];
    rule_test_case_format(decision.total, trial->facts.currency, money);
    if (lua_type(lua, -1) != LUA_TBOOLEAN)
        snprintf(trial->reason, sizeof trial->reason, "check must return true or false");
    else
        snprintf(trial->reason, sizeof trial->reason, "it costs %s", money);
    lua_pop(lua, 1);
    return good;
}

static int compare_amounts(const void *a, const void *b)
{
    int64_t one = *(const int64_t *)a;
    int64_t other = *(const int64_t *)b;
    return (one > other) - (one < other);
}

/* splitmix64: the same amounts on every machine. */
static uint64_t next_chance(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return z ^ z >> 31;
}

/* Half of them anywhere, half of them near the lower end: small amounts are many. */
static int64_t spread(const int64_t range[2], int i, uint64_t *state)
{
    uint64_t width = (uint64_t)(range[1] - range[0]) + 1;
    uint64_t bits = next_chance(state);
    if (i % 2 == 0)
        bits >>= next_chance(state) % 52 + 12;
    return range[0] + (int64_t)(bits % width);
}

/* Rising. NULL: no memory. */
static int64_t *choose_amounts(const struct trial *trial, const int64_t range[2], size_t *count)
{
    uint64_t state = 5;
    size_t kept = 0;
    int64_t *amounts = rule_coverage_borders(trial->test->bundle, &trial->facts, trial->test->arena,
                                             SPREAD + 2, count);
    if (amounts == NULL)
        return NULL;
    for (size_t i = 0; i < *count; i++)
        if (amounts[i] >= range[0] && amounts[i] <= range[1])
            amounts[kept++] = amounts[i];
    amounts[kept++] = range[0];
    amounts[kept++] = range[1];
    for (int i = 0; i < SPREAD; i++)
        amounts[kept++] = spread(range, i, &state);
    qsort(amounts, kept, sizeof amounts[0], compare_amounts);
    *count = kept;
    return amounts;
}

/* It holds at `good` and not at `bad`: the smallest between them at which it doesn't. */
static int64_t narrow(struct trial *trial, int64_t good, int64_t bad)
{
    while (bad - good > 1) {
        int64_t middle = good + (bad - good) / 2;
        if (holds(trial, middle))
            good = middle;
        else
            bad = middle;
    }
    return bad;
}

static void tell(struct trial *trial, int64_t amount)
{
    char money[RULE_TEST_MONEY_MAX];
    struct rule_test_case *test = trial->test;
    holds(trial, amount); /* once more, for the reason */
    rule_test_case_format(amount, trial->facts.currency, money);
    if (trial->line > 0)
        rule_test_case_fault(test, "check", "fails from %s on, tier %d: line %d, %s", money,
                             trial->facts.tier, trial->line, trial->reason);
    else
        rule_test_case_fault(test, "check", "fails from %s on, tier %d: %s", money,
                             trial->facts.tier, trial->reason);
}

static void try_tier(struct trial *trial, const int64_t range[2])
{
    size_t count;
    int64_t *amounts = choose_amounts(trial, range, &count);
    if (amounts == NULL) {
        rule_test_case_fault(trial->test, "amount", "out of memory");
        return;
    }
    for (size_t i = 0; i < count; i++) {
        if (holds(trial, amounts[i]))
            continue;
        tell(trial, i == 0 ? amounts[i] : narrow(trial, amounts[i - 1], amounts[i]));
        return;
    }
}

/* amount = { from, to } */
static bool read_range(struct rule_test_case *test, int64_t range[2])
{
    struct rule_reader *r = &test->reader;
    bool good = rule_reader_push(r, test->from, "amount") == LUA_TTABLE &&
                rule_reader_list_length(r, -1, 2) == 2;
    for (int i = 0; good && i < 2; i++) {
        lua_createtable(r->lua, 0, 1);
        lua_rawgeti(r->lua, -2, i + 1);
        lua_setfield(r->lua, -2, "amount");
        good = rule_test_case_money(test, -1, "amount", &range[i]);
        lua_pop(r->lua, 1);
    }
    lua_pop(r->lua, 1);
    if (good && range[0] > 0 && range[0] <= range[1])
        return true;
    rule_test_case_fault(test, "amount", "amount is a range: { ZAR \"0.01\", ZAR \"100000.00\" }");
    return false;
}

/* A bit each. */
static unsigned read_tiers(struct rule_test_case *test)
{
    struct rule_reader *r = &test->reader;
    unsigned tiers = 0;
    if (rule_reader_push(r, test->from, "tiers") == LUA_TNIL) {
        lua_pop(r->lua, 1);
        return rule_reader_has(r, test->from, "tier") ? 1U << rule_test_case_tier(test) : 0xf;
    }
    int count = rule_reader_list_length(r, -1, 4);
    for (int i = 1; i <= count; i++, lua_pop(r->lua, 1)) {
        lua_rawgeti(r->lua, -1, i);
        lua_Integer tier = lua_isinteger(r->lua, -1) ? lua_tointeger(r->lua, -1) : -1;
        tiers |= tier >= 0 && tier <= 3 ? 1U << tier : 1U << 4;
    }
    lua_pop(r->lua, 1);
    if (tiers == 0 || tiers > 0xf)
        rule_test_case_fault(test, "tiers", "tiers must be a list like { 0, 1 }");
    return tiers & 0xf;
}

void rule_test_fee_property(struct rule_test_case *test)
{
    static const char *const known[] = {"kind", "amount",     "tier",  "tiers", "own",
                                        "at",   "may_refuse", "check", NULL};
    struct rule_reader *r = &test->reader;
    struct trial trial = {.test = test};
    char kind[16] = "";
    bool given;
    int64_t range[2] = {0, 0};
    rule_reader_check_keys(r, test->from, known);
    trial.may_refuse = rule_reader_bool(r, test->from, "may_refuse", &given);
    if (rule_reader_push(r, test->from, "check") != LUA_TFUNCTION)
        rule_test_case_fault(test, "check",
                             "check is a function: function(tx, q) return q.total <= 2500 end");
    trial.check = lua_gettop(r->lua);
    unsigned tiers = read_tiers(test);
    if (read_range(test, range) && read_facts(test, kind, &trial.facts)) {
        sandbox_budget(test->sandbox, INSTRUCTIONS);
        for (int tier = 0; tier < 4 && !r->wrong; tier++) {
            trial.facts.tier = tier;
            if ((tiers >> tier & 1) != 0)
                try_tier(&trial, range);
        }
    }
    lua_pop(r->lua, 1);
}
