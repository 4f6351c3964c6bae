#include "store/holds.h"

#include <assert.h>

#include "base/arena.h"
#include "store/hold_rows.h"
#include "store/pg_params.h"
#include "store/pg_rows.h"

/* "offset 0" has each transaction looked up by itself, in its month. */
#define TRANSACTION_OF_HOLD                                                                     \
    "cross join lateral (select note, reference, created_at from transactions where id = h.id " \
    "offset 0) t "

static const struct pg_statement find = {
    "holds_find",
    "select h.id, " HOLD_ROWS_COLUMNS ", f.owner, o.owner, t.note, t.reference, t.created_at "
    "from holds h left join accounts f on f.id = h.from_account "
    "left join accounts o on o.id = h.to_account " TRANSACTION_OF_HOLD "where h.id = $1::uuid"};

static const struct pg_statement list = {
    "holds_list",
    "select l.* from wallets w left join lateral (select h.id, " HOLD_ROWS_COLUMNS
    ", null::uuid, null::uuid, t.note, t.reference, t.created_at from (select * from holds "
    "where from_account = w.id and status = 1 and ($3::uuid is null or id < $3::uuid) "
    "order by id desc limit $4::integer) h " TRANSACTION_OF_HOLD
    "order by h.id desc) l on true where w.id = $1::uuid and w.owner = $2::uuid"};

static const struct pg_statement due = {
    "holds_due", "select h.id, " HOLD_ROWS_COLUMNS " from holds h where h.status = 1 "
                 "and h.expires_at <= $1::timestamptz order by h.expires_at limit $2::integer"};

/* Not what came with it in a bulk (LEDGER_LINK_BULK). */
static const struct pg_statement links = {
    "holds_links", "select original, transaction_id, kind, amount, fee from links "
                   "where original = $1::uuid and kind < 100 union all "
                   "select original, transaction_id, kind, amount, fee from links "
                   "where transaction_id = $1::uuid and kind < 100 order by 2"};

const struct pg_statement *const holds_statements[] = {&find, &list, &due, &links, NULL};

/* Whole: with owners, texts and moment behind. */
static bool take_one(const struct pg_rows *rows, int row, struct arena *arena,
                     struct holds_hold *hold, bool whole)
{
    *hold = (struct holds_hold){.created_at = 0};
    if (!hold_rows_take_hold(rows, row, arena, &hold->hold))
        return false;
    if (!whole)
        return true;
    if (!pg_rows_is_null(rows, row, 12))
        hold->from_owner = pg_rows_uuid(rows, row, 12);
    if (!pg_rows_is_null(rows, row, 13))
        hold->to_owner = pg_rows_uuid(rows, row, 13);
    hold->created_at = pg_rows_time(rows, row, 16);
    return pg_rows_take_text(rows, row, 14, arena, &hold->note) &&
           pg_rows_take_text(rows, row, 15, arena, &hold->reference);
}

static void take(struct holds_question *q, const struct pg_rows *rows, bool whole)
{
    size_t count = (size_t)pg_rows_count(rows);
    q->found = count > 0;
    if (count == 1 && pg_rows_is_null(rows, 0, 0))
        count = 0; /* the wallet is the owner's, and has none */
    q->holds = arena_array(q->arena, count, sizeof q->holds[0]);
    q->hold_count = q->holds == NULL ? 0 : count;
    if (q->holds == NULL)
        q->outcome = PG_UNAVAILABLE;
    for (int row = 0; row < (int)q->hold_count; row++)
        if (!take_one(rows, row, q->arena, &q->holds[row], whole))
            q->outcome = PG_UNAVAILABLE;
}

static void on_holds(void *owner, enum pg_outcome outcome, const struct pg_rows *rows)
{
    struct holds_question *q = owner;
    q->outcome = outcome;
    q->hold_count = 0;
    if (outcome == PG_OK)
        take(q, rows, true);
    q->done(q);
}

static void on_due(void *owner, enum pg_outcome outcome, const struct pg_rows *rows)
{
    struct holds_question *q = owner;
    q->outcome = outcome;
    q->hold_count = 0;
    if (outcome == PG_OK)
        take(q, rows, false);
    q->done(q);
}

static void take_links(struct holds_question *q, const struct pg_rows *rows)
{
    size_t count = (size_t)pg_rows_count(rows);
    q->links = arena_array(q->arena, count, sizeof q->links[0]);
    if (q->links == NULL) {
        q->outcome = PG_UNAVAILABLE;
        return;
    }
    q->link_count = count;
    for (int row = 0; row < (int)count; row++)
        q->links[row] = (struct holds_link){
            .original = pg_rows_uuid(rows, row, 0),
            .transaction = pg_rows_uuid(rows, row, 1),
            .kind = (enum transaction_kind)pg_rows_int(rows, row, 2),
            .amount = pg_rows_int(rows, row, 3),
            .fee = pg_rows_int(rows, row, 4),
        };
}

static void on_links(void *owner, enum pg_outcome outcome, const struct pg_rows *rows)
{
    struct holds_question *q = owner;
    q->outcome = outcome;
    q->link_count = 0;
    if (outcome == PG_OK)
        take_links(q, rows);
    q->done(q);
}

bool holds_find(struct pg_pool *pool, const struct uuid *id, struct holds_question *q)
{
    struct pg_params params;
    pg_params_init(&params, q->arena);
    pg_params_uuid(&params, id);
    return pg_pool_ask(pool, &find, &params, on_holds, q);
}

bool holds_list(struct pg_pool *pool, const struct holds_page *page, struct holds_question *q)
{
    struct pg_params params;
    assert(page->limit >= 1 && page->limit <= 100);
    pg_params_init(&params, q->arena);
    pg_params_uuid(&params, &page->wallet);
    pg_params_uuid(&params, &page->owner);
    pg_params_uuid(&params, page->before);
    pg_params_integer(&params, page->limit + 1);
    return pg_pool_ask(pool, &list, &params, on_holds, q);
}

bool holds_due(struct pg_pool *pool, int64_t now, int limit, struct holds_question *q)
{
    struct pg_params params;
    pg_params_init(&params, q->arena);
    pg_params_time(&params, now);
    pg_params_integer(&params, limit);
    return pg_pool_ask(pool, &due, &params, on_due, q);
}

bool holds_links(struct pg_pool *pool, const struct uuid *transaction, struct holds_question *q)
{
    struct pg_params params;
    pg_params_init(&params, q->arena);
    pg_params_uuid(&params, transaction);
    return pg_pool_ask(pool, &links, &params, on_links, q);
}
