#include "scripting/rule_test_limit.h"

#include <inttypes.h>
#include <lua.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "ledger/limit.h"
#include "scripting/rule_coverage.h"
#include "scripting/rule_test_case.h"

#define BEGINS (INT64_C(1780264800) * 1000000) /* 2026-06-01 00:00 in Johannesburg */
#define TIMES_MAX 10000
#define AFTER_MAX (INT64_C(400) * 86400) /* seconds */

/* The wallet so far. */
struct wallet {
    struct rule_test_case *test;
    const struct limit_caps *caps;
    int tier;
    int64_t now; /* Unix us */
    int64_t balance;
    struct limit_counters counters;
    struct limit_window window;
};

/* One movement, as it is asked for. */
struct asked {
    int number; /* from 1 */
    enum limit_class class;
    int64_t amount;
    bool receives;
    int64_t times;
    const char *refused; /* rule_test_case_refused */
};

/* "90s", "10m", "24h", "31d"; -1: none of these. */
static int64_t parse_span(const char *text)
{
    static const char units[] = "smhd";
    static const int64_t seconds[] = {1, 60, 3600, 86400};
    int64_t span = 0;
    const char *at = text;
    while (*at >= '0' && *at <= '9' && span <= AFTER_MAX)
        span = span * 10 + (*at++ - '0');
    const char *unit = at == text || *at == '\0' || at[1] != '\0' ? NULL : strchr(units, *at);
    if (unit == NULL || span > AFTER_MAX / seconds[unit - units])
        return -1;
    return span * seconds[unit - units];
}

static void wait_until(struct wallet *w, int item)
{
    struct rule_reader *r = &w->test->reader;
    char text[16];
    if (!rule_reader_has(r, item, "after") || !rule_reader_text(r, item, "after", 15, text))
        return;
    int64_t span = parse_span(text);
    if (span < 0)
        rule_test_case_fault(w->test, "after",
                             "after is a time like \"90s\", \"10m\", \"24h\", \"31d\"");
    else
        w->now += span * 1000000;
}

static void read_class(struct wallet *w, int item, struct asked *asked)
{
    static const char *const names[LIMIT_CLASSES] = {
        [LIMIT_TRANSFER] = "transfer", [LIMIT_WITHDRAWAL] = "withdrawal", [LIMIT_HOLD] = "hold"};
    struct rule_reader *r = &w->test->reader;
    char kind[16] = "transfer";
    bool known = false;
    if (rule_reader_has(r, item, "kind"))
        rule_reader_text(r, item, "kind", 15, kind);
    for (int i = 0; i < LIMIT_CLASSES; i++)
        if (strcmp(kind, names[i]) == 0) {
            asked->class = (enum limit_class)i;
            known = true;
        }
    if (!known)
        rule_test_case_fault(w->test, "kind", "kind is \"transfer\", \"withdrawal\" or \"hold\"");
}

/* False: what is wrong was said. */
static bool read_item(struct wallet *w, int item, struct asked *asked)
{
    static const char *const known[] = {"send",  "receive", "kind", "after",
                                        "times", "refused", NULL};
    struct rule_reader *r = &w->test->reader;
    if (lua_type(r->lua, item) != LUA_TTABLE) {
        rule_test_case_fault(w->test, "", "a movement is a table: { send = ZAR \"50.00\" }");
        return false;
    }
    rule_reader_check_keys(r, item, known);
    asked->receives = rule_reader_has(r, item, "receive");
    if (asked->receives == rule_reader_has(r, item, "send"))
        rule_test_case_fault(w->test, "send", "says either send or receive");
    const char *key = asked->receives ? "receive" : "send";
    if (!rule_test_case_money(w->test, item, key, &asked->amount) || asked->amount == 0)
        rule_test_case_fault(w->test, key, "%s must be above zero", key);
    read_class(w, item, asked);
    wait_until(w, item);
    if (rule_reader_has(r, item, "times"))
        rule_reader_integer(r, item, "times", TIMES_MAX, &asked->times);
    asked->refused = rule_test_case_refused(w->test, item);
    return !r->wrong;
}

