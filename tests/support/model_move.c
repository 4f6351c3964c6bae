#include "support/model_move.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ledger/money.h"

/* A movement that asks to be made, and what became of it. */
struct move {
    enum step_kind kind;
    int serial, item;
    int caller;
    int from, to;
    int currency;
    int64_t amount, fee;
    bool refundable;
    bool priced;
    const char *refusal;               /* NULL: none */
    const struct model_rules_cap *cap; /* the limit that was broken */
    bool by_count;
    int64_t remaining; /* of a hold or original, when more was asked for */
    int64_t available; /* when it was refused */
};

static bool is_there(const struct model *model, int wallet)
{
    return wallet == MODEL_SETTLEMENT || model->wallets[wallet].id[0] != '\0';
}

static int owner_of(const struct model *model, int wallet)
{
    return wallet == MODEL_SETTLEMENT ? STEP_NONE : model->wallets[wallet].owner;
}

static bool is_closed(const struct model *model, int wallet)
{
    return wallet != MODEL_SETTLEMENT && model->wallets[wallet].closed;
}

bool model_move_is_frozen(const struct model *model, int wallet)
{
    return wallet != MODEL_SETTLEMENT && !model->wallets[wallet].closed &&
           model->users[model->wallets[wallet].owner].frozen;
}

static int64_t available(const struct model *model, int wallet)
{
    return model->wallets[wallet].posted - model->wallets[wallet].held;
}

/* Who and what: before anything is priced. */
static const char *refuse_parties(const struct model *model, const struct move *move)
{
    if (move->currency == STEP_GBP &&
        (move->from == MODEL_SETTLEMENT || move->to == MODEL_SETTLEMENT))
        return "currency_mismatch"; /* there is no settlement in it */
    if (!is_there(model, move->from) ||
        (model_is_user(move->caller) && owner_of(model, move->from) != move->caller))
        return "wallet_not_found";
    if (!is_there(model, move->to))
        return "recipient_not_found";
    if (move->from == move->to)
        return "same_wallet";
    if (is_closed(model, move->from))
        return "wallet_closed";
    if (model_move_is_frozen(model, move->from))
        return "wallet_frozen";
    if (is_closed(model, move->to))
        return "recipient_cannot_receive";
    if (model->lie == MODEL_FROZEN_ARE_DEAF && model_move_is_frozen(model, move->to))
        return "recipient_cannot_receive";
    if ((move->from >= 0 && model->wallets[move->from].currency != move->currency) ||
        (move->to >= 0 && model->wallets[move->to].currency != move->currency))
        return "currency_mismatch";
    return NULL;
}

static const char *price(const struct model *model, struct move *move)
{
    struct model_rules_fee fee;
    if (move->kind == STEP_DEPOSIT)
        return NULL;
    int payer = owner_of(model, move->from);
    move->priced = true;
    if (!model_rules_price(move->kind == STEP_WITHDRAWAL, move->currency, model->users[payer].tier,
                           payer == owner_of(model, move->to), move->amount, &fee))
        return "rule_failed";
    move->fee = fee.amount;
    move->refundable = fee.refundable;
    return NULL;
}

static bool overfills(const struct model *model, int to, int64_t amount)
{
    return to != MODEL_SETTLEMENT && model->wallets[to].posted > MONEY_MAX - amount;
}

static int class_of(enum step_kind kind)
{
    if (kind == STEP_HOLD)
        return MODEL_RULES_HOLD;
    return kind == STEP_WITHDRAWAL ? MODEL_RULES_WITHDRAWAL : MODEL_RULES_TRANSFER;
}

int64_t model_move_used(const struct model_wallet *wallet, const struct model_rules_cap *cap,
                        bool count)
{
    int64_t used = 0;
    if (cap->over == MODEL_RULES_BALANCE)
        return wallet->posted > 0 ? wallet->posted : 0;
    for (int class = 0; cap->over == MODEL_RULES_PERIOD && class < MODEL_RULES_CLASSES; class ++)
        if ((cap->classes >> class & 1) != 0)
            used += count ? wallet->movements[class] : wallet->sent[class];
    return used;
}

