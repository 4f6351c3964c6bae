#include "benchmarks/chaos.h"

#include <hiredis/hiredis.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#define FIRST_S 2.
#define GAP_S 5.    /* from one fault to the next, at least */
#define TAIL_S 3.   /* from the last one to the end */
#define BREATH_S 2. /* right answers flow again, before the next one strikes */
#define SILENT_S 1. /* so long without one: they don't flow */
#define PATIENCE_S 60.

static const char *const kinds[] = {"worker -9", "Redis FLUSHALL", "Redis -9",
                                    "PostgreSQL immediate", "master -9"};

#define KINDS ((int)(sizeof kinds / sizeof kinds[0]))

void chaos_plan(struct chaos *chaos, const struct site *site, double seconds)
{
    memset(chaos, 0, sizeof *chaos);
    chaos->site = site;
    chaos->seconds = seconds;
    for (double at = FIRST_S; at <= seconds - TAIL_S && chaos->count < CHAOS_FAULTS_MAX;
         at += GAP_S) {
        chaos->faults[chaos->count] =
            (struct chaos_fault){.second = at, .what = kinds[chaos->count % KINDS], .first = NAN};
        chaos->count++;
    }
}

static bool flush_redis(const struct site *site)
{
    redisContext *redis = redisConnectUnix(site->redis + 5);
    redisReply *reply = NULL;
    if (redis != NULL && redis->err == 0)
        reply = redisCommand(redis, "FLUSHALL");
    bool done = reply != NULL && reply->type == REDIS_REPLY_STATUS;
    freeReplyObject(reply);
    if (redis != NULL)
        redisFree(redis);
    return done;
}

static bool send_signal(pid_t pid, int number)
{
    return pid > 1 && kill(pid, number) == 0;
}

static bool strike(const struct chaos *chaos, const char *what)
{
    const struct site *site = chaos->site;
    if (strcmp(what, kinds[0]) == 0)
        return send_signal(site_child(site, SITE_MOOLAHD, 0), SIGKILL);
    if (strcmp(what, kinds[1]) == 0)
        return flush_redis(site);
    if (strcmp(what, kinds[2]) == 0)
        return send_signal(site_pid(site, SITE_REDIS), SIGKILL);
    if (strcmp(what, kinds[3]) == 0)
        return send_signal(site_pid(site, SITE_POSTGRES), SIGQUIT);
    return send_signal(site_pid(site, SITE_MOOLAHD), SIGKILL);
}

static struct chaos_fault *last_of(struct chaos *chaos)
{
    return chaos->struck == 0 ? NULL : &chaos->faults[chaos->struck - 1];
}

struct chaos_fault *chaos_due(struct chaos *chaos, double second)
{
    const struct chaos_fault *last = last_of(chaos);
    struct chaos_fault *next = &chaos->faults[chaos->struck];
    if (chaos->struck == chaos->count || second < next->second)
        return NULL;
    if (last == NULL)
        return next;
    bool over = second >= last->second + last->first + BREATH_S; /* not of a NaN */
    return over && second - chaos->last_right < SILENT_S ? next : NULL;
}

void chaos_strike(struct chaos *chaos, double second)
{
    struct chaos_fault *fault = &chaos->faults[chaos->struck];
    chaos_end(chaos, second); /* of the one before */
    chaos->struck++;
    fault->done = true;
    fault->second = second;
}

void chaos_tick(struct chaos *chaos, double second)
{
    const struct chaos_fault *fault = chaos_due(chaos, second);
    if (fault == NULL || !strike(chaos, fault->what))
        return;
    chaos_strike(chaos, second);
    fprintf(stderr, "  %.1f s: %s\n", second, fault->what);
}

void chaos_end(struct chaos *chaos, double second)
{
    struct chaos_fault *last = last_of(chaos);
    if (last != NULL)
        last->silence = fmax(last->silence, second - fmax(chaos->last_right, last->second));
}

void chaos_right(struct chaos *chaos, double began, double answered)
{
    struct chaos_fault *last = last_of(chaos);
    chaos_end(chaos, answered);
    if (last != NULL && isnan(last->first) && began >= last->second)
        last->first = answered - last->second;
    chaos->last_right = fmax(chaos->last_right, answered);
}

bool chaos_wants_more(const struct chaos *chaos, double second)
{
    if (chaos->count == 0 || second > chaos->seconds + PATIENCE_S)
        return false;
    const struct chaos_fault *last = &chaos->faults[chaos->count - 1];
    return !last->done || isnan(last->first) || second < last->second + TAIL_S ||
           second - chaos->last_right > SILENT_S;
}

const struct chaos_fault *chaos_failed(const struct chaos *chaos)
{
    for (int i = 0; i < chaos->count; i++)
        if (isnan(chaos->faults[i].first)) /* of one that never struck, too */
            return &chaos->faults[i];
    return NULL;
}
