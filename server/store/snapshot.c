#include "store/snapshot.h"

#include "base/arena.h"
#include "store/ledger_rows.h"
#include "store/pg_array.h"
#include "store/pg_params.h"
#include "store/pg_rows.h"

#define STORED_COLUMN 12

/* lock_accounts without its lock. */
static const struct pg_statement find = {
    "snapshot_find",
    "select id, kind, status, tier, currency, owner, posted, held, floor, version, zone, counters, "
    "exists (select 1 from rule_bundles where hash = $2::bytea) "
    "from accounts where id = any($1::uuid[]) order by id"};

const struct pg_statement *const snapshot_statements[] = {&find, NULL};

static void on_found(void *owner, enum pg_outcome outcome, const struct pg_rows *rows)
{
    struct snapshot_question *q = owner;
    q->outcome = outcome;
    if (outcome == PG_OK && pg_rows_count(rows) > 0) {
        q->accounts = arena_array(q->arena, (size_t)pg_rows_count(rows), sizeof q->accounts[0]);
        if (q->accounts == NULL ||
            !ledger_rows_take_accounts(rows, q->arena, q->accounts, &q->count))
            q->outcome = PG_UNAVAILABLE;
        else
            q->bundle_stored = pg_rows_bool(rows, 0, STORED_COLUMN);
    }
    q->done(q);
}

bool snapshot_find(struct pg_pool *pool, const struct uuid *ids, size_t count,
                   const uint8_t *bundle, struct snapshot_question *q)
{
    struct pg_params params;
    struct pg_array array;
    pg_params_init(&params, q->arena);
    pg_array_begin(&array, &params, PG_UUID, (int)count);
    for (size_t i = 0; i < count; i++)
        pg_array_uuid(&array, &ids[i]);
    pg_array_end(&array);
    pg_params_text(&params, (struct slice){(const char *)bundle, 32});
    return pg_pool_read(pool, &find, &params, on_found, q);
}
