#include "config.h"

#include <stddef.h>
#include <unistd.h>

#include "scripting/settings.h"

#define AT(member) offsetof(struct config, member)
#define RATE(name, member, rate_text, burst_text, help)                                        \
    {name "_per_second", SETTINGS_NUMBER, AT(member.per_second), rate_text, 0.001, 1e6, help}, \
    {                                                                                          \
        name "_burst", SETTINGS_INTEGER, AT(member.burst), burst_text, 1, 1e6,                 \
            "... and so many at once"                                                          \
    }

static const struct settings_item items[] = {
    {"database", SETTINGS_TEXT, AT(database), NULL, 0, 0,
     "libpq connection string, as the role moolah_server"},
    {"pool", SETTINGS_INTEGER, AT(pool_connections), "4", 1, 64,
     "connections per worker for everything but posting"},
    {"posting.lanes", SETTINGS_INTEGER, AT(posting_lanes), "2", 1, 16,
     "batches in flight per worker: a connection each"},
    {"posting.batch", SETTINGS_INTEGER, AT(batch_max), "256", 1, 2048,
     "orders in a batch, at most"},
    {"posting.queue", SETTINGS_INTEGER, AT(queue_max), "20000", 2048, 1000000,
     "orders that wait, at most"},
    {"posting.deadline_ms", SETTINGS_INTEGER, AT(posting_deadline_ms), "5000", 100, 60000,
     "an order that isn't in a batch by then is refused"},
    {"redis", SETTINGS_TEXT, AT(redis), NULL, 0, 0,
     "\"unix:/path\" or \"127.0.0.1:6379\", \"password@\" before it if need be"},
    {"redis_timeout_ms", SETTINGS_INTEGER, AT(redis_timeout_ms), "25", 1, 10000,
     "slower than that, the server goes on without Redis"},
    {"listen.public", SETTINGS_TEXT, AT(listen_public_text), "\"127.0.0.1:8443\"", 0, 0,
     "address and port of the API"},
    {"listen.operators", SETTINGS_TEXT, AT(listen_operators_text), "\"127.0.0.1:8444\"", 0, 0,
     "address and port of health, metrics and operators' calls"},
    {"listen.proxies", SETTINGS_LIST, AT(proxies_text), "{}", 0, 0,
     "networks whose connections begin with a PROXY v2 header"},
    {"workers", SETTINGS_INTEGER, AT(workers), "0", 0, 256, "worker processes; 0: one per core"},
    {"stripe_first", SETTINGS_INTEGER, AT(stripe_first), "0", 0, 4000,
     "of this server's system accounts: servers on one database each take their own, workers x "
     "lanes apart"},
    {"tls.certificate", SETTINGS_TEXT, AT(certificate), NULL, 0, 0, "PEM, chain in order"},
    {"tls.key", SETTINGS_TEXT, AT(key), NULL, 0, 0, "PEM, readable by nobody else"},
    {"tls.client_ca", SETTINGS_TEXT, AT(client_ca), "nil", 0, 0,
     "PEM: who may sign operators' client certificates"},
    {"tls.allow_tls12", SETTINGS_BOOL, AT(allow_tls12), "false", 0, 0,
     "TLS 1.2 with AEAD ciphers beside 1.3"},
    {"rules", SETTINGS_TEXT, AT(rules), "\"rules\"", 0, 0, "the folder of rule files, watched"},
    {"operator_token_sha256", SETTINGS_TEXT, AT(operator_token_hash_text), "nil", 0, 0,
     "hex SHA-256 of the operators' token; nil: only client certificates"},
    {"cursor_key", SETTINGS_TEXT, AT(cursor_key_text), NULL, 0, 0,
     "64 hex digits, the same on all servers: signs the cursors of lists"},
    {"limits.connections", SETTINGS_INTEGER, AT(connections_max), "20000", 1, 1000000,
     "per worker and listener"},
    {"limits.streams", SETTINGS_INTEGER, AT(streams_max), "100", 1, 1000,
     "requests at once per connection"},
    {"limits.handshake_s", SETTINGS_INTEGER, AT(handshake_timeout_s), "10", 1, 600,
     "for PROXY header and TLS handshake"},
    {"limits.headers_s", SETTINGS_INTEGER, AT(header_timeout_s), "10", 1, 600,
     "for a request's headers"},
    {"limits.body_s", SETTINGS_INTEGER, AT(body_timeout_s), "20", 1, 600, "for a request's body"},
    {"limits.request_s", SETTINGS_INTEGER, AT(request_timeout_s), "10", 1, 600,
     "until a request is answered, with 503 at the latest"},
    {"limits.unread_s", SETTINGS_INTEGER, AT(unread_timeout_s), "30", 1, 600,
     "an answer that the peer doesn't read"},
    {"limits.idle_s", SETTINGS_INTEGER, AT(idle_timeout_s), "300", 1, 86400,
     "a connection without requests"},
    RATE("rates.user", user, "50", "200", "requests a second per user or API key"),
    RATE("rates.ip", ip, "100", "400", "requests a second per IP address"),
    RATE("rates.sign_in_phone", sign_in_phone, "0.05", "8", "tries to sign in per phone number"),
    RATE("rates.sign_in_ip", sign_in_ip, "1", "30", "tries to sign in per IP address"),
    RATE("rates.sign_up_ip", sign_up_ip, "0.2", "10", "sign-ups per IP address"),
    RATE("rates.lookup_user", lookup_user, "0.2", "20",
         "recipients by phone per user, and codes tried"),
    {"sign_in_days", SETTINGS_INTEGER, AT(sign_in_days), "30", 1, 3650,
     "an access token's lifetime"},
    {"currencies", SETTINGS_LIST, AT(currencies_text), "{ \"ZAR\" }", 0, 0,
     "ISO 4217; the first is a new user's"},
    {"log.file", SETTINGS_TEXT, AT(log_file), "\"-\"", 0, 0, "\"-\" is standard error"},
    {"log.level", SETTINGS_TEXT, AT(log_level), "\"info\"", 0, 0, "debug, info, warn or error"},
    {"password_threads", SETTINGS_INTEGER, AT(password_threads), "1", 1, 16,
     "threads per worker that hash passwords, 25 ms of CPU each"},
    {NULL, SETTINGS_TEXT, 0, NULL, 0, 0, NULL},
};

