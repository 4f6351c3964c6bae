/* POST /v1/me/password: a new password. Every other device is signed out.
 *
 * With an Idempotency-Key: that it was used is remembered, but nothing made of a password. Whether
 * a request under a used key is the same one is told by the new password being the one in force. */
#include <stddef.h>

#include "api/body.h"
#include "api/endpoints.h"
#include "api/idempotency.h"
#include "api/password.h"
#include "api/revocation.h"
#include "store/users.h"

struct change_password {
    struct call call;
    struct idempotency idempotency;
    struct slice current;
    struct slice fresh;
    struct password_work work;
    struct users_question question;
    struct revocation revocation;
};

static const struct body_field fields[] = {
    {"current_password", BODY_SECRET, true, offsetof(struct change_password, current), 1, 128},
    {"new_password", BODY_SECRET, true, offsetof(struct change_password, fresh), 8, 128},
    {NULL, BODY_TEXT, false, 0, 0, 0},
};

static struct change_password *from_flow(struct flow *flow)
{
    return (struct change_password *)(void *)call_of(flow);
}

static void answered(struct users_question *question)
{
    struct change_password *op =
        (struct change_password *)(void *)((char *)question -
                                           offsetof(struct change_password, question));
    call_resume(&op->call);
}

static enum flow_verdict read_body(struct flow *flow)
{
    struct change_password *op = from_flow(flow);
    if (!call_expect_no_query(&op->call) ||
        !idempotency_read(&op->call, false, &op->idempotency.key) ||
        !body_read(&op->call, fields, op))
        return FLOW_DONE;
    body_hash(&op->call, fields, op, op->idempotency.request_hash);
    op->call.gate.extra = GATE_LOOKUP; /* guessing is limited, whoever holds the token */
    op->question.arena = &op->call.request->arena;
    op->question.done = answered;
    return FLOW_NEXT;
}

static enum flow_verdict ask_remembered(struct flow *flow)
{
    struct change_password *op = from_flow(flow);
    return idempotency_ask(&op->call, &op->idempotency);
}

static bool is_repeated(const struct change_password *op)
{
    return op->idempotency.key.at != NULL && op->idempotency.earlier.found;
}

static enum flow_verdict ask_secrets(struct flow *flow)
{
    struct change_password *op = from_flow(flow);
    const struct users_question *earlier = &op->idempotency.earlier;
    if (op->idempotency.key.at != NULL && earlier->outcome != PG_OK)
        return call_refuse_outcome(&op->call, earlier->outcome);
    if (is_repeated(op) && earlier->key_reused)
        return call_refuse(&op->call, PROBLEM_IDEMPOTENCY_KEY_REUSED, NULL);
    return call_wait(&op->call, users_find_secrets(op->call.service->pool, call_caller(&op->call),
                                                   &op->question));
}

static enum flow_verdict verify_password(struct flow *flow)
{
    struct change_password *op = from_flow(flow);
    if (op->question.outcome != PG_OK)
        return call_refuse_outcome(&op->call, op->question.outcome);
    if (!op->question.found)
        return call_refuse(&op->call, PROBLEM_UNAUTHENTICATED, NULL);
    memcpy(op->work.encoded, op->question.password, sizeof op->work.encoded);
    op->work.password = is_repeated(op) ? op->fresh : op->current;
    return password_verify(&op->call, &op->work);
}

static enum flow_verdict hash_new(struct flow *flow)
{
    struct change_password *op = from_flow(flow);
    if (op->work.late)
        return call_refuse(&op->call, PROBLEM_OVERLOADED, NULL);
    if (is_repeated(op))
        return op->work.good ? idempotency_replay(&op->call, 204, (struct slice){NULL, 0})
                             : call_refuse(&op->call, PROBLEM_IDEMPOTENCY_KEY_REUSED, NULL);
    if (!op->work.good) {
        call_add_field(&op->call, SLICE("/current_password"), "wrong",
                       "is not the current password");
        return call_refuse(&op->call, PROBLEM_FORBIDDEN, NULL);
    }
    op->work.password = op->fresh;
    return password_hash(&op->call, &op->work);
}

static enum flow_verdict ask_change(struct flow *flow)
{
    struct change_password *op = from_flow(flow);
    if (!op->work.good)
        return call_refuse(&op->call, PROBLEM_OVERLOADED, NULL);
    const struct users_new_password fresh = {
        .user = *call_caller(&op->call),
        .keep_sign_in = op->call.gate.answer.sign_in_id,
        .password_hash = op->work.encoded,
        .answer = {op->idempotency.key, op->idempotency.request_hash, 204, SLICE("")},
    };
    return call_wait(&op->call, users_set_password(op->call.service->pool, &fresh, &op->question));
}

static enum flow_verdict tell_cache(struct flow *flow)
{
    struct change_password *op = from_flow(flow);
    if (op->question.outcome == PG_CONFLICT)
        return call_refuse(&op->call, PROBLEM_REQUEST_IN_PROGRESS, NULL);
    if (op->question.outcome != PG_OK)
        return call_refuse_outcome(&op->call, op->question.outcome);
    call_log(&op->call, "password_changed", NULL, NULL);
    return revocation_tell(&op->call, &op->revocation,
                           (const uint8_t(*)[32])op->question.token_hashes,
                           op->question.token_hash_count);
}

static enum flow_verdict report(struct flow *flow)
{
    return call_answer_nothing(call_of(flow));
}

static const struct flow_step steps[] = {
    {"read_body", read_body},
    {"ask_gate", call_ask_gate},
    {"check_gate", call_check_user},
    {"ask_remembered", ask_remembered},   /* PostgreSQL, only with a key */
    {"ask_secrets", ask_secrets},         /* PostgreSQL */
    {"verify_password", verify_password}, /* the thread pool */
    {"hash_new", hash_new},               /* the thread pool */
    {"ask_change", ask_change},           /* PostgreSQL */
    {"tell_cache", tell_cache},           /* Redis */
    {"report", report},
    {NULL, NULL},
};

void change_password(void *owner, struct request *request)
{
    call_start(owner, request, sizeof(struct change_password), steps);
}
