/* POST /v1/webhooks: a partner wants to be told. An Idempotency-Key would remember the secret:
 * none is read. */
#include <stddef.h>

#include "api/body.h"
#include "api/endpoints.h"
#include "api/webhook_view.h"
#include "base/clock.h"
#include "store/webhooks.h"

struct create_webhook {
    struct call call;
    struct webhook fresh;
    struct webhook_view_secret secret;
    struct webhooks_question question;
};

static const struct body_field fields[] = {
    {"url", BODY_TEXT, true, offsetof(struct create_webhook, fresh.url), 10, 1000},
    {"types", BODY_EVENTS, true, offsetof(struct create_webhook, fresh.kinds), 0, 0},
    {"description", BODY_TEXT, false, offsetof(struct create_webhook, fresh.description), 1, 200},
    {NULL, BODY_TEXT, false, 0, 0, 0},
};

static struct create_webhook *from_flow(struct flow *flow)
{
    return (struct create_webhook *)(void *)call_of(flow);
}

static void answered(struct webhooks_question *question)
{
    struct create_webhook *op =
        (struct create_webhook *)(void *)((char *)question -
                                          offsetof(struct create_webhook, question));
    call_resume(&op->call);
}

/* Behind "https://": a host, and nothing that could be taken for credentials or a header's end. The
 * address behind a name is looked at each time something is sent (net/outbound). */
static bool is_url(struct slice url, bool allow_http)
{
    static const char https[] = "https://";
    static const char http[] = "http://";
    size_t start = url.length >= 8 && memcmp(url.at, https, 8) == 0 ? 8
                   : allow_http && memcmp(url.at, http, 7) == 0     ? 7
                                                                    : 0;
    if (start == 0 || start == url.length || url.at[start] == '/')
        return false;
    for (size_t i = start; i < url.length; i++)
        if (url.at[i] <= ' ' || url.at[i] > '~' || strchr("@#\\\"<>", url.at[i]) != NULL)
            return false;
    return true;
}

/* Told at once rather than by a delivery that never comes. */
static bool may_be_asked(const struct create_webhook *op)
{
    const struct service *service = op->call.service;
    char url[1001]; /* visible ASCII by now */
    snprintf(url, sizeof url, "%.*s", (int)op->fresh.url.length, op->fresh.url.at);
    return service->may_ask(service->outbound, url);
}

static enum flow_verdict read_body(struct flow *flow)
{
    struct create_webhook *op = from_flow(flow);
    struct call *call = &op->call;
    if (!call_expect_no_query(call) || !body_read(call, fields, op))
        return FLOW_DONE;
    if (!is_url(op->fresh.url, call->service->settings.allow_http))
        call_add_field(call, SLICE("/url"), "format",
                       "must be https:// and a host, without user name and fragment");
    else if (!may_be_asked(op))
        call_add_field(call, SLICE("/url"), "range",
                       "must not name an address that isn't the public internet's");
    return call->problem.field_count == 0 ? FLOW_NEXT
                                          : call_refuse(call, PROBLEM_INVALID_REQUEST, NULL);
}

static enum flow_verdict ask_create(struct flow *flow)
{
    struct create_webhook *op = from_flow(flow);
    const struct service *service = op->call.service;
    op->fresh.created_at = clock_now();
    op->fresh.id = uuid_new(op->fresh.created_at);
    op->question.arena = &op->call.request->arena;
    op->question.done = answered;
    webhook_view_new_secret(service->settings.secret_key, &op->fresh.id, &op->secret);
    return call_wait(&op->call, webhooks_create(service->pool, &op->fresh, call_caller(&op->call),
                                                op->secret.sealed, &op->question));
}

static enum flow_verdict report(struct flow *flow)
{
    struct create_webhook *op = from_flow(flow);
    struct problem *problem = &op->call.problem;
    if (op->question.outcome != PG_OK)
        return call_refuse_outcome(&op->call, op->question.outcome);
    if (!op->question.found) {
        problem->extras[0] = (struct problem_extra){"limit", NULL, WEBHOOKS_PER_PARTNER};
        problem->extras[1] = (struct problem_extra){"used", NULL, WEBHOOKS_PER_PARTNER};
        problem->extra_count = 2;
        return call_refuse(&op->call, PROBLEM_LIMIT_EXCEEDED, "A partner has at most 10 webhooks");
    }
    call_log(&op->call, "webhook_created", "whk_", &op->fresh.id);
    return webhook_view_answer(&op->call, 201, op->question.webhooks, op->secret.text);
}

static const struct flow_step steps[] = {
    {"read_body", read_body},
    {"ask_gate", call_ask_gate},
    {"check_gate", call_check_partner},
    {"ask_create", ask_create}, /* PostgreSQL */
    {"report", report},
    {NULL, NULL},
};

void create_webhook(void *owner, struct request *request)
{
    call_start(owner, request, sizeof(struct create_webhook), steps);
}
