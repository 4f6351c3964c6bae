/* Limits of an order: what speaks against it, and what it counts. */
#include <assert.h>

#include "base/log.h"
#include "posting/order.h"
#include "posting/order_kind.h"
#include "scripting/bundle.h"

/* The periods at a moment. A day lies in one week and one month. */
static const struct limit_calendar *calendar_of(struct order_ink *ink, int zone, int64_t moment)
{
    const struct zone_span *day = &ink->calendar.spans[ZONE_DAY];
    if (ink->zone != zone || moment < day->start || moment >= day->end) {
        ink->calendar = limit_calendar_at(zone, moment);
        ink->zone = zone;
    }
    return &ink->calendar;
}

static void tell_unreadable(const struct account *account)
{
    char id[UUID_TEXT_MAX];
    uuid_format(&account->id, "wal_", id);
    log_message(LOG_ERROR, "counters_unreadable",
                "%s: what it has sent can't be read, so nothing is: moolah ledger verify, then "
                "docs/limits.md",
                id);
}

/* Its counters, unpacked. False: out of memory. What can't be read is nobody's to count with, this
 * order's or the next one's. */
static bool open_counters(struct decision *d, struct account *account, struct arena *arena)
{
    if (account->counters != NULL)
        return true;
    struct limit_counters *counters = arena_alloc(arena, sizeof *counters);
    if (counters == NULL)
        return false;
    if (limit_unpack_at(account->packed, d->terms->now, counters)) {
        account->counters = counters;
        return true;
    }
    d->unsound = true;
    tell_unreadable(account);
    return true;
}

static const struct limit_caps *caps_of(const struct decision *d, const struct account *account)
{
    static const struct limit_caps none = {NULL, 0, false};
    if (d->terms->bundle == NULL || account->kind != ACCOUNT_WALLET)
        return &none;
    return bundle_caps(d->terms->bundle, account->tier, account->currency);
}

/* A payer learns nothing of what the other has. */
static void check_balance(struct decision *d)
{
    const struct account *to = d->transfer.to;
    struct limit_breach breach =
        limit_check_balance(caps_of(d, to), to->posted, d->transfer.amount.minor);
    if (breach.cap == NULL)
        return;
    d->refusal = REFUSAL_RECIPIENT_CANNOT_RECEIVE;
    if (d->order->kind == TRANSACTION_DEPOSIT) {
        d->refusal = REFUSAL_LIMIT_EXCEEDED;
        d->breach = breach;
    }
}

bool order_limit_check(struct decision *d, struct order_ink *ink)
{
    struct account *from = d->transfer.from;
    int class = limit_class_of(d->order->kind);
    if (class == LIMIT_NONE) {
        if (d->order->kind == TRANSACTION_DEPOSIT)
            check_balance(d);
        return true;
    }
    const struct limit_caps *caps = caps_of(d, from);
    if (!open_counters(d, from, ink->arena))
        return false;
    if (d->unsound)
        return true;
    const struct limit_question question = {
        .class = (enum limit_class) class,
        .amount = d->transfer.amount.minor,
        .moment = d->terms->now,
        .calendar = calendar_of(ink, from->zone, d->terms->now),
        .counters = from->counters,
        .window = from->window,
    };
    limit_roll(from->counters, question.calendar, d->terms->now);
    d->breach = limit_check(caps, &question);
    if (d->breach.cap != NULL)
        d->refusal = REFUSAL_LIMIT_EXCEEDED;
    else
        check_balance(d);
    return true;
}

/* Whose counters this kind of movement changes. */
static struct account *find_counted(const struct decision *d)
{
    switch (d->order->kind) {
    case TRANSACTION_TRANSFER:
    case TRANSACTION_WITHDRAWAL:
    case TRANSACTION_HOLD:
    case TRANSACTION_CAPTURE:
    case TRANSACTION_PURCHASE:
    case TRANSACTION_VOID:
    case TRANSACTION_EXPIRY:
        return d->transfer.from;
    case TRANSACTION_REFUND:
    case TRANSACTION_REVERSAL:
        return d->transfer.to;
    case TRANSACTION_DEPOSIT:
        break;
    }
    return NULL;
}

bool order_limit_prepare(struct decision *d, struct order_ink *ink)
{
    struct account *account = find_counted(d);
    bool counts = limit_class_of(d->order->kind) != LIMIT_NONE;
    if (account == NULL || account->kind != ACCOUNT_WALLET)
        return true;
    if (!counts && account->packed.at == NULL && account->counters == NULL)
        return true; /* nothing of it was ever counted */
    if (!open_counters(d, account, ink->arena))
        return false;
    d->counted = d->unsound ? NULL : account; /* what can't be read isn't made worse */
    return true;
}

/* What a movement gives back, of one that was made when and counted as what. */
struct back {
    enum limit_class class;
    int64_t made;
    struct limit_count what;
};

static struct back find_back(const struct decision *d)
{
    const struct posting_subject *subject = &d->order->subject;
    const struct hold *hold = &d->subject->hold;
    int64_t amount = d->transfer.amount.minor;
    struct back back = {.class = LIMIT_HOLD, .made = limit_moment(&d->subject->id)};
    if (d->order->kind == TRANSACTION_VOID || d->order->kind == TRANSACTION_EXPIRY) {
        back.what = (struct limit_count){hold->amount, 1};
    } else if (!transaction_gives_back(d->order->kind)) {
        back.what = (struct limit_count){hold->amount - amount, 0};
    } else {
        back.what = (struct limit_count){amount, 0};
        if (subject->kind == TRANSACTION_TRANSFER)
            back.class = LIMIT_TRANSFER;
        else if (subject->kind == TRANSACTION_WITHDRAWAL)
            back.class = LIMIT_WITHDRAWAL;
        else if (!uuid_is_nil(&d->subject->hold_id)) /* counted when it was authorized */
            back.made = limit_moment(&d->subject->hold_id);
    }
    return back;
}

static void note_move(struct account *account, const struct limit_move *move)
{
    bool room = account->window == NULL || limit_window_add(account->window, move);
    assert(room);
}

void order_limit_count(struct decision *d, struct order_ink *ink, const struct uuid *id)
{
    struct account *account = d->counted;
    int class = limit_class_of(d->order->kind);
    int64_t moment = limit_moment(id);
    if (account == NULL)
        return;
    limit_roll(account->counters, calendar_of(ink, account->zone, moment), moment);
    account->counted = true;
    if (class != LIMIT_NONE) {
        int64_t amount = d->transfer.amount.minor;
        limit_add(account->counters, (enum limit_class) class, amount);
        note_move(account, &(struct limit_move){moment, (enum limit_class) class, amount, 1});
        return;
    }
    const struct back back = find_back(d);
    limit_give_back(account->counters, back.class, back.made, back.what);
    note_move(account,
              &(struct limit_move){back.made, back.class, -back.what.sum, -back.what.count});
}
