#include "supply/till.h"

#include <assert.h>
#include <ev.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/metrics.h"
#include "ledger/account.h"
#include "posting/posting.h"
#include "supply/pin.h"
#include "supply/sale.h"

#define SWEEP_S 1.0
#define AGAIN_S 0.05 /* there were as many as are taken at a time */
#define AT_A_TIME 32
#define SALES_MAX 1000

struct till {
    struct ev_loop *loop;
    struct till_settings settings;
    struct supplier suppliers[TILL_SUPPLIERS_MAX + 1]; /* the stock first */
    size_t supplier_count;
    struct sale *sales;
    int sale_count;
    ev_timer sweep;
    struct arena arena; /* of the sweep's question */
    struct purchases_question due;
    struct sale *starting; /* in till_drive: NULL again when it's left at once */
    bool asking;
    bool stopped;
};

static struct {
    metric captured, voided, refused;
    metric stuck;
    metric running;
} metrics;

void till_register_metrics(void)
{
    static const char name[] = "moolah_purchases_total";
    static const char help[] = "Purchases that came to an end";
    metrics.captured = metrics_register(METRIC_COUNTER, name, "end=\"captured\"", help);
    metrics.voided = metrics_register(METRIC_COUNTER, name, "end=\"voided\"", help);
    metrics.refused = metrics_register(METRIC_COUNTER, name, "end=\"refused\"", help);
    metrics.stuck = metrics_register(METRIC_COUNTER, "moolah_purchases_stuck_total", "",
                                     "Looks at purchases that nobody could settle for a day: "
                                     "people must ask the supplier");
    metrics.running = metrics_register(METRIC_GAUGE, "moolah_purchases_running", "",
                                       "Purchases that are being driven");
}

static void count_end(enum purchases_status status)
{
    metrics_add(metrics.captured, status == PURCHASE_CAPTURED);
    metrics_add(metrics.voided, status == PURCHASE_VOIDED);
    metrics_add(metrics.refused, status == PURCHASE_REFUSED);
}

static bool copy_text(struct arena *arena, struct slice *text)
{
    if (text->at == NULL)
        return true;
    *text = arena_copy(arena, *text);
    return text->at != NULL;
}

static bool copy_purchase(struct arena *arena, const struct purchases_purchase *from,
                          struct purchases_purchase *to)
{
    *to = *from;
    return copy_text(arena, &to->rule) && copy_text(arena, &to->supplier) &&
           copy_text(arena, &to->fields) && copy_text(arena, &to->reference) &&
           copy_text(arena, &to->goods) && copy_text(arena, &to->refusal);
}

static void tell(struct sale *sale)
{
    struct till_ticket *ticket = sale->ticket;
    if (ticket == NULL)
        return;
    sale->ticket = NULL;
    ev_timer_stop(sale->till->loop, &sale->timer);
    /* out of memory: what the asker has is what was when it began, and that's in progress */
    struct purchases_purchase copy;
    if (copy_purchase(ticket->arena, &sale->purchase, &copy))
        ticket->purchase = copy;
    ticket->done(ticket);
}

void till_leave(struct sale *sale)
{
    struct till *till = sale->till;
    tell(sale);
    if (sale->purchase.status >= PURCHASE_CAPTURED)
        count_end(sale->purchase.status);
    if (sale->next != NULL)
        sale->next->previous = sale->previous;
    if (sale->previous != NULL)
        sale->previous->next = sale->next;
    else
        till->sales = sale->next;
    metrics_set(metrics.running, --till->sale_count);
    if (till->starting == sale)
        till->starting = NULL;
    arena_release(&sale->arena);
    memory_free(sale);
}

static void moved(struct purchases_question *question)
{
    struct sale *sale = (struct sale *)(void *)((char *)question - offsetof(struct sale, question));
    bool ours = question->outcome == PG_OK && question->count == 1;
    bool resting = sale->resting;
    if (ours)
        sale->purchase = question->purchases[0];
    sale->resting = false;
    if (!ours || resting || sale->purchase.status >= PURCHASE_CAPTURED)
        till_leave(sale); /* not ours any more, or the database is away: its lease ends */
    else
        sale_advance(sale);
}

void till_move(struct sale *sale, struct purchases_step step)
{
    step.from = &sale->purchase;
    if (step.next_at == 0)
        step.next_at = clock_now() + TILL_LEASE_US;
    sale->lease_end = clock_monotonic() + TILL_LEASE_US;
    sale->lease_end_wall = step.next_at;
    sale->question = (struct purchases_question){.arena = &sale->arena, .done = moved};
    if (!purchases_move(sale->till->settings.pool, &step, &sale->question))
        till_leave(sale);
}

void till_rest(struct sale *sale, struct purchases_step step, int64_t delay_us)
{
    sale->resting = true;
    step.next_at = clock_now() + delay_us;
    till_move(sale, step);
}

bool till_has_time(const struct sale *sale, int64_t us)
{
    return clock_monotonic() + us <= sale->lease_end && clock_now() + us <= sale->lease_end_wall;
}

void till_note_stuck(const struct sale *sale)
{
    char id[UUID_TEXT_MAX];
    uuid_format(&sale->purchase.id, "pur_", id);
    metrics_add(metrics.stuck, 1);
    log_message(LOG_ERROR, "purchase_stuck", "%s: nobody knows what became of it: ask %.*s", id,
                (int)sale->purchase.supplier.length, sale->purchase.supplier.at);
}

bool till_submit(struct sale *sale)
{
    return posting_submit(sale->till->settings.posting, &sale->order);
}

