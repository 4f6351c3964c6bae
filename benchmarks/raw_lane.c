#include "benchmarks/raw_lane.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/memory.h"
#include "benchmarks/raw_job.h"
#include "ledger/book.h"
#include "ledger/transfer.h"
#include "store/ledger_rows.h"
#include "store/pg_connection.h"
#include "store/presence.h"

#define FEE 250 /* what rules/transfer.fee.lua takes for such small amounts */

static const uint8_t bundle[32] = {1, 2, 3};
static const char pricing[] = "[{\"rule\":\"transfer.p2p@3\",\"code\":\"fee\",\"amount\":250}]";
static const char facts[] =
    "{\"kind\":\"transfer\",\"amount\":250,\"currency\":\"ZAR\",\"tier\":0,\"own\":false}";

static const char refused[] = "{\"code\":\"insufficient_funds\"}";

enum state { DOWN, OPENING, READING, WRITING, DONE };

/* What is sent here isn't counted in its payers' limits: their counters begin anew with what is. */
#define RECOUNT                                                                               \
    ";with locked as (select id from accounts where counters is not null order by id for no " \
    "key update) update accounts a set counters = null from locked where a.id = locked.id"

struct raw_lane {
    struct raw_job *job;
    struct pg_connection *connection;
    unsigned stripe;
    char setup[PRESENCE_SETUP_MAX + sizeof RECOUNT];
    enum state state;
    int syncs;          /* on their way */
    struct arena arena; /* of the batch in flight */
    struct raw_job_transfer *transfers;
    struct uuid *ids;
    size_t id_count;
    struct ledger_key *keys;
    struct book book;
    uint64_t posted, refused;
};

static void fail(struct raw_lane *lane, const char *what, const char *why)
{
    struct raw_job *job = lane->job;
    if (job->error[0] == '\0')
        snprintf(job->error, sizeof job->error, "%s: %.200s", what, why);
    job->stopping = true;
    lane->state = DONE;
}

static bool make_room(struct raw_lane *lane, size_t count)
{
    struct arena *arena = &lane->arena;
    lane->transfers = arena_array(arena, count, sizeof lane->transfers[0]);
    lane->ids = arena_array(arena, 3 * count, sizeof lane->ids[0]);
    lane->keys = arena_array(arena, count, sizeof lane->keys[0]);
    lane->book.accounts = arena_array(arena, 3 * count, sizeof lane->book.accounts[0]);
    return lane->transfers != NULL && lane->ids != NULL && lane->keys != NULL &&
           lane->book.accounts != NULL;
}

static bool gather(struct raw_lane *lane, size_t count)
{
    char text[RAW_JOB_KEY_MAX];
    size_t ids = 0;
    if (!make_room(lane, count))
        return false;
    for (size_t i = 0; i < count; i++) {
        struct raw_job_transfer *transfer = &lane->transfers[i];
        struct ledger_key *key = &lane->keys[i];
        raw_job_next(lane->job, transfer);
        size_t length = raw_job_key(lane->job, transfer->serial, text);
        key->caller = transfer->from->user;
        key->key = arena_copy(&lane->arena, (struct slice){text, length});
        if (key->key.at == NULL)
            return false;
        memcpy(key->request_hash, &transfer->serial, sizeof transfer->serial);
        lane->ids[ids++] = transfer->from->wallet;
        lane->ids[ids++] = transfer->to->wallet;
    }
    lane->ids[ids++] = account_system_id(ACCOUNT_FEES, CURRENCY_ZAR, lane->stripe);
    lane->id_count = book_sort_ids(lane->ids, ids);
    return true;
}

static void begin_batch(struct raw_lane *lane)
{
    const struct raw_job *job = lane->job;
    size_t count = (size_t)job->batch;
    arena_release(&lane->arena);
    arena_init(&lane->arena);
    if (job->stopping) {
        lane->state = DONE;
        return;
    }
    lane->state = READING;
    lane->syncs = 1;
    bool gathered = gather(lane, count);
    const struct ledger_rows_question question = {
        .accounts = lane->ids,
        .account_count = lane->id_count,
        .keys = lane->keys,
        .key_count = job->level == RAW_JOB_BARE ? 0 : count,
    };
    if (!gathered || !ledger_rows_read(lane->connection, &lane->arena, &question))
        fail(lane, "reading", "out of memory");
}

static void note_transaction(struct ledger_transaction *out, const struct transfer *transfer,
                             const struct uuid *id, const struct uuid *caller)
{
    *out = (struct ledger_transaction){
        .id = *id,
        .kind = TRANSACTION_TRANSFER,
        .currency = CURRENCY_ZAR,
        .amount = transfer->amount.minor,
        .fee = transfer->fee,
        .from = transfer->from->id,
        .to = transfer->to->id,
        .caller = *caller,
        .from_version = transfer->from->version + 1,
        .to_version = transfer->to->version + 1,
        .bundle = bundle,
        .pricing = SLICE(pricing),
        .facts = SLICE(facts),
        .trace_id = id->bytes,
    };
}

