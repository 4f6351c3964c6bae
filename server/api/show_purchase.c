/* GET /v1/purchases/{id}: how far it has come, and what was bought. */
#include <stddef.h>

#include "api/endpoints.h"
#include "api/purchase_view.h"

struct show_purchase {
    struct call call;
    struct purchases_question question;
};

static struct show_purchase *from_flow(struct flow *flow)
{
    return (struct show_purchase *)(void *)call_of(flow);
}

static void answered(struct purchases_question *question)
{
    struct show_purchase *op =
        (struct show_purchase *)(void *)((char *)question -
                                         offsetof(struct show_purchase, question));
    call_resume(&op->call);
}

static enum flow_verdict ask_purchase(struct flow *flow)
{
    struct show_purchase *op = from_flow(flow);
    const struct uuid id = call_path_id(&op->call, 0, "pur_");
    if (!call_expect_no_query(&op->call))
        return FLOW_DONE;
    if (uuid_is_nil(&id))
        return call_refuse(&op->call, PROBLEM_PURCHASE_NOT_FOUND, NULL);
    op->question.arena = &op->call.request->arena;
    op->question.done = answered;
    return call_wait(&op->call, purchases_find(op->call.service->pool, &id, call_caller(&op->call),
                                               &op->question));
}

static enum flow_verdict report_purchase(struct flow *flow)
{
    struct show_purchase *op = from_flow(flow);
    if (op->question.outcome != PG_OK)
        return call_refuse_outcome(&op->call, op->question.outcome);
    if (op->question.count == 0 || op->question.purchases[0].status == PURCHASE_REFUSED)
        return call_refuse(&op->call, PROBLEM_PURCHASE_NOT_FOUND, NULL);
    return purchase_view_answer(&op->call, &op->question.purchases[0], false);
}

static const struct flow_step steps[] = {
    {"ask_gate", call_ask_gate},          {"check_gate", call_check_user},
    {"ask_purchase", ask_purchase}, /* PostgreSQL */
    {"report_purchase", report_purchase}, {NULL, NULL},
};

void show_purchase(void *owner, struct request *request)
{
    call_start(owner, request, sizeof(struct show_purchase), steps);
}
