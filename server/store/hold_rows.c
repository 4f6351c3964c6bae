#include "store/hold_rows.h"

#include <assert.h>
#include <stdlib.h>

#include "base/arena.h"
#include "ledger/book.h"
#include "store/ledger_rows.h"
#include "store/pg_array.h"
#include "store/pg_params.h"
#include "store/pg_rows.h"
#include "store/pg_table.h"

/* 8 and 9: refunds and reversals; 5 and 10: captures (ledger/transaction.h). */
const struct pg_statement hold_rows_read_subjects = {
    "read_subjects",
    "select asked.id, " HOLD_ROWS_COLUMNS ", b.amount, b.fee, b.reversed, "
    "(select original from links where transaction_id = asked.id and kind in (5, 10)), b.refunds "
    "from unnest($1::uuid[]) as asked(id) left join holds h on h.id = asked.id "
    "cross join lateral (select coalesce(sum(amount), 0)::bigint as amount, "
    "coalesce(sum(fee), 0)::bigint as fee, coalesce(bool_or(kind = 9), false) as reversed, "
    "count(*) as refunds "
    "from links where original = asked.id and kind in (8, 9)) b"};

const struct pg_statement hold_rows_insert_holds = {
    "insert_holds",
    "insert into holds (id, from_account, to_account, currency, amount, fee, bundle, pricing, "
    "expires_at) select * from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::integer[], "
    "$5::bigint[], $6::bigint[], $7::bytea[], $8::text[], $9::timestamptz[])"};

const struct pg_statement hold_rows_update_holds = {
    "update_holds",
    "update holds h set status = u.status, captured = u.captured, finished_by = u.finished_by "
    "from unnest($1::uuid[], $2::smallint[], $3::bigint[], $4::uuid[]) "
    "as u(id, status, captured, finished_by) where h.id = u.id"};

const struct pg_statement hold_rows_insert_links = {
    "insert_links", "insert into links (original, transaction_id, kind, amount, fee) "
                    "select * from unnest($1::uuid[], $2::uuid[], $3::smallint[], $4::bigint[], "
                    "$5::bigint[])"};

bool hold_rows_read(struct pg_connection *connection, struct arena *arena, const struct uuid *ids,
                    size_t count)
{
    struct pg_params params;
    struct pg_array array;
    if (count == 0)
        return true;
    pg_params_init(&params, arena);
    pg_array_begin(&array, &params, PG_UUID, (int)count);
    for (size_t i = 0; i < count; i++)
        pg_array_uuid(&array, &ids[i]);
    pg_array_end(&array);
    return pg_connection_ask(connection, &hold_rows_read_subjects, &params);
}

bool hold_rows_take_hold(const struct pg_rows *rows, int row, struct arena *arena,
                         struct hold *hold)
{
    struct slice bundle;
    *hold = (struct hold){
        .id = pg_rows_uuid(rows, row, 0),
        .from = pg_rows_uuid(rows, row, 1),
        .to = pg_rows_uuid(rows, row, 2),
        .currency = (currency)pg_rows_int(rows, row, 3),
        .amount = pg_rows_int(rows, row, 4),
        .fee = pg_rows_int(rows, row, 5),
        .expires_at = pg_rows_time(rows, row, 8),
        .status = (enum hold_status)pg_rows_int(rows, row, 9),
        .captured = pg_rows_int(rows, row, 10),
    };
    if (!pg_rows_is_null(rows, row, 11))
        hold->finished_by = pg_rows_uuid(rows, row, 11);
    bool good = pg_rows_take_text(rows, row, 6, arena, &bundle) &&
                pg_rows_take_text(rows, row, 7, arena, &hold->pricing);
    hold->bundle = (const uint8_t *)bundle.at;
    return good;
}

static int compare_subjects(const void *a, const void *b)
{
    const struct subject *left = a;
    const struct subject *right = b;
    return uuid_compare(&left->id, &right->id);
}

bool hold_rows_take_subjects(const struct pg_rows *rows, struct arena *arena,
                             struct subject *subjects, size_t count)
{
    assert((size_t)pg_rows_count(rows) == count);
    for (int row = 0; row < (int)count; row++) {
        struct subject *subject = &subjects[row];
        *subject = (struct subject){
            .id = pg_rows_uuid(rows, row, 0),
            .refunded = pg_rows_int(rows, row, 12),
            .fee_refunded = pg_rows_int(rows, row, 13),
            .reversed = pg_rows_bool(rows, row, 14),
            .refunds = pg_rows_int(rows, row, 16),
        };
        if (!pg_rows_is_null(rows, row, 15))
            subject->hold_id = pg_rows_uuid(rows, row, 15);
        bool is_hold = !pg_rows_is_null(rows, row, 1); /* else HOLD_NONE */
        if (is_hold && !hold_rows_take_hold(rows, row, arena, &subject->hold))
            return false;
    }
    qsort(subjects, count, sizeof subjects[0], compare_subjects);
    return true;
}

static const struct pg_table_column hold_columns[] = {
    {PG_TABLE_UUID, offsetof(struct hold, id)},
    {PG_TABLE_UUID, offsetof(struct hold, from)},
    {PG_TABLE_UUID, offsetof(struct hold, to)},
    {PG_TABLE_CURRENCY, offsetof(struct hold, currency)},
    {PG_TABLE_BIGINT, offsetof(struct hold, amount)},
    {PG_TABLE_BIGINT, offsetof(struct hold, fee)},
    {PG_TABLE_HASH_AT, offsetof(struct hold, bundle)},
    {PG_TABLE_TEXT, offsetof(struct hold, pricing)},
    {PG_TABLE_TIME, offsetof(struct hold, expires_at)},
};

static const struct pg_table_column finished_columns[] = {
    {PG_TABLE_UUID, offsetof(struct hold, id)},
    {PG_TABLE_SMALLINT, offsetof(struct hold, status)},
    {PG_TABLE_BIGINT, offsetof(struct hold, captured)},
    {PG_TABLE_UUID, offsetof(struct hold, finished_by)},
};

static const struct pg_table_column link_columns[] = {
    {PG_TABLE_UUID, offsetof(struct ledger_link, original)},
    {PG_TABLE_UUID, offsetof(struct ledger_link, transaction)},
    {PG_TABLE_SMALLINT, offsetof(struct ledger_link, kind)},
    {PG_TABLE_BIGINT, offsetof(struct ledger_link, amount)},
    {PG_TABLE_BIGINT, offsetof(struct ledger_link, fee)},
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

bool hold_rows_write(struct pg_connection *connection, struct arena *arena,
                     const struct ledger_rows_writing *writing)
{
    const struct pg_table holds = {&hold_rows_insert_holds, hold_columns,
                                   COUNT(hold_columns),     writing->holds,
                                   writing->hold_count,     sizeof writing->holds[0]};
    const struct pg_table finished = {&hold_rows_update_holds, finished_columns,
                                      COUNT(finished_columns), writing->finished,
                                      writing->finished_count, sizeof writing->finished[0]};
    const struct pg_table links = {&hold_rows_insert_links, link_columns,
                                   COUNT(link_columns),     writing->links,
                                   writing->link_count,     sizeof writing->links[0]};
    return pg_table_ask(connection, arena, &holds, NULL) &&
           pg_table_ask(connection, arena, &finished, NULL) &&
           pg_table_ask(connection, arena, &links, NULL);
}
