#include "store/probe.h"

#include <hiredis/hiredis.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#define PATIENCE_S 5

/* The first line; false, for the caller to return. */
static bool say(char *error, size_t size, const char *what)
{
    snprintf(error, size, "%.*s", (int)strcspn(what, "\n"), what);
    return false;
}

bool probe_conninfo(const char *conninfo, char *error, size_t size)
{
    char *complaint = NULL;
    PQconninfoOption *options = PQconninfoParse(conninfo, &complaint);
    bool good = options != NULL;
    if (!good)
        say(error, size, complaint == NULL ? "out of memory" : complaint);
    PQconninfoFree(options);
    PQfreemem(complaint);
    return good;
}

/* Behind the password. */
static const char *place_of(const char *address)
{
    const char *at = strchr(address, '@');
    return at == NULL ? address : at + 1;
}

bool probe_redis_address(const char *address)
{
    const char *place = place_of(address);
    const char *colon = strrchr(place, ':');
    char *end;
    if (strncmp(place, "unix:", 5) == 0)
        return place[5] == '/';
    if (colon == NULL || colon == place || colon[1] < '1' || colon[1] > '9')
        return false;
    return strtol(colon + 1, &end, 10) <= 65535 && *end == '\0';
}

bool probe_database(const char *conninfo, char *error, size_t size)
{
    static const char *const names[] = {"dbname", "connect_timeout", NULL};
    const char *const values[] = {conninfo, "5", NULL};
    PGconn *conn = PQconnectdbParams(names, values, 1);
    bool good = PQstatus(conn) == CONNECTION_OK;
    if (!good)
        say(error, size, PQerrorMessage(conn));
    PQfinish(conn);
    return good;
}

static redisContext *open_redis(const char *place)
{
    const struct timeval patience = {.tv_sec = PATIENCE_S};
    char host[128];
    const char *colon = strrchr(place, ':');
    if (strncmp(place, "unix:", 5) == 0)
        return redisConnectUnixWithTimeout(place + 5, patience);
    snprintf(host, sizeof host, "%.*s", (int)(colon - place), place);
    return redisConnectWithTimeout(host, (int)strtol(colon + 1, NULL, 10), patience);
}

static bool says_hello(redisContext *redis, const char *address, char *error, size_t size)
{
    const char *at = strchr(address, '@');
    redisReply *reply = NULL;
    redisSetTimeout(redis, (struct timeval){.tv_sec = PATIENCE_S});
    if (at != NULL) {
        reply = redisCommand(redis, "AUTH %b", address, (size_t)(at - address));
        bool wrong = reply != NULL && reply->type == REDIS_REPLY_ERROR;
        if (wrong)
            say(error, size, reply->str);
        freeReplyObject(reply);
        if (wrong)
            return false;
    }
    reply = redisCommand(redis, "PING");
    bool good = reply != NULL && reply->type == REDIS_REPLY_STATUS;
    if (!good)
        say(error, size, reply != NULL ? reply->str : redis->errstr);
    freeReplyObject(reply);
    return good;
}

bool probe_redis(const char *address, char *error, size_t size)
{
    if (!probe_redis_address(address))
        return say(error, size, "the address can't be read");
    redisContext *redis = open_redis(place_of(address));
    bool good = redis != NULL && redis->err == 0;
    if (!good)
        say(error, size, redis == NULL ? "out of memory" : redis->errstr);
    good = good && says_hello(redis, address, error, size);
    if (redis != NULL)
        redisFree(redis);
    return good;
}
