#include "posting/lane.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/metrics.h"
#include "posting/batch_changes.h"
#include "scripting/bundle.h"
#include "store/hold_rows.h"
#include "store/limit_rows.h"
#include "store/pg_connection.h"
#include "store/pg_rows.h"
#include "store/presence.h"

struct lane {
    struct pg_connection *connection;
    struct lane_settings settings;
    struct lane_owner owner;
    enum lane_state state;
    struct batch *batch;   /* in flight, or NULL */
    struct bundle *bundle; /* that decides it; NULL until its accounts are locked, or without one */
    char sqlstate[6];      /* of the error that failed it */
    char setup[PRESENCE_SETUP_MAX];
    bool unpartitioned;  /* it failed because its month has no partitions */
    int syncs;           /* on their way: each flight has one, the state is about the last */
    int64_t phase_began; /* monotonic us */
};

static struct {
    metric batch_size;
    metric read;
    metric decide;
    metric write;
    metric failed;
    metric unknown;
} metrics;

void lane_register_metrics(void)
{
    const char *phases = "moolah_posting_phase_seconds";
    const char *help = "Time of a batch's phases: read (lock and look up), decide, write (commit)";
    metrics.batch_size = metrics_register(METRIC_HISTOGRAM, "moolah_posting_batch_orders", "",
                                          "Orders that shared one database transaction");
    metrics.read = metrics_register(METRIC_HISTOGRAM, phases, "phase=\"read\"", help);
    metrics.decide = metrics_register(METRIC_HISTOGRAM, phases, "phase=\"decide\"", help);
    metrics.write = metrics_register(METRIC_HISTOGRAM, phases, "phase=\"write\"", help);
    metrics.failed = metrics_register(METRIC_COUNTER, "moolah_posting_batches_failed_total", "",
                                      "Batches that the database rolled back");
    metrics.unknown = metrics_register(METRIC_COUNTER, "moolah_posting_batches_unknown_total", "",
                                       "Batches whose connection died before their sync");
}

static void lane_enter(struct lane *lane, enum lane_state state)
{
    static const unsigned from[] = {
        [LANE_DOWN] = ~0U,
        [LANE_OPENING] = 1U << LANE_DOWN,
        [LANE_IDLE] = 1U << LANE_OPENING | 1U << LANE_WRITING | 1U << LANE_ROLLING_BACK,
        [LANE_READING] = 1U << LANE_IDLE,
        [LANE_WRITING] = 1U << LANE_READING,
        [LANE_ABORTED] = 1U << LANE_OPENING | 1U << LANE_READING | 1U << LANE_WRITING,
        [LANE_ROLLING_BACK] = 1U << LANE_ABORTED | 1U << LANE_READING,
    };
    assert((from[state] & 1U << lane->state) != 0);
    lane->state = state;
    lane->phase_began = clock_monotonic();
}

/* A flight was sent, with its sync, or could not be. */
static void left(struct lane *lane, bool sent)
{
    lane->syncs++;
    if (!sent)
        pg_connection_drop(lane->connection, "not ready, or out of memory");
}

static void observe_phase(const struct lane *lane, metric phase)
{
    metrics_observe(phase, (uint64_t)(clock_monotonic() - lane->phase_began));
}

/* The batch leaves; whoever owns the lane says what becomes of it. */
static void end_batch(struct lane *lane, enum lane_end end)
{
    struct batch *batch = lane->batch;
    assert(batch != NULL);
    lane->batch = NULL;
    bundle_release(lane->bundle);
    lane->bundle = NULL;
    lane->owner.ended(lane->owner.owner, lane, batch, end, lane->sqlstate);
}

static void ready(void *owner)
{
    struct lane *lane = owner;
    struct arena arena;
    arena_init(&arena);
    lane_enter(lane, LANE_OPENING);
    left(lane, ledger_rows_open(lane->connection, &arena, lane->settings.currencies,
                                lane->settings.stripe));
    arena_release(&arena);
}

static void send_write(struct lane *lane)
{
    struct batch *batch = lane->batch;
    bool sent = batch->writing.key_count == 0
                    ? ledger_rows_end(lane->connection, &batch->arena)
                    : ledger_rows_write(lane->connection, &batch->arena, &batch->writing);
    lane_enter(lane, LANE_WRITING);
    left(lane, sent);
}

