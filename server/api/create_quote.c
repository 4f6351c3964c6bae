/* POST /v1/quotes: what a movement would cost now, promised for a minute, and whether the limits
 * would let it pass. Nothing moves and nothing is stored: posting/quote.h. */
#include <stddef.h>

#include "api/body.h"
#include "api/endpoints.h"
#include "api/idempotency.h"
#include "api/receipt.h"
#include "base/clock.h"
#include "posting/batch.h"
#include "posting/order.h"
#include "posting/quote.h"
#include "scripting/bundle.h"
#include "store/limits.h"
#include "store/snapshot.h"
#include "supply/breach.h"

struct create_quote {
    struct call call;
    struct slice key; /* checked, and otherwise of no use: nothing is stored */
    struct slice kind;
    struct uuid from;
    struct body_recipient to;
    int64_t amount;
    currency currency;
    struct users_question recipient;
    struct receipt_order movement;
    int64_t now;
    uint8_t bundle[32]; /* the rules in force when the accounts were asked for */
    struct snapshot_question snapshot;
    struct limits_question window;
    struct quote_outcome result;
};

#define OF(member) offsetof(struct create_quote, member)

static const struct body_field fields[] = {
    {"kind", BODY_TEXT, true, OF(kind), 1, 16},
    {"from", BODY_WALLET, true, OF(from), 0, 0},
    {"to", BODY_RECIPIENT, false, OF(to), 0, 0},
    {"amount", BODY_AMOUNT, true, OF(amount), 0, 0},
    {"currency", BODY_CURRENCY, true, OF(currency), 0, 0},
    {NULL, BODY_TEXT, false, 0, 0, 0},
};

static struct create_quote *from_flow(struct flow *flow)
{
    return (struct create_quote *)(void *)call_of(flow);
}

/* NULL: that's fine. */
static const char *check_kind(struct create_quote *op, const char **pointer)
{
    enum transaction_kind kind = transaction_kind_parse(op->kind);
    bool to = op->to.phone.at != NULL || !uuid_is_nil(&op->to.wallet);
    *pointer = "/kind";
    if (kind != TRANSACTION_TRANSFER && kind != TRANSACTION_HOLD && kind != TRANSACTION_WITHDRAWAL)
        return "must be transfer, hold or withdrawal";
    op->movement.order.kind = kind;
    *pointer = "/to";
    if (kind == TRANSACTION_WITHDRAWAL)
        return to ? "a withdrawal goes to no wallet" : NULL;
    return to ? NULL : "must say who gets it";
}

static enum flow_verdict read_body(struct flow *flow)
{
    struct create_quote *op = from_flow(flow);
    struct call *call = &op->call;
    const char *pointer;
    if (!call_expect_no_query(call) || !idempotency_read(call, false, &op->key) ||
        !body_read(call, fields, op))
        return FLOW_DONE;
    const char *wrong = check_kind(op, &pointer);
    if (wrong != NULL) {
        call_add_field(call, slice_of(pointer), "format", wrong);
        return call_refuse(call, PROBLEM_INVALID_REQUEST, NULL);
    }
    call->gate.extra = op->to.phone.at == NULL ? GATE_PLAIN : GATE_LOOKUP;
    return FLOW_NEXT;
}

static void recipient_found(struct users_question *question)
{
    struct create_quote *op = (struct create_quote *)(void *)((char *)question - OF(recipient));
    call_resume(&op->call);
}

static enum flow_verdict ask_recipient(struct flow *flow)
{
    struct create_quote *op = from_flow(flow);
    if (op->to.phone.at == NULL)
        return FLOW_NEXT;
    op->recipient.arena = &op->call.request->arena;
    op->recipient.done = recipient_found;
    return call_wait(&op->call,
                     users_find_by_phone(op->call.service->pool, op->to.phone, &op->recipient));
}

static void accounts_found(struct snapshot_question *question)
{
    struct create_quote *op = (struct create_quote *)(void *)((char *)question - OF(snapshot));
    call_resume(&op->call);
}