static bool breaks(const struct model_wallet *from, struct move *move,
                   const struct model_rules_cap *cap)
{
    move->by_count = false;
    if (cap->sum > 0 && model_move_used(from, cap, false) + move->amount > cap->sum)
        return true;
    move->by_count = true;
    return cap->count > 0 && model_move_used(from, cap, true) + 1 > cap->count;
}

static int tier_of(const struct model *model, const struct model_wallet *wallet)
{
    return model->users[wallet->owner].tier;
}

static const char *refuse_sending(const struct model *model, struct move *move)
{
    const struct model_wallet *from = &model->wallets[move->from];
    if (from->currency != STEP_ZAR)
        return NULL;
    for (const struct model_rules_cap *cap = model_rules_caps; cap->which != NULL; cap++) {
        if (cap->tier != tier_of(model, from) || cap->over == MODEL_RULES_BALANCE ||
            (cap->classes >> class_of(move->kind) & 1) == 0 || !breaks(from, move, cap))
            continue;
        move->cap = cap;
        return "limit_exceeded";
    }
    return NULL;
}

static const char *refuse_receiving(const struct model *model, struct move *move)
{
    const struct model_wallet *to = &model->wallets[move->to < 0 ? 0 : move->to];
    if (move->to < 0 || to->currency != STEP_ZAR)
        return NULL;
    for (const struct model_rules_cap *cap = model_rules_caps; cap->which != NULL; cap++) {
        if (cap->tier != tier_of(model, to) || cap->over != MODEL_RULES_BALANCE ||
            to->posted + move->amount <= cap->sum)
            continue;
        if (move->kind != STEP_DEPOSIT) /* what the other has is not told */
            return "recipient_cannot_receive";
        move->cap = cap;
        move->by_count = false;
        return "limit_exceeded";
    }
    return NULL;
}

static const char *refuse_limits(const struct model *model, struct move *move)
{
    const char *refusal = move->kind == STEP_DEPOSIT ? NULL : refuse_sending(model, move);
    return refusal != NULL ? refusal : refuse_receiving(model, move);
}

/* A deposit, withdrawal, transfer or hold. */
static const char *refuse(const struct model *model, struct move *move)
{
    const char *refusal = refuse_parties(model, move);
    if (refusal == NULL)
        refusal = price(model, move);
    if (refusal != NULL)
        return refusal;
    if (move->from >= 0 && available(model, move->from) < move->amount + move->fee)
        return "insufficient_funds";
    if (move->kind != STEP_HOLD && overfills(model, move->to, move->amount))
        return "recipient_cannot_receive";
    return refuse_limits(model, move);
}

/* The wallet's next line. */
static void touch(struct model *model, const struct move *move, int wallet, int64_t change,
                  int64_t held)
{
    if (wallet == MODEL_SETTLEMENT)
        return;
    struct model_wallet *w = &model->wallets[wallet];
    w->posted += change;
    w->held += held;
    if ((size_t)w->version == w->room) {
        w->room = 2 * w->room + 16;
        w->lines = realloc(w->lines, w->room * sizeof w->lines[0]);
        if (w->lines == NULL)
            abort();
    }
    w->lines[w->version++] = (struct model_line){.serial = move->serial,
                                                 .item = move->item,
                                                 .kind = move->kind,
                                                 .amount = move->amount,
                                                 .fee = move->fee,
                                                 .change = change,
                                                 .held_change = held,
                                                 .posted = w->posted,
                                                 .held = w->held};
}

static struct model_deed *note(struct model *model, const struct move *move)
{
    struct model_deed *deed = &model->deeds[move->serial];
    deed->made = move->item == STEP_NONE; /* a bulk's items are nobody's to refer to */
    deed->kind = move->kind;
    deed->caller = move->caller;
    deed->from = move->from;
    deed->to = move->to;
    deed->currency = move->currency;
    deed->amount = move->amount;
    deed->fee = move->fee;
    deed->refundable = move->refundable;
    deed->hold = move->kind == STEP_HOLD ? MODEL_OPEN : MODEL_NO_HOLD;
    deed->order = ++model->orders;
    return deed;
}

