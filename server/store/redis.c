#include "store/redis.h"

#include <ev.h>
#include <hiredis/adapters/libev.h>
#include <hiredis/async.h>
#include <hiredis/hiredis.h>

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/metrics.h"
#include "store/redis_address.h"

#define RETRY_FIRST_S 0.25
#define RETRY_MOST_S 4.0
#define OLDEST_SERVER 7 /* FUNCTION LOAD */
#define TICK_S 0.01
#define ELEMENTS_MAX 64 /* of a reply; ours have 5 */
#define CONNECT_TIMEOUT_US CLOCK_SECOND

/* A question on its way. Answers come in order: a list from oldest to newest. */
struct asked {
    redis_answer *answer;
    void *owner;
    struct redis *redis;
    int64_t asked_at;
    struct asked *next;
};

struct redis {
    struct ev_loop *loop;
    struct redis_settings settings;
    redisAsyncContext *context;
    ev_timer retry;
    ev_timer tick;
    ev_prepare flush;
    bool unsent;     /* something was asked in this turn */
    bool flushing;   /* and is being sent */
    bool up;         /* connected, functions loaded: the breaker is closed */
    int strikes;     /* looks in a row at which the oldest question was overdue */
    bool distrusted; /* it answered with an error: this connection is being closed */
    double delay;    /* before the next try to connect */
    int64_t since;   /* when connecting, or closing, began */
    struct asked *oldest;
    struct asked *newest;
    struct asked *spare; /* to be used again */
    bool freeing;
};

static struct {
    metric up;
    metric errors;
    metric timeouts;
    metric duration;
} metrics;

void redis_register_metrics(void)
{
    metrics.up = metrics_register(METRIC_GAUGE, "moolah_redis_breakers_closed", "",
                                  "Workers whose breaker to Redis is closed");
    metrics.errors = metrics_register(METRIC_COUNTER, "moolah_redis_errors_total", "",
                                      "Connections to Redis lost or not made");
    metrics.timeouts = metrics_register(METRIC_COUNTER, "moolah_redis_timeouts_total", "",
                                        "Times Redis was slower than its timeout");
    metrics.duration = metrics_register(METRIC_HISTOGRAM, "moolah_redis_question_seconds", "",
                                        "Round trips to Redis");
}

static void retry_later(struct redis *redis)
{
    if (redis->freeing || ev_is_active(&redis->retry))
        return;
    ev_timer_set(&redis->retry, redis->delay, 0.);
    ev_timer_start(redis->loop, &redis->retry);
}

/* hiredis has called back for all that was open and frees the context itself. */
static void went_down(struct redis *redis, const char *why)
{
    if (redis->up)
        log_message(LOG_WARN, "redis_breaker_open", "%s", why);
    redis->up = false;
    redis->context = NULL;
    redis->strikes = 0;
    metrics_set(metrics.up, 0);
    metrics_add(metrics.errors, 1);
    retry_later(redis);
}

static void on_disconnect(const redisAsyncContext *context, int status)
{
    struct redis *redis = context->data;
    if (redis->context == context)
        went_down(redis, status == REDIS_OK ? "closed" : context->errstr);
}

/* What Redis said no to: nothing is asked until it has been connected and prepared anew. Later and
 * later while that goes on, so that a Redis that answers with errors costs next to nothing. */
static void distrust(struct redis *redis, const char *why)
{
    if (redis->context == NULL || redis->distrusted)
        return;
    log_message(LOG_ERROR, "redis_refused", "%s", why);
    redis->up = false;
    redis->distrusted = true;
    redis->since = clock_monotonic(); /* what is open still has its time */
    redis->delay = redis->delay * 2 > RETRY_MOST_S ? RETRY_MOST_S : redis->delay * 2;
    metrics_set(metrics.up, 0);
    redisAsyncDisconnect(redis->context); /* when all that is open is answered */
}

static void on_loaded(redisAsyncContext *context, void *answer, void *user)
{
    struct redis *redis = user;
    const redisReply *reply = answer;
    if (reply == NULL || redis->context != context)
        return;
    if (reply->type == REDIS_REPLY_ERROR) {
        distrust(redis, reply->str);
        return;
    }
    redis->up = true;
    metrics_set(metrics.up, 1);
    log_message(LOG_INFO, "redis_breaker_closed", "Redis answers");
}

/* The value behind "version" in HELLO's list of names and values. */
static int major_version(const redisReply *reply)
{
    for (size_t i = 0; reply->type == REDIS_REPLY_ARRAY && i + 1 < reply->elements; i += 2) {
        const redisReply *name = reply->element[i];
        const redisReply *value = reply->element[i + 1];
        if (name->type == REDIS_REPLY_STRING && strcmp(name->str, "version") == 0 &&
            value->type == REDIS_REPLY_STRING)
            return (int)strtol(value->str, NULL, 10);
    }
    return 0;
}

