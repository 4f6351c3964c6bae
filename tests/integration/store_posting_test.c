/* Posting against a real PostgreSQL over a link that fails at every single message: whatever is
 * lost, each order is answered exactly once, each key moves money at most once, and what was
 * answered is what the ledger says.
 *
 * Covers: server/posting/posting.c server/posting/lane.c server/store/ledger_rows.c
 *     server/store/hold_rows.c server/store/pg_table.c */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <ev.h>

#include "api/receipt.h"
#include "base/clock.h"
#include "base/memory.h"
#include "posting/posting.h"
#include "scripting/bundle.h"
#include "store/verify.h"
#include "support/link.h"
#include "support/scratch.h"
#include "support/stack.h"

enum { WALLETS = 6, GROUP = 5 };

static struct stack *stack;
static struct scratch *scratch;
static struct ev_loop *loop;
static struct bundle *rules;
static struct link *link_to_postgres;
static char linked[500]; /* conninfo through the link */

struct test_order {
    struct receipt_order own; /* first */
    char key[64];
    int dones;
    enum posting_outcome outcome;
    int status;
    bool replayed;
    char body[2048];
    size_t length;
};

static void done(struct posting_order *order)
{
    struct test_order *t = (struct test_order *)(void *)order;
    t->dones++;
    t->outcome = order->outcome;
    t->replayed = order->replayed;
    if (order->outcome != POSTING_ANSWERED)
        return;
    t->status = order->status;
    t->length = order->body.length;
    assert_true(t->length > 0 && t->length < sizeof t->body);
    memcpy(t->body, order->body.at, t->length);
}

static struct uuid wallet(int i)
{
    return (struct uuid){{0x20, 1, (uint8_t)i}};
}

static struct uuid owner_of(int i)
{
    return (struct uuid){{0x30, 1, (uint8_t)i}};
}

static void set_order(struct test_order *t, enum transaction_kind kind, const int wallets[2],
                      int64_t amount, const char *key)
{
    memset(t, 0, sizeof *t);
    snprintf(t->key, sizeof t->key, "%s", key);
    t->own.order = (struct posting_order){
        .kind = kind,
        .caller = kind == TRANSACTION_DEPOSIT ? (struct uuid){{0x40}} : owner_of(wallets[0]),
        .key = slice_of(t->key),
        .request_hash = {(uint8_t)amount, (uint8_t)wallets[0], (uint8_t)wallets[1]},
        .from = wallet(wallets[0]),
        .to = wallet(wallets[1]),
        .amount = {amount, CURRENCY_ZAR},
        .note = SLICE("gr\xc3\xbc\xc3\x9f"),
        .deadline = clock_monotonic() + INT64_C(15) * CLOCK_SECOND,
        .render = receipt_render,
        .recall = receipt_recall,
        .done = done,
    };
}

/* Three transfers, one of them twice, and a deposit: all four keys are new. */
static void make_group(struct test_order group[GROUP], const char *name, long n)
{
    static const int pairs[GROUP][2] = {{0, 1}, {1, 2}, {0, 3}, {0, 3}, {0, 4}};
    static const int keys[GROUP] = {0, 1, 2, 2, 3};
    for (int i = 0; i < GROUP; i++) {
        char key[64];
        snprintf(key, sizeof key, "%s-%ld-%d", name, n, keys[i]);
        set_order(&group[i], i == 4 ? TRANSACTION_DEPOSIT : TRANSACTION_TRANSFER, pairs[i],
                  i == 4 ? 5000 : 100, key);
    }
}

static const struct posting_settings *settings_for(const char *conninfo, unsigned stripe)
{
    static const currency currencies[] = {CURRENCY_ZAR, 0};
    static struct posting_settings settings;
    settings = (struct posting_settings){.conninfo = conninfo,
                                         .lanes = 2,
                                         .batch_max = 3,
                                         .queue_max = 100,
                                         .stripe_first = stripe,
                                         .currencies = currencies,
                                         .answer_timeout_us = CLOCK_SECOND / 10};
    return &settings;
}

static bool is_ready(void *what)
{
    return posting_is_ready(what);
}

static struct posting_queue *open_queue(const char *conninfo, unsigned stripe)
{
    struct posting_queue *queue = posting_new(loop, settings_for(conninfo, stripe));
    assert_non_null(queue);
    posting_set_bundle(queue, rules);
    assert_true(scratch_await(loop, is_ready, queue));
    return queue;
}

