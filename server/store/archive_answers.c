#include "store/archive_answers.h"

#include <libpq-fe.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "ledger/transaction.h"
#include "store/archive_state.h"
#include "store/pg_array.h"
#include "store/pg_params.h"
#include "store/pg_rows.h"
#include "store/wallets.h"

#define PAGE "fetch 1000 from derived"
#define WRITE                                                                         \
    "update idempotency i set answer = u.answer from unnest($1::text[], $2::uuid[], " \
    "$3::bytea[]) as u(key, caller, answer) where i.key = u.key collate \"C\" and "   \
    "i.caller = u.caller and i.answer is null"

/* The payer's balance after it is part of a transfer's receipt. */
static bool open_cursor(struct archive_state *state, const char *transactions, const char *postings)
{
    return archive_state_run(state,
                             "declare derived no scroll cursor for select " WALLETS_PRICED_COLUMNS
                             ", p.posted_after, p.held_after, i.key, i.caller "
                             "from idempotency i join %s t on t.id = i.transaction_id "
                             "join %s p on p.transaction_id = t.id and p.account = t.from_account "
                             "and p.version = t.from_version where i.answer is null",
                             transactions, postings);
}

enum { POSTED = WALLETS_PRICED_COUNT, HELD, KEY, CALLER };

static bool add_answer(struct archive_state *state, const struct pg_rows *rows, int row,
                       struct pg_array arrays[3], struct arena *arena)
{
    struct wallets_transaction t;
    struct bytes answer;
    struct uuid caller = pg_rows_uuid(rows, row, CALLER);
    bytes_init(&answer, arena);
    if (!wallets_take_priced(rows, row, arena, &t))
        return false;
    t.posted_after = pg_rows_int(rows, row, POSTED);
    t.held_after = pg_rows_int(rows, row, HELD);
    state->archive->render(&t, &answer);
    pg_array_text(&arrays[0], pg_rows_text(rows, row, KEY));
    pg_array_uuid(&arrays[1], &caller);
    pg_array_text(&arrays[2], bytes_view(&answer));
    return !answer.failed;
}

/* A page as three arrays, a parameter each. */
static bool write_page(struct archive_state *state, PGconn *keys, const struct pg_rows *rows,
                       struct arena *arena)
{
    struct pg_params columns[3];
    struct pg_array arrays[3];
    const enum pg_array_type types[] = {PG_TEXT, PG_UUID, PG_BYTEA};
    const char *values[3];
    int lengths[3];
    static const int formats[] = {1, 1, 1};
    bool good = true;
    for (int i = 0; i < 3; i++) {
        pg_params_init(&columns[i], arena);
        pg_array_begin(&arrays[i], &columns[i], types[i], pg_rows_count(rows));
    }
    for (int row = 0; good && row < pg_rows_count(rows); row++)
        good = add_answer(state, rows, row, arrays, arena);
    if (!good)
        return archive_state_fail(state, "not enough memory");
    for (int i = 0; i < 3; i++) {
        pg_array_end(&arrays[i]);
        good = good && !columns[i].failed;
        values[i] = columns[i].values[0];
        lengths[i] = columns[i].lengths[0];
    }
    if (!good)
        return archive_state_fail(state, "not enough memory");
    PGresult *answer = PQexecParams(keys, WRITE, 3, NULL, values, lengths, formats, 0);
    good = PQresultStatus(answer) == PGRES_COMMAND_OK;
    PQclear(answer);
    state->archive->answers += pg_rows_count(rows);
    return good || archive_state_refuse(state, keys);
}

static bool write_all(struct archive_state *state, PGconn *keys)
{
    bool good = true;
    for (int count = 1; good && count > 0;) {
        struct arena arena;
        arena_init(&arena);
        PGresult *page = PQexecParams(state->conn, PAGE, 0, NULL, NULL, NULL, NULL, 1);
        good = PQresultStatus(page) == PGRES_TUPLES_OK || archive_state_refuse(state, state->conn);
        count = good ? PQntuples(page) : 0;
        good =
            good && (count == 0 || write_page(state, keys, (const struct pg_rows *)page, &arena));
        PQclear(page);
        arena_release(&arena);
    }
    return good && archive_state_run(state, "close derived");
}

bool archive_answers_write(struct archive_state *state, const char *transactions,
                           const char *postings)
{
    PGconn *keys = PQconnectdb(state->archive->conninfo);
    bool good = PQstatus(keys) == CONNECTION_OK || archive_state_refuse(state, keys);
    good = good && open_cursor(state, transactions, postings) && write_all(state, keys);
    PQfinish(keys);
    return good;
}
