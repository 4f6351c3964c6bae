#include "ledger/limit.h"

#include <assert.h>
#include <stdlib.h>

#include "base/clock.h"

#define VERSION 1
#define BEGIN_BYTES 6 /* milliseconds, big-endian */
#define HEAD (1 + ZONE_PERIODS * BEGIN_BYTES + 1)
#define NUMBER_MAX 9 /* bytes of a 63-bit number, 7 bits each */

static_assert(HEAD + LIMIT_CLASSES * ZONE_PERIODS * 2 * NUMBER_MAX <= LIMIT_PACKED_MAX, "room");

int limit_class_of(enum transaction_kind kind)
{
    switch (kind) {
    case TRANSACTION_TRANSFER:
        return LIMIT_TRANSFER;
    case TRANSACTION_WITHDRAWAL:
        return LIMIT_WITHDRAWAL;
    case TRANSACTION_HOLD:
        return LIMIT_HOLD;
    case TRANSACTION_DEPOSIT:
    case TRANSACTION_CAPTURE:
    case TRANSACTION_VOID:
    case TRANSACTION_EXPIRY:
    case TRANSACTION_REFUND:
    case TRANSACTION_REVERSAL:
    case TRANSACTION_PURCHASE:
        break;
    }
    return LIMIT_NONE;
}

/* Version; begins; which classes follow; of each, a sum and a count per period, 7 bits a byte. */
static uint8_t *put_number(uint8_t *at, int64_t number)
{
    uint64_t left = (uint64_t)number;
    assert(number >= 0);
    for (; left >= 0x80; left >>= 7)
        *at++ = (uint8_t)(0x80 | (left & 0x7f));
    *at++ = (uint8_t)left;
    return at;
}

static bool is_used(const struct limit_count counts[ZONE_PERIODS])
{
    for (int p = 0; p < ZONE_PERIODS; p++)
        if (counts[p].sum != 0 || counts[p].count != 0)
            return true;
    return false;
}

size_t limit_pack(const struct limit_counters *counters, uint8_t packed[LIMIT_PACKED_MAX])
{
    uint8_t *at = packed;
    *at++ = VERSION;
    for (int p = 0; p < ZONE_PERIODS; p++) {
        int64_t ms = counters->begins[p] / 1000;
        for (int shift = 40; shift >= 0; shift -= 8)
            *at++ = (uint8_t)(ms >> shift);
    }
    uint8_t *classes = at++;
    *classes = 0;
    for (int c = 0; c < LIMIT_CLASSES; c++) {
        if (!is_used(counters->of[c]))
            continue;
        *classes = (uint8_t)(*classes | 1U << c);
        for (int p = 0; p < ZONE_PERIODS; p++) {
            at = put_number(at, counters->of[c][p].sum);
            at = put_number(at, counters->of[c][p].count);
        }
    }
    return (size_t)(at - packed);
}

static int64_t get_begin(const uint8_t *at)
{
    int64_t ms = 0;
    for (int i = 0; i < BEGIN_BYTES; i++)
        ms = ms << 8 | at[i];
    return ms * 1000;
}

/* Moves `rest` behind it. */
static bool get_number(struct slice *rest, int64_t *number)
{
    uint64_t value = 0;
    for (int i = 0; i < NUMBER_MAX && rest->length > 0; i++) {
        uint8_t byte = (uint8_t)rest->at[0];
        *rest = (struct slice){rest->at + 1, rest->length - 1};
        value |= (uint64_t)(byte & 0x7f) << (7 * i);
        if ((byte & 0x80) == 0) {
            *number = (int64_t)value;
            return true;
        }
    }
    return false;
}

static bool get_class(struct slice *rest, struct limit_count counts[ZONE_PERIODS])
{
    for (int p = 0; p < ZONE_PERIODS; p++)
        if (!get_number(rest, &counts[p].sum) || !get_number(rest, &counts[p].count))
            return false;
    return true;
}

bool limit_unpack(struct slice packed, struct limit_counters *counters)
{
    const uint8_t *at = (const uint8_t *)packed.at;
    *counters = (struct limit_counters){.begins = {0}};
    if (at == NULL)
        return true;
    if (packed.length < HEAD || at[0] != VERSION)
        return false;
    for (int p = 0; p < ZONE_PERIODS; p++)
        counters->begins[p] = get_begin(at + 1 + (size_t)p * BEGIN_BYTES);
    struct slice rest = {packed.at + HEAD, packed.length - HEAD};
    for (int c = 0; c < LIMIT_CLASSES; c++)
        if ((at[HEAD - 1] >> c & 1) != 0 && !get_class(&rest, counters->of[c]))
            return false;
    return rest.length == 0 && at[HEAD - 1] <= LIMIT_ALL;
}

