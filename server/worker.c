#include "worker.h"

#include <assert.h>
#include <ev.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "api/event_hub.h"
#include "api/service.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/metrics.h"
#include "base/offload.h"
#include "config.h"
#include "net/listener.h"
#include "net/outbound.h"
#include "net/tls.h"
#include "ops/listen.h"
#include "ops/supervisor.h"
#include "posting/expiry.h"
#include "posting/posting.h"
#include "rule_keeper.h"
#include "store/cache.h"
#include "store/gate.h"
#include "store/pg_pool.h"
#include "store/pool_statements.h"
#include "store/presence.h"
#include "store/sealer.h"
#include "store/tie_out.h"
#include "store/upkeep.h"
#include "supply/till.h"
#include "webhooks/courier.h"

#define POOL_STATEMENTS_MAX 128
#define TRANSFERS_MAX 256 /* to other servers, at once */
#define DAY_S 86400.
#define BEAT_S 0.2
#define TIE_OUT_S 0.5
#define OPEN_US (INT64_C(2) * CLOCK_SECOND) /* so long a new worker waits for PostgreSQL */
#define SHORT_BEAT_S 0.02                   /* while it starts, while it drains */

enum { PUBLIC, OPERATORS };

struct worker {
    struct config config;
    const char *config_path;
    struct ev_loop *loop;
    struct supervisor_seat seat;
    uint64_t dropped; /* log lines, counted already */
    bool ready;       /* and the master knows */
    struct service service;
    struct rule_keeper *rules;
    struct expiry *expiry; /* of slot 0 */
    struct outbound *outbound;
    struct courier *courier; /* of slot 0 */
    struct tls_server *tls[2];
    struct listener *listeners[LISTEN_MAX]; /* one per socket of the seat; NULL: not yet */
    bool is_open;                           /* the public ones are there */
    int64_t open_at;                        /* at the latest: with 503 for an answer */
    const struct pg_statement *statements[POOL_STATEMENTS_MAX];
    char pool_setup[PRESENCE_SETUP_MAX];
    struct presence *presence;
    ev_io offload;
    ev_prepare log;
    ev_timer beat;  /* heartbeat, rules, draining */
    ev_timer daily; /* partitions, by slot 0 */
    ev_timer tie_out_timer;
    struct tie_out tie_out; /* by slot 0 */
    struct sealer *sealer;  /* slot 0's */
    ev_signal term, hup;
};

static metric dropped_lines;

void worker_register_metrics(void)
{
    dropped_lines = metrics_register(METRIC_COUNTER, "moolah_log_lines_dropped_total", "",
                                     "Log lines lost because their reader stood still");
    pg_pool_register_metrics();
    gate_register_metrics();
    cache_register_metrics();
    posting_register_metrics();
    expiry_register_metrics();
    listener_register_metrics();
    service_register_metrics();
    event_hub_register_metrics();
    rule_keeper_register_metrics();
    sealer_register_metrics();
    tie_out_register_metrics();
    outbound_register_metrics();
    courier_register_metrics();
    till_register_metrics();
}

static struct gate_rate rate_of(const struct config_rate *rate)
{
    return (struct gate_rate){rate->per_second, (int)rate->burst};
}

static struct gate_settings gate_settings_of(const struct config *c)
{
    return (struct gate_settings){
        .redis = c->redis,
        .timeout_us = c->redis_timeout_ms * 1000,
        .user = rate_of(&c->user),
        .ip = rate_of(&c->ip),
        .sign_in_phone = rate_of(&c->sign_in_phone),
        .sign_in_ip = rate_of(&c->sign_in_ip),
        .lookup_user = rate_of(&c->lookup_user),
        .sign_up_ip = rate_of(&c->sign_up_ip),
    };
}

static struct event_hub_settings event_settings_of(const struct config *c)
{
    return (struct event_hub_settings){
        .streams_max = (int)c->event_streams,
        .per_user = (int)c->event_streams_per_user,
        .heartbeat_us = c->event_heartbeat_s * CLOCK_SECOND,
        .recheck_us = c->event_recheck_s * CLOCK_SECOND,
    };
}

static void gather_statements(struct worker *w)
{
    size_t count = 0;
    for (const struct pg_statement *const *const *list = pool_statements_lists; *list != NULL;
         list++)
        for (const struct pg_statement *const *s = *list; *s != NULL; s++) {
            assert(count < POOL_STATEMENTS_MAX - 1);
            w->statements[count++] = *s;
        }
}