static void decide(struct lane *lane)
{
    struct batch *batch = lane->batch;
    const struct batch_terms terms = {
        .bundle = lane->bundle,
        .stripe = lane->settings.stripe,
        .now = clock_now(),
        .monotonic = clock_monotonic(),
    };
    observe_phase(lane, metrics.read);
    lane->phase_began = terms.monotonic;
    if (batch_decide(batch, &terms) && batch_changes_begin(batch)) {
        observe_phase(lane, metrics.decide);
        send_write(lane);
        return;
    }
    log_message(LOG_ERROR, "batch_undecided", "out of memory");
    lane_enter(lane, LANE_ROLLING_BACK);
    left(lane, ledger_rows_roll_back(lane->connection, &batch->arena));
}

/* All that each batch needs is read. The bundle that says what else has to be known is the one that
 * decides. */
static void ask_windows(struct lane *lane)
{
    struct batch *batch = lane->batch;
    lane->bundle = lane->owner.bundle(lane->owner.owner);
    if (lane->bundle != NULL)
        bundle_retain(lane->bundle);
    if (!batch_find_windows(batch, lane->bundle))
        pg_connection_drop(lane->connection, "out of memory");
    else if (batch->window_count == 0)
        decide(lane);
    else
        left(lane, limit_rows_ask(lane->connection, &batch->arena,
                                  (const struct account *const *)batch->windows,
                                  batch->window_count, clock_now()));
}

static void take_windows(struct lane *lane, const struct pg_rows *rows)
{
    struct batch *batch = lane->batch;
    if (limit_rows_take(rows, &batch->arena, batch->windows, batch->window_count, batch->weight))
        decide(lane);
    else
        pg_connection_drop(lane->connection, "out of memory");
}

static void take_keys(struct lane *lane, const struct pg_rows *rows)
{
    struct batch *batch = lane->batch;
    batch->remembered = ledger_rows_take_keys(rows, &batch->arena, &batch->remembered_count);
    if (batch->remembered == NULL)
        pg_connection_drop(lane->connection, "out of memory");
    else if (ledger_rows_derived(batch->remembered, batch->remembered_count) == 0)
        ask_windows(lane);
    else
        left(lane, ledger_rows_ask_posted(lane->connection, &batch->arena, batch->remembered,
                                          batch->remembered_count));
}

static bool take_subjects(struct lane *lane, const struct pg_rows *rows)
{
    struct book *book = &lane->batch->book;
    book->subject_count = lane->batch->subject_count;
    return hold_rows_take_subjects(rows, &lane->batch->arena, book->subjects, book->subject_count);
}

static bool rows(void *owner, const struct pg_statement *statement, struct pg_rows *rows)
{
    struct lane *lane = owner;
    struct batch *batch = lane->batch;
    if (lane->state != LANE_READING)
        return false;
    if (statement == &ledger_rows_lock_accounts) {
        if (!ledger_rows_take_accounts(rows, &batch->arena, batch->book.accounts,
                                       &batch->book.count))
            pg_connection_drop(lane->connection, "out of memory");
        assert(batch->book.count <= batch->id_count);
    }
    if (statement == &hold_rows_read_subjects && !take_subjects(lane, rows))
        pg_connection_drop(lane->connection, "out of memory");
    if (statement == &ledger_rows_read_keys)
        take_keys(lane, rows);
    if (statement == &ledger_rows_read_posted) {
        if (ledger_rows_take_posted(rows, &batch->arena, batch->remembered,
                                    batch->remembered_count))
            ask_windows(lane);
        else
            pg_connection_drop(lane->connection, "out of memory");
    }
    if (statement == &limit_rows_read_moves)
        take_windows(lane, rows);
    return false;
}

static void error(void *owner, const struct pg_statement *statement, const struct pg_error *error)
{
    struct lane *lane = owner;
    log_message(LOG_WARN, "posting_error", "%s: %s: %s", statement->name, error->sqlstate,
                error->message);
    if (statement == &ledger_rows_make_partitions)
        return; /* tried again with the batch */
    if (lane->state == LANE_ROLLING_BACK) {
        pg_connection_drop(lane->connection, "rollback failed");
        return;
    }
    lane->unpartitioned = ledger_rows_is_unpartitioned(error);
    snprintf(lane->sqlstate, sizeof lane->sqlstate, "%s",
             lane->unpartitioned ? LANE_UNPARTITIONED : error->sqlstate);
    lane_enter(lane, LANE_ABORTED);
}

/* The month of its transactions: their ids say it. */
static int64_t moment_of(const struct batch *batch)
{
    return batch->writing.transaction_count == 0
               ? clock_now()
               : uuid_milliseconds(&batch->writing.transactions[0].id) * 1000;
}

