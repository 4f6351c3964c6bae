#include "store/status.h"

#include "base/arena.h"
#include "ledger/account.h"
#include "store/pg_params.h"
#include "store/pg_rows.h"
#include "store/revisions.h"

/* Rows are locked in the order in which posting locks them. The numbers of statuses are
 * ledger/account.h's. */
#define THEIR_ACCOUNTS                                                                      \
    "theirs as (select id from accounts where id in (select id from wallets where owner = " \
    "$1::uuid) order by id for no key update), "

static const struct pg_statement freeze = {
    "status_freeze",
    "with one as (update users set frozen = $2::boolean where id = $1::uuid returning "
    "id), " THEIR_ACCOUNTS
    "changed as (update accounts a set status = case when $2::boolean then 2 else 1 end "
    "from theirs where a.id = theirs.id and a.status = case when $2::boolean then 1 else 2 end "
    "returning a.id) select changed.id from one left join changed on true"};

static const struct pg_statement set_tier = {
    "status_set_tier",
    "with one as (update users set tier = $2::smallint where id = $1::uuid returning "
    "id), " THEIR_ACCOUNTS
    "changed as (update accounts a set tier = $2::smallint from theirs where a.id = theirs.id "
    "and a.tier <> $2::smallint returning a.id) select changed.id from one left join changed on "
    "true"};

/* The conditions are looked at again after waiting for a posting. */
static const struct pg_statement close_wallet = {
    "status_close_wallet",
    "with closed as (update accounts a set status = 3 from wallets w join users u "
    "on u.id = w.owner where w.id = $1::uuid and w.owner = $2::uuid and a.id = w.id "
    "and u.wallet <> w.id and a.status = 1 and a.posted = 0 and a.held = 0 returning a.id) "
    "select w.id, w.owner, w.label, a.currency, a.status, a.posted, a.held, a.version, "
    "w.created_at, a.zone, (select count(*) from closed) = 1, u.wallet = w.id from wallets w "
    "join users u on u.id = w.owner join accounts a on a.id = w.id "
    "where w.id = $1::uuid and w.owner = $2::uuid"};

const struct pg_statement *const status_statements[] = {&freeze, &set_tier, &close_wallet, NULL};

bool status_expect(struct status_question *q, const struct wallet *wallets, size_t count)
{
    q->changes = arena_array(q->arena, count, sizeof q->changes[0]);
    q->change_count = q->changes == NULL ? 0 : count;
    for (size_t i = 0; i < q->change_count; i++)
        q->changes[i] = (struct revisions_change){.wallet = wallets[i].id};
    return q->change_count == count;
}

/* What nobody knows the end of stays in doubt. Posting begins its changes with the rows locked, so
 * it knows that what began before is older (revisions.h); ours may have waited for the row and be
 * younger. The touch makes each of them count for two: who posts meanwhile offers no copy. */
static void end(struct status_question *q, enum pg_outcome outcome)
{
    if (outcome == PG_UNAVAILABLE)
        return;
    for (size_t i = 0; i < q->change_count; i++)
        revisions_touch(&q->changes[i].wallet);
    revisions_end(q->changes, q->change_count);
}

/* The user's wallets that a statement has changed, behind those of the one before. */
static void take_wallets(struct status_question *q, const struct pg_rows *rows)
{
    size_t count = (size_t)pg_rows_count(rows);
    struct uuid *wallets = arena_array(q->arena, q->wallet_count + count, sizeof wallets[0]);
    q->found = count > 0;
    if (wallets == NULL) {
        q->outcome = PG_UNAVAILABLE;
        return;
    }
    for (size_t i = 0; i < q->wallet_count; i++)
        wallets[i] = q->wallets[i];
    q->wallets = wallets;
    for (int i = 0; i < (int)count; i++)
        if (!pg_rows_is_null(rows, i, 0))
            q->wallets[q->wallet_count++] = pg_rows_uuid(rows, i, 0);
}

static void take_answer(struct status_question *q, enum pg_outcome outcome,
                        const struct pg_rows *rows)
{
    q->outcome = outcome;
    q->found = false;
    if (outcome == PG_OK)
        take_wallets(q, rows);
}

