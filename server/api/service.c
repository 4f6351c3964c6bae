#include "api/service.h"

#include <stdio.h>

#include "api/endpoints.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/flow.h"
#include "base/log.h"
#include "base/metrics.h"

const char service_large_path[] = "/v1/transfers/bulk";

/* A literal stands before the {id} it could be taken for. */
const struct route service_routes[] = {
    {METHOD_POST, "/v1/users", create_user},
    {METHOD_POST, "/v1/sessions", create_session},
    {METHOD_GET, "/v1/sessions", list_sessions},
    {METHOD_DELETE, "/v1/sessions/current", delete_session},
    {METHOD_DELETE, "/v1/sessions/{id}", delete_session},
    {METHOD_GET, "/v1/me", show_me},
    {METHOD_PATCH, "/v1/me", show_me_update},
    {METHOD_POST, "/v1/me/password", change_password},
    {METHOD_POST, "/v1/me/totp", change_totp},
    {METHOD_GET, "/v1/wallets", wallet_calls_list},
    {METHOD_POST, "/v1/wallets", create_wallet},
    {METHOD_GET, "/v1/wallets/{id}", wallet_calls_show},
    {METHOD_GET, "/v1/wallets/{id}/transactions", list_transactions},
    {METHOD_GET, "/v1/wallets/{id}/events", wallet_events},
    {METHOD_GET, "/v1/wallets/{id}/balance", show_balance},
    {METHOD_GET, "/v1/wallets/{id}/statement", show_statement},
    {METHOD_GET, "/v1/wallets/{id}/holds", show_hold_list},
    {METHOD_GET, "/v1/wallets/{id}/purchases", show_purchase_list},
    {METHOD_GET, "/v1/wallets/{id}/limits", show_limits},
    {METHOD_POST, "/v1/wallets/{id}/close", close_wallet},
    {METHOD_POST, "/v1/quotes", create_quote},
    {METHOD_POST, "/v1/transfers", create_transfer},
    {METHOD_POST, "/v1/transfers/bulk", create_bulk},
    {METHOD_POST, "/v1/deposits", create_deposit},
    {METHOD_POST, "/v1/withdrawals", create_withdrawal},
    {METHOD_POST, "/v1/holds", create_hold},
    {METHOD_GET, "/v1/holds/{id}", show_hold},
    {METHOD_POST, "/v1/holds/{id}/capture", finish_hold_capture},
    {METHOD_POST, "/v1/holds/{id}/void", finish_hold_void},
    {METHOD_GET, "/v1/transactions/{id}", show_transaction},
    {METHOD_POST, "/v1/transactions/{id}/refunds", create_refund},
    {METHOD_GET, "/v1/transactions/{id}/proof", show_proof},
    {METHOD_POST, "/v1/webhooks", create_webhook},
    {METHOD_GET, "/v1/webhooks", webhook_calls_list},
    {METHOD_GET, "/v1/webhooks/{id}", webhook_calls_show},
    {METHOD_DELETE, "/v1/webhooks/{id}", webhook_calls_delete},
    {METHOD_POST, "/v1/webhooks/{id}/rotate", webhook_calls_rotate},
    {METHOD_POST, "/v1/webhooks/{id}/replay", replay_webhook},
    {METHOD_GET, "/v1/webhooks/{id}/deliveries", list_deliveries},
    {METHOD_GET, "/v1/products", show_product_list},
    {METHOD_GET, "/v1/products/{id}", show_product},
    {METHOD_POST, "/v1/purchases", create_purchase},
    {METHOD_GET, "/v1/purchases/{id}", show_purchase},
    {METHOD_OTHER, NULL, NULL},
};

const struct route service_operator_routes[] = {
    {METHOD_GET, "/livez", operators_live},
    {METHOD_GET, "/readyz", operators_ready},
    {METHOD_GET, "/metrics", operators_metrics},
    {METHOD_GET, "/v1/transactions", search_transactions},
    {METHOD_GET, "/v1/transactions/{id}", show_transaction_for_operator},
    {METHOD_GET, "/v1/users", search_users},
    {METHOD_POST, "/v1/users/{id}/freeze", operator_users_freeze},
    {METHOD_POST, "/v1/users/{id}/unfreeze", operator_users_unfreeze},
    {METHOD_POST, "/v1/users/{id}/tier", operator_users_tier},
    {METHOD_POST, "/v1/transactions/{id}/reversal", create_reversal},
    {METHOD_POST, "/v1/purchases/{id}/resolve", resolve_purchase},
    {METHOD_OTHER, NULL, NULL},
};

#define ROUTES_MAX 128

/* Every status that leaves the server; a last place for one that doesn't, so that none is lost. */
static const int statuses[] = {200, 201, 202, 204, 304, 400, 401, 403, 404, 405,
                               409, 410, 413, 415, 422, 429, 431, 500, 503};
#define STATUSES (sizeof statuses / sizeof statuses[0])

static struct {
    metric durations[ROUTES_MAX];
    metric answers[ROUTES_MAX][STATUSES + 1];
} metrics;

