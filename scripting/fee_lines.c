#include "scripting/fee_lines.h"

#include <lua.h>
#include <stdio.h>
#include <string.h>

#include "scripting/rule_reader.h"

/* One line on its way. */
struct read {
    struct rule_reader *r;
    struct fee_rule *rule;
    struct fee_rule_line *line;
    int number;   /* in `lines`, from 1; 0: the one line of a rule without */
    bool rounded; /* how it's rounded was said */
};

static void read_rate(struct rule_reader *r, int table, int64_t *out)
{
    int type = rule_reader_push(r, table, "rate");
    if (type == LUA_TTABLE) {
        rule_reader_push(r, -1, "ppm");
        if (!lua_isinteger(r->lua, -1))
            rule_reader_fault(r, "rate", "rate must be a percentage: pct \"0.90\"");
        else if (lua_tointeger(r->lua, -1) < 0 || lua_tointeger(r->lua, -1) > FEE_RATE_WHOLE)
            rule_reader_fault(r, "rate", "rate must be from 0 to 100 percent");
        else
            *out = lua_tointeger(r->lua, -1);
        lua_pop(r->lua, 1);
    } else if (type != LUA_TNIL) {
        rule_reader_fault(r, "rate", "rate must be a percentage: pct \"0.90\"");
    }
    lua_pop(r->lua, 1);
}

/* flat and rate of the table on top: of a slab, or of a line that is one slab. */
static void read_price(struct rule_reader *r, struct fee_slab *slab)
{
    slab->flat = -1;
    slab->rate = -1;
    rule_reader_amount(r, -1, "flat", 0, &slab->flat);
    read_rate(r, -1, &slab->rate);
    if (slab->flat < 0 && slab->rate < 0)
        rule_reader_fault(r, "", "needs a flat fee, a rate, or both (flat = %s \"0.00\" is free)",
                          r->code);
    slab->flat = slab->flat < 0 ? 0 : slab->flat;
    slab->rate = slab->rate < 0 ? 0 : slab->rate;
}

static void check_slab_border(struct rule_reader *r, const struct fee_slab *slabs, int i)
{
    if (i > 0 && slabs[i - 1].upto == INT64_MAX)
        rule_reader_fault(r, "upto",
                          "unreachable: the slab before it has no upto, so it covers all");
    else if (i > 0 && slabs[i].upto <= slabs[i - 1].upto)
        rule_reader_fault(r, "upto", "upto must be above that of the slab before it");
    else if (slabs[i].upto == 0)
        rule_reader_fault(r, "upto", "upto must be above zero");
}

static void read_slab(struct rule_reader *r, struct fee_slab *slabs, int i)
{
    static const char *const known[] = {"upto", "flat", "rate", NULL};
    slabs[i] = (struct fee_slab){.upto = INT64_MAX};
    if (lua_type(r->lua, -1) != LUA_TTABLE) {
        rule_reader_fault(r, "", "a slab is a table: { upto = ..., flat = ..., rate = ... }");
    } else {
        rule_reader_check_keys(r, -1, known);
        rule_reader_amount(r, -1, "upto", 0, &slabs[i].upto);
        read_price(r, &slabs[i]);
    }
    check_slab_border(r, slabs, i);
}

/* Where a slab of the line stands, and how messages call it. */
struct slab_place {
    char list[32];
    char word[32];
};

static void read_each_slab(struct read *read, int count)
{
    struct rule_reader *r = read->r;
    const struct rule_place before = r->place;
    struct slab_place place = {"slabs", "slab"};
    if (read->number > 0) {
        snprintf(place.list, sizeof place.list, "lines.%d.slabs", read->number);
        snprintf(place.word, sizeof place.word, "line %d, slab", read->number);
    }
    for (int i = 0; i < count; i++, lua_pop(r->lua, 1)) {
        lua_rawgeti(r->lua, -1, i + 1);
        r->place = (struct rule_place){place.list, i + 1, place.word, i + 1};
        read_slab(r, &read->rule->slabs[read->line->first_slab], i);
        r->place = before;
    }
}

static void read_slabs(struct read *read, int table)
{
    struct rule_reader *r = read->r;
    int type = rule_reader_push(r, table, "slabs");
    int count = rule_reader_list_length(r, -1, FEE_SLABS_MAX);
    bool room = read->line->first_slab + count <= FEE_RULE_SLABS_MAX;
    read_each_slab(read, room ? count : 0);
    lua_pop(r->lua, 1);
    if (type != LUA_TTABLE)
        rule_reader_fault(r, "slabs",
                          "slabs must be a list: { { upto = ..., flat = ... }, { rate = ... } }");
    else if (count < 1)
        rule_reader_fault(r, "slabs", "there must be 1 to %d slabs, and nothing else",
                          FEE_SLABS_MAX);
    else if (!room)
        rule_reader_fault(r, "slabs", "all lines together may have %d slabs", FEE_RULE_SLABS_MAX);
    else if (read->rule->slabs[read->line->first_slab + count - 1].upto != INT64_MAX)
        rule_reader_fault(r, "slabs",
                          "the last slab must have no upto, or larger amounts have no price");
    read->line->slab_count = room && count > 0 ? count : 0;
}

