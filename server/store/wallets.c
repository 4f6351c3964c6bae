#include "store/wallets.h"

#include <assert.h>

#include "base/arena.h"
#include "ledger/account.h"
#include "store/pg_params.h"
#include "store/pg_rows.h"

#define WALLET_COLUMNS                                                                          \
    "w.id, w.owner, w.label, a.currency, a.status, a.posted, a.held, a.version, w.created_at, " \
    "a.zone"

static const struct pg_statement list = {
    "wallets_list", "select " WALLET_COLUMNS " from wallets w join accounts a on a.id = w.id "
                    "where w.owner = $1::uuid and ($2::uuid is null or w.id < $2::uuid) "
                    "order by w.id desc limit $3::integer"};
static const struct pg_statement find = {
    "wallets_find", "select " WALLET_COLUMNS " from wallets w join accounts a on a.id = w.id "
                    "where w.id = $1::uuid and w.owner = $2::uuid"};

/* Counted in the statement; two at once may make one too many, which hurts nobody. A wallet is born
 * with its owner's tier; a frozen user opens none: who freezes waits for the row. */
static const struct pg_statement create = {
    "wallets_create",
    "with one as (select tier, frozen from users where id = $2::uuid for share), "
    "room as (select count(*) < $6::integer as free from wallets where owner = $2::uuid), "
    "account as (insert into accounts (id, kind, tier, currency, owner, zone) "
    "select $1::uuid, 1, one.tier, $4::integer, $2::uuid, $14::smallint "
    "from room, one where free and not frozen returning id), "
    "remembered as (insert into idempotency (caller, key, request_hash, status, answer, "
    "created_at) select $2::uuid, $7::text, $8::bytea, "
    "case when free and not frozen then $9::smallint else $11::smallint end, "
    "case when frozen then $13::bytea when free then $10::bytea else $12::bytea end, "
    "$5::timestamptz from room, one where $7::text is not null), "
    "made as (insert into wallets (id, owner, label, created_at) "
    "select account.id, $2::uuid, $3::text, $5::timestamptz from account returning id) "
    "select (select count(*) from made), frozen from one"};

/* Backwards along (account, version); each line's transaction by its id, which names its month. The
 * owner is checked by the same statement: a wallet that isn't the asker's has no lines, and no
 * first row either. "offset 0" has each transaction looked up by itself: joined, a month that was
 * empty when it was analyzed would be read whole for each line until it is analyzed again. The
 * filters are looked at along the index: what they let pass is bounded by `scanned`, so that a
 * filter that fits nothing ends, too. */
static const struct pg_statement statement = {
    "wallets_statement",
    "select l.*, a.version from wallets w join accounts a on a.id = w.id left join lateral ("
    "select " WALLETS_TRANSACTION_COLUMNS
    ", p.amount as change, p.version, p.posted_after, p.held_after, p.hold "
    "from (select * from postings where account = w.id and version < $3::bigint "
    "order by version desc limit $12::integer) p cross join lateral ("
    "select * from transactions where id = p.transaction_id offset 0) t "
    "where ($4::smallint = 0 or t.kind = $4::smallint) "
    "and t.created_at >= $5::timestamptz and t.created_at < $6::timestamptz "
    "and abs(p.amount) between $7::bigint and $8::bigint "
    "and ($9::uuid is null or t.from_account = $9::uuid or t.to_account = $9::uuid) "
    "and ($10::text is null or t.reference = $10::text) "
    "order by p.version desc limit $11::integer) l on true "
    "where w.id = $1::uuid and w.owner = $2::uuid"};

/* The same forwards: what an event stream has yet to tell. */
static const struct pg_statement lines_after = {
    "wallets_lines_after",
    "select " WALLETS_TRANSACTION_COLUMNS
    ", p.amount as change, p.version, p.posted_after, p.held_after, p.hold "
    "from (select * from postings where account = $1::uuid and version > $2::bigint "
    "order by version limit $3::integer) p cross join lateral ("
    "select * from transactions where id = p.transaction_id offset 0) t order by p.version"};

