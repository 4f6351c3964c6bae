#include "store/verify_cache.h"

#include <hiredis/hiredis.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>

#include "base/bytes.h"
#include "base/memory.h"
#include "store/redis_address.h"
#include "store/verify.h"

/* As gate.c writes it: 'U' or 'P', 16 bytes of user or partner, 16 of sign-in or key. */
#define VALUE_SIZE 33

/* Of a copy: version, revision, posted, held (cache_entry.c). */
#define COPY_SIZE 32

/* A copy in the cache may outlive its token by a minute (gate.h): that is no fault. */
static const char find_strangers[] =
    "with said as (select * from unnest($1::text[], $2::text[]) as u(hash, value)), "
    "told as (select hash, decode(hash, 'hex') as token, substr(value, 1, 2) as kind, "
    "substr(value, 3, 32)::uuid as caller, substr(value, 35, 32)::uuid as id from said), "
    "strange as (select hash from told t where not exists (select from sign_ins s "
    "where t.kind = '55' and s.token_hash = t.token and s.user_id = t.caller and s.id = t.id "
    "and coalesce(s.revoked_at, 'infinity') > now() - interval '1 minute' "
    "and s.expires_at > now() - interval '1 minute') "
    "and not exists (select from api_keys k join partners p on p.id = k.partner "
    "where t.kind = '50' and k.key_hash = t.token and k.partner = t.caller and k.id = t.id "
    "and coalesce(k.revoked_at, 'infinity') > now() - interval '1 minute' "
    "and coalesce(p.disabled_at, 'infinity') > now() - interval '1 minute')) "
    "select count(*), min(hash) from strange";

/* A copy may be older than its wallet (it is refused then), never newer; and what it says of a
 * version is what the posting of that version left. A page's copy says no balance. */
static const char find_wrong_copies[] =
    "with said as (select key, substr(key, 2, 32)::uuid as id, "
    "('x' || substr(value, 1, 16))::bit(64)::bigint as version, "
    "case when key like '%:balance' then ('x' || substr(value, 33, 16))::bit(64)::bigint end "
    "as posted, ('x' || substr(value, 49, 16))::bit(64)::bigint as held "
    "from unnest($1::text[], $2::text[]) as u(key, value)), "
    "wrong as (select key from said s left join accounts a on a.id = s.id "
    "left join postings p on p.account = s.id and p.version = s.version "
    "where a.id is null or s.version > a.version or s.version < 0 "
    "or s.posted <> coalesce(p.posted_after, 0) "
    "or (s.posted is not null and s.held <> coalesce(p.held_after, 0))) "
    "select count(*), min(key) from wrong";

/* What is looked for in Redis, a page of keys at a time. */
struct look {
    const char *pattern;
    const char *sql;   /* of two text arrays: names and values */
    const char *wrong; /* what the first broken one is said to do */
    bool (*take)(struct bytes *names, struct bytes *values, const redisReply *key,
                 const redisReply *value);
};

/* One page, as PostgreSQL's text arrays. */
struct page {
    struct bytes names;
    struct bytes values;
    int count;
};

static void skip(struct verify_line *line, const char *why, const char *detail)
{
    line->checked = false;
    snprintf(line->reason, sizeof line->reason, "%s%.100s", why, detail);
    char *end = strchr(line->reason, '\n');
    if (end != NULL)
        *end = '\0';
}

static redisContext *open_redis(const char *text)
{
    struct redis_address address;
    const struct timeval patience = {.tv_sec = 5};
    redisContext *redis = NULL;
    if (redis_address_parse(text, &address))
        redis = address.path[0] == '\0'
                    ? redisConnectWithTimeout(address.host, address.port, patience)
                    : redisConnectUnixWithTimeout(address.path, patience);
    if (redis != NULL && redis->err == 0)
        redisSetTimeout(redis, patience);
    if (redis != NULL && redis->err == 0 && address.has_password)
        freeReplyObject(redisCommand(redis, "AUTH %s %s", address.user, address.password));
    memory_wipe(&address, sizeof address);
    return redis;
}

static void add_element(struct bytes *array, const void *data, size_t length, bool hex)
{
    bytes_add_char(array, array->length == 0 ? '{' : ',');
    if (hex)
        bytes_add_hex(array, data, length);
    else
        bytes_add(array, data, length);
}

/* "{<caller>}:token:<hash>" with a value that lets somebody in. */
static bool take_token(struct bytes *names, struct bytes *values, const redisReply *key,
                       const redisReply *value)
{
    const char *colon = strrchr(key->str, ':');
    if (value->type != REDIS_REPLY_STRING || value->len != VALUE_SIZE || colon == NULL ||
        strspn(colon + 1, "0123456789abcdef") != 64 || colon[65] != '\0')
        return false;
    add_element(names, colon + 1, 64, false);
    add_element(values, value->str, VALUE_SIZE, true);
    return true;
}

