#include "api/event_hub.h"

#include <assert.h>
#include <stddef.h>
#include <stdio.h>

#include "api/receipt.h"
#include "api/sse.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/metrics.h"
#include "http/request.h"
#include "ledger/account.h"
#include "ledger/transaction.h"
#include "store/gate.h"

#define OWNERS 1024                /* lists by owner: a power of two */
#define PAGE 32                    /* events read at once */
#define PORTION_MAX (FEED_MAX / 2) /* ... and told: whatever one more of them has, it fits */
#define LOOK_US CLOCK_SECOND       /* how often each stream is looked at */
#define RETRY_MS 1000              /* readers come back after that, and up to so much more: */
#define RETRY_SPREAD_MS 2000       /* not all of a worker's at once */
#define DOUBT_US (INT64_C(5) * CLOCK_SECOND) /* the gate couldn't say: asked again after it */

struct event_hub {
    struct pg_pool *pool;
    struct gate *gate;
    struct news *news;
    struct event_hub_settings settings;
    struct event_stream *streams;
    struct event_stream *owners[OWNERS];
    int count;
    int64_t look_at;
    int64_t now;
};

/* What is read for a stream outlives it, when it ends meanwhile. */
struct event_question {
    struct wallets_question question;
    struct arena arena;
    bool wallet;                 /* as a whole; else lines */
    struct event_stream *stream; /* NULL: it has ended */
};

struct event_check {
    struct gate_question question;
    struct event_stream *stream; /* NULL: it has ended */
    char authorization[];
};

static struct {
    metric streams;
    metric events;
    metric ended[EVENT_END_COUNT];
} metrics;

static const char *const end_names[EVENT_END_COUNT] = {
    [EVENT_END_READER] = "reader",         [EVENT_END_UNREAD] = "unread",
    [EVENT_END_DRAIN] = "drain",           [EVENT_END_SIGNED_OUT] = "signed_out",
    [EVENT_END_WALLET] = "wallet_changed",
};

void event_hub_register_metrics(void)
{
    static const char *const labels[EVENT_END_COUNT] = {
        [EVENT_END_READER] = "why=\"reader\"",
        [EVENT_END_UNREAD] = "why=\"unread\"",
        [EVENT_END_DRAIN] = "why=\"drain\"",
        [EVENT_END_SIGNED_OUT] = "why=\"signed_out\"",
        [EVENT_END_WALLET] = "why=\"wallet_changed\"",
    };
    metrics.streams =
        metrics_register(METRIC_GAUGE, "moolah_event_streams_open", "", "Event streams open now");
    metrics.events =
        metrics_register(METRIC_COUNTER, "moolah_events_sent_total", "", "Events sent on streams");
    for (int i = 0; i < EVENT_END_COUNT; i++)
        metrics.ended[i] = metrics_register(METRIC_COUNTER, "moolah_event_streams_ended_total",
                                            labels[i], "Event streams that have ended");
    news_register_metrics();
}

struct event_hub *event_hub_new(struct pg_pool *pool, struct gate *gate,
                                const struct event_hub_settings *settings)
{
    struct event_hub *hub = memory_alloc(sizeof *hub);
    if (hub == NULL)
        return NULL;
    hub->pool = pool;
    hub->gate = gate;
    hub->settings = *settings;
    hub->now = clock_monotonic();
    hub->news = news_new(pool);
    if (hub->news == NULL) {
        event_hub_free(hub);
        return NULL;
    }
    return hub;
}

void event_hub_set(struct event_hub *hub, const struct event_hub_settings *settings)
{
    hub->settings = *settings;
}

void event_hub_free(struct event_hub *hub)
{
    if (hub == NULL)
        return;
    assert(hub->count == 0);
    news_free(hub->news);
    memory_free(hub);
}

/* ---- which streams there are */

static struct event_stream **owned_by(struct event_hub *hub, const struct uuid *owner)
{
    return &hub->owners[(owner->bytes[14] << 8 | owner->bytes[15]) % OWNERS];
}

