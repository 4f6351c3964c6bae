#include "posting/posting.h"

#include <assert.h>
#include <ev.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/metrics.h"
#include "base/zone.h"
#include "posting/batch.h"
#include "posting/batch_changes.h"
#include "posting/lane.h"
#include "posting/order.h"
#include "scripting/bundle.h"

#define LANES_MAX 16
#define RETRIES_MAX 5     /* for errors that go away by themselves, then the batch is halved */
#define QUEUE_ALWAYS 1024 /* so many may wait whatever the measured rate says */
#define LINE_PART 10      /* of its deadline: so long may the line be that an order joins */
#define PAUSE_S 0.1       /* before a batch that the database couldn't take is tried again */
#define PATIENCE (CLOCK_SECOND / 10) /* with one in flight, before one leaves unfilled */
#define TICK_S 0.1 /* how often waiting orders are looked over for passed deadlines */

const struct uuid posting_system_caller = {
    {0, 0, 0, 0, 0, 0, 0x80, 0, 0x80, 0, 0xff}}; /* as an account_system_id of no kind */

struct posting_queue {
    struct ev_loop *loop;
    ev_prepare gather; /* at the end of a loop turn: one batch from all that came in it */
    ev_timer tick;
    ev_timer pause;
    struct posting_settings settings;
    struct bundle *bundle;
    struct lane *lanes[LANES_MAX];
    int lane_count;

    struct posting_order *first; /* waiting, oldest first */
    struct posting_order *last;
    int waiting; /* both by weight */
    int in_flight;
    struct batch *again; /* to be submitted again, oldest first */
    bool paused;

    double rate; /* orders answered per second, smoothed */
    int64_t rate_from;
    int answered;
    int64_t rule_failure_told;    /* monotonic us */
    struct posting_order **taken; /* batch_max places */
};

static struct {
    metric waiting;
    metric lanes_ready;
    metric wait;
    metric outcomes[POSTING_POISONED + 1];
    metric replayed;
    metric refused;
    metric not_admitted;
    metric halved;
} metrics;

void posting_register_metrics(void)
{
    static const char *const outcome_labels[] = {
        [POSTING_ANSWERED] = "outcome=\"answered\"",
        [POSTING_KEY_REUSED] = "outcome=\"key_reused\"",
        [POSTING_RULE_FAILED] = "outcome=\"rule_failed\"",
        [POSTING_EXPIRED] = "outcome=\"expired\"",
        [POSTING_UNAVAILABLE] = "outcome=\"unavailable\"",
        [POSTING_POISONED] = "outcome=\"poisoned\"",
    };
    metrics.waiting =
        metrics_register(METRIC_GAUGE, "moolah_posting_queue_orders", "", "Orders waiting");
    metrics.lanes_ready = metrics_register(METRIC_GAUGE, "moolah_posting_lanes_ready", "",
                                           "Connections to PostgreSQL that can post");
    metrics.wait = metrics_register(METRIC_HISTOGRAM, "moolah_posting_wait_seconds", "",
                                    "From an order's arrival until its batch is taken");
    for (size_t i = 0; i < sizeof outcome_labels / sizeof outcome_labels[0]; i++)
        metrics.outcomes[i] = metrics_register(METRIC_COUNTER, "moolah_posting_orders_total",
                                               outcome_labels[i], "Orders by their outcome");
    metrics.replayed = metrics_register(METRIC_COUNTER, "moolah_posting_replays_total", "",
                                        "Orders answered from an earlier one's key");
    metrics.refused = metrics_register(METRIC_COUNTER, "moolah_posting_queue_full_total", "",
                                       "Orders not taken because too much waited");
    metrics.not_admitted = metrics_register(METRIC_COUNTER, "moolah_posting_not_admitted_total", "",
                                            "Requests refused unread because the line was long");
    metrics.halved = metrics_register(METRIC_COUNTER, "moolah_posting_batches_halved_total", "",
                                      "Batches halved to find the order that the database refuses");
    lane_register_metrics();
}

static void push(struct posting_queue *queue, struct posting_order *order)
{
    order->next = NULL;
    if (queue->last == NULL)
        queue->first = order;
    else
        queue->last->next = order;
    queue->last = order;
    queue->waiting += (int)order_weight(order);
}

static struct posting_order *pop(struct posting_queue *queue)
{
    struct posting_order *order = queue->first;
    queue->first = order->next;
    if (queue->first == NULL)
        queue->last = NULL;
    queue->waiting -= (int)order_weight(order);
    return order;
}