static const struct pg_statement find_transaction = {
    "wallets_find_transaction",
    "select " WALLETS_PRICED_COLUMNS ", t.caller, f.owner, o.owner, "
    "pf.posted_after, pf.held_after, po.posted_after, po.held_after "
    "from transactions t left join accounts f on f.id = t.from_account "
    "left join accounts o on o.id = t.to_account "
    "left join postings pf on pf.account = t.from_account and pf.version = t.from_version "
    "and pf.transaction_id = t.id "
    "left join postings po on po.account = t.to_account and po.version = t.to_version "
    "and po.transaction_id = t.id "
    "where t.id = $1::uuid"};

const struct pg_statement *const wallets_statements[] = {
    &list, &find, &create, &statement, &lines_after, &find_transaction, NULL};

#define SCANNED_WITH_FILTER 1000 /* lines a filter may look at for one page */
#define POSTGRES_FIRST INT64_C(-210866803200000000)
#define POSTGRES_LAST INT64_C(253402300799000000) /* year 9999 */

static void take_wallets(struct wallets_question *q, const struct pg_rows *rows)
{
    size_t count = (size_t)pg_rows_count(rows);
    q->wallets = arena_array(q->arena, count, sizeof q->wallets[0]);
    q->wallet_count = q->wallets == NULL ? 0 : count;
    if (q->wallets == NULL)
        q->outcome = PG_UNAVAILABLE;
    for (int i = 0; i < (int)q->wallet_count; i++) {
        q->wallets[i] = (struct wallet){
            .id = pg_rows_uuid(rows, i, 0),
            .owner = pg_rows_uuid(rows, i, 1),
            .currency = (currency)pg_rows_int(rows, i, 3),
            .status = (int)pg_rows_int(rows, i, 4),
            .posted = pg_rows_int(rows, i, 5),
            .held = pg_rows_int(rows, i, 6),
            .version = pg_rows_int(rows, i, 7),
            .created_at = pg_rows_time(rows, i, 8),
            .zone = (int)pg_rows_int(rows, i, 9),
        };
        if (!pg_rows_take_text(rows, i, 2, q->arena, &q->wallets[i].label))
            q->outcome = PG_UNAVAILABLE;
    }
}

static void on_wallets(void *owner, enum pg_outcome outcome, const struct pg_rows *rows)
{
    struct wallets_question *q = owner;
    q->outcome = outcome;
    q->wallet_count = 0;
    if (outcome == PG_OK)
        take_wallets(q, rows);
    q->done(q);
}

static void on_created(void *owner, enum pg_outcome outcome, const struct pg_rows *rows)
{
    struct wallets_question *q = owner;
    q->outcome = outcome;
    bool good = outcome == PG_OK && pg_rows_count(rows) == 1;
    if (outcome == PG_OK && !good)
        q->outcome = PG_REFUSED; /* there is no such user */
    q->wallet_count = good ? (size_t)pg_rows_int(rows, 0, 0) : 0;
    q->frozen = good && pg_rows_bool(rows, 0, 1);
    q->done(q);
}

/* WALLETS_TRANSACTION_COLUMNS */
static bool take_common(const struct pg_rows *rows, int row, struct arena *arena,
                        struct wallets_transaction *t)
{
    *t = (struct wallets_transaction){
        .id = pg_rows_uuid(rows, row, 0),
        .kind = (int)pg_rows_int(rows, row, 1),
        .from = pg_rows_uuid(rows, row, 2),
        .to = pg_rows_uuid(rows, row, 3),
        .amount = pg_rows_int(rows, row, 4),
        .fee = pg_rows_int(rows, row, 5),
        .currency = (currency)pg_rows_int(rows, row, 6),
        .created_at = pg_rows_time(rows, row, 9),
    };
    return pg_rows_take_text(rows, row, 7, arena, &t->note) &&
           pg_rows_take_text(rows, row, 8, arena, &t->reference);
}

bool wallets_take_priced(const struct pg_rows *rows, int row, struct arena *arena,
                         struct wallets_transaction *t)
{
    if (!take_common(rows, row, arena, t) || !pg_rows_take_text(rows, row, 10, arena, &t->pricing))
        return false;
    t->has_bundle = !pg_rows_is_null(rows, row, 11);
    if (t->has_bundle)
        memcpy(t->bundle, pg_rows_text(rows, row, 11).at, sizeof t->bundle);
    return true;
}

