#include "support/model.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/uuid.h"
#include "support/model_move.h"

void model_init(struct model *model, const struct step *const *steps, size_t count)
{
    struct uuid nobody = uuid_new(clock_now());
    char text[UUID_TEXT_MAX];
    *model = (struct model){.steps = steps};
    uuid_format(&nobody, "wal_", text);
    snprintf(model->nobodys_wallet, sizeof model->nobodys_wallet, "%s", text);
    snprintf(model->nobody, sizeof model->nobody, "%s", text + 4);
    model->deeds = calloc(count, sizeof model->deeds[0]);
    model->names = calloc(count, sizeof model->names[0]);
    if (model->deeds == NULL || model->names == NULL)
        abort();
}

void model_release(struct model *model)
{
    for (int i = 0; i < STEP_WALLETS; i++)
        free(model->wallets[i].lines);
    free(model->deeds);
    free(model->names);
}

bool model_is_user(int caller)
{
    return caller < STEP_USERS;
}

const char *model_suffix(const struct model *model, int serial)
{
    const char *suffix = serial == STEP_NONE ? "" : model->names[serial].suffix[0];
    return suffix[0] == '\0' ? model->nobody : suffix;
}

const char *model_wallet_id(const struct model *model, int wallet)
{
    const char *id = model->wallets[wallet].id;
    return id[0] == '\0' ? model->nobodys_wallet : id;
}

void model_member(struct model_expected *expected, const char *path, const char *value, ...)
{
    struct model_member *member = &expected->members[expected->count++];
    va_list arguments;
    if (expected->count > MODEL_MEMBERS_MAX)
        abort();
    snprintf(member->path, sizeof member->path, "%s", path);
    va_start(arguments, value);
    vsnprintf(member->value, sizeof member->value, value, arguments);
    va_end(arguments);
}

void model_number(struct model_expected *expected, const char *path, int64_t value)
{
    model_member(expected, path, "%lld", (long long)value);
}

const char *model_find(const struct model_expected *expected, const char *path)
{
    for (int i = 0; i < expected->count; i++)
        if (strcmp(expected->members[i].path, path) == 0)
            return expected->members[i].value;
    return "";
}

static int status_of(const char *code)
{
    static const struct {
        const char *code;
        int status;
    } others[] = {
        {"malformed_json", 400},          {"invalid_request", 400},
        {"idempotency_key_missing", 400}, {"idempotency_key_invalid", 400},
        {"unauthenticated", 401},         {"forbidden", 403},
        {"wallet_not_found", 404},        {"recipient_not_found", 404},
        {"transaction_not_found", 404},   {"hold_not_found", 404},
        {"unsupported_media_type", 415},  {"rule_failed", 503},
    };
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        if (strcmp(others[i].code, code) == 0)
            return others[i].status;
    return 422;
}

void model_refuse(struct model_expected *expected, const char *code)
{
    expected->code = code;
    expected->status = status_of(code);
    model_member(expected, "code", "%s", code);
}

static const char *code_of(enum step_flaw flaw)
{
    switch (flaw) {
    case STEP_NO_KEY:
        return "idempotency_key_missing";
    case STEP_BAD_KEY:
        return "idempotency_key_invalid";
    case STEP_HALF_JSON:
    case STEP_TWICE:
        return "malformed_json";
    case STEP_BAD_TYPE:
        return "unsupported_media_type";
    case STEP_BAD_TOKEN:
    case STEP_NO_TOKEN:
        return "unauthenticated";
    case STEP_SOUND:
    case STEP_UNKNOWN_FIELD:
    case STEP_ZERO:
    case STEP_NEGATIVE:
    case STEP_FRACTION:
    case STEP_EXPONENT:
    case STEP_TEXT:
    case STEP_TOO_LARGE:
    case STEP_NO_CURRENCY:
    case STEP_BAD_WALLET:
    case STEP_FLAWS:
        break;
    }
    return "invalid_request";
}

static int count_wallets(const struct model *model, int user, bool closed)
{
    int count = 0;
    for (int i = 0; i < STEP_WALLETS; i++)
        count += model->wallets[i].id[0] != '\0' && model->wallets[i].owner == user &&
                 (closed || !model->wallets[i].closed);
    return count;
}

/* What operators do to a user. */
static void expect_change(struct model *model, const struct step *step, struct model_expected *e)
{
    struct model_user *user = &model->users[step->from];
    bool frozen = step->kind == STEP_FREEZE;
    int changed = frozen == user->frozen ? 0 : count_wallets(model, step->from, false);
    if (step->kind == STEP_TIER) {
        changed = user->tier == step->amount ? 0 : count_wallets(model, step->from, true);
        user->tier = (int)step->amount;
    } else {
        user->frozen = frozen;
    }
    e->status = 200;
    model_member(e, "id", "%s", user->id);
    model_number(e, "tier", user->tier);
    model_member(e, "frozen", user->frozen ? "true" : "false");
    model_number(e, "wallets_changed", changed);
}

