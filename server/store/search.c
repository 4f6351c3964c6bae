#include "store/search.h"

#include <assert.h>

#include "base/arena.h"
#include "store/pg_params.h"
#include "store/pg_rows.h"
#include "store/wallets.h"

/* What may be looked at for a page: an account's rows are all over the place, those of a time lie
 * together. */
#define SCANNED_OF_ACCOUNT 1000
#define SCANNED_OF_TIME 20000

/* `p` is what is looked at: rows with id and version; `s` says how far that went. Whoever had a
 * part is looked up for what is answered only. */
#define ANSWER                                                                            \
    " select l.*, f.owner, o.owner, s.count, s.oldest, s.last_id from (select count(*), " \
    "min(version) as oldest, min(id::text collate \"C\")::uuid as last_id from p) s "     \
    "left join lateral (select " WALLETS_TRANSACTION_COLUMNS                              \
    ", null::text, null::bytea, t.caller, p.version from p cross join lateral ("          \
    "select * from transactions where id = p.id offset 0) t "                             \
    "where ($5::smallint = 0 or t.kind = $5::smallint) "                                  \
    "and t.amount between $6::bigint and $7::bigint "                                     \
    "and ($8::uuid is null or t.caller = $8::uuid) "                                      \
    "and ($9::text is null or t.reference = $9::text) "                                   \
    "order by p.version desc, p.id desc limit $10::integer) l on true "                   \
    "left join accounts f on f.id = l.from_account left join accounts o on o.id = l.to_account"

static const struct pg_statement of_account = {
    "search_of_account",
    "with p as materialized (select transaction_id as id, version from postings "
    "where account = $1::uuid and version < $2::bigint and transaction_id >= $3::uuid "
    "and transaction_id < $4::uuid order by version desc limit $11::integer)" ANSWER};

static const struct pg_statement of_time = {
    "search_of_time",
    "with p as materialized (select id, 0::bigint as version from transactions "
    "where $1::uuid is null and $2::bigint is not null and id >= $3::uuid and id < $4::uuid "
    "order by id desc limit $11::integer)" ANSWER};

const struct pg_statement *const search_statements[] = {&of_account, &of_time, NULL};

enum { CALLER = WALLETS_PRICED_COUNT, VERSION, FROM_OWNER, TO_OWNER, COUNT, OLDEST, LAST_ID };

static struct uuid take_id(const struct pg_rows *rows, int row, int column)
{
    static const struct uuid nobody = {{0}};
    return pg_rows_is_null(rows, row, column) ? nobody : pg_rows_uuid(rows, row, column);
}

static void take_found(const struct pg_rows *rows, struct search_question *q)
{
    size_t count = (size_t)pg_rows_count(rows);
    q->more = pg_rows_int(rows, 0, COUNT) == q->scanned_most;
    if (q->more) {
        q->oldest = pg_rows_int(rows, 0, OLDEST);
        q->last_id = pg_rows_uuid(rows, 0, LAST_ID);
    }
    if (count == 1 && pg_rows_is_null(rows, 0, 0))
        count = 0;
    q->found = arena_array(q->arena, count, sizeof q->found[0]);
    q->count = q->found == NULL ? 0 : count;
    if (q->found == NULL)
        q->outcome = PG_UNAVAILABLE;
    for (int i = 0; i < (int)q->count; i++) {
        struct wallets_transaction *t = &q->found[i];
        if (!wallets_take_priced(rows, i, q->arena, t))
            q->outcome = PG_UNAVAILABLE;
        t->caller = pg_rows_uuid(rows, i, CALLER);
        t->version = pg_rows_int(rows, i, VERSION);
        t->from_owner = take_id(rows, i, FROM_OWNER);
        t->to_owner = take_id(rows, i, TO_OWNER);
    }
}

static void on_found(void *owner, enum pg_outcome outcome, const struct pg_rows *rows)
{
    struct search_question *q = owner;
    q->outcome = outcome;
    q->count = 0;
    q->more = false;
    if (outcome == PG_OK)
        take_found(rows, q);
    q->done(q);
}

bool search_ask(struct pg_pool *pool, const struct search_filter *filter, struct search_question *q)
{
    struct pg_params params;
    bool one = !uuid_is_nil(&filter->account);
    assert(filter->limit >= 1 && filter->limit <= 100);
    q->scanned_most = one ? SCANNED_OF_ACCOUNT : SCANNED_OF_TIME;
    pg_params_init(&params, q->arena);
    pg_params_uuid(&params, one ? &filter->account : NULL);
    pg_params_bigint(&params, filter->before_version);
    pg_params_uuid(&params, &filter->first);
    pg_params_uuid(&params, &filter->behind);
    pg_params_smallint(&params, (int16_t)filter->kind);
    pg_params_bigint(&params, filter->min_amount);
    pg_params_bigint(&params, filter->max_amount);
    pg_params_uuid(&params, uuid_is_nil(&filter->caller) ? NULL : &filter->caller);
    pg_params_text(&params, filter->reference);
    pg_params_integer(&params, filter->limit + 1);
    pg_params_integer(&params, q->scanned_most);
    return pg_pool_ask(pool, one ? &of_account : &of_time, &params, on_found, q);
}
