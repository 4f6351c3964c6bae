/* What the endpoints are served with, the route tables, and the common beginning and end of every
 * request. */
#ifndef API_SERVICE_H
#define API_SERVICE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/currency.h"
#include "http/router.h"

struct cache;
struct event_hub;
struct gate;
struct offload;
struct outbound;
struct pg_pool;
struct posting_queue;
struct till;

struct service_settings {
    currency currency;          /* of a new user's first wallet */
    const currency *currencies; /* all that are served; ended by 0 */
    int zone;                   /* of wallets that are made without one */
    int64_t sign_in_lifetime_us;
    int64_t posting_deadline_us; /* an order that isn't batched by then is refused */
    uint8_t cursor_key[32];
    uint8_t secret_key[32];          /* seals webhooks' secrets, and goods that were bought */
    bool allow_http;                 /* webhooks without TLS */
    uint8_t operator_token_hash[32]; /* SHA-256 */
    bool has_operator_token;
};

struct service {
    struct pg_pool *pool;
    struct gate *gate;
    struct cache *cache;
    struct posting_queue *posting;
    struct till *till;
    struct offload *offload;
    struct event_hub *events;
    const struct outbound *outbound; /* its own: only for may_ask */
    bool (*may_ask)(const struct outbound *outbound, const char *url); /* net/outbound.h */
    struct service_settings settings;
    bool draining; /* readyz says no */
};

extern const struct route service_routes[];          /* the public listener's */
extern const struct route service_operator_routes[]; /* the operators' */

/* The one call whose body may have more than others. */
extern const char service_large_path[];
#define SERVICE_LARGE_BYTES_MAX (UINT32_C(256) * 1024)

/* In the master, once, before the fork. */
void service_register_metrics(void);

/* Serve on a listener: `owner` is the struct service. */
void service_serve(void *owner, struct request *request);
void service_serve_operator(void *owner, struct request *request);

/* An answer is on its way: the request's log line and its metrics. */
void service_answered(void *owner, const struct request *request);

#endif
