#include "webhooks/courier.h"

#include <assert.h>
#include <ev.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/metrics.h"
#include "store/pg_connection.h"
#include "store/pg_rows.h"
#include "webhooks/sending.h"

#define TICK_S 0.25
#define GATHER_S 0.002                            /* ends of deliveries that share a transaction */
#define IDLE_ROUND_US (INT64_C(5) * CLOCK_SECOND) /* between rounds without any webhook */
#define REPLAY_US CLOCK_SECOND
#define LOOK_US (INT64_C(5) * CLOCK_SECOND)
#define SWEEP_US (INT64_C(60) * CLOCK_SECOND)
#define AFTER_ERROR_US (INT64_C(2) * CLOCK_SECOND)
#define PATIENCE_US (INT64_C(3) * CLOCK_SECOND)
#define PER_WEBHOOK 8
#define FAILING 5
#define FAILING_MAX 256 /* webhooks that are remembered as such */
#define FAILING_PAUSE_US CLOCK_SECOND

enum courier_state {
    COURIER_DOWN,      /* no connection */
    COURIER_FOLLOWING, /* somebody else leads, as far as we know */
    COURIER_LEADING
};

/* A webhook whose last attempts have failed. */
struct trouble {
    struct uuid webhook; /* nil: a free place */
    int failures;
    int64_t not_before; /* monotonic us */
};

struct courier {
    struct ev_loop *loop;
    struct courier_settings settings;
    struct outbound *outbound;
    struct pg_connection *connection;
    enum courier_state state;
    ev_timer tick;
    ev_timer gather;
    struct sending *sendings;
    int count;
    bool asked_lead, asked_relay, asked_taken; /* and not answered yet */
    bool in_round;                             /* its last page isn't read: nothing is sent */
    int64_t round_at, replay_at, look_at, sweep_at, lead_at; /* no earlier than; monotonic us */
    bool stopping;
    int64_t stopped_at;
    struct trouble troubles[FAILING_MAX];
};

enum attempt { ATTEMPT_DELIVERED, ATTEMPT_RETRIED, ATTEMPT_FAILED, ATTEMPT_ENDED, ATTEMPTS };

static struct {
    metric leads, pending, overdue, margin;
    metric relayed;
    metric attempts[ATTEMPTS];
} metrics;

void courier_register_metrics(void)
{
    static const char *const outcomes[ATTEMPTS] = {
        [ATTEMPT_DELIVERED] = "outcome=\"delivered\"",
        [ATTEMPT_RETRIED] = "outcome=\"retry\"",
        [ATTEMPT_FAILED] = "outcome=\"failed\"",
        [ATTEMPT_ENDED] = "outcome=\"gone\"",
    };
    metrics.leads = metrics_register(METRIC_GAUGE, "moolah_webhooks_leading", "",
                                     "1 where the courier of the database runs");
    metrics.pending = metrics_register(METRIC_GAUGE, "moolah_webhooks_pending", "",
                                       "Deliveries not made yet, counted up to 100,000");
    metrics.overdue = metrics_register(METRIC_GAUGE, "moolah_webhooks_overdue_seconds", "",
                                       "For how long the oldest first attempt is due");
    metrics.margin =
        metrics_register(METRIC_GAUGE, "moolah_webhooks_clock_margin_seconds", "",
                         "How much later than the outbox begins to look its oldest row was: at 0 "
                         "a server's clock is too far behind and events may be missed");
    metrics.relayed = metrics_register(METRIC_COUNTER, "moolah_webhooks_relayed_total", "",
                                       "Deliveries made of transactions");
    for (int i = 0; i < ATTEMPTS; i++)
        metrics.attempts[i] = metrics_register(METRIC_COUNTER, "moolah_webhooks_attempts_total",
                                               outcomes[i], "Attempts to deliver, by outcome");
}

static void take(struct courier *c);

/* ---- webhooks in trouble */

static struct trouble *trouble_of(struct courier *c, const struct uuid *webhook)
{
    for (int i = 0; i < FAILING_MAX; i++)
        if (uuid_equal(&c->troubles[i].webhook, webhook))
            return &c->troubles[i];
    return NULL;
}