enum event_room event_hub_room(const struct event_hub *hub, const struct uuid *owner)
{
    const struct event_stream *stream = *owned_by((struct event_hub *)(uintptr_t)hub, owner);
    int count = 0;
    for (; stream != NULL; stream = stream->next_of_owner)
        count += uuid_equal(&stream->owner, owner);
    if (count >= hub->settings.per_user)
        return EVENT_ROOM_USER_FULL;
    return hub->count < hub->settings.streams_max ? EVENT_ROOM : EVENT_ROOM_WORKER_FULL;
}

static void link_stream(struct event_hub *hub, struct event_stream *stream)
{
    struct event_stream **owners = owned_by(hub, &stream->owner);
    stream->next_of_owner = *owners;
    *owners = stream;
    stream->next = hub->streams;
    if (hub->streams != NULL)
        hub->streams->previous = stream;
    hub->streams = stream;
    metrics_set(metrics.streams, ++hub->count);
}

static void unlink_stream(struct event_hub *hub, struct event_stream *stream)
{
    struct event_stream **link = owned_by(hub, &stream->owner);
    while (*link != stream)
        link = &(*link)->next_of_owner;
    *link = stream->next_of_owner;
    if (stream->previous != NULL)
        stream->previous->next = stream->next;
    else
        hub->streams = stream->next;
    if (stream->next != NULL)
        stream->next->previous = stream->previous;
    metrics_set(metrics.streams, --hub->count);
}

/* ---- telling */

static void end(struct event_stream *stream, enum event_end why)
{
    if (stream->feed.state > FEED_OPEN)
        return;
    stream->end = why;
    feed_end(&stream->feed);
}

/* Add what was written; false: there's no room now, it will be read again. */
static bool tell(struct event_stream *stream, const struct bytes *text, size_t events, int64_t told)
{
    if (text->failed || !feed_add(&stream->feed, bytes_view(text)))
        return false;
    stream->told = told;
    stream->events += events;
    stream->spoke_at = stream->hub->now;
    metrics_add(metrics.events, events);
    return true;
}

/* Nothing more will ever come of a closed wallet. */
static void end_if_closed(struct event_stream *stream)
{
    if (stream->status == ACCOUNT_CLOSED && !stream->whole && stream->told >= stream->watch.version)
        end(stream, EVENT_END_WALLET);
}

static void write_wallet(struct bytes *out, const struct wallet *wallet)
{
    struct bytes data;
    struct json_writer writer;
    bytes_init(&data, out->arena);
    json_write_init(&writer, &data);
    receipt_write_wallet(&writer, wallet);
    if (data.failed)
        out->failed = true;
    else
        sse_write_event(out, wallet->version, "wallet", bytes_view(&data));
}

static void write_line(struct bytes *out, const struct wallets_transaction *line)
{
    char name[40];
    struct bytes data;
    struct json_writer writer;
    bytes_init(&data, out->arena);
    json_write_init(&writer, &data);
    receipt_write_line(&writer, line);
    snprintf(name, sizeof name, "transaction.%s",
             transaction_kind_name((enum transaction_kind)line->kind));
    if (data.failed)
        out->failed = true;
    else
        sse_write_event(out, line->version, name, bytes_view(&data));
}

/* The lines that follow the last one told, as far as they are without a gap. False: no room now. */
static bool tell_lines(struct event_stream *stream, const struct wallets_question *question)
{
    struct bytes text;
    size_t count = 0;
    bytes_init(&text, question->arena);
    while (count < question->transaction_count && text.length < PORTION_MAX &&
           question->transactions[count].version == stream->told + 1 + (int64_t)count)
        write_line(&text, &question->transactions[count++]);
    if (count == 0)
        stream->whole = true;
    else if (!tell(stream, &text, count, stream->told + (int64_t)count))
        return false;
    end_if_closed(stream);
    return true;
}

/* As a whole: because something is missing, or because its status is another and all before has
 * been told. False: no room now. */
static bool tell_wallet(struct event_stream *stream, const struct wallets_question *question)
{
    struct bytes text;
    if (question->wallet_count == 0) {
        end(stream, EVENT_END_WALLET);
        return true;
    }
    const struct wallet *wallet = question->wallets;
    stream->watch.status = wallet->status;
    if (wallet->version > stream->watch.version)
        stream->watch.version = wallet->version;
    bool changed = wallet->status != stream->status;
    if (!stream->whole && (!changed || wallet->version != stream->told))
        return true;
    bytes_init(&text, question->arena);
    write_wallet(&text, wallet);
    if (!tell(stream, &text, 1, wallet->version))
        return false;
    stream->whole = false;
    stream->status = wallet->status;
    if (changed)
        end(stream, EVENT_END_WALLET);
    end_if_closed(stream);
    return true;
}

