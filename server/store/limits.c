#include "store/limits.h"

#include <assert.h>

#include "base/arena.h"
#include "store/pg_params.h"
#include "store/pg_rows.h"

#define DAY_US (LIMIT_WINDOW_MAX * INT64_C(1000000))

static const struct pg_statement find = {
    "limits_find",
    "select a.id, a.tier, a.currency, a.zone, a.posted, a.counters, m.id, m.kind, m.left_sum, "
    "m.left_count from wallets w join accounts a on a.id = w.id left join lateral "
    "limit_moves(a.id, a.version, uuid_floor($3::timestamptz), uuid_floor($4::timestamptz), "
    "$5::integer) m on true where w.id = $1::uuid and w.owner = $2::uuid"};

const struct pg_statement *const limits_statements[] = {&find, NULL};

static struct limit_move take_move(const struct pg_rows *rows, int row)
{
    struct uuid id = pg_rows_uuid(rows, row, 6);
    int class = limit_class_of((enum transaction_kind)pg_rows_int(rows, row, 7));
    assert(class != LIMIT_NONE);
    return (struct limit_move){.at = limit_moment(&id),
                               .class = (enum limit_class) class,
                               .sum = pg_rows_int(rows, row, 8),
                               .count = pg_rows_int(rows, row, 9)};
}

/* False: out of memory. */
static bool take(struct limits_question *q, const struct pg_rows *rows)
{
    size_t count = (size_t)pg_rows_count(rows);
    struct slice packed = {NULL, 0};
    q->account = (struct account){.id = pg_rows_uuid(rows, 0, 0),
                                  .tier = (int)pg_rows_int(rows, 0, 1),
                                  .currency = (currency)pg_rows_int(rows, 0, 2),
                                  .zone = (int)pg_rows_int(rows, 0, 3),
                                  .posted = pg_rows_int(rows, 0, 4)};
    if (!pg_rows_is_null(rows, 0, 5))
        packed = pg_rows_text(rows, 0, 5);
    q->unreadable = !limit_unpack(packed, &q->counters);
    q->window.moves = arena_array(q->arena, count, sizeof q->window.moves[0]);
    q->window.room = count;
    if (q->window.moves == NULL)
        return false;
    for (int row = 0; row < (int)count && !pg_rows_is_null(rows, row, 6); row++) {
        struct limit_move move = take_move(rows, row);
        bool room = limit_window_add(&q->window, &move);
        assert(room);
    }
    return true;
}

static void on_found(void *owner, enum pg_outcome outcome, const struct pg_rows *rows)
{
    struct limits_question *q = owner;
    q->outcome = outcome;
    q->found = outcome == PG_OK && pg_rows_count(rows) > 0;
    if (q->found && !take(q, rows))
        q->outcome = PG_UNAVAILABLE;
    q->done(q);
}

bool limits_find(struct pg_pool *pool, const struct uuid *wallet, const struct uuid *owner,
                 int64_t now, struct limits_question *q)
{
    struct pg_params params;
    pg_params_init(&params, q->arena);
    pg_params_uuid(&params, wallet);
    pg_params_uuid(&params, owner);
    pg_params_time(&params, now - DAY_US);
    pg_params_time(&params, now - 33 * DAY_US); /* the months that are opened */
    pg_params_integer(&params, LIMIT_MOVES_MAX + 1);
    return pg_pool_read(pool, &find, &params, on_found, q);
}