static void note_failure(struct courier *c, const struct uuid *webhook)
{
    static const struct uuid nil;
    struct trouble *trouble = trouble_of(c, webhook);
    if (trouble == NULL)
        trouble = trouble_of(c, &nil);
    if (trouble == NULL) /* too many to remember: it's treated like a good one */
        return;
    trouble->webhook = *webhook;
    trouble->not_before = clock_monotonic() + FAILING_PAUSE_US;
    if (++trouble->failures != FAILING)
        return;
    char id[UUID_TEXT_MAX];
    uuid_format(webhook, "whk_", id);
    log_message(LOG_WARN, "webhook_failing", "%s", id);
}

static void note_success(struct courier *c, struct arena *arena, const struct uuid *webhook)
{
    struct trouble *trouble = trouble_of(c, webhook);
    if (trouble == NULL)
        return;
    bool is_back = trouble->failures >= FAILING;
    *trouble = (struct trouble){.failures = 0};
    if (is_back && !outbox_ask_hurry(c->connection, arena, webhook))
        pg_connection_drop(c->connection, "not ready, or out of memory");
}

static bool may_send(struct courier *c, const struct uuid *webhook)
{
    const struct trouble *trouble = trouble_of(c, webhook);
    bool failing = trouble != NULL && trouble->failures >= FAILING;
    int most = failing ? 1 : PER_WEBHOOK;
    if (failing && clock_monotonic() < trouble->not_before)
        return false;
    for (const struct sending *s = c->sendings; s != NULL; s = s->next)
        most -= uuid_equal(&s->delivery.webhook, webhook);
    return most > 0;
}

/* ---- sending */

static void drop_all(struct courier *c)
{
    while (c->sendings != NULL) {
        struct sending *s = c->sendings;
        c->sendings = s->next;
        sending_free(s);
    }
    c->count = 0;
}

static void count_attempt(const struct outbox_end *end)
{
    enum attempt attempt = end->ends_webhook                 ? ATTEMPT_ENDED
                           : end->status == OUTBOX_DELIVERED ? ATTEMPT_DELIVERED
                           : end->status == OUTBOX_PENDING   ? ATTEMPT_RETRIED
                                                             : ATTEMPT_FAILED;
    metrics_add(metrics.attempts[attempt], 1);
}

static void gather_later(struct courier *c)
{
    if (ev_is_active(&c->gather))
        return;
    ev_timer_set(&c->gather, GATHER_S, 0.);
    ev_timer_start(c->loop, &c->gather);
}

static void on_sent(struct sending *sending)
{
    gather_later(sending->owner);
}

static size_t collect_ends(struct courier *c, struct outbox_end *ends)
{
    size_t count = 0;
    for (const struct sending *s = c->sendings; s != NULL; s = s->next)
        if (s->ended)
            ends[count++] = s->end;
    assert(count <= OUTBOX_TAKEN_MAX);
    return count;
}

static void free_ended(struct courier *c)
{
    struct sending **at = &c->sendings;
    while (*at != NULL) {
        struct sending *s = *at;
        if (!s->ended) {
            at = &s->next;
            continue;
        }
        *at = s->next;
        c->count--;
        sending_free(s);
    }
}

/* Asked is as good as noted: what is asked next comes after it, in the same session. Should it
 * fail, they are sent once more. */
static void note_ends(struct courier *c)
{
    struct outbox_end ends[OUTBOX_TAKEN_MAX];
    struct arena arena;
    size_t count = collect_ends(c, ends);
    if (count == 0 || c->state != COURIER_LEADING)
        return;
    arena_init(&arena);
    if (!outbox_ask_note(c->connection, &arena, ends, count))
        pg_connection_drop(c->connection, "not ready, or out of memory");
    for (size_t i = 0; i < count; i++) {
        count_attempt(&ends[i]);
        if (ends[i].status == OUTBOX_DELIVERED)
            note_success(c, &arena, &ends[i].place.webhook);
        else
            note_failure(c, &ends[i].place.webhook);
    }
    arena_release(&arena);
    free_ended(c);
}