static void on_hello(redisAsyncContext *context, void *answer, void *user)
{
    struct redis *redis = user;
    const redisReply *reply = answer;
    const char *functions = redis->settings.functions;
    char why[100];
    if (reply == NULL || redis->context != context)
        return;
    if (reply->type == REDIS_REPLY_ERROR) {
        bool old = strncmp(reply->str, "ERR unknown command", 19) == 0;
        distrust(redis, old ? "this Redis is too old: 7 or newer is needed" : reply->str);
        return;
    }
    if (major_version(reply) < OLDEST_SERVER) {
        snprintf(why, sizeof why, "this is Redis %d: %d or newer is needed", major_version(reply),
                 OLDEST_SERVER);
        distrust(redis, why);
        return;
    }
    int asked = functions == NULL ? redisAsyncCommand(context, on_loaded, redis, "PING")
                                  : redisAsyncCommand(context, on_loaded, redis,
                                                      "FUNCTION LOAD REPLACE %s", functions);
    if (asked != REDIS_OK)
        distrust(redis, "out of memory");
}

static void on_connect(const redisAsyncContext *context, int status)
{
    struct redis *redis = context->data;
    if (redis->context != context)
        return;
    if (status != REDIS_OK)
        went_down(redis, context->errstr);
}

static bool say_hello(struct redis *redis, const struct redis_address *address)
{
    redisAsyncContext *context = redis->context;
    int asked = address->has_password
                    ? redisAsyncCommand(context, on_hello, redis, "HELLO 2 AUTH %s %s",
                                        address->user, address->password)
                    : redisAsyncCommand(context, on_hello, redis, "HELLO 2");
    return asked == REDIS_OK;
}

/* hiredis has something to send. Not at once, and not by asking the loop whether it may: at the end
 * of the turn, all of it. What the socket doesn't take then, or while it connects, is the loop's.
 */
static void on_unsent(void *events)
{
    struct redis *redis = ((redisLibevEvents *)events)->context->data;
    if (redis->flushing || (redis->context->c.flags & REDIS_CONNECTED) == 0)
        redisLibevAddWrite(events);
    else
        redis->unsent = true;
}

static void on_flush(struct ev_loop *loop, ev_prepare *watcher, int events)
{
    struct redis *redis = watcher->data;
    (void)loop;
    (void)events;
    if (!redis->unsent)
        return;
    redis->unsent = false;
    if (redis->context == NULL)
        return;
    redis->flushing = true;
    redisAsyncHandleWrite(redis->context);
    redis->flushing = false;
}

static void start_connect(struct redis *redis)
{
    struct redis_address address;
    redis->since = clock_monotonic();
    redis->distrusted = false;
    if (redis_address_parse(redis->settings.address, &address))
        redis->context = address.path[0] == '\0' ? redisAsyncConnect(address.host, address.port)
                                                 : redisAsyncConnectUnix(address.path);
    if (redis->context == NULL || redis->context->err != 0) {
        if (redis->context != NULL)
            redisAsyncFree(redis->context);
        memory_wipe(&address, sizeof address);
        went_down(redis, "cannot connect");
        return;
    }
    redis->context->data = redis;
    redis->context->c.reader->maxelements = ELEMENTS_MAX; /* it allocates before they come */
    redisLibevAttach(redis->loop, redis->context);
    redis->context->ev.addWrite = on_unsent;
    redisAsyncSetConnectCallback(redis->context, on_connect);
    redisAsyncSetDisconnectCallback(redis->context, on_disconnect);
    bool said = say_hello(redis, &address);
    memory_wipe(&address, sizeof address);
    if (!said)
        redisAsyncFree(redis->context);
}

static void on_retry(struct ev_loop *loop, ev_timer *watcher, int events)
{
    (void)loop;
    (void)events;
    start_connect(watcher->data);
}

static void give_up_on(struct redis *redis)
{
    redisAsyncContext *context = redis->context;
    metrics_add(metrics.timeouts, 1);
    redis->up = false; /* what is answered now must not ask again here */
    log_message(LOG_WARN, "redis_breaker_open", "slower than %lld us",
                (long long)redis->settings.timeout_us);
    redisAsyncFree(context); /* answers NULL to all that is open, then on_disconnect */
    if (redis->context == context)
        went_down(redis, "too slow");
}

/* Overdue twice in a row, and with all that has come read before each look: a loop that was held up
 * itself, turn after turn, is no fault of Redis's. */
static void on_tick(struct ev_loop *loop, ev_timer *watcher, int events)
{
    struct redis *redis = watcher->data;
    int64_t now = clock_monotonic();
    (void)loop;
    (void)events;
    if (redis->context == NULL)
        return;
    bool overdue =
        redis->oldest != NULL && now - redis->oldest->asked_at > redis->settings.timeout_us;
    if (!redis->up)
        overdue = now - redis->since > CONNECT_TIMEOUT_US;
    redis->strikes = overdue ? redis->strikes + 1 : 0;
    if (redis->strikes >= 2)
        give_up_on(redis);
}