static bool parse_hex(const char *text, uint8_t out[32])
{
    if (text == NULL || strlen(text) != 64)
        return false;
    for (size_t i = 0; i < 64; i++) {
        char c = text[i];
        int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
        if (digit < 0)
            return false;
        out[i / 2] = (uint8_t)(i % 2 == 0 ? digit << 4 : out[i / 2] | digit);
    }
    return true;
}

static void derive_listeners(const char *path, struct config *c, struct bundle_report *report)
{
    if (!inet_parse_listen(slice_of(c->listen_public_text), &c->listen_public))
        bundle_report_add(report, path, 0, 0, "listen.public must be like 127.0.0.1:8443");
    if (!inet_parse_listen(slice_of(c->listen_operators_text), &c->listen_operators))
        bundle_report_add(report, path, 0, 0, "listen.operators must be like 127.0.0.1:8444");
    for (size_t i = 0; c->proxies_text[i] != NULL; i++) {
        if (i == CONFIG_PROXIES_MAX ||
            !inet_parse_network(slice_of(c->proxies_text[i]), &c->proxies[i])) {
            bundle_report_add(report, path, 0, 0, "listen.proxies: %s is no network (10.0.0.0/8)",
                              c->proxies_text[i]);
            return;
        }
        c->proxy_count = i + 1;
    }
}

static void derive_currencies(const char *path, struct config *c, struct bundle_report *report)
{
    size_t count = 0;
    for (; c->currencies_text[count] != NULL && count < CONFIG_CURRENCIES_MAX; count++) {
        c->currencies[count] = currency_parse(slice_of(c->currencies_text[count]));
        if (c->currencies[count] == 0)
            bundle_report_add(report, path, 0, 0, "currencies: %s is no ISO 4217 code",
                              c->currencies_text[count]);
    }
    c->currencies[count] = 0;
    if (count == 0 || c->currencies_text[count] != NULL)
        bundle_report_add(report, path, 0, 0, "currencies must be 1 to %d", CONFIG_CURRENCIES_MAX);
}

/* What is given as text and means something else. */
static void derive(const char *path, struct config *c, struct bundle_report *report)
{
    derive_listeners(path, c, report);
    derive_currencies(path, c, report);
    if (c->workers == 0)
        c->workers = sysconf(_SC_NPROCESSORS_ONLN);
    if (c->stripe_first + c->workers * c->posting_lanes > 4096)
        bundle_report_add(report, path, 0, 0,
                          "stripe_first + workers x posting.lanes must stay below 4096");
    c->has_operator_token = c->operator_token_hash_text != NULL;
    if (c->has_operator_token && !parse_hex(c->operator_token_hash_text, c->operator_token_hash))
        bundle_report_add(report, path, 0, 0,
                          "operator_token_sha256 must be 64 hex digits in lower case");
    if (!parse_hex(c->cursor_key_text, c->cursor_key))
        bundle_report_add(report, path, 0, 0, "cursor_key must be 64 hex digits in lower case");
}

bool config_read(const char *path, struct config *config, struct bundle_report *report)
{
    memset(config, 0, sizeof *config);
    arena_init(&config->arena);
    if (settings_read(path, items, config, &config->arena, report))
        derive(path, config, report);
    if (report->count == 0)
        return true;
    config_release(config);
    return false;
}

void config_release(struct config *config)
{
    arena_release(&config->arena);
}

void config_describe(struct bytes *out)
{
    settings_describe(items, out);
}