static enum flow_verdict ask_accounts(struct flow *flow)
{
    struct create_quote *op = from_flow(flow);
    const struct service *service = op->call.service;
    const struct bundle *bundle = posting_bundle(service->posting);
    struct uuid ids[ORDER_ACCOUNTS_MAX];
    if (op->to.phone.at != NULL) {
        if (op->recipient.outcome != PG_OK)
            return call_refuse_outcome(&op->call, op->recipient.outcome);
        if (op->recipient.found)
            op->to.wallet = op->recipient.user.wallet;
    }
    if (bundle == NULL)
        return call_refuse(&op->call, PROBLEM_RULE_FAILED, "no rules are loaded");
    memcpy(op->bundle, bundle_hash(bundle), sizeof op->bundle);
    op->movement.request_id = op->call.request->id;
    op->movement.order = (struct posting_order){
        .kind = op->movement.order.kind,
        .caller = *call_caller(&op->call),
        .anyones = op->call.gate.answer.caller != GATE_USER,
        .from = op->from,
        .to = op->to.wallet,
        .amount = {op->amount, op->currency},
        .expires_in = 1, /* for a hold to be whole: its price doesn't depend on it */
    };
    size_t count = order_accounts(&op->movement.order, posting_stripe(service->posting), ids);
    op->snapshot.arena = &op->call.request->arena;
    op->snapshot.done = accounts_found;
    return call_wait(&op->call,
                     snapshot_find(service->pool, ids, count, op->bundle, &op->snapshot));
}

static void window_found(struct limits_question *question)
{
    struct create_quote *op = (struct create_quote *)(void *)((char *)question - OF(window));
    call_resume(&op->call);
}

static struct book book_of(const struct create_quote *op)
{
    return (struct book){.accounts = op->snapshot.accounts, .count = op->snapshot.count};
}

/* Have the rules changed while we asked, or can't they be read by those who will ask how a price
 * came about? Both is a matter of a moment. */
static const struct bundle *same_bundle(const struct create_quote *op)
{
    const struct bundle *bundle = posting_bundle(op->call.service->posting);
    bool same = bundle != NULL && memcmp(bundle_hash(bundle), op->bundle, 32) == 0 &&
                (op->snapshot.count == 0 || op->snapshot.bundle_stored);
    return same ? bundle : NULL;
}

static enum flow_verdict ask_window(struct flow *flow)
{
    struct create_quote *op = from_flow(flow);
    const struct book book = book_of(op);
    if (op->snapshot.outcome != PG_OK)
        return call_refuse_outcome(&op->call, op->snapshot.outcome);
    const struct bundle *bundle = same_bundle(op);
    if (bundle == NULL)
        return call_refuse(&op->call, PROBLEM_OVERLOADED, "the rules are changing: ask again");
    const struct account *payer = book_find(&book, &op->from);
    op->now = clock_now();
    if (payer == NULL || payer->kind != ACCOUNT_WALLET ||
        !bundle_caps(bundle, payer->tier, payer->currency)->rolling)
        return FLOW_NEXT;
    op->window.arena = &op->call.request->arena;
    op->window.done = window_found;
    return call_wait(&op->call, limits_find(op->call.service->pool, &op->from, &payer->owner,
                                            op->now, &op->window));
}

static enum flow_verdict decide(struct flow *flow)
{
    struct create_quote *op = from_flow(flow);
    const struct bundle *bundle = same_bundle(op);
    struct book book = book_of(op);
    struct account *payer = book_find(&book, &op->from);
    if (op->window.done != NULL && op->window.outcome != PG_OK)
        return call_refuse_outcome(&op->call, op->window.outcome);
    if (bundle == NULL)
        return call_refuse(&op->call, PROBLEM_OVERLOADED, "the rules are changing: ask again");
    if (payer != NULL) { /* as a batch does it: the payer's day is never over */
        int64_t day = limit_packed_day(payer->packed, op->now);
        op->now = day > op->now ? day : op->now;
        payer->window = op->window.found ? &op->window.window : NULL;
    }
    const struct batch_terms terms = {bundle, posting_stripe(op->call.service->posting), op->now,
                                      clock_monotonic()};
    if (!quote_decide(&op->movement.order, &terms, &book, &op->call.request->arena, &op->result))
        return call_refuse(&op->call, PROBLEM_OVERLOADED, NULL);
    if (op->result.outcome == POSTING_RULE_FAILED)
        return call_refuse(&op->call, PROBLEM_RULE_FAILED, op->result.quote.fee.reason);
    if (op->result.outcome != POSTING_ANSWERED)
        return call_refuse(&op->call, PROBLEM_INTERNAL, NULL);
    return FLOW_NEXT;
}