struct group {
    struct test_order *orders;
    int count;
};

static bool all_done(void *what)
{
    const struct group *group = what;
    for (int i = 0; i < group->count; i++)
        if (group->orders[i].dones == 0)
            return false;
    return true;
}

static void submit(struct posting_queue *queue, struct test_order *orders, int count)
{
    for (int i = 0; i < count; i++) {
        assert_true(posting_submit(queue, &orders[i].own.order));
        assert_int_equal(orders[i].dones, 0); /* never from inside */
    }
}

static void run(struct posting_queue *queue, struct test_order *orders, int count)
{
    submit(queue, orders, count);
    assert_true(scratch_await(loop, all_done, &(struct group){orders, count}));
    for (int i = 0; i < count; i++)
        assert_int_equal(orders[i].dones, 1);
}

static int64_t transactions_of(const char *key)
{
    return scratch_number(scratch,
                          "select count(t.id) from idempotency i left join transactions t "
                          "on t.id = i.transaction_id where i.key = '%s'",
                          key);
}

/* Was anyone with this one's key told that it is posted? */
static bool is_posted(const struct test_order *orders, int count, const char *key)
{
    for (int i = 0; i < count; i++)
        if (strcmp(orders[i].key, key) == 0 && orders[i].outcome == POSTING_ANSWERED &&
            orders[i].status == 201)
            return true;
    return false;
}

/* Each was done once; moved exactly what it was told. */
static void expect_truth(const struct test_order *orders, int count)
{
    for (int i = 0; i < count; i++) {
        assert_int_equal(orders[i].dones, 1);
        assert_int_equal(transactions_of(orders[i].key), is_posted(orders, count, orders[i].key));
    }
}

static void expect_same_answers(const struct test_order *first, const struct test_order *again,
                                int count)
{
    for (int i = 0; i < count; i++) {
        assert_int_equal(again[i].outcome, POSTING_ANSWERED);
        if (first[i].outcome != POSTING_ANSWERED)
            continue;
        assert_true(again[i].replayed);
        assert_int_equal(again[i].length, first[i].length);
        assert_memory_equal(again[i].body, first[i].body, first[i].length);
    }
}

static bool holds;

static void see_line(void *owner, const struct verify_line *line)
{
    (void)owner;
    if (line->broken > 0)
        print_error("%s: %s\n", line->name, line->first);
    holds = holds && line->broken == 0;
}

static void expect_sound_ledger(void)
{
    struct verify verify = {.conninfo = scratch->owner, .tell = see_line};
    holds = true;
    assert_true(verify_run(&verify));
    assert_true(holds);
}

static void test_answers_and_replays(void **state)
{
    struct posting_queue *queue = open_queue(scratch->server, 0);
    struct test_order funds[WALLETS];
    struct test_order group[GROUP];
    struct test_order again[GROUP];
    (void)state;
    for (int i = 0; i < WALLETS; i++) {
        char key[64];
        snprintf(key, sizeof key, "fund-%d", i);
        set_order(&funds[i], TRANSACTION_DEPOSIT, (const int[]){0, i}, 10000000, key);
    }
    run(queue, funds, WALLETS);
    expect_truth(funds, WALLETS);
    make_group(group, "plain", 0);
    run(queue, group, GROUP);
    expect_truth(group, GROUP);
    make_group(again, "plain", 0);
    run(queue, again, GROUP);
    expect_same_answers(group, again, GROUP);
    again[0].dones = 0;
    again[0].own.order.request_hash[9] = 1;
    run(queue, again, 1);
    assert_int_equal(again[0].outcome, POSTING_KEY_REUSED);
    assert_int_equal(posting_waiting(queue), 0);
    posting_free(queue);
}

/* A fault for every message of a side, or for every `step`th. */
struct plan {
    const char *name;
    enum link_side side;
    enum link_fault fault;
    int step;
};

/* Message after message meets the fault, until none is left that could. */
static void break_each(struct posting_queue *queue, const struct plan *plan)
{
    bool struck = true;
    for (long n = 0; struck; n += plan->step) {
        struct test_order group[GROUP];
        struct test_order again[GROUP];
        make_group(group, plan->name, n);
        link_arm(link_to_postgres, plan->side, n, plan->fault);
        run(queue, group, GROUP);
        struck = link_struck(link_to_postgres);
        link_disarm(link_to_postgres);
        expect_truth(group, GROUP);
        for (int i = 0; i < GROUP; i++)
            assert_true(plan->fault == LINK_GARBLE || group[i].outcome == POSTING_ANSWERED);
        make_group(again, plan->name, n);
        run(queue, again, GROUP);
        expect_same_answers(group, again, GROUP);
        assert_true(n < 400);
        assert_true(struck || n > 10); /* it did happen */
    }
}

