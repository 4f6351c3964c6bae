/* POST /v1/transfers/bulk: up to 1,000 transfers under one key and in one batch, each for itself or
 * all of them or none: by the owner of what they come from, or by a partner. Its body may have four
 * times what others may: so the gate is asked before it is parsed. */
#include <stddef.h>
#include <stdio.h>

#include "api/body.h"
#include "api/endpoints.h"
#include "api/movement.h"

struct create_bulk {
    struct call call;
    struct movement movement;
    struct slice mode;
    struct body_objects transfers; /* struct posting_item */
};

/* Wallets only: a phone number each would be looked up before anything is posted. */
static const struct body_field item_fields[] = {
    {"from", BODY_WALLET, true, offsetof(struct posting_item, from), 0, 0},
    {"to", BODY_WALLET, true, offsetof(struct posting_item, to), 0, 0},
    {"amount", BODY_AMOUNT, true, offsetof(struct posting_item, amount.minor), 0, 0},
    {"currency", BODY_CURRENCY, true, offsetof(struct posting_item, amount.currency), 0, 0},
    {"note", BODY_TEXT, false, offsetof(struct posting_item, note), 1, 140},
    {"reference", BODY_TEXT, false, offsetof(struct posting_item, reference), 1, 64},
    {NULL, BODY_TEXT, false, 0, 0, 0},
};

static const struct body_field fields[] = {
    {"mode", BODY_TEXT, true, offsetof(struct create_bulk, mode), 1, 16},
    {"transfers", BODY_OBJECTS, true, offsetof(struct create_bulk, transfers), 1,
     POSTING_ITEMS_MAX},
    {NULL, BODY_TEXT, false, 0, 0, 0},
};

static struct create_bulk *from_flow(struct flow *flow)
{
    return (struct create_bulk *)(void *)call_of(flow);
}

static enum flow_verdict read_headers(struct flow *flow)
{
    struct create_bulk *op = from_flow(flow);
    if (!call_expect_no_query(&op->call) || !idempotency_read(&op->call, true, &op->movement.key))
        return FLOW_DONE;
    return FLOW_NEXT;
}

static enum flow_verdict read_body(struct flow *flow)
{
    struct create_bulk *op = from_flow(flow);
    op->transfers.fields = item_fields;
    op->transfers.size = sizeof(struct posting_item);
    if (!body_read(&op->call, fields, op))
        return FLOW_DONE;
    op->movement.all = slice_equals(op->mode, "all");
    if (!op->movement.all && !slice_equals(op->mode, "each")) {
        call_add_field(&op->call, SLICE("/mode"), "format", "must be \"each\" or \"all\"");
        return call_refuse(&op->call, PROBLEM_INVALID_REQUEST, NULL);
    }
    body_hash(&op->call, fields, op, op->movement.request_hash);
    return FLOW_NEXT;
}

/* GET /v1/wallets/{id}/limits tells the rest. */
static void write_limit(struct json_writer *writer, const struct limit_breach *breach)
{
    char which[32];
    snprintf(which, sizeof which, "%s%s", breach->cap->code, breach->by_count ? "_count" : "");
    json_write_key(writer, "which");
    json_write_text(writer, which);
    json_write_key(writer, "limit");
    json_write_int(writer, breach->limit);
}

static void write_refusal(struct json_writer *writer, const struct posting_order *order,
                          const struct posting_result *result)
{
    const char *name = refusal_name(result->refusal);
    enum problem_code code;
    const char *detail = result->reason;
    if (detail == NULL && problem_find(slice_of(name), &code))
        detail = problem_title(code);
    json_write_text(writer, "refused");
    json_write_key(writer, "code");
    json_write_text(writer, name);
    json_write_key(writer, "detail");
    json_write_text(writer, detail == NULL ? name : detail);
    if (result->breach.cap != NULL)
        write_limit(writer, &result->breach);
    if (result->refusal != REFUSAL_INSUFFICIENT_FUNDS || order->anyones)
        return; /* a partner learns nothing of a customer's balance */
    json_write_key(writer, "available");
    json_write_int(writer, result->available);
    json_write_key(writer, "fee");
    json_write_int(writer, result->fee);
}

static void write_result(struct json_writer *writer, const struct posting_order *order,
                         const struct posting_result *result, size_t index)
{
    json_write_object(writer);
    json_write_key(writer, "index");
    json_write_int(writer, (int64_t)index);
    json_write_key(writer, "status");
    if (result->refusal != REFUSAL_NONE) {
        write_refusal(writer, order, result);
    } else if (uuid_is_nil(&result->transaction)) {
        json_write_text(writer, "not_posted");
    } else {
        json_write_text(writer, "posted");
        receipt_write_id(writer, "transaction", "tx_", &result->transaction);
        json_write_key(writer, "fee");
        json_write_int(writer, result->fee);
    }
    json_write_object_end(writer);
}

static void write_results(struct json_writer *writer, const struct posting_order *order,
                          const struct posting_decision *decision)
{
    size_t refused = 0;
    for (size_t i = 0; i < order->item_count; i++)
        refused += decision->results[i].refusal != REFUSAL_NONE;
    json_write_key(writer, "mode");
    json_write_text(writer, order->all ? "all" : "each");
    json_write_key(writer, "posted");
    json_write_int(writer, (int64_t)decision->posted);
    json_write_key(writer, "refused");
    json_write_int(writer, (int64_t)refused);
    json_write_key(writer, "results");
    json_write_array(writer);
    for (size_t i = 0; i < order->item_count; i++)
        write_result(writer, order, &decision->results[i], i);
    json_write_array_end(writer);
}

/* 201: something was posted. The verifier knows the answer of a bulk by how it begins
 * (store/verify_answers.c). */
static int render(const struct posting_order *order, const struct posting_decision *decision,
                  struct bytes *body)
{
    const struct receipt_order *own = (const struct receipt_order *)(const void *)order;
    const struct problem problem = {.code = PROBLEM_BULK_REFUSED};
    struct json_writer writer;
    json_write_init(&writer, body);
    json_write_object(&writer);
    if (decision->posted == 0)
        problem_write_members(&problem, &own->request_id, &writer);
    write_results(&writer, order, decision);
    json_write_object_end(&writer);
    return decision->posted > 0 ? 201 : problem_status(problem.code);
}

static enum flow_verdict ask_posting(struct flow *flow)
{
    struct create_bulk *op = from_flow(flow);
    op->movement.kind = TRANSACTION_TRANSFER;
    op->movement.items = op->transfers.at;
    op->movement.item_count = op->transfers.count;
    op->movement.render = render;
    return movement_ask(&op->call, &op->movement);
}

static enum flow_verdict report_posting(struct flow *flow)
{
    struct create_bulk *op = from_flow(flow);
    return movement_report(&op->call, &op->movement);
}

static const struct flow_step steps[] = {
    {"admit", movement_admit},          {"read_headers", read_headers},
    {"ask_gate", call_ask_gate},        {"check_gate", call_check_caller},
    {"read_body", read_body},           {"ask_posting", ask_posting},
    {"report_posting", report_posting}, {NULL, NULL},
};

void create_bulk(void *owner, struct request *request)
{
    call_start(owner, request, sizeof(struct create_bulk), steps);
}
