#include "benchmarks/load.h"

#include <assert.h>
#include <ev.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "benchmarks/load_count.h"
#include "benchmarks/wire.h"

#define OUTSTANDING_MAX 200000 /* more waiting requests than that: the rest counts as failed */
#define AGAIN_MAX 4096         /* requests that wait to be sent a second time */
#define RECONNECT_S 0.02
#define TICK_S 0.01
#define AGAIN_SECONDS 120.
#define AGAIN_AT_ONCE 1000
#define OFFERS_MAX 4096 /* in a loop turn */
#define PATIENCE_S 10
#define EXTEND_BEFORE_US (CLOCK_SECOND / 5)
#define LAST_ANSWERS_S 2 /* after load_stop */
#define FAST_RATE                                                                   \
    4000. /* per second: from there on requests leave a millisecond's worth at once \
           */
#define FAST_PACE_US 1000

/* One request on its way: waiting for a stream, or in flight. */
struct slot {
    struct wire_call call;
    struct scenario_request request;
    uint64_t serial;
    int64_t intended;
    struct slot *next;
};

struct line {
    struct load_engine *engine;
    struct wire *wire;
    ev_timer retry;
    int64_t connecting; /* since when */
    int served;         /* calls begun on this connection */
    bool idle;          /* it's there to be held open */
};

enum phase { LOADING, FINISHING, DONE };

struct load_engine {
    struct load *load;
    struct ev_loop *loop;
    struct load_watcher watcher;
    struct line *lines;
    int line_count; /* those that carry calls come first */
    int carriers;
    int next_line;
    struct slot *spare;
    struct slot *first, *last; /* waiting for a stream, oldest first */
    int waiting, in_flight;
    enum phase phase;
    int64_t began, dead;       /* monotonic us */
    struct load_window window; /* what is counted */
    int64_t due;               /* the next arrival; INT64_MAX: none */
    int64_t leaves;            /* not before then, if it's due earlier */
    ev_io alarm;               /* a timerfd: libev's own timers are good to a millisecond */
    ev_prepare gather;
    ev_timer tick;
    uint64_t again[AGAIN_MAX];
    int again_count;
    bool asking; /* load_ask_again: numbers come from `wanted` */
    bool (*wanted)(const struct journal_entry *entry, uint64_t serial);
    uint64_t cursor, asked;
    struct histogram second;
    struct load_second now;
    int64_t second_ends;
    struct rusage cpu;
};

static struct slot *take_slot(struct load_engine *e)
{
    struct slot *slot = e->spare;
    if (slot == NULL)
        return memory_alloc(sizeof *slot);
    e->spare = slot->next;
    return slot;
}

static void put_slot(struct load_engine *e, struct slot *slot)
{
    memory_free(slot->call.answer);
    slot->call.answer = NULL;
    slot->next = e->spare;
    e->spare = slot;
}

/* The number of the next request; false: there is none. */
static bool next_serial(struct load_engine *e, uint64_t *serial)
{
    struct load *load = e->load;
    if (e->again_count > 0) {
        *serial = e->again[--e->again_count];
        return true;
    }
    if (!e->asking) {
        *serial = load->next_serial++;
        return true;
    }
    for (; e->cursor < load->journal.count; e->cursor++) {
        if (load->journal.entries[e->cursor].sent == 0 ||
            !e->wanted(&load->journal.entries[e->cursor], e->cursor))
            continue;
        *serial = e->cursor++;
        e->asked++;
        return true;
    }
    return false;
}

static struct slot *make_slot(struct load_engine *e, int64_t intended)
{
    uint64_t serial;
    struct slot *slot = take_slot(e);
    if (slot == NULL)
        return NULL;
    if (!next_serial(e, &serial)) {
        put_slot(e, slot);
        return NULL;
    }
    slot->serial = serial;
    slot->intended = intended;
    scenario_request(&e->load->settings.run, serial, &slot->request);
    const struct scenario_request *r = &slot->request;
    slot->call = (struct wire_call){
        .method = r->call->method,
        .path = {r->path, r->path_length},
        .authorization = {r->authorization, r->authorization_length},
        .key = {r->key, r->key_length},
        .body = {r->body, r->body_length},
    };
    return slot;
}