static void make(struct model *model, const struct move *move)
{
    int64_t total = move->amount + move->fee;
    note(model, move);
    if (move->kind == STEP_HOLD) {
        touch(model, move, move->from, 0, total);
    } else {
        touch(model, move, move->from, -total, 0);
        touch(model, move, move->to, move->amount, 0);
    }
    if (move->from >= 0) {
        model->wallets[move->from].sent[class_of(move->kind)] += move->amount;
        model->wallets[move->from].movements[class_of(move->kind)]++;
    }
}

static void give_back(struct model *model, int wallet, int class, int64_t sum)
{
    if (wallet == MODEL_SETTLEMENT)
        return;
    int64_t *sent = &model->wallets[wallet].sent[class];
    *sent = *sent > sum ? *sent - sum : 0;
}

static void tell_limit(const struct model *model, const struct move *move, struct model_expected *e)
{
    const struct model_rules_cap *cap = move->cap;
    int64_t limit = move->by_count ? cap->count : cap->sum;
    model_member(e, "which", "%s%s", cap->which, move->by_count ? "_count" : "");
    model_number(e, "limit", limit);
    /* what is in a wallet, and what was sent from it, is no partner's business */
    if (cap->over == MODEL_RULES_BALANCE || !model_is_user(move->caller)) {
        model_member(e, "used", "absent");
        model_member(e, "remaining", "absent");
        return;
    }
    int64_t used = model_move_used(&model->wallets[move->from], cap, move->by_count);
    model_number(e, "used", used);
    model_number(e, "remaining", used < limit ? limit - used : 0);
    bool never = cap->over == MODEL_RULES_SINGLE || (cap->sum > 0 && move->amount > cap->sum);
    if (never)
        model_member(e, "resets_at", "absent");
}

static void tell_refusal(const struct model *model, const struct move *move,
                         struct model_expected *e)
{
    bool user = model_is_user(move->caller);
    model_refuse(e, move->refusal);
    e->kept = strcmp(move->refusal, "rule_failed") != 0 && strcmp(move->refusal, "forbidden") != 0;
    if (strcmp(move->refusal, "insufficient_funds") == 0) {
        if (user)
            model_number(e, "available", available(model, move->from));
        if (user && move->priced)
            model_number(e, "fee", move->fee);
        else
            model_member(e, "fee", "absent");
        if (!user)
            model_member(e, "available", "absent");
    }
    if (move->cap != NULL)
        tell_limit(model, move, e);
    if (strcmp(move->refusal, "capture_exceeds_hold") == 0 ||
        strcmp(move->refusal, "refund_exceeds_original") == 0)
        model_number(e, "remaining", move->remaining);
}

static void tell_party(const struct model *model, struct model_expected *e, const char *path,
                       int wallet)
{
    if (wallet == MODEL_SETTLEMENT)
        model_member(e, path, "null");
    else
        model_member(e, path, "%s", model_wallet_id(model, wallet));
}

static void tell_receipt(const struct model *model, const struct move *move,
                         struct model_expected *e)
{
    e->status = move->kind == STEP_VOID ? 200 : 201;
    e->kept = true;
    model_member(e, "kind", "%s", step_name(move->kind));
    model_member(e, "status", move->kind == STEP_HOLD ? "open" : "posted");
    model_number(e, "amount", move->amount);
    model_number(e, "fee", move->fee);
    model_member(e, "currency", "%s", step_currencies[move->currency]);
    tell_party(model, e, "from", move->from);
    tell_party(model, e, "to", move->to);
    if (move->kind == STEP_DEPOSIT || !model_is_user(move->caller)) {
        model_member(e, "balance", "absent");
        return;
    }
    model_number(e, "balance.posted", model->wallets[move->from].posted);
    model_number(e, "balance.held", model->wallets[move->from].held);
    model_number(e, "balance.available", available(model, move->from));
}

