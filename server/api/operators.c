/* The operators' listener: /livez, /readyz, /metrics; who may call there. */
#include "api/operators.h"

#include <strings.h>

#include "api/call.h"
#include "api/endpoints.h"
#include "api/service.h"
#include "base/crypto.h"
#include "base/json.h"
#include "base/metrics.h"
#include "http/problem.h"
#include "posting/posting.h"
#include "store/gate.h"
#include "store/pg_pool.h"

void operators_live(void *owner, struct request *request)
{
    (void)owner;
    response_json(request, 200, SLICE("{\"status\":\"alive\"}"));
    request_answer(request);
}

static void write_check(struct json_writer *writer, const char *name, bool good)
{
    json_write_key(writer, name);
    json_write_text(writer, good ? "ok" : "failing");
}

void operators_ready(void *owner, struct request *request)
{
    const struct service *service = owner;
    struct bytes body;
    struct json_writer writer;
    bool database = pg_pool_is_ready(service->pool);
    bool posting = posting_is_ready(service->posting);
    bool ready = database && posting && !service->draining;
    bytes_init(&body, &request->arena);
    json_write_init(&writer, &body);
    json_write_object(&writer);
    json_write_key(&writer, "status");
    json_write_text(&writer, ready ? "ready" : "not ready");
    json_write_key(&writer, "checks");
    json_write_object(&writer);
    write_check(&writer, "database", database);
    write_check(&writer, "posting", posting);
    write_check(&writer, "serving", !service->draining);
    /* money moves without Redis: told, but no reason to be taken out of service */
    write_check(&writer, "redis", !gate_breaker_is_open(service->gate));
    json_write_object_end(&writer);
    json_write_object_end(&writer);
    if (body.failed) {
        problem_answer_code(request, PROBLEM_OVERLOADED, NULL);
        return;
    }
    if (!ready)
        response_header_add(request, "retry-after", SLICE("1"));
    response_json(request, ready ? 200 : 503, bytes_view(&body));
    request_answer(request);
}

static bool is_operator(const struct service *service, const struct request *request)
{
    uint8_t hash[CRYPTO_HASH_SIZE];
    struct slice text = request->authorization;
    if (request->has_client_certificate)
        return true;
    if (!service->settings.has_operator_token || text.length < 8 ||
        strncasecmp(text.at, "Bearer ", 7) != 0)
        return false;
    crypto_sha256((struct slice){text.at + 7, text.length - 7}, hash);
    return crypto_equal(hash, service->settings.operator_token_hash, sizeof hash);
}

enum flow_verdict operators_check(struct flow *flow)
{
    struct call *call = call_of(flow);
    if (is_operator(call->service, call->request))
        return FLOW_NEXT;
    response_header_add(call->request, "www-authenticate", SLICE("Bearer"));
    return call_refuse(call, PROBLEM_UNAUTHENTICATED,
                       "Send the operator token, or a client certificate");
}

void operators_metrics(void *owner, struct request *request)
{
    struct bytes body;
    if (!is_operator(owner, request)) {
        response_header_add(request, "www-authenticate", SLICE("Bearer"));
        problem_answer_code(request, PROBLEM_UNAUTHENTICATED,
                            "Send the operator token, or a client certificate");
        return;
    }
    bytes_init(&body, &request->arena);
    metrics_expose(&body);
    if (body.failed) {
        problem_answer_code(request, PROBLEM_OVERLOADED, NULL);
        return;
    }
    response_json(request, 200, bytes_view(&body));
    request->response.content_type = "text/plain; version=0.0.4; charset=utf-8";
    request_answer(request);
}