bool limit_unpack_at(struct slice packed, int64_t moment, struct limit_counters *counters)
{
    if (!limit_unpack(packed, counters))
        return false;
    for (int p = 0; p < ZONE_PERIODS; p++)
        if (counters->begins[p] > moment + LIMIT_AHEAD_US)
            return false;
    return true;
}

/* All of it is read only where it matters: one wallet's nonsense must not move its neighbours' day.
 */
int64_t limit_packed_day(struct slice packed, int64_t moment)
{
    struct limit_counters counters;
    if (packed.at == NULL || packed.length < HEAD)
        return 0;
    int64_t day = get_begin((const uint8_t *)packed.at + 1);
    return day <= moment || limit_unpack_at(packed, moment, &counters) ? day : 0;
}

struct limit_calendar limit_calendar_at(int zone, int64_t moment)
{
    struct limit_calendar calendar;
    for (int p = 0; p < ZONE_PERIODS; p++)
        calendar.spans[p] = zone_span(zone, (enum zone_period)p, moment);
    return calendar;
}

int64_t limit_moment(const struct uuid *transaction)
{
    return uuid_milliseconds(transaction) * 1000;
}

void limit_roll(struct limit_counters *counters, const struct limit_calendar *calendar,
                int64_t moment)
{
    for (int p = 0; p < ZONE_PERIODS; p++) {
        if (counters->begins[p] == 0) { /* whatever was sent before wasn't counted */
            counters->begins[p] = moment / 1000 * 1000;
        } else if (counters->begins[p] < calendar->spans[p].start) {
            counters->begins[p] = calendar->spans[p].start;
            for (int c = 0; c < LIMIT_CLASSES; c++)
                counters->of[c][p] = (struct limit_count){0, 0};
        }
    }
}

/* A sum that would not fit stays at the top. */
static int64_t add_up(int64_t sum, int64_t amount)
{
    int64_t total;
    return __builtin_add_overflow(sum, amount, &total) ? INT64_MAX : total;
}

static int64_t take_off(int64_t sum, int64_t amount)
{
    assert(amount >= 0);
    return amount < sum ? sum - amount : 0;
}

void limit_add(struct limit_counters *counters, enum limit_class class, int64_t amount)
{
    assert(amount > 0);
    for (int p = 0; p < ZONE_PERIODS; p++) {
        struct limit_count *counted = &counters->of[class][p];
        assert(counters->begins[p] > 0);
        counted->sum = add_up(counted->sum, amount);
        counted->count = add_up(counted->count, 1);
    }
}

void limit_give_back(struct limit_counters *counters, enum limit_class class, int64_t made,
                     struct limit_count what)
{
    for (int p = 0; p < ZONE_PERIODS; p++) {
        struct limit_count *counted = &counters->of[class][p];
        if (counters->begins[p] == 0 || made < counters->begins[p])
            continue;
        counted->sum = take_off(counted->sum, what.sum);
        counted->count = take_off(counted->count, what.count);
    }
}

bool limit_window_add(struct limit_window *window, const struct limit_move *move)
{
    if (window->count == window->room)
        return false;
    window->moves[window->count++] = *move;
    return true;
}

static int compare_moves(const void *a, const void *b)
{
    const struct limit_move *left = a;
    const struct limit_move *right = b;
    return left->at < right->at ? -1 : left->at > right->at;
}

static bool is_in(const struct limit_cap *cap, const struct limit_move *move, int64_t moment)
{
    return (cap->classes >> move->class & 1) != 0 &&
           move->at > moment - cap->window * INT64_C(1000000);
}

static struct limit_state measure_window(const struct limit_cap *cap,
                                         const struct limit_window *window, int64_t moment)
{
    struct limit_state state = {.resets_at = 0};
    int64_t oldest = INT64_MAX;
    for (size_t i = 0; i < window->count; i++) {
        const struct limit_move *move = &window->moves[i];
        if (!is_in(cap, move, moment))
            continue;
        state.used.sum = add_up(state.used.sum, move->sum);
        state.used.count = add_up(state.used.count, move->count);
        oldest = move->at < oldest ? move->at : oldest;
    }
    if (oldest != INT64_MAX)
        state.resets_at = oldest + cap->window * INT64_C(1000000);
    return state;
}

static int period_of(const struct limit_cap *cap)
{
    assert(cap->period == LIMIT_DAY || cap->period == LIMIT_WEEK || cap->period == LIMIT_MONTH);
    return cap->period == LIMIT_DAY ? ZONE_DAY : cap->period == LIMIT_WEEK ? ZONE_WEEK : ZONE_MONTH;
}