static void tell(const struct model *model, const struct move *move, struct model_expected *e)
{
    if (move->refusal == NULL)
        tell_receipt(model, move, e);
    else
        tell_refusal(model, move, e);
}

static void expect_plain(struct model *model, const struct step *step, struct model_expected *e)
{
    struct move move = {.kind = step->kind,
                        .serial = step->serial,
                        .item = STEP_NONE,
                        .caller = step->caller,
                        .from = step->kind == STEP_DEPOSIT ? MODEL_SETTLEMENT : step->from,
                        .to = step->kind == STEP_WITHDRAWAL ? MODEL_SETTLEMENT : step->to,
                        .currency = step->currency,
                        .amount = step->amount};
    bool partners = step->kind == STEP_DEPOSIT || step->kind == STEP_WITHDRAWAL;
    bool users = step->kind == STEP_TRANSFER;
    if ((partners && model_is_user(step->caller)) || (users && !model_is_user(step->caller))) {
        model_refuse(e, "forbidden");
        return;
    }
    move.refusal = refuse(model, &move);
    if (move.refusal == NULL)
        make(model, &move);
    tell(model, &move, e);
    if (move.refusal == NULL && move.kind == STEP_HOLD) {
        model_number(e, "captured", 0);
        model_member(e, "finished_by", "null");
    }
}

/* What a bulk's item is told. */
static void tell_item(const struct move *move, bool undone, struct model_expected *e)
{
    char path[40];
    bool told = move->refusal != NULL && strcmp(move->refusal, "insufficient_funds") == 0 &&
                model_is_user(move->caller);
    int64_t limit = move->cap == NULL ? 0 : move->by_count ? move->cap->count : move->cap->sum;
#define AT(name) (snprintf(path, sizeof path, "results.%d.%s", move->item, name), path)
    model_number(e, AT("index"), move->item);
    model_member(e, AT("status"),
                 move->refusal != NULL ? "refused"
                 : undone              ? "not_posted"
                                       : "posted");
    model_member(e, AT("code"), "%s", move->refusal == NULL ? "absent" : move->refusal);
    if (move->cap != NULL) {
        model_member(e, AT("which"), "%s%s", move->cap->which, move->by_count ? "_count" : "");
        model_number(e, AT("limit"), limit);
    }
    if (told || (move->refusal == NULL && !undone))
        model_number(e, AT("fee"), move->fee);
    else
        model_member(e, AT("fee"), "absent");
    if (told)
        model_number(e, AT("available"), move->available);
    else
        model_member(e, AT("available"), "absent");
#undef AT
}

/* As they were; the lines behind their versions don't count. */
static void take_back(struct model *model, const struct model_wallet *before)
{
    for (int i = 0; i < STEP_WALLETS; i++) {
        struct model_line *lines = model->wallets[i].lines;
        size_t room = model->wallets[i].room;
        model->wallets[i] = before[i];
        model->wallets[i].lines = lines;
        model->wallets[i].room = room;
    }
}

/* Item by item, each on what the ones before have left. False: no rule applies to one. */
static bool make_items(struct model *model, const struct step *step, struct move *moves)
{
    for (int i = 0; i < step->item_count; i++) {
        const struct step_item *item = &step->items[i];
        moves[i] = (struct move){.kind = STEP_TRANSFER,
                                 .serial = step->serial,
                                 .item = i,
                                 .caller = step->caller,
                                 .from = item->from,
                                 .to = item->to,
                                 .currency = item->currency,
                                 .amount = item->amount};
        moves[i].refusal = refuse(model, &moves[i]);
        if (moves[i].refusal == NULL)
            make(model, &moves[i]);
        else if (strcmp(moves[i].refusal, "rule_failed") == 0)
            return false;
        else if (is_there(model, item->from))
            moves[i].available = available(model, item->from);
    }
    return true;
}

