/* GET /v1/webhooks and /v1/webhooks/{id}, DELETE, and POST /v1/webhooks/{id}/rotate: what a partner
 * does with its webhooks. */
#include <stddef.h>

#include "api/endpoints.h"
#include "api/paging.h"
#include "api/webhook_view.h"
#include "store/webhooks.h"

struct webhook_calls {
    struct call call;
    struct paging page;
    struct uuid id;
    struct webhook_view_secret secret;
    struct webhooks_question question;
};

static struct webhook_calls *from_flow(struct flow *flow)
{
    return (struct webhook_calls *)(void *)call_of(flow);
}

static void answered(struct webhooks_question *question)
{
    struct webhook_calls *op =
        (struct webhook_calls *)(void *)((char *)question -
                                         offsetof(struct webhook_calls, question));
    call_resume(&op->call);
}

static struct webhooks_question *question_of(struct webhook_calls *op)
{
    op->question.arena = &op->call.request->arena;
    op->question.done = answered;
    return &op->question;
}

static enum flow_verdict ask_list(struct flow *flow)
{
    struct webhook_calls *op = from_flow(flow);
    op->page.after.list = CURSOR_WEBHOOKS;
    op->page.after.scope = *call_caller(&op->call);
    if (!paging_read(&op->call, &op->page, NULL))
        return FLOW_DONE;
    return call_wait(&op->call,
                     webhooks_list(op->call.service->pool, call_caller(&op->call),
                                   paging_before(&op->page), op->page.limit, question_of(op)));
}

static enum flow_verdict report_list(struct flow *flow)
{
    struct webhook_calls *op = from_flow(flow);
    const struct webhooks_question *question = &op->question;
    if (question->outcome != PG_OK)
        return call_refuse_outcome(&op->call, question->outcome);
    size_t count = paging_count(&op->page, question->webhook_count);
    struct json_writer *writer = paging_begin(&op->call, &op->page);
    for (size_t i = 0; i < count; i++)
        webhook_view_write(writer, &question->webhooks[i], NULL);
    paging_end(&op->call, &op->page, question->webhook_count,
               count == 0 ? NULL : &question->webhooks[count - 1].id);
    return call_answer(&op->call, 200, &op->page.body);
}

static enum flow_verdict read_id(struct flow *flow)
{
    struct webhook_calls *op = from_flow(flow);
    op->id = call_path_id(&op->call, 0, "whk_");
    if (!call_expect_no_query(&op->call))
        return FLOW_DONE;
    if (uuid_is_nil(&op->id))
        return call_refuse(&op->call, PROBLEM_WEBHOOK_NOT_FOUND, NULL);
    return FLOW_NEXT;
}

static enum flow_verdict ask_find(struct flow *flow)
{
    struct webhook_calls *op = from_flow(flow);
    return call_wait(&op->call, webhooks_find(op->call.service->pool, &op->id,
                                              call_caller(&op->call), question_of(op)));
}

static enum flow_verdict ask_delete(struct flow *flow)
{
    struct webhook_calls *op = from_flow(flow);
    return call_wait(&op->call, webhooks_delete(op->call.service->pool, &op->id,
                                                call_caller(&op->call), question_of(op)));
}

static enum flow_verdict ask_rotate(struct flow *flow)
{
    struct webhook_calls *op = from_flow(flow);
    webhook_view_new_secret(op->call.service->settings.secret_key, &op->id, &op->secret);
    return call_wait(&op->call,
                     webhooks_rotate(op->call.service->pool, &op->id, call_caller(&op->call),
                                     op->secret.sealed, question_of(op)));
}

/* Step: it's the partner's, or the call ends. */
static enum flow_verdict check_found(struct flow *flow)
{
    struct webhook_calls *op = from_flow(flow);
    if (op->question.outcome != PG_OK)
        return call_refuse_outcome(&op->call, op->question.outcome);
    if (!op->question.found)
        return call_refuse(&op->call, PROBLEM_WEBHOOK_NOT_FOUND, NULL);
    return FLOW_NEXT;
}

static enum flow_verdict report_one(struct flow *flow)
{
    struct webhook_calls *op = from_flow(flow);
    return webhook_view_answer(&op->call, 200, op->question.webhooks, NULL);
}

static enum flow_verdict report_deleted(struct flow *flow)
{
    struct webhook_calls *op = from_flow(flow);
    call_log(&op->call, "webhook_deleted", "whk_", &op->id);
    return call_answer_nothing(&op->call);
}

static enum flow_verdict report_rotated(struct flow *flow)
{
    struct webhook_calls *op = from_flow(flow);
    call_log(&op->call, "webhook_secret_rotated", "whk_", &op->id);
    return webhook_view_answer(&op->call, 200, op->question.webhooks, op->secret.text);
}

static const struct flow_step list_steps[] = {
    {"ask_gate", call_ask_gate}, {"check_gate", call_check_partner},
    {"ask_list", ask_list}, /* PostgreSQL */
    {"report", report_list},     {NULL, NULL},
};

static const struct flow_step show_steps[] = {
    {"ask_gate", call_ask_gate},
    {"check_gate", call_check_partner},
    {"read_id", read_id},
    {"ask_find", ask_find}, /* PostgreSQL */
    {"check_found", check_found},
    {"report", report_one},
    {NULL, NULL},
};

static const struct flow_step delete_steps[] = {
    {"ask_gate", call_ask_gate},  {"check_gate", call_check_partner}, {"read_id", read_id},
    {"ask_delete", ask_delete}, /* PostgreSQL */
    {"check_found", check_found}, {"report", report_deleted},         {NULL, NULL},
};

static const struct flow_step rotate_steps[] = {
    {"ask_gate", call_ask_gate},  {"check_gate", call_check_partner}, {"read_id", read_id},
    {"ask_rotate", ask_rotate}, /* PostgreSQL */
    {"check_found", check_found}, {"report", report_rotated},         {NULL, NULL},
};

void webhook_calls_list(void *owner, struct request *request)
{
    call_start(owner, request, sizeof(struct webhook_calls), list_steps);
}

void webhook_calls_show(void *owner, struct request *request)
{
    call_start(owner, request, sizeof(struct webhook_calls), show_steps);
}

void webhook_calls_delete(void *owner, struct request *request)
{
    call_start(owner, request, sizeof(struct webhook_calls), delete_steps);
}

void webhook_calls_rotate(void *owner, struct request *request)
{
    call_start(owner, request, sizeof(struct webhook_calls), rotate_steps);
}
