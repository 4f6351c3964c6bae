#include "config.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

#include "base/log.h"
#include "scripting/locate.h"
#include "scripting/settings.h"

#define SOURCE_MAX (256 * 1024) /* of the file */
#define WORKERS_MAX 256
#define STRIPES_MAX 4096

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
    {"pid_file", SETTINGS_TEXT, AT(pid_file), "nil", 0, 0,
     "gets the master's process id when the server is ready"},
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

struct place {
    const char *path;
    struct config *config;
    struct bundle_report *report;
};

/* A finding where the setting's key stands in the file. */
static void wrong(const struct place *at, const char *key, const char *format, ...)
{
    char message[160];
    int line = 0;
    int column = 0;
    size_t length = 0;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    char *text = arena_alloc(&at->config->arena, SOURCE_MAX);
    FILE *file = text == NULL ? NULL : fopen(at->path, "re");
    if (file != NULL) {
        length = fread(text, 1, SOURCE_MAX, file);
        fclose(file);
    }
    locate_path((struct slice){text, length}, key, &line, &column);
    bundle_report_add(at->report, at->path, line, column, "%s %s", key, message);
}

static void derive_listeners(const struct place *at, struct config *c)
{
    if (!inet_parse_listen(slice_of(c->listen_public_text), &c->listen_public))
        wrong(at, "listen.public", "must be like 127.0.0.1:8443");
    if (!inet_parse_listen(slice_of(c->listen_operators_text), &c->listen_operators))
        wrong(at, "listen.operators", "must be like 127.0.0.1:8444");
    if (strcmp(c->listen_public_text, c->listen_operators_text) == 0)
        wrong(at, "listen.operators", "must be another address or port than listen.public");
    for (size_t i = 0; c->proxies_text[i] != NULL; i++) {
        if (i == CONFIG_PROXIES_MAX) {
            wrong(at, "listen.proxies", "are %d at most", CONFIG_PROXIES_MAX);
            return;
        }
        if (!inet_parse_network(slice_of(c->proxies_text[i]), &c->proxies[i]))
            wrong(at, "listen.proxies", "holds %.60s, which is no network (10.0.0.0/8)",
                  c->proxies_text[i]);
        c->proxy_count = i + 1;
    }
}

static void derive_currencies(const struct place *at, struct config *c)
{
    size_t count = 0;
    for (; c->currencies_text[count] != NULL && count < CONFIG_CURRENCIES_MAX; count++) {
        c->currencies[count] = currency_parse(slice_of(c->currencies_text[count]));
        if (c->currencies[count] == 0)
            wrong(at, "currencies", "holds %.20s, which is no ISO 4217 code",
                  c->currencies_text[count]);
    }
    c->currencies[count] = 0;
    if (count == 0 || c->currencies_text[count] != NULL)
        wrong(at, "currencies", "must be 1 to %d", CONFIG_CURRENCIES_MAX);
}

static int level_of(const char *name)
{
    static const char *const names[] = {"debug", "info", "warn", "error"};
    for (int i = 0; i < 4; i++)
        if (strcmp(names[i], name) == 0)
            return i;
    return -1;
}

/* What is given as text and means something else. */
static void derive(const struct place *at, struct config *c)
{
    derive_listeners(at, c);
    derive_currencies(at, c);
    if (c->workers == 0)
        c->workers = sysconf(_SC_NPROCESSORS_ONLN);
    if (c->workers > WORKERS_MAX)
        c->workers = WORKERS_MAX;
    if (c->stripe_first + c->workers * c->posting_lanes > STRIPES_MAX)
        wrong(at, "stripe_first", "+ workers x posting.lanes must stay below %d", STRIPES_MAX);
    c->has_operator_token = c->operator_token_hash_text != NULL;
    if (c->has_operator_token && !parse_hex(c->operator_token_hash_text, c->operator_token_hash))
        wrong(at, "operator_token_sha256", "must be 64 hex digits in lower case");
    if (!parse_hex(c->cursor_key_text, c->cursor_key))
        wrong(at, "cursor_key", "must be 64 hex digits in lower case");
    if (level_of(c->log_level) < 0)
        wrong(at, "log.level", "must be debug, info, warn or error");
}

bool config_read(const char *path, struct config *config, struct bundle_report *report)
{
    memset(config, 0, sizeof *config);
    arena_init(&config->arena);
    if (settings_read(path, items, config, &config->arena, report))
        derive(&(struct place){path, config, report}, config);
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

/* Texts of another configuration, copied; NULL stays NULL. */
static bool copy_texts(struct arena *arena, const char **texts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (texts[i] == NULL)
            continue;
        texts[i] = arena_copy(arena, slice_of(texts[i])).at;
        if (texts[i] == NULL)
            return false;
    }
    return true;
}

bool config_take_reloadable(struct config *config, const struct config *fresh)
{
    const char *texts[] = {fresh->certificate, fresh->key, fresh->client_ca, fresh->log_file,
                           fresh->log_level};
    if (!copy_texts(&config->arena, texts, sizeof texts / sizeof texts[0]))
        return false;
    config->certificate = texts[0];
    config->key = texts[1];
    config->client_ca = texts[2];
    config->log_file = texts[3];
    config->log_level = texts[4];
    config->allow_tls12 = fresh->allow_tls12;
    config->user = fresh->user;
    config->ip = fresh->ip;
    config->sign_in_phone = fresh->sign_in_phone;
    config->sign_in_ip = fresh->sign_in_ip;
    config->sign_up_ip = fresh->sign_up_ip;
    config->lookup_user = fresh->lookup_user;
    config->has_operator_token = fresh->has_operator_token;
    memcpy(config->operator_token_hash, fresh->operator_token_hash,
           sizeof config->operator_token_hash);
    return true;
}

void config_start_log(const struct config *config, int slot)
{
    bool is_stderr = strcmp(config->log_file, "-") == 0;
    int flags = O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK;
    int fd = is_stderr ? -1 : open(config->log_file, flags, 0640);
    int level = level_of(config->log_level);
    log_start(fd < 0 ? STDERR_FILENO : fd, level < 0 ? LOG_INFO : (enum log_level)level, slot);
    if (fd < 0 && !is_stderr)
        log_message(LOG_ERROR, "log_file", "cannot open %s: logging to standard error",
                    config->log_file);
    if (fd >= 0)
        close(fd);
}
