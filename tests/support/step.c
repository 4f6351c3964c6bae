#include "support/step.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ledger/money.h"
#include "support/model.h"

/* In a crowd nobody has a limit on what is in a wallet: it is looked at when a hold is made, but
 * the order of that and of what comes in can't be seen afterwards. */
const int step_tiers[2][STEP_USERS] = {{0, 1, 2}, {3, 1, 0}};

const char *const step_currencies[STEP_CURRENCIES] = {"ZAR", "USD", "EUR", "GBP"};

static const char *const names[STEP_KINDS] = {
    "deposit", "withdrawal", "transfer", "hold",      "bulk",   "capture", "void",
    "refund",  "reversal",   "freeze",   "unfreeze",  "tier",   "open",    "close",
    "repeat",  "alter",      "balance",  "statement", "limits", "holds",   "look",
};

static const char *const flaws[STEP_FLAWS] = {
    "sound",         "no key",    "bad key",     "half of its JSON", "a member twice",
    "unknown field", "zero",      "negative",    "fraction",         "exponent",
    "text",          "too large", "no currency", "bad wallet",       "bad content type",
    "bad token",     "no token",
};

/* How often, of all. What few happen must happen all the same. */
static const int usual[STEP_KINDS] = {
    [STEP_DEPOSIT] = 14, [STEP_WITHDRAWAL] = 7, [STEP_TRANSFER] = 22, [STEP_HOLD] = 12,
    [STEP_BULK] = 5,     [STEP_CAPTURE] = 10,   [STEP_VOID] = 5,      [STEP_REFUND] = 12,
    [STEP_REVERSAL] = 5, [STEP_FREEZE] = 1,     [STEP_UNFREEZE] = 3,  [STEP_TIER] = 3,
    [STEP_OPEN] = 1,     [STEP_CLOSE] = 2,      [STEP_REPEAT] = 6,    [STEP_ALTER] = 2,
    [STEP_BALANCE] = 8,  [STEP_STATEMENT] = 4,  [STEP_LIMITS] = 4,    [STEP_HOLDS] = 3,
    [STEP_LOOK] = 5,
};
static const int crowd[STEP_KINDS] = {
    [STEP_DEPOSIT] = 10, [STEP_WITHDRAWAL] = 7, [STEP_TRANSFER] = 22, [STEP_HOLD] = 12,
    [STEP_BULK] = 4,     [STEP_CAPTURE] = 12,   [STEP_VOID] = 6,      [STEP_REFUND] = 12,
    [STEP_REVERSAL] = 4, [STEP_REPEAT] = 8,
};

#define CROWD 32 /* steps that are under way at once */

/* A walk while it is made. */
struct walk {
    struct step *steps;
    int at;
    unsigned dice;
    bool crowded;
    int owners[STEP_WALLETS];
    int currencies[STEP_WALLETS];
    int wallets;        /* so many there may be by now */
    struct model model; /* what has become of the steps before, if all are walked */
};

static int below(struct walk *walk, int count)
{
    return rand_r(&walk->dice) % count;
}

static bool one_in(struct walk *walk, int count)
{
    return below(walk, count) == 0;
}

static enum step_kind choose_kind(struct walk *walk)
{
    const int *weights = walk->crowded ? crowd : usual;
    int all = 0;
    int kind = 0;
    for (int i = 0; i < STEP_KINDS; i++)
        all += weights[i];
    for (int left = below(walk, all); left >= weights[kind]; kind++)
        left -= weights[kind];
    return (enum step_kind)kind;
}

/* Mostly what fits; the edges of rules and limits; now and then more than anybody has. */
static int64_t choose_amount(struct walk *walk)
{
    static const int64_t edges[] = {1,     2,     24,    25,    10000, 10001,  20000,
                                    50000, 50001, 40000, 90000, 99999, 1000000};
    int how = below(walk, 12);
    if (how == 0)
        return edges[below(walk, (int)(sizeof edges / sizeof edges[0]))];
    if (how == 1)
        return one_in(walk, 12) ? MONEY_MAX - below(walk, 3) : 60000 + below(walk, 300000);
    return how < 7 ? 1 + below(walk, 3000) : 1 + below(walk, 25000);
}

