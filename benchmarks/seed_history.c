#include "benchmarks/seed_history.h"

#include <assert.h>
#include <libpq-fe.h>
#include <stdio.h>

#include "api/receipt.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/memory.h"
#include "benchmarks/copy_stream.h"
#include "benchmarks/seed_months.h"
#include "posting/batch.h"
#include "posting/order.h"

#define OPENING_BALANCE INT64_C(100000000000) /* ZAR 1,000,000,000.00: nobody runs out of money */
#define WALLET_TIER 3                         /* fully known: no limit stands in the way */
#define TELL_EVERY (INT64_C(2) * CLOCK_SECOND)

/* Shops: a thousandth of the wallets receive a fifth of the transfers, so there are long
 * statements, too. */
enum { SHOP_OF = 1000, SHOP_SHARE = 5, PER_ARENA = 64 };

enum system_account { FEES, SETTLEMENT, SYSTEM_COUNT };

struct seed_history {
    const struct seed_job *job;
    struct account *wallets;
    size_t count;
    struct account system[SYSTEM_COUNT];
    int64_t transactions; /* deposits and transfers */
    int64_t done;
    int64_t told, began; /* monotonic us */
    uint64_t random;
    struct arena arena; /* of the last few decisions */
    struct ledger_transaction transaction;
    struct posting postings[TRANSACTION_POSTINGS_MAX];
    struct seed_months *months;
    PGconn *keys_connection;
    struct copy_stream keys;
};

