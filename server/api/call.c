#include "api/call.h"

#include <assert.h>
#include <stddef.h>
#include <stdio.h>

#include "api/etag.h"
#include "base/arena.h"
#include "base/crypto.h"
#include "base/json.h"
#include "base/log.h"

struct call *call_of(struct flow *flow)
{
    return (struct call *)(void *)((char *)flow - offsetof(struct call, flow));
}

/* The end of every flow: what the last step left behind is sent. */
static void finished(struct flow *flow)
{
    struct call *call = call_of(flow);
    if (call->refused) {
        problem_answer(call->request, &call->problem);
        return;
    }
    assert(call->request->response.status != 0);
    request_answer(call->request);
}

void call_start(struct service *service, struct request *request, size_t size,
                const struct flow_step *steps)
{
    assert(size >= sizeof(struct call));
    struct call *call = arena_alloc(&request->arena, size);
    if (call == NULL) {
        problem_answer_code(request, PROBLEM_OVERLOADED, NULL);
        return;
    }
    call->service = service;
    call->request = request;
    request->flow = &call->flow;
    flow_start(&call->flow, steps, finished);
}

void call_resume(struct call *call)
{
    flow_resume(&call->flow);
}

enum flow_verdict call_refuse(struct call *call, enum problem_code code, const char *detail)
{
    call->problem.code = code;
    call->problem.detail = detail;
    call->refused = true;
    return FLOW_DONE;
}

void call_add_field(struct call *call, struct slice pointer, const char *code, const char *detail)
{
    struct problem *problem = &call->problem;
    if (problem->field_count < PROBLEM_FIELDS_MAX)
        problem->fields[problem->field_count++] = (struct problem_field){pointer, code, detail};
}

enum flow_verdict call_refuse_outcome(struct call *call, enum pg_outcome outcome)
{
    assert(outcome != PG_OK);
    if (outcome == PG_UNAVAILABLE)
        return call_refuse(call, PROBLEM_DATABASE_UNAVAILABLE, NULL);
    return call_refuse(call, PROBLEM_INTERNAL, NULL);
}

enum flow_verdict call_wait(struct call *call, bool asked)
{
    if (asked)
        return FLOW_WAIT;
    return call_refuse(call,
                       pg_pool_is_ready(call->service->pool) ? PROBLEM_OVERLOADED
                                                             : PROBLEM_DATABASE_UNAVAILABLE,
                       NULL);
}

enum flow_verdict call_answer(struct call *call, int status, const struct bytes *body)
{
    if (body->failed)
        return call_refuse(call, PROBLEM_OVERLOADED, NULL);
    response_json(call->request, status, bytes_view(body));
    return FLOW_DONE;
}

/* The catalogue's name for a stored problem: what log and metrics call it. */
static const char *problem_in(struct call *call, struct slice body)
{
    struct json_error error;
    enum problem_code code;
    const struct json *problem = json_parse(body, &call->request->arena, &error);
    const struct json *name = problem == NULL ? NULL : json_member(problem, "code");
    if (name == NULL || json_kind(name) != JSON_STRING || !problem_find(json_string(name), &code))
        return NULL;
    return problem_name(code);
}

enum flow_verdict call_answer_stored(struct call *call, int status, struct slice body)
{
    struct response *response = &call->request->response;
    if (status == 204)
        return call_answer_nothing(call);
    response_json(call->request, status, body);
    if (status >= 400) {
        response->content_type = "application/problem+json";
        response->code = problem_in(call, body);
    }
    return FLOW_DONE;
}

enum flow_verdict call_answer_tagged(struct call *call, const struct bytes *body)
{
    uint8_t hash[CRYPTO_HASH_SIZE];
    struct bytes tag;
    if (body->failed)
        return call_refuse(call, PROBLEM_OVERLOADED, NULL);
    crypto_sha256(bytes_view(body), hash);
    bytes_init(&tag, &call->request->arena);
    bytes_add_char(&tag, '"');
    bytes_add_hex(&tag, hash, 16);
    bytes_add_char(&tag, '"');
    if (tag.failed)
        return call_refuse(call, PROBLEM_OVERLOADED, NULL);
    response_header_add(call->request, "etag", bytes_view(&tag));
    response_header_add(call->request, "cache-control", SLICE("private, no-cache"));
    if (etag_matches(call->request->if_none_match, bytes_view(&tag))) {
        call->request->response.status = 304;
        return FLOW_DONE;
    }
    return call_answer(call, 200, body);
}

enum flow_verdict call_answer_nothing(struct call *call)
{
    call->request->response.status = 204;
    return FLOW_DONE;
}

static void gate_done(struct gate_question *question)
{
    call_resume((struct call *)(void *)((char *)question - offsetof(struct call, gate)));
}