static bool begin(struct load_engine *e, struct line *line, struct slot *slot)
{
    struct load *load = e->load;
    int most = load->settings.run.scenario->requests_per_connection;
    if (most > 0 && line->served >= most)
        return false;
    if (!wire_begin(line->wire, &slot->call))
        return false;
    line->served++;
    e->in_flight++;
    if (slot->request.call->key)
        journal_sent(&load->journal, slot->serial);
    if (slot->call.began - slot->intended > load->lag_most && line->connecting == 0)
        load->lag_most = slot->call.began - slot->intended;
    return true;
}

static void pass_on(struct load_engine *e)
{
    e->next_line = (e->next_line + 1) % e->carriers;
}

/* Some connection that has room, round and round: the same one as long as it has, in one turn of
 * the loop (`pass_on` begins the next). What leaves together shares a record and a system call, as
 * answers do that come together; spread over all connections, a request would cost the generator,
 * which is on the server's cores, ten times as much as in a closed loop. */
static bool begin_anywhere(struct load_engine *e, struct slot *slot)
{
    for (int i = 0; i < e->carriers; i++) {
        struct line *line = &e->lines[e->next_line];
        if (wire_room(line->wire) > 0 && begin(e, line, slot))
            return true;
        pass_on(e);
    }
    return false;
}

static void wait_for_room(struct load_engine *e, struct slot *slot)
{
    slot->next = NULL;
    if (e->last == NULL)
        e->first = slot;
    else
        e->last->next = slot;
    e->last = slot;
    e->waiting++;
}

static void begin_waiting(struct load_engine *e)
{
    while (e->first != NULL) {
        struct slot *slot = e->first;
        struct slot *after = slot->next;
        if (!begin_anywhere(e, slot))
            return;
        e->first = after;
        if (after == NULL)
            e->last = NULL;
        e->waiting--;
    }
}

static void note_offered(struct load_engine *e, int64_t intended)
{
    e->now.offered++;
    if (!e->asking)
        load_count_offered(e->load, &e->window, intended);
}

/* One more request, meant for `intended`. */
static void offer(struct load_engine *e, int64_t intended)
{
    struct slot *slot = e->waiting + e->in_flight < OUTSTANDING_MAX ? make_slot(e, intended) : NULL;
    note_offered(e, intended);
    if (slot == NULL) {
        e->now.failed++;
    } else if (e->first != NULL || !begin_anywhere(e, slot)) {
        wait_for_room(e, slot);
    }
}

/* For people, on one line. */
static void keep_wrong(struct load *load, const struct slot *slot)
{
    const struct wire_call *call = &slot->call;
    struct load_wrong *wrong = &load->first_wrong;
    size_t length = call->length < WIRE_HEAD_MAX ? call->length : WIRE_HEAD_MAX;
    wrong->status = call->status;
    wrong->call = slot->request.call->name;
    for (size_t i = 0; i < length; i++)
        wrong->body[i] = call->head[i] >= ' ' && call->head[i] < 127 ? call->head[i] : ' ';
    snprintf(wrong->body + length, 4, "%s", call->length > length ? "..." : "");
    snprintf(wrong->request_id, sizeof wrong->request_id, "%s", call->request_id);
}

static bool is_expected(const struct scenario_call *call, int status)
{
    for (int i = 0; call->expect[i] != 0; i++)
        if (call->expect[i] == status)
            return true;
    return false;
}

static double seconds_since(const struct load_engine *e, int64_t at)
{
    return (double)(at - e->began) / CLOCK_SECOND;
}

static void note_answer(struct load_engine *e, const struct slot *slot)
{
    const struct wire_call *call = &slot->call;
    bool ok = is_expected(slot->request.call, call->status);
    bool refused = call->status == 429 || call->status == 503 || call->refused_stream;
    e->now.ok += ok;
    e->now.refused += refused;
    e->now.failed += !ok && !refused;
    if (ok)
        histogram_add(&e->second, call->answered - slot->intended);
    if (e->asking)
        return;
    if (!ok && !refused && call->status != 0 && e->load->first_wrong.status == 0)
        keep_wrong(e->load, slot);
    const struct load_answer answer = {
        .intended = slot->intended,
        .began = call->began,
        .answered = call->answered,
        .status = call->status,
        .call = (int)(slot->request.call - e->load->settings.run.scenario->calls),
        .ok = ok,
        .refused = refused,
        .told_when = call->refused_stream || call->has_retry_after,
    };
    load_count_answer(e->load, &e->window, &answer);
    if (ok && e->watcher.right != NULL)
        e->watcher.right(e->watcher.owner, seconds_since(e, call->began),
                         seconds_since(e, call->answered));
}

