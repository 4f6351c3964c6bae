#include "store/sealer.h"

#include <assert.h>
#include <errno.h>
#include <ev.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/flow.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/metrics.h"
#include "base/offload.h"
#include "store/checkpoints.h"
#include "store/pg_array.h"
#include "store/pg_params.h"
#include "store/pg_pool.h"
#include "store/pg_rows.h"
#include "store/pool_statements.h"
#include "store/seal_round.h"

#define NEWS_MAX 256 /* checkpoints at once */
#define SKEW_US                                                                       \
    (CLOCK_SECOND / 2) /* so far the servers' clocks may be apart without further ado \
                        */
#define SNAPSHOTS 256
#define LATE_EVERY_US (INT64_C(30) * CLOCK_SECOND)
#define LATE_AT_START 600 /* seals looked through for late transactions at first */
#define OPEN_GRACE_US (INT64_C(15) * CLOCK_SECOND)
#define TELL_EVERY_US (INT64_C(60) * CLOCK_SECOND)
#define REST_SHARE 3 /* a round is followed by a rest of so many times its time */
#define MONTH_MS (INT64_C(32) * 86400 * 1000)

/* PostgreSQL's clock, and the first transaction that had not begun by then. */
struct snapshot {
    int64_t at;
    int64_t next;
};

struct sealer {
    struct flow flow;
    struct sealer_settings settings;
    struct ev_loop *loop;
    struct pg_pool *pool;
    struct offload *offload;
    ev_io finished_jobs;
    ev_timer timer;
    struct offload_job job;
    struct checkpoints file;
    uint8_t seed[CRYPTO_SEED_SIZE];
    bool has_key;
    struct snapshot snapshots[SNAPSHOTS];
    unsigned snapshot_count; /* ever */
    int64_t complete_us;     /* transactions whose ids are older are complete */
    int64_t late_looked_at;  /* monotonic */
    int64_t late_from[2];    /* seals: from where the next look begins, and the one after it */
    int64_t started;
    int64_t told_at;
    bool is_stopped;
    /* of this round */
    struct arena arena;
    int64_t began;
    enum pg_outcome outcome;
    bool again; /* there is more: soon */
    struct seals_head head;
    struct bytes lines; /* of checkpoints, to append */
    struct checkpoint newest;
    bool appended;
    int append_error;
    struct seal_round round;
};

static struct {
    metric seals, transactions, late, lag, stopped;
} metrics;

void sealer_register_metrics(void)
{
    metrics.seals =
        metrics_register(METRIC_COUNTER, "moolah_seals_total", "", "Seals made by this server");
    metrics.transactions = metrics_register(METRIC_COUNTER, "moolah_sealed_transactions_total", "",
                                            "Transactions sealed by this server");
    metrics.late = metrics_register(
        METRIC_COUNTER, "moolah_sealed_late_total", "",
        "Transactions whose ids were older than what was sealed: a clock is behind");
    metrics.lag = metrics_register(METRIC_GAUGE, "moolah_seal_lag_seconds", "",
                                   "Age of the oldest transaction that is not sealed yet");
    metrics.stopped =
        metrics_register(METRIC_GAUGE, "moolah_sealing_stopped", "",
                         "1: no seals are made until somebody looks (sealing_stopped)");
}

static struct sealer *from_flow(struct flow *flow)
{
    return (struct sealer *)(void *)((char *)flow - offsetof(struct sealer, flow));
}

static struct sealer *from_job(struct offload_job *job)
{
    return (struct sealer *)(void *)((char *)job - offsetof(struct sealer, job));
}

