#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/log.h"
#include "base/zone.h"
#include "ledger/seal.h"
#include "scripting/locate.h"
#include "scripting/settings.h"
#include "store/probe.h"
#include "supply/supplier.h"
#include "supply/till.h"

#define SOURCE_MAX ((size_t)256 * 1024) /* of the file */
#define WORKERS_MAX 256
#define STRIPES_MAX 4096

#define AT(member) offsetof(struct config, member)
/* NOLINTBEGIN(bugprone-macro-parentheses): a member can't stand in them */
#define RATE(name, member, rate_text, burst_text, help)                                        \
    {name "_per_second", SETTINGS_NUMBER, AT(member.per_second), rate_text, 0.001, 1e6, help}, \
    {                                                                                          \
        name "_burst", SETTINGS_INTEGER, AT(member.burst), burst_text, 1, 1e6,                 \
            "... and so many at once"                                                          \
    }
/* NOLINTEND(bugprone-macro-parentheses) */

/* What a running server can't change says so in its help. */
#define FIXED " [USR2]"

static const struct settings_item items[] = {
    {"database", SETTINGS_TEXT, AT(database), NULL, 0, 0,
     "libpq connection string, as the role moolah_server" FIXED},
    {"pool", SETTINGS_INTEGER, AT(pool_connections), "4", 1, 64,
     "connections per worker for everything but posting" FIXED},
    {"posting.lanes", SETTINGS_INTEGER, AT(posting_lanes), "2", 1, 16,
     "batches in flight per worker: a connection each" FIXED},
    {"posting.batch", SETTINGS_INTEGER, AT(batch_max), "256", 1, 2048,
     "orders in a batch, at most"},
    {"posting.queue", SETTINGS_INTEGER, AT(queue_max), "20000", 2048, 1000000,
     "orders that wait, at most"},
    {"posting.deadline_ms", SETTINGS_INTEGER, AT(posting_deadline_ms), "5000", 100, 60000,
     "an order that isn't in a batch by then is refused"},
    {"redis", SETTINGS_TEXT, AT(redis), NULL, 0, 0,
     "\"unix:/path\" or \"127.0.0.1:6379\", \"password@\" before it if need be" FIXED},
    {"redis_timeout_ms", SETTINGS_INTEGER, AT(redis_timeout_ms), "25", 1, 10000,
     "slower than that, the server goes on without Redis"},
    {"listen.public", SETTINGS_TEXT, AT(listen_public_text), "\"127.0.0.1:8443\"", 0, 0,
     "address and port of the API" FIXED},
    {"listen.operators", SETTINGS_TEXT, AT(listen_operators_text), "\"127.0.0.1:8444\"", 0, 0,
     "address and port of health, metrics and operators' calls" FIXED},
    {"listen.proxies", SETTINGS_LIST, AT(proxies_text), "{}", 0, 0,
     "networks whose connections begin with a PROXY v2 header"},
    {"workers", SETTINGS_INTEGER, AT(workers), "0", 0, 256,
     "worker processes; 0: one per core" FIXED},
    {"stripe_first", SETTINGS_INTEGER, AT(stripe_first), "0", 0, 4000,
     "of this server's system accounts: servers on one database each take their own, workers x "
     "lanes apart" FIXED},
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
    {"secret_key", SETTINGS_TEXT, AT(secret_key_text), NULL, 0, 0,
     "64 hex digits, the same on all servers: seals webhooks' secrets, vouchers and goods" FIXED},
    {"outbound.ca", SETTINGS_TEXT, AT(outbound_ca), "nil", 0, 0,
     "PEM: trusted beside the system's authorities when we ask other servers" FIXED},
    {"outbound.allow", SETTINGS_LIST, AT(outbound_allow_text), "{}", 0, 0,
     "networks that may be asked although they aren't the public internet's" FIXED},
    {"outbound.allow_http", SETTINGS_BOOL, AT(outbound_http), "false", 0, 0,
     "webhooks and suppliers without TLS: for tests" FIXED},
    {"suppliers.list", SETTINGS_LIST, AT(suppliers), "{}", 0, 0,
     "who brings what is sold: texts of name, URL and token, 16 at most: "
     "\"power https://supplier.example/v1 \" .. file \"/etc/moolah/power\"" FIXED},
    {"suppliers.timeout_ms", SETTINGS_INTEGER, AT(supplier_timeout_ms), "15000", 100, 30000,
     "until a supplier has answered" FIXED},
    {"webhooks.timeout_s", SETTINGS_INTEGER, AT(webhooks_timeout_s), "15", 1, 60,
     "until a webhook's receiver has answered" FIXED},
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
    {"events.streams", SETTINGS_INTEGER, AT(event_streams), "10000", 1, 1000000,
     "event streams at once per worker"},
    {"events.streams_per_user", SETTINGS_INTEGER, AT(event_streams_per_user), "10", 1, 1000000,
     "... and of one user, per worker likewise"},
    {"events.heartbeat_s", SETTINGS_INTEGER, AT(event_heartbeat_s), "15", 1, 3600,
     "a quiet stream says that it is there"},
    {"events.recheck_s", SETTINGS_INTEGER, AT(event_recheck_s), "60", 1, 3600,
     "a stream's reader is looked up again: a sign-out ends it by then"},
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
     "ISO 4217; the first is a new user's" FIXED},
    {"time_zone", SETTINGS_TEXT, AT(time_zone), "\"Africa/Johannesburg\"", 0, 0,
     "whose days, weeks and months limits go by, in wallets that are made without one: IANA"},
    {"log.file", SETTINGS_TEXT, AT(log_file), "\"-\"", 0, 0, "\"-\" is standard error"},
    {"log.level", SETTINGS_TEXT, AT(log_level), "\"info\"", 0, 0, "debug, info, warn or error"},
    {"pid_file", SETTINGS_TEXT, AT(pid_file), "nil", 0, 0,
     "gets the master's process id when the server is ready" FIXED},
    {"password_threads", SETTINGS_INTEGER, AT(password_threads), "1", 1, 16,
     "threads per worker that hash passwords, 25 ms of CPU each" FIXED},
    {"proof.origin", SETTINGS_TEXT, AT(proof_origin), "\"moolah\"", 0, 0,
     "this ledger's name in its seals and checkpoints: lower case, digits, . _ -" FIXED},
    {"proof.key", SETTINGS_TEXT, AT(proof_key), "nil", 0, 0,
     "file of the key that signs seals (moolah proof key makes one); nil: they are not "
     "signed" FIXED},
    {"proof.checkpoints", SETTINGS_TEXT, AT(proof_checkpoints), "nil", 0, 0,
     "file that each seal's checkpoint is appended to, best on another disk than the database; "
     "nil: "
     "none is kept" FIXED},
    {"proof.every_ms", SETTINGS_INTEGER, AT(proof_every_ms), "1000", 50, 3600000,
     "so often a seal is made, when there is something to seal" FIXED},
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

