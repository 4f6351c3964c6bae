/* POST /v1/transactions/{id}/refunds: who received gives back, a part or all that is left. */
#include <stddef.h>

#include "api/body.h"
#include "api/endpoints.h"
#include "api/give_back.h"

static const struct body_field fields[] = {
    {"amount", BODY_AMOUNT, false, offsetof(struct give_back, movement.amount), 0, 0},
    {"reason", BODY_TEXT, true, offsetof(struct give_back, movement.note), 1, 140},
    {NULL, BODY_TEXT, false, 0, 0, 0},
};

static enum flow_verdict read_body(struct flow *flow)
{
    struct give_back *op = give_back_of(flow);
    struct movement *movement = &op->movement;
    movement->kind = TRANSACTION_REFUND;
    if (!call_expect_no_query(&op->call) || !idempotency_read(&op->call, true, &movement->key) ||
        !body_read(&op->call, fields, op))
        return FLOW_DONE;
    body_hash(&op->call, fields, op, movement->request_hash);
    return FLOW_NEXT;
}

static enum flow_verdict ask_posting(struct flow *flow)
{
    struct give_back *op = give_back_of(flow);
    const struct wallets_transaction *original = give_back_original(op);
    const struct uuid *caller = call_caller(&op->call);
    if (op->question.outcome != PG_OK)
        return call_refuse_outcome(&op->call, op->question.outcome);
    if (original == NULL || op->call.gate.answer.caller == GATE_PARTNER ||
        uuid_equal(caller, &original->to_owner))
        return give_back_ask_posting(op, original);
    if (uuid_equal(caller, &original->from_owner))
        return call_refuse(&op->call, PROBLEM_FORBIDDEN,
                           "Only who received it, or a partner, gives it back");
    return give_back_ask_posting(op, NULL); /* a stranger's: as if there were none */
}

static const struct flow_step steps[] = {
    {"admit", movement_admit},
    {"read_body", read_body},
    {"ask_gate", call_ask_gate},
    {"check_gate", call_check_caller},
    {"ask_original", give_back_ask_original}, /* PostgreSQL */
    {"ask_archive", give_back_ask_archive},   /* PostgreSQL, only when it isn't here */
    {"ask_posting", ask_posting},
    {"report_posting", give_back_report},
    {NULL, NULL},
};

void create_refund(void *owner, struct request *request)
{
    call_start(owner, request, sizeof(struct give_back), steps);
}
