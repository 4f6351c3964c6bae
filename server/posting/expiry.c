#include "posting/expiry.h"

#include <assert.h>
#include <ev.h>
#include <stddef.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/metrics.h"
#include "posting/posting.h"
#include "store/holds.h"

#define LOOK_S 1.0
#define SOON_S 0.01  /* there were as many as are taken at a time: go on */
#define AT_A_TIME 64 /* a quarter of a batch: customers' orders come first */
#define DEADLINE_US (INT64_C(10) * CLOCK_SECOND)

/* One hold's order. */
struct expiring {
    struct posting_order order; /* first */
    struct expiry *expiry;
    char key[UUID_TEXT_MAX + 8];
};

struct expiry {
    struct ev_loop *loop;
    struct pg_pool *pool;
    struct posting_queue *queue;
    ev_timer timer;
    struct arena arena; /* of the question */
    struct holds_question question;
    struct expiring orders[AT_A_TIME];
    int under_way; /* orders that aren't answered yet */
    bool full;     /* there may be more that are due */
    bool stopped;
};

static struct {
    metric expired;
    metric failed;
} metrics;

void expiry_register_metrics(void)
{
    metrics.expired = metrics_register(METRIC_COUNTER, "moolah_holds_expired_total", "",
                                       "Holds that the server gave up because their time was over");
    metrics.failed = metrics_register(METRIC_COUNTER, "moolah_holds_expiry_failed_total", "",
                                      "Expiries that came to nothing; they are tried again");
}

static void look_again(struct expiry *e)
{
    if (e->stopped)
        return;
    ev_timer_set(&e->timer, e->full ? SOON_S : LOOK_S, 0.);
    ev_timer_start(e->loop, &e->timer);
}

static void write_id(struct json_writer *writer, const char *name, const char *prefix,
                     const struct uuid *id)
{
    char text[UUID_TEXT_MAX];
    json_write_key(writer, name);
    uuid_format(id, prefix, text);
    json_write_text(writer, text);
}

static void write_number(struct json_writer *writer, const char *name, int64_t number)
{
    json_write_key(writer, name);
    json_write_int(writer, number);
}

/* Nobody waits for it, but a key has an answer, and the verifier reads it. */
static int render(const struct posting_order *order, const struct posting_decision *decision,
                  struct bytes *body)
{
    struct json_writer writer;
    char code[4];
    json_write_init(&writer, body);
    json_write_object(&writer);
    if (decision->refusal != REFUSAL_NONE) {
        json_write_key(&writer, "code");
        json_write_text(&writer, refusal_name(decision->refusal));
        json_write_object_end(&writer);
        return 422;
    }
    write_id(&writer, "id", "tx_", &decision->transaction);
    json_write_key(&writer, "kind");
    json_write_text(&writer, transaction_kind_name(order->kind));
    write_number(&writer, "amount", decision->amount.minor);
    write_number(&writer, "fee", decision->charged);
    currency_text(decision->amount.currency, code);
    json_write_key(&writer, "currency");
    json_write_text(&writer, code);
    write_id(&writer, "hold", "hld_", &order->subject.id);
    json_write_object_end(&writer);
    return 201;
}

static void done(struct posting_order *order)
{
    struct expiring *expiring = (struct expiring *)(void *)order;
    struct expiry *e = expiring->expiry;
    bool good = order->outcome == POSTING_ANSWERED;
    if (good && order->status == 201 && !order->replayed)
        metrics_add(metrics.expired, 1);
    metrics_add(metrics.failed, !good);
    e->full = e->full && good; /* a database in trouble is left alone for a second */
    if (--e->under_way == 0)
        look_again(e);
}

static void expire(struct expiry *e, int place, const struct hold *hold)
{
    struct expiring *expiring = &e->orders[place];
    char id[UUID_TEXT_MAX];
    expiring->expiry = e;
    uuid_format(&hold->id, "hld_", id);
    snprintf(expiring->key, sizeof expiring->key, "expiry:%s", id);
    expiring->order = (struct posting_order){
        .kind = TRANSACTION_EXPIRY,
        .caller = posting_system_caller,
        .anyones = true,
        .key = slice_of(expiring->key),
        .from = hold->from,
        .to = hold->to,
        .amount = {0, hold->currency},
        .subject = {.id = hold->id},
        .deadline = clock_monotonic() + DEADLINE_US,
        .render = render,
        .done = done,
    };
    crypto_sha256(expiring->order.key, expiring->order.request_hash);
    crypto_random(expiring->order.trace_id, sizeof expiring->order.trace_id);
    e->under_way += posting_submit(e->queue, &expiring->order);
}

static void found(struct holds_question *question)
{
    struct expiry *e =
        (struct expiry *)(void *)((char *)question - offsetof(struct expiry, question));
    assert(e->under_way == 0 && question->hold_count <= AT_A_TIME);
    e->full = question->outcome == PG_OK && question->hold_count == AT_A_TIME;
    for (size_t i = 0; i < question->hold_count && !e->stopped; i++)
        expire(e, (int)i, &question->holds[i].hold);
    arena_release(&e->arena);
    if (e->under_way == 0)
        look_again(e);
}

static void look(struct ev_loop *loop, ev_timer *watcher, int events)
{
    struct expiry *e = watcher->data;
    (void)loop;
    (void)events;
    arena_init(&e->arena);
    e->question = (struct holds_question){.arena = &e->arena, .done = found};
    if (holds_due(e->pool, clock_now(), AT_A_TIME, &e->question))
        return;
    arena_release(&e->arena);
    e->full = false;
    look_again(e);
}

struct expiry *expiry_new(struct ev_loop *loop, struct pg_pool *pool, struct posting_queue *queue)
{
    struct expiry *e = memory_alloc(sizeof *e);
    if (e == NULL)
        return NULL;
    e->loop = loop;
    e->pool = pool;
    e->queue = queue;
    ev_timer_init(&e->timer, look, LOOK_S, 0.);
    e->timer.data = e;
    ev_timer_start(loop, &e->timer);
    return e;
}

void expiry_stop(struct expiry *expiry)
{
    expiry->stopped = true;
    ev_timer_stop(expiry->loop, &expiry->timer);
}

void expiry_free(struct expiry *expiry)
{
    if (expiry == NULL)
        return;
    expiry_stop(expiry);
    memory_free(expiry);
}