/* A share of the keyed calls is sent a second time, by the number's own dice. */
static void perhaps_again(struct load_engine *e, const struct slot *slot)
{
    const struct journal_entry *entry = &e->load->journal.entries[slot->serial];
    uint64_t dice = slot->serial * UINT64_C(0x9e3779b97f4a7c15);
    double part = (double)(dice >> 11) / 9007199254740992.;
    bool unanswered = e->asking && !journal_is_final(slot->call.status);
    bool twice = !e->asking && entry->sent == 1 && e->phase == LOADING &&
                 part < e->load->settings.run.scenario->twice;
    if ((twice || unanswered) && e->again_count < AGAIN_MAX)
        e->again[e->again_count++] = slot->serial;
}

static bool keeps_going(const struct load_engine *e)
{
    return e->phase == LOADING && (e->asking || e->load->settings.closed);
}

static void fill_line(struct load_engine *e, struct line *line)
{
    while (keeps_going(e) && !line->idle && wire_room(line->wire) > 0) {
        int most = e->load->settings.run.scenario->requests_per_connection;
        if (most > 0 && line->served >= most)
            return;
        int64_t intended = line->connecting > 0 ? line->connecting : clock_monotonic();
        struct slot *slot = make_slot(e, intended);
        if (slot == NULL)
            return;
        note_offered(e, intended);
        if (!begin(e, line, slot)) {
            wait_for_room(e, slot);
            return;
        }
        line->connecting = 0;
    }
}

static void on_open(void *owner, struct wire *wire)
{
    struct line *line = owner;
    (void)wire;
    begin_waiting(line->engine);
    fill_line(line->engine, line);
    line->connecting = 0;
}

static void on_answered(void *owner, struct wire *wire, struct wire_call *call)
{
    struct line *line = owner;
    struct load_engine *e = line->engine;
    struct slot *slot = (struct slot *)(void *)call;
    int most = e->load->settings.run.scenario->requests_per_connection;
    e->in_flight--;
    note_answer(e, slot);
    if (slot->request.call->key) {
        journal_answered(&e->load->journal, slot->serial, call->status, call->hash);
        perhaps_again(e, slot);
    }
    put_slot(e, slot);
    if (most > 0 && line->served >= most) {
        wire_end(wire);
        return;
    }
    begin_waiting(e);
    fill_line(e, line);
}

static void connect_line(struct line *line)
{
    line->served = 0;
    line->connecting = clock_monotonic();
    wire_connect(line->wire);
}

static void on_retry(struct ev_loop *loop, ev_timer *watcher, int events)
{
    (void)loop;
    (void)events;
    connect_line(watcher->data);
}

static void on_closed(void *owner, struct wire *wire)
{
    struct line *line = owner;
    struct load_engine *e = line->engine;
    int most = e->load->settings.run.scenario->requests_per_connection;
    (void)wire;
    if (e->phase == DONE)
        return;
    bool planned = most > 0 && line->served >= most;
    e->load->reconnects += !planned;
    ev_timer_stop(e->loop, &line->retry);
    ev_timer_set(&line->retry, planned ? 0. : RECONNECT_S, 0.);
    ev_timer_start(e->loop, &line->retry);
}

static void set_alarm(struct load_engine *e)
{
    struct itimerspec when = {0};
    int64_t at = e->due > e->leaves ? e->due : e->leaves;
    if (e->due == INT64_MAX)
        return;
    when.it_value.tv_sec = at / CLOCK_SECOND;
    when.it_value.tv_nsec = at % CLOCK_SECOND * 1000;
    timerfd_settime(e->alarm.fd, TFD_TIMER_ABSTIME, &when, NULL);
}

static void on_alarm(struct ev_loop *loop, ev_io *watcher, int events)
{
    uint64_t times;
    ssize_t got = read(watcher->fd, &times, sizeof times);
    (void)loop;
    (void)events;
    (void)got;
}

