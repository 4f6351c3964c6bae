/* POST /v1/holds: put money aside for a wallet: by its owner, or by a partner. */
#include <stddef.h>

#include "api/body.h"
#include "api/endpoints.h"
#include "api/movement.h"
#include "posting/quote.h"

#define DAY_S 86400
#define EXPIRES_DEFAULT_S ((int64_t)7 * DAY_S)

struct create_hold {
    struct call call;
    struct movement movement;
};

#define OF(member) offsetof(struct create_hold, movement.member)

static const struct body_field fields[] = {
    {"from", BODY_WALLET, true, OF(from), 0, 0},
    {"to", BODY_WALLET, true, OF(to), 0, 0},
    {"amount", BODY_AMOUNT, true, OF(amount), 0, 0},
    {"currency", BODY_CURRENCY, true, OF(currency), 0, 0},
    {"expires_in", BODY_INTEGER, false, OF(expires_in_s), 60, (size_t)30 * DAY_S},
    {"note", BODY_TEXT, false, OF(note), 1, 140},
    {"reference", BODY_TEXT, false, OF(reference), 1, 64},
    {"quote", BODY_TOKEN, false, OF(quote), 1, QUOTE_TEXT_MAX},
    {NULL, BODY_TEXT, false, 0, 0, 0},
};

static struct create_hold *from_flow(struct flow *flow)
{
    return (struct create_hold *)(void *)call_of(flow);
}

static enum flow_verdict read_body(struct flow *flow)
{
    struct create_hold *op = from_flow(flow);
    struct movement *movement = &op->movement;
    movement->expires_in_s = EXPIRES_DEFAULT_S;
    if (!call_expect_no_query(&op->call) || !idempotency_read(&op->call, true, &movement->key) ||
        !body_read(&op->call, fields, op))
        return FLOW_DONE;
    body_hash(&op->call, fields, op, movement->request_hash);
    return FLOW_NEXT;
}

static enum flow_verdict ask_posting(struct flow *flow)
{
    struct create_hold *op = from_flow(flow);
    op->movement.kind = TRANSACTION_HOLD;
    return movement_ask(&op->call, &op->movement);
}

static enum flow_verdict report_posting(struct flow *flow)
{
    struct create_hold *op = from_flow(flow);
    return movement_report(&op->call, &op->movement);
}

static const struct flow_step steps[] = {
    {"admit", movement_admit},
    {"read_body", read_body},
    {"ask_gate", call_ask_gate},
    {"check_gate", call_check_caller},
    {"ask_posting", ask_posting},
    {"report_posting", report_posting},
    {NULL, NULL},
};

void create_hold(void *owner, struct request *request)
{
    call_start(owner, request, sizeof(struct create_hold), steps);
}
