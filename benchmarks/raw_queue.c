#include "benchmarks/raw_queue.h"

#include <ev.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "api/receipt.h"
#include "base/clock.h"
#include "base/memory.h"
#include "benchmarks/raw_gate.h"
#include "benchmarks/raw_job.h"
#include "posting/posting.h"
#include "scripting/bundle.h"
#include "store/gate.h"

#define DEADLINE_S 30
#define TICK_S 0.01
#define GREETED_MAX 100000 /* no token stays known to Redis for longer than a minute */

struct place {
    struct receipt_order receipt; /* first: its order leads back here */
    struct gate_question question;
    bool greets; /* nothing is posted after it */
    struct raw_queue *queue;
    char key[RAW_JOB_KEY_MAX];
    struct place *next; /* while it's idle */
};

struct raw_queue {
    struct raw_job *job;
    struct ev_loop *loop;
    struct posting_queue *posting;
    struct raw_gate *gate; /* NULL below its level */
    size_t greeted;        /* people whose token the gate was asked about beforehand */
    size_t asking;         /* the gate, now */
    struct bundle *bundle;
    struct place *places;
    struct place *idle;
    ev_timer tick;
};

/* Returns who pays. */
static const struct raw_job_person *fill(struct place *place)
{
    struct raw_job *job = place->queue->job;
    struct posting_order *order = &place->receipt.order;
    struct raw_job_transfer transfer;
    raw_job_next(job, &transfer);
    order->kind = TRANSACTION_TRANSFER;
    order->caller = transfer.from->user;
    order->key = (struct slice){place->key, raw_job_key(job, transfer.serial, place->key)};
    memcpy(order->request_hash, &transfer.serial, sizeof transfer.serial);
    order->from = transfer.from->wallet;
    order->to = transfer.to->wallet;
    order->amount = (struct money){transfer.amount, CURRENCY_ZAR};
    order->deadline = clock_monotonic() + DEADLINE_S * CLOCK_SECOND;
    return transfer.from;
}

/* At first everybody's token is asked about once: that Redis learns them is no part of a transfer.
 */
static const struct raw_job_person *greet(struct place *place)
{
    struct raw_queue *queue = place->queue;
    const struct raw_job *job = queue->job;
    size_t most = job->count < GREETED_MAX ? job->count : GREETED_MAX;
    place->greets = queue->greeted < most;
    return place->greets ? &job->people[queue->greeted++] : NULL;
}

static bool begin(struct place *place)
{
    struct raw_queue *queue = place->queue;
    if (queue->gate == NULL) {
        fill(place);
        return posting_submit(queue->posting, &place->receipt.order);
    }
    const struct raw_job_person *person = greet(place);
    if (person == NULL)
        person = fill(place);
    bool asked = raw_gate_ask(queue->gate, &place->question, person);
    queue->asking += asked;
    return asked;
}

static void submit_idle(struct raw_queue *queue)
{
    while (queue->idle != NULL && !queue->job->stopping) {
        struct place *place = queue->idle;
        if (!begin(place))
            return; /* its number is never used: the next tick tries again */
        queue->idle = place->next;
    }
}

static void give_back(struct place *place)
{
    struct raw_queue *queue = place->queue;
    place->next = queue->idle;
    queue->idle = place;
}

static void on_gate(struct gate_question *question)
{
    struct place *place =
        (struct place *)(void *)((char *)question - offsetof(struct place, question));
    struct raw_queue *queue = place->queue;
    queue->asking--;
    if (!raw_gate_let_in(queue->gate, question, queue->job))
        queue->job->stopping = true;
    if (!place->greets && !queue->job->stopping &&
        posting_submit(queue->posting, &place->receipt.order))
        return;
    give_back(place);
    if (place->greets)
        submit_idle(queue);
}

static void on_done(struct posting_order *order)
{
    struct place *place = (struct place *)(void *)order;
    struct raw_job *job = place->queue->job;
    if (order->outcome == POSTING_ANSWERED && !order->replayed) {
        job->posted += order->status == 201;
        job->refused += order->status != 201;
    } else {
        snprintf(job->error, sizeof job->error, "an order came back unposted: outcome %d",
                 (int)order->outcome);
        job->stopping = true;
    }
    give_back(place);
    submit_idle(place->queue);
}

static void on_tick(struct ev_loop *loop, ev_timer *watcher, int events)
{
    struct raw_queue *queue = watcher->data;
    (void)loop;
    (void)events;
    if (posting_is_ready(queue->posting) && (queue->gate == NULL || raw_gate_is_ready(queue->gate)))
        submit_idle(queue);
}

static void make_places(struct raw_queue *queue, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct place *place = &queue->places[i];
        place->queue = queue;
        place->receipt.order.render = receipt_render;
        place->receipt.order.done = on_done;
        place->question.done = on_gate;
        give_back(place);
    }
}

/* NULL: job->error says why. */
static struct bundle *load_rules(struct raw_job *job, const char *rules)
{
    struct bundle_report report = {.count = 0};
    struct bundle *bundle = bundle_load(rules, &report);
    if (bundle == NULL) {
        snprintf(job->error, sizeof job->error, "%s: %s", rules, report.findings[0].message);
    } else if (job->level == RAW_JOB_LIMITS && bundle_limit_count(bundle) == 0) {
        snprintf(job->error, sizeof job->error, "--level limits: %s has no *.limit.lua", rules);
        bundle_release(bundle);
        bundle = NULL;
    }
    return bundle;
}

struct raw_queue *raw_queue_new(struct ev_loop *loop, struct raw_job *job, const char *rules)
{
    static const currency currencies[] = {CURRENCY_ZAR, 0};
    bool gated = job->level == RAW_JOB_GATE;
    /* a batch more while it's at the gate */
    size_t count = (size_t)job->batch * (size_t)(job->connections + (gated ? 3 : 2));
    struct raw_queue *queue = memory_alloc(sizeof *queue);
    const struct posting_settings settings = {
        .conninfo = job->conninfo,
        .lanes = job->connections,
        .batch_max = job->batch,
        .queue_max = 1 << 20,
        .stripe_first = RAW_JOB_STRIPE,
        .currencies = currencies,
    };
    snprintf(job->error, sizeof job->error, "out of memory");
    if (queue == NULL)
        return NULL;
    queue->job = job;
    queue->loop = loop;
    ev_timer_init(&queue->tick, on_tick, TICK_S, TICK_S);
    queue->tick.data = queue;
    queue->places = memory_alloc(count * sizeof queue->places[0]);
    queue->bundle = load_rules(job, rules);
    if (queue->places != NULL && queue->bundle != NULL)
        queue->posting = posting_new(loop, &settings);
    if (queue->posting != NULL && gated)
        queue->gate = raw_gate_new(loop, job);
    if (queue->posting == NULL || (gated && queue->gate == NULL)) {
        raw_queue_free(queue);
        return NULL;
    }
    job->error[0] = '\0';
    make_places(queue, count);
    posting_set_bundle(queue->posting, queue->bundle);
    ev_timer_start(loop, &queue->tick);
    return queue;
}

void raw_queue_free(struct raw_queue *queue)
{
    if (queue == NULL)
        return;
    ev_timer_stop(queue->loop, &queue->tick);
    posting_free(queue->posting);
    if (queue->asking == 0) /* else an error ends us: what is on its way would be answered here */
        raw_gate_free(queue->gate);
    bundle_release(queue->bundle);
    memory_free(queue->places);
    memory_free(queue);
}

bool raw_queue_is_busy(const struct raw_queue *queue)
{
    return posting_waiting(queue->posting) > 0 || queue->asking > 0;
}
