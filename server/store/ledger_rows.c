#include "store/ledger_rows.h"

#include <assert.h>

#include "base/arena.h"
#include "store/hold_rows.h"
#include "store/limit_rows.h"
#include "store/pg_array.h"
#include "store/pg_params.h"
#include "store/pg_rows.h"
#include "store/pg_table.h"
#include "store/wallets.h"

/* A batch waits for nothing between its flights, so a transaction that stays idle has lost its
 * worker (stopped, or cut off): its locks are taken back after 5 s and the worker submits again.
 * PostgreSQL counts that time only from a sync on, so each flight ends with one; a worker that is
 * gone in the middle of its last flight is noticed by keepalives.
 * Plans by primary key, whatever the statistics say: the tables start empty and the statements are
 * prepared once. */
const char ledger_rows_setup[] =
    "set idle_in_transaction_session_timeout = '5s'; "
    "set tcp_keepalives_idle = 5; set tcp_keepalives_interval = 2; set tcp_keepalives_count = 3; "
    "set lock_timeout = 0; set statement_timeout = 0; "
    "set jit = off; set plan_cache_mode = force_generic_plan; "
    "set enable_seqscan = off; set enable_hashjoin = off; "
    "set enable_mergejoin = off; set enable_bitmapscan = off; "
    "set max_parallel_workers_per_gather = 0; "
    "set default_transaction_isolation = 'read committed'; " LEDGER_ROWS_DURABLE;

static const struct pg_statement begin_batch = {"begin_batch", "begin"};
static const struct pg_statement commit_batch = {"commit_batch", "commit"};
static const struct pg_statement roll_back_batch = {"roll_back_batch", "rollback"};

/* With a synchronous standby a transaction that wrote nothing doesn't wait for it; this makes it
 * wait. */
static const struct pg_statement mark_batch = {
    "mark_batch", "select pg_logical_emit_message(true, 'moolah', 'replay')"};

const struct pg_statement ledger_rows_lock_accounts = {
    "lock_accounts",
    "select id, kind, status, tier, currency, owner, posted, held, floor, version, "
    "zone, counters from accounts where id = any($1::uuid[]) order by id for no key update"};

const struct pg_statement ledger_rows_read_keys = {
    "read_keys",
    "select i.caller, i.key, i.request_hash, i.status, i.answer, i.transaction_id "
    "from unnest($1::text[], $2::uuid[]) as asked(key, caller) "
    "join idempotency i on i.key = asked.key collate \"C\" and i.caller = asked.caller"};

/* Only for keys that are used already: their plans open every month. */
const struct pg_statement ledger_rows_read_posted = {
    "read_posted", "select " WALLETS_PRICED_COLUMNS ", p.posted_after, p.held_after "
                   "from unnest($1::uuid[]) as asked(id) join transactions t on t.id = asked.id "
                   "join postings p on p.transaction_id = t.id and p.account = t.from_account "
                   "and p.version = t.from_version"};

const struct pg_statement ledger_rows_update_accounts = {
    "update_accounts",
    "update accounts a set posted = u.posted, held = u.held, version = u.version, "
    "counters = coalesce(u.counters, a.counters) "
    "from (select unnest($1::uuid[]) as id, unnest($2::bigint[]) as posted, "
    "unnest($3::bigint[]) as held, unnest($4::bigint[]) as version, "
    "unnest($5::bytea[]) as counters) u where a.id = u.id"};

/* After a reversal below the floor, and until that is made good. */
static const struct pg_statement update_floors = {
    "update_floors",
    "update accounts a set posted = u.posted, held = u.held, version = u.version, "
    "counters = coalesce(u.counters, a.counters), floor = u.floor "
    "from unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bytea[], $6::bigint[]) "
    "as u(id, posted, held, version, counters, floor) where a.id = u.id"};

static const struct pg_statement insert_transactions = {
    "insert_transactions",
    "insert into transactions (id, kind, currency, amount, fee, from_account, to_account, caller, "
    "from_version, to_version, note, reference, bundle, pricing, facts, trace_id, created_at) "
    "select unnest($1::uuid[]), unnest($2::smallint[]), unnest($3::integer[]), "
    "unnest($4::bigint[]), unnest($5::bigint[]), unnest($6::uuid[]), unnest($7::uuid[]), "
    "unnest($8::uuid[]), unnest($9::bigint[]), unnest($10::bigint[]), unnest($11::text[]), "
    "unnest($12::text[]), unnest($13::bytea[]), unnest($14::text[]), unnest($15::text[]), "
    "unnest($16::bytea[]), $17::timestamptz"};

