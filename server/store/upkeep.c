#include "store/upkeep.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"
#include "store/pg_params.h"
#include "store/pg_pool.h"
#include "store/pg_rows.h"

static const struct pg_statement make_partitions = {"upkeep_make_partitions",
                                                    "select make_partitions($1::timestamptz, 2)"};

/* The bundle once, a line per load, and lines of the past swept: 100 a worker are kept. */
static const struct pg_statement note_rules = {
    "upkeep_note_rules",
    "with bundle as (insert into rule_bundles (hash, files, first_seen) "
    "select $5::bytea, $6::text, $1::timestamptz where $5::bytea is not null "
    "on conflict do nothing), "
    "swept as (delete from rule_loads where server = $2::text and slot = $3::smallint and id < "
    "(select min(id) from (select id from rule_loads where server = $2::text and "
    "slot = $3::smallint order by id desc limit 100) newest)) "
    "insert into rule_loads (at, server, slot, accepted, hash, findings) "
    "values ($1::timestamptz, $2::text, $3::smallint, $4::boolean, $5::bytea, $7::text)"};

const struct pg_statement *const upkeep_statements[] = {&make_partitions, &note_rules, NULL};

static void on_partitions(void *owner, enum pg_outcome outcome, const struct pg_rows *rows)
{
    (void)owner;
    if (outcome != PG_OK)
        log_message(LOG_ERROR, "partitions_failed", "will be tried again");
    else if (pg_rows_int(rows, 0, 0) > 0)
        log_message(LOG_INFO, "partitions_made", "%d", (int)pg_rows_int(rows, 0, 0));
}

bool upkeep_make_partitions(struct pg_pool *pool)
{
    struct arena arena;
    struct pg_params params;
    arena_init(&arena);
    pg_params_init(&params, &arena);
    pg_params_time(&params, clock_now());
    bool asked = pg_pool_ask(pool, &make_partitions, &params, on_partitions, NULL);
    arena_release(&arena);
    return asked;
}

static void on_noted(void *owner, enum pg_outcome outcome, const struct pg_rows *rows)
{
    bool *failed = owner;
    (void)rows;
    *failed = outcome != PG_OK;
    if (*failed)
        log_message(LOG_WARN, "rule_load_not_noted", "moolah rules status may be behind");
}

bool upkeep_note_rules(struct pg_pool *pool, const struct upkeep_rule_load *load)
{
    struct arena arena;
    struct pg_params params;
    arena_init(&arena);
    pg_params_init(&params, &arena);
    pg_params_time(&params, clock_now());
    pg_params_text(&params, slice_of(load->server));
    pg_params_smallint(&params, (int16_t)load->slot);
    pg_params_bool(&params, load->accepted);
    pg_params_text(&params, (struct slice){(const char *)load->hash, load->hash == NULL ? 0 : 32});
    pg_params_text(&params, load->files);
    pg_params_text(&params, load->findings);
    bool asked = pg_pool_ask(pool, &note_rules, &params, on_noted, load->failed);
    arena_release(&arena);
    return asked;
}
