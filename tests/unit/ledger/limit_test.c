/* Limits against a model that keeps every movement and counts all of them again for each question.
 */
#include "ledger/limit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/clock.h"
#include "tests/unit/base/chance.h"

#define SECOND INT64_C(1000000)

static int64_t at(const char *text)
{
    int64_t moment;
    assert_true(clock_parse(slice_of(text), &moment));
    return moment;
}

static struct limit_cap cap_of(enum limit_period period, int64_t sum, int64_t count)
{
    return (struct limit_cap){.period = period, .classes = LIMIT_ALL, .sum = sum, .count = count};
}

static struct limit_breach ask(const struct limit_cap *cap, const struct limit_counters *counters,
                               struct limit_window *window, int64_t amount, int64_t moment)
{
    const struct limit_calendar calendar = limit_calendar_at(ZONE_USUAL, moment);
    const struct limit_caps caps = {cap, 1, cap->period == LIMIT_ROLLING};
    const struct limit_question question = {LIMIT_TRANSFER, amount,   moment,
                                            &calendar,      counters, window};
    return limit_check(&caps, &question);
}

static void test_single(void **state)
{
    const struct limit_cap cap = cap_of(LIMIT_SINGLE, 1000, LIMIT_NONE);
    struct limit_counters none = {.begins = {0}};
    (void)state;
    assert_null(ask(&cap, &none, NULL, 1000, at("2026-12-01T08:00:00Z")).cap);
    struct limit_breach breach = ask(&cap, &none, NULL, 1001, at("2026-12-01T08:00:00Z"));
    assert_ptr_equal(breach.cap, &cap);
    assert_int_equal(breach.limit, 1000);
    assert_int_equal(breach.used, 0);
    assert_int_equal(breach.resets_at, 0);
    assert_false(breach.by_count);
}

/* To the unit, and again from the zone's midnight on. */
static void test_a_day(void **state)
{
    const struct limit_cap cap = cap_of(LIMIT_DAY, 1000, 3);
    struct limit_counters counters = {.begins = {0}};
    int64_t moment = at("2026-12-01T21:00:00Z");
    int64_t midnight = at("2026-12-01T22:00:00Z");
    struct limit_calendar calendar = limit_calendar_at(ZONE_USUAL, moment);
    (void)state;
    limit_roll(&counters, &calendar, moment);
    limit_add(&counters, LIMIT_TRANSFER, 600);
    limit_add(&counters, LIMIT_HOLD, 300);
    assert_null(ask(&cap, &counters, NULL, 100, moment).cap);
    struct limit_breach breach = ask(&cap, &counters, NULL, 101, moment);
    assert_ptr_equal(breach.cap, &cap);
    assert_int_equal(breach.used, 900);
    assert_int_equal(breach.resets_at, midnight);
    limit_add(&counters, LIMIT_WITHDRAWAL, 1);
    breach = ask(&cap, &counters, NULL, 1, moment);
    assert_true(breach.by_count);
    assert_int_equal(breach.used, 3);
    assert_int_equal(breach.limit, 3);
    calendar = limit_calendar_at(ZONE_USUAL, midnight);
    limit_roll(&counters, &calendar, midnight);
    assert_null(ask(&cap, &counters, NULL, 1000, midnight).cap);
    breach = ask(&cap, &counters, NULL, 1001, midnight);
    assert_int_equal(breach.resets_at, 0);                              /* no day is large enough */
    assert_int_equal(counters.of[LIMIT_TRANSFER][ZONE_MONTH].sum, 600); /* still December */
}

static void test_classes(void **state)
{
    struct limit_cap cap = cap_of(LIMIT_DAY, 1000, LIMIT_NONE);
    struct limit_counters counters = {.begins = {0}};
    int64_t moment = at("2026-12-01T08:00:00Z");
    const struct limit_calendar calendar = limit_calendar_at(ZONE_USUAL, moment);
    (void)state;
    limit_roll(&counters, &calendar, moment);
    limit_add(&counters, LIMIT_WITHDRAWAL, 1000);
    assert_non_null(ask(&cap, &counters, NULL, 1, moment).cap);
    cap.classes = 1U << LIMIT_TRANSFER;
    assert_null(ask(&cap, &counters, NULL, 1000, moment).cap);
    cap.classes = 1U << LIMIT_HOLD; /* says nothing about transfers */
    assert_null(ask(&cap, &counters, NULL, 5000, moment).cap);
    assert_int_equal(limit_class_of(TRANSACTION_HOLD), LIMIT_HOLD);
    assert_int_equal(limit_class_of(TRANSACTION_CAPTURE), LIMIT_NONE);
    assert_int_equal(limit_class_of(TRANSACTION_DEPOSIT), LIMIT_NONE);
    assert_int_equal(limit_class_of(TRANSACTION_REFUND), LIMIT_NONE);
}