/* ---- reading */

static void go_on(struct event_stream *stream);

static void answered(struct wallets_question *question)
{
    struct event_question *asked =
        (struct event_question *)(void *)((char *)question -
                                          offsetof(struct event_question, question));
    struct event_stream *stream = asked->stream;
    bool good = stream != NULL && question->outcome == PG_OK;
    if (stream != NULL)
        stream->asked = NULL;
    if (good)
        good = asked->wallet ? tell_wallet(stream, question) : tell_lines(stream, question);
    arena_release(&asked->arena);
    memory_free(asked);
    if (good)
        go_on(stream); /* else event_hub_turn does, later */
}

static bool ask(struct event_stream *stream, struct event_question *asked, bool wallet)
{
    struct wallets_question *question = &asked->question;
    struct pg_pool *pool = stream->hub->pool;
    arena_init(&asked->arena);
    asked->stream = stream;
    asked->wallet = wallet;
    question->arena = &asked->arena;
    question->done = answered;
    return wallet ? wallets_find(pool, &stream->watch.wallet, &stream->owner, question)
                  : wallets_lines_after(pool, &stream->watch.wallet, stream->told, PAGE, question);
}

/* Read what is to be told next, if there is something and room for it. Only asks: may be called
 * from anywhere. */
static void go_on(struct event_stream *stream)
{
    bool behind = stream->told < stream->watch.version;
    bool wallet = stream->whole || (!behind && stream->watch.status != stream->status);
    if (stream->feed.state > FEED_OPEN || stream->asked != NULL || (!behind && !wallet) ||
        !feed_is_empty(&stream->feed))
        return;
    struct event_question *asked = memory_alloc(sizeof *asked);
    if (asked == NULL)
        return;
    if (ask(stream, asked, wallet)) {
        stream->asked = asked;
        return;
    }
    arena_release(&asked->arena);
    memory_free(asked);
}

static void told(struct news_watch *watch)
{
    go_on((struct event_stream *)(void *)((char *)watch - offsetof(struct event_stream, watch)));
}

/* ---- is the reader still signed in? */

static void follow_verdict(struct event_stream *stream, enum gate_verdict verdict)
{
    int64_t now = stream->hub->now;
    int64_t period = stream->hub->settings.recheck_us;
    switch (verdict) {
    case GATE_UNAUTHENTICATED:
        end(stream, EVENT_END_SIGNED_OUT);
        return;
    case GATE_ALLOWED: /* not all at once */
        stream->check_at = now + period - period * stream->watch.wallet.bytes[15] / 1024;
        return;
    case GATE_LIMITED:
    case GATE_UNAVAILABLE:
        stream->check_at = now + (period < DOUBT_US ? period : DOUBT_US);
        return;
    }
}

static void checked(struct gate_question *question)
{
    struct event_check *check =
        (struct event_check *)(void *)((char *)question - offsetof(struct event_check, question));
    if (check->stream != NULL) {
        check->stream->check = NULL;
        follow_verdict(check->stream, question->answer.verdict);
    }
    memory_free(check);
}

static void ask_gate(struct event_stream *stream)
{
    struct slice authorization = stream->feed.request->authorization;
    struct event_check *check = memory_alloc(sizeof *check + authorization.length);
    if (check == NULL)
        return;
    memcpy(check->authorization, authorization.at, authorization.length);
    check->question.authorization = (struct slice){check->authorization, authorization.length};
    check->question.client = stream->feed.request->client;
    check->question.done = checked;
    check->stream = stream;
    switch (gate_ask(stream->hub->gate, &check->question)) {
    case GATE_ASKED_LATER:
        stream->check = check;
        return;
    case GATE_ASKED_NOW:
        checked(&check->question);
        return;
    case GATE_ASKED_NO:
        memory_free(check);
        return;
    }
}

