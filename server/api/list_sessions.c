/* GET /v1/sessions: the devices that are signed in, newest first. */
#include <stddef.h>

#include "api/endpoints.h"
#include "api/paging.h"
#include "api/receipt.h"

struct list_sessions {
    struct call call;
    struct paging page;
    struct users_question question;
};

static struct list_sessions *from_flow(struct flow *flow)
{
    return (struct list_sessions *)(void *)call_of(flow);
}

static void answered(struct users_question *question)
{
    struct list_sessions *op =
        (struct list_sessions *)(void *)((char *)question -
                                         offsetof(struct list_sessions, question));
    call_resume(&op->call);
}

static enum flow_verdict ask_list(struct flow *flow)
{
    struct list_sessions *op = from_flow(flow);
    op->page.after.list = CURSOR_SESSIONS;
    op->page.after.scope = *call_caller(&op->call);
    if (!paging_read(&op->call, &op->page, NULL))
        return FLOW_DONE;
    op->question.arena = &op->call.request->arena;
    op->question.done = answered;
    return call_wait(&op->call,
                     users_list_sign_ins(op->call.service->pool, call_caller(&op->call),
                                         paging_before(&op->page), op->page.limit, &op->question));
}

static void write_sign_in(struct json_writer *writer, const struct users_sign_in *sign_in,
                          const struct uuid *current)
{
    json_write_object(writer);
    receipt_write_id(writer, "id", "ses_", &sign_in->id);
    json_write_key(writer, "device");
    json_write_string(writer, sign_in->device);
    json_write_key(writer, "ip");
    json_write_string(writer, sign_in->ip);
    json_write_key(writer, "current");
    json_write_bool(writer, uuid_equal(&sign_in->id, current));
    receipt_write_time(writer, "created_at", sign_in->created_at);
    receipt_write_time(writer, "expires_at", sign_in->expires_at);
    json_write_object_end(writer);
}

static enum flow_verdict report(struct flow *flow)
{
    struct list_sessions *op = from_flow(flow);
    const struct users_question *question = &op->question;
    if (question->outcome != PG_OK)
        return call_refuse_outcome(&op->call, question->outcome);
    size_t count = paging_count(&op->page, question->sign_in_count);
    struct json_writer *writer = paging_begin(&op->call, &op->page);
    for (size_t i = 0; i < count; i++)
        write_sign_in(writer, &question->sign_ins[i], &op->call.gate.answer.sign_in_id);
    paging_end(&op->call, &op->page, question->sign_in_count,
               count == 0 ? NULL : &question->sign_ins[count - 1].id);
    return call_answer(&op->call, 200, &op->page.body);
}

static const struct flow_step steps[] = {
    {"ask_gate", call_ask_gate},
    {"check_gate", call_check_user},
    {"ask_list", ask_list},
    {"report", report},
    {NULL, NULL},
};

void list_sessions(void *owner, struct request *request)
{
    call_start(owner, request, sizeof(struct list_sessions), steps);
}
