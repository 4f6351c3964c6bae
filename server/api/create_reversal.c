/* POST /v1/transactions/{id}/reversal, on the operators' listener: all that is left of a
 * transaction goes back, fee included. With `allow_negative` also when it isn't there any more: a
 * debt. */
#include <stddef.h>

#include "api/body.h"
#include "api/endpoints.h"
#include "api/give_back.h"
#include "api/operators.h"

static const struct body_field fields[] = {
    {"reason", BODY_TEXT, true, offsetof(struct give_back, movement.note), 1, 140},
    {"allow_negative", BODY_BOOL, false, offsetof(struct give_back, movement.allow_negative), 0, 0},
    {NULL, BODY_TEXT, false, 0, 0, 0},
};

/* Operators are one caller: their keys have one scope. */
static const struct uuid operators = {{0, 0, 0, 0, 0, 0, 0x80, 0, 0x80, 0, 0xfe}};

static enum flow_verdict read_body(struct flow *flow)
{
    struct give_back *op = give_back_of(flow);
    struct movement *movement = &op->movement;
    movement->kind = TRANSACTION_REVERSAL;
    movement->caller = operators;
    if (!call_expect_no_query(&op->call) || !idempotency_read(&op->call, true, &movement->key) ||
        !body_read(&op->call, fields, op))
        return FLOW_DONE;
    body_hash(&op->call, fields, op, movement->request_hash);
    return FLOW_NEXT;
}

static enum flow_verdict ask_posting(struct flow *flow)
{
    struct give_back *op = give_back_of(flow);
    if (op->question.outcome != PG_OK)
        return call_refuse_outcome(&op->call, op->question.outcome);
    return give_back_ask_posting(op, give_back_original(op));
}

static enum flow_verdict report_posting(struct flow *flow)
{
    struct give_back *op = give_back_of(flow);
    const struct posting_order *order = &op->movement.receipt.order;
    if (order->outcome == POSTING_ANSWERED && order->status == 201 && !order->replayed)
        call_log(&op->call,
                 op->movement.allow_negative ? "transaction_reversed_negative"
                                             : "transaction_reversed",
                 "tx_", &order->subject.id);
    return give_back_report(flow);
}

static const struct flow_step steps[] = {
    {"admit", movement_admit},
    {"check_operator", operators_check},
    {"read_body", read_body},
    {"ask_original", give_back_ask_original}, /* PostgreSQL */
    {"ask_archive", give_back_ask_archive},   /* PostgreSQL, only when it isn't here */
    {"ask_posting", ask_posting},
    {"report_posting", report_posting},
    {NULL, NULL},
};

void create_reversal(void *owner, struct request *request)
{
    call_start(owner, request, sizeof(struct give_back), steps);
}
