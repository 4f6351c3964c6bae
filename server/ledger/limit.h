/* Limits: how much and how often a wallet may send, by calendar periods of its time zone and in
 * rolling windows, and how much it may hold. Caps in, verdict out: pure, no I/O, no clock.
 *
 * What counts is the amount, not the fee, of what a wallet sends: transfers, withdrawals, and holds
 * when they are made. Given back: a void or expiry all of its hold, a capture what it leaves, a
 * refund or reversal its amount (but not the count); each only to the periods in which the original
 * was counted. The moment of a movement is that of its id, to the millisecond. */
#ifndef LEDGER_LIMIT_H
#define LEDGER_LIMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "base/uuid.h"
#include "base/zone.h"
#include "ledger/transaction.h"

/* What is counted apart. The numbers stand in the database. */
enum limit_class { LIMIT_TRANSFER = 0, LIMIT_WITHDRAWAL = 1, LIMIT_HOLD = 2 };

#define LIMIT_CLASSES 3
#define LIMIT_ALL 7U           /* a bit each */
#define LIMIT_NONE (-1)        /* no cap; no class */
#define LIMIT_CAPS_MAX 32      /* of one tier and currency */
#define LIMIT_WINDOW_MAX 86400 /* seconds */
#define LIMIT_MOVES_MAX 1000   /* in a rolling window, whatever the rule says */

/* The class of a movement that counts; LIMIT_NONE: it doesn't. */
int limit_class_of(enum transaction_kind kind);

enum limit_period {
    LIMIT_SINGLE, /* each movement by itself */
    LIMIT_DAY,
    LIMIT_WEEK,
    LIMIT_MONTH,
    LIMIT_ROLLING, /* the last `window` seconds */
    LIMIT_BALANCE  /* what a wallet may hold */
};

struct limit_cap {
    char code[20];    /* "daily", "rolling_10m" */
    const char *rule; /* "wallet.send@1": lives as long as the bundle */
    enum limit_period period;
    unsigned classes; /* LIMIT_ALL or some of it */
    int32_t window;   /* of LIMIT_ROLLING, seconds */
    int64_t sum;      /* minor units, or LIMIT_NONE */
    int64_t count;    /* or LIMIT_NONE */
};

/* Caps of one tier and currency, in the order in which they are told. */
struct limit_caps {
    const struct limit_cap *at;
    size_t count;
    bool rolling; /* some cap is LIMIT_ROLLING */
};

struct limit_count {
    int64_t sum;
    int64_t count;
};

/* What an account has sent in its current day, week and month. */
struct limit_counters {
    int64_t begins[ZONE_PERIODS]; /* Unix us: counted is what came since; 0: nothing ever was */
    struct limit_count of[LIMIT_CLASSES][ZONE_PERIODS];
};

/* A zone's periods at one moment. */
struct limit_calendar {
    struct zone_span spans[ZONE_PERIODS];
};

/* One movement in a rolling window; what is given back of it is taken off. */
struct limit_move {
    int64_t at; /* Unix us */
    enum limit_class class;
    int64_t sum;
    int64_t count;
};

/* What an account moved in the last 24 hours, in no order. */
struct limit_window {
    struct limit_move *moves;
    size_t count;
    size_t room;
};

/* How far a cap is used. */
struct limit_state {
    struct limit_count used;
    int64_t resets_at; /* Unix us; 0: it has no end */
};

struct limit_breach {
    const struct limit_cap *cap; /* NULL: nothing is broken */
    bool by_count;
    int64_t used;
    int64_t limit;
    int64_t resets_at; /* from then on it would pass, if nothing else is sent; 0: never */
};

/* An account's packed counters: at most so many bytes, some 30 of a wallet that only transfers. */
#define LIMIT_PACKED_MAX 192

/* False: they are no such bytes. {NULL,0}: nothing was counted yet. */
bool limit_unpack(struct slice packed, struct limit_counters *counters);
size_t limit_pack(const struct limit_counters *counters, uint8_t packed[LIMIT_PACKED_MAX]);

/* The same at a moment: they are about no time that is further ahead than servers' clocks can
 * differ. False: nothing may be sent by them. */
#define LIMIT_AHEAD_US (INT64_C(86400) * 1000000)
bool limit_unpack_at(struct slice packed, int64_t moment, struct limit_counters *counters);

/* When the day that they count began: nothing is counted before it any more, whatever a server's
 * clock says. 0: no counters, or none that may be. */
int64_t limit_packed_day(struct slice packed, int64_t moment);

struct limit_calendar limit_calendar_at(int zone, int64_t moment);

/* The moment of a transaction, by its id. */
int64_t limit_moment(const struct uuid *transaction);

/* Start afresh the periods that are over. */
void limit_roll(struct limit_counters *counters, const struct limit_calendar *calendar,
                int64_t moment);

/* Count a movement, or give back something of one that was made at `made`. Rolled before. */
void limit_add(struct limit_counters *counters, enum limit_class class, int64_t amount);
void limit_give_back(struct limit_counters *counters, enum limit_class class, int64_t made,
                     struct limit_count what);

/* The same in the windows. False: there is no room. */
bool limit_window_add(struct limit_window *window, const struct limit_move *move);

/* What a cap is used at the moment; counters are rolled; `window` may be NULL unless it's rolling.
 */
struct limit_state limit_measure(const struct limit_cap *cap, const struct limit_counters *counters,
                                 const struct limit_calendar *calendar, struct limit_window *window,
                                 int64_t moment);

/* A movement that asks to be made. */
struct limit_question {
    enum limit_class class;
    int64_t amount;
    int64_t moment;
    const struct limit_calendar *calendar;
    const struct limit_counters *counters; /* rolled */
    struct limit_window *window;           /* NULL only when no cap is rolling */
};

/* The first cap that it would break. */
struct limit_breach limit_check(const struct limit_caps *caps, const struct limit_question *asked);

/* May a wallet hold so much? */
struct limit_breach limit_check_balance(const struct limit_caps *caps, int64_t posted,
                                        int64_t amount);

#endif