static bool is_any(const struct inet *address)
{
    static const uint8_t any4[16] = {[10] = 0xff, [11] = 0xff};
    static const uint8_t any6[16] = {0};
    return memcmp(address->bytes, any4, 16) == 0 || memcmp(address->bytes, any6, 16) == 0;
}

/* Would one take the other's connections? */
static bool overlap(const struct inet *a, const struct inet *b)
{
    return a->port == b->port &&
           (is_any(a) || is_any(b) || memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0);
}

static bool read_listen(const char *text, struct inet *address)
{
    return inet_parse_listen(slice_of(text), address) && address->port != 0;
}

/* How many there are. */
static size_t derive_networks(const struct place *at, const char *name, const char **texts,
                              struct inet_network networks[CONFIG_PROXIES_MAX])
{
    size_t count = 0;
    for (; count < CONFIG_PROXIES_MAX && texts[count] != NULL; count++)
        if (!inet_parse_network(slice_of(texts[count]), &networks[count]))
            wrong(at, name, "holds %.60s, which is no network (10.0.0.0/8)", texts[count]);
    if (texts[count] != NULL)
        wrong(at, name, "are %d at most", CONFIG_PROXIES_MAX);
    return count;
}

static void derive_suppliers(const struct place *at, const struct config *c)
{
    struct supplier supplier;
    size_t count = 0;
    for (; c->suppliers[count] != NULL; count++)
        if (!supplier_parse(c->suppliers[count], &supplier))
            wrong(at, "suppliers.list", "holds a text that isn't: name https://... token");
    if (count > TILL_SUPPLIERS_MAX)
        wrong(at, "suppliers.list", "are %d at most", TILL_SUPPLIERS_MAX);
}