static void roll_back(struct lane *lane)
{
    struct arena arena;
    arena_init(&arena);
    lane_enter(lane, LANE_ROLLING_BACK);
    bool sent = lane->unpartitioned ? ledger_rows_roll_back_and_partition(lane->connection, &arena,
                                                                          moment_of(lane->batch))
                                    : ledger_rows_roll_back(lane->connection, &arena);
    left(lane, sent);
    arena_release(&arena);
}

static void synced(void *owner)
{
    struct lane *lane = owner;
    assert(lane->syncs > 0);
    if (--lane->syncs > 0)
        return; /* an earlier flight's; what it brought is dealt with already */
    switch (lane->state) {
    case LANE_WRITING:
        observe_phase(lane, metrics.write);
        lane_enter(lane, LANE_IDLE);
        end_batch(lane, LANE_DURABLE);
        break;
    case LANE_ROLLING_BACK:
        lane_enter(lane, LANE_IDLE);
        metrics_add(metrics.failed, lane->batch != NULL);
        if (lane->batch != NULL)
            end_batch(lane, LANE_FAILED);
        break;
    case LANE_OPENING:
        lane_enter(lane, LANE_IDLE);
        break;
    case LANE_ABORTED:
        if (lane->batch == NULL)
            pg_connection_drop(lane->connection, "its system accounts could not be made");
        else
            roll_back(lane);
        return;
    case LANE_DOWN:
    case LANE_IDLE:
    case LANE_READING:
        abort(); /* a sync that nobody asked for */
        return;
    }
    if (lane->state == LANE_IDLE)
        lane->owner.idle(lane->owner.owner, lane);
}

static void lost(void *owner, const char *why)
{
    struct lane *lane = owner;
    bool unknown = lane->state == LANE_WRITING; /* only then was a commit on its way */
    log_message(LOG_WARN, "posting_connection_lost", "%s", why);
    lane_enter(lane, LANE_DOWN);
    lane->syncs = 0;
    if (lane->batch == NULL)
        return;
    metrics_add(unknown ? metrics.unknown : metrics.failed, 1);
    lane->sqlstate[0] = '\0';
    end_batch(lane, unknown ? LANE_UNKNOWN : LANE_FAILED);
}

struct lane *lane_new(struct ev_loop *loop, const struct lane_settings *settings,
                      const struct lane_owner *owner)
{
    struct lane *lane = memory_alloc(sizeof *lane);
    const struct pg_connection_settings connection = {
        .conninfo = settings->conninfo,
        .application_name = "moolahd posting",
        .statements = ledger_rows_statements,
        .setup = lane == NULL ? NULL : lane->setup,
        .connect_timeout_us = INT64_C(5) * CLOCK_SECOND,
        .answer_timeout_us = settings->answer_timeout_us == 0 ? INT64_C(30) * CLOCK_SECOND
                                                              : settings->answer_timeout_us,
    };
    const struct pg_connection_owner callbacks = {.owner = lane,
                                                  .ready = ready,
                                                  .rows = rows,
                                                  .error = error,
                                                  .synced = synced,
                                                  .lost = lost};
    if (lane == NULL)
        return NULL;
    presence_setup(ledger_rows_setup, lane->setup);
    lane->settings = *settings;
    lane->owner = *owner;
    lane->state = LANE_DOWN;
    lane->connection = pg_connection_new(loop, &connection, &callbacks);
    if (lane->connection == NULL) {
        memory_free(lane);
        return NULL;
    }
    return lane;
}

void lane_free(struct lane *lane)
{
    if (lane == NULL)
        return;
    pg_connection_free(lane->connection);
    if (lane->batch != NULL)
        batch_free(lane->batch);
    bundle_release(lane->bundle);
    memory_free(lane);
}

enum lane_state lane_state(const struct lane *lane)
{
    return lane->state;
}

void lane_submit(struct lane *lane, struct batch *batch)
{
    assert(lane->state == LANE_IDLE && lane->batch == NULL);
    lane->batch = batch;
    lane->sqlstate[0] = '\0';
    lane->unpartitioned = false;
    batch_reset(batch);
    metrics_observe(metrics.batch_size, batch->count);
    lane_enter(lane, LANE_READING);
    bool prepared = batch_prepare(batch, lane->settings.stripe);
    const struct ledger_rows_question question = {
        batch->ids,           batch->id_count, batch->subject_ids,
        batch->subject_count, batch->asked,    batch->asked_count,
    };
    left(lane, prepared && ledger_rows_read(lane->connection, &batch->arena, &question));
}
