/* POST /v1/transfers: move money between two wallets. The whole life of the request, in order. */
#include <stddef.h>

#include "api/body.h"
#include "api/endpoints.h"
#include "api/movement.h"
#include "posting/quote.h"

struct create_transfer {
    struct call call;
    struct movement movement;
    struct uuid from;
    struct body_recipient to;
    struct slice note;
    struct slice reference;
    struct users_question recipient;
};

static const struct body_field fields[] = {
    {"from", BODY_WALLET, true, offsetof(struct create_transfer, from), 0, 0},
    {"to", BODY_RECIPIENT, true, offsetof(struct create_transfer, to), 0, 0},
    {"amount", BODY_AMOUNT, true, offsetof(struct create_transfer, movement.amount), 0, 0},
    {"currency", BODY_CURRENCY, true, offsetof(struct create_transfer, movement.currency), 0, 0},
    {"note", BODY_TEXT, false, offsetof(struct create_transfer, note), 1, 140},
    {"reference", BODY_TEXT, false, offsetof(struct create_transfer, reference), 1, 64},
    {"quote", BODY_TOKEN, false, offsetof(struct create_transfer, movement.quote), 1,
     QUOTE_TEXT_MAX},
    {NULL, BODY_TEXT, false, 0, 0, 0},
};

static struct create_transfer *from_flow(struct flow *flow)
{
    return (struct create_transfer *)(void *)call_of(flow);
}

static enum flow_verdict read_body(struct flow *flow)
{
    struct create_transfer *op = from_flow(flow);
    struct call *call = &op->call;
    if (!call_expect_no_query(call) || !idempotency_read(call, true, &op->movement.key) ||
        !body_read(call, fields, op))
        return FLOW_DONE;
    body_hash(call, fields, op, op->movement.request_hash);
    call->gate.extra = op->to.phone.at == NULL ? GATE_PLAIN : GATE_LOOKUP;
    return FLOW_NEXT;
}

static void recipient_found(struct users_question *question)
{
    struct create_transfer *op =
        (struct create_transfer *)(void *)((char *)question -
                                           offsetof(struct create_transfer, recipient));
    call_resume(&op->call);
}

/* A phone number's wallet. Nobody's: posting refuses it, so that the refusal is remembered under
 * the key. */
static enum flow_verdict ask_recipient(struct flow *flow)
{
    struct create_transfer *op = from_flow(flow);
    if (op->to.phone.at == NULL)
        return FLOW_NEXT;
    op->recipient.arena = &op->call.request->arena;
    op->recipient.done = recipient_found;
    return call_wait(&op->call,
                     users_find_by_phone(op->call.service->pool, op->to.phone, &op->recipient));
}

static enum flow_verdict ask_posting(struct flow *flow)
{
    struct create_transfer *op = from_flow(flow);
    if (op->to.phone.at != NULL) {
        if (op->recipient.outcome != PG_OK)
            return call_refuse_outcome(&op->call, op->recipient.outcome);
        if (op->recipient.found)
            op->to.wallet = op->recipient.user.wallet;
    }
    op->movement.kind = TRANSACTION_TRANSFER;
    op->movement.from = op->from;
    op->movement.to = op->to.wallet;
    op->movement.note = op->note;
    op->movement.reference = op->reference;
    return movement_ask(&op->call, &op->movement);
}

static enum flow_verdict report_posting(struct flow *flow)
{
    struct create_transfer *op = from_flow(flow);
    return movement_report(&op->call, &op->movement);
}

static const struct flow_step steps[] = {
    {"admit", movement_admit}, /* overloaded: refused before any work */
    {"read_body", read_body},
    {"ask_gate", call_ask_gate}, /* Redis: token and rate limits */
    {"check_gate", call_check_user},
    {"ask_recipient", ask_recipient}, /* PostgreSQL, only for a phone number */
    {"ask_posting", ask_posting},     /* the batch: PostgreSQL */
    {"report_posting", report_posting},
    {NULL, NULL},
};

void create_transfer(void *owner, struct request *request)
{
    call_start(owner, request, sizeof(struct create_transfer), steps);
}