struct redis *redis_new(struct ev_loop *loop, const struct redis_settings *settings)
{
    struct redis *redis = memory_alloc(sizeof *redis);
    if (redis == NULL)
        return NULL;
    redis->loop = loop;
    redis->settings = *settings;
    redis->delay = RETRY_FIRST_S;
    ev_timer_init(&redis->retry, on_retry, 0., 0.);
    ev_timer_init(&redis->tick, on_tick, TICK_S, TICK_S);
    ev_prepare_init(&redis->flush, on_flush);
    ev_set_priority(&redis->flush, EV_MINPRI); /* after all that may still ask in this turn */
    redis->retry.data = redis->tick.data = redis->flush.data = redis;
    ev_set_priority(&redis->tick,
                    EV_MINPRI); /* after answers that have come in this turn are read */
    ev_timer_start(loop, &redis->retry);
    ev_timer_start(loop, &redis->tick);
    ev_prepare_start(loop, &redis->flush);
    return redis;
}

void redis_free(struct redis *redis)
{
    if (redis == NULL)
        return;
    redis->freeing = true;
    redis->up = false;
    ev_timer_stop(redis->loop, &redis->retry);
    ev_timer_stop(redis->loop, &redis->tick);
    ev_prepare_stop(redis->loop, &redis->flush);
    if (redis->context != NULL)
        redisAsyncFree(redis->context);
    while (redis->spare != NULL) {
        struct asked *next = redis->spare->next;
        memory_free(redis->spare);
        redis->spare = next;
    }
    memory_free(redis);
}

static struct asked *take_asked(struct redis *redis)
{
    struct asked *asked = redis->spare;
    if (asked == NULL)
        return memory_alloc(sizeof *asked);
    redis->spare = asked->next;
    return asked;
}

static void put_back(struct redis *redis, struct asked *asked)
{
    asked->next = redis->spare;
    redis->spare = asked;
}

static void on_answer(redisAsyncContext *context, void *answer, void *user)
{
    struct asked *asked = user;
    struct redis *redis = asked->redis;
    struct asked copy = *asked;
    const redisReply *reply = answer;
    (void)context;
    assert(redis->oldest == asked);
    redis->oldest = asked->next;
    if (redis->oldest == NULL)
        redis->newest = NULL;
    put_back(redis, asked);
    if (reply != NULL)
        metrics_observe(metrics.duration, (uint64_t)(clock_monotonic() - copy.asked_at));
    if (reply != NULL && reply->type == REDIS_REPLY_ERROR)
        distrust(redis, reply->str);
    else if (reply != NULL)
        redis->delay = RETRY_FIRST_S;
    copy.answer(copy.owner, reply);
}

/* A place for a question that is about to be sent; NULL: the breaker is open, or out of memory. */
static struct asked *prepare(struct redis *redis, redis_answer *answer, void *owner)
{
    struct asked *asked = redis->up ? take_asked(redis) : NULL;
    if (asked != NULL)
        *asked = (struct asked){answer, owner, redis, clock_monotonic(), NULL};
    return asked;
}

/* What hiredis said to it. */
static bool note_asked(struct redis *redis, struct asked *asked, int status)
{
    if (status != REDIS_OK) {
        put_back(redis, asked);
        return false;
    }
    if (redis->newest == NULL)
        redis->oldest = asked;
    else
        redis->newest->next = asked;
    redis->newest = asked;
    return true;
}

bool redis_ask(struct redis *redis, const struct redis_command *command, redis_answer *answer,
               void *owner)
{
    struct asked *asked = prepare(redis, answer, owner);
    return asked != NULL &&
           note_asked(redis, asked,
                      redisAsyncCommandArgv(redis->context, on_answer, asked, command->count,
                                            (const char **)(uintptr_t)command->words,
                                            command->lengths));
}

bool redis_ask_written(struct redis *redis, struct slice command, redis_answer *answer, void *owner)
{
    struct asked *asked = prepare(redis, answer, owner);
    return asked != NULL && note_asked(redis, asked,
                                       redisAsyncFormattedCommand(redis->context, on_answer, asked,
                                                                  command.at, command.length));
}

void redis_add_word(struct bytes *command, const void *word, size_t length)
{
    bytes_add_char(command, '$');
    bytes_add_uint(command, length);
    bytes_add(command, "\r\n", 2);
    bytes_add(command, word, length);
    bytes_add(command, "\r\n", 2);
}

void redis_set_timeout(struct redis *redis, int64_t timeout_us)
{
    redis->settings.timeout_us = timeout_us;
}

bool redis_is_up(const struct redis *redis)
{
    return redis->up;
}