static void derive_listeners(const struct place *at, struct config *c)
{
    bool public = read_listen(c->listen_public_text, &c->listen_public);
    bool operators = read_listen(c->listen_operators_text, &c->listen_operators);
    if (!public)
        wrong(at, "listen.public", "must be like 127.0.0.1:8443");
    if (!operators)
        wrong(at, "listen.operators", "must be like 127.0.0.1:8444");
    if (public && operators && overlap(&c->listen_public, &c->listen_operators))
        wrong(at, "listen.operators", "must be another address or port than listen.public");
    c->proxy_count = derive_networks(at, "listen.proxies", c->proxies_text, c->proxies);
}

static void derive_currencies(const struct place *at, struct config *c)
{
    size_t count = 0;
    for (; count < CONFIG_CURRENCIES_MAX && c->currencies_text[count] != NULL; count++) {
        c->currencies[count] = currency_parse(slice_of(c->currencies_text[count]));
        if (c->currencies[count] == 0)
            wrong(at, "currencies", "holds %.20s, which is no ISO 4217 code",
                  c->currencies_text[count]);
    }
    c->currencies[count] = 0;
    if (count == 0 || c->currencies_text[count] != NULL)
        wrong(at, "currencies", "must be 1 to %d", CONFIG_CURRENCIES_MAX);
}

static void derive_stores(const struct place *at, const struct config *c)
{
    char error[120];
    if (!probe_conninfo(c->database, error, sizeof error))
        wrong(at, "database", "is no libpq connection string: %s", error);
    if (!probe_redis_address(c->redis))
        wrong(at, "redis", "must be like unix:/run/redis.sock or 127.0.0.1:6379");
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
    derive_stores(at, c);
    derive_listeners(at, c);
    derive_currencies(at, c);
    c->zone = zone_find(slice_of(c->time_zone));
    if (c->zone == 0)
        wrong(at, "time_zone", "must be one that server/base/zone.c knows, like \"UTC\"");
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
    if (!seal_is_origin(c->proof_origin))
        wrong(at, "proof.origin", "must be 1 to 63 of a-z 0-9 . _ -");
    if (!parse_hex(c->secret_key_text, c->secret_key))
        wrong(at, "secret_key", "must be 64 hex digits in lower case");
    c->outbound_allow_count =
        derive_networks(at, "outbound.allow", c->outbound_allow_text, c->outbound_allow);
    derive_suppliers(at, c);
    if (level_of(c->log_level) < 0)
        wrong(at, "log.level", "must be debug, info, warn or error");
}

bool config_read(const char *path, struct config *config, struct bundle_report *report)
{
    memset(config, 0, sizeof *config);
    arena_init(&config->arena);
    arena_init(&config->reloaded);
    report->count = 0;
    if (access(path, R_OK) != 0)
        bundle_report_add(report, path, 0, 0,
                          "cannot be read: %s; moolahd --describe-config writes one",
                          strerror(errno));
    else if (settings_read(path, items, config, &config->arena, report))
        derive(&(struct place){path, config, report}, config);
    if (report->count == 0)
        return true;
    config_release(config);
    return false;
}

void config_release(struct config *config)
{
    arena_release(&config->arena);
    arena_release(&config->reloaded);
}

