/* GET /v1/wallets, GET /v1/wallets/{id}, POST /v1/wallets: the caller's wallets. */
#include <stddef.h>

#include "api/body.h"
#include "api/endpoints.h"
#include "api/idempotency.h"
#include "api/receipt.h"
#include "base/clock.h"
#include "ledger/account.h"

struct wallet_call {
    struct call call;
    struct slice label;
    struct slice key;
    currency currency;
    struct wallet fresh;
    struct wallets_question question;
};

static const struct body_field fields[] = {
    {"currency", BODY_CURRENCY, true, offsetof(struct wallet_call, currency), 0, 0},
    {"label", BODY_TEXT, true, offsetof(struct wallet_call, label), 1, 50},
    {NULL, BODY_TEXT, false, 0, 0, 0},
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
    return asked ? FLOW_WAIT : call_refuse(&op->call, PROBLEM_DATABASE_UNAVAILABLE, NULL);
}

static void prepare(struct wallet_call *op)
{
    op->question.arena = &op->call.request->arena;
    op->question.done = answered;
}

static enum flow_verdict ask_list(struct flow *flow)
{
    struct wallet_call *op = from_flow(flow);
    if (!call_expect_no_query(&op->call))
        return FLOW_DONE;
    prepare(op);
    return wait_for(op,
                    wallets_list(op->call.service->pool, call_caller(&op->call), &op->question));
}

static enum flow_verdict report_list(struct flow *flow)
{
    struct wallet_call *op = from_flow(flow);
    struct bytes body;
    struct json_writer writer;
    if (op->question.outcome != PG_OK)
        return call_refuse_outcome(&op->call, op->question.outcome);
    bytes_init(&body, &op->call.request->arena);
    json_write_init(&writer, &body);
    json_write_object(&writer);
    json_write_key(&writer, "data");
    json_write_array(&writer);
    for (size_t i = 0; i < op->question.wallet_count; i++)
        receipt_write_wallet(&writer, &op->question.wallets[i]);
    json_write_array_end(&writer);
    json_write_key(&writer, "next");
    json_write_null(&writer);
    json_write_object_end(&writer);
    return call_answer_tagged(&op->call, &body);
}

static enum flow_verdict ask_one(struct flow *flow)
{
    struct wallet_call *op = from_flow(flow);
    struct uuid id = call_path_id(&op->call, 0, "wal_");
    if (!call_expect_no_query(&op->call))
        return FLOW_DONE;
    if (uuid_is_nil(&id))
        return call_refuse(&op->call, PROBLEM_WALLET_NOT_FOUND, NULL);
    prepare(op);
    return wait_for(
        op, wallets_find(op->call.service->pool, &id, call_caller(&op->call), &op->question));
}

static enum flow_verdict report_one(struct flow *flow)
{
    struct wallet_call *op = from_flow(flow);
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

static bool is_served(const struct service *service, currency which)
{
    for (const currency *at = service->settings.currencies; *at != 0; at++)
        if (*at == which)
            return true;
    return false;
}

static enum flow_verdict read_body(struct flow *flow)
{
    struct wallet_call *op = from_flow(flow);
    if (!call_expect_no_query(&op->call) || !idempotency_read(&op->call, false, &op->key) ||
        !body_read(&op->call, fields, op))
        return FLOW_DONE;
    if (is_served(op->call.service, op->currency))
        return FLOW_NEXT;
    call_add_field(&op->call, SLICE("/currency"), "range", "is not served here");
    return call_refuse(&op->call, PROBLEM_INVALID_REQUEST, NULL);
}

static enum flow_verdict ask_create(struct flow *flow)
{
    struct wallet_call *op = from_flow(flow);
    int64_t now = clock_now();
    prepare(op);
    op->fresh = (struct wallet){.id = uuid_new(now),
                                .owner = *call_caller(&op->call),
                                .label = op->label,
                                .currency = op->currency,
                                .status = ACCOUNT_ACTIVE,
                                .created_at = now};
    return wait_for(op, wallets_create(op->call.service->pool, &op->fresh, &op->question));
}

static enum flow_verdict report_created(struct flow *flow)
{
    struct wallet_call *op = from_flow(flow);
    struct bytes body;
    struct json_writer writer;
    if (op->question.outcome != PG_OK)
        return call_refuse_outcome(&op->call, op->question.outcome);
    if (op->question.wallet_count == 0)
        return call_refuse(&op->call, PROBLEM_LIMIT_EXCEEDED, "A user has at most 20 wallets");
    call_log(&op->call, "wallet_created", "wal_", &op->fresh.id);
    bytes_init(&body, &op->call.request->arena);
    json_write_init(&writer, &body);
    receipt_write_wallet(&writer, &op->fresh);
    return call_answer(&op->call, 201, &body);
}

static const struct flow_step list_steps[] = {
    {"ask_gate", call_ask_gate},
    {"check_gate", call_check_user},
    {"ask_list", ask_list},
    {"report_list", report_list},
    {NULL, NULL},
};

static const struct flow_step show_steps[] = {
    {"ask_gate", call_ask_gate},
    {"check_gate", call_check_user},
    {"ask_one", ask_one},
    {"report_one", report_one},
    {NULL, NULL},
};

static const struct flow_step create_steps[] = {
    {"read_body", read_body},   {"ask_gate", call_ask_gate},        {"check_gate", call_check_user},
    {"ask_create", ask_create}, {"report_created", report_created}, {NULL, NULL},
};

void wallet_calls_list(void *owner, struct request *request)
{
    call_start(owner, request, sizeof(struct wallet_call), list_steps);
}

void wallet_calls_show(void *owner, struct request *request)
{
    call_start(owner, request, sizeof(struct wallet_call), show_steps);
}

void wallet_calls_create(void *owner, struct request *request)
{
    call_start(owner, request, sizeof(struct wallet_call), create_steps);
}
