/* DELETE /v1/sessions/{id} and /v1/sessions/current: sign out a device. */
#include <stddef.h>

#include "api/call.h"
#include "api/endpoints.h"
#include "api/revocation.h"
#include "store/users.h"

struct delete_session {
    struct call call;
    struct uuid sign_in;
    struct users_question question;
    struct revocation revocation;
};

static struct delete_session *from_flow(struct flow *flow)
{
    return (struct delete_session *)(void *)call_of(flow);
}

static void answered(struct users_question *question)
{
    struct delete_session *op =
        (struct delete_session *)(void *)((char *)question -
                                          offsetof(struct delete_session, question));
    call_resume(&op->call);
}

static enum flow_verdict ask_revoke(struct flow *flow)
{
    struct delete_session *op = from_flow(flow);
    if (!call_expect_no_query(&op->call))
        return FLOW_DONE;
    op->sign_in = slice_equals(op->call.request->path, "/v1/sessions/current")
                      ? op->call.gate.answer.sign_in_id
                      : call_path_id(&op->call, 0, "ses_");
    if (uuid_is_nil(&op->sign_in))
        return call_refuse(&op->call, PROBLEM_SESSION_NOT_FOUND, NULL);
    op->question.arena = &op->call.request->arena;
    op->question.done = answered;
    return call_wait(&op->call, users_revoke_sign_in(op->call.service->pool, call_caller(&op->call),
                                                     &op->sign_in, &op->question));
}

static enum flow_verdict tell_cache(struct flow *flow)
{
    struct delete_session *op = from_flow(flow);
    if (op->question.outcome != PG_OK)
        return call_refuse_outcome(&op->call, op->question.outcome);
    if (!op->question.found)
        return call_refuse(&op->call, PROBLEM_SESSION_NOT_FOUND, NULL);
    call_log(&op->call, "signed_out", "ses_", &op->sign_in);
    return revocation_tell(&op->call, &op->revocation,
                           (const uint8_t(*)[32])op->question.token_hashes,
                           op->question.token_hash_count);
}

static enum flow_verdict report(struct flow *flow)
{
    return call_answer_nothing(call_of(flow));
}

static const struct flow_step steps[] = {
    {"ask_gate", call_ask_gate}, {"check_gate", call_check_user},
    {"ask_revoke", ask_revoke}, /* PostgreSQL */
    {"tell_cache", tell_cache}, /* Redis */
    {"report", report},          {NULL, NULL},
};

void delete_session(void *owner, struct request *request)
{
    call_start(owner, request, sizeof(struct delete_session), steps);
}
