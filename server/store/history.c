#include "store/history.h"

#include <assert.h>
#include <stdio.h>

#include "base/arena.h"
#include "store/pg_params.h"
#include "store/pg_rows.h"
#include "store/wallets.h"

/* Backwards along (account, version): $3, the first id behind the moment, leaves out the months
 * after it and steps over younger postings inside the index. An archived month answers with where
 * it left the account; `inside` says that the moment lies before its end. */
static const struct pg_statement as_of = {
    "history_as_of",
    "select w.label, u.name, a.currency, l.version, l.posted_after, l.held_after, "
    "b.version, b.posted, b.held, b.month, b.inside "
    "from wallets w join accounts a on a.id = w.id join users u on u.id = w.owner "
    "left join lateral (select p.version, p.posted_after, p.held_after from postings p "
    "cross join lateral (select created_at from transactions where id = p.transaction_id "
    "offset 0) t where p.account = w.id and p.transaction_id < $3::uuid "
    "and t.created_at <= $4::timestamptz order by p.version desc limit 1) l on true "
    "left join lateral (select r.version, r.posted, r.held, r.month, m.ends > $3::uuid as inside "
    "from archive_balances r join archives m on m.month = r.month "
    "where r.account = w.id and m.begins < $3::uuid order by r.version desc limit 1) b on true "
    "where w.id = $1::uuid and w.owner = $2::uuid"};

static const struct pg_statement lines = {
    "history_lines",
    "select " WALLETS_TRANSACTION_COLUMNS ", null::text, null::bytea, "
    "p.amount as change, p.version, p.posted_after, p.held_after "
    "from (select * from postings where account = $1::uuid and version > $2::bigint "
    "and version <= $3::bigint order by version limit $4::integer) p cross join lateral ("
    "select * from transactions where id = p.transaction_id offset 0) t order by p.version"};

static const struct pg_statement seek_version = {
    "history_seek_version",
    "select month from archive_balances where account = $1::uuid and version >= $2::bigint "
    "and first_version <= $2::bigint order by version limit 1"};

static const struct pg_statement seek_older = {
    "history_seek_older",
    "select r.month from archive_balances r join archives m on m.month = r.month "
    "where r.account = $1::uuid and r.first_version < $2::bigint and m.ends > $3::uuid "
    "and m.begins < $4::uuid order by r.version desc limit 1"};

static const struct pg_statement seek_transaction = {
    "history_seek_transaction",
    "select month from (select month, ends from archives where begins <= $1::uuid "
    "order by begins desc limit 1) m where ends > $1::uuid"};

const struct pg_statement *const history_statements[] = {
    &as_of, &lines, &seek_version, &seek_older, &seek_transaction, NULL};

struct uuid history_floor(int64_t unix_us, int milliseconds)
{
    struct uuid id = {{0}};
    assert(unix_us >= 0);
    int64_t ms = unix_us / 1000 + milliseconds;
    for (int i = 0; i < 6; i++)
        id.bytes[i] = (uint8_t)(ms >> (40 - 8 * i));
    return id;
}

static void take_month(const struct pg_rows *rows, int column, struct history_question *q)
{
    struct slice month = pg_rows_text(rows, 0, column);
    assert(month.length < sizeof q->archived);
    memcpy(q->archived, month.at, month.length);
    q->archived[month.length] = '\0';
}

/* Columns 3..5 are of the newest posting that is here, 6..10 of the newest archived month. */
static void take_balance(const struct pg_rows *rows, struct history_question *q)
{
    int64_t here = pg_rows_is_null(rows, 0, 3) ? 0 : pg_rows_int(rows, 0, 3);
    int64_t away = pg_rows_is_null(rows, 0, 6) ? 0 : pg_rows_int(rows, 0, 6);
    int from = here >= away ? 3 : 6;
    if (here == 0 && away == 0)
        return;
    if (from == 6 && pg_rows_bool(rows, 0, 10)) {
        take_month(rows, 9, q);
        return;
    }
    q->version = pg_rows_int(rows, 0, from);
    q->posted = pg_rows_int(rows, 0, from + 1);
    q->held = pg_rows_int(rows, 0, from + 2);
}

static void begin(struct history_question *q, enum pg_outcome outcome)
{
    q->outcome = outcome;
    q->found = false;
    q->archived[0] = '\0';
    q->version = q->posted = q->held = 0;
    q->line_count = 0;
}

