/* POST /v1/wallets: another wallet. */
#include <stddef.h>

#include "api/body.h"
#include "api/endpoints.h"
#include "api/idempotency.h"
#include "api/receipt.h"
#include "base/clock.h"
#include "ledger/account.h"

struct create_wallet {
    struct call call;
    struct idempotency idempotency;
    struct slice label;
    currency currency;
    int zone; /* 0: the server's */
    struct wallet fresh;
    struct bytes answer;  /* when it's made */
    struct bytes frozen;  /* when the user is */
    struct bytes refusal; /* when there is no room */
    struct wallets_question question;
};

static const struct body_field fields[] = {
    {"currency", BODY_CURRENCY, true, offsetof(struct create_wallet, currency), 0, 0},
    {"label", BODY_TEXT, true, offsetof(struct create_wallet, label), 1, 50},
    {"time_zone", BODY_ZONE, false, offsetof(struct create_wallet, zone), 0, 0},
    {NULL, BODY_TEXT, false, 0, 0, 0},
};

static struct create_wallet *from_flow(struct flow *flow)
{
    return (struct create_wallet *)(void *)call_of(flow);
}

static void answered(struct wallets_question *question)
{
    struct create_wallet *op =
        (struct create_wallet *)(void *)((char *)question -
                                         offsetof(struct create_wallet, question));
    call_resume(&op->call);
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
    struct create_wallet *op = from_flow(flow);
    struct call *call = &op->call;
    if (!call_expect_no_query(call) || !idempotency_read(call, false, &op->idempotency.key) ||
        !body_read(call, fields, op))
        return FLOW_DONE;
    body_hash(call, fields, op, op->idempotency.request_hash);
    if (is_served(call->service, op->currency))
        return FLOW_NEXT;
    call_add_field(call, SLICE("/currency"), "range", "is not served here");
    return call_refuse(call, PROBLEM_INVALID_REQUEST, NULL);
}

static enum flow_verdict ask_remembered(struct flow *flow)
{
    struct create_wallet *op = from_flow(flow);
    return idempotency_ask(&op->call, &op->idempotency);
}

/* All answers are written before it is known which one it will be: the statement that decides also
 * remembers. */
static void write_answers(struct create_wallet *op)
{
    struct arena *arena = &op->call.request->arena;
    const struct problem full = {
        .code = PROBLEM_LIMIT_EXCEEDED,
        .detail = "A user has at most 20 wallets",
        .extras = {{"limit", NULL, WALLETS_PER_USER}, {"used", NULL, WALLETS_PER_USER}},
        .extra_count = 2,
    };
    const struct problem frozen = {.code = PROBLEM_WALLET_FROZEN,
                                   .detail = "A frozen user opens no wallets"};
    struct json_writer writer;
    bytes_init(&op->answer, arena);
    json_write_init(&writer, &op->answer);
    receipt_write_wallet(&writer, &op->fresh);
    bytes_init(&op->frozen, arena);
    problem_write(&frozen, &op->call.request->id, &op->frozen);
    bytes_init(&op->refusal, arena);
    problem_write(&full, &op->call.request->id, &op->refusal);
}

static enum flow_verdict ask_create(struct flow *flow)
{
    struct create_wallet *op = from_flow(flow);
    int64_t now = clock_now();
    if (idempotency_check(&op->call, &op->idempotency) == FLOW_DONE)
        return FLOW_DONE;
    int zone = op->zone == 0 ? op->call.service->settings.zone : op->zone;
    op->fresh = (struct wallet){.id = uuid_new(now),
                                .owner = *call_caller(&op->call),
                                .label = op->label,
                                .currency = op->currency,
                                .status = ACCOUNT_ACTIVE,
                                .zone = zone,
                                .created_at = now};
    write_answers(op);
    if (op->answer.failed || op->frozen.failed || op->refusal.failed)
        return call_refuse(&op->call, PROBLEM_OVERLOADED, NULL);
    const struct wallets_new fresh = {
        .wallet = &op->fresh,
        .key = op->idempotency.key,
        .request_hash = op->idempotency.request_hash,
        .status = 201,
        .answer = bytes_view(&op->answer),
        .full_status = problem_status(PROBLEM_LIMIT_EXCEEDED),
        .full_answer = bytes_view(&op->refusal),
        .frozen_answer = bytes_view(&op->frozen),
    };
    op->question.arena = &op->call.request->arena;
    op->question.done = answered;
    return call_wait(&op->call, wallets_create(op->call.service->pool, &fresh, &op->question));
}

/* The key is taken: the same request came twice at once, and the other was first. */
static enum flow_verdict ask_conflict(struct flow *flow)
{
    struct create_wallet *op = from_flow(flow);
    if (op->question.outcome != PG_CONFLICT)
        return FLOW_NEXT;
    return idempotency_ask(&op->call, &op->idempotency);
}

static enum flow_verdict report_wallet(struct flow *flow)
{
    struct create_wallet *op = from_flow(flow);
    if (op->question.outcome == PG_CONFLICT &&
        idempotency_check(&op->call, &op->idempotency) == FLOW_DONE)
        return FLOW_DONE;
    if (op->question.outcome != PG_OK)
        return call_refuse_outcome(&op->call, op->question.outcome);
    if (op->question.wallet_count == 0)
        return call_answer_stored(&op->call, problem_status(PROBLEM_LIMIT_EXCEEDED),
                                  bytes_view(op->question.frozen ? &op->frozen : &op->refusal));
    call_log(&op->call, "wallet_created", "wal_", &op->fresh.id);
    return call_answer(&op->call, 201, &op->answer);
}

static const struct flow_step steps[] = {
    {"read_body", read_body},
    {"ask_gate", call_ask_gate},
    {"check_gate", call_check_user},
    {"ask_remembered", ask_remembered}, /* PostgreSQL, only with a key */
    {"ask_create", ask_create},         /* PostgreSQL */
    {"ask_conflict", ask_conflict},     /* PostgreSQL, only when the key was taken meanwhile */
    {"report_wallet", report_wallet},
    {NULL, NULL},
};

void create_wallet(void *owner, struct request *request)
{
    call_start(owner, request, sizeof(struct create_wallet), steps);
}
