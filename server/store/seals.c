#include "store/seals.h"

#include <assert.h>
#include <stdio.h>

#include "base/arena.h"
#include "store/pg_array.h"
#include "store/pg_params.h"
#include "store/pg_rows.h"

/* Of a database: who holds it makes the seals. Two at once would be told apart by the number's
 * primary key, too. */
#define LOCK "7309461"

const struct pg_statement seals_look = {
    "seals_look",
    "select pg_try_advisory_lock(" LOCK "), now(), pg_snapshot_xmin(x)::text::bigint, "
    "pg_snapshot_xmax(x)::text::bigint, s.number, s.through_id, s.at, s.hash, "
    "(select t.id from transactions t where t.id > coalesce(s.through_id, "
    "'00000000-0000-0000-0000-000000000000') order by t.id limit 1) "
    "from pg_current_snapshot() x left join lateral "
    "(select * from seals where number > 0 order by number desc limit 1) s on true"};

const struct pg_statement seals_unlock = {"seals_unlock", "select pg_advisory_unlock(" LOCK ")"};

const struct pg_statement seals_news = {
    "seals_news", "select " SEALS_COLUMNS " from seals s where "
                  "s.number >= $1::bigint order by s.number limit $2::integer"};

/* Rows of a sealed range that were written by a transaction the seal didn't wait for: their id is
 * of a clock that was behind. Of seals from number $1 on. */
const struct pg_statement seals_late = {
    "seals_late", "select t.id from seals s cross join lateral (select id from transactions where "
                  "id > s.after_id and id <= s.through_id and written_by >= s.horizon::text::xid8 "
                  "offset 0) t where s.number >= $1::bigint and not exists "
                  "(select from seal_late l where l.transaction_id = t.id) limit 512"};

/* A posting by its key, `which` of the transaction's accounts. */
#define LEG(which)                                                                               \
    "left join lateral (select amount, hold, posted_after, held_after from postings where "      \
    "account = t." which "_account and version = t." which "_version and transaction_id = t.id " \
    "offset 0) " which "_leg on true "
#define LEG_COLUMNS                                                                  \
    ", from_leg.amount, from_leg.hold, from_leg.posted_after, from_leg.held_after, " \
    "to_leg.amount, to_leg.hold, to_leg.posted_after, to_leg.held_after "
#define FROM_COLUMN 18
#define TO_COLUMN 22

const struct pg_statement seals_rows = {
    "seals_rows",
    "select " SEALS_LEAF_COLUMNS LEG_COLUMNS
    "from (select * from transactions where id > $1::uuid and id < $2::uuid "
    "and written_by < $3::bigint::text::xid8 order by id limit $4::integer) t " LEG("from")
        LEG("to")};

const struct pg_statement seals_late_rows = {
    "seals_late_rows",
    "select " SEALS_LEAF_COLUMNS LEG_COLUMNS "from unnest($1::uuid[]) u(id) cross join lateral "
    "(select * from transactions where id = u.id offset 0) t " LEG("from") LEG("to")};

/* The third side of transactions: postings of the system's accounts, whose ids begin with zeros,
 * from where the last seal left each on: the next $4 versions, or some $3 before, of transactions
 * from $1 to $2. */
const struct pg_statement seals_system_legs = {
    "seals_system_legs",
    "select " SEALS_LEG_COLUMNS ", coalesce(c.version, 0) from accounts a "
    "left join seal_cursors c on c.account = a.id cross join lateral ("
    "select * from postings where account = a.id "
    "and version > coalesce(c.version, 0) - $3::bigint "
    "and version <= coalesce(c.version, 0) + $4::bigint "
    "and transaction_id >= $1::uuid and transaction_id <= $2::uuid offset 0) p "
    "where a.id < '00000000-0001-0000-0000-000000000000'"};

const struct pg_statement seals_insert = {
    "seals_insert",
    "with late as (insert into seal_late (transaction_id, seal) "
    "select id, $1::bigint from unnest($20::uuid[]) as late(id)), "
    "cursors as (insert into seal_cursors (account, version) "
    "select * from unnest($18::uuid[], $19::bigint[]) as u(account, version) "
    "on conflict (account) do update set version = excluded.version) "
    "insert into seals (number, origin, after_id, through_id, horizon, count, root, previous, "
    "hash, at, key, signature, salt, leaves, system_accounts, system_first, system_last) values "
    "($1::bigint, $2::text, $3::uuid, $4::uuid, $5::bigint, $6::integer, $7::bytea, $8::bytea, "
    "$9::bytea, $10::timestamptz, $11::bytea, $12::bytea, $13::bytea, $14::bytea, $15::uuid[], "
    "$16::bigint[], $17::bigint[]) returning number"};