static int choose_wallet(struct walk *walk)
{
    return one_in(walk, 40) ? STEP_NOBODYS : below(walk, walk->wallets);
}

static int owner_of(const struct walk *walk, int wallet)
{
    return wallet < STEP_WALLETS ? walk->owners[wallet] : 0;
}

static int choose_currency(struct walk *walk, int wallet)
{
    if (one_in(walk, 30))
        return below(walk, STEP_CURRENCIES);
    return wallet < STEP_WALLETS ? walk->currencies[wallet] : STEP_ZAR;
}

/* Two wallets, mostly of one currency. */
static void choose_parties(struct walk *walk, struct step_item *item)
{
    item->from = choose_wallet(walk);
    item->currency = choose_currency(walk, item->from);
    item->amount = choose_amount(walk);
    for (int tries = 0; tries < 9; tries++) {
        item->to = choose_wallet(walk);
        if (item->to != item->from && item->to < STEP_WALLETS &&
            walk->currencies[item->to] == item->currency)
            return;
    }
}

/* Could the step have something to be about? */
static bool is_worth(const struct walk *walk, enum step_kind kind, int earlier)
{
    const struct model_deed *deed = &walk->model.deeds[earlier];
    if (kind == STEP_CAPTURE || kind == STEP_VOID)
        return deed->made && deed->hold == MODEL_OPEN;
    if (kind == STEP_REFUND || kind == STEP_REVERSAL)
        return deed->made && deed->amount > deed->refunded && !deed->reversed;
    return deed->made || deed->kept;
}

/* One of the last steps of these kinds. In a crowd the very last ones have no answer yet. */
static int choose_earlier(struct walk *walk, enum step_kind kind, unsigned kinds)
{
    bool careful = !one_in(walk, 6);
    int last = walk->crowded && !one_in(walk, 10) ? walk->at - CROWD : walk->at;
    for (int tries = 0; tries < 80 && last > 0; tries++) {
        int earlier = last - 1 - below(walk, last < 40 ? last : 40);
        if ((kinds >> walk->steps[earlier].kind & 1U) != 0 &&
            (!careful || is_worth(walk, kind, earlier)))
            return earlier;
    }
    return STEP_NONE;
}

#define KIND(kind) (1U << (kind))
#define MOVEMENTS                                                                            \
    (KIND(STEP_DEPOSIT) | KIND(STEP_WITHDRAWAL) | KIND(STEP_TRANSFER) | KIND(STEP_CAPTURE) | \
     KIND(STEP_REFUND))

/* Who it is mostly up to. A capture's parties are its hold's. */
static int rightful(const struct walk *walk, const struct step *step)
{
    const struct step *of = step->of == STEP_NONE ? NULL : &walk->steps[step->of];
    while (of != NULL && of->kind == STEP_CAPTURE)
        of = of->of == STEP_NONE ? NULL : &walk->steps[of->of];
    if (of == NULL)
        return 0;
    bool receiver = step->kind == STEP_REFUND;
    if (of->kind == STEP_REFUND || of->kind == STEP_WITHDRAWAL)
        return STEP_PARTNER;
    return owner_of(walk, receiver ? of->to : of->from);
}

static void fill_sequel(struct walk *walk, struct step *step)
{
    unsigned kinds = step->kind == STEP_LOOK ? MOVEMENTS | KIND(STEP_HOLD)
                     : step->kind == STEP_REFUND || step->kind == STEP_REVERSAL ? MOVEMENTS
                                                                                : KIND(STEP_HOLD);
    if (step->kind == STEP_REFUND && !one_in(walk, 6))
        kinds = KIND(STEP_TRANSFER) | KIND(STEP_CAPTURE);
    step->of = one_in(walk, 25) ? STEP_NONE : choose_earlier(walk, step->kind, kinds);
    step->caller = rightful(walk, step);
    step->flag = one_in(walk, 2);
    step->amount = one_in(walk, 3) ? 0 : choose_amount(walk);
    if (step->kind != STEP_CAPTURE && step->kind != STEP_REFUND)
        step->amount = 0;
    if (one_in(walk, 8))
        step->caller = below(walk, STEP_PARTNER + 1);
    if (step->kind == STEP_REVERSAL)
        step->caller = STEP_OPERATOR;
}