void config_describe(struct bytes *out)
{
    bytes_add_text(out, "-- HUP takes over what has changed, but for what says [USR2]: that needs "
                        "USR2 (a new master on the\n-- same sockets, no request fails) or a "
                        "restart.\n");
    settings_describe(items, out);
}

static bool is_fixed(const struct settings_item *item)
{
    return strstr(item->help, FIXED) != NULL;
}

static const char *text_at(const struct config *config, const struct settings_item *item)
{
    return *(const char *const *)(const void *)((const char *)config + item->offset);
}

static const char *const *list_at(const struct config *config, const struct settings_item *item)
{
    return *(const char *const *const *)(const void *)((const char *)config + item->offset);
}

static size_t size_of(enum settings_kind kind)
{
    switch (kind) {
    case SETTINGS_TEXT:
    case SETTINGS_LIST:
        return sizeof(char *);
    case SETTINGS_INTEGER:
        return sizeof(int64_t);
    case SETTINGS_NUMBER:
        return sizeof(double);
    case SETTINGS_BOOL:
        return sizeof(bool);
    }
    return 0;
}

static bool same_text(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static bool same_list(const char *const *a, const char *const *b)
{
    while (*a != NULL && same_text(*a, *b)) {
        a++;
        b++;
    }
    return *a == NULL && *b == NULL;
}

static bool is_same(const struct settings_item *item, const struct config *a,
                    const struct config *b)
{
    if (item->kind == SETTINGS_TEXT)
        return same_text(text_at(a, item), text_at(b, item));
    if (item->kind == SETTINGS_LIST)
        return same_list(list_at(a, item), list_at(b, item));
    return memcmp((const char *)a + item->offset, (const char *)b + item->offset,
                  size_of(item->kind)) == 0;
}

void config_fixed_changes(const struct config *config, const struct config *fresh,
                          struct bytes *names)
{
    for (const struct settings_item *item = items; item->path != NULL; item++)
        if (is_fixed(item) && !is_same(item, config, fresh))
            bytes_printf(names, "%s%s", names->length == 0 ? "" : ", ", item->path);
}

static const char **copy_list(struct arena *arena, const char *const *list)
{
    size_t count = 0;
    while (list[count] != NULL)
        count++;
    const char **copy = arena_array(arena, count + 1, sizeof copy[0]);
    for (size_t i = 0; copy != NULL && i < count; i++) {
        copy[i] = arena_copy(arena, slice_of(list[i])).at;
        if (copy[i] == NULL)
            return NULL;
    }
    return copy;
}

/* One setting into `to`, its texts into `arena`. False: out of memory. */
static bool copy_item(const struct settings_item *item, const struct config *from,
                      struct config *to, struct arena *arena)
{
    void *place = (char *)to + item->offset;
    memcpy(place, (const char *)from + item->offset, size_of(item->kind));
    if (item->kind == SETTINGS_TEXT && text_at(from, item) != NULL) {
        *(const char **)place = arena_copy(arena, slice_of(text_at(from, item))).at;
        return text_at(to, item) != NULL;
    }
    if (item->kind == SETTINGS_LIST) {
        *(const char ***)place = copy_list(arena, list_at(from, item));
        return list_at(to, item) != NULL;
    }
    return true;
}

bool config_take_reloadable(struct config *config, const struct config *fresh)
{
    struct config next = *config;
    arena_init(&next.reloaded);
    for (const struct settings_item *item = items; item->path != NULL; item++) {
        if (is_fixed(item) || copy_item(item, fresh, &next, &next.reloaded))
            continue;
        arena_release(&next.reloaded);
        return false;
    }
    memcpy(next.proxies, fresh->proxies, sizeof next.proxies);
    next.proxy_count = fresh->proxy_count;
    next.zone = fresh->zone;
    next.has_operator_token = fresh->has_operator_token;
    memcpy(next.operator_token_hash, fresh->operator_token_hash, sizeof next.operator_token_hash);
    memcpy(next.cursor_key, fresh->cursor_key, sizeof next.cursor_key);
    arena_release(&config->reloaded);
    *config = next;
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