const struct pg_statement *const seals_statements[] = {
    &seals_look,      &seals_unlock,      &seals_news,   &seals_late, &seals_rows,
    &seals_late_rows, &seals_system_legs, &seals_insert, NULL};

static const struct pg_statement find_leaf = {
    "seals_find_leaf",
    "select " SEALS_LEAF_COLUMNS LEG_COLUMNS ", f.owner, o.owner "
    "from transactions t " LEG("from")
        LEG("to") "left join accounts f on f.id = t.from_account "
                  "left join accounts o on o.id = t.to_account where t.id = $1::uuid"};

static const struct pg_statement find_seal = {
    "seals_find_seal",
    "select " SEALS_COLUMNS ", s.salt, s.leaves from seals s where s.number = coalesce("
    "(select seal from seal_late where transaction_id = $1::uuid), "
    "(select number from seals where through_id >= $1::uuid order by through_id, number limit 1))"};

static const struct pg_statement find_legs = {
    "seals_find_legs",
    "select " SEALS_LEG_COLUMNS " from (select e.* from seals s cross join lateral "
    "unnest(s.system_accounts, s.system_first, s.system_last) as e(account, first, last) "
    "where s.number = $1::bigint offset 0) e cross join lateral (select * from postings "
    "where account = e.account and version between e.first and e.last "
    "and transaction_id = $2::uuid offset 0) p"};

const struct pg_statement *const seals_proof_statements[] = {&find_leaf, &find_seal, &find_legs,
                                                             NULL};

/* ---- decoding */

static struct merkle_hash take_hash(const struct pg_rows *rows, int row, int column)
{
    struct merkle_hash hash;
    struct slice bytes = pg_rows_text(rows, row, column);
    assert(bytes.length == sizeof hash.bytes);
    memcpy(hash.bytes, bytes.at, sizeof hash.bytes);
    return hash;
}

struct seals_head seals_take_head(const struct pg_rows *rows)
{
    struct seals_head head = {
        .is_ours = pg_rows_bool(rows, 0, 0),
        .now = pg_rows_time(rows, 0, 1),
        .oldest_running = pg_rows_int(rows, 0, 2),
        .next = pg_rows_int(rows, 0, 3),
        .is_empty = pg_rows_is_null(rows, 0, 4),
    };
    if (!head.is_empty) {
        head.seal.number = pg_rows_int(rows, 0, 4);
        head.seal.through = pg_rows_uuid(rows, 0, 5);
        head.seal.at = pg_rows_time(rows, 0, 6);
        head.hash = take_hash(rows, 0, 7);
    }
    if (!pg_rows_is_null(rows, 0, 8))
        head.oldest_unsealed = pg_rows_uuid(rows, 0, 8);
    return head;
}

struct seals_stored seals_take(const struct pg_rows *rows, int row)
{
    struct slice origin = pg_rows_text(rows, row, 1);
    struct seals_stored stored = {
        .seal = {.number = pg_rows_int(rows, row, 0),
                 .after = pg_rows_uuid(rows, row, 2),
                 .through = pg_rows_uuid(rows, row, 3),
                 .horizon = pg_rows_int(rows, row, 4),
                 .count = (size_t)pg_rows_int(rows, row, 5),
                 .root = take_hash(rows, row, 6),
                 .previous = take_hash(rows, row, 7),
                 .at = pg_rows_time(rows, row, 8)},
        .hash = take_hash(rows, row, 9),
    };
    struct checkpoint *checkpoint = &stored.checkpoint;
    snprintf(stored.seal.origin, sizeof stored.seal.origin, "%.*s", (int)origin.length, origin.at);
    *checkpoint = seal_checkpoint(&stored.seal);
    checkpoint->is_signed = !pg_rows_is_null(rows, row, 10);
    if (checkpoint->is_signed) {
        memcpy(checkpoint->key, pg_rows_text(rows, row, 10).at, sizeof checkpoint->key);
        memcpy(checkpoint->signature, pg_rows_text(rows, row, 11).at, sizeof checkpoint->signature);
    }
    return stored;
}

static void take_own_leg(const struct pg_rows *rows, int row, int column, struct leaf *leaf)
{
    bool is_from = column == FROM_COLUMN;
    if (pg_rows_is_null(rows, row, column))
        return;
    const struct leaf_posting posting = {
        .account = is_from ? leaf->from : leaf->to,
        .version = is_from ? leaf->from_version : leaf->to_version,
        .amount = pg_rows_int(rows, row, column),
        .hold = pg_rows_int(rows, row, column + 1),
        .posted_after = pg_rows_int(rows, row, column + 2),
        .held_after = pg_rows_int(rows, row, column + 3),
    };
    leaf_add_posting(leaf, &posting);
}

