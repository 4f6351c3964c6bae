/* GET /v1/me and PATCH /v1/me: the caller. */
#include <stddef.h>

#include "api/body.h"
#include "api/endpoints.h"
#include "api/receipt.h"

struct show_me {
    struct call call;
    struct slice name;
    struct users_question question;
};

static const struct body_field fields[] = {
    {"name", BODY_TEXT, true, offsetof(struct show_me, name), 1, 100},
    {NULL, BODY_TEXT, false, 0, 0, 0},
};

static struct show_me *from_flow(struct flow *flow)
{
    return (struct show_me *)(void *)call_of(flow);
}

static void answered(struct users_question *question)
{
    struct show_me *op =
        (struct show_me *)(void *)((char *)question - offsetof(struct show_me, question));
    call_resume(&op->call);
}

static enum flow_verdict read_body(struct flow *flow)
{
    struct show_me *op = from_flow(flow);
    if (!call_expect_no_query(&op->call) || !body_read(&op->call, fields, op))
        return FLOW_DONE;
    return FLOW_NEXT;
}

static enum flow_verdict ask_user(struct flow *flow)
{
    struct show_me *op = from_flow(flow);
    const struct uuid *caller = call_caller(&op->call);
    if (op->name.at == NULL && !call_expect_no_query(&op->call))
        return FLOW_DONE;
    op->question.arena = &op->call.request->arena;
    op->question.done = answered;
    bool asked = op->name.at == NULL
                     ? users_find(op->call.service->pool, caller, &op->question)
                     : users_set_name(op->call.service->pool, caller, op->name, &op->question);
    return call_wait(&op->call, asked);
}

static enum flow_verdict report(struct flow *flow)
{
    struct show_me *op = from_flow(flow);
    struct bytes body;
    struct json_writer writer;
    if (op->question.outcome != PG_OK)
        return call_refuse_outcome(&op->call, op->question.outcome);
    if (!op->question.found)
        return call_refuse(&op->call, PROBLEM_UNAUTHENTICATED, NULL);
    if (op->name.at != NULL)
        call_log(&op->call, "user_renamed", NULL, NULL);
    bytes_init(&body, &op->call.request->arena);
    json_write_init(&writer, &body);
    receipt_write_user(&writer, &op->question.user);
    return call_answer(&op->call, 200, &body);
}

static const struct flow_step show_steps[] = {
    {"ask_gate", call_ask_gate},
    {"check_gate", call_check_user},
    {"ask_user", ask_user},
    {"report", report},
    {NULL, NULL},
};

static const struct flow_step update_steps[] = {
    {"read_body", read_body}, {"ask_gate", call_ask_gate}, {"check_gate", call_check_user},
    {"ask_user", ask_user},   {"report", report},          {NULL, NULL},
};

void show_me(void *owner, struct request *request)
{
    call_start(owner, request, sizeof(struct show_me), show_steps);
}

void show_me_update(void *owner, struct request *request)
{
    call_start(owner, request, sizeof(struct show_me), update_steps);
}