static const char *status_name(const struct model *model, int wallet)
{
    if (model->wallets[wallet].closed)
        return "closed";
    return model_move_is_frozen(model, wallet) ? "frozen" : "active";
}

static void tell_wallet(const struct model *model, int wallet, struct model_expected *e)
{
    const struct model_wallet *w = &model->wallets[wallet];
    model_member(e, "currency", "%s", step_currencies[w->currency]);
    model_member(e, "status", "%s", status_name(model, wallet));
    model_number(e, "balance.posted", w->posted);
    model_number(e, "balance.held", w->held);
    model_number(e, "balance.available", w->posted - w->held);
    model_number(e, "version", w->version);
}

static void expect_open(struct model *model, const struct step *step, struct model_expected *e)
{
    struct model_wallet *wallet = &model->wallets[step->to];
    e->kept = true;
    if (model->users[step->caller].frozen) {
        model_refuse(e, "wallet_frozen");
        return;
    }
    *wallet = (struct model_wallet){.owner = step->caller, .currency = step->currency};
    e->status = 201;
    model->deeds[step->serial].kind = STEP_OPEN;
    tell_wallet(model, step->to, e);
}

/* May this caller look at that wallet? A problem otherwise. */
static bool expect_owner(const struct model *model, const struct step *step,
                         struct model_expected *e)
{
    const struct model_wallet *wallet = &model->wallets[step->from];
    if (!model_is_user(step->caller))
        model_refuse(e, "forbidden");
    else if (wallet->id[0] == '\0' || wallet->owner != step->caller)
        model_refuse(e, "wallet_not_found");
    else
        return true;
    return false;
}

static void expect_close(struct model *model, const struct step *step, struct model_expected *e)
{
    struct model_wallet *wallet = &model->wallets[step->from];
    if (!expect_owner(model, step, e))
        return;
    if (step->from < STEP_USERS) {
        model_refuse(e, "wallet_not_empty");
        return;
    }
    if (model_move_is_frozen(model, step->from)) {
        model_refuse(e, "wallet_frozen");
        return;
    }
    if (!wallet->closed && (wallet->posted != 0 || wallet->held != 0)) {
        model_refuse(e, "wallet_not_empty");
        return;
    }
    wallet->closed = true;
    e->status = 200;
    tell_wallet(model, step->from, e);
}

static void expect_statement(const struct model *model, const struct step *step,
                             struct model_expected *e)
{
    const struct model_wallet *w = &model->wallets[step->from];
    char path[48];
#define AT(name) (snprintf(path, sizeof path, "data.%d.%s", i, name), path)
    for (int i = 0; i < step->amount; i++) {
        if (i >= w->version) {
            snprintf(path, sizeof path, "data.%d", i);
            model_member(e, path, "absent");
            break;
        }
        const struct model_line *line = &w->lines[w->version - 1 - i];
        const char *id = model->names[line->serial].suffix[line->item < 0 ? 0 : line->item];
        model_member(e, AT("id"), "tx_%s", id);
        model_member(e, AT("kind"), "%s", step_name(line->kind));
        model_number(e, AT("amount"), line->amount);
        model_number(e, AT("fee"), line->fee);
        model_number(e, AT("change"), line->change);
        model_number(e, AT("held_change"), line->held_change);
        model_number(e, AT("version"), w->version - i);
        model_number(e, AT("balance_after.posted"), line->posted);
        model_number(e, AT("balance_after.held"), line->held);
    }
#undef AT
    if (w->version <= step->amount)
        model_member(e, "next", "null");
}

static void tell_cap(const struct model_wallet *w, const struct model_rules_cap *cap, bool count,
                     struct model_expected *e)
{
    char path[48];
    int at = e->count / 4; /* so many members each */
    int64_t limit = count ? cap->count : cap->sum;
    int64_t used = model_move_used(w, cap, count);
#define AT(name) (snprintf(path, sizeof path, "limits.%d.%s", at, name), path)
    model_member(e, AT("which"), "%s%s", cap->which, count ? "_count" : "");
    model_number(e, AT("limit"), limit);
    model_number(e, AT("used"), used);
    model_number(e, AT("remaining"), used < limit ? limit - used : 0);
#undef AT
}

static void expect_limits(const struct model *model, const struct step *step,
                          struct model_expected *e)
{
    const struct model_wallet *w = &model->wallets[step->from];
    char path[48];
    for (const struct model_rules_cap *cap = model_rules_caps; cap->which != NULL; cap++) {
        if (w->currency != STEP_ZAR || cap->tier != model->users[w->owner].tier)
            continue;
        if (cap->sum > 0)
            tell_cap(w, cap, false, e);
        if (cap->count > 0)
            tell_cap(w, cap, true, e);
    }
    snprintf(path, sizeof path, "limits.%d", e->count / 4);
    model_member(e, path, "absent");
}