static bool make_pool(struct worker *w)
{
    const struct config *c = &w->config;
    gather_statements(w);
    presence_setup(pool_statements_setup, w->pool_setup);
    const struct pg_pool_settings pool = {
        .connection = {.conninfo = c->database,
                       .application_name = "moolahd",
                       .statements = w->statements,
                       .setup = w->pool_setup,
                       .connect_timeout_us = INT64_C(5) * CLOCK_SECOND,
                       .answer_timeout_us = INT64_C(10) * CLOCK_SECOND},
        .connections = (int)c->pool_connections,
        .queue_max = 4096,
        .pipeline_max = 512, /* a burst of a few hundred is nothing to refuse */
    };
    w->service.pool = pg_pool_new(w->loop, &pool);
    return w->service.pool != NULL;
}

static bool make_cache(struct worker *w)
{
    const struct gate_settings gate = gate_settings_of(&w->config);
    w->service.gate = gate_new(w->loop, w->service.pool, &gate);
    w->presence = presence_new(w->loop, w->service.pool);
    if (w->service.gate == NULL || w->presence == NULL)
        return false;
    const struct cache_settings cache = {w->service.pool, gate_redis(w->service.gate), w->presence};
    w->service.cache = cache_new(&cache);
    return w->service.cache != NULL;
}

static bool make_store(struct worker *w)
{
    const struct config *c = &w->config;
    if (!make_pool(w) || !make_cache(w))
        return false;
    const struct event_hub_settings events = event_settings_of(c);
    struct posting_settings posting = {
        .conninfo = c->database,
        .lanes = (int)c->posting_lanes,
        .batch_max = (int)c->batch_max,
        .queue_max = (int)c->queue_max,
        .stripe_first = (unsigned)(c->stripe_first + w->seat.slot * c->posting_lanes),
        .currencies = c->currencies,
        .cache = w->service.cache,
    };
    w->service.events = event_hub_new(w->service.pool, w->service.gate, &events);
    posting.changed = event_hub_changed;
    posting.changed_owner = w->service.events;
    w->service.posting = posting_new(w->loop, &posting);
    w->service.offload = offload_new((int)c->password_threads, 64);
    return w->service.events != NULL && w->service.posting != NULL && w->service.offload != NULL;
}

static bool make_courier(struct worker *w)
{
    const struct config *c = &w->config;
    const struct outbound_settings outbound = {
        .ca_file = c->outbound_ca,
        .allowed = c->outbound_allow,
        .allowed_count = c->outbound_allow_count,
        .allow_http = c->outbound_http,
        .transfers_max = TRANSFERS_MAX,
    };
    struct courier_settings courier = {
        .conninfo = c->database,
        .timeout_us = c->webhooks_timeout_s * CLOCK_SECOND,
    };
    w->outbound = outbound_prepare() ? outbound_new(w->loop, &outbound) : NULL;
    w->service.outbound = w->outbound;
    w->service.may_ask = outbound_may_ask;
    if (w->outbound == NULL || w->seat.slot != 0)
        return w->outbound != NULL;
    memcpy(courier.secret_key, c->secret_key, sizeof courier.secret_key);
    w->courier = courier_new(w->loop, w->outbound, &courier);
    return w->courier != NULL;
}

static bool make_till(struct worker *w)
{
    const struct config *c = &w->config;
    const struct till_settings till = {
        .pool = w->service.pool,
        .posting = w->service.posting,
        .outbound = w->outbound,
        .key = c->secret_key,
        .suppliers = c->suppliers,
        .stripe = (unsigned)(c->stripe_first + w->seat.slot * c->posting_lanes),
        .timeout_us = c->supplier_timeout_ms * 1000,
        .sweeps = w->seat.slot == 0,
    };
    w->service.till = till_new(w->loop, &till);
    return w->service.till != NULL;
}

static void set_service(struct worker *w)
{
    const struct config *c = &w->config;
    struct service_settings *s = &w->service.settings;
    s->currency = c->currencies[0];
    s->currencies = c->currencies;
    s->zone = c->zone;
    s->sign_in_lifetime_us = c->sign_in_days * 86400 * CLOCK_SECOND;
    s->posting_deadline_us = c->posting_deadline_ms * 1000;
    memcpy(s->cursor_key, c->cursor_key, sizeof s->cursor_key);
    memcpy(s->secret_key, c->secret_key, sizeof s->secret_key);
    s->allow_http = c->outbound_http;
    memcpy(s->operator_token_hash, c->operator_token_hash, sizeof s->operator_token_hash);
    s->has_operator_token = c->has_operator_token;
}