/* How slabs become a fee: what isn't said stays. */
static void read_ways(struct read *read, int table)
{
    struct rule_reader *r = read->r;
    struct fee_rule_line *line = read->line;
    char word[16] = "";
    bool given;
    if (rule_reader_has(r, table, "mode") && rule_reader_text(r, table, "mode", 15, word)) {
        line->graduated = strcmp(word, "graduated") == 0;
        if (!line->graduated && strcmp(word, "whole") != 0)
            rule_reader_fault(r, "mode", "mode must be \"whole\" or \"graduated\"");
    }
    if ((!read->rounded || rule_reader_has(r, table, "rounding")) &&
        rule_reader_text(r, table, "rounding", 15, word) &&
        !integers_parse_rounding(word, &line->rounding))
        rule_reader_fault(r, "rounding", "rounding must be half_up, half_even, down or up");
    bool refundable = rule_reader_bool(r, table, "refundable", &given);
    line->refundable = given ? refundable : line->refundable;
    rule_reader_amount(r, table, "minimum", 0, &line->minimum);
    rule_reader_amount(r, table, "cap", 0, &line->cap);
    if (line->cap < line->minimum)
        rule_reader_fault(r, "cap", "cap is below minimum");
}

static int find_line(const struct fee_rule *rule, const char *code)
{
    for (int i = 0; i < rule->line_count; i++)
        if (strcmp(rule->lines[i].code, code) == 0)
            return i;
    return -1;
}

/* Of what it's computed, and what it's called. */
static void read_code(struct read *read)
{
    struct rule_reader *r = read->r;
    char code[sizeof read->line->code] = "";
    char of[sizeof code];
    if (rule_reader_name(r, -1, "code", sizeof code - 1, code)) {
        if (find_line(read->rule, code) >= 0)
            rule_reader_fault(r, "code", "an earlier line has that code");
        else if (strcmp(code, "total") == 0)
            rule_reader_fault(r, "code", "total is what the lines are together");
    }
    if (rule_reader_has(r, -1, "of") && rule_reader_name(r, -1, "of", sizeof of - 1, of)) {
        read->line->of = find_line(read->rule, of);
        if (read->line->of < 0)
            rule_reader_fault(r, "of", "of must be the code of an earlier line");
        read->line->minimum = 0; /* the rule's are meant for lines of the amount */
        read->line->cap = INT64_MAX;
    }
    memcpy(read->line->code, code, sizeof code);
}

static void read_one_slab(struct read *read)
{
    if (read->line->first_slab == FEE_RULE_SLABS_MAX) {
        rule_reader_fault(read->r, "", "all lines together may have %d slabs", FEE_RULE_SLABS_MAX);
        return;
    }
    struct fee_slab *slab = &read->rule->slabs[read->line->first_slab];
    *slab = (struct fee_slab){.upto = INT64_MAX};
    read_price(read->r, slab);
    read->line->slab_count = 1;
}

/* The table on top. */
static void read_line(struct read *read)
{
    static const char *const known[] = {"code",    "of",  "slabs",    "flat",       "rate", "mode",
                                        "minimum", "cap", "rounding", "refundable", NULL};
    struct rule_reader *r = read->r;
    if (lua_type(r->lua, -1) != LUA_TTABLE) {
        rule_reader_fault(r, "", "a line is a table: { code = \"vat\", rate = pct \"15\" }");
        return;
    }
    rule_reader_check_keys(r, -1, known);
    read_code(read);
    if (!rule_reader_has(r, -1, "slabs"))
        read_one_slab(read);
    else if (rule_reader_has(r, -1, "flat") || rule_reader_has(r, -1, "rate"))
        rule_reader_fault(r, "slabs", "flat and rate belong into the slabs");
    else
        read_slabs(read, -1);
    read_ways(read, lua_gettop(r->lua));
}

/* `usual`: what the rule says for all of them. */
static void read_lines(struct read *usual)
{
    struct rule_reader *r = usual->r;
    struct fee_rule *rule = usual->rule;
    int count = rule_reader_list_length(r, -1, FEE_LINES_MAX);
    for (int i = 0; i < count; i++, lua_pop(r->lua, 1)) {
        struct fee_rule_line *line = &rule->lines[i];
        *line = *usual->line;
        line->first_slab = rule->slab_count;
        lua_rawgeti(r->lua, -1, i + 1);
        r->place = (struct rule_place){"lines", i + 1, "line", i + 1};
        read_line(&(struct read){r, rule, line, i + 1, usual->rounded});
        r->place = (struct rule_place){0};
        rule->slab_count += line->slab_count;
        rule->line_count++;
    }
    if (count < 1)
        rule_reader_fault(r, "lines",
                          "lines must be a list of 1 to %d: { { code = \"fee\", ... } }",
                          FEE_LINES_MAX);
}

void fee_lines_read(struct rule_reader *r, int table, struct fee_rule *rule)
{
    struct fee_rule_line one = {.code = "fee", .of = -1, .cap = INT64_MAX};
    struct read read = {r, rule, &one, 0, false};
    bool several = rule_reader_push(r, table, "lines") != LUA_TNIL;
    if (several && rule_reader_has(r, table, "slabs"))
        rule_reader_fault(r, "slabs", "slabs belong into the lines, when there are lines");
    else if (!several)
        read_slabs(&read, table);
    read.rounded = several && !rule_reader_has(r, table, "rounding");
    read_ways(&read, table);
    read.rounded = rule_reader_has(r, table, "rounding");
    if (several) {
        read_lines(&read);
    } else {
        rule->lines[0] = one;
        rule->line_count = 1;
        rule->slab_count = one.slab_count;
    }
    lua_pop(r->lua, 1);
}