const uint8_t *till_key(const struct sale *sale)
{
    return sale->till->settings.key;
}

static struct supplier *find(struct till *till, struct slice name)
{
    for (size_t i = 0; i < till->supplier_count; i++)
        if (slice_equals(name, till->suppliers[i].name))
            return &till->suppliers[i];
    return NULL;
}

struct supplier *till_supplier(struct sale *sale)
{
    return find(sale->till, sale->purchase.supplier);
}

static void on_deadline(struct ev_loop *loop, ev_timer *watcher, int events)
{
    (void)loop;
    (void)events;
    tell(watcher->data);
}

static struct sale *take_up(struct till *till, const struct purchases_purchase *purchase)
{
    struct sale *sale = till->sale_count >= SALES_MAX ? NULL : memory_alloc(sizeof *sale);
    if (sale == NULL)
        return NULL;
    memset(sale, 0, sizeof *sale);
    arena_init(&sale->arena);
    if (!copy_purchase(&sale->arena, purchase, &sale->purchase)) {
        arena_release(&sale->arena);
        memory_free(sale);
        return NULL;
    }
    sale->till = till;
    ev_init(&sale->timer, on_deadline);
    sale->timer.data = sale;
    sale->next = till->sales;
    if (till->sales != NULL)
        till->sales->previous = sale;
    till->sales = sale;
    metrics_set(metrics.running, ++till->sale_count);
    return sale;
}

bool till_drive(struct till *till, const struct purchases_purchase *purchase,
                struct till_ticket *ticket)
{
    int64_t left = ticket->deadline - clock_monotonic();
    struct sale *sale = take_up(till, purchase);
    if (sale == NULL)
        return false;
    till->starting = sale;
    sale_advance(sale);
    if (till->starting == NULL)
        return false;
    till->starting = NULL;
    sale->ticket = ticket;
    ev_now_update(till->loop);
    ev_timer_set(&sale->timer, left <= 0 ? 0. : (double)left / 1e6, 0.);
    ev_timer_start(till->loop, &sale->timer);
    return true;
}

static void set_sweep(struct till *till, double seconds)
{
    if (till->stopped)
        return;
    ev_timer_set(&till->sweep, seconds, 0.);
    ev_timer_start(till->loop, &till->sweep);
}

static void found(struct purchases_question *question)
{
    struct till *till = (struct till *)(void *)((char *)question - offsetof(struct till, due));
    bool full = question->count == AT_A_TIME;
    till->asking = false;
    for (size_t i = 0; i < question->count && !till->stopped; i++) {
        struct sale *sale = take_up(till, &question->purchases[i]);
        if (sale == NULL)
            break; /* its lease ends */
        sale->found = true;
        sale_advance(sale);
    }
    arena_release(&till->arena);
    set_sweep(till, full ? AGAIN_S : SWEEP_S);
}

static void on_sweep(struct ev_loop *loop, ev_timer *watcher, int events)
{
    struct till *till = watcher->data;
    int64_t now = clock_now();
    (void)loop;
    (void)events;
    arena_init(&till->arena);
    till->due = (struct purchases_question){.arena = &till->arena, .done = found};
    till->asking =
        till->sale_count < SALES_MAX &&
        purchases_claim(till->settings.pool, now, now + TILL_LEASE_US, AT_A_TIME, &till->due);
    if (till->asking)
        return;
    arena_release(&till->arena);
    set_sweep(till, SWEEP_S);
}

static void set_supplier(struct till *till, struct supplier *supplier)
{
    supplier->outbound = till->settings.outbound;
    supplier->pool = till->settings.pool;
    supplier->key = till->settings.key;
    supplier->timeout_us = till->settings.timeout_us;
    supplier->breaker.pause_us = 2 * till->settings.timeout_us;
}

struct till *till_new(struct ev_loop *loop, const struct till_settings *settings)
{
    struct till *till = memory_alloc(sizeof *till);
    if (till == NULL)
        return NULL;
    memset(till, 0, sizeof *till);
    till->loop = loop;
    till->settings = *settings;
    till->suppliers[0].kind = &supplier_stock;
    snprintf(till->suppliers[0].name, sizeof till->suppliers[0].name, "stock");
    till->supplier_count = 1;
    for (const char *const *text = settings->suppliers; *text != NULL; text++) {
        assert(till->supplier_count <= TILL_SUPPLIERS_MAX); /* the configuration has seen to it */
        bool good = supplier_parse(*text, &till->suppliers[till->supplier_count++]);
        assert(good);
    }
    for (size_t i = 0; i < till->supplier_count; i++)
        set_supplier(till, &till->suppliers[i]);
    ev_timer_init(&till->sweep, on_sweep, SWEEP_S, 0.);
    till->sweep.data = till;
    if (settings->sweeps)
        ev_timer_start(loop, &till->sweep);
    return till;
}

void till_stop(struct till *till)
{
    till->stopped = true;
    ev_timer_stop(till->loop, &till->sweep);
}

bool till_is_idle(const struct till *till)
{
    return till->sale_count == 0 && !till->asking;
}

void till_free(struct till *till)
{
    if (till == NULL)
        return;
    till_stop(till);
    assert(till_is_idle(till));
    memory_free(till);
}

bool till_admits(struct till *till, const char *supplier)
{
    struct supplier *known = find(till, slice_of(supplier));
    return known != NULL && !breaker_is_shut(&known->breaker, clock_monotonic());
}

struct uuid till_account(const struct till *till, currency which)
{
    return account_system_id(ACCOUNT_SUPPLIER, which, till->settings.stripe);
}
