#include "api/receipt.h"

#include <assert.h>
#include <stddef.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/zone.h"
#include "http/problem.h"
#include "ledger/account.h"
#include "supply/breach.h"

void receipt_write_id(struct json_writer *writer, const char *key, const char *prefix,
                      const struct uuid *id)
{
    char text[UUID_TEXT_MAX];
    json_write_key(writer, key);
    uuid_format(id, prefix, text);
    json_write_text(writer, text);
}

void receipt_write_time(struct json_writer *writer, const char *key, int64_t unix_us)
{
    char text[CLOCK_TEXT_MAX];
    json_write_key(writer, key);
    clock_format(unix_us, text);
    json_write_text(writer, text);
}

static void write_currency(struct json_writer *writer, currency which)
{
    char code[4];
    json_write_key(writer, "currency");
    currency_text(which, code);
    json_write_text(writer, code);
}

static void write_optional(struct json_writer *writer, const char *key, struct slice text)
{
    json_write_key(writer, key);
    if (text.at == NULL)
        json_write_null(writer);
    else
        json_write_string(writer, text);
}

static void write_number(struct json_writer *writer, const char *key, int64_t number)
{
    json_write_key(writer, key);
    json_write_int(writer, number);
}

static void write_balance(struct json_writer *writer, const char *key, int64_t posted, int64_t held)
{
    json_write_key(writer, key);
    json_write_object(writer);
    write_number(writer, "posted", posted);
    write_number(writer, "held", held);
    write_number(writer, "available", posted - held);
    json_write_object_end(writer);
}

void receipt_write_balance(struct json_writer *writer, currency which, int64_t posted, int64_t held)
{
    write_currency(writer, which);
    write_balance(writer, "balance", posted, held);
}

/* Wallets have ids for clients; the system's own accounts are null. */
static void write_party(struct json_writer *writer, const char *key, const struct uuid *account)
{
    static const uint8_t system_start[6] = {0};
    if (memcmp(account->bytes, system_start, sizeof system_start) == 0) {
        json_write_key(writer, key);
        json_write_null(writer);
        return;
    }
    receipt_write_id(writer, key, "wal_", account);
}

/* The members of a transaction that every view has, in API.md's order. */
static void write_members(struct json_writer *writer, const struct wallets_transaction *t,
                          const char *prefix, const char *status)
{
    receipt_write_id(writer, "id", prefix, &t->id);
    json_write_key(writer, "kind");
    json_write_text(writer, transaction_kind_name((enum transaction_kind)t->kind));
    json_write_key(writer, "status");
    json_write_text(writer, status);
    write_number(writer, "amount", t->amount);
    write_number(writer, "fee", t->fee);
    write_currency(writer, t->currency);
    write_party(writer, "from", &t->from);
    write_party(writer, "to", &t->to);
    write_optional(writer, "note", t->note);
    write_optional(writer, "reference", t->reference);
    receipt_write_time(writer, "created_at", t->created_at);
}

static void write_common(struct json_writer *writer, const struct wallets_transaction *t)
{
    write_members(writer, t, "tx_", "posted");
}

/* `lines`: the fee lines as JSON. Rules are named in the order of their lines. */
static void write_pricing_head(struct json_writer *writer, const uint8_t *bundle)
{
    struct bytes *out = writer->out;
    json_write_key(writer, "pricing");
    json_write_object(writer);
    json_write_key(writer, "bundle");
    json_write_raw(writer, SLICE("\"sha256:"));
    bytes_add_hex(out, bundle, 32);
    bytes_add_char(out, '"');
}

