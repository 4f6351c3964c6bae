#include "scripting/fee_file.h"

#include <lua.h>
#include <stdio.h>
#include <string.h>

#include "base/zone.h"
#include "scripting/adjust.h"
#include "scripting/fee_lines.h"
#include "scripting/rule_reader.h"
#include "scripting/sandbox.h"
#include "scripting/vocabulary.h"

#define TRIED_AT INT64_C(1764547200000000) /* 2025-12-01: a moment like any other */

struct compile {
    struct rule_reader reader; /* first */
    struct fee_rule *rule;
};

static void read_tiers(struct compile *c, int table)
{
    c->rule->tiers = 0xf;
    if (rule_reader_push(&c->reader, table, "tiers") != LUA_TNIL) {
        int count = rule_reader_list_length(&c->reader, -1, 4);
        c->rule->tiers = 0;
        for (int i = 1; i <= count; i++, lua_pop(c->reader.lua, 1)) {
            lua_rawgeti(c->reader.lua, -1, i);
            lua_Integer tier =
                lua_isinteger(c->reader.lua, -1) ? lua_tointeger(c->reader.lua, -1) : -1;
            if (tier < 0 || tier > 3)
                rule_reader_fault(&c->reader, "tiers", "tiers are integers from 0 to 3");
            else
                c->rule->tiers |= 1U << tier;
        }
        if (count < 1)
            rule_reader_fault(&c->reader, "tiers", "tiers must be a list like { 0, 1 }");
    }
    lua_pop(c->reader.lua, 1);
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
    if (rule_reader_push(&c->reader, table, "applies") != LUA_TTABLE) {
        rule_reader_fault(&c->reader, "applies",
                          "applies must say what the rule is for: { kind = \"transfer\", "
                          "currency = \"ZAR\" }");
        lua_pop(c->reader.lua, 1);
        return;
    }
    c->reader.place = (struct rule_place){"applies", 0, NULL, 0};
    rule_reader_check_keys(&c->reader, -1, known);
    if (rule_reader_text(&c->reader, -1, "kind", 15, kind) && !has_fees(kind))
        rule_reader_fault(&c->reader, "kind",
                          "kind '%s' has no fees; known are: transfer, hold, withdrawal, purchase",
                          kind);
    memcpy(c->rule->kind, kind, sizeof kind);
    c->rule->currency = rule_reader_currency(&c->reader, -1);
    bool own = rule_reader_bool(&c->reader, -1, "own", &own_given);
    c->rule->own = !own_given || own;
    c->rule->other = !own_given || !own;
    read_tiers(c, -1);
    c->reader.place = (struct rule_place){0};
    lua_pop(c->reader.lua, 1);
}

/* One end of the period. `*moment` stays when it's absent, or wrong, which was said. */
static bool read_moment(struct compile *c, const char *key, int zone, int64_t *moment)
{
    char text[17];
    if (!rule_reader_has(&c->reader, -1, key))
        return false;
    if (rule_reader_text(&c->reader, -1, key, sizeof text - 1, text) && zone > 0 &&
        !zone_parse(zone, slice_of(text), moment))
        rule_reader_fault(&c->reader, key, "%s must be a date and a time like \"2026-12-01 00:00\"",
                          key);
    return true;
}

static int read_zone(struct compile *c)
{
    char name[64];
    if (!rule_reader_text(&c->reader, -1, "zone", sizeof name - 1, name))
        return 0;
    int zone = zone_find(slice_of(name));
    if (zone == 0)
        rule_reader_fault(&c->reader, "zone",
                          "zone '%.40s' isn't known; a known one is \"Africa/Johannesburg\"", name);
    if (zone == 0 || zone_open_one(zone) == NULL) /* a server has long done it */
        return zone;
    rule_reader_fault(&c->reader, "zone", "the system's time zones lack %s: install tzdata", name);
    return 0;
}

static void read_effective(struct compile *c, int table)
{
    static const char *const known[] = {"from", "to", "zone", NULL};
    struct fee_rule *rule = c->rule;
    rule->from = INT64_MIN;
    rule->to = INT64_MAX;
    int type = rule_reader_push(&c->reader, table, "effective");
    if (type == LUA_TTABLE) {
        c->reader.place = (struct rule_place){"effective", 0, NULL, 0};
        rule_reader_check_keys(&c->reader, -1, known);
        int zone = read_zone(c);
        bool begins = read_moment(c, "from", zone, &rule->from);
        bool ends = read_moment(c, "to", zone, &rule->to);
        if (!begins && !ends)
            rule_reader_fault(&c->reader, "", "effective needs from, to, or both");
        else if (rule->from >= rule->to)
            rule_reader_fault(&c->reader, "to", "to must be later than from");
        c->reader.place = (struct rule_place){0};
    } else if (type != LUA_TNIL) {
        rule_reader_fault(&c->reader, "effective",
                          "effective must say when: { from = \"2026-12-01 00:00\", zone = "
                          "\"Africa/Johannesburg\" }");
    }
    lua_pop(c->reader.lua, 1);
}

/* A hold's amount is what its recipient may take of it, a withdrawal's what leaves: neither can
 * shrink by a fee that who asks for it doesn't know. */
