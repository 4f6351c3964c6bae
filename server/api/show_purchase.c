/* GET /v1/purchases/{id}: how far it has come, and what was bought; GET /v1/wallets/{id}/purchases:
 * a wallet's, newest first. */
#include <stddef.h>

#include "api/endpoints.h"
#include "api/paging.h"
#include "api/purchase_view.h"

struct show_purchase {
    struct call call;
    struct paging page;
    struct uuid wallet;
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

static enum flow_verdict ask_list(struct flow *flow)
{
    struct show_purchase *op = from_flow(flow);
    op->wallet = call_path_id(&op->call, 0, "wal_");
    op->page.after.list = CURSOR_PURCHASES;
    op->page.after.scope = op->wallet; /* whose owner is the caller, or there is no answer */
    if (!paging_read(&op->call, &op->page, NULL))
        return FLOW_DONE;
    if (uuid_is_nil(&op->wallet))
        return call_refuse(&op->call, PROBLEM_WALLET_NOT_FOUND, NULL);
    op->question.arena = &op->call.request->arena;
    op->question.done = answered;
    const struct purchases_page page = {
        .wallet = op->wallet,
        .owner = *call_caller(&op->call),
        .before = paging_before(&op->page),
        .limit = op->page.limit,
    };
    return call_wait(&op->call, purchases_list(op->call.service->pool, &page, &op->question));
}

static enum flow_verdict report_list(struct flow *flow)
{
    struct show_purchase *op = from_flow(flow);
    const struct purchases_question *question = &op->question;
    if (question->outcome != PG_OK)
        return call_refuse_outcome(&op->call, question->outcome);
    if (!question->found)
        return call_refuse(&op->call, PROBLEM_WALLET_NOT_FOUND, NULL);
    size_t count = paging_count(&op->page, question->count);
    struct json_writer *writer = paging_begin(&op->call, &op->page);
    for (size_t i = 0; i < count; i++)
        if (!purchase_view_write(writer, &op->call, &question->purchases[i]))
            return call_refuse(&op->call, PROBLEM_INTERNAL, NULL);
    paging_end(&op->call, &op->page, question->count,
               count == 0 ? NULL : &question->purchases[count - 1].id);
    return call_answer(&op->call, 200, &op->page.body);
}

static const struct flow_step list_steps[] = {
    {"ask_gate", call_ask_gate},  {"check_gate", call_check_user},
    {"ask_list", ask_list}, /* PostgreSQL */
    {"report_list", report_list}, {NULL, NULL},
};

static const struct flow_step steps[] = {
    {"ask_gate", call_ask_gate},          {"check_gate", call_check_user},
    {"ask_purchase", ask_purchase}, /* PostgreSQL */
    {"report_purchase", report_purchase}, {NULL, NULL},
};

void show_purchase(void *owner, struct request *request)
{
    call_start(owner, request, sizeof(struct show_purchase), steps);
}

void show_purchase_list(void *owner, struct request *request)
{
    call_start(owner, request, sizeof(struct show_purchase), list_steps);
}