static void write_fee_lines(struct json_writer *writer, const struct fee_decision *fee)
{
    json_write_key(writer, "rules");
    json_write_array(writer);
    for (int i = 0; i < fee->count; i++)
        json_write_text(writer, fee->lines[i].rule);
    json_write_array_end(writer);
    json_write_key(writer, "lines");
    json_write_array(writer);
    for (int i = 0; i < fee->count; i++) {
        json_write_object(writer);
        json_write_key(writer, "rule");
        json_write_text(writer, fee->lines[i].rule);
        json_write_key(writer, "code");
        json_write_text(writer, fee->lines[i].code);
        write_number(writer, "amount", fee->lines[i].amount);
        if (fee->lines[i].refundable) {
            json_write_key(writer, "refundable");
            json_write_bool(writer, true);
        }
        if (fee->lines[i].receiver_pays) {
            json_write_key(writer, "paid_by");
            json_write_text(writer, "receiver");
        }
        json_write_object_end(writer);
    }
    json_write_array_end(writer);
}

void receipt_write_pricing(struct json_writer *writer, const uint8_t *bundle,
                           const struct fee_decision *fee)
{
    write_pricing_head(writer, bundle);
    write_fee_lines(writer, fee);
    json_write_object_end(writer);
}

/* A partner learns nothing of a customer's balance, nor of what was sent. */
static bool tells_balance(const struct posting_order *order)
{
    return order->kind != TRANSACTION_DEPOSIT && !order->anyones;
}

/* What becomes of a hold. */
static void write_hold_state(struct json_writer *writer, const struct hold *hold)
{
    receipt_write_time(writer, "expires_at", hold->expires_at);
    write_number(writer, "captured", hold->captured);
    if (uuid_is_nil(&hold->finished_by)) {
        json_write_key(writer, "finished_by");
        json_write_null(writer);
    } else {
        receipt_write_id(writer, "finished_by", "tx_", &hold->finished_by);
    }
}

/* What the rarer kinds say beside: the hold they finish, the transaction they give back. */
static void write_belonging(struct json_writer *writer, const struct posting_order *order,
                            const struct posting_decision *d)
{
    if (order->kind == TRANSACTION_HOLD)
        write_hold_state(writer, d->hold);
    else if (d->hold != NULL)
        receipt_write_id(writer, "hold", "hld_", &d->hold->id);
    else if (order->kind == TRANSACTION_REFUND)
        receipt_write_id(writer, "refund_of", "tx_", &order->subject.id);
    else if (order->kind == TRANSACTION_REVERSAL)
        receipt_write_id(writer, "reversal_of", "tx_", &order->subject.id);
}

static void write_receipt(const struct posting_order *order, const struct posting_decision *d,
                          struct bytes *body)
{
    struct json_writer writer;
    const struct wallets_transaction t = {
        .id = d->transaction,
        .kind = (int)order->kind,
        .from = d->from_after.id,
        .to = uuid_is_nil(&d->to_after.id) ? order->to : d->to_after.id,
        .amount = d->amount.minor,
        .fee = d->charged,
        .currency = d->amount.currency,
        .note = order->note,
        .reference = order->reference,
        .created_at = d->created_at,
    };
    json_write_init(&writer, body);
    json_write_object(&writer);
    if (order->kind == TRANSACTION_HOLD)
        write_members(&writer, &t, "hld_", hold_status_name(d->hold->status));
    else
        write_common(&writer, &t);
    write_belonging(&writer, order, d);
    if (tells_balance(order))
        write_balance(&writer, "balance", d->from_after.posted, d->from_after.held);
    if (d->fee != NULL)
        receipt_write_pricing(&writer, d->bundle, d->fee);
    json_write_object_end(&writer);
}

