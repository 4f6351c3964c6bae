#include "api/movement.h"

#include <stddef.h>

#include "base/arena.h"
#include "base/clock.h"
#include "posting/quote.h"

static void done(struct posting_order *order)
{
    struct movement *movement =
        (struct movement *)(void *)((char *)order - offsetof(struct movement, receipt.order));
    movement->answer = arena_copy(&movement->call->request->arena, order->body);
    movement->call->request->batch_size = order->batch_size;
    call_resume(movement->call);
}

enum flow_verdict movement_admit(struct flow *flow)
{
    struct call *call = call_of(flow);
    if (posting_admits(call->service->posting, call->service->settings.posting_deadline_us))
        return FLOW_NEXT;
    return call_refuse(call, PROBLEM_OVERLOADED, NULL);
}

/* Whether it's any good is posting's to say, after it has looked for the key: a quote that is over
 * doesn't stand between an asker and the answer to what it bought. False: out of memory. */
static bool bring_quote(struct call *call, struct movement *movement)
{
    struct arena *arena = &call->request->arena;
    if (movement->quote.at == NULL)
        return true;
    struct quote *quote = arena_alloc(arena, sizeof *quote);
    movement->receipt.order.quote = quote;
    return quote != NULL &&
           quote_open(call->service->settings.secret_key, movement->quote, arena, quote);
}

enum flow_verdict movement_ask(struct call *call, struct movement *movement)
{
    struct posting_order *order = &movement->receipt.order;
    movement->call = call;
    movement->receipt.request_id = call->request->id;
    *order = (struct posting_order){
        .kind = movement->kind,
        .caller = uuid_is_nil(&movement->caller) ? *call_caller(call) : movement->caller,
        .anyones = call->gate.answer.caller != GATE_USER,
        .key = movement->key,
        .from = movement->from,
        .to = movement->to,
        .amount = {movement->amount, movement->currency},
        .note = movement->note,
        .reference = movement->reference,
        .subject = movement->subject,
        .subject_away = movement->subject_away,
        .expires_in = movement->expires_in_s * CLOCK_SECOND,
        .allow_negative = movement->allow_negative,
        .deadline = clock_monotonic() + call->service->settings.posting_deadline_us,
        .items = movement->items,
        .item_count = movement->item_count,
        .all = movement->all,
        .render = movement->render == NULL ? receipt_render : movement->render,
        .recall = receipt_recall,
        .done = done,
    };
    memcpy(order->request_hash, movement->request_hash, sizeof order->request_hash);
    memcpy(order->trace_id, call->request->trace_id, sizeof order->trace_id);
    if (bring_quote(call, movement) && posting_submit(call->service->posting, order))
        return FLOW_WAIT;
    return call_refuse(call, PROBLEM_OVERLOADED, NULL);
}

static enum flow_verdict report_answer(struct call *call, struct movement *movement)
{
    const struct posting_order *order = &movement->receipt.order;
    if (movement->answer.at == NULL) /* out of memory: it's durable, and asking again tells it */
        return call_refuse(call, PROBLEM_OVERLOADED, NULL);
    return order->replayed ? idempotency_replay(call, order->status, movement->answer)
                           : call_answer_stored(call, order->status, movement->answer);
}

enum flow_verdict movement_report(struct call *call, struct movement *movement)
{
    switch (movement->receipt.order.outcome) {
    case POSTING_ANSWERED:
        return report_answer(call, movement);
    case POSTING_KEY_REUSED:
        return call_refuse(call, PROBLEM_IDEMPOTENCY_KEY_REUSED, NULL);
    case POSTING_RULE_FAILED:
        return call_refuse(call, PROBLEM_RULE_FAILED, movement->answer.at);
    case POSTING_EXPIRED:
        return call_refuse(call, PROBLEM_OVERLOADED, NULL);
    case POSTING_UNAVAILABLE:
        return call_refuse(call, PROBLEM_DATABASE_UNAVAILABLE, NULL);
    case POSTING_POISONED:
        break;
    }
    return call_refuse(call, PROBLEM_INTERNAL, NULL);
}