static void expect_bulk(struct model *model, const struct step *step, struct model_expected *e)
{
    struct model_wallet before[STEP_WALLETS];
    struct move moves[STEP_ITEMS_MAX];
    int refused = 0;
    memcpy(before, model->wallets, sizeof before);
    if (!make_items(model, step, moves)) {
        take_back(model, before);
        model_refuse(e, "rule_failed");
        return;
    }
    for (int i = 0; i < step->item_count; i++)
        refused += moves[i].refusal != NULL;
    bool undone = step->flag && refused > 0;
    if (undone)
        take_back(model, before);
    e->kept = true;
    e->status = 201;
    if (undone || refused == step->item_count)
        model_refuse(e, "bulk_refused");
    model_member(e, "mode", step->flag ? "all" : "each");
    model_number(e, "posted", undone ? 0 : step->item_count - refused);
    model_number(e, "refused", refused);
    for (int i = 0; i < step->item_count; i++)
        tell_item(&moves[i], undone, e);
}

static const struct model_deed *find_deed(const struct model *model, int serial)
{
    return serial == STEP_NONE || !model->deeds[serial].made ? NULL : &model->deeds[serial];
}

/* What they are about is to be theirs; a partner's is everybody's. */
static bool is_party(const struct model *model, int caller, int wallet)
{
    return !model_is_user(caller) || owner_of(model, wallet) == caller;
}

static const char *refuse_finish(const struct model *model, const struct step *step,
                                 const struct model_deed *hold, struct move *move)
{
    if (hold == NULL || hold->hold == MODEL_NO_HOLD)
        return "hold_not_found";
    if (!is_party(model, step->caller, hold->from))
        return owner_of(model, hold->to) == step->caller ? "forbidden" : "hold_not_found";
    if (hold->hold != MODEL_OPEN)
        return "hold_finished";
    if (step->kind == STEP_VOID)
        return NULL;
    if (model_is_user(step->caller) && model_move_is_frozen(model, hold->from))
        return "wallet_frozen";
    move->remaining = hold->amount;
    if (move->amount > hold->amount)
        return "capture_exceeds_hold";
    if (is_closed(model, hold->to) || overfills(model, hold->to, move->amount))
        return "recipient_cannot_receive";
    return NULL;
}

static int64_t share(int64_t total, int64_t part, int64_t whole)
{
    return (int64_t)((__int128)total * part / whole);
}

static void finish(struct model *model, const struct move *move, int hold_of)
{
    struct model_deed *hold = &model->deeds[hold_of];
    int64_t held = hold->amount + hold->fee;
    bool capture = move->kind == STEP_CAPTURE;
    note(model, move)->hold_of = hold_of;
    hold->hold = capture ? MODEL_CAPTURED : MODEL_VOIDED;
    hold->captured = capture ? move->amount : 0;
    touch(model, move, move->from, capture ? -(move->amount + move->fee) : 0, -held);
    if (capture)
        touch(model, move, move->to, move->amount, 0);
    give_back(model, move->from, MODEL_RULES_HOLD,
              capture ? hold->amount - move->amount : hold->amount);
    model->wallets[move->from].movements[MODEL_RULES_HOLD] -= !capture;
}

/* A capture or void. */
static void expect_finish(struct model *model, const struct step *step, struct model_expected *e)
{
    const struct model_deed *hold = find_deed(model, step->of);
    struct move move = {.kind = step->kind,
                        .serial = step->serial,
                        .item = STEP_NONE,
                        .caller = step->caller,
                        .amount = step->amount};
    if (hold != NULL && hold->hold != MODEL_NO_HOLD) {
        move.from = hold->from;
        move.to = hold->to;
        move.currency = hold->currency;
        move.amount = step->kind == STEP_VOID || step->amount == 0 ? hold->amount : step->amount;
    }
    move.refusal = refuse_finish(model, step, hold, &move);
    if (move.refusal == NULL) {
        /* who pays pays all of it; a partner hasn't chosen what was held */
        move.fee =
            model_is_user(step->caller) ? hold->fee : share(hold->fee, move.amount, hold->amount);
        move.refundable = hold->refundable;
        finish(model, &move, step->of);
        model_member(e, "hold", "hld_%s", model_suffix(model, step->of));
    }
    tell(model, &move, e);
}