static enum problem_code problem_for(enum refusal refusal)
{
    switch (refusal) {
    case REFUSAL_WALLET_NOT_FOUND:
        return PROBLEM_WALLET_NOT_FOUND;
    case REFUSAL_RECIPIENT_NOT_FOUND:
        return PROBLEM_RECIPIENT_NOT_FOUND;
    case REFUSAL_SAME_WALLET:
        return PROBLEM_SAME_WALLET;
    case REFUSAL_WALLET_FROZEN:
        return PROBLEM_WALLET_FROZEN;
    case REFUSAL_WALLET_CLOSED:
        return PROBLEM_WALLET_CLOSED;
    case REFUSAL_RECIPIENT_CANNOT_RECEIVE:
        return PROBLEM_RECIPIENT_CANNOT_RECEIVE;
    case REFUSAL_CURRENCY_MISMATCH:
        return PROBLEM_CURRENCY_MISMATCH;
    case REFUSAL_RULE_DENIED:
        return PROBLEM_RULE_DENIED;
    case REFUSAL_INSUFFICIENT_FUNDS:
        return PROBLEM_INSUFFICIENT_FUNDS;
    case REFUSAL_LIMIT_EXCEEDED:
        return PROBLEM_LIMIT_EXCEEDED;
    case REFUSAL_HOLD_NOT_FOUND:
        return PROBLEM_HOLD_NOT_FOUND;
    case REFUSAL_HOLD_EXPIRED:
        return PROBLEM_HOLD_EXPIRED;
    case REFUSAL_HOLD_FINISHED:
        return PROBLEM_HOLD_FINISHED;
    case REFUSAL_CAPTURE_EXCEEDS_HOLD:
        return PROBLEM_CAPTURE_EXCEEDS_HOLD;
    case REFUSAL_TRANSACTION_NOT_FOUND:
        return PROBLEM_TRANSACTION_NOT_FOUND;
    case REFUSAL_NOT_REFUNDABLE:
        return PROBLEM_NOT_REFUNDABLE;
    case REFUSAL_REFUND_EXCEEDS_ORIGINAL:
        return PROBLEM_REFUND_EXCEEDS_ORIGINAL;
    case REFUSAL_QUOTE_UNFIT:
        return PROBLEM_VALIDATION_FAILED;
    case REFUSAL_QUOTE_EXPIRED:
        return PROBLEM_QUOTE_EXPIRED;
    case REFUSAL_NONE:
        break;
    }
    assert(refusal != REFUSAL_NONE); /* each refusal has its problem */
    return PROBLEM_INTERNAL;
}

static void add_extra(struct problem *problem, const char *name, int64_t number)
{
    problem->extras[problem->extra_count++] = (struct problem_extra){name, NULL, number};
}

int receipt_render(const struct posting_order *order, const struct posting_decision *decision,
                   struct bytes *body)
{
    const struct receipt_order *own = (const struct receipt_order *)(const void *)order;
    _Static_assert(offsetof(struct receipt_order, order) == 0, "the order comes first");
    if (decision->refusal == REFUSAL_NONE) {
        write_receipt(order, decision, body);
        return order->kind == TRANSACTION_VOID ? 200 : 201;
    }
    struct problem problem = {.code = problem_for(decision->refusal), .detail = decision->reason};
    struct breach_text text = {.which = ""};
    if (decision->refusal == REFUSAL_INSUFFICIENT_FUNDS && tells_balance(order)) {
        add_extra(&problem, "available", account_available(&decision->from_after));
        if (decision->fee != NULL)
            add_extra(&problem, "fee", decision->fee->total);
    }
    if (decision->refusal == REFUSAL_REFUND_EXCEEDS_ORIGINAL ||
        decision->refusal == REFUSAL_CAPTURE_EXCEEDS_HOLD)
        add_extra(&problem, "remaining", decision->remaining);
    if (decision->refusal == REFUSAL_QUOTE_UNFIT)
        problem.fields[problem.field_count++] = (struct problem_field){
            SLICE("/quote"), "wrong", "is not a quote of ours for this movement"};
    if (decision->breach.cap != NULL)
        breach_add(&problem, &decision->breach, tells_balance(order), &text);
    problem_write(&problem, &own->request_id, body);
    return problem_status(problem.code);
}

/* The stored lines, [{"rule","code","amount"},...], with the rules' names picked out again. */
static void write_stored_pricing(struct json_writer *writer, const struct wallets_transaction *t)
{
    struct arena arena;
    struct json_error error;
    arena_init(&arena);
    const struct json *lines = json_parse(t->pricing, &arena, &error);
    if (lines == NULL && error.no_memory) /* a receipt without its rules would be another one */
        writer->out->failed = true;
    write_pricing_head(writer, t->bundle);
    json_write_key(writer, "rules");
    json_write_array(writer);
    for (size_t i = 0; lines != NULL && i < json_count(lines); i++)
        json_write_string(writer, json_string(json_member(json_element(lines, i), "rule")));
    json_write_array_end(writer);
    json_write_key(writer, "lines");
    json_write_raw(writer, t->pricing);
    json_write_object_end(writer);
    arena_release(&arena);
}