/* Refuse or post each. The id of a transaction lives in its key until the batch is written. */
static void decide(struct raw_lane *lane, struct ledger_rows_writing *writing,
                   struct ledger_transaction *transactions, struct posting *postings)
{
    const struct uuid fees = account_system_id(ACCOUNT_FEES, CURRENCY_ZAR, lane->stripe);
    for (int i = 0; i < lane->job->batch; i++) {
        const struct raw_job_transfer *wanted = &lane->transfers[i];
        struct ledger_key *key = &lane->keys[i];
        const struct transfer transfer = {
            .amount = {wanted->amount, CURRENCY_ZAR},
            .fee = FEE,
            .from = book_find(&lane->book, &wanted->from->wallet),
            .to = book_find(&lane->book, &wanted->to->wallet),
            .fees = book_find(&lane->book, &fees),
            .payer = &wanted->from->user,
        };
        key->answer = SLICE(refused);
        key->status = 422;
        if (transfer_check_parties(&transfer) != REFUSAL_NONE ||
            transfer_check_money(&transfer) != REFUSAL_NONE) {
            lane->refused++;
            continue;
        }
        key->status = 201;
        key->answer = (struct slice){NULL, 0}; /* derived from the transaction, as the server's */
        key->transaction = uuid_new(writing->created_at);
        note_transaction(&transactions[writing->transaction_count++], &transfer, &key->transaction,
                         &wanted->from->user);
        writing->posting_count +=
            (size_t)transfer_post(&transfer, &key->transaction, postings + writing->posting_count);
        lane->posted++;
    }
}

static void write_batch(struct raw_lane *lane)
{
    struct arena *arena = &lane->arena;
    size_t count = (size_t)lane->job->batch;
    struct ledger_transaction *transactions = arena_array(arena, count, sizeof transactions[0]);
    struct posting *postings =
        arena_array(arena, count * TRANSACTION_POSTINGS_MAX, sizeof postings[0]);
    struct ledger_rows_writing writing = {.accounts = lane->book.accounts,
                                          .account_count = lane->book.count,
                                          .transactions = transactions,
                                          .postings = postings,
                                          .keys = lane->keys,
                                          .created_at = clock_now()};
    lane->posted = lane->refused = 0;
    if (transactions == NULL || postings == NULL) {
        fail(lane, "deciding", "out of memory");
        return;
    }
    decide(lane, &writing, transactions, postings);
    if (lane->job->level < RAW_JOB_POSTINGS)
        writing.posting_count = 0;
    /* ledger_rows wants a key with everything that moves: bare has one in a whole batch */
    writing.key_count = lane->job->level < RAW_JOB_KEYS ? 1 : count;
    lane->state = WRITING;
    lane->syncs++;
    if (!ledger_rows_write(lane->connection, arena, &writing))
        fail(lane, "writing", "out of memory");
}

static void on_ready(void *owner)
{
    static const currency currencies[] = {CURRENCY_ZAR, 0};
    struct raw_lane *lane = owner;
    if (lane->state == DONE)
        return;
    lane->state = OPENING;
    lane->syncs = 1;
    if (!ledger_rows_open(lane->connection, &lane->arena, currencies, lane->stripe))
        fail(lane, "opening", "out of memory");
}

static bool on_rows(void *owner, const struct pg_statement *statement, struct pg_rows *rows)
{
    struct raw_lane *lane = owner;
    size_t used = 0;
    if (lane->state != READING)
        return false;
    if (statement == &ledger_rows_lock_accounts &&
        !ledger_rows_take_accounts(rows, &lane->arena, lane->book.accounts, &lane->book.count))
        pg_connection_drop(lane->connection, "out of memory");
    if (statement != &ledger_rows_read_keys)
        return false;
    if (ledger_rows_take_keys(rows, &lane->arena, &used) == NULL || used > 0)
        fail(lane, "keys", "some are used already");
    else
        write_batch(lane);
    return false;
}

static void on_error(void *owner, const struct pg_statement *statement,
                     const struct pg_error *error)
{
    fail(owner, statement->name, error->message);
}

static void on_synced(void *owner)
{
    struct raw_lane *lane = owner;
    if (--lane->syncs > 0)
        return; /* the first flight's: the second is on its way */
    if (lane->state == WRITING) {
        lane->job->posted += lane->posted;
        lane->job->refused += lane->refused;
    }
    if (lane->state != DONE)
        begin_batch(lane);
}

static void on_lost(void *owner, const char *why)
{
    fail(owner, "the database is gone", why);
}

struct raw_lane *raw_lane_new(struct ev_loop *loop, struct raw_job *job, unsigned stripe)
{
    struct raw_lane *lane = memory_alloc(sizeof *lane);
    const struct pg_connection_settings settings = {
        .conninfo = job->conninfo,
        .application_name = "moolah-bench raw",
        .statements = ledger_rows_statements,
        .setup = lane == NULL ? NULL : lane->setup,
        .connect_timeout_us = 5 * CLOCK_SECOND,
        .answer_timeout_us = 30 * CLOCK_SECOND,
    };
    const struct pg_connection_owner owner = {.owner = lane,
                                              .ready = on_ready,
                                              .rows = on_rows,
                                              .error = on_error,
                                              .synced = on_synced,
                                              .lost = on_lost};
    if (lane == NULL)
        return NULL;
    presence_setup(ledger_rows_setup, lane->setup);
    size_t length = strlen(lane->setup);
    snprintf(lane->setup + length, sizeof lane->setup - length, "%s", RECOUNT);
    lane->job = job;
    lane->stripe = stripe;
    arena_init(&lane->arena);
    lane->connection = pg_connection_new(loop, &settings, &owner);
    if (lane->connection != NULL)
        return lane;
    memory_free(lane);
    return NULL;
}

void raw_lane_free(struct raw_lane *lane)
{
    if (lane == NULL)
        return;
    pg_connection_free(lane->connection);
    arena_release(&lane->arena);
    memory_free(lane);
}

bool raw_lane_is_busy(const struct raw_lane *lane)
{
    return lane->state == READING || lane->state == WRITING;
}