/* The newest open ones: in the order in which they were made. */
static void expect_holds(const struct model *model, const struct step *step,
                         struct model_expected *e)
{
    char path[48];
    long before = model->orders + 1;
    int told = 0;
    while (told < 20) {
        int found = STEP_NONE;
        for (int i = 0; i <= step->serial; i++) {
            const struct model_deed *deed = &model->deeds[i];
            if (deed->made && deed->hold == MODEL_OPEN && deed->from == step->from &&
                deed->order < before && (found < 0 || deed->order > model->deeds[found].order))
                found = i;
        }
        snprintf(path, sizeof path, "data.%d.id", told++);
        model_member(e, path, found < 0 ? "absent" : "hld_%s", model_suffix(model, found));
        if (found < 0)
            return;
        before = model->deeds[found].order;
    }
}

/* Readings of a wallet. */
static void expect_reading(const struct model *model, const struct step *step,
                           struct model_expected *e)
{
    if (!expect_owner(model, step, e))
        return;
    e->status = 200;
    if (step->kind == STEP_BALANCE)
        tell_wallet(model, step->from, e);
    else if (step->kind == STEP_STATEMENT)
        expect_statement(model, step, e);
    else if (step->kind == STEP_LIMITS)
        expect_limits(model, step, e);
    else
        expect_holds(model, step, e);
}

static bool owns(const struct model *model, int caller, int wallet)
{
    return wallet >= 0 && model->wallets[wallet].owner == caller;
}

static void expect_look(const struct model *model, const struct step *step,
                        struct model_expected *e)
{
    static const char *const states[] = {"", "open", "captured", "voided"};
    const struct model_deed *of = step->of == STEP_NONE ? NULL : &model->deeds[step->of];
    const struct step *asked = step->of == STEP_NONE ? NULL : model->steps[step->of];
    bool hold = asked != NULL && asked->kind == STEP_HOLD;
    if (of != NULL && of->made) {
        bool seen = owns(model, step->caller, of->from) || owns(model, step->caller, of->to) ||
                    (step->caller == STEP_PARTNER && (hold || of->caller == STEP_PARTNER));
        of = seen ? of : NULL;
    }
    if (of == NULL || !of->made) {
        model_refuse(e, hold ? "hold_not_found" : "transaction_not_found");
        return;
    }
    e->status = 200;
    model_member(e, "id", "%s%s", hold ? "hld_" : "tx_", model_suffix(model, step->of));
    model_member(e, "kind", "%s", step_name(of->kind));
    model_member(e, "status", "%s", hold ? states[of->hold] : "posted");
    model_number(e, "amount", of->amount);
    model_number(e, "fee", of->fee);
    if (hold)
        model_number(e, "captured", of->captured);
    else
        model_member(e, "reversal", of->reversed ? "there" : "absent");
}

static void expect_fresh(struct model *model, const struct step *step, struct model_expected *e);

/* A key that is used already says the same again; one that isn't is as good as new. */
static void expect_again(struct model *model, const struct step *step, struct model_expected *e)
{
    const struct step *of = step->of == STEP_NONE ? NULL : model->steps[step->of];
    bool kept = of != NULL && model->deeds[step->of].kept;
    bool amount = of != NULL &&
                  (of->kind <= STEP_HOLD || of->kind == STEP_CAPTURE || of->kind == STEP_REFUND);
    e->nothing = of == NULL || (step->kind == STEP_ALTER && !(kept && amount));
    if (e->nothing)
        return;
    if (step->kind == STEP_ALTER) {
        model_refuse(e, "idempotency_key_reused");
    } else if (kept) {
        e->same_as = of->serial;
    } else {
        expect_fresh(model, of, e);
        model->deeds[of->serial].kept = e->kept;
        e->kept = false;
    }
}

static void expect_fresh(struct model *model, const struct step *step, struct model_expected *e)
{
    if (step->flaw != STEP_SOUND) {
        model_refuse(e, code_of(step->flaw));
        return;
    }
    switch (step->kind) {
    case STEP_FREEZE:
    case STEP_UNFREEZE:
    case STEP_TIER:
        expect_change(model, step, e);
        return;
    case STEP_OPEN:
        expect_open(model, step, e);
        return;
    case STEP_CLOSE:
        expect_close(model, step, e);
        return;
    case STEP_REPEAT:
    case STEP_ALTER:
        expect_again(model, step, e);
        return;
    case STEP_BALANCE:
    case STEP_STATEMENT:
    case STEP_LIMITS:
    case STEP_HOLDS:
        expect_reading(model, step, e);
        return;
    case STEP_LOOK:
        expect_look(model, step, e);
        return;
    case STEP_DEPOSIT:
    case STEP_WITHDRAWAL:
    case STEP_TRANSFER:
    case STEP_HOLD:
    case STEP_BULK:
    case STEP_CAPTURE:
    case STEP_VOID:
    case STEP_REFUND:
    case STEP_REVERSAL:
    case STEP_KINDS:
        model_move_expect(model, step, e);
        return;
    }
}

void model_expect(struct model *model, const struct step *step, struct model_expected *expected)
{
    *expected = (struct model_expected){.same_as = STEP_NONE};
    expect_fresh(model, step, expected);
    if (expected->kept)
        model->deeds[step->serial].kept = true;
}