static void release_tls(struct tls_server *tls[2])
{
    tls_server_release(tls[PUBLIC]);
    tls_server_release(tls[OPERATORS]);
}

/* Both listeners' certificates, or neither. */
static bool make_tls(const struct config *c, struct tls_server *tls[2])
{
    char error[512];
    for (int i = PUBLIC; i <= OPERATORS; i++) {
        const struct tls_settings settings = {c->certificate, c->key,
                                              i == OPERATORS ? c->client_ca : NULL, c->allow_tls12};
        tls[i] = tls_server_new(&settings, error, sizeof error);
    }
    if (tls[PUBLIC] != NULL && tls[OPERATORS] != NULL)
        return true;
    log_message(LOG_ERROR, "certificate_refused", "%s", error);
    release_tls(tls);
    return false;
}

static struct session_limits session_limits_of(const struct config *c, int which)
{
    struct session_limits limits = session_limits_default;
    if (which == PUBLIC) {
        limits.large_path = service_large_path;
        limits.large_bytes_max = SERVICE_LARGE_BYTES_MAX;
    }
    limits.streams_max = (uint32_t)c->streams_max;
    limits.header_timeout_us = c->header_timeout_s * CLOCK_SECOND;
    limits.body_timeout_us = c->body_timeout_s * CLOCK_SECOND;
    limits.request_timeout_us = c->request_timeout_s * CLOCK_SECOND;
    limits.unread_timeout_us = c->unread_timeout_s * CLOCK_SECOND;
    limits.idle_timeout_us = c->idle_timeout_s * CLOCK_SECOND;
    return limits;
}

static struct listener_settings listener_settings_of(struct worker *w, int which)
{
    const struct config *c = &w->config;
    return (struct listener_settings){
        .name = which == PUBLIC ? "public" : "operators",
        .limits = session_limits_of(c, which),
        .connections_max = (int)c->connections_max,
        .handshake_timeout_us = c->handshake_timeout_s * CLOCK_SECOND,
        .proxies = c->proxies,
        .proxy_count = which == PUBLIC ? c->proxy_count : 0,
        .owner = &w->service,
        .serve = which == PUBLIC ? service_serve : service_serve_operator,
        .answered = service_answered,
    };
}

/* Listen on one kind's sockets. */
static bool open_listeners(struct worker *w, int which)
{
    bool good = true;
    for (int i = 0; good && i < w->seat.count; i++) {
        if (w->seat.sockets[i].listener != which)
            continue;
        struct listener_settings settings = listener_settings_of(w, which);
        settings.fd = w->seat.sockets[i].fd;
        settings.tls = w->tls[which];
        w->listeners[i] = listener_new(w->loop, &settings);
        good = w->listeners[i] != NULL;
    }
    return good;
}

static void on_offload(struct ev_loop *loop, ev_io *watcher, int events)
{
    struct worker *w = watcher->data;
    (void)loop;
    (void)events;
    offload_collect(w->service.offload);
}

static void on_log(struct ev_loop *loop, ev_prepare *watcher, int events)
{
    (void)loop;
    (void)watcher;
    (void)events;
    log_flush();
}

static void on_daily(struct ev_loop *loop, ev_timer *watcher, int events)
{
    struct worker *w = watcher->data;
    (void)events;
    bool asked = upkeep_make_partitions(w->service.pool);
    ev_timer_stop(loop, watcher);
    ev_timer_set(watcher, asked ? DAY_S : 1., 0.);
    ev_timer_start(loop, watcher);
}

static void on_tie_out(struct ev_loop *loop, ev_timer *watcher, int events)
{
    struct worker *w = watcher->data;
    (void)loop;
    (void)events;
    tie_out_look(&w->tie_out, w->service.pool);
}

static void set_beat(struct worker *w, double seconds)
{
    ev_timer_stop(w->loop, &w->beat);
    ev_timer_set(&w->beat, seconds, seconds);
    ev_timer_start(w->loop, &w->beat);
}