static void fill_movement(struct walk *walk, struct step *step)
{
    struct step_item item;
    choose_parties(walk, &item);
    step->from = item.from;
    step->to = item.to;
    step->currency = item.currency;
    step->amount = item.amount;
    step->caller = owner_of(walk, step->from);
    if (step->kind == STEP_DEPOSIT) {
        step->to = step->from;
        step->amount = one_in(walk, 3) ? step->amount : 5000 + below(walk, 60000);
    }
    bool partners = step->kind == STEP_DEPOSIT || step->kind == STEP_WITHDRAWAL;
    if (partners || (step->kind == STEP_HOLD && one_in(walk, 6)))
        step->caller = STEP_PARTNER;
    if (one_in(walk, 25))
        step->caller = below(walk, STEP_PARTNER + 1);
}

static void fill_bulk(struct walk *walk, struct step *step)
{
    step->item_count = 1 + below(walk, STEP_ITEMS_MAX);
    step->caller = one_in(walk, 3) ? STEP_PARTNER : below(walk, STEP_USERS);
    step->flag = one_in(walk, 2);
    for (int i = 0; i < step->item_count; i++) {
        choose_parties(walk, &step->items[i]);
        for (int tries = 0; step->caller < STEP_USERS && tries < 6 &&
                            owner_of(walk, step->items[i].from) != step->caller;
             tries++)
            choose_parties(walk, &step->items[i]);
    }
}

static void fill_open(struct walk *walk, struct step *step)
{
    if (walk->wallets == STEP_WALLETS) { /* no room for more */
        step->kind = STEP_BALANCE;
        step->from = choose_wallet(walk);
        step->caller = owner_of(walk, step->from);
        return;
    }
    step->to = walk->wallets++;
    step->caller = below(walk, STEP_USERS);
    step->currency = one_in(walk, 6) ? STEP_EUR : below(walk, STEP_EUR);
    walk->owners[step->to] = step->caller;
    walk->currencies[step->to] = step->currency;
}

/* Readings, and what operators and owners do. */
static void fill_rest(struct walk *walk, struct step *step)
{
    step->from = choose_wallet(walk);
    if (step->kind == STEP_CLOSE &&
        one_in(walk, 2)) /* the newest: perhaps there is nothing in it */
        step->from = walk->wallets - 1;
    step->caller = owner_of(walk, step->from);
    if (step->kind == STEP_FREEZE || step->kind == STEP_UNFREEZE || step->kind == STEP_TIER) {
        step->from = below(walk, STEP_USERS);
        step->amount = below(walk, 4);
        step->caller = STEP_OPERATOR;
    } else if (one_in(walk, 12)) {
        step->caller = below(walk, STEP_PARTNER + 1);
    }
    if (step->kind == STEP_STATEMENT)
        step->amount = 1 + below(walk, 5); /* lines */
}

static void fill(struct walk *walk, struct step *step)
{
    switch (step->kind) {
    case STEP_DEPOSIT:
    case STEP_WITHDRAWAL:
    case STEP_TRANSFER:
    case STEP_HOLD:
        fill_movement(walk, step);
        return;
    case STEP_BULK:
        fill_bulk(walk, step);
        return;
    case STEP_CAPTURE:
    case STEP_VOID:
    case STEP_REFUND:
    case STEP_REVERSAL:
    case STEP_LOOK:
        fill_sequel(walk, step);
        return;
    case STEP_REPEAT:
    case STEP_ALTER:
        step->of = choose_earlier(walk, step->kind,
                                  MOVEMENTS | KIND(STEP_HOLD) | KIND(STEP_VOID) |
                                      KIND(STEP_REVERSAL) | KIND(STEP_BULK) | KIND(STEP_OPEN));
        return;
    case STEP_OPEN:
        fill_open(walk, step);
        return;
    case STEP_FREEZE:
    case STEP_UNFREEZE:
    case STEP_TIER:
    case STEP_CLOSE:
    case STEP_BALANCE:
    case STEP_STATEMENT:
    case STEP_LIMITS:
    case STEP_HOLDS:
    case STEP_KINDS:
        fill_rest(walk, step);
        return;
    }
}