static void on_balance(void *owner, enum pg_outcome outcome, const struct pg_rows *rows)
{
    struct history_question *q = owner;
    begin(q, outcome);
    if (outcome == PG_OK && pg_rows_count(rows) == 1) {
        q->found = true;
        q->currency = (currency)pg_rows_int(rows, 0, 2);
        take_balance(rows, q);
        if (!pg_rows_take_text(rows, 0, 0, q->arena, &q->label) ||
            !pg_rows_take_text(rows, 0, 1, q->arena, &q->owner_name))
            q->outcome = PG_UNAVAILABLE;
    }
    q->done(q);
}

static void on_lines(void *owner, enum pg_outcome outcome, const struct pg_rows *rows)
{
    struct history_question *q = owner;
    begin(q, outcome);
    size_t count = outcome == PG_OK ? (size_t)pg_rows_count(rows) : 0;
    q->lines = arena_array(q->arena, count, sizeof q->lines[0]);
    q->line_count = q->lines == NULL ? 0 : count;
    if (q->lines == NULL && outcome == PG_OK)
        q->outcome = PG_UNAVAILABLE;
    for (size_t i = 0; i < q->line_count; i++) {
        struct wallets_transaction *line = &q->lines[i];
        if (!wallets_take_priced(rows, (int)i, q->arena, line))
            q->outcome = PG_UNAVAILABLE;
        line->change = pg_rows_int(rows, (int)i, WALLETS_PRICED_COUNT);
        line->version = pg_rows_int(rows, (int)i, WALLETS_PRICED_COUNT + 1);
        line->posted_after = pg_rows_int(rows, (int)i, WALLETS_PRICED_COUNT + 2);
        line->held_after = pg_rows_int(rows, (int)i, WALLETS_PRICED_COUNT + 3);
    }
    q->done(q);
}

static void on_month(void *owner, enum pg_outcome outcome, const struct pg_rows *rows)
{
    struct history_question *q = owner;
    begin(q, outcome);
    if (outcome == PG_OK && pg_rows_count(rows) == 1)
        take_month(rows, 0, q);
    q->done(q);
}

bool history_as_of(struct pg_pool *pool, const struct uuid *wallet, const struct uuid *owner,
                   int64_t moment, struct history_question *q)
{
    struct pg_params params;
    struct uuid behind = history_floor(moment, 1);
    pg_params_init(&params, q->arena);
    pg_params_uuid(&params, wallet);
    pg_params_uuid(&params, owner);
    pg_params_uuid(&params, &behind);
    pg_params_time(&params, moment);
    return pg_pool_ask(pool, &as_of, &params, on_balance, q);
}

bool history_lines(struct pg_pool *pool, const struct history_range *range,
                   struct history_question *q)
{
    struct pg_params params;
    assert(range->after < range->last && range->limit > 0);
    pg_params_init(&params, q->arena);
    pg_params_uuid(&params, &range->wallet);
    pg_params_bigint(&params, range->after);
    pg_params_bigint(&params, range->last);
    pg_params_integer(&params, range->limit);
    return pg_pool_ask(pool, &lines, &params, on_lines, q);
}

bool history_seek_version(struct pg_pool *pool, const struct uuid *wallet, int64_t version,
                          struct history_question *q)
{
    struct pg_params params;
    pg_params_init(&params, q->arena);
    pg_params_uuid(&params, wallet);
    pg_params_bigint(&params, version);
    return pg_pool_ask(pool, &seek_version, &params, on_month, q);
}

bool history_seek_older(struct pg_pool *pool, const struct uuid *wallet, int64_t before,
                        const int64_t span[2], struct history_question *q)
{
    static const struct uuid last = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};
    struct pg_params params;
    struct uuid from = history_floor(span[0] < 0 ? 0 : span[0], 0);
    struct uuid to = span[1] == INT64_MAX ? last : history_floor(span[1] < 0 ? 0 : span[1], 1);
    pg_params_init(&params, q->arena);
    pg_params_uuid(&params, wallet);
    pg_params_bigint(&params, before);
    pg_params_uuid(&params, &from);
    pg_params_uuid(&params, &to);
    return pg_pool_ask(pool, &seek_older, &params, on_month, q);
}

bool history_seek_transaction(struct pg_pool *pool, const struct uuid *id,
                              struct history_question *q)
{
    struct pg_params params;
    pg_params_init(&params, q->arena);
    pg_params_uuid(&params, id);
    return pg_pool_ask(pool, &seek_transaction, &params, on_month, q);
}
