/* GET /v1/holds/{id}, for its parties and partners; GET /v1/wallets/{id}/holds: a wallet's open
 * ones, newest first. */
#include <stddef.h>

#include "api/endpoints.h"
#include "api/paging.h"
#include "api/receipt.h"

struct show_hold {
    struct call call;
    struct paging page;
    struct uuid wallet;
    struct holds_question question;
};

static struct show_hold *from_flow(struct flow *flow)
{
    return (struct show_hold *)(void *)call_of(flow);
}

static void answered(struct holds_question *question)
{
    struct show_hold *op =
        (struct show_hold *)(void *)((char *)question - offsetof(struct show_hold, question));
    call_resume(&op->call);
}

static void prepare(struct show_hold *op)
{
    op->question.arena = &op->call.request->arena;
    op->question.done = answered;
}

static enum flow_verdict ask_hold(struct flow *flow)
{
    struct show_hold *op = from_flow(flow);
    const struct uuid id = call_path_id(&op->call, 0, "hld_");
    if (!call_expect_no_query(&op->call))
        return FLOW_DONE;
    if (uuid_is_nil(&id))
        return call_refuse(&op->call, PROBLEM_HOLD_NOT_FOUND, NULL);
    prepare(op);
    return call_wait(&op->call, holds_find(op->call.service->pool, &id, &op->question));
}

static bool may_see(const struct show_hold *op, const struct holds_hold *hold)
{
    const struct uuid *caller = call_caller(&op->call);
    return op->call.gate.answer.caller == GATE_PARTNER || uuid_equal(caller, &hold->from_owner) ||
           uuid_equal(caller, &hold->to_owner);
}

static enum flow_verdict report(struct flow *flow)
{
    struct show_hold *op = from_flow(flow);
    struct json_writer writer;
    struct bytes body;
    if (op->question.outcome != PG_OK)
        return call_refuse_outcome(&op->call, op->question.outcome);
    if (op->question.hold_count == 0 || !may_see(op, op->question.holds))
        return call_refuse(&op->call, PROBLEM_HOLD_NOT_FOUND, NULL);
    bytes_init(&body, &op->call.request->arena);
    json_write_init(&writer, &body);
    receipt_write_hold(&writer, op->question.holds);
    return call_answer_tagged(&op->call, &body);
}

static enum flow_verdict ask_list(struct flow *flow)
{
    struct show_hold *op = from_flow(flow);
    op->wallet = call_path_id(&op->call, 0, "wal_");
    op->page.after.list = CURSOR_HOLDS;
    op->page.after.scope = op->wallet; /* whose owner is the caller, or there is no answer */
    if (!paging_read(&op->call, &op->page, NULL))
        return FLOW_DONE;
    if (uuid_is_nil(&op->wallet))
        return call_refuse(&op->call, PROBLEM_WALLET_NOT_FOUND, NULL);
    prepare(op);
    const struct holds_page page = {
        .wallet = op->wallet,
        .owner = *call_caller(&op->call),
        .before = paging_before(&op->page),
        .limit = op->page.limit,
    };
    return call_wait(&op->call, holds_list(op->call.service->pool, &page, &op->question));
}

static enum flow_verdict report_list(struct flow *flow)
{
    struct show_hold *op = from_flow(flow);
    const struct holds_question *question = &op->question;
    if (question->outcome != PG_OK)
        return call_refuse_outcome(&op->call, question->outcome);
    if (!question->found)
        return call_refuse(&op->call, PROBLEM_WALLET_NOT_FOUND, NULL);
    size_t count = paging_count(&op->page, question->hold_count);
    struct json_writer *writer = paging_begin(&op->call, &op->page);
    for (size_t i = 0; i < count; i++)
        receipt_write_hold(writer, &question->holds[i]);
    paging_end(&op->call, &op->page, question->hold_count,
               count == 0 ? NULL : &question->holds[count - 1].hold.id);
    return call_answer(&op->call, 200, &op->page.body);
}

static const struct flow_step show_steps[] = {
    {"ask_gate", call_ask_gate},
    {"check_gate", call_check_caller},
    {"ask_hold", ask_hold},
    {"report", report},
    {NULL, NULL},
};

static const struct flow_step list_steps[] = {
    {"ask_gate", call_ask_gate},
    {"check_gate", call_check_user},
    {"ask_list", ask_list},
    {"report_list", report_list},
    {NULL, NULL},
};

void show_hold(void *owner, struct request *request)
{
    call_start(owner, request, sizeof(struct show_hold), show_steps);
}

void show_hold_list(void *owner, struct request *request)
{
    call_start(owner, request, sizeof(struct show_hold), list_steps);
}