static void write_seen(struct json_writer *writer, const struct wallets_transaction *t,
                       enum receipt_side side)
{
    write_common(writer, t);
    if (side == RECEIPT_FROM)
        write_balance(writer, "balance", t->posted_after, t->held_after);
    else if (side == RECEIPT_TO && t->to_touched)
        write_balance(writer, "balance", t->to_posted_after, t->to_held_after);
    if (t->has_bundle && t->pricing.at != NULL)
        write_stored_pricing(writer, t);
}

void receipt_write_transaction(const struct wallets_transaction *t, enum receipt_side side,
                               struct bytes *body)
{
    struct json_writer writer;
    json_write_init(&writer, body);
    json_write_object(&writer);
    write_seen(&writer, t, side);
    json_write_object_end(&writer);
}

static void write_owner(struct json_writer *writer, const char *key, const struct uuid *owner)
{
    if (!uuid_is_nil(owner)) {
        receipt_write_id(writer, key, "usr_", owner);
        return;
    }
    json_write_key(writer, key);
    json_write_null(writer);
}

/* Users move what is theirs; whoever else asked is a partner. */
void receipt_write_for_operator(struct json_writer *writer, const struct wallets_transaction *t)
{
    bool user = uuid_equal(&t->caller, &t->from_owner) || uuid_equal(&t->caller, &t->to_owner);
    json_write_object(writer);
    write_common(writer, t);
    if (t->has_bundle && t->pricing.at != NULL)
        write_stored_pricing(writer, t);
    write_owner(writer, "from_user", &t->from_owner);
    write_owner(writer, "to_user", &t->to_owner);
    receipt_write_id(writer, "caller", user ? "usr_" : "par_", &t->caller);
    json_write_object_end(writer);
}

/* The one thing it belongs to, or the one that ended it. */
static void write_link(struct json_writer *writer, const struct holds_link *link, bool belongs)
{
    switch (link->kind) {
    case TRANSACTION_CAPTURE:
    case TRANSACTION_PURCHASE:
    case TRANSACTION_VOID:
    case TRANSACTION_EXPIRY:
        if (belongs)
            receipt_write_id(writer, "hold", "hld_", &link->original);
        else
            receipt_write_id(writer, "finished_by", "tx_", &link->transaction);
        return;
    case TRANSACTION_REFUND:
        if (belongs)
            receipt_write_id(writer, "refund_of", "tx_", &link->original);
        return;
    case TRANSACTION_REVERSAL:
        if (belongs)
            receipt_write_id(writer, "reversal_of", "tx_", &link->original);
        else
            receipt_write_id(writer, "reversal", "tx_", &link->transaction);
        return;
    case TRANSACTION_DEPOSIT:
    case TRANSACTION_TRANSFER:
    case TRANSACTION_WITHDRAWAL:
    case TRANSACTION_HOLD:
        return;
    }
}

static void write_refunds(struct json_writer *writer, const struct wallets_transaction *t,
                          const struct receipt_links *links)
{
    bool any = false;
    for (size_t i = 0; i < links->count; i++) {
        const struct holds_link *link = &links->links[i];
        if (link->kind != TRANSACTION_REFUND || !uuid_equal(&link->original, &t->id))
            continue;
        if (!any) {
            json_write_key(writer, "refunds");
            json_write_array(writer);
        }
        any = true;
        json_write_object(writer);
        receipt_write_id(writer, "id", "tx_", &link->transaction);
        write_number(writer, "amount", link->amount);
        write_number(writer, "fee", link->fee);
        json_write_object_end(writer);
    }
    if (any)
        json_write_array_end(writer);
}

