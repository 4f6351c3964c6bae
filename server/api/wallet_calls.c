/* GET /v1/wallets and GET /v1/wallets/{id}: the caller's wallets, newest first. */
#include <stddef.h>

#include "api/cached.h"
#include "api/endpoints.h"
#include "api/paging.h"
#include "api/receipt.h"

struct wallet_call {
    struct call call;
    struct paging page;
    struct wallets_question question;
};

static struct wallet_call *from_flow(struct flow *flow)
{
    return (struct wallet_call *)(void *)call_of(flow);
}

static void answered(struct wallets_question *question)
{
    struct wallet_call *op =
        (struct wallet_call *)(void *)((char *)question - offsetof(struct wallet_call, question));
    call_resume(&op->call);
}

static enum flow_verdict wait_for(struct wallet_call *op, bool asked)
{
    return call_wait(&op->call, asked);
}

static void prepare(struct wallet_call *op)
{
    op->question.arena = &op->call.request->arena;
    op->question.done = answered;
}

static enum flow_verdict ask_list(struct flow *flow)
{
    struct wallet_call *op = from_flow(flow);
    const struct uuid *caller = call_caller(&op->call);
    op->page.after.list = CURSOR_WALLETS;
    op->page.after.scope = *caller;
    if (!paging_read(&op->call, &op->page, NULL))
        return FLOW_DONE;
    prepare(op);
    return wait_for(op, wallets_list(op->call.service->pool, caller, paging_before(&op->page),
                                     op->page.limit, &op->question));
}

static enum flow_verdict report_list(struct flow *flow)
{
    struct wallet_call *op = from_flow(flow);
    const struct wallets_question *question = &op->question;
    if (question->outcome != PG_OK)
        return call_refuse_outcome(&op->call, question->outcome);
    size_t count = paging_count(&op->page, question->wallet_count);
    struct json_writer *writer = paging_begin(&op->call, &op->page);
    for (size_t i = 0; i < count; i++)
        receipt_write_wallet(writer, &question->wallets[i]);
    paging_end(&op->call, &op->page, question->wallet_count,
               count == 0 ? NULL : &question->wallets[count - 1].id);
    return call_answer_tagged(&op->call, &op->page.body);
}

static enum flow_verdict ask_gate(struct flow *flow)
{
    struct cached *op = cached_of(flow);
    struct uuid id = call_path_id(&op->call, 0, "wal_");
    return cached_ask_gate(op, CACHE_BALANCE, &id);
}

static enum flow_verdict ask_one(struct flow *flow)
{
    struct cached *op = cached_of(flow);
    if (!call_expect_no_query(&op->call))
        return FLOW_DONE;
    if (uuid_is_nil(&op->read.wallet))
        return call_refuse(&op->call, PROBLEM_WALLET_NOT_FOUND, NULL);
    return cached_ask(op);
}

static enum flow_verdict report_one(struct flow *flow)
{
    struct cached *op = cached_of(flow);
    struct bytes body;
    struct json_writer writer;
    if (op->question.outcome != PG_OK)
        return call_refuse_outcome(&op->call, op->question.outcome);
    if (op->question.wallet_count == 0)
        return call_refuse(&op->call, PROBLEM_WALLET_NOT_FOUND, NULL);
    bytes_init(&body, &op->call.request->arena);
    json_write_init(&writer, &body);
    receipt_write_wallet(&writer, &op->question.wallets[0]);
    return call_answer_tagged(&op->call, &body);
}

static const struct flow_step list_steps[] = {
    {"ask_gate", call_ask_gate},
    {"check_gate", call_check_user},
    {"ask_list", ask_list},
    {"report_list", report_list},
    {NULL, NULL},
};

static const struct flow_step show_steps[] = {
    {"ask_gate", ask_gate}, {"await_copy", cached_await_copy}, {"check_gate", call_check_user},
    {"ask_one", ask_one},   {"report_one", report_one},        {NULL, NULL},
};

void wallet_calls_list(void *owner, struct request *request)
{
    call_start(owner, request, sizeof(struct wallet_call), list_steps);
}

void wallet_calls_show(void *owner, struct request *request)
{
    call_start(owner, request, sizeof(struct cached), show_steps);
}
