/* POST /v1/sessions: sign in. Whether a phone number is known can't be told from the answer, nor
 * from its time. */
#include <stddef.h>

#include "api/body.h"
#include "api/endpoints.h"
#include "api/idempotency.h"
#include "api/password.h"
#include "api/receipt.h"
#include "base/arena.h"
#include "base/clock.h"

struct create_session {
    struct call call;
    struct slice phone;
    struct slice password;
    struct slice totp;
    struct slice key;
    struct password_work verifying;
    struct users_question question;
    struct users_new_sign_in fresh;
    char token[GATE_TOKEN_MAX];
};

static const struct body_field fields[] = {
    {"phone", BODY_PHONE, true, offsetof(struct create_session, phone), 0, 0},
    {"password", BODY_SECRET, true, offsetof(struct create_session, password), 1, 128},
    {"totp", BODY_SECRET, false, offsetof(struct create_session, totp), 6, 6},
    {NULL, BODY_TEXT, false, 0, 0, 0},
};

static struct create_session *from_flow(struct flow *flow)
{
    return (struct create_session *)(void *)call_of(flow);
}

static void answered(struct users_question *question)
{
    struct create_session *op =
        (struct create_session *)(void *)((char *)question -
                                          offsetof(struct create_session, question));
    call_resume(&op->call);
}

/* A key is welcome but not remembered: the answer holds a secret, which is never stored. */
static enum flow_verdict read_body(struct flow *flow)
{
    struct create_session *op = from_flow(flow);
    if (!call_expect_no_query(&op->call) || !idempotency_read(&op->call, false, &op->key) ||
        !body_read(&op->call, fields, op))
        return FLOW_DONE;
    op->call.request->authorization =
        (struct slice){NULL, 0}; /* an old token doesn't matter here */
    op->call.gate.extra = GATE_SIGN_IN;
    op->call.gate.phone = op->phone;
    op->question.arena = &op->call.request->arena;
    op->question.done = answered;
    return FLOW_NEXT;
}

static enum flow_verdict ask_user(struct flow *flow)
{
    struct create_session *op = from_flow(flow);
    return call_wait(&op->call,
                     users_find_sign_in(op->call.service->pool, op->phone, &op->question));
}

static enum flow_verdict verify_password(struct flow *flow)
{
    struct create_session *op = from_flow(flow);
    if (op->question.outcome != PG_OK)
        return call_refuse_outcome(&op->call, op->question.outcome);
    if (op->question.found)
        memcpy(op->verifying.encoded, op->question.password, sizeof op->verifying.encoded);
    else
        password_dummy(op->verifying.encoded);
    op->verifying.password = op->password;
    return password_verify(&op->call, &op->verifying);
}

static enum flow_verdict refuse_sign_in(struct create_session *op)
{
    call_log(&op->call, "sign_in_failed", "usr_",
             op->question.found ? &op->question.user.id : NULL);
    response_header_add(op->call.request, "www-authenticate", SLICE("Bearer"));
    return call_refuse(&op->call, PROBLEM_SIGN_IN_FAILED, NULL);
}

/* -1: no code is needed. False: it is, and this isn't it. */
static bool check_totp(struct create_session *op, int64_t *step)
{
    *step = -1;
    if (!op->question.user.totp_enabled)
        return true;
    return op->totp.at != NULL && op->question.has_totp_secret &&
           crypto_totp_verify(op->question.totp_secret, clock_now() / CLOCK_SECOND, op->totp, step);
}

/* What the client calls itself: printable ASCII only, it goes into the database and onto screens.
 */
static struct slice device_name(struct create_session *op)
{
    struct slice agent = op->call.request->user_agent;
    struct slice copy = arena_copy(&op->call.request->arena, agent);
    char *at = (char *)(uintptr_t)copy.at;
    if (agent.length == 0 || at == NULL)
        return SLICE("unknown");
    copy.length = copy.length > 200 ? 200 : copy.length;
    for (size_t i = 0; i < copy.length; i++)
        if (at[i] < 0x20 || at[i] > 0x7e)
            at[i] = '?';
    return copy;
}

static enum flow_verdict ask_sign_in(struct flow *flow)
{
    struct create_session *op = from_flow(flow);
    char ip[INET_TEXT_MAX];
    int64_t now = clock_now();
    if (op->verifying.late)
        return call_refuse(&op->call, PROBLEM_OVERLOADED, NULL);
    if (!op->verifying.good || !op->question.found || !check_totp(op, &op->fresh.totp_step))
        return refuse_sign_in(op);
    inet_text(&op->call.request->client, ip);
    op->fresh.id = uuid_new(now);
    op->fresh.user = op->question.user.id;
    op->fresh.device = device_name(op);
    op->fresh.ip = slice_of(ip);
    op->fresh.now = now;
    op->fresh.expires_at = now + op->call.service->settings.sign_in_lifetime_us;
    gate_token_new(GATE_USER, &op->fresh.user, op->token);
    gate_token_hash(slice_of(op->token), op->fresh.token_hash);
    return call_wait(&op->call,
                     users_add_sign_in(op->call.service->pool, &op->fresh, &op->question));
}

static enum flow_verdict report_session(struct flow *flow)
{
    struct create_session *op = from_flow(flow);
    struct bytes body;
    struct json_writer writer;
    if (op->question.outcome != PG_OK)
        return call_refuse_outcome(&op->call, op->question.outcome);
    if (!op->question.found) /* its code was used already */
        return refuse_sign_in(op);
    gate_sign_in_succeeded(op->call.service->gate, op->phone);
    call_log(&op->call, "signed_in", "ses_", &op->fresh.id);
    bytes_init(&body, &op->call.request->arena);
    json_write_init(&writer, &body);
    json_write_object(&writer);
    receipt_write_id(&writer, "id", "ses_", &op->fresh.id);
    json_write_key(&writer, "token");
    json_write_text(&writer, op->token);
    receipt_write_time(&writer, "expires_at", op->fresh.expires_at);
    json_write_key(&writer, "user");
    receipt_write_user(&writer, &op->question.user);
    json_write_object_end(&writer);
    return call_answer(&op->call, 201, &body);
}

static const struct flow_step steps[] = {
    {"read_body", read_body},
    {"ask_gate", call_ask_gate}, /* limits per phone and IP */
    {"check_gate", call_check_anyone},
    {"ask_user", ask_user},
    {"verify_password", verify_password}, /* the thread pool */
    {"ask_sign_in", ask_sign_in},
    {"report_session", report_session},
    {NULL, NULL},
};

void create_session(void *owner, struct request *request)
{
    call_start(owner, request, sizeof(struct create_session), steps);
}
