#include "store/purchases.h"

#include <assert.h>

#include "base/arena.h"
#include "store/pg_params.h"
#include "store/pg_rows.h"

#define COLUMNS                                                                            \
    "id, caller, request_id, wallet, product, rule, bundle, supplier, supplier_account, "  \
    "amount, currency, fields, status, claim, attempts, hold, transaction_id, reference, " \
    "goods, refusal_status, refusal, created_at, decided"

/* Sold once: who comes second skips the locked row and takes the next one. */
static const struct pg_statement create = {
    "purchases_create",
    "with mine as (select id from wallets where id = $4::uuid and owner = $2::uuid), "
    "pin as (update voucher_stock set status = 2, purchase = $1::uuid "
    "where id = (select id from voucher_stock where product = split_part($6::text, '@', 1) "
    "and status = 1 and $13::boolean order by id limit 1 for update skip locked) "
    "and exists (select from mine) returning id), "
    "verdict as (select case when not exists (select from mine) then 1 "
    "when $13::boolean and not exists (select from pin) then 2 else 0 end as no), "
    "remembered as (insert into idempotency (caller, key, request_hash, status, answer, "
    "created_at) select $2::uuid, $14::text, $15::bytea, 202, '{}'::bytea, $16::timestamptz "
    "from verdict) "
    "insert into purchases (id, caller, key, request_id, wallet, product, rule, bundle, supplier, "
    "supplier_account, amount, currency, fields, status, refusal_status, refusal, created_at, "
    "next_at) select $1::uuid, $2::uuid, $14::text, $3::uuid, $4::uuid, $5::uuid, $6::text, "
    "$7::bytea, $8::text, $9::uuid, $10::bigint, $11::integer, $12::text, "
    "case when no = 0 then 1 else 9 end, "
    "case no when 1 then $18::smallint when 2 then $20::smallint end, "
    "case no when 1 then $19::bytea when 2 then $21::bytea end, "
    "$16::timestamptz, case when no = 0 then $17::timestamptz end from verdict "
    "returning " COLUMNS};

static const struct pg_statement find = {
    "purchases_find",
    "select " COLUMNS " from purchases where id = $1::uuid and caller = $2::uuid"};

static const struct pg_statement find_key = {
    "purchases_find_key",
    "select " COLUMNS " from purchases where caller = $1::uuid and key = $2::text"};

static const struct pg_statement find_any = {
    "purchases_find_any", "select " COLUMNS " from purchases where id = $1::uuid"};

static const struct pg_statement list = {
    "purchases_list", "select l.* from wallets w left join lateral (select " COLUMNS
                      " from purchases where wallet = w.id and status < 9 "
                      "and ($3::uuid is null or id < $3::uuid) order by id desc "
                      "limit $4::integer) l on true where w.id = $1::uuid and w.owner = $2::uuid"};

static const struct pg_statement claim = {
    "purchases_claim",
    "update purchases set claim = claim + 1, next_at = $2::timestamptz where id in (select id "
    "from purchases where next_at <= $1::timestamptz order by next_at limit $3::integer "
    "for update skip locked) returning " COLUMNS};

static const struct pg_statement move = {
    "purchases_move",
    "with moved as (update purchases set status = $4::smallint, "
    "attempts = attempts + $5::integer, hold = coalesce($6::uuid, hold), "
    "transaction_id = coalesce($7::uuid, transaction_id), "
    "reference = coalesce($8::text, reference), "
    "goods = case when $4::smallint < 8 then coalesce($9::bytea, goods) end, "
    "refusal_status = coalesce($10::smallint, refusal_status), "
    "refusal = coalesce($11::bytea, refusal), "
    "next_at = case when $4::smallint < 7 then $12::timestamptz end "
    "where id = $1::uuid and status = $2::smallint and claim = $3::integer returning " COLUMNS
    "), pin as (update voucher_stock v set status = case when m.status = 7 then 3 else 1 end, "
    "purchase = case when m.status = 7 then m.id end from moved m "
    "where v.purchase = m.id and m.status >= 7 returning v.id) select * from moved"};

static const struct pg_statement decide = {
    "purchases_decide",
    "update purchases set status = $2::smallint, claim = claim + 1, decided = $2::smallint, "
    "decided_reason = $3::text, decided_at = $6::timestamptz, goods = $4::bytea, "
    "reference = coalesce($5::text, reference), next_at = $8::timestamptz where id = $1::uuid "
    "and status = 4 and created_at < $7::timestamptz returning " COLUMNS};

static const struct pg_statement pin = {"purchases_pin",
                                        "select pin from voucher_stock where purchase = $1::uuid"};