static void on_gather(struct ev_loop *loop, ev_timer *watcher, int events)
{
    struct courier *c = watcher->data;
    (void)loop;
    (void)events;
    note_ends(c);
    take(c);
}

static void send_row(struct courier *c, const struct pg_rows *rows, int row)
{
    const struct sending_terms terms = {c->settings.secret_key, c->settings.timeout_us, c, on_sent};
    struct sending *s = sending_new(rows, row, &terms);
    if (s == NULL)
        return;
    if (c->count == OUTBOX_TAKEN_MAX || !may_send(c, &s->delivery.webhook) ||
        !sending_start(s, c->outbound, &terms)) {
        sending_free(s); /* it's still due */
        return;
    }
    s->next = c->sendings;
    c->sendings = s;
    c->count++;
    if (s->ended)
        gather_later(c);
}

/* ---- questions */

static void take(struct courier *c)
{
    struct outbox_place busy[OUTBOX_TAKEN_MAX];
    struct arena arena;
    size_t count = 0;
    if (c->state != COURIER_LEADING || c->stopping || c->asked_taken || c->in_round ||
        c->count == OUTBOX_TAKEN_MAX)
        return;
    for (const struct sending *s = c->sendings; s != NULL; s = s->next)
        busy[count++] = (struct outbox_place){s->delivery.webhook, s->delivery.event};
    arena_init(&arena);
    c->asked_taken = outbox_ask_taken(c->connection, &arena, busy, count);
    arena_release(&arena);
}

static void relay(struct courier *c)
{
    struct arena arena;
    if (c->asked_relay || c->stopping)
        return;
    arena_init(&arena);
    c->asked_relay = outbox_ask_relay(c->connection, &arena);
    arena_release(&arena);
}

static void on_relayed(struct courier *c, const struct pg_rows *rows)
{
    const struct outbox_relayed relayed = outbox_take_relayed(rows);
    c->asked_relay = false;
    c->in_round = relayed.more;
    c->round_at = clock_monotonic() + (relayed.active ? 0 : IDLE_ROUND_US);
    metrics_add(metrics.relayed, (uint64_t)relayed.put);
    if (relayed.has_lead) {
        metrics_set(metrics.margin, relayed.lead_us / CLOCK_SECOND);
        if (relayed.lead_us < (int64_t)OUTBOX_SKEW_S * CLOCK_SECOND / 2)
            log_message(
                LOG_ERROR, "clocks_apart",
                "a server's clock is %lld ms behind PostgreSQL's: events may be missed",
                (long long)(((int64_t)OUTBOX_SKEW_S * CLOCK_SECOND - relayed.lead_us) / 1000));
    }
    if (relayed.more)
        relay(c);
    else
        take(c);
}

static void on_taken(struct courier *c, const struct pg_rows *rows)
{
    c->asked_taken = false;
    for (int row = 0; row < pg_rows_count(rows) && !c->stopping; row++)
        send_row(c, rows, row);
}

static void on_led(struct courier *c, const struct pg_rows *rows)
{
    c->asked_lead = false;
    if (!outbox_took_lead(rows))
        return;
    c->state = COURIER_LEADING;
    c->in_round = true; /* who led before may have left one unfinished */
    metrics_set(metrics.leads, 1);
    log_message(LOG_INFO, "webhooks_led", "here from now on");
    relay(c);
}

static void on_looked(const struct pg_rows *rows)
{
    const struct outbox_state state = outbox_take_state(rows);
    metrics_set(metrics.pending, state.pending);
    metrics_set(metrics.overdue, state.overdue_us / CLOCK_SECOND);
}

static bool on_rows(void *owner, const struct pg_statement *statement, struct pg_rows *rows)
{
    struct courier *c = owner;
    switch (outbox_which(statement)) {
    case OUTBOX_LED:
        on_led(c, rows);
        break;
    case OUTBOX_RELAYED:
        on_relayed(c, rows);
        break;
    case OUTBOX_TAKEN:
        on_taken(c, rows);
        break;
    case OUTBOX_REPLAYED:
        if (outbox_take_replayed(rows))
            c->replay_at = 0;
        break;
    case OUTBOX_LOOKED:
        on_looked(rows);
        break;
    case OUTBOX_NOTHING:
        break;
    }
    return false;
}