bool seals_take_columns(const struct pg_rows *rows, int row, struct arena *arena, struct leaf *leaf)
{
    *leaf = (struct leaf){
        .id = pg_rows_uuid(rows, row, 0),
        .kind = (int)pg_rows_int(rows, row, 1),
        .currency = (currency)pg_rows_int(rows, row, 2),
        .amount = pg_rows_int(rows, row, 3),
        .fee = pg_rows_int(rows, row, 4),
        .from = pg_rows_uuid(rows, row, 5),
        .to = pg_rows_uuid(rows, row, 6),
        .created_at = pg_rows_time(rows, row, 7),
        .caller = pg_rows_uuid(rows, row, 12),
        .from_version = pg_rows_int(rows, row, 13),
        .to_version = pg_rows_int(rows, row, 14),
        .written_by = pg_rows_int(rows, row, 15),
    };
    return pg_rows_take_text(rows, row, 8, arena, &leaf->note) &&
           pg_rows_take_text(rows, row, 9, arena, &leaf->reference) &&
           pg_rows_take_text(rows, row, 10, arena, &leaf->bundle) &&
           pg_rows_take_text(rows, row, 11, arena, &leaf->pricing) &&
           pg_rows_take_text(rows, row, 16, arena, &leaf->trace_id) &&
           pg_rows_take_text(rows, row, 17, arena, &leaf->facts);
}

bool seals_take_leaf(const struct pg_rows *rows, int row, struct arena *arena, struct leaf *leaf)
{
    if (!seals_take_columns(rows, row, arena, leaf))
        return false;
    take_own_leg(rows, row, FROM_COLUMN, leaf);
    take_own_leg(rows, row, TO_COLUMN, leaf);
    return true;
}

struct seals_leg seals_take_leg(const struct pg_rows *rows, int row)
{
    return (struct seals_leg){
        .transaction = pg_rows_uuid(rows, row, 0),
        .posting = {.account = pg_rows_uuid(rows, row, 1),
                    .version = pg_rows_int(rows, row, 2),
                    .amount = pg_rows_int(rows, row, 3),
                    .hold = pg_rows_int(rows, row, 4),
                    .posted_after = pg_rows_int(rows, row, 5),
                    .held_after = pg_rows_int(rows, row, 6)},
    };
}

/* ---- a new seal */

static void add_hash(struct pg_params *params, const struct merkle_hash *hash)
{
    pg_params_text(params, (struct slice){(const char *)hash->bytes, sizeof hash->bytes});
}

static size_t count_ranges(const struct seals_writing *w, bool cursors)
{
    size_t count = 0;
    for (size_t i = 0; i < w->range_count; i++)
        count += cursors ? w->ranges[i].cursor > 0 : w->ranges[i].first <= w->ranges[i].last;
    return count;
}

enum range_part { RANGE_ACCOUNT, RANGE_FIRST, RANGE_LAST, RANGE_CURSOR };

static void add_ranges(struct pg_params *params, const struct seals_writing *w, bool cursors,
                       enum range_part part)
{
    struct pg_array array;
    pg_array_begin(&array, params, part == RANGE_ACCOUNT ? PG_UUID : PG_BIGINT,
                   (int)count_ranges(w, cursors));
    for (size_t i = 0; i < w->range_count; i++) {
        const struct seals_range *range = &w->ranges[i];
        if (cursors ? range->cursor == 0 : range->first > range->last)
            continue;
        if (part == RANGE_ACCOUNT)
            pg_array_uuid(&array, &range->account);
        else
            pg_array_bigint(&array, part == RANGE_FIRST  ? range->first
                                    : part == RANGE_LAST ? range->last
                                                         : range->cursor);
    }
    pg_array_end(&array);
}