static const struct pg_statement insert_postings = {
    "insert_postings",
    "insert into postings (account, version, transaction_id, amount, posted_after, held_after) "
    "select unnest($1::uuid[]), unnest($2::bigint[]), unnest($3::uuid[]), unnest($4::bigint[]), "
    "unnest($5::bigint[]), unnest($6::bigint[])"};

/* When something was held or released. */
static const struct pg_statement insert_held_postings = {
    "insert_held_postings",
    "insert into postings (account, version, transaction_id, amount, posted_after, held_after, "
    "hold) select * from unnest($1::uuid[], $2::bigint[], $3::uuid[], $4::bigint[], $5::bigint[], "
    "$6::bigint[], $7::bigint[])"};

static const struct pg_statement insert_keys = {
    "insert_keys",
    "insert into idempotency (caller, key, request_hash, status, answer, transaction_id, "
    "created_at) select unnest($1::uuid[]), unnest($2::text[]), unnest($3::bytea[]), "
    "unnest($4::smallint[]), unnest($5::bytea[]), unnest($6::uuid[]), $7::timestamptz"};

const struct pg_statement ledger_rows_open_accounts = {
    "open_accounts",
    "insert into accounts as a (id, kind, currency, floor) "
    "select * from unnest($1::uuid[], $2::smallint[], $3::integer[], $4::bigint[]) "
    "as u(id, kind, currency, floor) order by id "
    "on conflict (id) do update set floor = excluded.floor where a.floor <> excluded.floor"};

const struct pg_statement ledger_rows_make_partitions = {
    "make_partitions", "select make_partitions($1::timestamptz, 2)"};

const struct pg_statement *const ledger_rows_statements[] = {&begin_batch,
                                                             &commit_batch,
                                                             &roll_back_batch,
                                                             &mark_batch,
                                                             &ledger_rows_lock_accounts,
                                                             &ledger_rows_read_keys,
                                                             &ledger_rows_read_posted,
                                                             &ledger_rows_update_accounts,
                                                             &update_floors,
                                                             &insert_transactions,
                                                             &insert_postings,
                                                             &insert_held_postings,
                                                             &hold_rows_read_subjects,
                                                             &hold_rows_insert_holds,
                                                             &hold_rows_update_holds,
                                                             &hold_rows_insert_links,
                                                             &limit_rows_read_moves,
                                                             &insert_keys,
                                                             &ledger_rows_open_accounts,
                                                             &ledger_rows_make_partitions,
                                                             NULL};

int ledger_rows_compare_keys(const struct ledger_key *a, const struct ledger_key *b)
{
    size_t shorter = a->key.length < b->key.length ? a->key.length : b->key.length;
    int order = memcmp(a->key.at, b->key.at, shorter);
    if (order != 0)
        return order;
    if (a->key.length != b->key.length)
        return a->key.length < b->key.length ? -1 : 1;
    return uuid_compare(&a->caller, &b->caller);
}

static bool ask_plain(struct pg_connection *connection, struct arena *arena,
                      const struct pg_statement *statement)
{
    struct pg_params params;
    pg_params_init(&params, arena);
    return pg_connection_ask(connection, statement, &params);
}

bool ledger_rows_read(struct pg_connection *connection, struct arena *arena,
                      const struct ledger_rows_question *question)
{
    struct pg_params params;
    struct pg_array array;

    if (!ask_plain(connection, arena, &begin_batch))
        return false;

    pg_params_init(&params, arena);
    pg_array_begin(&array, &params, PG_UUID, (int)question->account_count);
    for (size_t i = 0; i < question->account_count; i++)
        pg_array_uuid(&array, &question->accounts[i]);
    pg_array_end(&array);
    if (!pg_connection_ask(connection, &ledger_rows_lock_accounts, &params))
        return false;
    if (!hold_rows_read(connection, arena, question->subjects, question->subject_count))
        return false;

    pg_params_init(&params, arena);
    pg_array_begin(&array, &params, PG_TEXT, (int)question->key_count);
    for (size_t i = 0; i < question->key_count; i++)
        pg_array_text(&array, question->keys[i].key);
    pg_array_end(&array);
    pg_array_begin(&array, &params, PG_UUID, (int)question->key_count);
    for (size_t i = 0; i < question->key_count; i++)
        pg_array_uuid(&array, &question->keys[i].caller);
    pg_array_end(&array);
    return pg_connection_ask(connection, &ledger_rows_read_keys, &params) &&
           pg_connection_sync(connection);
}

