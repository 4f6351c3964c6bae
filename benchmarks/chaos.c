#include "benchmarks/chaos.h"

#include <hiredis/hiredis.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#define FIRST_S 2.
#define GAP_S 4. /* from one fault to the next */

static const char *const kinds[] = {"worker -9", "Redis FLUSHALL", "Redis -9",
                                    "PostgreSQL immediate", "master -9"};

#define KINDS ((int)(sizeof kinds / sizeof kinds[0]))

void chaos_plan(struct chaos *chaos, const struct site *site, double seconds)
{
    memset(chaos, 0, sizeof *chaos);
    chaos->site = site;
    for (double at = FIRST_S; at < seconds - 1 && chaos->count < CHAOS_FAULTS_MAX; at += GAP_S) {
        chaos->faults[chaos->count].second = at;
        chaos->faults[chaos->count].what = kinds[chaos->count % KINDS];
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

void chaos_tick(struct chaos *chaos, double second)
{
    for (int i = 0; i < chaos->count; i++) {
        struct chaos_fault *fault = &chaos->faults[i];
        if (fault->done)
            continue;
        if (fault->second > second || !strike(chaos, fault->what))
            return;
        fault->done = true;
        fault->second = second;
        fprintf(stderr, "  %s\n", fault->what);
    }
}

const struct chaos_fault *chaos_missed(const struct chaos *chaos)
{
    for (int i = 0; i < chaos->count; i++)
        if (!chaos->faults[i].done)
            return &chaos->faults[i];
    return NULL;
}