static void on_changed(void *owner, enum pg_outcome outcome, const struct pg_rows *rows)
{
    struct status_question *q = owner;
    end(q, outcome);
    take_answer(q, outcome, rows);
    q->done(q);
}

static bool ask_change(struct status_question *q, pg_answer *answer)
{
    struct pg_params params;
    pg_params_init(&params, q->arena);
    pg_params_uuid(&params, &q->user);
    if (q->sets_tier)
        pg_params_smallint(&params, (int16_t)q->value);
    else
        pg_params_bool(&params, q->value != 0);
    return pg_pool_ask(q->pool, q->sets_tier ? &set_tier : &freeze, &params, answer, q);
}

/* A wallet that was being opened holds the user's row and isn't in the snapshot of the statement
 * that waits for it: it would keep what it was born with. So the same is asked once more: who opens
 * one since sees what the user is now. */
static void on_changed_first(void *owner, enum pg_outcome outcome, const struct pg_rows *rows)
{
    struct status_question *q = owner;
    take_answer(q, outcome, rows);
    if (q->found && q->outcome == PG_OK) {
        if (ask_change(q, on_changed))
            return;
        q->outcome = PG_UNAVAILABLE;
    }
    end(q, outcome);
    q->done(q);
}

static void take_wallet(struct status_question *q, const struct pg_rows *rows)
{
    bool just_now = pg_rows_bool(rows, 0, 10);
    q->is_main = pg_rows_bool(rows, 0, 11);
    q->wallet = (struct wallet){
        .id = pg_rows_uuid(rows, 0, 0),
        .owner = pg_rows_uuid(rows, 0, 1),
        .label = arena_copy(q->arena, pg_rows_text(rows, 0, 2)),
        .currency = (currency)pg_rows_int(rows, 0, 3),
        .status = just_now ? ACCOUNT_CLOSED : (int)pg_rows_int(rows, 0, 4),
        .posted = pg_rows_int(rows, 0, 5),
        .held = pg_rows_int(rows, 0, 6),
        .version = pg_rows_int(rows, 0, 7),
        .created_at = pg_rows_time(rows, 0, 8),
        .zone = (int)pg_rows_int(rows, 0, 9),
    };
    q->closed = q->wallet.status == ACCOUNT_CLOSED;
    if (q->wallet.label.at == NULL)
        q->outcome = PG_UNAVAILABLE;
}

static void on_closed(void *owner, enum pg_outcome outcome, const struct pg_rows *rows)
{
    struct status_question *q = owner;
    end(q, outcome);
    q->outcome = outcome;
    q->found = outcome == PG_OK && pg_rows_count(rows) == 1;
    if (q->found)
        take_wallet(q, rows);
    q->done(q);
}

static bool begin_change(struct pg_pool *pool, const struct uuid *user, struct status_question *q)
{
    q->pool = pool;
    q->user = *user;
    q->wallets = NULL;
    q->wallet_count = 0;
    revisions_begin(q->changes, q->change_count);
    if (ask_change(q, on_changed_first))
        return true;
    end(q, PG_REFUSED);
    return false;
}

bool status_freeze(struct pg_pool *pool, const struct uuid *user, bool frozen,
                   struct status_question *q)
{
    q->sets_tier = false;
    q->value = frozen;
    return begin_change(pool, user, q);
}

bool status_set_tier(struct pg_pool *pool, const struct uuid *user, int tier,
                     struct status_question *q)
{
    q->sets_tier = true;
    q->value = tier;
    return begin_change(pool, user, q);
}

bool status_close_wallet(struct pg_pool *pool, const struct uuid *wallet, const struct uuid *owner,
                         struct status_question *q)
{
    const struct wallet closing = {.id = *wallet};
    struct pg_params params;
    pg_params_init(&params, q->arena);
    pg_params_uuid(&params, wallet);
    pg_params_uuid(&params, owner);
    if (!status_expect(q, &closing, 1))
        return false;
    revisions_begin(q->changes, q->change_count);
    if (pg_pool_ask(pool, &close_wallet, &params, on_closed, q))
        return true;
    end(q, PG_REFUSED);
    return false;
}