enum flow_verdict call_ask_gate(struct flow *flow)
{
    struct call *call = call_of(flow);
    struct slice version = call->request->moolah_version;
    if (version.length > 0 && !slice_equals(version, "2026-12-01"))
        return call_refuse(call, PROBLEM_INVALID_REQUEST,
                           "Moolah-Version is not one of: 2026-12-01");
    call->gate.authorization = call->request->authorization;
    call->gate.client = call->request->client;
    call->gate.done = gate_done;
    switch (gate_ask(call->service->gate, &call->gate)) {
    case GATE_ASKED_LATER:
        return FLOW_WAIT;
    case GATE_ASKED_NOW:
        return FLOW_NEXT;
    case GATE_ASKED_NO:
        break;
    }
    return call_wait(call, false);
}

static void add_rate_headers(struct call *call)
{
    const struct gate_answer *answer = &call->gate.answer;
    struct bytes policy;
    struct bytes state;
    int64_t reset = answer->retry_after_us > 0 ? answer->retry_after_us / 1000000 + 1 : 1;
    if (answer->policy == NULL)
        return;
    bytes_init(&policy, &call->request->arena);
    bytes_printf(&policy, "\"%s\";q=%d;w=%d", answer->policy, answer->limit_burst,
                 answer->limit_window_s);
    bytes_init(&state, &call->request->arena);
    bytes_printf(&state, "\"%s\";r=%d;t=%d", answer->policy, answer->remaining, (int)reset);
    if (policy.failed || state.failed)
        return;
    response_header_add(call->request, "ratelimit-policy", bytes_view(&policy));
    response_header_add(call->request, "ratelimit", bytes_view(&state));
}

static enum flow_verdict check(struct call *call, enum call_access access)
{
    const struct gate_answer *answer = &call->gate.answer;
    add_rate_headers(call);
    switch (answer->verdict) {
    case GATE_LIMITED:
        call->problem.retry_after_s = (int)(answer->retry_after_us / 1000000) + 1;
        return call_refuse(call, PROBLEM_RATE_LIMITED, NULL);
    case GATE_UNAVAILABLE:
        return call_refuse(call, PROBLEM_DATABASE_UNAVAILABLE, NULL);
    case GATE_UNAUTHENTICATED:
        break;
    case GATE_ALLOWED:
        if (access == CALL_ANYONE)
            return FLOW_NEXT;
        if (answer->caller == GATE_NOBODY)
            break;
        if (access == CALL_USER && answer->caller != GATE_USER)
            return call_refuse(call, PROBLEM_FORBIDDEN, "This call is for users, not for API keys");
        if (access == CALL_PARTNER && answer->caller != GATE_PARTNER)
            return call_refuse(call, PROBLEM_FORBIDDEN, "This call is for partners' API keys");
        return FLOW_NEXT;
    }
    response_header_add(call->request, "www-authenticate", SLICE("Bearer"));
    return call_refuse(call, PROBLEM_UNAUTHENTICATED, NULL);
}

enum flow_verdict call_check_anyone(struct flow *flow)
{
    return check(call_of(flow), CALL_ANYONE);
}

enum flow_verdict call_check_user(struct flow *flow)
{
    return check(call_of(flow), CALL_USER);
}

enum flow_verdict call_check_partner(struct flow *flow)
{
    return check(call_of(flow), CALL_PARTNER);
}

enum flow_verdict call_check_caller(struct flow *flow)
{
    return check(call_of(flow), CALL_ANY_CALLER);
}

bool call_expect_no_query(struct call *call)
{
    if (call->request->query.length == 0)
        return true;
    call_add_field(call, SLICE("?"), "unknown", "this call knows no query parameters");
    call_refuse(call, PROBLEM_INVALID_REQUEST, NULL);
    return false;
}

struct uuid call_path_id(const struct call *call, size_t index, const char *prefix)
{
    struct uuid id = {{0}};
    if (!uuid_parse(call->request->parameters[index], prefix, &id))
        memset(&id, 0, sizeof id);
    return id;
}

const struct uuid *call_caller(const struct call *call)
{
    return &call->gate.answer.caller_id;
}

void call_log(const struct call *call, const char *event, const char *prefix, const struct uuid *id)
{
    char text[UUID_TEXT_MAX];
    struct json_writer *writer = log_begin(LOG_INFO, event);
    if (writer == NULL)
        return;
    uuid_format(&call->request->id, "req_", text);
    json_write_key(writer, "request_id");
    json_write_text(writer, text);
    if (call->gate.answer.caller != GATE_NOBODY) {
        uuid_format(call_caller(call), call->gate.answer.caller == GATE_USER ? "usr_" : "par_",
                    text);
        json_write_key(writer, "caller");
        json_write_text(writer, text);
    }
    if (id != NULL) {
        uuid_format(id, prefix, text);
        json_write_key(writer, "id");
        json_write_text(writer, text);
    }
    log_end(writer);
}
