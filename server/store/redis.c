#include "store/redis.h"

#include <ev.h>
#include <hiredis/adapters/libev.h>
#include <hiredis/async.h>
#include <hiredis/hiredis.h>

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/metrics.h"

#define RETRY_S 0.25
#define TICK_S 0.01
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
    bool up;       /* connected, functions loaded: the breaker is closed */
    int strikes;   /* looks in a row at which the oldest question was overdue */
    int64_t since; /* when connecting began */
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
    ev_timer_set(&redis->retry, RETRY_S, 0.);
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

static void on_loaded(redisAsyncContext *context, void *answer, void *user)
{
    struct redis *redis = user;
    const redisReply *reply = answer;
    if (reply == NULL || redis->context != context)
        return;
    if (reply->type == REDIS_REPLY_ERROR) {
        log_message(LOG_ERROR, "redis_refused", "%s", reply->str);
        redisAsyncDisconnect(context);
        return;
    }
    redis->up = true;
    metrics_set(metrics.up, 1);
    log_message(LOG_INFO, "redis_breaker_closed", "Redis answers");
}

static void on_connect(const redisAsyncContext *context, int status)
{
    struct redis *redis = context->data;
    if (redis->context != context)
        return;
    if (status != REDIS_OK)
        went_down(redis, context->errstr);
}

static bool say_hello(struct redis *redis, const char *password)
{
    redisAsyncContext *context = redis->context;
    if (password[0] != '\0' &&
        redisAsyncCommand(context, NULL, NULL, "AUTH %s", password) != REDIS_OK)
        return false;
    if (redis->settings.functions != NULL)
        return redisAsyncCommand(context, on_loaded, redis, "FUNCTION LOAD REPLACE %s",
                                 redis->settings.functions) == REDIS_OK;
    return redisAsyncCommand(context, on_loaded, redis, "PING") == REDIS_OK;
}

static redisAsyncContext *open_context(const char *address)
{
    char host[128];
    if (strncmp(address, "unix:", 5) == 0)
        return redisAsyncConnectUnix(address + 5);
    const char *colon = strrchr(address, ':');
    size_t length = colon == NULL ? 0 : (size_t)(colon - address);
    if (length == 0 || length >= sizeof host)
        return NULL;
    memcpy(host, address, length);
    host[length] = '\0';
    return redisAsyncConnect(host, (int)strtol(colon + 1, NULL, 10));
}

static void start_connect(struct redis *redis)
{
    char password[128] = "";
    const char *address = redis->settings.address;
    const char *at = strchr(address, '@');
    if (at != NULL && (size_t)(at - address) < sizeof password) {
        memcpy(password, address, (size_t)(at - address));
        address = at + 1;
    }
    redis->since = clock_monotonic();
    redis->context = open_context(address);
    if (redis->context == NULL || redis->context->err != 0) {
        if (redis->context != NULL)
            redisAsyncFree(redis->context);
        went_down(redis, "cannot connect");
        return;
    }
    redis->context->data = redis;
    redisLibevAttach(redis->loop, redis->context);
    redisAsyncSetConnectCallback(redis->context, on_connect);
    redisAsyncSetDisconnectCallback(redis->context, on_disconnect);
    bool said = say_hello(redis, password);
    memory_wipe(password, sizeof password);
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

/* Overdue twice in a row: a loop that was held up itself finds the answers between two looks. */
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
    ev_timer_init(&redis->retry, on_retry, 0., 0.);
    ev_timer_init(&redis->tick, on_tick, TICK_S, TICK_S);
    redis->retry.data = redis->tick.data = redis;
    ev_timer_start(loop, &redis->retry);
    ev_timer_start(loop, &redis->tick);
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
    (void)context;
    assert(redis->oldest == asked);
    redis->oldest = asked->next;
    if (redis->oldest == NULL)
        redis->newest = NULL;
    put_back(redis, asked);
    if (answer != NULL)
        metrics_observe(metrics.duration, (uint64_t)(clock_monotonic() - copy.asked_at));
    copy.answer(copy.owner, answer);
}

bool redis_ask(struct redis *redis, const struct redis_command *command, redis_answer *answer,
               void *owner)
{
    if (!redis->up)
        return false;
    struct asked *asked = take_asked(redis);
    if (asked == NULL)
        return false;
    *asked = (struct asked){answer, owner, redis, clock_monotonic(), NULL};
    if (redisAsyncCommandArgv(redis->context, on_answer, asked, command->count,
                              (const char **)(uintptr_t)command->words,
                              command->lengths) != REDIS_OK) {
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

void redis_set_timeout(struct redis *redis, int64_t timeout_us)
{
    redis->settings.timeout_us = timeout_us;
}

bool redis_is_up(const struct redis *redis)
{
    return redis->up;
}