static void on_ready(void *owner)
{
    struct courier *c = owner;
    c->state = COURIER_FOLLOWING;
}

static void on_lost(void *owner, const char *why)
{
    struct courier *c = owner;
    if (c->state == COURIER_LEADING)
        log_message(LOG_WARN, "webhooks_left", "%s", why);
    c->state = COURIER_DOWN;
    c->asked_lead = c->asked_relay = c->asked_taken = false;
    drop_all(c);
    metrics_set(metrics.leads, 0);
    metrics_set(metrics.pending, 0);
    metrics_set(metrics.overdue, 0);
}

static void on_error(void *owner, const struct pg_statement *statement,
                     const struct pg_error *error)
{
    struct courier *c = owner;
    log_message(LOG_ERROR, "webhooks_error", "%s: %s: %s", statement->name, error->sqlstate,
                error->message);
    c->lead_at = clock_monotonic() + AFTER_ERROR_US;
    pg_connection_drop(c->connection, "a statement failed");
}

static void on_synced(void *owner)
{
    (void)owner;
}

static void follow(struct courier *c, struct arena *arena)
{
    if (!c->asked_lead && !c->stopping && clock_monotonic() >= c->lead_at)
        c->asked_lead = outbox_ask_lead(c->connection, arena);
}

static void lead(struct courier *c, struct arena *arena)
{
    int64_t now = clock_monotonic();
    if (now >= c->round_at)
        relay(c);
    if (now >= c->replay_at && outbox_ask_replay(c->connection, arena))
        c->replay_at = now + REPLAY_US;
    if (now >= c->look_at && outbox_ask_look(c->connection, arena))
        c->look_at = now + LOOK_US;
    if (now >= c->sweep_at && outbox_ask_sweep(c->connection, arena))
        c->sweep_at = now + SWEEP_US;
    take(c);
}

static void on_tick(struct ev_loop *loop, ev_timer *watcher, int events)
{
    struct courier *c = watcher->data;
    struct arena arena;
    (void)loop;
    (void)events;
    arena_init(&arena);
    switch (c->state) {
    case COURIER_DOWN:
        break;
    case COURIER_FOLLOWING:
        follow(c, &arena);
        break;
    case COURIER_LEADING:
        lead(c, &arena);
        break;
    }
    arena_release(&arena);
}

struct courier *courier_new(struct ev_loop *loop, struct outbound *outbound,
                            const struct courier_settings *settings)
{
    struct courier *c = memory_alloc(sizeof *c);
    if (c == NULL)
        return NULL;
    const struct pg_connection_settings connection = {
        .conninfo = settings->conninfo,
        .application_name = "moolahd webhooks",
        .statements = outbox_statements,
        .setup = outbox_setup,
        .connect_timeout_us = INT64_C(5) * CLOCK_SECOND,
        .answer_timeout_us = INT64_C(10) * CLOCK_SECOND,
    };
    const struct pg_connection_owner owner = {c, on_ready, on_rows, on_error, on_synced, on_lost};
    c->loop = loop;
    c->settings = *settings;
    c->outbound = outbound;
    ev_timer_init(&c->tick, on_tick, TICK_S, TICK_S);
    ev_init(&c->gather, on_gather);
    c->tick.data = c->gather.data = c;
    c->connection = pg_connection_new(loop, &connection, &owner);
    if (c->connection == NULL) {
        memory_free(c);
        return NULL;
    }
    ev_timer_start(loop, &c->tick);
    return c;
}

void courier_free(struct courier *c)
{
    if (c == NULL)
        return;
    drop_all(c);
    pg_connection_free(c->connection);
    ev_timer_stop(c->loop, &c->tick);
    ev_timer_stop(c->loop, &c->gather);
    memory_free(c);
}

void courier_stop(struct courier *c)
{
    c->stopping = true;
    c->stopped_at = clock_monotonic();
}

bool courier_is_idle(const struct courier *c)
{
    return c->count == 0 || clock_monotonic() >= c->stopped_at + PATIENCE_US;
}

bool courier_leads(const struct courier *c)
{
    return c->state == COURIER_LEADING;
}