static void test_every_answer_may_be_the_last(void **state)
{
    struct posting_queue *queue = open_queue(linked, 2);
    (void)state;
    break_each(queue, &(struct plan){"hang-up", LINK_SERVER, LINK_HANG_UP, 1});
    break_each(queue, &(struct plan){"tear", LINK_SERVER, LINK_TEAR, 7});
    posting_free(queue);
    expect_sound_ledger();
}

static void test_every_answer_may_never_come(void **state)
{
    struct posting_queue *queue = open_queue(linked, 2);
    (void)state;
    break_each(queue, &(struct plan){"stall", LINK_SERVER, LINK_STALL, 4});
    posting_free(queue);
    expect_sound_ledger();
}

static void test_every_question_may_not_arrive(void **state)
{
    struct posting_queue *queue = open_queue(linked, 2);
    (void)state;
    break_each(queue, &(struct plan){"unasked", LINK_CLIENT, LINK_HANG_UP, 2});
    posting_free(queue);
    expect_sound_ledger();
}

static void test_every_statement_may_fail(void **state)
{
    struct posting_queue *queue = open_queue(linked, 2);
    (void)state;
    break_each(queue, &(struct plan){"garble", LINK_CLIENT, LINK_GARBLE, 1});
    posting_free(queue);
    expect_sound_ledger();
}

/* ---- two servers on one database */

static void test_the_same_orders_on_two_servers(void **state)
{
    struct posting_queue *here = open_queue(scratch->server, 4);
    struct posting_queue *there = open_queue(scratch->server, 6);
    (void)state;
    for (long n = 0; n < 30; n++) {
        struct test_order mine[GROUP];
        struct test_order theirs[GROUP];
        make_group(mine, "both", n);
        make_group(theirs, "both", n);
        submit(here, mine, GROUP);
        submit(there, theirs, GROUP);
        assert_true(scratch_await(loop, all_done, &(struct group){mine, GROUP}));
        assert_true(scratch_await(loop, all_done, &(struct group){theirs, GROUP}));
        for (int i = 0; i < GROUP; i++) {
            assert_int_equal(mine[i].status, 201);
            assert_int_equal(mine[i].length, theirs[i].length);
            assert_memory_equal(mine[i].body, theirs[i].body, mine[i].length);
            /* one told it first; of the key that comes twice it may be either of both */
            assert_true(mine[i].replayed != theirs[i].replayed || i == 2 || i == 3);
        }
        expect_truth(mine, GROUP);
    }
    posting_free(here);
    posting_free(there);
    expect_sound_ledger();
}

/* No account in common, so only the key's uniqueness stands between them. */
static void test_one_key_for_different_wallets(void **state)
{
    struct posting_queue *here = open_queue(scratch->server, 4);
    struct posting_queue *there = open_queue(scratch->server, 6);
    (void)state;
    for (long n = 0; n < 30; n++) {
        struct test_order mine[1];
        struct test_order theirs[1];
        char key[64];
        snprintf(key, sizeof key, "apart-%ld", n);
        set_order(mine, TRANSACTION_DEPOSIT, (const int[]){0, 1}, 100, key);
        set_order(theirs, TRANSACTION_DEPOSIT, (const int[]){0, 2}, 100, key);
        submit(here, mine, 1);
        submit(there, theirs, 1);
        assert_true(scratch_await(loop, all_done, &(struct group){mine, 1}));
        assert_true(scratch_await(loop, all_done, &(struct group){theirs, 1}));
        assert_true(
            (mine[0].outcome == POSTING_ANSWERED && theirs[0].outcome == POSTING_KEY_REUSED) ||
            (theirs[0].outcome == POSTING_ANSWERED && mine[0].outcome == POSTING_KEY_REUSED));
        assert_int_equal(transactions_of(key), 1);
    }
    posting_free(here);
    posting_free(there);
    expect_sound_ledger();
}

/* ---- what the database refuses */