static enum flow_verdict report_refusal(struct create_quote *op)
{
    struct bytes body;
    const struct posting_decision decided = {
        .refusal = op->result.refusal,
        .reason = op->result.refusal == REFUSAL_RULE_DENIED ? op->result.quote.fee.reason : NULL,
    };
    bytes_init(&body, &op->call.request->arena);
    int status = receipt_render(&op->movement.order, &decided, &body);
    if (body.failed)
        return call_refuse(&op->call, PROBLEM_OVERLOADED, NULL);
    return call_answer_stored(&op->call, status, bytes_view(&body));
}

static void write_text(struct json_writer *writer, const char *key, const char *text)
{
    json_write_key(writer, key);
    json_write_text(writer, text);
}

static void write_number(struct json_writer *writer, const char *key, int64_t number)
{
    json_write_key(writer, key);
    json_write_int(writer, number);
}

/* As the refusal of the movement would say it. */
static void write_limits(struct json_writer *writer, const struct quote_outcome *result, bool owner)
{
    struct problem problem = {.code = PROBLEM_LIMIT_EXCEEDED};
    struct breach_text text = {.which = ""};
    json_write_key(writer, "limits");
    json_write_object(writer);
    json_write_key(writer, "pass");
    json_write_bool(writer, result->limits == REFUSAL_NONE);
    if (result->limits != REFUSAL_NONE)
        write_text(writer, "code", refusal_name(result->limits));
    if (result->breach.cap != NULL)
        breach_add(&problem, &result->breach, owner, &text);
    for (size_t i = 0; i < problem.extra_count; i++) {
        const struct problem_extra *extra = &problem.extras[i];
        if (extra->text != NULL)
            write_text(writer, extra->name, extra->text);
        else
            write_number(writer, extra->name, extra->number);
    }
    json_write_object_end(writer);
}

static void write_quote(const struct create_quote *op, struct slice sealed, struct bytes *body)
{
    const struct quote *quote = &op->result.quote;
    struct json_writer writer;
    char code[4];
    json_write_init(&writer, body);
    json_write_object(&writer);
    json_write_key(&writer, "quote");
    json_write_string(&writer, sealed);
    receipt_write_time(&writer, "expires_at", quote->expires_at);
    write_text(&writer, "kind", transaction_kind_name(quote->kind));
    receipt_write_id(&writer, "from", "wal_", &quote->from);
    if (quote->kind != TRANSACTION_WITHDRAWAL) {
        receipt_write_id(&writer, "to", "wal_", &quote->to);
    } else {
        json_write_key(&writer, "to");
        json_write_null(&writer);
    }
    write_number(&writer, "amount", quote->amount.minor);
    write_number(&writer, "fee", quote->fee.total);
    write_number(&writer, "total",
                 quote->amount.minor + (quote->fee.receiver_pays ? 0 : quote->fee.total));
    currency_text(quote->amount.currency, code);
    write_text(&writer, "currency", code);
    write_limits(&writer, &op->result, op->call.gate.answer.caller == GATE_USER);
    if (quote->pricing.at != NULL)
        receipt_write_pricing(&writer, quote->bundle, &quote->fee);
    json_write_object_end(&writer);
}

static enum flow_verdict report_quote(struct flow *flow)
{
    struct create_quote *op = from_flow(flow);
    struct arena *arena = &op->call.request->arena;
    struct bytes body;
    if (op->result.refusal != REFUSAL_NONE)
        return report_refusal(op);
    struct slice sealed =
        quote_seal(op->call.service->settings.secret_key, &op->result.quote, arena);
    if (sealed.at == NULL)
        return call_refuse(&op->call, PROBLEM_OVERLOADED, NULL);
    bytes_init(&body, arena);
    write_quote(op, sealed, &body);
    return call_answer(&op->call, 201, &body);
}

static const struct flow_step steps[] = {
    {"read_body", read_body},
    {"ask_gate", call_ask_gate},
    {"check_gate", call_check_caller},
    {"ask_recipient", ask_recipient}, /* PostgreSQL, only for a phone number */
    {"ask_accounts", ask_accounts},   /* PostgreSQL, without a lock */
    {"ask_window", ask_window},       /* PostgreSQL, only for a rolling limit */
    {"decide", decide},               /* as posting would */
    {"report_quote", report_quote},
    {NULL, NULL},
};

void create_quote(void *owner, struct request *request)
{
    call_start(owner, request, sizeof(struct create_quote), steps);
}
