/* GET /v1/wallets/{id}/events: what happens to a wallet, as it happens (server-sent events), from
 * behind Last-Event-ID on or from now on. The steps only open the stream; event_hub goes on. */
#include <stddef.h>

#include "api/call.h"
#include "api/endpoints.h"
#include "api/event_hub.h"
#include "api/sse.h"
#include "ledger/account.h"

struct wallet_events {
    struct call call;
    int64_t after; /* the event that came last; -1: none */
    struct wallets_question question;
    struct event_stream stream;
};

static struct wallet_events *from_flow(struct flow *flow)
{
    return (struct wallet_events *)(void *)call_of(flow);
}

static void answered(struct wallets_question *question)
{
    struct wallet_events *op =
        (struct wallet_events *)(void *)((char *)question -
                                         offsetof(struct wallet_events, question));
    call_resume(&op->call);
}

static enum flow_verdict read_id(struct flow *flow)
{
    struct wallet_events *op = from_flow(flow);
    struct slice id = op->call.request->last_event_id;
    op->after = -1;
    if (!call_expect_no_query(&op->call))
        return FLOW_DONE;
    if (id.at != NULL && !sse_read_id(id, &op->after))
        return call_refuse(&op->call, PROBLEM_INVALID_REQUEST,
                           "Last-Event-ID is not the id of an event: a whole number");
    return FLOW_NEXT;
}

static enum flow_verdict ask_wallet(struct flow *flow)
{
    struct wallet_events *op = from_flow(flow);
    struct uuid id = call_path_id(&op->call, 0, "wal_");
    if (uuid_is_nil(&id))
        return call_refuse(&op->call, PROBLEM_WALLET_NOT_FOUND, NULL);
    op->question.arena = &op->call.request->arena;
    op->question.done = answered;
    return call_wait(&op->call, wallets_find(op->call.service->pool, &id, call_caller(&op->call),
                                             &op->question));
}

static enum flow_verdict refuse_another(struct call *call, enum event_room room)
{
    if (room == EVENT_ROOM_WORKER_FULL)
        return call_refuse(call, PROBLEM_OVERLOADED,
                           "There are as many event streams as this server keeps");
    call->problem.retry_after_s = 10;
    return call_refuse(call, PROBLEM_TOO_MANY_STREAMS, NULL);
}

static enum flow_verdict open_stream(struct flow *flow)
{
    struct wallet_events *op = from_flow(flow);
    struct call *call = &op->call;
    struct event_hub *hub = call->service->events;
    if (op->question.outcome != PG_OK)
        return call_refuse_outcome(call, op->question.outcome);
    if (op->question.wallet_count == 0)
        return call_refuse(call, PROBLEM_WALLET_NOT_FOUND, NULL);
    const struct wallet *wallet = op->question.wallets;
    if (wallet->status == ACCOUNT_CLOSED && op->after == wallet->version)
        return call_answer_nothing(call); /* all is told, for ever: readers don't come back */
    enum event_room room = event_hub_room(hub, call_caller(call));
    if (room != EVENT_ROOM)
        return refuse_another(call, room);
    if (!event_hub_begin(hub, &op->stream, call->request, wallet, op->after))
        return call_refuse(call, PROBLEM_OVERLOADED, NULL);
    call->request->response.status = 200;
    call->request->response.content_type = "text/event-stream";
    return FLOW_DONE;
}

static const struct flow_step steps[] = {
    {"read_id", read_id},       {"ask_gate", call_ask_gate},  {"check_gate", call_check_user},
    {"ask_wallet", ask_wallet}, {"open_stream", open_stream}, {NULL, NULL},
};

void wallet_events(void *owner, struct request *request)
{
    call_start(owner, request, sizeof(struct wallet_events), steps);
}