static void test_poison_is_found_alone(void **state)
{
    struct posting_queue *queue = open_queue(scratch->server, 0);
    struct test_order orders[9];
    (void)state;
    scratch_run(scratch, "create or replace function no_poison() returns trigger language plpgsql "
                         "as $$ begin raise exception 'poison' using errcode = '22000'; end $$; "
                         "create trigger no_poison before insert on transactions for each row "
                         "when (new.note = 'poison') execute function no_poison()");
    for (int i = 0; i < 9; i++) {
        char key[64];
        snprintf(key, sizeof key, "poison-%d", i);
        set_order(&orders[i], TRANSACTION_TRANSFER, (const int[]){i % 3, 3 + i % 3}, 100, key);
        if (i == 4)
            orders[i].own.order.note = SLICE("poison");
    }
    run(queue, orders, 9);
    for (int i = 0; i < 9; i++)
        assert_int_equal(orders[i].outcome, i == 4 ? POSTING_POISONED : POSTING_ANSWERED);
    expect_truth(orders, 9);
    scratch_run(scratch, "drop trigger no_poison on transactions");
    posting_free(queue);
}

static const char drop_partitions[] =
    "do $$ declare t text; begin for t in select inhrelid::regclass from pg_inherits where "
    "inhparent in ('postings'::regclass, 'transactions'::regclass) loop execute 'drop table ' || "
    "t; end loop; end $$";

/* A month that nobody made: the lane makes it. Where it may not, the orders wait, and are told that
 * there is no database; never that they are poison. */
static void test_a_month_without_partitions(void **state)
{
    struct scratch *all = scratch;
    struct test_order order[1];
    (void)state;
    scratch = scratch_new(stack, true);
    for (int i = 0; i < WALLETS; i++) {
        const struct uuid w = wallet(i);
        const struct uuid o = owner_of(i);
        scratch_wallet(scratch, &w, &o);
    }
    struct posting_queue *queue = open_queue(scratch->server, 0);
    scratch_run(scratch, "%s", drop_partitions);
    scratch_run(scratch, "revoke execute on function make_partitions from moolah_server");
    set_order(order, TRANSACTION_DEPOSIT, (const int[]){0, 1}, 100, "no month");
    order[0].own.order.deadline = clock_monotonic() + CLOCK_SECOND / 2;
    run(queue, order, 1);
    assert_int_equal(order[0].outcome, POSTING_UNAVAILABLE);
    scratch_run(scratch, "grant execute on function make_partitions to moolah_server");
    set_order(order, TRANSACTION_DEPOSIT, (const int[]){0, 1}, 100, "no month");
    run(queue, order, 1);
    assert_int_equal(order[0].status, 201);
    expect_truth(order, 1);
    posting_free(queue);
    expect_sound_ledger();
    scratch_free(scratch);
    scratch = all;
}

/* ---- no database, no time, no memory */

static void test_deadlines_without_a_database(void **state)
{
    struct posting_queue *queue = open_queue(linked, 2);
    struct test_order orders[4];
    (void)state;
    link_refuse(link_to_postgres, true);
    link_cut(link_to_postgres);
    while (posting_is_ready(queue))
        ev_run(loop, EVRUN_ONCE);
    for (int i = 0; i < 4; i++) {
        char key[64];
        snprintf(key, sizeof key, "late-%d", i);
        set_order(&orders[i], TRANSACTION_TRANSFER, (const int[]){0, 1}, 100, key);
        if (i < 3)
            orders[i].own.order.deadline = clock_monotonic() + CLOCK_SECOND / 5;
    }
    submit(queue, orders, 4);
    assert_true(scratch_await(loop, all_done, &(struct group){orders, 3}));
    for (int i = 0; i < 3; i++)
        assert_int_equal(orders[i].outcome, POSTING_UNAVAILABLE);
    assert_int_equal(orders[3].dones, 0);
    link_refuse(link_to_postgres, false);
    assert_true(scratch_await(loop, all_done, &(struct group){orders, 4}));
    assert_int_equal(orders[3].status, 201);
    expect_truth(orders, 4);
    posting_free(queue);
}

/* A commit whose fate is unknown is never given up, and its orders never told that nothing moved:
 * not before a database has said so. */