static bool can_go_back(enum step_kind kind, bool reversal)
{
    return kind == STEP_TRANSFER || kind == STEP_CAPTURE ||
           (reversal && (kind == STEP_DEPOSIT || kind == STEP_WITHDRAWAL));
}

static const char *refuse_asker(const struct model *model, const struct step *step,
                                const struct model_deed *of)
{
    if (of == NULL || of->hold != MODEL_NO_HOLD)
        return "transaction_not_found";
    if (is_party(model, step->caller, of->to))
        return NULL;
    return owner_of(model, of->from) == step->caller ? "forbidden" : "transaction_not_found";
}

static const char *refuse_back(const struct model *model, const struct step *step,
                               const struct model_deed *of, struct move *move)
{
    bool reversal = step->kind == STEP_REVERSAL;
    if (!can_go_back(of->kind, reversal))
        return "not_refundable";
    if (is_closed(model, of->to))
        return "wallet_closed";
    if (!reversal && model_move_is_frozen(model, of->to))
        return "wallet_frozen";
    if (is_closed(model, of->from))
        return "recipient_cannot_receive";
    if (move->remaining == 0 || move->amount > move->remaining)
        return "refund_exceeds_original";
    int64_t owed = of->refundable ? share(of->fee, of->refunded + move->amount, of->amount) : 0;
    move->fee = (reversal ? of->fee : owed) - of->fee_refunded;
    if (model->lie == MODEL_FEES_COME_BACK)
        move->fee = of->fee - of->fee_refunded;
    bool debt = reversal && step->flag;
    if (of->to >= 0 && available(model, of->to) < move->amount && !debt)
        return "insufficient_funds";
    if (overfills(model, of->from, move->amount + move->fee))
        return "recipient_cannot_receive";
    return NULL;
}

static void go_back(struct model *model, const struct move *move, int of_serial)
{
    struct model_deed *of = &model->deeds[of_serial];
    int class = of->kind == STEP_CAPTURE ? MODEL_RULES_HOLD : class_of(of->kind);
    note(model, move);
    of->refunded += move->amount;
    of->fee_refunded += move->fee;
    of->reversed = move->kind == STEP_REVERSAL;
    touch(model, move, move->from, -move->amount, 0);
    touch(model, move, move->to, move->amount + move->fee, 0);
    give_back(model, move->to, class, move->amount);
}

/* A refund or reversal: from who got it to who paid it. */
static void expect_back(struct model *model, const struct step *step, struct model_expected *e)
{
    const struct model_deed *of = find_deed(model, step->of);
    struct move move = {.kind = step->kind,
                        .serial = step->serial,
                        .item = STEP_NONE,
                        .caller = step->caller,
                        .amount = step->amount};
    move.refusal = refuse_asker(model, step, of);
    if (move.refusal == NULL) {
        move.from = of->to;
        move.to = of->from;
        move.currency = of->currency;
        move.remaining = of->reversed ? 0 : of->amount - of->refunded;
        move.amount = step->amount == 0 ? move.remaining : step->amount;
        move.refusal = refuse_back(model, step, of, &move);
    }
    if (move.refusal == NULL) {
        go_back(model, &move, step->of);
        model_member(e, step->kind == STEP_REFUND ? "refund_of" : "reversal_of", "tx_%s",
                     model_suffix(model, step->of));
    }
    tell(model, &move, e);
}

void model_move_expect(struct model *model, const struct step *step,
                       struct model_expected *expected)
{
    if (step->kind == STEP_BULK)
        expect_bulk(model, step, expected);
    else if (step->kind == STEP_CAPTURE || step->kind == STEP_VOID)
        expect_finish(model, step, expected);
    else if (step->kind == STEP_REFUND || step->kind == STEP_REVERSAL)
        expect_back(model, step, expected);
    else
        expect_plain(model, step, expected);
}