/* The master is told once; it hears at most one short beat late. */
static void look_whether_ready(struct worker *w)
{
    w->ready = posting_is_ready(w->service.posting) && pg_pool_is_ready(w->service.pool);
    if (!w->is_open && (w->ready || clock_monotonic() >= w->open_at)) {
        w->is_open = true;
        if (!open_listeners(w, PUBLIC))
            log_message(LOG_ERROR, "not_listening", "out of memory");
    }
    if (!w->ready)
        return;
    __atomic_store_n(&w->seat.word->ready, true, __ATOMIC_RELEASE);
    set_beat(w, BEAT_S);
}

static void count_dropped_lines(struct worker *w)
{
    uint64_t dropped = log_dropped();
    metrics_add(dropped_lines, dropped - w->dropped);
    w->dropped = dropped;
}

static bool is_drained(const struct worker *w)
{
    for (int i = 0; i < w->seat.count; i++)
        if (w->listeners[i] != NULL && listener_connections(w->listeners[i]) > 0)
            return false;
    return posting_waiting(w->service.posting) == 0 && till_is_idle(w->service.till) &&
           (w->courier == NULL || courier_is_idle(w->courier));
}

static void on_beat(struct ev_loop *loop, ev_timer *watcher, int events)
{
    struct worker *w = watcher->data;
    (void)events;
    __atomic_store_n(&w->seat.word->heartbeat, clock_monotonic(), __ATOMIC_RELAXED);
    rule_keeper_poll(w->rules);
    count_dropped_lines(w);
    event_hub_turn(w->service.events, clock_monotonic());
    if (!w->ready && !w->service.draining)
        look_whether_ready(w);
    if (w->service.draining && is_drained(w))
        ev_break(loop, EVBREAK_ALL);
}

static void on_term(struct ev_loop *loop, ev_signal *watcher, int events)
{
    struct worker *w = watcher->data;
    (void)loop;
    (void)events;
    if (w->service.draining)
        return;
    w->service.draining = true;
    if (w->expiry != NULL)
        expiry_stop(w->expiry);
    log_message(LOG_INFO, "draining", "no new connections; what runs is finished");
    for (int i = 0; i < w->seat.count; i++)
        if (w->listeners[i] != NULL)
            listener_drain(w->listeners[i]);
    if (w->courier != NULL)
        courier_stop(w->courier);
    till_stop(w->service.till);
    set_beat(w, SHORT_BEAT_S);
}

/* What the new configuration says, everywhere it says it. */
static void apply(struct worker *w)
{
    const struct config *c = &w->config;
    const struct gate_settings gate = gate_settings_of(c);
    const struct event_hub_settings events = event_settings_of(c);
    gate_set_rates(w->service.gate, &gate);
    event_hub_set(w->service.events, &events);
    set_service(w);
    for (int i = 0; i < w->seat.count; i++) {
        int which = w->seat.sockets[i].listener;
        const struct listener_settings settings = listener_settings_of(w, which);
        if (w->listeners[i] == NULL)
            continue;
        listener_set_limits(w->listeners[i], &settings);
        listener_set_tls(w->listeners[i], w->tls[which]);
    }
    if (!posting_set_sizes(w->service.posting, (int)c->batch_max, (int)c->queue_max))
        log_message(LOG_ERROR, "out_of_memory", "posting.batch and posting.queue stay as they are");
    config_start_log(c, w->seat.slot);
    rule_keeper_reload(w->rules, c->rules);
}

/* All of it or nothing. The master has looked at the same files before; this looks again, because
 * they may have changed since. */
static bool reload(struct worker *w)
{
    struct config fresh;
    struct bundle_report report = {0};
    struct tls_server *tls[2];
    if (!config_read(w->config_path, &fresh, &report)) {
        log_message(LOG_ERROR, "reload_refused", "%s:%d: %s", report.findings[0].file,
                    report.findings[0].line, report.findings[0].message);
        return false;
    }
    bool taken = make_tls(&fresh, tls);
    if (taken && !config_take_reloadable(&w->config, &fresh)) {
        log_message(LOG_ERROR, "reload_refused", "out of memory");
        release_tls(tls);
        taken = false;
    }
    config_release(&fresh);
    if (!taken)
        return false;
    release_tls(w->tls);
    memcpy(w->tls, tls, sizeof tls);
    apply(w);
    return true;
}