static void test_an_unknown_fate_is_waited_for(void **state)
{
    struct posting_queue *queue = open_queue(linked, 2);
    (void)state;
    for (long n = 24; n < 60; n += 8) {
        struct test_order order[1];
        char key[64];
        snprintf(key, sizeof key, "unknown-%ld", n);
        set_order(order, TRANSACTION_TRANSFER, (const int[]){0, 1}, 100, key);
        order[0].own.order.deadline = clock_monotonic() + CLOCK_SECOND / 5;
        link_arm(link_to_postgres, LINK_SERVER, n, LINK_HANG_UP);
        submit(queue, order, 1);
        while (!link_struck(link_to_postgres) && order[0].dones == 0)
            ev_run(loop, EVRUN_ONCE);
        link_refuse(link_to_postgres, true);
        link_cut(link_to_postgres);
        int64_t later = clock_monotonic() + CLOCK_SECOND / 3;
        while (clock_monotonic() < later)
            ev_run(loop, EVRUN_ONCE);
        link_disarm(link_to_postgres);
        link_refuse(link_to_postgres, false);
        assert_true(scratch_await(loop, all_done, &(struct group){order, 1}));
        expect_truth(order, 1);
        assert_true(scratch_await(loop, is_ready, queue));
    }
    posting_free(queue);
}

static bool waits_for_a_lock(void *what)
{
    (void)what;
    return scratch_number(scratch, "select count(*) from pg_stat_activity where datname = "
                                   "current_database() and application_name = 'moolahd posting' "
                                   "and wait_event_type = 'Lock'") > 0;
}

/* Between its flights a batch holds its accounts, the shared fee account among them. A worker that
 * vanishes then, with its connection open, must not hold them for ever: whoever comes next gets
 * them, and the batch is posted once when the worker is back. */
static void test_a_silent_worker_holds_nobody_up(void **state)
{
    struct test_order order[1];
    struct posting_queue *queue = open_queue(linked, 2);
    const char *lock = "select count(*) from (select 1 from accounts where id = '%s' for update) l";
    char id[33];
    struct uuid from = wallet(0);
    (void)state;
    for (size_t i = 0; i < sizeof from.bytes; i++)
        snprintf(id + 2 * i, 3, "%02x", from.bytes[i]);
    set_order(order, TRANSACTION_TRANSFER, (const int[]){0, 1}, 100, "silent");
    order[0].own.order.deadline = clock_monotonic() + 60 * CLOCK_SECOND;
    scratch_run(scratch, "begin");
    scratch_number(scratch, lock, id);
    submit(queue, order, 1);
    assert_true(scratch_await(loop, waits_for_a_lock, NULL));
    link_stand_still(link_to_postgres, true);
    scratch_run(scratch, "commit");
    scratch_run(scratch, "set lock_timeout = '30s'");
    assert_int_equal(scratch_number(scratch, lock, id), 1);
    scratch_run(scratch, "reset lock_timeout");
    link_stand_still(link_to_postgres, false);
    assert_true(scratch_await(loop, all_done, &(struct group){order, 1}));
    expect_truth(order, 1);
    assert_int_equal(order[0].status, 201);
    posting_free(queue);
}

static void test_out_of_memory(void **state)
{
    struct posting_queue *queue = open_queue(scratch->server, 0);
    bool failed = true;
    (void)state;
    for (long n = 0; failed; n++) {
        struct test_order group[GROUP];
        make_group(group, "memory", n);
        memory_fail_after(n);
        submit(queue, group, GROUP);
        while (!memory_failed() && !all_done(&(struct group){group, GROUP}))
            ev_run(loop, EVRUN_ONCE);
        ev_run(loop, EVRUN_NOWAIT);
        failed = memory_failed();
        memory_fail_never();
        assert_true(scratch_await(loop, all_done, &(struct group){group, GROUP}));
        expect_truth(group, GROUP);
        assert_true(n < 500);
    }
    posting_free(queue);
    expect_sound_ledger();
}

static void test_making_a_queue_without_memory(void **state)
{
    struct posting_queue *queue = NULL;
    (void)state;
    for (long n = 0; queue == NULL; n++) {
        assert_true(n < 50);
        memory_fail_after(n);
        queue = posting_new(loop, settings_for(scratch->server, 0));
        memory_fail_never();
    }
    posting_free(queue);
}

static void test_the_queue_is_bounded(void **state)
{
    struct posting_settings settings = *settings_for(scratch->server, 0);
    struct test_order orders[5];
    (void)state;
    settings.queue_max = 4;
    settings.batch_max = 4;
    struct posting_queue *queue = posting_new(loop, &settings);
    assert_non_null(queue);
    posting_set_bundle(queue, rules);
    for (int i = 0; i < 5; i++) {
        char key[64];
        snprintf(key, sizeof key, "full-%d", i);
        set_order(&orders[i], TRANSACTION_TRANSFER, (const int[]){0, 1}, 100, key);
        assert_int_equal(posting_submit(queue, &orders[i].own.order), i < 4);
    }
    assert_int_equal(posting_waiting(queue), 4);
    assert_true(scratch_await(loop, all_done, &(struct group){orders, 4}));
    expect_truth(orders, 4);
    posting_free(queue);
}

