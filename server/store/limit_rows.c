#include "store/limit_rows.h"

#include <assert.h>

#include "base/arena.h"
#include "ledger/account.h"
#include "ledger/limit.h"
#include "store/pg_array.h"
#include "store/pg_connection.h"
#include "store/pg_params.h"
#include "store/pg_rows.h"

#define MONTH_US (INT64_C(32) * 86400 * 1000000)

/* One more than any window counts: so many are always too many. */
#define MOVES_READ (LIMIT_MOVES_MAX + 1)

const struct pg_statement limit_rows_read_moves = {
    "read_moves",
    "select asked.id, m.id, m.kind, m.left_sum, m.left_count "
    "from unnest($1::uuid[], $2::bigint[]) as asked(id, version) "
    "cross join lateral limit_moves(asked.id, asked.version, uuid_floor($3::timestamptz), "
    "uuid_floor($4::timestamptz), $5::integer) m"};

bool limit_rows_ask(struct pg_connection *connection, struct arena *arena,
                    const struct account *const *accounts, size_t count, int64_t now)
{
    struct pg_params params;
    struct pg_array array;
    int64_t since = now - LIMIT_WINDOW_MAX * INT64_C(1000000);
    pg_params_init(&params, arena);
    pg_array_begin(&array, &params, PG_UUID, (int)count);
    for (size_t i = 0; i < count; i++)
        pg_array_uuid(&array, &accounts[i]->id);
    pg_array_end(&array);
    pg_array_begin(&array, &params, PG_BIGINT, (int)count);
    for (size_t i = 0; i < count; i++)
        pg_array_bigint(&array, accounts[i]->version);
    pg_array_end(&array);
    pg_params_time(&params, since);
    pg_params_time(&params, since - MONTH_US); /* what is older isn't even opened */
    pg_params_integer(&params, MOVES_READ);
    return pg_connection_ask(connection, &limit_rows_read_moves, &params) &&
           pg_connection_sync(connection);
}

static struct account *find(struct account *const *accounts, size_t count, const struct uuid *id)
{
    for (size_t i = 0; i < count; i++)
        if (uuid_equal(&accounts[i]->id, id))
            return accounts[i];
    return NULL;
}

static bool make_windows(const struct pg_rows *rows, struct arena *arena,
                         struct account *const *accounts, size_t count, size_t more)
{
    for (size_t i = 0; i < count; i++) {
        struct limit_window *window = arena_alloc(arena, sizeof *window);
        size_t room = more;
        for (int row = 0; row < pg_rows_count(rows); row++) {
            struct uuid id = pg_rows_uuid(rows, row, 0);
            room += uuid_equal(&id, &accounts[i]->id);
        }
        if (window == NULL)
            return false;
        window->moves = arena_array(arena, room, sizeof window->moves[0]);
        window->room = room;
        accounts[i]->window = window;
        if (window->moves == NULL)
            return false;
    }
    return true;
}

bool limit_rows_take(const struct pg_rows *rows, struct arena *arena,
                     struct account *const *accounts, size_t count, size_t more)
{
    if (!make_windows(rows, arena, accounts, count, more))
        return false;
    for (int row = 0; row < pg_rows_count(rows); row++) {
        struct uuid id = pg_rows_uuid(rows, row, 0);
        struct uuid transaction = pg_rows_uuid(rows, row, 1);
        struct account *account = find(accounts, count, &id);
        const struct limit_move move = {
            .at = limit_moment(&transaction),
            .class =
                (enum limit_class)limit_class_of((enum transaction_kind)pg_rows_int(rows, row, 2)),
            .sum = pg_rows_int(rows, row, 3),
            .count = pg_rows_int(rows, row, 4),
        };
        bool room = account != NULL && limit_window_add(account->window, &move);
        assert(room);
    }
    return true;
}