static void read_payer(struct compile *c, int table)
{
    char word[16] = "";
    if (!rule_reader_has(&c->reader, table, "paid_by") ||
        !rule_reader_text(&c->reader, table, "paid_by", sizeof word - 1, word))
        return;
    c->rule->receiver_pays = strcmp(word, "receiver") == 0;
    if (!c->rule->receiver_pays && strcmp(word, "sender") != 0)
        rule_reader_fault(&c->reader, "paid_by", "paid_by must be \"sender\" or \"receiver\"");
    else if (c->rule->receiver_pays && strcmp(c->rule->kind, "transfer") != 0)
        rule_reader_fault(&c->reader, "paid_by",
                          "a %s is paid by its sender: only a transfer's receiver can pay",
                          c->rule->kind);
    else if (c->rule->receiver_pays && c->rule->may_exceed_amount)
        rule_reader_fault(&c->reader, "may_exceed_amount",
                          "what the receiver pays comes out of the amount: it can't exceed it");
}

static void read_adjust(struct compile *c, int table)
{
    if (rule_reader_push(&c->reader, table, "adjust") == LUA_TFUNCTION &&
        !lua_iscfunction(c->reader.lua, -1)) {
        c->reader.keep = true;
        adjust_mark(c->reader.lua);
        return;
    }
    if (!lua_isnil(c->reader.lua, -1))
        rule_reader_fault(&c->reader, "adjust",
                          "adjust must be a function: function(tx, q, m) ... end");
    lua_pop(c->reader.lua, 1);
}

static void check_largest(struct compile *c)
{
    int64_t fee;
    if (!c->reader.wrong && !fee_rule_amount(c->rule, RULE_READER_AMOUNT_MAX, &fee))
        rule_reader_fault(&c->reader, c->rule->line_count > 1 ? "lines" : "slabs",
                          "the fee of the largest amount does not fit into 64 bits");
}

static void read_rule(struct rule_reader *r, int table)
{
    static const char *const known[] = {
        "id",       "version",           "owner",      "applies", "effective", "mode",
        "slabs",    "minimum",           "cap",        "lines",   "adjust",    "paid_by",
        "rounding", "may_exceed_amount", "refundable", NULL};
    struct compile *c = (struct compile *)(void *)r;
    struct rule_head head;
    bool given;
    rule_reader_check_keys(r, table, known);
    rule_reader_head(r, table, &head);
    memcpy(c->rule->name, head.name, sizeof c->rule->name);
    read_applies(c, table);
    read_effective(c, table);
    fee_lines_read(r, table, c->rule);
    c->rule->may_exceed_amount = rule_reader_bool(r, table, "may_exceed_amount", &given);
    read_payer(c, table);
    read_adjust(c, table);
    check_largest(c);
}

static bool say_fault(struct compile *c, const struct sandbox_fault *fault,
                      const struct fee_facts *facts)
{
    char where[80] = "";
    if (facts != NULL)
        snprintf(where, sizeof where, " (amount %lld, tier %d%s)", (long long)facts->amount,
                 facts->tier, facts->own ? ", own" : "");
    bundle_report_add(c->reader.report, c->rule->file, fault->line, fault->line > 0,
                      "adjust: %.110s%s", fault->message, where);
    fee_file_release(c->rule);
    return false;
}

/* One amount, for every tier, between own wallets and others'. */
static bool try_amount(struct compile *c, int64_t amount)
{
    const struct fee_rule *rule = c->rule;
    struct fee_facts facts = {rule->kind, amount, rule->currency, 0, false, rule->from};
    struct sandbox_fault fault;
    int64_t lines[FEE_LINES_MAX];
    int64_t total;
    if (facts.at < 0)
        facts.at = rule->to > TRIED_AT ? TRIED_AT : rule->to - 1;
    for (int i = 0; i < 8; i++) {
        facts.tier = i / 2;
        facts.own = i % 2 != 0;
        if (!fee_rule_applies(rule, &facts) || !fee_rule_price(rule, amount, lines, &total))
            continue;
        if (adjust_lines(rule, &facts, lines, &fault) == ADJUST_FAILED)
            return say_fault(c, &fault, &facts);
    }
    return true;
}

/* Where it fails for a border of a slab, or the least or largest amount, it isn't good. */
static bool try_adjust(struct compile *c)
{
    if (!try_amount(c, 1) || !try_amount(c, RULE_READER_AMOUNT_MAX))
        return false;
    for (int i = 0; i < c->rule->slab_count; i++) {
        int64_t upto = c->rule->slabs[i].upto;
        if (upto < RULE_READER_AMOUNT_MAX && (!try_amount(c, upto) || !try_amount(c, upto + 1)))
            return false;
    }
    return true;
}

static bool keep_adjust(struct compile *c)
{
    struct sandbox_fault fault;
    c->rule->adjust = adjust_new(c->reader.kept, c->rule, &fault);
    return c->rule->adjust == NULL ? say_fault(c, &fault, NULL) : try_adjust(c);
}

bool fee_file_compile(const char *file, struct slice source, struct fee_rule *rule,
                      struct bundle_report *report)
{
    static const struct rule_kind kind = {vocabulary_is_fee, read_rule, "return fee { ... }"};
    struct compile c = {{.file = file, .source = source, .report = report}, rule};
    memset(rule, 0, sizeof *rule);
    snprintf(rule->file, sizeof rule->file, "%s", file);
    if (!rule_reader_compile(&c.reader, &kind))
        return false;
    return c.reader.kept == NULL || keep_adjust(&c);
}

void fee_file_release(struct fee_rule *rule)
{
    adjust_free(rule->adjust);
    rule->adjust = NULL;
}