static bool some_lane_is_up(const struct posting_queue *queue)
{
    for (int i = 0; i < queue->lane_count; i++)
        if (lane_state(queue->lanes[i]) != LANE_DOWN)
            return true;
    return false;
}

static void finish(struct posting_order *order, enum posting_outcome outcome)
{
    order->outcome = outcome;
    metrics_add(metrics.outcomes[outcome], 1);
    order->done(order);
}

/* Mostly in order of arrival; what isn't is found when it's taken. */
static void drop_expired(struct posting_queue *queue)
{
    int64_t now = clock_monotonic();
    enum posting_outcome outcome = some_lane_is_up(queue) ? POSTING_EXPIRED : POSTING_UNAVAILABLE;
    while (queue->first != NULL && queue->first->deadline <= now)
        finish(pop(queue), outcome);
}

/* A bulk isn't split: one that is larger than a batch goes alone. */
static bool fits(const struct posting_queue *queue, size_t weight)
{
    return weight == 0 || weight + order_weight(queue->first) <= (size_t)queue->settings.batch_max;
}

static struct batch *take_batch(struct posting_queue *queue)
{
    int count = 0;
    size_t weight = 0;
    int64_t now = clock_monotonic();
    while (queue->first != NULL && fits(queue, weight)) {
        struct posting_order *order = pop(queue);
        if (order->deadline <= now) {
            finish(order, POSTING_EXPIRED);
            continue;
        }
        metrics_observe(metrics.wait, (uint64_t)(now - order->queued_at));
        queue->taken[count++] = order;
        weight += order_weight(order);
    }
    if (count == 0)
        return NULL;
    struct batch *batch = batch_new(queue->taken, (size_t)count);
    for (int i = 0; batch == NULL && i < count; i++)
        finish(queue->taken[i], POSTING_EXPIRED);
    return batch;
}

static struct batch *next_batch(struct posting_queue *queue)
{
    struct batch *batch = queue->again;
    if (batch != NULL) {
        queue->again = batch->next;
        batch->next = NULL;
        return batch;
    }
    drop_expired(queue);
    return queue->first == NULL ? NULL : take_batch(queue);
}

/* A time in which nobody wanted anything says nothing of what we can do. */
static void restart_measuring(struct posting_queue *queue)
{
    queue->rate_from = clock_monotonic();
    queue->answered = 0;
}

/* While a batch is in flight the next one leaves when it's full: two small ones cost more than one,
 * each its own commit, and they queue for the same rows. One that hangs (on a row that somebody
 * locked, on a disk) holds the others up no longer than PATIENCE. */
static bool is_time_for_another(const struct posting_queue *queue)
{
    return queue->in_flight == 0 || queue->again != NULL ||
           queue->waiting >= queue->settings.batch_max ||
           (queue->first != NULL && clock_monotonic() - queue->first->queued_at > PATIENCE);
}

static void dispatch(struct posting_queue *queue)
{
    for (int i = 0; i < queue->lane_count && !queue->paused; i++) {
        if (lane_state(queue->lanes[i]) != LANE_IDLE)
            continue;
        if (!is_time_for_another(queue))
            break;
        struct batch *batch = next_batch(queue);
        if (batch == NULL)
            break;
        if (queue->in_flight == 0)
            restart_measuring(queue);
        queue->in_flight += (int)batch->weight;
        lane_submit(queue->lanes[i], batch);
    }
    metrics_set(metrics.waiting, queue->waiting);
}

static void gather(struct ev_loop *loop, ev_prepare *watcher, int events)
{
    (void)loop;
    (void)events;
    dispatch(watcher->data);
}

static int count_ready(const struct posting_queue *queue)
{
    int ready = 0;
    for (int i = 0; i < queue->lane_count; i++) {
        enum lane_state state = lane_state(queue->lanes[i]);
        ready += state != LANE_DOWN && state != LANE_OPENING;
    }
    return ready;
}

static void pause_over(struct ev_loop *loop, ev_timer *watcher, int events)
{
    struct posting_queue *queue = watcher->data;
    (void)loop;
    (void)events;
    queue->paused = false;
}

static void pause_a_moment(struct posting_queue *queue)
{
    if (queue->paused)
        return;
    queue->paused = true;
    ev_timer_set(&queue->pause, PAUSE_S, 0.);
    ev_timer_start(queue->loop, &queue->pause);
}