static void test_windows(void **state)
{
    struct limit_move moves[4];
    struct limit_window window = {moves, 0, 4};
    struct limit_counters none = {.begins = {0}};
    struct limit_cap cap = cap_of(LIMIT_ROLLING, 1000, 3);
    int64_t now = at("2026-12-01T08:00:00Z");
    (void)state;
    cap.window = 600;
    assert_true(limit_window_add(&window,
                                 &(struct limit_move){now - 300 * SECOND, LIMIT_TRANSFER, 700, 1}));
    assert_true(limit_window_add(&window,
                                 &(struct limit_move){now - 500 * SECOND, LIMIT_TRANSFER, 200, 1}));
    assert_true(limit_window_add(&window,
                                 &(struct limit_move){now - 600 * SECOND, LIMIT_TRANSFER, 900, 1}));
    assert_null(ask(&cap, &none, &window, 100, now).cap); /* what is 600 s old has left */
    struct limit_breach breach = ask(&cap, &none, &window, 200, now);
    assert_int_equal(breach.used, 900);
    assert_int_equal(breach.resets_at, now + 100 * SECOND); /* then 200 leave */
    breach = ask(&cap, &none, &window, 400, now);
    assert_int_equal(breach.resets_at, now + 300 * SECOND);
    breach = ask(&cap, &none, &window, 1001, now);
    assert_int_equal(breach.resets_at, 0);
    assert_true(limit_window_add(&window, &(struct limit_move){now, LIMIT_TRANSFER, 1, 1}));
    breach = ask(&cap, &none, &window, 1, now);
    assert_true(breach.by_count);
    assert_int_equal(breach.resets_at, now + 100 * SECOND);
    assert_false(limit_window_add(&window, &(struct limit_move){now, LIMIT_TRANSFER, 1, 1}));
}

static void test_balance(void **state)
{
    const struct limit_cap cap = cap_of(LIMIT_BALANCE, 1000, LIMIT_NONE);
    const struct limit_caps caps = {&cap, 1, false};
    struct limit_counters none = {.begins = {0}};
    (void)state;
    assert_null(limit_check_balance(&caps, 400, 600).cap);
    assert_int_equal(limit_check_balance(&caps, 400, 601).used, 400);
    assert_non_null(limit_check_balance(&caps, INT64_MAX, 1).cap);
    assert_null(ask(&cap, &none, NULL, 5000, at("2026-12-01T08:00:00Z")).cap);
}

static void test_the_first_is_told(void **state)
{
    const struct limit_cap list[] = {cap_of(LIMIT_SINGLE, 500, LIMIT_NONE),
                                     cap_of(LIMIT_DAY, 400, LIMIT_NONE),
                                     cap_of(LIMIT_MONTH, 300, LIMIT_NONE)};
    const struct limit_caps caps = {list, 3, false};
    struct limit_counters none = {.begins = {0}};
    int64_t now = at("2026-12-01T08:00:00Z");
    const struct limit_calendar calendar = limit_calendar_at(ZONE_USUAL, now);
    struct limit_question question = {LIMIT_TRANSFER, 501, now, &calendar, &none, NULL};
    (void)state;
    assert_ptr_equal(limit_check(&caps, &question).cap, &list[0]);
    question.amount = 450;
    assert_ptr_equal(limit_check(&caps, &question).cap, &list[1]);
    question.amount = 301;
    assert_ptr_equal(limit_check(&caps, &question).cap, &list[2]);
    question.amount = 300;
    assert_null(limit_check(&caps, &question).cap);
}

/* Of a day to come: a little, by another server's clock; not of next week, and not by nonsense. */
static void test_counters_ahead(void **state)
{
    struct limit_counters counters = {.begins = {SECOND, SECOND, SECOND}};
    const int64_t before = SECOND - LIMIT_AHEAD_US;
    uint8_t packed[LIMIT_PACKED_MAX];
    struct limit_counters back;
    (void)state;
    struct slice bytes = {(const char *)packed, limit_pack(&counters, packed)};
    assert_true(limit_unpack_at(bytes, before, &back));
    assert_int_equal(limit_packed_day(bytes, before), SECOND);
    assert_false(limit_unpack_at(bytes, before - 1, &back));
    assert_int_equal(limit_packed_day(bytes, before - 1), 0);
    packed[0] = 2;
    assert_int_equal(limit_packed_day(bytes, before), 0);
}

