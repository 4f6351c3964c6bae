#include "benchmarks/chaos.h"

#include <hiredis/hiredis.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#define GAP_S 4. /* from one fault to the next */

static const char *const kinds[] = {"worker -9", "Redis FLUSHALL", "Redis -9",
                                    "PostgreSQL immediate", "master -9"};

void chaos_plan(struct chaos *chaos, const struct site *site, double seconds)
{
    memset(chaos, 0, sizeof *chaos);
    chaos->site = site;
    for (double at = 2; at < seconds - 1 && chaos->count < CHAOS_FAULTS_MAX; at += GAP_S) {
        chaos->faults[chaos->count].second = at;
        chaos->faults[chaos->count].what = kinds[chaos->count % 5];
        chaos->count++;
    }
}

static void flush_redis(const struct site *site)
{
    redisContext *redis = redisConnectUnix(site->redis + 5);
    if (redis != NULL && redis->err == 0)
        freeReplyObject(redisCommand(redis, "FLUSHALL"));
    if (redis != NULL)
        redisFree(redis);
}

static void send_signal(pid_t pid, int number)
{
    if (pid > 1)
        kill(pid, number);
}

static void strike(const struct chaos *chaos, const char *what)
{
    const struct site *site = chaos->site;
    if (strcmp(what, kinds[0]) == 0)
        send_signal(site_child(site, SITE_MOOLAHD, 0), SIGKILL);
    else if (strcmp(what, kinds[1]) == 0)
        flush_redis(site);
    else if (strcmp(what, kinds[2]) == 0)
        send_signal(site_pid(site, SITE_REDIS), SIGKILL);
    else if (strcmp(what, kinds[3]) == 0)
        send_signal(site_pid(site, SITE_POSTGRES), SIGQUIT);
    else
        send_signal(site_pid(site, SITE_MOOLAHD), SIGKILL);
}

void chaos_tick(struct chaos *chaos, double second)
{
    for (int i = 0; i < chaos->count; i++) {
        struct chaos_fault *fault = &chaos->faults[i];
        if (fault->done || fault->second > second)
            continue;
        fault->done = true;
        fprintf(stderr, "  %s\n", fault->what);
        strike(chaos, fault->what);
    }
}