/* At the end of the list: what came back first goes first. */
static void submit_again(struct posting_queue *queue, struct batch *batch)
{
    struct batch **end = &queue->again;
    while (*end != NULL)
        end = &(*end)->next;
    batch->next = NULL;
    *end = batch;
}

/* Once a second at most: a broken rule fails every order. */
static void tell_rule_failure(struct posting_queue *queue, struct slice why)
{
    int64_t now = clock_monotonic();
    if (now - queue->rule_failure_told < CLOCK_SECOND)
        return;
    queue->rule_failure_told = now;
    log_message(LOG_WARN, "rule_failed", "%.*s", (int)why.length, why.at == NULL ? "" : why.at);
}

static void count_outcomes(struct posting_queue *queue, const struct batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        if (batch->verdicts[i].outcome == POSTING_RULE_FAILED)
            tell_rule_failure(queue, batch->verdicts[i].body);
        metrics_add(metrics.outcomes[batch->verdicts[i].outcome], 1);
        metrics_add(metrics.replayed, batch->verdicts[i].replayed);
        if (batch->verdicts[i].outcome == POSTING_POISONED)
            log_message(LOG_ERROR, "account_unsound",
                        "an order was refused, or its answer is lost: ledger verify");
    }
}

/* Orders per second over the last stretches of 100 ms and more: what the queue may promise. Only a
 * stretch at whose end more was waiting tells of the most we can do; a quiet one tells of the
 * customers. */
static void measure_rate(struct posting_queue *queue, int answered)
{
    int64_t now = clock_monotonic();
    queue->answered += answered;
    if (now - queue->rate_from < CLOCK_SECOND / 10)
        return;
    double seconds = (double)(now - queue->rate_from) / CLOCK_SECOND;
    double rate = queue->answered / seconds;
    if (rate > queue->rate)
        queue->rate = rate;
    else if (queue->waiting > 0)
        queue->rate = 0.8 * queue->rate + 0.2 * rate;
    queue->rate_from = now;
    queue->answered = 0;
}

static void give_up(struct batch *batch, enum posting_outcome outcome)
{
    metrics_add(metrics.outcomes[outcome], batch->count);
    batch_give_up(batch, outcome);
    batch_free(batch);
}

static bool all_expired(const struct batch *batch)
{
    int64_t now = clock_monotonic();
    for (size_t i = 0; i < batch->count; i++)
        if (batch->orders[i]->deadline > now)
            return false;
    return true;
}

/* May its orders be told that nothing moved? Not while the fate of an earlier submission is
 * unknown: only its keys can tell that. */
static bool is_over(const struct batch *batch)
{
    return !batch->resubmitted && all_expired(batch);
}

static void tick(struct ev_loop *loop, ev_timer *watcher, int events)
{
    struct posting_queue *queue = watcher->data;
    struct batch **link = &queue->again;
    (void)loop;
    (void)events;
    drop_expired(queue);
    metrics_set(metrics.lanes_ready, count_ready(queue));
    while (*link != NULL) {
        struct batch *batch = *link;
        if (is_over(batch)) {
            *link = batch->next;
            give_up(batch, POSTING_UNAVAILABLE);
        } else {
            link = &batch->next;
        }
    }
}

/* One of its orders is poison: each half is tried by itself until that order is alone. */
static void halve(struct posting_queue *queue, struct batch *batch)
{
    size_t half = batch->count / 2;
    assert(half > 0);
    struct batch *front = batch_new(batch->orders, half);
    struct batch *back = batch_new(batch->orders + half, batch->count - half);
    if (front == NULL || back == NULL) {
        if (front != NULL)
            batch_free(front);
        if (back != NULL)
            batch_free(back);
        submit_again(queue, batch); /* no memory now */
        pause_a_moment(queue);
        return;
    }
    front->resubmitted = batch->resubmitted;
    back->resubmitted = batch->resubmitted;
    back->changes = batch->changes; /* in doubt until its end; the front's, too, no harm */
    batch->changes = NULL;
    submit_again(queue, front);
    submit_again(queue, back);
    metrics_add(metrics.halved, 1);
    batch_free(batch);
}

enum remedy { REMEDY_AGAIN, REMEDY_WAIT, REMEDY_HALVE };