static void test_broken_bytes(void **state)
{
    struct limit_counters counters = {.begins = {SECOND, SECOND, SECOND}};
    uint8_t packed[LIMIT_PACKED_MAX];
    (void)state;
    limit_add(&counters, LIMIT_HOLD, INT64_MAX);
    size_t length = limit_pack(&counters, packed);
    struct limit_counters back;
    assert_true(limit_unpack((struct slice){(const char *)packed, length}, &back));
    assert_memory_equal(&back, &counters, sizeof back);
    for (size_t i = 0; i < length; i++)
        assert_false(limit_unpack((struct slice){(const char *)packed, i}, &back));
    packed[length] = 0;
    assert_false(limit_unpack((struct slice){(const char *)packed, length + 1}, &back));
    packed[0] = 2;
    assert_false(limit_unpack((struct slice){(const char *)packed, length}, &back));
    assert_true(limit_unpack((struct slice){NULL, 0}, &back));
    assert_int_equal(back.begins[0], 0);
    assert_int_equal(limit_packed_day((struct slice){NULL, 0}, SECOND), 0);
}

/* ---- the model */

enum { MADE_MAX = 600 };

struct made {
    int64_t at;
    enum limit_class class;
    int64_t sum; /* what is left of it */
    int64_t count;
};

static struct {
    struct made made[MADE_MAX];
    size_t count;
    int64_t first; /* when counting began */
} model;

static struct limit_count recount(unsigned classes, int64_t from)
{
    struct limit_count counted = {0, 0};
    for (size_t i = 0; i < model.count; i++) {
        if (model.made[i].at < from || (classes >> model.made[i].class & 1) == 0)
            continue;
        counted.sum += model.made[i].sum;
        counted.count += model.made[i].count;
    }
    return counted;
}

static bool model_refuses(const struct limit_cap *cap, enum limit_class class, int64_t amount,
                          int zone, int64_t now)
{
    static const enum zone_period periods[] = {
        [LIMIT_DAY] = ZONE_DAY, [LIMIT_WEEK] = ZONE_WEEK, [LIMIT_MONTH] = ZONE_MONTH};
    struct limit_count used = {0, 0};
    if ((cap->classes >> class & 1) == 0)
        return false;
    if (cap->period == LIMIT_ROLLING)
        used = recount(cap->classes, now - cap->window * SECOND + 1);
    else if (cap->period != LIMIT_SINGLE)
        used = recount(cap->classes, zone_span(zone, periods[cap->period], now).start);
    return (cap->sum != LIMIT_NONE && used.sum + amount > cap->sum) ||
           (cap->count != LIMIT_NONE && used.count + 1 > cap->count);
}

static struct limit_cap random_cap(struct chance *chance)
{
    struct limit_cap cap = {
        .period = (enum limit_period)chance_below(chance, LIMIT_ROLLING + 1),
        .classes = 1U + (unsigned)chance_below(chance, LIMIT_ALL),
        .window = (int32_t)(60 + chance_below(chance, LIMIT_WINDOW_MAX - 60)),
        .sum = chance_below(chance, 3) == 0 ? LIMIT_NONE : (int64_t)chance_below(chance, 20000),
        .count = chance_below(chance, 2) == 0 ? LIMIT_NONE : (int64_t)chance_below(chance, 20),
    };
    return cap;
}

/* What a row keeps between two batches. */
static void store_and_read(struct limit_counters *counters, int64_t now, int zone)
{
    uint8_t packed[LIMIT_PACKED_MAX];
    size_t length = limit_pack(counters, packed);
    struct limit_counters back;
    assert_true(length <= sizeof packed);
    assert_true(limit_unpack((struct slice){(const char *)packed, length}, &back));
    assert_memory_equal(&back, counters, sizeof back);
    int64_t day = limit_packed_day((struct slice){(const char *)packed, length}, now);
    assert_true(day <= now && day >= zone_span(zone, ZONE_DAY, day).start);
}

