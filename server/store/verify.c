#include "store/verify.h"

#include <hiredis/hiredis.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Each question answers one row: looked_at, broken, the first broken one as text. */
static const struct invariant {
    const char *name;
    const char *what;
    const char *sql; /* NULL: not of the database */
} invariants[] = {
    {"1 zero sum", "the postings of each transaction sum to zero, and so do all balances",
     "with t as (select transaction_id, sum(amount) s, count(*) n from postings group by 1), "
     "bad as (select 'transaction ' || transaction_id as x from t where s <> 0 or n < 2 "
     "union all select 'transaction without postings ' || id from transactions x "
     "where not exists (select from t where t.transaction_id = x.id) "
     "union all select 'posting without transaction ' || transaction_id from t "
     "where not exists (select from transactions x where x.id = t.transaction_id) "
     "union all select 'currency ' || currency || ' sums to ' || sum(posted) from accounts "
     "group by currency having sum(posted) <> 0) "
     "select (select count(*) from t), count(*), min(x) from bad"},
    {"2 balances",
     "posted is the sum of postings and stands with the last one; versions are gapless",
     "with p as (select account, sum(amount) s, count(*) n, max(version) v, "
     "(array_agg(posted_after order by version desc))[1] last from postings group by 1), "
     "chain as (select account, version, posted_after, amount, lag(posted_after, 1, 0::bigint) "
     "over (partition by account order by version) before from postings), "
     "bad as (select 'account ' || a.id as x from accounts a left join p on p.account = a.id "
     "where a.posted <> coalesce(p.s, 0) or a.version <> coalesce(p.v, 0) "
     "or coalesce(p.n, 0) <> coalesce(p.v, 0) or a.posted <> coalesce(p.last, 0) "
     "union all select 'posting of no account ' || account from p "
     "where not exists (select from accounts a where a.id = p.account) "
     "union all select 'posting ' || account || ' version ' || version from chain "
     "where posted_after <> before + amount) "
     "select (select count(*) from accounts), count(*), min(x) from bad"},
    {"3 floors", "no account under its floor, at no version; held is the sum of open holds",
     "with bad as (select 'account ' || id as x from accounts where posted - held < floor or held "
     "<> 0 "
     "union all select 'posting ' || p.account || ' version ' || p.version from postings p "
     "join accounts a on a.id = p.account where p.posted_after - p.held_after < a.floor) "
     "select (select count(*) from postings), count(*), min(x) from bad"},
    {"4 keys",
     "every transaction has its key, every key its transaction; a refused key moved nothing",
     "with bad as (select 'key ' || key || ' without its transaction' as x from idempotency i "
     "where transaction_id is not null "
     "and not exists (select from transactions t where t.id = i.transaction_id) "
     "union all select 'transaction without key ' || id from transactions t "
     "where not exists (select from idempotency i where i.transaction_id = t.id) "
     "union all select 'transaction of two keys ' || transaction_id from idempotency "
     "where transaction_id is not null group by transaction_id having count(*) > 1 "
     "union all select 'refused key ' || key || ' has a transaction' from idempotency "
     "where status >= 400 and transaction_id is not null) "
     "select (select count(*) from idempotency), count(*), min(x) from bad"},
    {"5 unchanged", "nobody may change transactions or postings: privileges and triggers",
     "with parts as (select c.oid::regclass as part from pg_class c where c.relkind in ('r', 'p') "
     "and "
     "c.oid in (select 'transactions'::regclass union select 'postings'::regclass union "
     "select inhrelid from pg_inherits where inhparent in "
     "('transactions'::regclass, 'postings'::regclass))), "
     "bad as (select 'moolah_server may change ' || part as x from parts where "
     "has_table_privilege('moolah_server', part, 'UPDATE') or "
     "has_table_privilege('moolah_server', part, 'DELETE') or "
     "has_table_privilege('moolah_server', part, 'TRUNCATE') "
     "union all select 'no trigger guards ' || part from parts where not exists (select from "
     "pg_trigger g "
     "where g.tgrelid = part and g.tgname like '%_never_change' and g.tgenabled in ('O', 'A'))) "
     "select (select count(*) from parts), count(*), min(x) from bad"},
    {"6 cache", "every access token in Redis is an open sign-in or key of the database", NULL},
    {"7 own writes", "whoever got an answer reads it: balances are read from the database alone",
     "select 0, 0, null"},
    {"8 limits", "limit counters equal their postings: this schema keeps none yet",
     "select 0, 0, null"},
};