bool seals_write(struct pg_pool *pool, struct arena *arena, const struct seals_writing *w,
                 pg_answer *answer, void *owner)
{
    struct pg_params params;
    struct pg_array late;
    const struct seal *seal = w->seal;
    const struct checkpoint *c = w->checkpoint;
    pg_params_init(&params, arena);
    pg_params_bigint(&params, seal->number);
    pg_params_text(&params, slice_of(seal->origin));
    pg_params_uuid(&params, &seal->after);
    pg_params_uuid(&params, &seal->through);
    pg_params_bigint(&params, seal->horizon);
    pg_params_integer(&params, (int32_t)seal->count);
    add_hash(&params, &seal->root);
    add_hash(&params, &seal->previous);
    add_hash(&params, &c->hash);
    pg_params_time(&params, seal->at);
    pg_params_text(&params, c->is_signed ? (struct slice){(const char *)c->key, sizeof c->key}
                                         : (struct slice){NULL, 0});
    pg_params_text(&params, c->is_signed
                                ? (struct slice){(const char *)c->signature, sizeof c->signature}
                                : (struct slice){NULL, 0});
    pg_params_text(&params, (struct slice){(const char *)w->salt, LEAF_SALT_SIZE});
    pg_params_text(&params, (struct slice){(const char *)w->leaves, seal->count * SEAL_ENTRY_SIZE});
    add_ranges(&params, w, false, RANGE_ACCOUNT);
    add_ranges(&params, w, false, RANGE_FIRST);
    add_ranges(&params, w, false, RANGE_LAST);
    add_ranges(&params, w, true, RANGE_ACCOUNT);
    add_ranges(&params, w, true, RANGE_CURSOR);
    pg_array_begin(&late, &params, PG_UUID, (int)w->late_count);
    for (size_t i = 0; i < w->late_count; i++)
        pg_array_uuid(&late, &w->late[i]);
    pg_array_end(&late);
    return pg_pool_ask(pool, &seals_insert, &params, answer, owner);
}

/* ---- a proof */

static void on_leaf(void *owner, enum pg_outcome outcome, const struct pg_rows *rows)
{
    struct seals_question *q = owner;
    q->outcome = outcome;
    q->found = outcome == PG_OK && pg_rows_count(rows) == 1;
    if (q->found && !seals_take_leaf(rows, 0, q->arena, &q->leaf))
        q->outcome = PG_UNAVAILABLE;
    if (q->found && !pg_rows_is_null(rows, 0, TO_COLUMN + 4))
        q->from_owner = pg_rows_uuid(rows, 0, TO_COLUMN + 4);
    if (q->found && !pg_rows_is_null(rows, 0, TO_COLUMN + 5))
        q->to_owner = pg_rows_uuid(rows, 0, TO_COLUMN + 5);
    q->done(q);
}

bool seals_find_leaf(struct pg_pool *pool, const struct uuid *id, struct seals_question *q)
{
    struct pg_params params;
    pg_params_init(&params, q->arena);
    pg_params_uuid(&params, id);
    return pg_pool_ask(pool, &find_leaf, &params, on_leaf, q);
}

/* The leaves' hashes, and where the transaction's own stands. */
static void take_leaves(struct seals_question *q, struct slice entries)
{
    size_t count = q->stored.seal.count;
    assert(entries.length == count * SEAL_ENTRY_SIZE);
    q->leaves = arena_array(q->arena, count, sizeof q->leaves[0]);
    if (q->leaves == NULL) {
        q->outcome = PG_UNAVAILABLE;
        return;
    }
    for (size_t i = 0; i < count; i++) {
        const char *entry = entries.at + i * SEAL_ENTRY_SIZE;
        memcpy(q->leaves[i].bytes, entry + 16, MERKLE_HASH_SIZE);
        if (memcmp(entry, q->leaf.id.bytes, 16) != 0)
            continue;
        q->index = i;
        q->found = true;
    }
}

static void on_seal(void *owner, enum pg_outcome outcome, const struct pg_rows *rows)
{
    struct seals_question *q = owner;
    q->outcome = outcome;
    q->found = false;
    if (outcome == PG_OK && pg_rows_count(rows) == 1) {
        q->stored = seals_take(rows, 0);
        memcpy(q->salt, pg_rows_text(rows, 0, SEALS_COLUMN_COUNT).at, sizeof q->salt);
        take_leaves(q, pg_rows_text(rows, 0, SEALS_COLUMN_COUNT + 1));
    }
    q->done(q);
}

bool seals_find_seal(struct pg_pool *pool, struct seals_question *q)
{
    struct pg_params params;
    pg_params_init(&params, q->arena);
    pg_params_uuid(&params, &q->leaf.id);
    return pg_pool_ask(pool, &find_seal, &params, on_seal, q);
}

static void on_legs(void *owner, enum pg_outcome outcome, const struct pg_rows *rows)
{
    struct seals_question *q = owner;
    q->outcome = outcome;
    for (int i = 0; outcome == PG_OK && i < pg_rows_count(rows); i++) {
        const struct seals_leg leg = seals_take_leg(rows, i);
        if (!leaf_add_posting(&q->leaf, &leg.posting))
            q->outcome = PG_REFUSED;
    }
    q->done(q);
}

bool seals_find_legs(struct pg_pool *pool, struct seals_question *q)
{
    struct pg_params params;
    pg_params_init(&params, q->arena);
    pg_params_bigint(&params, q->stored.seal.number);
    pg_params_uuid(&params, &q->leaf.id);
    return pg_pool_ask(pool, &find_legs, &params, on_legs, q);
}