/* How far back the filter has looked: versions are gapless. */
static void note_scanned(struct wallets_question *q, int64_t version)
{
    int64_t newest = q->before_version <= version ? q->before_version - 1 : version;
    int64_t oldest = newest - q->scanned_most + 1;
    q->scanned_to = oldest > 1 ? oldest : 0;
}

static void take_lines(struct wallets_question *q, const struct pg_rows *rows, size_t count)
{
    q->transactions = arena_array(q->arena, count, sizeof q->transactions[0]);
    if (q->transactions == NULL)
        q->outcome = PG_UNAVAILABLE;
    q->transaction_count = q->transactions == NULL ? 0 : count;
    for (int i = 0; i < (int)q->transaction_count; i++) {
        struct wallets_transaction *line = &q->transactions[i];
        if (!take_common(rows, i, q->arena, line))
            q->outcome = PG_UNAVAILABLE;
        line->change = pg_rows_int(rows, i, 10);
        line->version = pg_rows_int(rows, i, 11);
        line->posted_after = pg_rows_int(rows, i, 12);
        line->held_after = pg_rows_int(rows, i, 13);
        line->hold = pg_rows_int(rows, i, 14);
    }
}

static void take_statement(struct wallets_question *q, const struct pg_rows *rows)
{
    size_t count = (size_t)pg_rows_count(rows);
    q->wallet_count = count > 0; /* the wallet is the asker's */
    if (count > 0)
        note_scanned(q, pg_rows_int(rows, 0, 15));
    if (count == 1 && pg_rows_is_null(rows, 0, 0))
        count = 0; /* and has no lines */
    take_lines(q, rows, count);
}

static void on_lines(void *owner, enum pg_outcome outcome, const struct pg_rows *rows)
{
    struct wallets_question *q = owner;
    q->outcome = outcome;
    q->wallet_count = q->transaction_count = 0;
    if (outcome == PG_OK)
        take_statement(q, rows);
    q->done(q);
}

static void on_lines_after(void *owner, enum pg_outcome outcome, const struct pg_rows *rows)
{
    struct wallets_question *q = owner;
    q->outcome = outcome;
    q->wallet_count = q->transaction_count = 0;
    if (outcome == PG_OK)
        take_lines(q, rows, (size_t)pg_rows_count(rows));
    q->done(q);
}

static void take_transaction(struct wallets_question *q, const struct pg_rows *rows)
{
    q->transactions = arena_alloc(q->arena, sizeof q->transactions[0]);
    if (q->transactions == NULL || !wallets_take_priced(rows, 0, q->arena, q->transactions)) {
        q->outcome = PG_UNAVAILABLE;
        return;
    }
    struct wallets_transaction *t = q->transactions;
    t->caller = pg_rows_uuid(rows, 0, 12);
    if (!pg_rows_is_null(rows, 0, 13))
        t->from_owner = pg_rows_uuid(rows, 0, 13);
    if (!pg_rows_is_null(rows, 0, 14))
        t->to_owner = pg_rows_uuid(rows, 0, 14);
    t->posted_after = pg_rows_int(rows, 0, 15);
    t->held_after = pg_rows_int(rows, 0, 16);
    t->to_touched = !pg_rows_is_null(rows, 0, 17); /* not by a hold, a void, an expiry */
    if (t->to_touched) {
        t->to_posted_after = pg_rows_int(rows, 0, 17);
        t->to_held_after = pg_rows_int(rows, 0, 18);
    }
    q->transaction_count = 1;
}

static void on_transaction(void *owner, enum pg_outcome outcome, const struct pg_rows *rows)
{
    struct wallets_question *q = owner;
    q->outcome = outcome;
    q->transaction_count = 0;
    if (outcome == PG_OK && pg_rows_count(rows) == 1)
        take_transaction(q, rows);
    q->done(q);
}

bool wallets_list(struct pg_pool *pool, const struct uuid *owner, const struct uuid *before,
                  int limit, struct wallets_question *q)
{
    struct pg_params params;
    assert(limit >= 1 && limit <= 100);
    pg_params_init(&params, q->arena);
    pg_params_uuid(&params, owner);
    pg_params_uuid(&params, before);
    pg_params_integer(&params, limit + 1);
    return pg_pool_ask(pool, &list, &params, on_wallets, q);
}

