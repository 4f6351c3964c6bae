#include "store/webhooks.h"

#include <assert.h>

#include "base/arena.h"
#include "store/pg_params.h"
#include "store/pg_rows.h"

#define COLUMNS "id, url, kinds, description, status, created_at, ended_at, previous_until"

static const struct pg_statement create = {
    "webhooks_create",
    "insert into webhooks (id, partner, url, kinds, description, secret, created_at) "
    "select $1::uuid, $2::uuid, $3::text, $4::bigint, $5::text, $6::bytea, $7::timestamptz "
    "where (select count(*) from webhooks where partner = $2::uuid and status < 3) < $8::integer "
    "returning " COLUMNS};
static const struct pg_statement list = {
    "webhooks_list", "select " COLUMNS " from webhooks where partner = $1::uuid and status < 3 "
                     "and ($2::uuid is null or id < $2::uuid) order by id desc limit $3::integer"};
static const struct pg_statement find = {
    "webhooks_find", "select " COLUMNS " from webhooks "
                     "where id = $1::uuid and partner = $2::uuid and status < 3"};
static const struct pg_statement drop = {
    "webhooks_delete", "update webhooks set status = 3, ended_at = coalesce(ended_at, now()) "
                       "where id = $1::uuid and partner = $2::uuid and status < 3 "
                       "returning " COLUMNS};
static const struct pg_statement rotate = {
    "webhooks_rotate", "update webhooks set previous_secret = secret, secret = $3::bytea, "
                       "previous_until = now() + interval '1 day' "
                       "where id = $1::uuid and partner = $2::uuid and status = 1 "
                       "returning " COLUMNS};
static const struct pg_statement replay = {
    "webhooks_replay",
    "with w as (select " COLUMNS " from webhooks where id = $1::uuid and partner = $2::uuid "
    "and status = 1), "
    "wish as (insert into webhook_replays as r (webhook, after, until) "
    "select id, $3::uuid, $4::uuid from w on conflict (webhook) do update "
    "set after = least(r.after, excluded.after), until = greatest(r.until, excluded.until)) "
    "select * from w"};

/* An own webhook has one row at least: without an event when there was none. */
static const struct pg_statement past = {
    "webhooks_log",
    "select d.event, t.kind, d.status, d.attempts, d.last_at, d.last_status, d.last_error, d.due, "
    "d.created_at from webhooks w left join lateral (select * from webhook_deliveries "
    "where webhook = w.id and ($3::uuid is null or event < $3::uuid) "
    "order by event desc limit $4::integer) d on true "
    "left join lateral (select kind from transactions where id = d.event offset 0) t on true "
    "where w.id = $1::uuid and w.partner = $2::uuid and w.status < 3"};

const struct pg_statement *const webhooks_statements[] = {&create, &list,   &find, &drop,
                                                          &rotate, &replay, &past, NULL};

static int64_t take_time(const struct pg_rows *rows, int row, int column)
{
    return pg_rows_is_null(rows, row, column) ? 0 : pg_rows_time(rows, row, column);
}

static void take_webhooks(struct webhooks_question *q, const struct pg_rows *rows)
{
    size_t count = (size_t)pg_rows_count(rows);
    q->webhooks = arena_array(q->arena, count, sizeof q->webhooks[0]);
    if (q->webhooks == NULL)
        q->outcome = PG_UNAVAILABLE;
    q->webhook_count = q->webhooks == NULL ? 0 : count;
    for (int i = 0; i < (int)q->webhook_count; i++) {
        struct webhook *w = &q->webhooks[i];
        *w = (struct webhook){
            .id = pg_rows_uuid(rows, i, 0),
            .kinds = pg_rows_int(rows, i, 2),
            .status = (enum webhook_status)pg_rows_int(rows, i, 4),
            .created_at = pg_rows_time(rows, i, 5),
            .ended_at = take_time(rows, i, 6),
            .previous_until = take_time(rows, i, 7),
        };
        if (!pg_rows_take_text(rows, i, 1, q->arena, &w->url) ||
            !pg_rows_take_text(rows, i, 3, q->arena, &w->description))
            q->outcome = PG_UNAVAILABLE;
    }
}

static void on_webhooks(void *owner, enum pg_outcome outcome, const struct pg_rows *rows)
{
    struct webhooks_question *q = owner;
    q->outcome = outcome;
    q->webhook_count = 0;
    if (outcome == PG_OK)
        take_webhooks(q, rows);
    q->found = q->webhook_count > 0;
    q->done(q);
}