static bool fail(struct verify *verify, const char *what)
{
    snprintf(verify->error, sizeof verify->error, "%s", what);
    char *end = strchr(verify->error, '\n');
    if (end != NULL)
        *end = '\0';
    return false;
}

static bool ask(PGconn *conn, const char *sql, struct verify_line *line, struct verify *verify)
{
    PGresult *answer = PQexec(conn, sql);
    bool good = PQresultStatus(answer) == PGRES_TUPLES_OK;
    if (good) {
        line->looked_at = strtoll(PQgetvalue(answer, 0, 0), NULL, 10);
        line->broken = strtoll(PQgetvalue(answer, 0, 1), NULL, 10);
        snprintf(line->first, sizeof line->first, "%s", PQgetvalue(answer, 0, 2));
    } else {
        fail(verify, PQresultErrorMessage(answer));
    }
    PQclear(answer);
    return good;
}

static redisContext *open_redis(const char *address)
{
    char host[128];
    const char *at = strchr(address, '@');
    redisContext *redis = NULL;
    const char *place = at == NULL ? address : at + 1;
    const char *colon = strrchr(place, ':');
    if (strncmp(place, "unix:", 5) == 0) {
        redis = redisConnectUnix(place + 5);
    } else if (colon != NULL && (size_t)(colon - place) < sizeof host) {
        memcpy(host, place, (size_t)(colon - place));
        host[colon - place] = '\0';
        redis = redisConnect(host, (int)strtol(colon + 1, NULL, 10));
    }
    if (redis != NULL && redis->err == 0 && at != NULL)
        freeReplyObject(redisCommand(redis, "AUTH %b", address, (size_t)(at - address)));
    return redis;
}

/* "{<caller>}:token:<hash>" with a value that lets somebody in: is it open in the database? */
static void check_token(PGconn *conn, redisContext *redis, const char *key,
                        struct verify_line *line)
{
    const char *hash = strrchr(key, ':') + 1;
    const char *values[] = {hash};
    redisReply *value = redisCommand(redis, "GET %s", key);
    bool lets_in = value != NULL && value->type == REDIS_REPLY_STRING && value->len == 33;
    freeReplyObject(value);
    if (!lets_in)
        return;
    PGresult *answer =
        PQexecParams(conn,
                     "select exists (select from sign_ins where token_hash = decode($1, 'hex') and "
                     "revoked_at is null) or exists (select from api_keys where "
                     "key_hash = decode($1, 'hex') and revoked_at is null)",
                     1, NULL, values, NULL, NULL, 0);
    bool open = PQntuples(answer) == 1 && PQgetvalue(answer, 0, 0)[0] == 't';
    PQclear(answer);
    line->looked_at++;
    if (!open && line->broken++ == 0)
        snprintf(line->first, sizeof line->first, "%.150s lets somebody in", key);
}

static bool check_cache(PGconn *conn, const char *address, struct verify_line *line)
{
    redisContext *redis = address == NULL ? NULL : open_redis(address);
    char cursor[32] = "0";
    line->checked = redis != NULL && redis->err == 0;
    while (line->checked) {
        redisReply *page = redisCommand(redis, "SCAN %s MATCH {*}:token:* COUNT 1000", cursor);
        line->checked = page != NULL && page->type == REDIS_REPLY_ARRAY && page->elements == 2;
        for (size_t i = 0; line->checked && i < page->element[1]->elements; i++)
            check_token(conn, redis, page->element[1]->element[i]->str, line);
        snprintf(cursor, sizeof cursor, "%s", line->checked ? page->element[0]->str : "0");
        freeReplyObject(page);
        if (strcmp(cursor, "0") == 0)
            break;
    }
    if (redis != NULL)
        redisFree(redis);
    return true;
}

bool verify_run(struct verify *verify)
{
    PGconn *conn = PQconnectdb(verify->conninfo);
    bool good = PQstatus(conn) == CONNECTION_OK;
    if (!good)
        fail(verify, PQerrorMessage(conn));
    else
        PQclear(PQexec(conn, "begin isolation level repeatable read read only; "
                             "set local work_mem = '256MB'"));
    for (size_t i = 0; good && i < sizeof invariants / sizeof invariants[0]; i++) {
        struct verify_line line = {.name = invariants[i].name, .what = invariants[i].what};
        line.checked = invariants[i].sql != NULL;
        good = line.checked ? ask(conn, invariants[i].sql, &line, verify)
                            : check_cache(conn, verify->redis, &line);
        if (good)
            verify->tell(verify->owner, &line);
    }
    PQfinish(conn);
    return good;
}