void receipt_write_linked(const struct wallets_transaction *t, enum receipt_side side,
                          const struct receipt_links *links, struct bytes *body)
{
    struct json_writer writer;
    json_write_init(&writer, body);
    json_write_object(&writer);
    write_seen(&writer, t, side);
    if (t->kind == TRANSACTION_HOLD)
        receipt_write_id(&writer, "hold", "hld_", &t->id);
    for (size_t i = 0; i < links->count; i++)
        write_link(&writer, &links->links[i], uuid_equal(&links->links[i].transaction, &t->id));
    write_refunds(&writer, t, links);
    json_write_object_end(&writer);
}

bool receipt_refundable(const struct wallets_transaction *t, struct arena *arena,
                        int64_t *refundable)
{
    struct json_error error;
    *refundable = 0;
    if (t->pricing.at == NULL)
        return true;
    const struct json *lines = json_parse(t->pricing, arena, &error);
    for (size_t i = 0; lines != NULL && i < json_count(lines); i++) {
        const struct json *line = json_element(lines, i);
        const struct json *amount = json_member(line, "amount");
        if (json_member(line, "refundable") != NULL && amount != NULL)
            *refundable += json_integer(amount);
    }
    return lines != NULL || !error.no_memory;
}

void receipt_write_hold(struct json_writer *writer, const struct holds_hold *hold)
{
    const struct wallets_transaction t = {
        .id = hold->hold.id,
        .kind = TRANSACTION_HOLD,
        .from = hold->hold.from,
        .to = hold->hold.to,
        .amount = hold->hold.amount,
        .fee = hold->hold.fee,
        .currency = hold->hold.currency,
        .note = hold->note,
        .reference = hold->reference,
        .created_at = hold->created_at,
    };
    json_write_object(writer);
    write_members(writer, &t, "hld_", hold_status_name(hold->hold.status));
    write_hold_state(writer, &hold->hold);
    json_write_object_end(writer);
}

void receipt_recall(const struct posting_order *order, const struct wallets_transaction *posted,
                    struct bytes *body)
{
    receipt_write_transaction(
        posted, order->kind == TRANSACTION_TRANSFER ? RECEIPT_FROM : RECEIPT_NEITHER, body);
}

void receipt_write_line(struct json_writer *writer, const struct wallets_transaction *line)
{
    json_write_object(writer);
    write_common(writer, line);
    write_number(writer, "change", line->change);
    write_number(writer, "held_change", line->hold);
    write_number(writer, "version", line->version);
    write_balance(writer, "balance_after", line->posted_after, line->held_after);
    json_write_object_end(writer);
}

/* A number that isn't known counts as UTC (base/zone.h). */
void receipt_write_zone(struct json_writer *writer, int zone)
{
    const char *name = zone_name(zone);
    json_write_key(writer, "time_zone");
    json_write_text(writer, name == NULL ? "UTC" : name);
}

void receipt_write_wallet(struct json_writer *writer, const struct wallet *wallet)
{
    json_write_object(writer);
    receipt_write_id(writer, "id", "wal_", &wallet->id);
    json_write_key(writer, "label");
    json_write_string(writer, wallet->label);
    write_currency(writer, wallet->currency);
    receipt_write_zone(writer, wallet->zone);
    json_write_key(writer, "status");
    json_write_text(writer, account_status_name((enum account_status)wallet->status));
    write_balance(writer, "balance", wallet->posted, wallet->held);
    write_number(writer, "version", wallet->version);
    receipt_write_time(writer, "created_at", wallet->created_at);
    json_write_object_end(writer);
}

void receipt_write_user(struct json_writer *writer, const struct user *user)
{
    json_write_object(writer);
    receipt_write_id(writer, "id", "usr_", &user->id);
    json_write_key(writer, "phone");
    json_write_string(writer, user->phone);
    json_write_key(writer, "name");
    json_write_string(writer, user->name);
    write_number(writer, "tier", user->tier);
    json_write_key(writer, "totp_enabled");
    json_write_bool(writer, user->totp_enabled);
    receipt_write_id(writer, "wallet", "wal_", &user->wallet);
    receipt_write_time(writer, "created_at", user->created_at);
    json_write_object_end(writer);
}
