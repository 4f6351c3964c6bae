/* POST /v1/users: sign up. A user with its first wallet. */
#include <stddef.h>

#include "api/body.h"
#include "api/endpoints.h"
#include "api/idempotency.h"
#include "api/password.h"
#include "api/receipt.h"
#include "base/clock.h"

struct create_user {
    struct call call;
    struct slice phone;
    struct slice password;
    struct slice name;
    int zone; /* 0: the server's */
    struct idempotency idempotency;
    struct password_work hashing;
    struct users_question question;
    struct user user;
    struct bytes body;
};

static const struct body_field fields[] = {
    {"phone", BODY_PHONE, true, offsetof(struct create_user, phone), 0, 0},
    {"password", BODY_SECRET, true, offsetof(struct create_user, password), 8, 128},
    {"name", BODY_TEXT, true, offsetof(struct create_user, name), 1, 100},
    {"time_zone", BODY_ZONE, false, offsetof(struct create_user, zone), 0, 0},
    {NULL, BODY_TEXT, false, 0, 0, 0},
};

static struct create_user *from_flow(struct flow *flow)
{
    return (struct create_user *)(void *)call_of(flow);
}

static void answered(struct users_question *question)
{
    struct create_user *op =
        (struct create_user *)(void *)((char *)question - offsetof(struct create_user, question));
    call_resume(&op->call);
}

static enum flow_verdict read_body(struct flow *flow)
{
    struct create_user *op = from_flow(flow);
    if (!call_expect_no_query(&op->call) ||
        !idempotency_read(&op->call, false, &op->idempotency.key) ||
        !body_read(&op->call, fields, op))
        return FLOW_DONE;
    body_hash(&op->call, fields, op, op->idempotency.request_hash);
    op->call.request->authorization = (struct slice){NULL, 0};
    op->call.gate.extra = GATE_SIGN_UP;
    op->question.arena = &op->call.request->arena;
    op->question.done = answered;
    return FLOW_NEXT;
}

/* A key that's used already is answered without hashing a password for it. */
static enum flow_verdict ask_remembered(struct flow *flow)
{
    struct create_user *op = from_flow(flow);
    return idempotency_ask(&op->call, &op->idempotency);
}

static enum flow_verdict hash_password(struct flow *flow)
{
    struct create_user *op = from_flow(flow);
    if (idempotency_check(&op->call, &op->idempotency) == FLOW_DONE)
        return FLOW_DONE;
    op->hashing.password = op->password;
    return password_hash(&op->call, &op->hashing);
}

static enum flow_verdict ask_create(struct flow *flow)
{
    struct create_user *op = from_flow(flow);
    int64_t now = clock_now();
    struct json_writer writer;
    if (!op->hashing.good)
        return call_refuse(&op->call, PROBLEM_OVERLOADED, NULL);
    op->user = (struct user){.id = uuid_new(now),
                             .phone = op->phone,
                             .name = op->name,
                             .created_at = now,
                             .wallet = uuid_new(now)};
    bytes_init(&op->body, &op->call.request->arena);
    json_write_init(&writer, &op->body);
    receipt_write_user(&writer, &op->user);
    const struct users_new fresh = {
        .id = op->user.id,
        .wallet = op->user.wallet,
        .phone = op->phone,
        .name = op->name,
        .password_hash = op->hashing.encoded,
        .currency = op->call.service->settings.currency,
        .zone = op->zone == 0 ? op->call.service->settings.zone : op->zone,
        .now = now,
        .key = op->idempotency.key,
        .request_hash = op->idempotency.request_hash,
        .answer_status = 201,
        .answer_body = bytes_view(&op->body),
    };
    return call_wait(&op->call, !op->body.failed &&
                                    users_create(op->call.service->pool, &fresh, &op->question));
}

/* A conflict is the phone's, or the key's: the same request came twice at once. */
static enum flow_verdict ask_conflict(struct flow *flow)
{
    struct create_user *op = from_flow(flow);
    if (op->question.outcome != PG_CONFLICT)
        return FLOW_NEXT;
    return idempotency_ask(&op->call, &op->idempotency);
}

static enum flow_verdict report_user(struct flow *flow)
{
    struct create_user *op = from_flow(flow);
    if (op->question.outcome == PG_CONFLICT) {
        if (idempotency_check(&op->call, &op->idempotency) == FLOW_DONE)
            return FLOW_DONE;
        return call_refuse(&op->call, PROBLEM_PHONE_TAKEN, NULL);
    }
    if (op->question.outcome != PG_OK)
        return call_refuse_outcome(&op->call, op->question.outcome);
    call_log(&op->call, "user_created", "usr_", &op->user.id);
    return call_answer(&op->call, 201, &op->body);
}

static const struct flow_step steps[] = {
    {"read_body", read_body},
    {"ask_gate", call_ask_gate},
    {"check_gate", call_check_anyone},
    {"ask_remembered", ask_remembered}, /* PostgreSQL, only with a key */
    {"hash_password", hash_password},   /* the thread pool */
    {"ask_create", ask_create},         /* PostgreSQL */
    {"ask_conflict", ask_conflict},     /* PostgreSQL, only when key or phone was taken */
    {"report_user", report_user},
    {NULL, NULL},
};

void create_user(void *owner, struct request *request)
{
    call_start(owner, request, sizeof(struct create_user), steps);
}