static void on_hup(struct ev_loop *loop, ev_signal *watcher, int events)
{
    struct worker *w = watcher->data;
    (void)loop;
    (void)events;
    if (reload(w))
        log_message(LOG_INFO, "reloaded", "configuration, certificate and rules");
    __atomic_add_fetch(&w->seat.word->reloads, 1, __ATOMIC_RELEASE);
}

static void start_watchers(struct worker *w)
{
    ev_io_init(&w->offload, on_offload, offload_fd(w->service.offload), EV_READ);
    ev_prepare_init(&w->log, on_log);
    ev_set_priority(&w->log, EV_MINPRI);
    ev_timer_init(&w->beat, on_beat, SHORT_BEAT_S, SHORT_BEAT_S);
    ev_timer_init(&w->daily, on_daily, 0.5, 0.);
    ev_signal_init(&w->term, on_term, SIGTERM);
    ev_signal_init(&w->hup, on_hup, SIGHUP);
    w->offload.data = w->beat.data = w->daily.data = w->term.data = w->hup.data = w;
    ev_io_start(w->loop, &w->offload);
    ev_prepare_start(w->loop, &w->log);
    ev_timer_start(w->loop, &w->beat);
    ev_timer_init(&w->tie_out_timer, on_tie_out, TIE_OUT_S, TIE_OUT_S);
    w->tie_out_timer.data = w;
    if (w->seat.slot == 0) {
        ev_timer_start(w->loop, &w->daily);
        ev_timer_start(w->loop, &w->tie_out_timer);
    }
    ev_signal_start(w->loop, &w->term);
    ev_signal_start(w->loop, &w->hup);
}

/* Somebody takes them now, those that came since the fork, too. The others stay blocked: they are
 * the master's, and a worker would die of a USR2 that went astray. */
static void unblock_signals(void)
{
    sigset_t ours;
    sigemptyset(&ours);
    sigaddset(&ours, SIGTERM);
    sigaddset(&ours, SIGHUP);
    sigprocmask(SIG_UNBLOCK, &ours, NULL);
}

/* One of the workers is enough. */
static bool make_sealer(struct worker *w)
{
    const struct config *c = &w->config;
    const struct sealer_settings settings = {.conninfo = c->database,
                                             .origin = c->proof_origin,
                                             .key = c->proof_key,
                                             .checkpoints = c->proof_checkpoints,
                                             .every_us = c->proof_every_ms * 1000};
    if (w->seat.slot != 0)
        return true;
    w->sealer = sealer_new(w->loop, &settings);
    return w->sealer != NULL;
}

static bool build(struct worker *w)
{
    if (!make_store(w) || !make_courier(w) || !make_till(w) || !make_sealer(w))
        return false;
    set_service(w);
    const struct rule_keeper_settings rules = {w->config.rules, w->config.listen_public_text,
                                               w->seat.slot, w->service.posting, w->service.pool};
    w->rules = rule_keeper_new(&rules);
    if (w->seat.slot == 0)
        w->expiry = expiry_new(w->loop, w->service.pool, w->service.posting);
    if (w->rules == NULL || (w->seat.slot == 0 && w->expiry == NULL))
        return false;
    /* Customers wait in the queue until there is a database: better than a 503 for those who come
     * just now. Who asks whether we live, needn't wait. */
    w->open_at = clock_monotonic() + OPEN_US;
    return make_tls(&w->config, w->tls) && open_listeners(w, OPERATORS);
}

int worker_run(const struct config *config, const char *config_path,
               const struct supervisor_seat *seat)
{
    memory_keep();
    struct worker *w = memory_alloc(sizeof *w);
    if (w == NULL)
        return 1;
    metrics_enter(seat->slot);
    config_start_log(config, seat->slot);
    srand((unsigned)getpid());
    signal(SIGINT, SIG_IGN); /* a terminal's Ctrl-C reaches us, too: the master says when */
    w->config = *config;
    w->config_path = config_path;
    w->seat = *seat;
    w->dropped = log_dropped();
    w->loop = ev_default_loop(EVFLAG_AUTO);
    if (w->loop == NULL || !build(w)) {
        log_message(LOG_ERROR, "worker_not_started", "out of memory or descriptors");
        log_flush();
        return 1;
    }
    start_watchers(w);
    unblock_signals();
    ev_run(w->loop, 0);
    count_dropped_lines(w);
    log_message(LOG_INFO, "worker_stopped", "drained");
    log_flush();
    return 0;
}
