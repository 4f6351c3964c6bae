/* Encode a decided batch: its rows as binary arrays, its statements as libpq's messages. */
#include <ev.h>

#include "base/clock.h"
#include "benchmarks/instructions/orders.h"
#include "benchmarks/instructions/pg_stub.h"
#include "benchmarks/instructions/pieces.h"
#include "store/pg_connection.h"

#define TURNS_MAX 2000 /* of the loop until something comes about */

struct encode {
    struct orders orders;
    struct pg_stub stub;
    struct ev_loop *loop;
    struct pg_connection *connection;
    bool ready;
    bool synced;
    bool lost;
};

static void on_ready(void *owner)
{
    ((struct encode *)owner)->ready = true;
}

static bool on_rows(void *owner, const struct pg_statement *statement, struct pg_rows *rows)
{
    (void)owner;
    (void)statement;
    (void)rows;
    return false;
}

static void on_error(void *owner, const struct pg_statement *statement,
                     const struct pg_error *error)
{
    (void)statement;
    (void)error;
    ((struct encode *)owner)->lost = true;
}

static void on_synced(void *owner)
{
    ((struct encode *)owner)->synced = true;
}

static void on_lost(void *owner, const char *why)
{
    (void)why;
    ((struct encode *)owner)->lost = true;
}

static bool await(struct encode *encode, const bool *flag)
{
    for (int turn = 0; !*flag && !encode->lost && turn < TURNS_MAX; turn++) {
        ev_run(encode->loop, EVRUN_NOWAIT);
        pg_stub_serve(&encode->stub);
    }
    return *flag;
}

PIECES_COUNTED bool counted_encode(struct pg_connection *connection, struct batch *batch)
{
    return ledger_rows_write(connection, &batch->arena, &batch->writing);
}

static bool run_round(struct encode *encode)
{
    struct batch *batch = batch_new(encode->orders.list, ORDERS_COUNT);
    encode->synced = false;
    bool good = batch != NULL && orders_decide(&encode->orders, batch) &&
                orders_are_posted(batch) && counted_encode(encode->connection, batch) &&
                await(encode, &encode->synced);
    if (batch != NULL)
        batch_free(batch);
    return good;
}

static bool run(const char *scratch)
{
    static struct encode encode;
    const struct pg_connection_owner owner = {.owner = &encode,
                                              .ready = on_ready,
                                              .rows = on_rows,
                                              .error = on_error,
                                              .synced = on_synced,
                                              .lost = on_lost};
    encode.loop = ev_default_loop(EVFLAG_AUTO);
    if (!orders_make(&encode.orders) || !pg_stub_open(&encode.stub, scratch))
        return pieces_fail(&encode_piece, "the rules can't be loaded, or no socket");
    const struct pg_connection_settings settings = {.conninfo = encode.stub.conninfo,
                                                    .application_name = "moolah-instructions",
                                                    .statements = ledger_rows_statements,
                                                    .setup = ledger_rows_setup};
    encode.connection = pg_connection_new(encode.loop, &settings, &owner);
    if (encode.connection == NULL || !await(&encode, &encode.ready))
        return pieces_fail(&encode_piece, "libpq did not connect");
    for (int round = 0; round < PIECES_ROUNDS; round++)
        if (!run_round(&encode))
            return pieces_fail(&encode_piece, "a batch was not written");
    pg_connection_free(encode.connection);
    return true;
}

const struct piece encode_piece = {"encode_batch", "counted_encode", 1, "batch of 128", run};
