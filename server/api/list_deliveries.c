/* GET /v1/webhooks/{id}/deliveries: the log, newest events first. */
#include <stddef.h>

#include "api/endpoints.h"
#include "api/paging.h"
#include "api/receipt.h"
#include "api/webhook_view.h"
#include "store/outbox.h"

struct list_deliveries {
    struct call call;
    struct paging page;
    struct uuid id;
    struct webhooks_question question;
};

static struct list_deliveries *from_flow(struct flow *flow)
{
    return (struct list_deliveries *)(void *)call_of(flow);
}

static void answered(struct webhooks_question *question)
{
    struct list_deliveries *op =
        (struct list_deliveries *)(void *)((char *)question -
                                           offsetof(struct list_deliveries, question));
    call_resume(&op->call);
}

static enum flow_verdict ask_log(struct flow *flow)
{
    struct list_deliveries *op = from_flow(flow);
    op->id = call_path_id(&op->call, 0, "whk_");
    op->page.after.list = CURSOR_DELIVERIES;
    op->page.after.scope = op->id;
    if (!paging_read(&op->call, &op->page, NULL))
        return FLOW_DONE;
    if (uuid_is_nil(&op->id))
        return call_refuse(&op->call, PROBLEM_WEBHOOK_NOT_FOUND, NULL);
    op->question.arena = &op->call.request->arena;
    op->question.done = answered;
    const struct webhooks_page page = {paging_before(&op->page), op->page.limit};
    return call_wait(&op->call, webhooks_log(op->call.service->pool, &op->id,
                                             call_caller(&op->call), &page, &op->question));
}

static const char *status_name(int status)
{
    return status == OUTBOX_PENDING     ? "pending"
           : status == OUTBOX_DELIVERED ? "delivered"
                                        : "failed";
}

static void write_time(struct json_writer *writer, const char *key, int64_t time)
{
    if (time != 0) {
        receipt_write_time(writer, key, time);
        return;
    }
    json_write_key(writer, key);
    json_write_null(writer);
}

static void write_delivery(struct json_writer *writer, const struct webhooks_delivery *d)
{
    json_write_object(writer);
    receipt_write_id(writer, "event", "evt_", &d->event);
    receipt_write_id(writer, "transaction", "tx_", &d->event);
    json_write_key(writer, "type");
    webhook_view_write_type(writer, d->kind);
    json_write_key(writer, "status");
    json_write_text(writer, status_name(d->status));
    json_write_key(writer, "attempts");
    json_write_int(writer, d->attempts);
    write_time(writer, "last_attempt_at", d->last_at);
    json_write_key(writer, "last_status");
    if (d->last_status == 0)
        json_write_null(writer);
    else
        json_write_int(writer, d->last_status);
    json_write_key(writer, "last_error");
    if (d->last_error.at == NULL)
        json_write_null(writer);
    else
        json_write_string(writer, d->last_error);
    write_time(writer, "next_attempt_at", d->due);
    receipt_write_time(writer, "created_at", d->created_at);
    json_write_object_end(writer);
}

static enum flow_verdict report(struct flow *flow)
{
    struct list_deliveries *op = from_flow(flow);
    const struct webhooks_question *question = &op->question;
    if (question->outcome != PG_OK)
        return call_refuse_outcome(&op->call, question->outcome);
    if (!question->found)
        return call_refuse(&op->call, PROBLEM_WEBHOOK_NOT_FOUND, NULL);
    size_t count = paging_count(&op->page, question->delivery_count);
    struct json_writer *writer = paging_begin(&op->call, &op->page);
    for (size_t i = 0; i < count; i++)
        write_delivery(writer, &question->deliveries[i]);
    paging_end(&op->call, &op->page, question->delivery_count,
               count == 0 ? NULL : &question->deliveries[count - 1].event);
    return call_answer(&op->call, 200, &op->page.body);
}

static const struct flow_step steps[] = {
    {"ask_gate", call_ask_gate}, {"check_gate", call_check_partner},
    {"ask_log", ask_log}, /* PostgreSQL */
    {"report", report},          {NULL, NULL},
};

void list_deliveries(void *owner, struct request *request)
{
    call_start(owner, request, sizeof(struct list_deliveries), steps);
}