static void next_due(struct load_engine *e)
{
    int64_t us;
    e->due = arrivals_next(&e->load->settings.arrivals, &us) ? e->began + us : INT64_MAX;
}

/* Above FAST_RATE the generator, which shares the server's cores, doesn't wake up for each request:
 * some leave a little late, and their latency has that in it. */
static int64_t next_departure(const struct load_engine *e, int64_t now)
{
    bool fast = arrivals_rate_at(&e->load->settings.arrivals, seconds_since(e, now)) >= FAST_RATE;
    return fast ? now + FAST_PACE_US : now;
}

/* The end of each loop turn: what is due by now. */
static void on_gather(struct ev_loop *loop, ev_prepare *watcher, int events)
{
    struct load_engine *e = watcher->data;
    (void)loop;
    (void)events;
    if (e->phase != LOADING || e->load->settings.closed || e->asking)
        return;
    int64_t now = clock_monotonic();
    if (e->due > now || e->leaves > now)
        return;
    /* not on and on: who can't even offer as fast as they arrive must send and hear, too */
    for (int offered = 0; e->due <= now && offered < OFFERS_MAX; offered++) {
        offer(e, e->due);
        next_due(e);
    }
    pass_on(e);
    e->leaves = next_departure(e, now);
    set_alarm(e);
}

static void end_second(struct load_engine *e)
{
    struct load *load = e->load;
    e->now.p50 = (uint32_t)histogram_at(&e->second, 0.5);
    e->now.p99 = (uint32_t)histogram_at(&e->second, 0.99);
    if (load->second_count < LOAD_SECONDS_MAX)
        load->seconds[load->second_count++] = e->now;
    if (load->settings.progress)
        fprintf(stderr,
                "  %3d s  %7u offered  %7u ok  %6u refused  %6u failed  p50 %u us  p99 %u us\n",
                load->second_count, e->now.offered, e->now.ok, e->now.refused, e->now.failed,
                e->now.p50, e->now.p99);
    memset(&e->now, 0, sizeof e->now);
    histogram_clear(&e->second);
    e->second_ends += CLOCK_SECOND;
}

static double cpu_since(const struct rusage *before)
{
    struct rusage now;
    getrusage(RUSAGE_SELF, &now);
    return (double)(now.ru_utime.tv_sec - before->ru_utime.tv_sec) +
           (double)(now.ru_stime.tv_sec - before->ru_stime.tv_sec) +
           (double)(now.ru_utime.tv_usec - before->ru_utime.tv_usec) / 1e6 +
           (double)(now.ru_stime.tv_usec - before->ru_stime.tv_usec) / 1e6;
}

static void finish(struct load_engine *e)
{
    e->phase = DONE;
    ev_break(e->loop, EVBREAK_ALL);
}

/* Before the end is there: the arrivals are to go on without a hole. */
static void perhaps_extend(struct load_engine *e, int64_t now)
{
    struct load *load = e->load;
    if (e->watcher.wants_more == NULL || load->interrupted || e->phase != LOADING ||
        now + EXTEND_BEFORE_US < e->window.to ||
        !e->watcher.wants_more(e->watcher.owner, seconds_since(e, now)))
        return;
    arrivals_extend(&load->settings.arrivals, 1);
    e->window.to += CLOCK_SECOND;
    e->dead += CLOCK_SECOND;
    load->measured += 1;
    if (e->due == INT64_MAX) {
        next_due(e);
        set_alarm(e);
    }
}

static void mind_phases(struct load_engine *e, int64_t now)
{
    perhaps_extend(e, now);
    bool measuring = e->window.from != INT64_MAX && now >= e->window.from && e->load->busy == 0;
    if (measuring && e->cpu.ru_maxrss == 0) {
        getrusage(RUSAGE_SELF, &e->cpu);
        if (e->watcher.measuring != NULL)
            e->watcher.measuring(e->watcher.owner, true);
    }
    if (e->phase == LOADING && now >= e->window.to) {
        e->phase = FINISHING;
        if (e->load->measured > 0)
            e->load->busy = cpu_since(&e->cpu) / e->load->measured;
        if (e->watcher.measuring != NULL)
            e->watcher.measuring(e->watcher.owner, false);
    }
    bool empty = e->waiting == 0 && e->in_flight == 0;
    if (e->phase == FINISHING && (empty || now >= e->dead))
        finish(e);
}