/* What is wrong with it must be the only thing to say no to it before anything is looked up. */
static void spoil(struct walk *walk, struct step *step)
{
    bool amount = step->kind <= STEP_HOLD || (step->kind == STEP_CAPTURE && step->amount > 0) ||
                  (step->kind == STEP_REFUND && step->amount > 0);
    bool partners = step->kind == STEP_DEPOSIT || step->kind == STEP_WITHDRAWAL;
    if (step->kind > STEP_REVERSAL || step->kind == STEP_VOID || !one_in(walk, 12))
        return;
    step->flaw = (enum step_flaw)(1 + below(walk, STEP_FLAWS - 1));
    if (step->flaw >= STEP_ZERO && step->flaw <= STEP_TOO_LARGE && !amount)
        step->flaw = STEP_NO_KEY;
    if ((step->flaw == STEP_NO_CURRENCY || step->flaw == STEP_BAD_WALLET) && step->kind > STEP_HOLD)
        step->flaw = STEP_UNKNOWN_FIELD;
    if (partners)
        step->caller = STEP_PARTNER;
    else if (step->kind == STEP_TRANSFER && step->caller == STEP_PARTNER)
        step->caller = 0;
}

/* Wallets as a world has them. */
static void open_model(struct walk *walk, const struct step *const *by_serial, size_t count)
{
    model_init(&walk->model, by_serial, count);
    for (int i = 0; i < STEP_OPENED; i++) {
        struct model_wallet *wallet = &walk->model.wallets[i];
        snprintf(wallet->id, sizeof wallet->id, "wal_%d", i);
        wallet->owner = walk->owners[i];
        wallet->currency = walk->currencies[i];
    }
    for (int i = 0; i < STEP_USERS; i++)
        walk->model.users[i].tier = step_tiers[walk->crowded][i];
}

static void look_on(struct walk *walk, const struct step *step)
{
    static struct model_expected expected;
    model_expect(&walk->model, step, &expected);
    if (step->kind == STEP_OPEN && expected.status == 201)
        snprintf(walk->model.wallets[step->to].id, sizeof walk->model.wallets[step->to].id,
                 "wal_%d", step->to);
}

static void make_step(struct walk *walk, struct step *step)
{
    bool first = walk->at < STEP_OPENED; /* something to begin with */
    step->serial = walk->at;
    step->of = STEP_NONE;
    step->kind = first ? STEP_DEPOSIT : choose_kind(walk);
    fill(walk, step);
    if (!first) {
        spoil(walk, step);
        return;
    }
    step->to = step->from = walk->at;
    step->currency = walk->currencies[walk->at];
    step->amount = 20000 + below(walk, 100000);
    step->caller = STEP_PARTNER;
}

void step_generate(struct step *steps, size_t count, unsigned seed, bool crowded)
{
    struct walk walk = {.steps = steps,
                        .dice = seed,
                        .crowded = crowded,
                        .owners = {0, 1, 2, 0, 0, 1},
                        .currencies = {0, 0, 0, STEP_ZAR, STEP_USD, STEP_USD},
                        .wallets = STEP_OPENED};
    const struct step **by_serial = calloc(count, sizeof(struct step *));
    if (by_serial == NULL)
        abort();
    memset(steps, 0, count * sizeof steps[0]);
    open_model(&walk, by_serial, count);
    for (walk.at = 0; walk.at < (int)count; walk.at++) {
        by_serial[walk.at] = &steps[walk.at];
        make_step(&walk, &steps[walk.at]);
        look_on(&walk, &steps[walk.at]);
    }
    model_release(&walk.model);
    free((void *)by_serial);
}

const char *step_name(enum step_kind kind)
{
    return names[kind];
}

const char *step_flaw_name(enum step_flaw flaw)
{
    return flaws[flaw];
}
