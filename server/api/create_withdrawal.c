/* POST /v1/withdrawals: a partner takes money out: wallet -> settlement. */
#include <stddef.h>

#include "api/body.h"
#include "api/endpoints.h"
#include "api/movement.h"
#include "posting/quote.h"

struct create_withdrawal {
    struct call call;
    struct movement movement;
    struct uuid from;
    struct slice reference;
};

static const struct body_field fields[] = {
    {"from", BODY_WALLET, true, offsetof(struct create_withdrawal, from), 0, 0},
    {"amount", BODY_AMOUNT, true, offsetof(struct create_withdrawal, movement.amount), 0, 0},
    {"currency", BODY_CURRENCY, true, offsetof(struct create_withdrawal, movement.currency), 0, 0},
    {"reference", BODY_TEXT, true, offsetof(struct create_withdrawal, reference), 1, 64},
    {"quote", BODY_TOKEN, false, offsetof(struct create_withdrawal, movement.quote), 1,
     QUOTE_TEXT_MAX},
    {NULL, BODY_TEXT, false, 0, 0, 0},
};

static struct create_withdrawal *from_flow(struct flow *flow)
{
    return (struct create_withdrawal *)(void *)call_of(flow);
}

static enum flow_verdict read_body(struct flow *flow)
{
    struct create_withdrawal *op = from_flow(flow);
    if (!call_expect_no_query(&op->call) || !idempotency_read(&op->call, true, &op->movement.key) ||
        !body_read(&op->call, fields, op))
        return FLOW_DONE;
    body_hash(&op->call, fields, op, op->movement.request_hash);
    return FLOW_NEXT;
}

static enum flow_verdict ask_posting(struct flow *flow)
{
    struct create_withdrawal *op = from_flow(flow);
    op->movement.kind = TRANSACTION_WITHDRAWAL;
    op->movement.from = op->from;
    op->movement.reference = op->reference;
    return movement_ask(&op->call, &op->movement);
}

static enum flow_verdict report_posting(struct flow *flow)
{
    struct create_withdrawal *op = from_flow(flow);
    return movement_report(&op->call, &op->movement);
}

static const struct flow_step steps[] = {
    {"admit", movement_admit},
    {"read_body", read_body},
    {"ask_gate", call_ask_gate},
    {"check_gate", call_check_partner},
    {"ask_posting", ask_posting},
    {"report_posting", report_posting},
    {NULL, NULL},
};

void create_withdrawal(void *owner, struct request *request)
{
    call_start(owner, request, sizeof(struct create_withdrawal), steps);
}
