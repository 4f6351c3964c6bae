#include "api/receipt.h"

#include <assert.h>
#include <stddef.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "http/problem.h"
#include "ledger/account.h"

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
static void write_common(struct json_writer *writer, const struct wallets_transaction *t)
{
    receipt_write_id(writer, "id", "tx_", &t->id);
    json_write_key(writer, "kind");
    json_write_text(writer, transaction_kind_name((enum transaction_kind)t->kind));
    json_write_key(writer, "status");
    json_write_text(writer, "posted");
    write_number(writer, "amount", t->amount);
    write_number(writer, "fee", t->fee);
    write_currency(writer, t->currency);
    write_party(writer, "from", &t->from);
    write_party(writer, "to", &t->to);
    write_optional(writer, "note", t->note);
    write_optional(writer, "reference", t->reference);
    receipt_write_time(writer, "created_at", t->created_at);
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
        json_write_object_end(writer);
    }
    json_write_array_end(writer);
}

static void write_receipt(const struct posting_order *order, const struct posting_decision *d,
                          struct bytes *body)
{
    struct json_writer writer;
    const struct wallets_transaction t = {
        .id = d->transaction,
        .kind = (int)order->kind,
        .from = d->from_after.id,
        .to = d->to_after.id,
        .amount = order->amount.minor,
        .fee = d->fee == NULL ? 0 : d->fee->total,
        .currency = order->amount.currency,
        .note = order->note,
        .reference = order->reference,
        .created_at = d->created_at,
    };
    json_write_init(&writer, body);
    json_write_object(&writer);
    write_common(&writer, &t);
    if (order->kind == TRANSACTION_TRANSFER) /* a partner learns nothing of a customer's balance */
        write_balance(&writer, "balance", d->from_after.posted, d->from_after.held);
    if (d->fee != NULL) {
        write_pricing_head(&writer, d->bundle);
        write_fee_lines(&writer, d->fee);
        json_write_object_end(&writer);
    }
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
        return 201;
    }
    struct problem problem = {.code = problem_for(decision->refusal), .detail = decision->reason};
    if (decision->refusal == REFUSAL_INSUFFICIENT_FUNDS) {
        add_extra(&problem, "available", account_available(&decision->from_after));
        if (decision->fee != NULL)
            add_extra(&problem, "fee", decision->fee->total);
    }
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

void receipt_write_transaction(const struct wallets_transaction *t, enum receipt_side side,
                               struct bytes *body)
{
    struct json_writer writer;
    json_write_init(&writer, body);
    json_write_object(&writer);
    write_common(&writer, t);
    if (side == RECEIPT_FROM)
        write_balance(&writer, "balance", t->posted_after, t->held_after);
    else if (side == RECEIPT_TO)
        write_balance(&writer, "balance", t->to_posted_after, t->to_held_after);
    if (t->has_bundle && t->pricing.at != NULL)
        write_stored_pricing(&writer, t);
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
    write_number(writer, "version", line->version);
    write_balance(writer, "balance_after", line->posted_after, line->held_after);
    json_write_object_end(writer);
}

void receipt_write_wallet(struct json_writer *writer, const struct wallet *wallet)
{
    json_write_object(writer);
    receipt_write_id(writer, "id", "wal_", &wallet->id);
    json_write_key(writer, "label");
    json_write_string(writer, wallet->label);
    write_currency(writer, wallet->currency);
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