bool wallets_find(struct pg_pool *pool, const struct uuid *id, const struct uuid *owner,
                  struct wallets_question *q)
{
    struct pg_params params;
    pg_params_init(&params, q->arena);
    pg_params_uuid(&params, id);
    pg_params_uuid(&params, owner);
    return pg_pool_read(pool, &find, &params, on_wallets, q);
}

static int64_t clamp_time(int64_t unix_us)
{
    return unix_us < POSTGRES_FIRST  ? POSTGRES_FIRST
           : unix_us > POSTGRES_LAST ? POSTGRES_LAST
                                     : unix_us;
}

static bool has_filter(const struct wallets_filter *f)
{
    return f->kind != 0 || f->from != INT64_MIN || f->to != INT64_MAX || f->min_amount > 0 ||
           f->max_amount != INT64_MAX || !uuid_is_nil(&f->counterparty) || f->reference.at != NULL;
}

bool wallets_statement(struct pg_pool *pool, const struct wallets_filter *filter,
                       const struct uuid *owner, struct wallets_question *q)
{
    struct pg_params params;
    assert(filter->limit >= 1 && filter->limit <= 100);
    pg_params_init(&params, q->arena);
    pg_params_uuid(&params, &filter->wallet);
    pg_params_uuid(&params, owner);
    pg_params_bigint(&params, filter->before_version);
    pg_params_smallint(&params, (int16_t)filter->kind);
    pg_params_time(&params, clamp_time(filter->from));
    pg_params_time(&params, clamp_time(filter->to));
    pg_params_bigint(&params, filter->min_amount);
    pg_params_bigint(&params, filter->max_amount);
    pg_params_uuid(&params, uuid_is_nil(&filter->counterparty) ? NULL : &filter->counterparty);
    pg_params_text(&params, filter->reference);
    pg_params_integer(&params, filter->limit + 1);
    q->before_version = filter->before_version;
    q->scanned_most = has_filter(filter) ? SCANNED_WITH_FILTER : filter->limit + 1;
    pg_params_integer(&params, q->scanned_most);
    return pg_pool_ask(pool, &statement, &params, on_lines, q);
}

bool wallets_lines_after(struct pg_pool *pool, const struct uuid *wallet, int64_t after, int limit,
                         struct wallets_question *q)
{
    struct pg_params params;
    assert(after >= 0 && limit >= 1 && limit <= 100);
    pg_params_init(&params, q->arena);
    pg_params_uuid(&params, wallet);
    pg_params_bigint(&params, after);
    pg_params_integer(&params, limit);
    return pg_pool_read(pool, &lines_after, &params, on_lines_after, q);
}

bool wallets_find_transaction(struct pg_pool *pool, const struct uuid *id,
                              struct wallets_question *q)
{
    struct pg_params params;
    pg_params_init(&params, q->arena);
    pg_params_uuid(&params, id);
    return pg_pool_ask(pool, &find_transaction, &params, on_transaction, q);
}

bool wallets_create(struct pg_pool *pool, const struct wallets_new *fresh,
                    struct wallets_question *q)
{
    struct pg_params params;
    const struct wallet *wallet = fresh->wallet;
    pg_params_init(&params, q->arena);
    pg_params_uuid(&params, &wallet->id);
    pg_params_uuid(&params, &wallet->owner);
    pg_params_text(&params, wallet->label);
    pg_params_integer(&params, (int32_t)wallet->currency);
    pg_params_time(&params, wallet->created_at);
    pg_params_integer(&params, WALLETS_PER_USER);
    pg_params_text(&params, fresh->key);
    pg_params_text(&params, (struct slice){(const char *)fresh->request_hash, 32});
    pg_params_smallint(&params, (int16_t)fresh->status);
    pg_params_text(&params, fresh->answer);
    pg_params_smallint(&params, (int16_t)fresh->full_status);
    pg_params_text(&params, fresh->full_answer);
    pg_params_text(&params, fresh->frozen_answer);
    pg_params_smallint(&params, (int16_t)wallet->zone);
    return pg_pool_ask(pool, &create, &params, on_created, q);
}