static void on_tick(struct ev_loop *loop, ev_timer *watcher, int events)
{
    struct load_engine *e = watcher->data;
    int64_t now = clock_monotonic();
    (void)loop;
    (void)events;
    if (e->began == 0 && !e->asking)
        return; /* the connections are on their way */
    if (e->asking) {
        bool empty = e->waiting == 0 && e->in_flight == 0 && e->again_count == 0;
        for (int i = 0; i < e->carriers; i++)
            fill_line(e, &e->lines[i]);
        if ((empty && e->in_flight == 0 && e->cursor >= e->load->journal.count) || now >= e->dead)
            finish(e);
        return;
    }
    while (now >= e->second_ends && e->phase == LOADING)
        end_second(e);
    if (e->watcher.tick != NULL && e->phase == LOADING)
        e->watcher.tick(e->watcher.owner, seconds_since(e, now));
    mind_phases(e, now);
}

static bool make_lines(struct load_engine *e, int idle)
{
    const struct load_settings *settings = &e->load->settings;
    e->carriers = settings->connections;
    e->lines = memory_alloc((size_t)(e->carriers + idle) * sizeof e->lines[0]);
    if (e->lines == NULL)
        return false;
    for (int i = 0; i < e->carriers + idle; i++) {
        struct line *line = &e->lines[i];
        const struct wire_owner owner = {line, on_open, on_answered, on_closed};
        line->engine = e;
        line->idle = i >= e->carriers;
        line->wire = wire_new(e->loop, settings->target, settings->streams, &owner);
        if (line->wire == NULL)
            return false;
        e->line_count++;
        ev_timer_init(&line->retry, on_retry, 0., 0.);
        line->retry.data = line;
        connect_line(line);
    }
    return true;
}

static void release_engine(struct load_engine *e)
{
    for (int i = 0; i < e->line_count; i++) {
        ev_timer_stop(e->loop, &e->lines[i].retry);
        wire_free(e->lines[i].wire);
    }
    ev_prepare_stop(e->loop, &e->gather);
    ev_timer_stop(e->loop, &e->tick);
    ev_io_stop(e->loop, &e->alarm);
    if (e->alarm.fd > 0)
        close(e->alarm.fd);
    while (e->spare != NULL) {
        struct slot *next = e->spare->next;
        memory_free(e->spare);
        e->spare = next;
    }
    memory_free(e->lines);
    memory_free(e);
}

static struct load_engine *make_engine(struct load *load, struct ev_loop *loop, int idle)
{
    struct load_engine *e = memory_alloc(sizeof *e);
    if (e == NULL)
        return NULL;
    e->load = load;
    e->loop = loop;
    e->due = INT64_MAX;
    ev_prepare_init(&e->gather, on_gather);
    ev_set_priority(&e->gather, EV_MAXPRI);
    ev_timer_init(&e->tick, on_tick, TICK_S, TICK_S);
    ev_io_init(&e->alarm, on_alarm, timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC),
               EV_READ);
    e->gather.data = e->tick.data = e->alarm.data = e;
    ev_prepare_start(loop, &e->gather);
    ev_timer_start(loop, &e->tick);
    ev_io_start(loop, &e->alarm);
    if (make_lines(e, idle))
        return e;
    release_engine(e);
    return NULL;
}

/* Wait until all connections stand: a load that begins while they shake hands measures that. */
static void start_clock(struct load_engine *e)
{
    struct load *load = e->load;
    double seconds = arrivals_seconds(&load->settings.arrivals);
    e->began = clock_monotonic();
    e->window.began = e->began;
    e->window.from = e->began + (int64_t)(load->settings.warm_up * CLOCK_SECOND);
    e->window.to = e->began + (int64_t)(seconds * CLOCK_SECOND);
    e->dead = e->window.to + (int64_t)(load->settings.grace * CLOCK_SECOND);
    e->second_ends = e->began + CLOCK_SECOND;
    load->measured = seconds - load->settings.warm_up;
    next_due(e);
    set_alarm(e);
}