const struct pg_statement *const purchases_statements[] = {
    &create, &find, &find_any, &find_key, &list, &claim, &move, &decide, &pin, NULL};

static struct uuid take_id(const struct pg_rows *rows, int row, int column)
{
    struct uuid none = {{0}};
    return pg_rows_is_null(rows, row, column) ? none : pg_rows_uuid(rows, row, column);
}

static bool take_purchase(const struct pg_rows *rows, int row, struct arena *arena,
                          struct purchases_purchase *p)
{
    *p = (struct purchases_purchase){
        .id = pg_rows_uuid(rows, row, 0),
        .caller = pg_rows_uuid(rows, row, 1),
        .request_id = pg_rows_uuid(rows, row, 2),
        .wallet = pg_rows_uuid(rows, row, 3),
        .product = pg_rows_uuid(rows, row, 4),
        .supplier_account = pg_rows_uuid(rows, row, 8),
        .amount = pg_rows_int(rows, row, 9),
        .currency = (currency)pg_rows_int(rows, row, 10),
        .status = (enum purchases_status)pg_rows_int(rows, row, 12),
        .claim = (int)pg_rows_int(rows, row, 13),
        .attempts = (int)pg_rows_int(rows, row, 14),
        .hold = take_id(rows, row, 15),
        .transaction = take_id(rows, row, 16),
        .created_at = pg_rows_time(rows, row, 21),
    };
    memcpy(p->bundle, pg_rows_text(rows, row, 6).at, sizeof p->bundle);
    if (!pg_rows_is_null(rows, row, 19))
        p->refusal_status = (int)pg_rows_int(rows, row, 19);
    if (!pg_rows_is_null(rows, row, 22))
        p->decided = (enum purchases_status)pg_rows_int(rows, row, 22);
    return pg_rows_take_text(rows, row, 5, arena, &p->rule) &&
           pg_rows_take_text(rows, row, 7, arena, &p->supplier) &&
           pg_rows_take_text(rows, row, 11, arena, &p->fields) &&
           pg_rows_take_text(rows, row, 17, arena, &p->reference) &&
           pg_rows_take_text(rows, row, 18, arena, &p->goods) &&
           pg_rows_take_text(rows, row, 20, arena, &p->refusal);
}

static void take(struct purchases_question *q, const struct pg_rows *rows)
{
    size_t count = (size_t)pg_rows_count(rows);
    q->found = count > 0;
    if (count == 1 && pg_rows_is_null(rows, 0, 0))
        count = 0; /* the wallet is the owner's, and has none */
    q->purchases = arena_array(q->arena, count, sizeof q->purchases[0]);
    q->count = q->purchases == NULL ? 0 : count;
    if (q->purchases == NULL)
        q->outcome = PG_UNAVAILABLE;
    for (size_t i = 0; i < q->count; i++)
        if (!take_purchase(rows, (int)i, q->arena, &q->purchases[i]))
            q->outcome = PG_UNAVAILABLE;
}

static void on_purchases(void *owner, enum pg_outcome outcome, const struct pg_rows *rows)
{
    struct purchases_question *q = owner;
    q->outcome = outcome;
    q->found = false;
    q->count = 0;
    if (outcome == PG_OK)
        take(q, rows);
    q->done(q);
}

static void on_pin(void *owner, enum pg_outcome outcome, const struct pg_rows *rows)
{
    struct purchases_question *q = owner;
    q->outcome = outcome;
    q->pin = (struct slice){NULL, 0};
    if (outcome == PG_OK && pg_rows_count(rows) > 0 &&
        !pg_rows_take_text(rows, 0, 0, q->arena, &q->pin))
        q->outcome = PG_UNAVAILABLE;
    q->done(q);
}

static const struct uuid *or_null(const struct uuid *id)
{
    return uuid_is_nil(id) ? NULL : id;
}

static void add_purchase(struct pg_params *params, const struct purchases_purchase *p)
{
    pg_params_uuid(params, &p->id);
    pg_params_uuid(params, &p->caller);
    pg_params_uuid(params, &p->request_id);
    pg_params_uuid(params, &p->wallet);
    pg_params_uuid(params, &p->product);
    pg_params_text(params, p->rule);
    pg_params_text(params, (struct slice){(const char *)p->bundle, sizeof p->bundle});
    pg_params_text(params, p->supplier);
    pg_params_uuid(params, &p->supplier_account);
    pg_params_bigint(params, p->amount);
    pg_params_integer(params, (int32_t)p->currency);
    pg_params_text(params, p->fields);
}