static int public_count(void)
{
    int count = 0;
    while (service_routes[count].pattern != NULL)
        count++;
    return count;
}

/* The place of a route's series: public ones, then operators', then one for requests that found
 * none. */
static int place_of(const struct route *route)
{
    int count = public_count();
    if (route >= service_routes && route < service_routes + count)
        return (int)(route - service_routes);
    for (int i = 0; service_operator_routes[i].pattern != NULL; i++)
        if (route == &service_operator_routes[i])
            return count + i;
    return ROUTES_MAX - 1;
}

static void register_route(int place, const char *method, const char *pattern)
{
    char labels[160];
    snprintf(labels, sizeof labels, "method=\"%s\",route=\"%s\"", method, pattern);
    metrics.durations[place] =
        metrics_register(METRIC_HISTOGRAM, "moolah_http_request_duration_seconds", labels,
                         "From a request's headers until its answer");
    for (size_t i = 0; i <= STATUSES; i++) {
        char code[16] = "other";
        if (i < STATUSES)
            snprintf(code, sizeof code, "%d", statuses[i]);
        snprintf(labels, sizeof labels, "method=\"%s\",route=\"%s\",code=\"%s\"", method, pattern,
                 code);
        metrics.answers[place][i] = metrics_register(METRIC_COUNTER, "moolah_http_requests_total",
                                                     labels, "Requests answered");
    }
}

void service_register_metrics(void)
{
    for (const struct route *r = service_routes; r->pattern != NULL; r++)
        register_route(place_of(r), request_method_name(r->method), r->pattern);
    for (const struct route *r = service_operator_routes; r->pattern != NULL; r++)
        register_route(place_of(r), request_method_name(r->method), r->pattern);
    register_route(ROUTES_MAX - 1, "other", "none");
}

void service_serve(void *owner, struct request *request)
{
    router_serve(service_routes, owner, request);
}

void service_serve_operator(void *owner, struct request *request)
{
    router_serve(service_operator_routes, owner, request);
}

/* One that still waits (its client was answered by the deadline) has taken until now. */
static int64_t time_of_step(const struct flow *flow, int i)
{
    bool waits = flow->state == FLOW_WAITING && i == flow->at;
    return flow->step_us[i] + (waits ? clock_monotonic() - flow->step_began : 0);
}

static void write_steps(struct json_writer *writer, const struct flow *flow)
{
    json_write_key(writer, "steps_us");
    json_write_object(writer);
    for (int i = 0; i <= flow->at && flow->steps[i].name != NULL; i++) {
        json_write_key(writer, flow->steps[i].name);
        json_write_int(writer, time_of_step(flow, i));
    }
    json_write_object_end(writer);
}

static void write_trace_id(struct json_writer *writer, const uint8_t id[16])
{
    char space[36];
    struct bytes text = {.at = space, .capacity = sizeof space, .limit = sizeof space};
    bytes_add_hex(&text, id, 16);
    json_write_key(writer, "trace_id");
    json_write_string(writer, bytes_view(&text));
}

/* One line per request: which route, never the path itself (it may hold what doesn't belong into
 * logs). */
static void write_line(const struct request *request, int64_t duration)
{
    char id[UUID_TEXT_MAX];
    struct json_writer *writer = log_begin(LOG_INFO, "request");
    if (writer == NULL)
        return;
    uuid_format(&request->id, "req_", id);
    write_trace_id(writer, request->trace_id);
    json_write_key(writer, "request_id");
    json_write_text(writer, id);
    json_write_key(writer, "method");
    json_write_text(writer, request_method_name(request->method));
    json_write_key(writer, "route");
    json_write_text(writer, request->route == NULL ? "none" : request->route->pattern);
    json_write_key(writer, "status");
    json_write_int(writer, request->response.status);
    if (request->response.code != NULL) {
        json_write_key(writer, "code");
        json_write_text(writer, request->response.code);
    }
    json_write_key(writer, "duration_us");
    json_write_int(writer, duration);
    if (request->batch_size > 0) {
        json_write_key(writer, "batch_size");
        json_write_int(writer, request->batch_size);
    }
    if (request->log_kind != NULL) {
        json_write_key(writer, "kind");
        json_write_text(writer, request->log_kind);
    }
    if (request->session == NULL) { /* its answer found nobody waiting */
        json_write_key(writer, "client_left");
        json_write_bool(writer, true);
    }
    if (request->flow != NULL)
        write_steps(writer, request->flow);
    log_end(writer);
}

void service_answered(void *owner, const struct request *request)
{
    int place = place_of(request->route);
    size_t status = 0;
    int64_t duration = clock_monotonic() - request->arrived;
    (void)owner;
    metrics_observe(metrics.durations[place], (uint64_t)(duration < 0 ? 0 : duration));
    while (status < STATUSES && statuses[status] != request->response.status)
        status++;
    metrics_add(metrics.answers[place][status], 1);
    write_line(request, duration);
}
