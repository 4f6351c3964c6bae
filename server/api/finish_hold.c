/* POST /v1/holds/{id}/capture and .../void: by the payer's owner, or by a partner. Whose it is and
 * what it holds never changes and is read first; whether it's still open is posting's business,
 * under the lock. */
#include <stddef.h>

#include "api/body.h"
#include "api/endpoints.h"
#include "api/movement.h"
#include "ledger/account.h"

struct finish_hold {
    struct call call;
    struct movement movement;
    struct holds_question question;
};

static const struct body_field capture_fields[] = {
    {"amount", BODY_AMOUNT, false, offsetof(struct finish_hold, movement.amount), 0, 0},
    {NULL, BODY_TEXT, false, 0, 0, 0},
};
static const struct body_field void_fields[] = {
    {NULL, BODY_TEXT, false, 0, 0, 0},
};

static struct finish_hold *from_flow(struct flow *flow)
{
    return (struct finish_hold *)(void *)call_of(flow);
}

/* Without a body: all of it. */
static enum flow_verdict read_request(struct finish_hold *op, enum transaction_kind kind,
                                      const struct body_field *fields)
{
    struct call *call = &op->call;
    op->movement.kind = kind;
    if (!call_expect_no_query(call) || !idempotency_read(call, true, &op->movement.key))
        return FLOW_DONE;
    if (call->request->body.length > 0 && !body_read(call, fields, op))
        return FLOW_DONE;
    body_hash(call, fields, op, op->movement.request_hash);
    return FLOW_NEXT;
}

static enum flow_verdict read_capture(struct flow *flow)
{
    return read_request(from_flow(flow), TRANSACTION_CAPTURE, capture_fields);
}

static enum flow_verdict read_void(struct flow *flow)
{
    return read_request(from_flow(flow), TRANSACTION_VOID, void_fields);
}

static void answered(struct holds_question *question)
{
    struct finish_hold *op =
        (struct finish_hold *)(void *)((char *)question - offsetof(struct finish_hold, question));
    call_resume(&op->call);
}

static enum flow_verdict ask_hold(struct flow *flow)
{
    struct finish_hold *op = from_flow(flow);
    const struct uuid id = call_path_id(&op->call, 0, "hld_");
    op->question.arena = &op->call.request->arena;
    op->question.done = answered;
    return call_wait(&op->call, holds_find(op->call.service->pool, &id, &op->question));
}

/* Nobody's, or a stranger's: posting refuses it, so that the refusal is remembered under the key.
 */
static enum flow_verdict ask_posting(struct flow *flow)
{
    struct finish_hold *op = from_flow(flow);
    const struct call *call = &op->call;
    const struct holds_hold *found = op->question.holds;
    bool partner = call->gate.answer.caller == GATE_PARTNER;
    if (op->question.outcome != PG_OK)
        return call_refuse_outcome(&op->call, op->question.outcome);
    if (op->question.hold_count == 0)
        return movement_ask(&op->call, &op->movement);
    bool payer = uuid_equal(call_caller(call), &found->from_owner);
    if (account_system_kind(&found->hold.to) != 0 && (payer || partner))
        return call_refuse(&op->call, PROBLEM_FORBIDDEN,
                           "A purchase's hold ends with the purchase");
    if (!partner && !payer && uuid_equal(call_caller(call), &found->to_owner))
        return call_refuse(&op->call, PROBLEM_FORBIDDEN,
                           "Only who pays, or a partner, captures or gives up a hold");
    if (partner || payer) {
        op->movement.subject.id = found->hold.id;
        op->movement.from = found->hold.from;
        op->movement.to = found->hold.to;
        op->movement.currency = found->hold.currency;
    }
    return movement_ask(&op->call, &op->movement);
}

static enum flow_verdict report_posting(struct flow *flow)
{
    struct finish_hold *op = from_flow(flow);
    return movement_report(&op->call, &op->movement);
}

#define COMMON                                                                              \
    {"ask_gate", call_ask_gate}, {"check_gate", call_check_caller}, {"ask_hold", ask_hold}, \
        {"ask_posting", ask_posting}, {"report_posting", report_posting},                   \
    {                                                                                       \
        NULL, NULL                                                                          \
    }

static const struct flow_step capture_steps[] = {
    {"admit", movement_admit},
    {"read_body", read_capture},
    COMMON,
};

static const struct flow_step void_steps[] = {
    {"admit", movement_admit},
    {"read_body", read_void},
    COMMON,
};

void finish_hold_capture(void *owner, struct request *request)
{
    call_start(owner, request, sizeof(struct finish_hold), capture_steps);
}

void finish_hold_void(void *owner, struct request *request)
{
    call_start(owner, request, sizeof(struct finish_hold), void_steps);
}