static int lines_open(const struct load_engine *e)
{
    int open = 0;
    for (int i = 0; i < e->line_count; i++)
        open += wire_room(e->lines[i].wire) > 0 || wire_in_flight(e->lines[i].wire) > 0;
    return open;
}

/* Turn the loop until all connections stand, or no further one has for a while. */
static bool await_connections(struct load_engine *e)
{
    int64_t deadline = clock_monotonic() + PATIENCE_S * CLOCK_SECOND;
    int most = 0;
    e->phase = FINISHING; /* nothing is sent yet */
    e->dead = INT64_MAX;
    e->window.to = INT64_MAX;
    e->window.from = INT64_MAX;
    while (most < e->line_count && clock_monotonic() < deadline && !e->load->interrupted) {
        ev_run(e->loop, EVRUN_ONCE);
        int open = lines_open(e);
        if (open > most)
            deadline = clock_monotonic() + PATIENCE_S * CLOCK_SECOND;
        most = open > most ? open : most;
    }
    e->phase = LOADING;
    return lines_open(e) == e->line_count && !e->load->interrupted;
}

bool load_run(struct load *load, struct ev_loop *loop, const struct load_watcher *watcher,
              char *error, size_t size)
{
    const struct scenario *scenario = load->settings.run.scenario;
    load->calls = memory_alloc(SCENARIO_CALLS_MAX * sizeof load->calls[0]);
    load->seconds = memory_alloc(LOAD_SECONDS_MAX * sizeof load->seconds[0]);
    struct load_engine *e = make_engine(load, loop, scenario->idle);
    if (e == NULL || load->calls == NULL || load->seconds == NULL || !load_count_make_steps(load)) {
        snprintf(error, size, "out of memory");
        return false;
    }
    if (watcher != NULL)
        e->watcher = *watcher;
    load->first_serial = load->next_serial;
    load->engine = e;
    bool connected = await_connections(e);
    if (!connected) {
        snprintf(error, size,
                 "only %d of %d connections came about, and for %d s no further one: fewer "
                 "--connections, or look into the server's log",
                 lines_open(e), e->line_count, PATIENCE_S);
    } else {
        start_clock(e);
        for (int i = 0; i < e->carriers; i++) {
            e->lines[i].connecting = 0;
            fill_line(e, &e->lines[i]);
        }
        ev_run(loop, 0);
        load_count_end(load);
    }
    load->engine = NULL;
    release_engine(e);
    return connected;
}

void load_stop(struct load *load)
{
    struct load_engine *e = load->engine;
    int64_t now = clock_monotonic();
    load->interrupted = true;
    if (e == NULL)
        return;
    e->dead = now;
    if (e->phase != LOADING)
        return;
    bool counted = now > e->window.from;
    load->measured = counted ? (double)(now - e->window.from) / CLOCK_SECOND : 0;
    e->window.to = now;
    if (!counted)
        e->window.from = INT64_MAX;
    e->dead = now + LAST_ANSWERS_S * CLOCK_SECOND;
}

/* Few at once: a server that has refused what was too much would refuse these again and again. */
static int streams_again(const struct load_settings *settings)
{
    int streams = AGAIN_AT_ONCE / settings->connections;
    if (streams < 1)
        streams = 1;
    return streams < settings->streams ? streams : settings->streams;
}

uint64_t load_ask_again(struct load *load, struct ev_loop *loop,
                        bool (*wanted)(const struct journal_entry *entry, uint64_t serial))
{
    int streams = load->settings.streams;
    load->settings.streams = streams_again(&load->settings);
    struct load_engine *e = make_engine(load, loop, 0);
    if (e == NULL) {
        load->settings.streams = streams;
        return 0;
    }
    e->asking = true;
    e->wanted = wanted;
    e->dead = clock_monotonic() + (int64_t)(AGAIN_SECONDS * CLOCK_SECOND);
    ev_run(loop, 0);
    uint64_t asked = e->asked;
    release_engine(e);
    load->settings.streams = streams;
    return asked;
}

void load_release(struct load *load)
{
    journal_release(&load->journal);
    memory_free(load->calls);
    memory_free(load->seconds);
    memory_free(load->steps);
    load->steps = NULL;
    load->calls = NULL;
    load->seconds = NULL;
}