static void give_some_back(struct chance *chance, struct limit_counters *counters,
                           struct limit_window *window)
{
    if (model.count == 0)
        return;
    struct made *made = &model.made[chance_below(chance, model.count)];
    bool all = chance_below(chance, 2) == 0 && made->count > 0;
    struct limit_count what = {made->sum, all};
    if (!all)
        what.sum = (int64_t)chance_below(chance, (uint64_t)made->sum + 1);
    limit_give_back(counters, made->class, made->at, what);
    assert_true(limit_window_add(
        window, &(struct limit_move){made->at, made->class, -what.sum, -what.count}));
    made->sum -= what.sum;
    made->count -= what.count;
}

static void check_counters(const struct limit_counters *counters, int zone, int64_t now)
{
    for (int p = 0; p < ZONE_PERIODS; p++) {
        int64_t start = zone_span(zone, (enum zone_period)p, now).start;
        assert_int_equal(counters->begins[p], start > model.first ? start : model.first);
        for (int c = 0; c < LIMIT_CLASSES; c++) {
            struct limit_count counted = recount(1U << c, start);
            assert_int_equal(counters->of[c][p].sum, counted.sum);
            assert_int_equal(counters->of[c][p].count, counted.count);
        }
    }
}

/* When a broken cap says that it would pass, it passes; a moment earlier it doesn't. */
static void check_breach(const struct limit_breach *breach, enum limit_class class, int64_t amount,
                         int zone, int64_t now)
{
    if (breach->resets_at == 0)
        return;
    assert_true(breach->resets_at > now);
    if (breach->cap->period == LIMIT_ROLLING)
        assert_true(model_refuses(breach->cap, class, amount, zone, breach->resets_at - 1));
    assert_false(model_refuses(breach->cap, class, amount, zone, breach->resets_at));
}

static void live(struct chance *chance)
{
    static struct limit_move moves[3 * MADE_MAX];
    struct limit_window window = {moves, 0, 3 * (size_t)MADE_MAX};
    struct limit_counters counters = {.begins = {0}};
    const struct limit_cap cap = random_cap(chance);
    const struct limit_caps caps = {&cap, 1, cap.period == LIMIT_ROLLING};
    int zone = 1 + (int)chance_below(chance, 110);
    int64_t now =
        (INT64_C(1790000000000) + (int64_t)chance_below(chance, UINT64_C(86400000000))) * 1000;
    model.count = 0;
    for (int step = 0; step < MADE_MAX; step++) {
        static const uint64_t strides[] = {2, 900, 40000, 400000};
        now += (int64_t)chance_below(chance, strides[chance_below(chance, 4)] * 1000) * 1000;
        const struct limit_calendar calendar = limit_calendar_at(zone, now);
        enum limit_class class = (enum limit_class)chance_below(chance, LIMIT_CLASSES);
        int64_t amount = 1 + (int64_t)chance_below(chance, 3000);
        if (model.count == 0 && counters.begins[0] == 0)
            model.first = now;
        limit_roll(&counters, &calendar, now);
        const struct limit_question asked = {class, amount, now, &calendar, &counters, &window};
        struct limit_breach breach = limit_check(&caps, &asked);
        assert_int_equal(breach.cap != NULL, model_refuses(&cap, class, amount, zone, now));
        if (breach.cap == NULL) {
            limit_add(&counters, class, amount);
            assert_true(limit_window_add(&window, &(struct limit_move){now, class, amount, 1}));
            model.made[model.count++] = (struct made){now, class, amount, 1};
        } else {
            check_breach(&breach, class, amount, zone, now);
        }
        if (chance_below(chance, 4) == 0)
            give_some_back(chance, &counters, &window);
        check_counters(&counters, zone, now);
        store_and_read(&counters, now, zone);
    }
}

static void test_against_a_model(void **state)
{
    struct chance chance = {17};
    (void)state;
    for (int life = 0; life < 60; life++)
        live(&chance);
}

static int open_zones(void **state)
{
    (void)state;
    return zone_open() == NULL ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_single),          cmocka_unit_test(test_a_day),
        cmocka_unit_test(test_classes),         cmocka_unit_test(test_windows),
        cmocka_unit_test(test_balance),         cmocka_unit_test(test_the_first_is_told),
        cmocka_unit_test(test_broken_bytes),    cmocka_unit_test(test_counters_ahead),
        cmocka_unit_test(test_against_a_model),
    };
    return cmocka_run_group_tests(tests, open_zones, NULL);
}