/* SQLSTATE classes: PostgreSQL's appendix A. */
static enum remedy remedy_for(const char *sqlstate)
{
    /* connections, transaction state, privileges and missing tables, resources, what isn't ready
     * (locks, partitions), operators, the system: nobody's order is to blame */
    static const char nobodys[][3] = {"08", "25", "42", "53", "55", "57", "58"};
    if (strcmp(sqlstate, "23505") == 0 || strncmp(sqlstate, "40", 2) == 0)
        return REMEDY_AGAIN; /* a key came first from elsewhere; deadlock, serialization */
    for (size_t i = 0; i < sizeof nobodys / sizeof nobodys[0]; i++)
        if (strncmp(sqlstate, nobodys[i], 2) == 0)
            return REMEDY_WAIT;
    return sqlstate[0] == '\0' ? REMEDY_WAIT : REMEDY_HALVE;
}

static enum remedy choose_remedy(struct batch *batch, const char *sqlstate)
{
    enum remedy what = remedy_for(sqlstate);
    if (what == REMEDY_AGAIN && batch->retries++ >= RETRIES_MAX)
        what = batch->count > 1 ? REMEDY_HALVE : REMEDY_WAIT;
    if (what == REMEDY_HALVE && batch->count == 1 && batch->resubmitted)
        what = REMEDY_WAIT; /* it can't be told yet that nothing of it moved */
    return what;
}

/* Nothing of this submission moved. */
static void remedy(struct posting_queue *queue, struct batch *batch, const char *sqlstate)
{
    if (batch->remembered != NULL && batch->remembered_count == 0)
        batch->resubmitted = false; /* its keys were read: no earlier one moved anything either */
    switch (choose_remedy(batch, sqlstate)) {
    case REMEDY_AGAIN:
        submit_again(queue, batch);
        return;
    case REMEDY_WAIT:
        if (is_over(batch)) {
            give_up(batch, POSTING_UNAVAILABLE);
            return;
        }
        submit_again(queue, batch);
        pause_a_moment(queue);
        return;
    case REMEDY_HALVE:
        if (batch->count > 1) {
            halve(queue, batch);
            return;
        }
        log_message(LOG_ERROR, "order_poisoned", "the database refuses one order: %s", sqlstate);
        give_up(batch, POSTING_POISONED);
        return;
    }
}

static void batch_ended(void *owner, struct lane *lane, struct batch *batch, enum lane_end end,
                        const char *sqlstate)
{
    struct posting_queue *queue = owner;
    (void)lane;
    queue->in_flight -= (int)batch->weight;
    switch (end) {
    case LANE_DURABLE:
        count_outcomes(queue, batch);
        measure_rate(queue, (int)batch->weight);
        batch_changes_end(batch, queue->settings.cache);
        if (queue->settings.changed != NULL)
            queue->settings.changed(queue->settings.changed_owner, batch->writing.accounts,
                                    batch->writing.account_count);
        batch_answer(batch);
        batch_free(batch);
        return;
    case LANE_FAILED:
        remedy(queue, batch, sqlstate);
        return;
    case LANE_UNKNOWN:
        batch->resubmitted = true;
        batch_changes_keep(batch);
        submit_again(queue, batch);
        return;
    }
}

static void lane_idle(void *owner, struct lane *lane)
{
    (void)owner;
    (void)lane; /* `gather` runs at the end of this loop turn and finds it idle */
}

static struct bundle *current_bundle(void *owner)
{
    struct posting_queue *queue = owner;
    return queue->bundle;
}

static bool make_lanes(struct posting_queue *queue)
{
    const struct lane_owner owner = {queue, lane_idle, batch_ended, current_bundle};
    assert(queue->settings.lanes >= 1 && queue->settings.lanes <= LANES_MAX);
    for (int i = 0; i < queue->settings.lanes; i++) {
        const struct lane_settings settings = {
            .conninfo = queue->settings.conninfo,
            .stripe = queue->settings.stripe_first + (unsigned)i,
            .currencies = queue->settings.currencies,
            .answer_timeout_us = queue->settings.answer_timeout_us,
        };
        queue->lanes[i] = lane_new(queue->loop, &settings, &owner);
        if (queue->lanes[i] == NULL)
            return false;
        queue->lane_count++;
    }
    return true;
}