/* ---- a stream's life */

static void taken(void *owner)
{
    go_on(owner);
}

static enum event_end end_of(const struct event_stream *stream)
{
    if (stream->end != EVENT_END_READER)
        return stream->end;
    return stream->feed.state == FEED_UNREAD  ? EVENT_END_UNREAD
           : stream->feed.state == FEED_ENDED ? EVENT_END_DRAIN
                                              : EVENT_END_READER;
}

static void write_end(const struct event_stream *stream, enum event_end why)
{
    char id[UUID_TEXT_MAX];
    struct json_writer *writer = log_begin(LOG_INFO, "events_ended");
    if (writer == NULL)
        return;
    uuid_format(&stream->feed.request->id, "req_", id);
    json_write_key(writer, "request_id");
    json_write_text(writer, id);
    json_write_key(writer, "why");
    json_write_text(writer, end_names[why]);
    json_write_key(writer, "events");
    json_write_int(writer, (int64_t)stream->events);
    json_write_key(writer, "duration_us");
    json_write_int(writer, clock_monotonic() - stream->began);
    log_end(writer);
}

static void gone(void *owner)
{
    struct event_stream *stream = owner;
    enum event_end why = end_of(stream);
    if (stream->asked != NULL)
        stream->asked->stream = NULL;
    if (stream->check != NULL)
        stream->check->stream = NULL;
    news_unwatch(stream->hub->news, &stream->watch);
    unlink_stream(stream->hub, stream);
    metrics_add(metrics.ended[why], 1);
    write_end(stream, why);
}

/* What every stream begins with: when to come back, and the wallet as it stands, unless the reader
 * knows how it came to be so, or soon will. */
static bool write_beginning(struct event_stream *stream, const struct wallet *wallet, bool whole)
{
    struct bytes text;
    uint16_t chance;
    uuid_random(&chance, sizeof chance);
    bytes_init(&text, &stream->feed.request->arena);
    sse_write_retry(&text, RETRY_MS + chance % RETRY_SPREAD_MS);
    if (whole)
        write_wallet(&text, wallet);
    return tell(stream, &text, whole, stream->told);
}

bool event_hub_begin(struct event_hub *hub, struct event_stream *stream, struct request *request,
                     const struct wallet *wallet, int64_t after)
{
    bool whole = after < 0 || after > wallet->version;
    *stream = (struct event_stream){
        .feed = {.owner = stream, .taken = taken, .gone = gone},
        .watch = {.wallet = wallet->id,
                  .version = wallet->version,
                  .status = wallet->status,
                  .told = told},
        .hub = hub,
        .owner = wallet->owner,
        .status = wallet->status,
        .told = whole ? wallet->version : after,
        .began = clock_monotonic(),
    };
    if (!news_watch(hub->news, &stream->watch))
        return false;
    hub->now = stream->began;
    link_stream(hub, stream);
    follow_verdict(stream, GATE_ALLOWED); /* it has just been asked */
    feed_begin(&stream->feed, request);
    stream->whole = !write_beginning(stream, wallet, whole) && whole;
    end_if_closed(stream);
    return true;
}

static void look_at(struct event_stream *stream)
{
    int64_t now = stream->hub->now;
    if (stream->feed.state != FEED_OPEN)
        return;
    if (now - stream->spoke_at >= stream->hub->settings.heartbeat_us &&
        feed_is_empty(&stream->feed) && feed_add(&stream->feed, SSE_HEARTBEAT))
        stream->spoke_at = now;
    if (now >= stream->check_at && stream->check == NULL)
        ask_gate(stream);
    go_on(stream);
}

void event_hub_turn(struct event_hub *hub, int64_t now)
{
    hub->now = now;
    news_turn(hub->news, now);
    if (now < hub->look_at)
        return;
    hub->look_at = now + LOOK_US;
    for (struct event_stream *stream = hub->streams; stream != NULL; stream = stream->next)
        look_at(stream);
}

void event_hub_changed(void *owner, const struct account *accounts, size_t count)
{
    struct event_hub *hub = owner;
    if (hub->count == 0)
        return;
    for (size_t i = 0; i < count; i++)
        news_tell(hub->news, &accounts[i].id, accounts[i].version);
}