static void count_it(struct wallet *w, const struct asked *asked)
{
    const struct limit_move move = {
        .at = w->now, .class = asked->class, .sum = asked->amount, .count = 1};
    w->balance = asked->receives
                     ? w->balance + asked->amount
                     : w->balance - (asked->amount < w->balance ? asked->amount : w->balance);
    if (asked->receives)
        return;
    limit_add(&w->counters, asked->class, asked->amount);
    if (w->caps->rolling && !limit_window_add(&w->window, &move))
        rule_test_case_fault(w->test, "", "more than %d movements", LIMIT_MOVES_MAX);
}

static struct limit_breach ask(struct wallet *w, const struct asked *asked)
{
    const struct limit_calendar calendar = limit_calendar_at(ZONE_USUAL, w->now);
    const struct limit_question question = {.class = asked->class,
                                            .amount = asked->amount,
                                            .moment = w->now,
                                            .calendar = &calendar,
                                            .counters = &w->counters,
                                            .window = &w->window};
    limit_roll(&w->counters, &calendar, w->now);
    return asked->receives ? limit_check_balance(w->caps, w->balance, asked->amount)
                           : limit_check(w->caps, &question);
}

/* "ZAR 5000.00", or a number of movements. */
static void format_used(const struct wallet *w, bool by_count, int64_t used, char text[40])
{
    if (by_count)
        snprintf(text, 40, "%" PRId64, used);
    else
        rule_test_case_format(used, rule_test_case_currency(w->test), text);
}

static void judge(struct wallet *w, const struct asked *asked, const struct limit_breach *breach)
{
    struct rule_test_case *test = w->test;
    char which[40] = "";
    char used[2][RULE_TEST_MONEY_MAX];
    if (breach->cap != NULL)
        snprintf(which, sizeof which, "%s%s", breach->cap->code, breach->by_count ? "_count" : "");
    format_used(w, breach->by_count, breach->used, used[0]);
    format_used(w, breach->by_count, breach->limit, used[1]);
    if (breach->cap == NULL && asked->refused != NULL)
        rule_test_case_fault(test, "refused", "movement %d passes, expected to be refused",
                             asked->number);
    else if (breach->cap != NULL && asked->refused == NULL)
        rule_test_case_fault(test, "", "movement %d is refused: %s of %s is %s, used are %s",
                             asked->number, which, breach->cap->rule, used[1], used[0]);
    else if (breach->cap != NULL && asked->refused[0] != '\0' && strcmp(asked->refused, which) != 0)
        rule_test_case_fault(test, "refused", "movement %d is refused by %s, expected %.30s",
                             asked->number, which, asked->refused);
}

static void move(struct wallet *w, int item, int number)
{
    struct asked asked = {.number = number, .times = 1};
    if (!read_item(w, item, &asked))
        return;
    w->caps = bundle_caps(w->test->bundle, w->tier, rule_test_case_currency(w->test));
    for (int64_t i = 0; i < asked.times && !w->test->reader.wrong; i++) {
        struct limit_breach breach = ask(w, &asked);
        if (breach.cap != NULL)
            rule_coverage_cap(w->test->coverage, w->tier, breach.cap);
        else
            count_it(w, &asked);
        judge(w, &asked, &breach);
    }
}

void rule_test_limit_sequence(struct rule_test_case *test)
{
    static const char *const known[] = {"tier", NULL};
    struct rule_reader *r = &test->reader;
    struct wallet w = {.test = test, .now = BEGINS};
    rule_reader_check_keys(r, test->from, known);
    w.tier = rule_test_case_tier(test);
    w.window.moves = arena_array(test->arena, LIMIT_MOVES_MAX, sizeof w.window.moves[0]);
    w.window.room = w.window.moves == NULL ? 0 : LIMIT_MOVES_MAX;
    int count = (int)lua_rawlen(r->lua, test->items);
    if (count == 0)
        rule_test_case_fault(test, "", "a sequence has movements: { send = ZAR \"50.00\" }, ...");
    for (int i = 1; i <= count && !r->wrong; i++) {
        lua_rawgeti(r->lua, test->items, i);
        move(&w, lua_gettop(r->lua), i);
        lua_pop(r->lua, 1);
    }
}