static void take_log(struct webhooks_question *q, const struct pg_rows *rows)
{
    size_t count = (size_t)pg_rows_count(rows);
    q->found = count > 0;
    if (count == 1 && pg_rows_is_null(rows, 0, 0))
        count = 0;
    q->deliveries = arena_array(q->arena, count, sizeof q->deliveries[0]);
    if (q->deliveries == NULL)
        q->outcome = PG_UNAVAILABLE;
    q->delivery_count = q->deliveries == NULL ? 0 : count;
    for (int i = 0; i < (int)q->delivery_count; i++) {
        struct webhooks_delivery *d = &q->deliveries[i];
        *d = (struct webhooks_delivery){
            .event = pg_rows_uuid(rows, i, 0),
            .kind = pg_rows_is_null(rows, i, 1) ? 0 : (int)pg_rows_int(rows, i, 1),
            .status = (int)pg_rows_int(rows, i, 2),
            .attempts = (int)pg_rows_int(rows, i, 3),
            .last_at = take_time(rows, i, 4),
            .last_status = pg_rows_is_null(rows, i, 5) ? 0 : (int)pg_rows_int(rows, i, 5),
            .due = take_time(rows, i, 7),
            .created_at = pg_rows_time(rows, i, 8),
        };
        if (!pg_rows_take_text(rows, i, 6, q->arena, &d->last_error))
            q->outcome = PG_UNAVAILABLE;
    }
}

static void on_log(void *owner, enum pg_outcome outcome, const struct pg_rows *rows)
{
    struct webhooks_question *q = owner;
    q->outcome = outcome;
    q->found = false;
    q->delivery_count = 0;
    if (outcome == PG_OK)
        take_log(q, rows);
    q->done(q);
}

static struct slice sealed_slice(const uint8_t sealed[WEBHOOKS_SEALED_SIZE])
{
    return (struct slice){(const char *)sealed, WEBHOOKS_SEALED_SIZE};
}

bool webhooks_create(struct pg_pool *pool, const struct webhook *fresh, const struct uuid *partner,
                     const uint8_t sealed[WEBHOOKS_SEALED_SIZE], struct webhooks_question *q)
{
    struct pg_params params;
    pg_params_init(&params, q->arena);
    pg_params_uuid(&params, &fresh->id);
    pg_params_uuid(&params, partner);
    pg_params_text(&params, fresh->url);
    pg_params_bigint(&params, fresh->kinds);
    pg_params_text(&params, fresh->description);
    pg_params_text(&params, sealed_slice(sealed));
    pg_params_time(&params, fresh->created_at);
    pg_params_integer(&params, WEBHOOKS_PER_PARTNER);
    return pg_pool_ask(pool, &create, &params, on_webhooks, q);
}

bool webhooks_list(struct pg_pool *pool, const struct uuid *partner, const struct uuid *before,
                   int limit, struct webhooks_question *q)
{
    struct pg_params params;
    assert(limit >= 1 && limit <= 100);
    pg_params_init(&params, q->arena);
    pg_params_uuid(&params, partner);
    pg_params_uuid(&params, before);
    pg_params_integer(&params, limit + 1);
    return pg_pool_ask(pool, &list, &params, on_webhooks, q);
}

static void begin_own(struct pg_params *params, const struct uuid *id, const struct uuid *partner,
                      struct webhooks_question *q)
{
    pg_params_init(params, q->arena);
    pg_params_uuid(params, id);
    pg_params_uuid(params, partner);
}

bool webhooks_find(struct pg_pool *pool, const struct uuid *id, const struct uuid *partner,
                   struct webhooks_question *q)
{
    struct pg_params params;
    begin_own(&params, id, partner, q);
    return pg_pool_ask(pool, &find, &params, on_webhooks, q);
}

bool webhooks_delete(struct pg_pool *pool, const struct uuid *id, const struct uuid *partner,
                     struct webhooks_question *q)
{
    struct pg_params params;
    begin_own(&params, id, partner, q);
    return pg_pool_ask(pool, &drop, &params, on_webhooks, q);
}

bool webhooks_rotate(struct pg_pool *pool, const struct uuid *id, const struct uuid *partner,
                     const uint8_t sealed[WEBHOOKS_SEALED_SIZE], struct webhooks_question *q)
{
    struct pg_params params;
    begin_own(&params, id, partner, q);
    pg_params_text(&params, sealed_slice(sealed));
    return pg_pool_ask(pool, &rotate, &params, on_webhooks, q);
}

bool webhooks_replay(struct pg_pool *pool, const struct uuid *id, const struct uuid *partner,
                     const struct uuid range[2], struct webhooks_question *q)
{
    struct pg_params params;
    begin_own(&params, id, partner, q);
    pg_params_uuid(&params, &range[0]);
    pg_params_uuid(&params, &range[1]);
    return pg_pool_ask(pool, &replay, &params, on_webhooks, q);
}

bool webhooks_log(struct pg_pool *pool, const struct uuid *id, const struct uuid *partner,
                  const struct webhooks_page *page, struct webhooks_question *q)
{
    struct pg_params params;
    assert(page->limit >= 1 && page->limit <= 100);
    begin_own(&params, id, partner, q);
    pg_params_uuid(&params, page->before);
    pg_params_integer(&params, page->limit + 1);
    return pg_pool_ask(pool, &past, &params, on_log, q);
}