/* Nothing is sealed until this is over. Told at once, and then each minute. */
static enum flow_verdict stop(struct sealer *s, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static enum flow_verdict stop(struct sealer *s, const char *format, ...)
{
    char reason[240];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(reason, sizeof reason, format, arguments);
    va_end(arguments);
    s->again = false;
    metrics_set(metrics.stopped, 1);
    if (!s->is_stopped || clock_monotonic() - s->told_at >= TELL_EVERY_US) {
        log_message(LOG_ERROR, "sealing_stopped", "%s", reason);
        s->told_at = clock_monotonic();
    }
    s->is_stopped = true;
    return FLOW_DONE;
}

static void go_on(struct sealer *s)
{
    if (s->is_stopped)
        log_message(LOG_INFO, "sealing_resumed", "what stopped it is over");
    s->is_stopped = false;
    metrics_set(metrics.stopped, 0);
}

/* ---- what there is */

static void on_head(void *owner, enum pg_outcome outcome, const struct pg_rows *rows)
{
    struct sealer *s = owner;
    s->outcome = outcome;
    if (outcome == PG_OK)
        s->head = seals_take_head(rows);
    flow_resume(&s->flow);
}

static enum flow_verdict ask_head(struct flow *flow)
{
    struct sealer *s = from_flow(flow);
    struct pg_params params;
    s->began = clock_monotonic();
    s->again = false;
    arena_release(&s->arena);
    s->round = (struct seal_round){.arena = &s->arena};
    pg_params_init(&params, &s->arena);
    return pg_pool_ask(s->pool, &seals_look, &params, on_head, s) ? FLOW_WAIT : FLOW_DONE;
}

/* An id is minted by a server's clock, after its transaction has begun. So what begins after a
 * snapshot has ids that are younger than that, as far as the clocks agree; and once all that had
 * begun by then is complete, nothing older can come any more. */
static void note_snapshot(struct sealer *s)
{
    unsigned first = s->snapshot_count > SNAPSHOTS ? s->snapshot_count - SNAPSHOTS : 0;
    for (unsigned i = first; i < s->snapshot_count; i++) {
        const struct snapshot *before = &s->snapshots[i % SNAPSHOTS];
        if (before->next <= s->head.oldest_running && before->at - SKEW_US > s->complete_us)
            s->complete_us = before->at - SKEW_US;
    }
    s->snapshots[s->snapshot_count++ % SNAPSHOTS] = (struct snapshot){s->head.now, s->head.next};
}

static void observe_lag(const struct sealer *s)
{
    int64_t lag = 0;
    if (!uuid_is_nil(&s->head.oldest_unsealed))
        lag = s->head.now / CLOCK_SECOND - uuid_milliseconds(&s->head.oldest_unsealed) / 1000;
    metrics_set(metrics.lag, lag < 0 ? 0 : lag);
}

/* ---- the checkpoints: this server's file follows the chain, whoever sealed */

static bool differs(const struct merkle_hash *a, const struct merkle_hash *b)
{
    return memcmp(a, b, sizeof *a) != 0;
}

/* Lines for the seals behind the file's last. The first that we are given is the file's last one
 * again, and must still be it. NULL: all is well. */
static const char *take_news(struct sealer *s, const struct pg_rows *rows)
{
    const struct checkpoint *last = s->file.has_last ? &s->file.last : NULL;
    if (last != NULL && pg_rows_count(rows) == 0)
        return "the checkpoints are ahead of the database: was an older backup restored?";
    for (int i = 0; i < pg_rows_count(rows); i++) {
        const struct seals_stored stored = seals_take(rows, i);
        bool again = last != NULL && stored.seal.number == last->seal;
        if (again ? differs(&stored.hash, &last->hash)
                  : last != NULL && differs(&stored.seal.previous, &last->hash))
            return "the database's seals are not those of the checkpoints: history was rewritten";
        if (differs(&stored.hash, &stored.checkpoint.hash) ||
            stored.seal.number != (last == NULL ? 1 : last->seal + !again))
            return "a seal of the database was changed";
        s->newest = stored.checkpoint;
        last = &s->newest;
        if (again)
            continue;
        seal_write_checkpoint(&stored.checkpoint, &s->lines);
        bytes_add_char(&s->lines, '\n');
    }
    s->again = pg_rows_count(rows) == NEWS_MAX;
    return s->lines.failed ? "out of memory" : NULL;
}

static void on_news(void *owner, enum pg_outcome outcome, const struct pg_rows *rows)
{
    struct sealer *s = owner;
    s->outcome = outcome;
    s->round.trouble = outcome == PG_OK ? take_news(s, rows) : NULL;
    flow_resume(&s->flow);
}

/* An older master, which drains, may still have the file. */
static bool may_be_taken(const struct sealer *s)
{
    return clock_monotonic() - s->started < OPEN_GRACE_US;
}

static enum flow_verdict ask_news(struct flow *flow)
{
    struct sealer *s = from_flow(flow);
    struct pg_params params;
    char error[160];
    if (s->outcome != PG_OK)
        return FLOW_DONE;
    note_snapshot(s);
    observe_lag(s);
    bytes_init(&s->lines, &s->arena);
    if (s->settings.key != NULL && !s->has_key) {
        s->has_key = checkpoints_read_key(s->settings.key, s->seed, error);
        if (!s->has_key)
            return stop(s, "the key: %s", error);
    }
    if (s->settings.checkpoints == NULL)
        return FLOW_NEXT;
    if (s->file.fd < 0 && !checkpoints_open(&s->file, s->settings.checkpoints, error))
        return may_be_taken(s) ? FLOW_DONE : stop(s, "the checkpoints: %s", error);
    pg_params_init(&params, &s->arena);
    pg_params_bigint(&params, s->file.has_last ? s->file.last.seal : 1);
    pg_params_integer(&params, NEWS_MAX);
    return pg_pool_ask(s->pool, &seals_news, &params, on_news, s) ? FLOW_WAIT : FLOW_DONE;
}

static void append(struct offload_job *job)
{
    struct sealer *s = from_job(job);
    s->appended = checkpoints_append(&s->file, &s->lines, &s->newest);
    s->append_error = errno;
}

static void job_done(struct offload_job *job)
{
    flow_resume(&from_job(job)->flow);
}

static enum flow_verdict submit(struct sealer *s, void (*work)(struct offload_job *job))
{
    s->job = (struct offload_job){.work = work, .done = job_done};
    return offload_submit(s->offload, &s->job) ? FLOW_WAIT : FLOW_DONE;
}

static enum flow_verdict write_checkpoints(struct flow *flow)
{
    struct sealer *s = from_flow(flow);
    if (s->outcome != PG_OK)
        return FLOW_DONE;
    if (s->round.trouble != NULL) {
        checkpoints_close(&s->file); /* the next look is at what is there then */
        return stop(s, "%s", s->round.trouble);
    }
    s->appended = true;
    return s->lines.length == 0 ? FLOW_NEXT : submit(s, append);
}

/* ---- late ones */

static void on_late(void *owner, enum pg_outcome outcome, const struct pg_rows *rows)
{
    struct sealer *s = owner;
    s->outcome = outcome;
    if (outcome == PG_OK)
        seal_round_take_late(&s->round, rows);
    flow_resume(&s->flow);
}

static enum flow_verdict ask_late(struct flow *flow)
{
    struct sealer *s = from_flow(flow);
    struct pg_params params;
    if (!s->appended)
        return stop(s, "the checkpoints: %s: %s", s->settings.checkpoints,
                    strerror(s->append_error));
    go_on(s);
    if (s->again || !s->head.is_ours)
        return FLOW_DONE;
    if (s->head.is_empty ||
        (s->late_looked_at != 0 && clock_monotonic() - s->late_looked_at < LATE_EVERY_US))
        return FLOW_NEXT;
    int64_t number = s->head.seal.number;
    int64_t from = s->late_looked_at == 0 ? number - LATE_AT_START : s->late_from[0];
    s->late_looked_at = clock_monotonic();
    s->late_from[0] = s->late_from[1] == 0 ? number : s->late_from[1];
    s->late_from[1] = number;
    pg_params_init(&params, &s->arena);
    pg_params_bigint(&params, from);
    return pg_pool_ask(s->pool, &seals_late, &params, on_late, s) ? FLOW_WAIT : FLOW_DONE;
}

/* ---- the rows */

static void on_rows(void *owner, enum pg_outcome outcome, const struct pg_rows *rows)
{
    struct sealer *s = owner;
    s->outcome = outcome;
    if (outcome == PG_OK)
        seal_round_take_rows(&s->round, rows);
    flow_resume(&s->flow);
}

static struct uuid floor_of(int64_t milliseconds)
{
    struct uuid id = {{0}};
    for (int i = 0; i < 6; i++)
        id.bytes[i] = (uint8_t)((uint64_t)milliseconds >> (40 - 8 * i));
    return id;
}

static enum flow_verdict ask_rows(struct flow *flow)
{
    struct sealer *s = from_flow(flow);
    struct pg_params params;
    struct pg_array ids;
    const struct uuid until = floor_of(s->complete_us / 1000);
    bool is_late = s->round.late_count > 0;
    if (s->outcome != PG_OK)
        return FLOW_DONE;
    pg_params_init(&params, &s->arena);
    if (is_late) {
        metrics_add(metrics.late, s->round.late_count);
        log_message(LOG_WARN, "sealed_late", "%zu transactions: is a server's clock behind?",
                    s->round.late_count);
        pg_array_begin(&ids, &params, PG_UUID, (int)s->round.late_count);
        for (size_t i = 0; i < s->round.late_count; i++)
            pg_array_uuid(&ids, &s->round.late[i]);
        pg_array_end(&ids);
    } else {
        if (uuid_compare(&until, &s->head.seal.through) <= 0)
            return FLOW_DONE;
        pg_params_uuid(&params, &s->head.seal.through);
        pg_params_uuid(&params, &until);
        pg_params_bigint(&params, s->head.oldest_running);
        pg_params_integer(&params, SEAL_LEAVES_MAX);
    }
    return pg_pool_ask(s->pool, is_late ? &seals_late_rows : &seals_rows, &params, on_rows, s)
               ? FLOW_WAIT
               : FLOW_DONE;
}

static void on_legs(void *owner, enum pg_outcome outcome, const struct pg_rows *rows)
{
    struct sealer *s = owner;
    s->outcome = outcome;
    if (outcome == PG_OK)
        seal_round_take_legs(&s->round, rows);
    flow_resume(&s->flow);
}

/* Late ones' are among those that the cursors have passed. */
static enum flow_verdict ask_legs(struct flow *flow)
{
    struct sealer *s = from_flow(flow);
    struct seal_round *round = &s->round;
    struct pg_params params;
    bool is_late = round->late_count > 0;
    if (s->outcome != PG_OK || round->count == 0)
        return FLOW_DONE;
    const struct uuid *first = &round->leaves[0].id;
    const struct uuid before = floor_of(uuid_milliseconds(first) - MONTH_MS);
    pg_params_init(&params, &s->arena);
    pg_params_uuid(&params, is_late ? first : &before);
    pg_params_uuid(&params, &round->leaves[round->count - 1].id);
    pg_params_bigint(&params, is_late ? 1000000 : 0);
    pg_params_bigint(&params, (int64_t)round->count * 2 + 64);
    return pg_pool_ask(s->pool, &seals_system_legs, &params, on_legs, s) ? FLOW_WAIT : FLOW_DONE;
}

/* ---- the seal */

static void hash(struct offload_job *job)
{
    struct sealer *s = from_job(job);
    seal_round_hash(&s->round);
    s->round.checkpoint = seal_checkpoint(&s->round.seal);
    if (s->has_key)
        seal_sign(&s->round.checkpoint, s->seed);
}

static enum flow_verdict make_seal(struct flow *flow)
{
    struct sealer *s = from_flow(flow);
    struct seal *seal = &s->round.seal;
    bool is_late = s->round.late_count > 0;
    if (s->outcome != PG_OK)
        return FLOW_DONE;
    *seal = (struct seal){.number = s->head.seal.number + 1,
                          .count = s->round.count,
                          .after = s->head.seal.through,
                          .through = is_late ? s->head.seal.through
                                             : s->round.leaves[s->round.count - 1].id,
                          .horizon = s->head.oldest_running,
                          .previous = s->head.hash,
                          .at = clock_now()};
    snprintf(seal->origin, sizeof seal->origin, "%s", s->settings.origin);
    return submit(s, hash);
}

static void on_written(void *owner, enum pg_outcome outcome, const struct pg_rows *rows)
{
    struct sealer *s = owner;
    (void)rows;
    s->outcome = outcome;
    flow_resume(&s->flow);
}

static enum flow_verdict write_seal(struct flow *flow)
{
    struct sealer *s = from_flow(flow);
    if (s->round.trouble != NULL)
        return stop(s, "%s", s->round.trouble);
    const struct seals_writing writing = seal_round_writing(&s->round);
    return seals_write(s->pool, &s->arena, &writing, on_written, s) ? FLOW_WAIT : FLOW_DONE;
}

static enum flow_verdict report(struct flow *flow)
{
    struct sealer *s = from_flow(flow);
    if (s->outcome != PG_OK) /* unknown, or another server's: the next look tells */
        return FLOW_DONE;
    metrics_add(metrics.seals, 1);
    metrics_add(metrics.transactions, s->round.count);
    s->again = true; /* its checkpoint, at least */
    return FLOW_NEXT;
}

static const struct flow_step steps[] = {
    {"ask_head", ask_head},
    {"ask_news", ask_news},
    {"write_checkpoints", write_checkpoints},
    {"ask_late", ask_late},
    {"ask_rows", ask_rows},
    {"ask_legs", ask_legs},
    {"make_seal", make_seal},
    {"write_seal", write_seal},
    {"report", report},
    {NULL, NULL},
};

/* ---- rounds */

static void on_unlocked(void *owner, enum pg_outcome outcome, const struct pg_rows *rows)
{
    (void)owner;
    (void)outcome; /* a lost connection has lost its locks, too */
    (void)rows;
}

static void round_finished(struct flow *flow)
{
    struct sealer *s = from_flow(flow);
    struct pg_params params;
    int64_t rest = (clock_monotonic() - s->began) * REST_SHARE;
    pg_params_init(&params, &s->arena);
    if (s->head.is_ours)
        (void)pg_pool_ask(s->pool, &seals_unlock, &params, on_unlocked, s);
    s->head.is_ours = false;
    ev_timer_set(&s->timer, (double)(s->again ? rest : s->settings.every_us) / CLOCK_SECOND, 0.);
    ev_timer_start(s->loop, &s->timer);
}

static void on_timer(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct sealer *s = timer->data;
    (void)events;
    ev_timer_stop(loop, timer);
    s->flow = (struct flow){.state = FLOW_READY};
    flow_start(&s->flow, steps, round_finished);
}

static void on_jobs(struct ev_loop *loop, ev_io *watcher, int events)
{
    struct sealer *s = watcher->data;
    (void)loop;
    (void)events;
    offload_collect(s->offload);
}

struct sealer *sealer_new(struct ev_loop *loop, const struct sealer_settings *settings)
{
    struct sealer *s = memory_alloc(sizeof *s);
    const struct pg_pool_settings pool = {
        .connection = {.conninfo = settings->conninfo,
                       .application_name = "moolahd sealer",
                       .statements = seals_statements,
                       .setup = pool_statements_setup,
                       .connect_timeout_us = INT64_C(5) * CLOCK_SECOND,
                       .answer_timeout_us = INT64_C(30) * CLOCK_SECOND},
        .connections = 1,
        .is_background = true,
        .queue_max = 8,
        .pipeline_max = 8,
    };
    if (s == NULL)
        return NULL;
    *s = (struct sealer){
        .settings = *settings, .loop = loop, .started = clock_monotonic(), .file = {.fd = -1}};
    s->pool = pg_pool_new(loop, &pool);
    s->offload = offload_new(1, 4);
    if (s->pool == NULL || s->offload == NULL)
        return NULL;
    ev_io_init(&s->finished_jobs, on_jobs, offload_fd(s->offload), EV_READ);
    ev_timer_init(&s->timer, on_timer, (double)settings->every_us / CLOCK_SECOND, 0.);
    s->finished_jobs.data = s->timer.data = s;
    ev_io_start(loop, &s->finished_jobs);
    ev_timer_start(loop, &s->timer);
    return s;
}