/* "{<wallet>}:balance" or "{<wallet>}:page" with a head (cache_entry.h). */
static bool take_copy(struct bytes *names, struct bytes *values, const redisReply *key,
                      const redisReply *value)
{
    if (value->type != REDIS_REPLY_STRING || value->len < COPY_SIZE ||
        strspn(key->str + 1, "0123456789abcdef") != 32 || key->str[33] != '}')
        return false;
    bytes_add_char(names, names->length == 0 ? '{' : ',');
    bytes_printf(names, "\"%s\"", key->str);
    add_element(values, value->str, COPY_SIZE, true);
    return true;
}

static const struct look looks[] = {
    {"{*}:token:*", find_strangers, "lets a stranger in", take_token},
    {"{*}:balance", find_wrong_copies, "is not what was booked", take_copy},
    {"{*}:page", find_wrong_copies, "is not what was booked", take_copy},
};

/* The beginnings of a page's values in one round trip: of a huge one, too. */
static bool read_values(redisContext *redis, const struct look *look, const redisReply *keys,
                        struct page *page)
{
    bool good = true;
    for (size_t i = 0; good && i < keys->elements; i++)
        good = redisAppendCommand(redis, "GETRANGE %s 0 63", keys->element[i]->str) == REDIS_OK;
    for (size_t i = 0; good && i < keys->elements; i++) {
        void *value = NULL;
        good = redisGetReply(redis, &value) == REDIS_OK;
        if (good)
            page->count += look->take(&page->names, &page->values, keys->element[i], value);
        freeReplyObject(value);
    }
    bytes_add_char(&page->names, '}');
    bytes_add_char(&page->values, '}');
    return good && !page->names.failed && !page->values.failed;
}

static bool look_up(PGconn *conn, const struct look *look, struct page *page,
                    struct verify_line *line)
{
    bytes_add_char(&page->names, '\0');
    bytes_add_char(&page->values, '\0');
    const char *params[] = {page->names.at, page->values.at};
    if (page->names.failed || page->values.failed)
        return false;
    PGresult *answer = PQexecParams(conn, look->sql, 2, NULL, params, NULL, NULL, 0);
    bool good = PQresultStatus(answer) == PGRES_TUPLES_OK;
    int64_t wrong = good ? strtoll(PQgetvalue(answer, 0, 0), NULL, 10) : 0;
    if (wrong > 0 && line->broken == 0)
        snprintf(line->first, sizeof line->first, "the cached %s%s %s",
                 look->take == take_token ? "token " : "", PQgetvalue(answer, 0, 1), look->wrong);
    line->looked_at += page->count;
    line->broken += wrong;
    PQclear(answer);
    return good;
}

static bool check_page(PGconn *conn, redisContext *redis, const struct look *look,
                       const redisReply *keys, struct verify_line *line)
{
    struct page page = {.count = 0};
    bytes_init(&page.names, NULL);
    bytes_init(&page.values, NULL);
    bool good = read_values(redis, look, keys, &page);
    if (good && page.count > 0)
        good = look_up(conn, look, &page, line);
    bytes_release(&page.names);
    bytes_release(&page.values);
    return good;
}

/* False: one of the two could not be asked. */
static bool scan(PGconn *conn, redisContext *redis, const struct look *look,
                 struct verify_line *line)
{
    char cursor[32] = "0";
    bool good = true;
    do {
        redisReply *reply =
            redisCommand(redis, "SCAN %s MATCH %s COUNT 1000", cursor, look->pattern);
        good = reply != NULL && reply->type == REDIS_REPLY_ARRAY && reply->elements == 2 &&
               check_page(conn, redis, look, reply->element[1], line);
        if (good)
            snprintf(cursor, sizeof cursor, "%s", reply->element[0]->str);
        else if (reply != NULL && reply->type == REDIS_REPLY_ERROR)
            skip(line, "Redis: ", reply->str);
        freeReplyObject(reply);
    } while (good && strcmp(cursor, "0") != 0);
    return good;
}

static bool scan_all(PGconn *conn, redisContext *redis, struct verify_line *line)
{
    bool good = true;
    for (size_t i = 0; good && i < sizeof looks / sizeof looks[0]; i++)
        good = scan(conn, redis, &looks[i], line);
    return good;
}

void verify_cache_check(const char *conninfo, const char *address, struct verify_line *line)
{
    if (address == NULL) {
        skip(line, "no Redis was given", "");
        return;
    }
    redisContext *redis = open_redis(address);
    PGconn *conn = PQconnectdb(conninfo);
    if (redis == NULL || redis->err != 0)
        skip(line, "Redis can't be reached: ", redis == NULL ? "no such address" : redis->errstr);
    else if (PQstatus(conn) != CONNECTION_OK)
        skip(line, "", PQerrorMessage(conn));
    else if (!scan_all(conn, redis, line) && line->reason[0] == '\0')
        skip(line, "it could not be read to its end: ",
             redis->err != 0 ? redis->errstr : PQerrorMessage(conn));
    PQfinish(conn);
    redisFree(redis);
}