struct limit_state limit_measure(const struct limit_cap *cap, const struct limit_counters *counters,
                                 const struct limit_calendar *calendar, struct limit_window *window,
                                 int64_t moment)
{
    struct limit_state state = {.resets_at = 0};
    if (cap->period == LIMIT_ROLLING)
        return measure_window(cap, window, moment);
    if (cap->period == LIMIT_SINGLE || cap->period == LIMIT_BALANCE)
        return state;
    int p = period_of(cap);
    for (int c = 0; c < LIMIT_CLASSES; c++) {
        if ((cap->classes >> c & 1) == 0)
            continue;
        state.used.sum = add_up(state.used.sum, counters->of[c][p].sum);
        state.used.count = add_up(state.used.count, counters->of[c][p].count);
    }
    state.resets_at = calendar->spans[p].end;
    return state;
}

/* What has a cap against one more? */
static bool breaks(const struct limit_cap *cap, struct limit_count used, int64_t amount,
                   bool *by_count)
{
    bool sum = cap->sum != LIMIT_NONE && add_up(used.sum, amount) > cap->sum;
    *by_count = !sum;
    return sum || (cap->count != LIMIT_NONE && add_up(used.count, 1) > cap->count);
}

/* When the oldest have left the window, enough of them for this amount. 0: it never fits. */
static int64_t passes_at(const struct limit_cap *cap, struct limit_window *window,
                         struct limit_count used, const struct limit_question *asked)
{
    bool by_count;
    qsort(window->moves, window->count, sizeof window->moves[0], compare_moves);
    for (size_t i = 0; i < window->count; i++) {
        const struct limit_move *move = &window->moves[i];
        if (is_in(cap, move, asked->moment)) {
            used.sum -= move->sum;
            used.count -= move->count;
        }
        bool last = i + 1 == window->count || window->moves[i + 1].at != move->at;
        if (last && !breaks(cap, used, asked->amount, &by_count))
            return move->at + cap->window * INT64_C(1000000);
    }
    return 0;
}

/* Would even an empty period refuse it? Then it's no use to wait. */
static bool never_fits(const struct limit_cap *cap, int64_t amount)
{
    bool by_count;
    return breaks(cap, (struct limit_count){0, 0}, amount, &by_count);
}

/* Mostly a movement passes, and nothing more than that is worked out: this runs for every cap of
 * every transfer. */
static bool passes(const struct limit_cap *cap, const struct limit_question *asked)
{
    struct limit_count used = {0, 0};
    bool by_count;
    if (cap->period == LIMIT_ROLLING)
        return false; /* or it doesn't: to be measured */
    if (cap->period != LIMIT_SINGLE) {
        int p = period_of(cap);
        for (int c = 0; c < LIMIT_CLASSES; c++) {
            if ((cap->classes >> c & 1) == 0)
                continue;
            used.sum = add_up(used.sum, asked->counters->of[c][p].sum);
            used.count = add_up(used.count, asked->counters->of[c][p].count);
        }
    }
    return !breaks(cap, used, asked->amount, &by_count);
}

static struct limit_breach check_cap(const struct limit_cap *cap,
                                     const struct limit_question *asked)
{
    struct limit_breach breach = {.cap = NULL};
    struct limit_state state =
        limit_measure(cap, asked->counters, asked->calendar, asked->window, asked->moment);
    if (!breaks(cap, state.used, asked->amount, &breach.by_count))
        return breach;
    breach.cap = cap;
    breach.used = breach.by_count ? state.used.count : state.used.sum;
    breach.limit = breach.by_count ? cap->count : cap->sum;
    breach.resets_at = state.resets_at;
    if (never_fits(cap, asked->amount))
        breach.resets_at = 0;
    else if (cap->period == LIMIT_ROLLING)
        breach.resets_at = passes_at(cap, asked->window, state.used, asked);
    return breach;
}

struct limit_breach limit_check(const struct limit_caps *caps, const struct limit_question *asked)
{
    assert(asked->amount > 0 && (!caps->rolling || asked->window != NULL));
    for (size_t i = 0; i < caps->count; i++) {
        const struct limit_cap *cap = &caps->at[i];
        if (cap->period == LIMIT_BALANCE || (cap->classes >> asked->class & 1) == 0 ||
            passes(cap, asked))
            continue;
        struct limit_breach breach = check_cap(cap, asked);
        if (breach.cap != NULL)
            return breach;
    }
    return (struct limit_breach){.cap = NULL};
}

struct limit_breach limit_check_balance(const struct limit_caps *caps, int64_t posted,
                                        int64_t amount)
{
    assert(amount > 0);
    for (size_t i = 0; i < caps->count; i++) {
        const struct limit_cap *cap = &caps->at[i];
        if (cap->period == LIMIT_BALANCE && add_up(posted, amount) > cap->sum)
            return (struct limit_breach){.cap = cap, .used = posted, .limit = cap->sum};
    }
    return (struct limit_breach){.cap = NULL};
}
