/* The server's configuration: every setting there is (config.c), read from one Lua file. `moolahd
 * --describe-config` prints it. */
#ifndef CONFIG_H
#define CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/currency.h"
#include "base/inet.h"
#include "scripting/bundle.h"

struct bytes;

#define CONFIG_CURRENCIES_MAX 16
#define CONFIG_PROXIES_MAX 32

struct config_rate {
    double per_second;
    int64_t burst;
};

struct config {
    struct arena arena;
    struct arena reloaded; /* texts that HUP brought */
    const char *database;
    int64_t pool_connections, posting_lanes, batch_max, queue_max, posting_deadline_ms;
    const char *redis;
    int64_t redis_timeout_ms;
    const char *listen_public_text;
    const char *listen_operators_text;
    struct inet listen_public, listen_operators;
    const char **proxies_text;
    struct inet_network proxies[CONFIG_PROXIES_MAX];
    size_t proxy_count;
    int64_t workers; /* never 0 once read */
    int64_t stripe_first;
    const char *certificate, *key, *client_ca;
    bool allow_tls12;
    const char *rules;
    const char *operator_token_hash_text, *cursor_key_text, *secret_key_text;
    uint8_t operator_token_hash[32];
    bool has_operator_token;
    uint8_t cursor_key[32];
    uint8_t secret_key[32];
    const char *outbound_ca;
    const char **outbound_allow_text;
    struct inet_network outbound_allow[CONFIG_PROXIES_MAX];
    size_t outbound_allow_count;
    bool outbound_http;
    int64_t webhooks_timeout_s;
    const char **suppliers;
    int64_t supplier_timeout_ms;
    int64_t connections_max, streams_max, header_timeout_s, body_timeout_s, request_timeout_s,
        unread_timeout_s, idle_timeout_s, handshake_timeout_s;
    int64_t event_streams, event_streams_per_user, event_heartbeat_s, event_recheck_s;
    struct config_rate user, ip, sign_in_phone, sign_in_ip, sign_up_ip, lookup_user;
    int64_t sign_in_days;
    const char **currencies_text;
    currency currencies[CONFIG_CURRENCIES_MAX + 1];
    const char *time_zone;
    int zone; /* its number */
    const char *log_file, *log_level;
    const char *pid_file; /* NULL: none */
    int64_t password_threads;
    const char *proof_origin, *proof_key, *proof_checkpoints; /* the last two: NULL: none */
    int64_t proof_every_ms;
};

/* False: the report says what is wrong, with file and line. */
bool config_read(const char *path, struct config *config, struct bundle_report *report);
void config_release(struct config *config);

/* HUP: take over from `fresh` what a running server can change, which is all but what says USR2 in
 * config_describe. Texts are copied: `fresh` can be released. False: out of memory, nothing has
 * changed. */
bool config_take_reloadable(struct config *config, const struct config *fresh);

/* What differs and can't be taken over by HUP: names, with ", " between; "" when nothing. */
void config_fixed_changes(const struct config *config, const struct config *fresh,
                          struct bytes *names);

/* Log where the configuration says, from its level on; again after HUP: a file that was moved away
 * is made anew. A file that can't be opened: standard error. */
void config_start_log(const struct config *config, int slot);

void config_describe(struct bytes *out);

#endif