bool purchases_create(struct pg_pool *pool, const struct purchases_new *fresh,
                      struct purchases_question *q)
{
    struct pg_params params;
    pg_params_init(&params, q->arena);
    add_purchase(&params, fresh->purchase);
    pg_params_bool(&params, fresh->stock);
    pg_params_text(&params, fresh->key);
    pg_params_text(&params, (struct slice){(const char *)fresh->request_hash, 32});
    pg_params_time(&params, fresh->purchase->created_at);
    pg_params_time(&params, fresh->next_at);
    pg_params_smallint(&params, (int16_t)fresh->missing_status);
    pg_params_text(&params, fresh->missing);
    pg_params_smallint(&params, (int16_t)fresh->empty_status);
    pg_params_text(&params, fresh->empty);
    return pg_pool_ask(pool, &create, &params, on_purchases, q);
}

bool purchases_find(struct pg_pool *pool, const struct uuid *id, const struct uuid *caller,
                    struct purchases_question *q)
{
    struct pg_params params;
    pg_params_init(&params, q->arena);
    pg_params_uuid(&params, id);
    pg_params_uuid(&params, caller);
    return pg_pool_read(pool, &find, &params, on_purchases, q);
}

bool purchases_find_any(struct pg_pool *pool, const struct uuid *id, struct purchases_question *q)
{
    struct pg_params params;
    pg_params_init(&params, q->arena);
    pg_params_uuid(&params, id);
    return pg_pool_ask(pool, &find_any, &params, on_purchases, q);
}

bool purchases_list(struct pg_pool *pool, const struct purchases_page *page,
                    struct purchases_question *q)
{
    struct pg_params params;
    assert(page->limit >= 1 && page->limit <= 100);
    pg_params_init(&params, q->arena);
    pg_params_uuid(&params, &page->wallet);
    pg_params_uuid(&params, &page->owner);
    pg_params_uuid(&params, page->before);
    pg_params_integer(&params, page->limit + 1);
    return pg_pool_ask(pool, &list, &params, on_purchases, q);
}

bool purchases_find_key(struct pg_pool *pool, const struct uuid *caller, struct slice key,
                        struct purchases_question *q)
{
    struct pg_params params;
    pg_params_init(&params, q->arena);
    pg_params_uuid(&params, caller);
    pg_params_text(&params, key);
    return pg_pool_read(pool, &find_key, &params, on_purchases, q);
}

bool purchases_claim(struct pg_pool *pool, int64_t now, int64_t next_at, int limit,
                     struct purchases_question *q)
{
    struct pg_params params;
    pg_params_init(&params, q->arena);
    pg_params_time(&params, now);
    pg_params_time(&params, next_at);
    pg_params_integer(&params, limit);
    return pg_pool_ask(pool, &claim, &params, on_purchases, q);
}

bool purchases_move(struct pg_pool *pool, const struct purchases_step *step,
                    struct purchases_question *q)
{
    struct pg_params params;
    pg_params_init(&params, q->arena);
    pg_params_uuid(&params, &step->from->id);
    pg_params_smallint(&params, (int16_t)step->from->status);
    pg_params_integer(&params, step->from->claim);
    pg_params_smallint(&params, (int16_t)step->to);
    pg_params_integer(&params, step->asked);
    pg_params_uuid(&params, or_null(&step->hold));
    pg_params_uuid(&params, or_null(&step->transaction));
    pg_params_text(&params, step->reference);
    pg_params_text(&params, step->goods);
    if (step->refusal_status == 0)
        pg_params_null(&params);
    else
        pg_params_smallint(&params, (int16_t)step->refusal_status);
    pg_params_text(&params, step->refusal);
    pg_params_time(&params, step->next_at);
    return pg_pool_ask(pool, &move, &params, on_purchases, q);
}

bool purchases_decide(struct pg_pool *pool, const struct purchases_decision *decision,
                      struct purchases_question *q)
{
    struct pg_params params;
    bool delivered = decision->to == PURCHASE_DELIVERED;
    assert(delivered ? decision->goods.at != NULL
                     : decision->to == PURCHASE_VOIDING && decision->goods.at == NULL);
    pg_params_init(&params, q->arena);
    pg_params_uuid(&params, &decision->id);
    pg_params_smallint(&params, (int16_t)decision->to);
    pg_params_text(&params, decision->reason);
    pg_params_text(&params, decision->goods);
    pg_params_text(&params, decision->reference);
    pg_params_time(&params, decision->now);
    pg_params_time(&params, decision->made_before);
    pg_params_time(&params, decision->next_at);
    return pg_pool_ask(pool, &decide, &params, on_purchases, q);
}

bool purchases_pin(struct pg_pool *pool, const struct uuid *id, struct purchases_question *q)
{
    struct pg_params params;
    pg_params_init(&params, q->arena);
    pg_params_uuid(&params, id);
    return pg_pool_read(pool, &pin, &params, on_pin, q);
}