static struct account take_account(const struct pg_rows *rows, int row)
{
    struct account account = {
        .id = pg_rows_uuid(rows, row, 0),
        .kind = (enum account_kind)pg_rows_int(rows, row, 1),
        .status = (enum account_status)pg_rows_int(rows, row, 2),
        .tier = (int)pg_rows_int(rows, row, 3),
        .currency = (currency)pg_rows_int(rows, row, 4),
        .posted = pg_rows_int(rows, row, 6),
        .held = pg_rows_int(rows, row, 7),
        .floor = pg_rows_int(rows, row, 8),
        .version = pg_rows_int(rows, row, 9),
        .zone = (int)pg_rows_int(rows, row, 10),
    };
    if (!pg_rows_is_null(rows, row, 5))
        account.owner = pg_rows_uuid(rows, row, 5);
    return account;
}

bool ledger_rows_take_accounts(const struct pg_rows *rows, struct arena *arena,
                               struct account *accounts, size_t *count)
{
    *count = (size_t)pg_rows_count(rows);
    for (int row = 0; row < (int)*count; row++) {
        accounts[row] = take_account(rows, row);
        assert(row == 0 || uuid_compare(&accounts[row - 1].id, &accounts[row].id) < 0);
        if (pg_rows_is_null(rows, row, 11))
            continue;
        accounts[row].packed = arena_copy(arena, pg_rows_text(rows, row, 11));
        if (accounts[row].packed.at == NULL)
            return false;
    }
    return true;
}

static int compare_keys(const void *a, const void *b)
{
    return ledger_rows_compare_keys(a, b);
}

struct ledger_key *ledger_rows_take_keys(const struct pg_rows *rows, struct arena *arena,
                                         size_t *count)
{
    int found = pg_rows_count(rows);
    struct ledger_key *keys = arena_array(arena, (size_t)found, sizeof keys[0]);
    for (int row = 0; keys != NULL && row < found; row++) {
        struct slice hash = pg_rows_text(rows, row, 2);
        assert(hash.length == sizeof keys[row].request_hash);
        keys[row].caller = pg_rows_uuid(rows, row, 0);
        keys[row].key = arena_copy(arena, pg_rows_text(rows, row, 1));
        memcpy(keys[row].request_hash, hash.at, hash.length);
        keys[row].status = (int)pg_rows_int(rows, row, 3);
        if (!pg_rows_is_null(rows, row, 4))
            keys[row].answer = arena_copy(arena, pg_rows_text(rows, row, 4));
        if (!pg_rows_is_null(rows, row, 5))
            keys[row].transaction = pg_rows_uuid(rows, row, 5);
        if (keys[row].key.at == NULL ||
            (keys[row].answer.at == NULL && !pg_rows_is_null(rows, row, 4)))
            return NULL;
    }
    if (keys != NULL)
        qsort(keys, (size_t)found, sizeof keys[0], compare_keys);
    *count = (size_t)found;
    return keys;
}

static bool is_derived(const struct ledger_key *key)
{
    return key->answer.at == NULL;
}

size_t ledger_rows_derived(const struct ledger_key *keys, size_t count)
{
    size_t derived = 0;
    for (size_t i = 0; i < count; i++)
        derived += is_derived(&keys[i]);
    return derived;
}

bool ledger_rows_ask_posted(struct pg_connection *connection, struct arena *arena,
                            const struct ledger_key *keys, size_t count)
{
    struct pg_params params;
    struct pg_array array;
    pg_params_init(&params, arena);
    pg_array_begin(&array, &params, PG_UUID, (int)ledger_rows_derived(keys, count));
    for (size_t i = 0; i < count; i++)
        if (is_derived(&keys[i]))
            pg_array_uuid(&array, &keys[i].transaction);
    pg_array_end(&array);
    return pg_connection_ask(connection, &ledger_rows_read_posted, &params) &&
           pg_connection_sync(connection);
}

static bool take_posted(const struct pg_rows *rows, int row, struct arena *arena,
                        struct ledger_key *key)
{
    struct wallets_transaction *t = arena_alloc(arena, sizeof *t);
    if (t == NULL || !wallets_take_priced(rows, row, arena, t))
        return false;
    t->posted_after = pg_rows_int(rows, row, WALLETS_PRICED_COUNT);
    t->held_after = pg_rows_int(rows, row, WALLETS_PRICED_COUNT + 1);
    key->posted = t;
    return true;
}