/* A line that nobody knows the speed of may have 1024 in it; then requests are turned away, but
 * what was let in before still finds its place. */
static void test_the_line_is_short(void **state)
{
    enum { LINE = 1024 };
    static struct test_order orders[LINE + 1];
    struct posting_settings settings = *settings_for(scratch->server, 0);
    (void)state;
    settings.queue_max = 2 * LINE;
    struct posting_queue *queue = posting_new(loop, &settings);
    assert_non_null(queue);
    posting_set_bundle(queue, rules);
    for (int i = 0; i <= LINE; i++) {
        char key[64];
        snprintf(key, sizeof key, "line-%d", i);
        set_order(&orders[i], TRANSACTION_TRANSFER, (const int[]){0, 1}, 1, key);
        assert_int_equal(posting_admits(queue, INT64_C(15) * CLOCK_SECOND), i < LINE);
        assert_int_equal(posting_submit(queue, &orders[i].own.order), i < LINE);
    }
    assert_true(scratch_await(loop, all_done, &(struct group){orders, LINE}));
    assert_true(posting_admits(queue, INT64_C(15) * CLOCK_SECOND));
    expect_truth(orders, LINE);
    posting_free(queue);
}

/* Freed in mid-flight: its orders are dropped, and what the database has of them is whole. */
static void test_freeing_in_mid_flight(void **state)
{
    (void)state;
    for (int turns = 0; turns < 12; turns++) {
        struct posting_queue *queue = open_queue(scratch->server, 0);
        struct test_order group[GROUP];
        make_group(group, "freed", turns);
        submit(queue, group, GROUP);
        for (int i = 0; i < turns / 2; i++)
            ev_run(loop, EVRUN_ONCE);
        posting_free(queue);
    }
    expect_sound_ledger();
}

static void make_link(void)
{
    char folder[128];
    char redis[160];
    char target[200];
    char path[200];
    scratch_sockets(stack, folder, redis);
    snprintf(target, sizeof target, "%s/.s.PGSQL.5432", folder);
    snprintf(path, sizeof path, "%s/.s.PGSQL.6000", folder);
    snprintf(linked, sizeof linked, "%s port=6000", scratch->server);
    link_to_postgres = link_new(path, target, LINK_POSTGRES);
}

static int set_up(void **state)
{
    static struct bundle_report report;
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    stack = stack_start(NULL);
    scratch = scratch_new(stack, true);
    loop = ev_loop_new(0);
    rules = bundle_load(MOOLAH_SOURCE_DIR "/rules", &report);
    for (int i = 0; i < WALLETS; i++) {
        const struct uuid w = wallet(i);
        const struct uuid o = owner_of(i);
        scratch_wallet(scratch, &w, &o);
    }
    make_link();
    return loop == NULL || rules == NULL ? -1 : 0;
}

static int tear_down(void **state)
{
    (void)state;
    link_free(link_to_postgres);
    bundle_release(rules);
    ev_loop_destroy(loop);
    scratch_free(scratch);
    stack_stop(stack);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers_and_replays),
        cmocka_unit_test(test_every_answer_may_be_the_last),
        cmocka_unit_test(test_every_answer_may_never_come),
        cmocka_unit_test(test_every_question_may_not_arrive),
        cmocka_unit_test(test_every_statement_may_fail),
        cmocka_unit_test(test_the_same_orders_on_two_servers),
        cmocka_unit_test(test_one_key_for_different_wallets),
        cmocka_unit_test(test_poison_is_found_alone),
        cmocka_unit_test(test_a_month_without_partitions),
        cmocka_unit_test(test_deadlines_without_a_database),
        cmocka_unit_test(test_an_unknown_fate_is_waited_for),
        cmocka_unit_test(test_a_silent_worker_holds_nobody_up),
        cmocka_unit_test(test_out_of_memory),
        cmocka_unit_test(test_making_a_queue_without_memory),
        cmocka_unit_test(test_the_queue_is_bounded),
        cmocka_unit_test(test_the_line_is_short),
        cmocka_unit_test(test_freeing_in_mid_flight),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