struct posting_queue *posting_new(struct ev_loop *loop, const struct posting_settings *settings)
{
    struct posting_queue *queue = memory_alloc(sizeof *queue);
    const char *missing = zone_open(); /* the server did it before its first thread */
    assert(missing == NULL);
    assert(settings->batch_max >= 1 && settings->queue_max >= settings->batch_max);
    if (queue == NULL)
        return NULL;
    queue->loop = loop;
    queue->settings = *settings;
    queue->rate_from = clock_monotonic();
    ev_prepare_init(&queue->gather, gather);
    queue->gather.data = queue;
    ev_set_priority(&queue->gather, EV_MAXPRI); /* before connections flush what they were given */
    ev_timer_init(&queue->tick, tick, TICK_S, TICK_S);
    queue->tick.data = queue;
    ev_timer_init(&queue->pause, pause_over, PAUSE_S, 0.);
    queue->pause.data = queue;
    queue->taken = memory_alloc((size_t)settings->batch_max * sizeof(void *));
    if (queue->taken == NULL || !make_lanes(queue)) {
        posting_free(queue);
        return NULL;
    }
    ev_prepare_start(loop, &queue->gather);
    ev_timer_start(loop, &queue->tick);
    return queue;
}

void posting_free(struct posting_queue *queue)
{
    if (queue == NULL)
        return;
    ev_prepare_stop(queue->loop, &queue->gather);
    ev_timer_stop(queue->loop, &queue->tick);
    ev_timer_stop(queue->loop, &queue->pause);
    for (int i = 0; i < queue->lane_count; i++)
        lane_free(queue->lanes[i]);
    while (queue->again != NULL) {
        struct batch *next = queue->again->next;
        batch_free(queue->again);
        queue->again = next;
    }
    if (queue->bundle != NULL)
        bundle_release(queue->bundle);
    memory_free(queue->taken);
    memory_free(queue);
}

/* Shorter than has_room's line: what was admitted finds room when it gets there. Each batch that is
 * taken lets as many in, so the line stays as long as it may be and batches stay full. */
bool posting_admits(const struct posting_queue *queue, int64_t deadline_us)
{
    double line = queue->rate * (double)deadline_us / CLOCK_SECOND / LINE_PART;
    bool admits = queue->waiting < QUEUE_ALWAYS ||
                  (queue->waiting < queue->settings.queue_max && queue->waiting < line);
    metrics_add(metrics.not_admitted, !admits);
    return admits;
}

/* Bounded by rate x deadline: what couldn't be served in time is refused. */
static bool has_room(const struct posting_queue *queue, const struct posting_order *order)
{
    if (queue->waiting >= queue->settings.queue_max)
        return false;
    if (queue->waiting < QUEUE_ALWAYS)
        return true;
    double left = (double)(order->deadline - order->queued_at) / CLOCK_SECOND;
    return queue->waiting < queue->rate * left;
}

bool posting_submit(struct posting_queue *queue, struct posting_order *order)
{
    assert(order_is_whole(order) && order->render != NULL && order->done != NULL);
    assert(order->key.length >= 1 && order->key.length <= 255);
    order->queued_at = clock_monotonic();
    if (!has_room(queue, order)) {
        metrics_add(metrics.refused, 1);
        return false;
    }
    push(queue, order);
    return true;
}

bool posting_set_sizes(struct posting_queue *queue, int batch_max, int queue_max)
{
    assert(batch_max >= 1 && queue_max >= batch_max);
    struct posting_order **taken = memory_alloc((size_t)batch_max * sizeof(void *));
    if (taken == NULL)
        return false;
    memory_free(queue->taken);
    queue->taken = taken;
    queue->settings.batch_max = batch_max;
    queue->settings.queue_max = queue_max;
    return true;
}

void posting_set_bundle(struct posting_queue *queue, struct bundle *bundle)
{
    bundle_retain(bundle);
    if (queue->bundle != NULL)
        bundle_release(queue->bundle);
    queue->bundle = bundle;
}

unsigned posting_stripe(const struct posting_queue *queue)
{
    return queue->settings.stripe_first;
}

const struct bundle *posting_bundle(const struct posting_queue *queue)
{
    return queue->bundle;
}

bool posting_is_ready(const struct posting_queue *queue)
{
    return queue->bundle != NULL && count_ready(queue) > 0;
}

int posting_waiting(const struct posting_queue *queue)
{
    int again = 0;
    for (const struct batch *batch = queue->again; batch != NULL; batch = batch->next)
        again += (int)batch->weight;
    return queue->waiting + queue->in_flight + again;
}