bool ledger_rows_take_posted(const struct pg_rows *rows, struct arena *arena,
                             struct ledger_key *keys, size_t count)
{
    for (int row = 0; row < pg_rows_count(rows); row++) {
        struct uuid id = pg_rows_uuid(rows, row, 0);
        for (size_t i = 0; i < count; i++) {
            if (!is_derived(&keys[i]) || !uuid_equal(&keys[i].transaction, &id))
                continue;
            if (!take_posted(rows, row, arena, &keys[i]))
                return false;
        }
    }
    return true;
}

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct pg_table_column account_columns[] = {
    {PG_TABLE_UUID, offsetof(struct account, id)},
    {PG_TABLE_BIGINT, offsetof(struct account, posted)},
    {PG_TABLE_BIGINT, offsetof(struct account, held)},
    {PG_TABLE_BIGINT, offsetof(struct account, version)},
    {PG_TABLE_BYTEA, offsetof(struct account, packed)},
    {PG_TABLE_BIGINT, offsetof(struct account, floor)}, /* only when one moved */
};

static const struct pg_table_column transaction_columns[] = {
    {PG_TABLE_UUID, offsetof(struct ledger_transaction, id)},
    {PG_TABLE_SMALLINT, offsetof(struct ledger_transaction, kind)},
    {PG_TABLE_CURRENCY, offsetof(struct ledger_transaction, currency)},
    {PG_TABLE_BIGINT, offsetof(struct ledger_transaction, amount)},
    {PG_TABLE_BIGINT, offsetof(struct ledger_transaction, fee)},
    {PG_TABLE_UUID, offsetof(struct ledger_transaction, from)},
    {PG_TABLE_UUID, offsetof(struct ledger_transaction, to)},
    {PG_TABLE_UUID, offsetof(struct ledger_transaction, caller)},
    {PG_TABLE_BIGINT, offsetof(struct ledger_transaction, from_version)},
    {PG_TABLE_BIGINT, offsetof(struct ledger_transaction, to_version)},
    {PG_TABLE_TEXT, offsetof(struct ledger_transaction, note)},
    {PG_TABLE_TEXT, offsetof(struct ledger_transaction, reference)},
    {PG_TABLE_HASH_AT, offsetof(struct ledger_transaction, bundle)},
    {PG_TABLE_TEXT, offsetof(struct ledger_transaction, pricing)},
    {PG_TABLE_TEXT, offsetof(struct ledger_transaction, facts)},
    {PG_TABLE_TRACE_AT, offsetof(struct ledger_transaction, trace_id)},
};

static const struct pg_table_column posting_columns[] = {
    {PG_TABLE_UUID, offsetof(struct posting, account)},
    {PG_TABLE_BIGINT, offsetof(struct posting, version)},
    {PG_TABLE_UUID, offsetof(struct posting, transaction)},
    {PG_TABLE_BIGINT, offsetof(struct posting, amount)},
    {PG_TABLE_BIGINT, offsetof(struct posting, posted_after)},
    {PG_TABLE_BIGINT, offsetof(struct posting, held_after)},
    {PG_TABLE_BIGINT, offsetof(struct posting, hold)}, /* only when something was held */
};

static const struct pg_table_column key_columns[] = {
    {PG_TABLE_UUID, offsetof(struct ledger_key, caller)},
    {PG_TABLE_TEXT, offsetof(struct ledger_key, key)},
    {PG_TABLE_HASH, offsetof(struct ledger_key, request_hash)},
    {PG_TABLE_SMALLINT, offsetof(struct ledger_key, status)},
    {PG_TABLE_BYTEA, offsetof(struct ledger_key, answer)},
    {PG_TABLE_UUID_OR_NULL, offsetof(struct ledger_key, transaction)},
};

static bool end_with(struct pg_connection *connection, struct arena *arena,
                     const struct pg_statement *statement)
{
    return ask_plain(connection, arena, statement) && pg_connection_sync(connection);
}

/* A hold makes or ends in each batch that has one of these. */
static bool moves_held(const struct ledger_rows_writing *writing)
{
    return writing->hold_count > 0 || writing->finished_count > 0;
}