/* splitmix64: fast, and good enough to choose with. */
static uint64_t draw(struct seed_history *history)
{
    uint64_t z = history->random += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static size_t draw_below(struct seed_history *history, size_t limit)
{
    return (size_t)((unsigned __int128)draw(history) * limit >> 64);
}

static void draw_bytes(struct seed_history *history, uint8_t *out, size_t length)
{
    for (size_t i = 0; i < length; i += 8) {
        uint64_t random = draw(history);
        memcpy(out + i, &random, 8);
    }
}

static void open_accounts(struct seed_history *history)
{
    const struct seed_job *job = history->job;
    history->count = job->seed.wallets - job->wallets_before;
    history->wallets = memory_alloc(history->count * sizeof history->wallets[0]);
    if (history->wallets == NULL)
        seed_job_fail("out of memory: a wallet needs %zu bytes", sizeof history->wallets[0]);
    for (size_t i = 0; i < history->count; i++) {
        struct population_member member;
        population_member(job->population, job->wallets_before + i, &member);
        history->wallets[i] = (struct account){.id = member.wallet_uuid,
                                               .kind = ACCOUNT_WALLET,
                                               .status = ACCOUNT_ACTIVE,
                                               .tier = WALLET_TIER,
                                               .currency = CURRENCY_ZAR,
                                               .owner = member.user};
    }
    history->system[FEES] =
        (struct account){.id = account_system_id(ACCOUNT_FEES, CURRENCY_ZAR, job->stripe),
                         .kind = ACCOUNT_FEES,
                         .status = ACCOUNT_ACTIVE,
                         .currency = CURRENCY_ZAR};
    history->system[SETTLEMENT] =
        (struct account){.id = account_system_id(ACCOUNT_SETTLEMENT, CURRENCY_ZAR, job->stripe),
                         .kind = ACCOUNT_SETTLEMENT,
                         .status = ACCOUNT_ACTIVE,
                         .currency = CURRENCY_ZAR,
                         .floor = ACCOUNT_FLOOR_NONE};
}

/* Deposits in the first fiftieth of the time, transfers evenly in the rest, jittered. */
static int64_t moment_of(struct seed_history *history, int64_t nth)
{
    int64_t begin = history->job->from;
    int64_t span = history->job->until - begin;
    int64_t count = (int64_t)history->count;
    if (history->transactions > count)
        span /= 50;
    if (nth >= count) {
        begin += span;
        span = history->job->until - begin;
        nth -= count;
        count = history->transactions - count;
    }
    double step = (double)span / (double)count;
    double jitter = (double)(draw(history) >> 11) * 0x1p-53;
    return begin + (int64_t)(step * ((double)nth + jitter));
}

/* Keys as good as random ones, but each above the last: their index grows at its end. */
static void write_key(struct seed_history *history, int64_t nth, char text[UUID_TEXT_MAX])
{
    struct uuid id;
    uint64_t step = UINT64_MAX / (uint64_t)history->transactions;
    uint64_t high = (uint64_t)nth * step + draw(history) % step;
    uint64_t low = draw(history);
    for (int i = 0; i < 8; i++) {
        id.bytes[i] = (uint8_t)(high >> (56 - 8 * i));
        id.bytes[8 + i] = (uint8_t)(low >> (56 - 8 * i));
    }
    uuid_format(&id, "", text);
}

/* Mostly small: 1.00 to 5,000.00, as many between 10 and 100 as between 100 and 1,000. */
static int64_t draw_amount(struct seed_history *history)
{
    static const int64_t tops[] = {1000, 2500, 5000, 10000, 20000, 50000, 100000, 200000, 500000};
    int64_t top = tops[draw_below(history, sizeof tops / sizeof tops[0])];
    return 100 + (int64_t)draw_below(history, (size_t)(top - 99));
}

/* What was asked, and whose accounts it touches, in id order: the system's ids are the smallest. */
struct question {
    struct receipt_order asked;
    struct account *parties[ORDER_ACCOUNTS_MAX];
    size_t party_count;
    char key[UUID_TEXT_MAX];
    char reference[24];
};

static void ask_deposit(struct seed_history *history, struct question *q, size_t nth)
{
    struct posting_order *order = &q->asked.order;
    order->kind = TRANSACTION_DEPOSIT;
    order->caller = history->job->partner;
    order->to = history->wallets[nth].id;
    order->amount = (struct money){OPENING_BALANCE, CURRENCY_ZAR};
    order->reference = SLICE("opening balance");
    q->parties[q->party_count++] = &history->system[SETTLEMENT];
    q->parties[q->party_count++] = &history->wallets[nth];
}

static void ask_transfer(struct seed_history *history, struct question *q)
{
    static const char *const notes[] = {"rent", "groceries",           "thank you",   "school fees",
                                        "taxi", "for Sunday's dinner", "electricity", "airtime"};
    struct posting_order *order = &q->asked.order;
    size_t from = draw_below(history, history->count);
    size_t shops = (history->count + SHOP_OF - 1) / SHOP_OF;
    size_t to = draw_below(history, draw_below(history, SHOP_SHARE) == 0 ? shops : history->count);
    uint64_t chance = draw(history);
    if (to == from)
        to = (from + 1) % history->count;
    order->kind = TRANSACTION_TRANSFER;
    order->caller = history->wallets[from].owner;
    order->from = history->wallets[from].id;
    order->to = history->wallets[to].id;
    order->amount = (struct money){draw_amount(history), CURRENCY_ZAR};
    if (chance % 3 == 0)
        order->note = slice_of(notes[chance / 3 % (sizeof notes / sizeof notes[0])]);
    if (chance / 64 % 4 == 0) {
        snprintf(q->reference, sizeof q->reference, "INV-%06u", (unsigned)(chance / 256 % 1000000));
        order->reference = slice_of(q->reference);
    }
    q->parties[q->party_count++] = &history->system[FEES];
    q->parties[q->party_count++] = &history->wallets[from < to ? from : to];
    q->parties[q->party_count++] = &history->wallets[from < to ? to : from];
}

/* The server's decision about it. */
static void decide(struct seed_history *history, struct question *q, int64_t moment,
                   struct ledger_key *key)
{
    struct account accounts[ORDER_ACCOUNTS_MAX];
    struct book book = {.accounts = accounts, .count = q->party_count};
    struct order_ink ink = {.arena = &history->arena,
                            .transactions = &history->transaction,
                            .postings = history->postings};
    const struct batch_terms terms = {
        .bundle = history->job->bundle, .stripe = history->job->stripe, .now = moment};
    for (size_t i = 0; i < q->party_count; i++)
        accounts[i] = *q->parties[i];
    if (!order_decide(&q->asked.order, &terms, &book, &ink, key))
        seed_job_fail("out of memory");
    if (ink.outcome == POSTING_RULE_FAILED)
        seed_job_fail("the rules have no price for a transfer of %lld cents in ZAR, tier %d, "
                      "between two owners",
                      (long long)q->asked.order.amount.minor, WALLET_TIER);
    if (key->status != 201)
        seed_job_fail("the server would refuse a transfer: %.*s", (int)ink.body.length,
                      ink.body.at);
    assert(ink.transaction_count == 1 && ink.posting_count >= 2);
    for (size_t i = 0; i < q->party_count; i++) {
        *q->parties[i] = accounts[i];
        q->parties[i]->counters = NULL; /* in the arena, which goes before the account does */
        q->parties[i]->counted = false;
    }
}

static struct slice bytes_of(const void *at, size_t length)
{
    return (struct slice){at, at == NULL ? 0 : length};
}

static void write_transaction(struct copy_stream *out, const struct ledger_transaction *t,
                              int64_t moment)
{
    copy_stream_row(out, 17);
    copy_stream_uuid(out, &t->id);
    copy_stream_smallint(out, (int)t->kind);
    copy_stream_integer(out, t->currency);
    copy_stream_bigint(out, t->amount);
    copy_stream_bigint(out, t->fee);
    copy_stream_uuid(out, &t->from);
    copy_stream_uuid(out, &t->to);
    copy_stream_uuid(out, &t->caller);
    copy_stream_bigint(out, t->from_version);
    copy_stream_bigint(out, t->to_version);
    copy_stream_text(out, t->note);
    copy_stream_text(out, t->reference);
    copy_stream_text(out, bytes_of(t->bundle, 32));
    copy_stream_text(out, t->pricing);
    copy_stream_text(out, t->facts);
    copy_stream_text(out, bytes_of(t->trace_id, 16));
    copy_stream_time(out, moment);
}

static void write_posting(struct copy_stream *out, const struct posting *posting)
{
    copy_stream_row(out, 6);
    copy_stream_uuid(out, &posting->account);
    copy_stream_bigint(out, posting->version);
    copy_stream_uuid(out, &posting->transaction);
    copy_stream_bigint(out, posting->amount);
    copy_stream_bigint(out, posting->posted_after);
    copy_stream_bigint(out, posting->held_after);
}

static void write_answer(struct copy_stream *out, const struct ledger_key *key, int64_t moment)
{
    copy_stream_row(out, 7);
    copy_stream_uuid(out, &key->caller);
    copy_stream_text(out, key->key);
    copy_stream_text(out, bytes_of(key->request_hash, sizeof key->request_hash));
    copy_stream_smallint(out, key->status);
    copy_stream_text(out, key->answer);
    copy_stream_uuid(out, &key->transaction);
    copy_stream_time(out, moment);
}

/* One transaction, whole. */
static void write_next(struct seed_history *history)
{
    struct question q = {0};
    struct ledger_key key = {0};
    int64_t nth = history->done++;
    int64_t moment = moment_of(history, nth);
    struct seed_streams streams = seed_months_at(history->months, moment);
    if (nth < (int64_t)history->count)
        ask_deposit(history, &q, (size_t)nth);
    else
        ask_transfer(history, &q);
    write_key(history, nth, q.key);
    draw_bytes(history, q.asked.order.trace_id, sizeof q.asked.order.trace_id);
    draw_bytes(history, key.request_hash, sizeof key.request_hash);
    key.caller = q.asked.order.caller;
    key.key = q.asked.order.key = slice_of(q.key);
    q.asked.order.render = receipt_render;
    decide(history, &q, moment, &key);
    write_transaction(streams.transactions, &history->transaction, moment);
    int postings = history->transaction.fee > 0 ? 3 : 2;
    for (int i = 0; i < postings; i++)
        write_posting(streams.postings, &history->postings[i]);
    write_answer(&history->keys, &key, moment);
    if (nth % PER_ARENA == 0)
        arena_release(&history->arena);
}

static void tell(struct seed_history *history)
{
    int64_t now = clock_monotonic();
    if (now - history->told < TELL_EVERY && history->done < history->transactions)
        return;
    double seconds = (double)(now - history->began) / CLOCK_SECOND + 1e-6;
    double rate = (double)history->done / seconds;
    history->told = now;
    printf("transactions %lld of %lld (%d %%), %.0f a second, %.0f s left\n",
           (long long)history->done, (long long)history->transactions,
           (int)(100 * history->done / history->transactions), rate,
           (double)(history->transactions - history->done) / rate);
    fflush(stdout);
}

struct seed_history *seed_history_write(const struct seed_job *job)
{
    struct seed_history *history = memory_alloc(sizeof *history);
    if (history == NULL)
        seed_job_fail("out of memory");
    history->job = job;
    memcpy(&history->random, job->seed.key, sizeof history->random);
    history->random += job->wallets_before; /* another history for those who come later */
    arena_init(&history->arena);
    open_accounts(history);
    history->transactions = (int64_t)history->count + job->transactions;
    history->months = seed_months_new(job);
    history->keys_connection = seed_job_connect(job);
    seed_job_run(history->keys_connection, "begin");
    copy_stream_begin(&history->keys, history->keys_connection,
                      "public.idempotency (caller, key, request_hash, status, answer, "
                      "transaction_id, created_at)",
                      false);
    history->began = history->told = clock_monotonic();
    while (history->done < history->transactions) {
        write_next(history);
        if (history->done % 1024 == 0 || history->done == history->transactions)
            tell(history);
    }
    arena_release(&history->arena);
    copy_stream_end(&history->keys);
    seed_months_end(history->months);
    return history;
}

struct seed_accounts seed_history_accounts(const struct seed_history *history)
{
    return (struct seed_accounts){history->wallets, history->count, history->system, SYSTEM_COUNT};
}

void seed_history_commit(struct seed_history *history)
{
    seed_months_commit(history->months);
    seed_job_run(history->keys_connection, "commit");
    PQfinish(history->keys_connection);
    memory_free(history->wallets);
    memory_free(history);
}
