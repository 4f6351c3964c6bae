/* POST /v1/me/totp: a second factor, in two calls. `{}` makes a secret and answers it once;
 * `{"code":"123456"}` proves that the app has it, and from then on every sign-in asks for a code.
 *
 * Under an Idempotency-Key the second one's answer is remembered, the first one's isn't: it holds a
 * secret. */
#include <stddef.h>

#include "api/body.h"
#include "api/endpoints.h"
#include "api/idempotency.h"
#include "api/receipt.h"
#include "base/clock.h"

#define ENABLED "{\"enabled\":true}"

struct change_totp {
    struct call call;
    struct idempotency idempotency;
    struct slice code;
    uint8_t secret[CRYPTO_TOTP_SECRET_SIZE];
    struct users_question question;
};

static const struct body_field fields[] = {
    /* part of the request's hash: once used, or half a minute old, it's no secret */
    {"code", BODY_TEXT, false, offsetof(struct change_totp, code), 6, 6},
    {NULL, BODY_TEXT, false, 0, 0, 0},
};

static struct change_totp *from_flow(struct flow *flow)
{
    return (struct change_totp *)(void *)call_of(flow);
}

static void answered(struct users_question *question)
{
    struct change_totp *op =
        (struct change_totp *)(void *)((char *)question - offsetof(struct change_totp, question));
    call_resume(&op->call);
}

static enum flow_verdict read_body(struct flow *flow)
{
    struct change_totp *op = from_flow(flow);
    if (!call_expect_no_query(&op->call) ||
        !idempotency_read(&op->call, false, &op->idempotency.key) ||
        !body_read(&op->call, fields, op))
        return FLOW_DONE;
    body_hash(&op->call, fields, op, op->idempotency.request_hash);
    op->question.arena = &op->call.request->arena;
    op->question.done = answered;
    /* guessing codes is limited like guessing passwords */
    op->call.gate.extra = op->code.at == NULL ? GATE_PLAIN : GATE_LOOKUP;
    return FLOW_NEXT;
}

static enum flow_verdict ask_remembered(struct flow *flow)
{
    struct change_totp *op = from_flow(flow);
    return idempotency_ask(&op->call, &op->idempotency);
}

static enum flow_verdict ask_secret(struct flow *flow)
{
    struct change_totp *op = from_flow(flow);
    const struct uuid *caller = call_caller(&op->call);
    bool asked;
    if (idempotency_check(&op->call, &op->idempotency) == FLOW_DONE)
        return FLOW_DONE;
    if (op->code.at == NULL) {
        crypto_random(op->secret, sizeof op->secret);
        asked = users_set_totp(op->call.service->pool, caller, op->secret, &op->question);
    } else {
        asked = users_find_secrets(op->call.service->pool, caller, &op->question);
    }
    return call_wait(&op->call, asked);
}

static enum flow_verdict ask_enable(struct flow *flow)
{
    struct change_totp *op = from_flow(flow);
    int64_t step;
    if (op->question.outcome != PG_OK)
        return call_refuse_outcome(&op->call, op->question.outcome);
    if (op->code.at == NULL)
        return FLOW_NEXT;
    if (!op->question.found || !op->question.has_totp_secret || op->question.user.totp_enabled ||
        !crypto_totp_verify(op->question.totp_secret, clock_now() / CLOCK_SECOND, op->code,
                            &step)) {
        call_add_field(&op->call, SLICE("/code"), "wrong", "is not a code of the secret just made");
        return call_refuse(&op->call, PROBLEM_FORBIDDEN, NULL);
    }
    const struct users_answer answer = {op->idempotency.key, op->idempotency.request_hash, 200,
                                        SLICE(ENABLED)};
    return call_wait(&op->call, users_enable_totp(op->call.service->pool, call_caller(&op->call),
                                                  step, &answer, &op->question));
}

static void write_secret(struct change_totp *op, struct bytes *body)
{
    char secret[40];
    struct json_writer writer;
    crypto_base32(op->secret, sizeof op->secret, secret);
    bytes_init(body, &op->call.request->arena);
    json_write_init(&writer, body);
    json_write_object(&writer);
    json_write_key(&writer, "enabled");
    json_write_bool(&writer, false);
    json_write_key(&writer, "secret");
    json_write_text(&writer, secret);
    json_write_object_end(&writer);
}

static enum flow_verdict report(struct flow *flow)
{
    struct change_totp *op = from_flow(flow);
    struct bytes body;
    if (op->question.outcome == PG_CONFLICT)
        return call_refuse(&op->call, PROBLEM_REQUEST_IN_PROGRESS, NULL);
    if (op->question.outcome != PG_OK)
        return call_refuse_outcome(&op->call, op->question.outcome);
    if (!op->question.found)
        return call_refuse(&op->call, PROBLEM_FORBIDDEN, "A second factor is enabled already");
    call_log(&op->call, op->code.at == NULL ? "totp_secret_made" : "totp_enabled", NULL, NULL);
    if (op->code.at != NULL)
        return call_answer_stored(&op->call, 200, SLICE(ENABLED));
    write_secret(op, &body);
    return call_answer(&op->call, 200, &body);
}

static const struct flow_step steps[] = {
    {"read_body", read_body},
    {"ask_gate", call_ask_gate},
    {"check_gate", call_check_user},
    {"ask_remembered", ask_remembered}, /* PostgreSQL, only with a key */
    {"ask_secret", ask_secret},         /* PostgreSQL */
    {"ask_enable", ask_enable},         /* PostgreSQL, only with a code */
    {"report", report},
    {NULL, NULL},
};

void change_totp(void *owner, struct request *request)
{
    call_start(owner, request, sizeof(struct change_totp), steps);
}
