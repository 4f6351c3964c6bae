#include "store/tie_out.h"

#include "base/arena.h"
#include "base/log.h"
#include "base/metrics.h"
#include "store/pg_params.h"
#include "store/pg_pool.h"
#include "store/pg_rows.h"

#define ACCOUNTS 8

static struct {
    metric looked, drift, rounds;
} metrics;

void tie_out_register_metrics(void)
{
    metrics.looked = metrics_register(METRIC_COUNTER, "moolah_tie_out_accounts_total", "",
                                      "Accounts whose balance was held against their postings");
    metrics.rounds = metrics_register(METRIC_COUNTER, "moolah_tie_out_rounds_total", "",
                                      "Times that all accounts had been looked at");
    metrics.drift = metrics_register(METRIC_COUNTER, "moolah_drift_total", "of=\"balance\"",
                                     "What was found not to agree with the postings: must stay 0");
}

/* Of one snapshot, so nothing is between two states. The newest 64 postings, each against the one
 * before; of an account with fewer the first one, too, against nothing: together its whole sum. */
static const struct pg_statement look = {
    "tie_out_look",
    "select a.id, a.posted, a.held, a.version, l.version, l.posted_after, l.held_after, l.gaps "
    "from (select * from accounts where id > $1::uuid order by id limit $2::integer) a "
    "left join lateral (select max(version) as version, "
    "max(posted_after) filter (where place = 1) as posted_after, "
    "max(held_after) filter (where place = 1) as held_after, "
    "count(*) filter (where place < 65 and (version <> before + 1 "
    "or posted_after <> posted_before + amount or held_after <> held_before + hold)) as gaps "
    "from (select version, amount, hold, posted_after, held_after, row_number() over w as place, "
    "lead(version, 1, 0::bigint) over w as before, "
    "lead(posted_after, 1, 0::bigint) over w as posted_before, "
    "lead(held_after, 1, 0::bigint) over w as held_before "
    "from (select * from postings where account = a.id order by version desc limit 65) p "
    "window w as (order by version desc)) chain) l on true"};

const struct pg_statement *const tie_out_statements[] = {&look, NULL};

static void tell(const struct uuid *account, const char *what)
{
    char text[UUID_TEXT_MAX];
    uuid_format(account, "acc_", text);
    metrics_add(metrics.drift, 1);
    log_message(LOG_ERROR, "drift", "account %s: %s: run moolah ledger verify", text, what);
}

static void hold_against(const struct pg_rows *rows, int row)
{
    const struct uuid id = pg_rows_uuid(rows, row, 0);
    bool is_new = pg_rows_is_null(rows, row, 4);
    int64_t version = is_new ? 0 : pg_rows_int(rows, row, 4);
    int64_t posted = is_new ? 0 : pg_rows_int(rows, row, 5);
    int64_t held = is_new ? 0 : pg_rows_int(rows, row, 6);
    if (pg_rows_int(rows, row, 3) != version)
        tell(&id, "its version is not its last posting's");
    else if (pg_rows_int(rows, row, 1) != posted || pg_rows_int(rows, row, 2) != held)
        tell(&id, "its balance is not what the last posting left");
    else if (pg_rows_int(rows, row, 7) != 0)
        tell(&id, "a posting doesn't follow from the one before");
}

static void on_look(void *owner, enum pg_outcome outcome, const struct pg_rows *rows)
{
    struct tie_out *t = owner;
    t->asked = false;
    if (outcome != PG_OK)
        return;
    int count = pg_rows_count(rows);
    for (int i = 0; i < count; i++)
        hold_against(rows, i);
    metrics_add(metrics.looked, (uint64_t)count);
    if (count > 0)
        t->last = pg_rows_uuid(rows, count - 1, 0);
    if (count == ACCOUNTS)
        return;
    t->last = (struct uuid){{0}};
    metrics_add(metrics.rounds, 1);
}

void tie_out_look(struct tie_out *t, struct pg_pool *pool)
{
    struct arena arena;
    struct pg_params params;
    if (t->asked)
        return;
    arena_init(&arena);
    pg_params_init(&params, &arena);
    pg_params_uuid(&params, &t->last);
    pg_params_integer(&params, ACCOUNTS);
    t->asked = pg_pool_ask(pool, &look, &params, on_look, t);
    arena_release(&arena);
}
