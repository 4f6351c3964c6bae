/* POST /v1/webhooks/{id}/replay: tell a time's events, or all after one, again. */
#include <stddef.h>

#include "api/body.h"
#include "api/endpoints.h"
#include "base/clock.h"
#include "store/webhooks.h"

struct replay_webhook {
    struct call call;
    struct uuid id;
    struct slice from, to, after; /* texts, or absent */
    struct uuid range[2];         /* events after the first, up to the second */
    struct webhooks_question question;
};

static const struct body_field fields[] = {
    {"from", BODY_TEXT, false, offsetof(struct replay_webhook, from), 1, 40},
    {"to", BODY_TEXT, false, offsetof(struct replay_webhook, to), 1, 40},
    {"after", BODY_TEXT, false, offsetof(struct replay_webhook, after), 1, 40},
    {NULL, BODY_TEXT, false, 0, 0, 0},
};

static struct replay_webhook *from_flow(struct flow *flow)
{
    return (struct replay_webhook *)(void *)call_of(flow);
}

static void answered(struct webhooks_question *question)
{
    struct replay_webhook *op =
        (struct replay_webhook *)(void *)((char *)question -
                                          offsetof(struct replay_webhook, question));
    call_resume(&op->call);
}

/* The id that all events of a moment's millisecond are behind. */
static void id_of(int64_t unix_us, struct uuid *id)
{
    uint64_t milliseconds = unix_us < 0 ? 0 : (uint64_t)unix_us / 1000;
    memset(id, 0, sizeof *id);
    for (int i = 0; i < 6; i++)
        id->bytes[i] = (uint8_t)(milliseconds >> 8 * (5 - i));
}

static void read_time(struct call *call, const char *pointer, struct slice text, struct uuid *id)
{
    int64_t time;
    if (text.at == NULL)
        return;
    if (clock_parse(text, &time))
        id_of(time, id);
    else
        call_add_field(call, slice_of(pointer), "format",
                       "must be a time like 2026-12-01T08:00:00Z");
}

static enum flow_verdict read_body(struct flow *flow)
{
    struct replay_webhook *op = from_flow(flow);
    struct call *call = &op->call;
    if (!call_expect_no_query(call) || !body_read(call, fields, op))
        return FLOW_DONE;
    memset(&op->range[1], 0xff, sizeof op->range[1]);
    if ((op->from.at == NULL) == (op->after.at == NULL))
        call_add_field(call, SLICE("/from"), "required", "is required, or `after`; not both");
    if (op->after.at != NULL && !uuid_parse(op->after, "evt_", &op->range[0]))
        call_add_field(call, SLICE("/after"), "format", "must be an event's id: evt_...");
    read_time(call, "/from", op->from, &op->range[0]);
    read_time(call, "/to", op->to, &op->range[1]);
    if (call->problem.field_count > 0)
        return call_refuse(call, PROBLEM_INVALID_REQUEST, NULL);
    return FLOW_NEXT;
}

static enum flow_verdict ask_replay(struct flow *flow)
{
    struct replay_webhook *op = from_flow(flow);
    op->id = call_path_id(&op->call, 0, "whk_");
    if (uuid_is_nil(&op->id))
        return call_refuse(&op->call, PROBLEM_WEBHOOK_NOT_FOUND, NULL);
    op->question.arena = &op->call.request->arena;
    op->question.done = answered;
    return call_wait(&op->call, webhooks_replay(op->call.service->pool, &op->id,
                                                call_caller(&op->call), op->range, &op->question));
}

static enum flow_verdict report(struct flow *flow)
{
    struct replay_webhook *op = from_flow(flow);
    if (op->question.outcome != PG_OK)
        return call_refuse_outcome(&op->call, op->question.outcome);
    if (!op->question.found)
        return call_refuse(&op->call, PROBLEM_WEBHOOK_NOT_FOUND, NULL);
    call_log(&op->call, "webhook_replayed", "whk_", &op->id);
    op->call.request->response.status = 202; /* the courier goes about it */
    return FLOW_DONE;
}

static const struct flow_step steps[] = {
    {"read_body", read_body},
    {"ask_gate", call_ask_gate},
    {"check_gate", call_check_partner},
    {"ask_replay", ask_replay}, /* PostgreSQL */
    {"report", report},
    {NULL, NULL},
};

void replay_webhook(void *owner, struct request *request)
{
    call_start(owner, request, sizeof(struct replay_webhook), steps);
}