bool ledger_rows_write(struct pg_connection *connection, struct arena *arena,
                       const struct ledger_rows_writing *writing)
{
    bool held = moves_held(writing);
    const struct pg_table accounts = {writing->floors ? &update_floors
                                                      : &ledger_rows_update_accounts,
                                      account_columns,
                                      COUNT(account_columns) - !writing->floors,
                                      writing->accounts,
                                      writing->account_count,
                                      sizeof writing->accounts[0]};
    const struct pg_table transactions = {
        &insert_transactions,  transaction_columns,        COUNT(transaction_columns),
        writing->transactions, writing->transaction_count, sizeof writing->transactions[0]};
    const struct pg_table postings = {held ? &insert_held_postings : &insert_postings,
                                      posting_columns,
                                      COUNT(posting_columns) - !held,
                                      writing->postings,
                                      writing->posting_count,
                                      sizeof writing->postings[0]};
    const struct pg_table keys = {&insert_keys,  key_columns,        COUNT(key_columns),
                                  writing->keys, writing->key_count, sizeof writing->keys[0]};

    assert(writing->key_count > 0); /* whatever moves is remembered */
    for (size_t i = 1; i < writing->key_count; i++)
        assert(ledger_rows_compare_keys(&writing->keys[i - 1], &writing->keys[i]) < 0);
    return pg_table_ask(connection, arena, &accounts, NULL) &&
           pg_table_ask(connection, arena, &transactions, &writing->created_at) &&
           pg_table_ask(connection, arena, &postings, NULL) &&
           hold_rows_write(connection, arena, writing) &&
           pg_table_ask(connection, arena, &keys, &writing->created_at) &&
           end_with(connection, arena, &commit_batch);
}

bool ledger_rows_end(struct pg_connection *connection, struct arena *arena)
{
    return ask_plain(connection, arena, &mark_batch) && end_with(connection, arena, &commit_batch);
}

bool ledger_rows_roll_back(struct pg_connection *connection, struct arena *arena)
{
    return end_with(connection, arena, &roll_back_batch);
}

bool ledger_rows_roll_back_and_partition(struct pg_connection *connection, struct arena *arena,
                                         int64_t moment)
{
    struct pg_params params;
    pg_params_init(&params, arena);
    pg_params_time(&params, moment);
    return ask_plain(connection, arena, &roll_back_batch) &&
           pg_connection_ask(connection, &ledger_rows_make_partitions, &params) &&
           pg_connection_sync(connection);
}

bool ledger_rows_is_unpartitioned(const struct pg_error *error)
{
    return strcmp(error->sqlstate, "23514") == 0 && !error->has_constraint;
}

/* A system account to open. */
struct opening {
    struct uuid id;
    int kind;
    currency currency;
    int64_t floor;
};

static const struct pg_table_column opening_columns[] = {
    {PG_TABLE_UUID, offsetof(struct opening, id)},
    {PG_TABLE_SMALLINT, offsetof(struct opening, kind)},
    {PG_TABLE_CURRENCY, offsetof(struct opening, currency)},
    {PG_TABLE_BIGINT, offsetof(struct opening, floor)},
};

static struct opening open_account(enum account_kind kind, currency which, unsigned stripe)
{
    return (struct opening){
        .id = account_system_id(kind, which, stripe),
        .kind = (int)kind,
        .currency = which,
        .floor = account_is_floorless(kind) ? ACCOUNT_FLOOR_NONE : 0,
    };
}

bool ledger_rows_open(struct pg_connection *connection, struct arena *arena,
                      const currency *currencies, unsigned stripe)
{
    size_t count = 0;
    while (currencies[count] != 0)
        count++;
    static const enum account_kind kinds[] = {ACCOUNT_FEES, ACCOUNT_SETTLEMENT, ACCOUNT_SUPPLIER};
    struct opening *openings = arena_array(arena, COUNT(kinds) * count, sizeof openings[0]);
    if (openings == NULL)
        return false;
    for (size_t i = 0; i < COUNT(kinds) * count; i++)
        openings[i] = open_account(kinds[i % COUNT(kinds)], currencies[i / COUNT(kinds)], stripe);
    const struct pg_table table = {&ledger_rows_open_accounts, opening_columns,
                                   COUNT(opening_columns),     openings,
                                   COUNT(kinds) * count,       sizeof openings[0]};
    return pg_table_ask(connection, arena, &table, NULL) && pg_connection_sync(connection);
}
