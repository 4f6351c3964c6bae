/* The PostgreSQL side of store/ against a real server: parameters and rows there and back,
 * connections and the pool over a link that fails at every answer.
 *
 * Covers: server/store/pg_connection.c server/store/pg_pool.c server/store/pg_rows.c
 *         server/store/ledger_rows.c */
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

#include "base/arena.h"
#include "base/clock.h"
#include "base/memory.h"
#include "store/ledger_rows.h"
#include "store/pg_array.h"
#include "store/pg_params.h"
#include "store/pg_pool.h"
#include "store/pg_rows.h"
#include "support/link.h"
#include "support/scratch.h"
#include "support/stack.h"

static struct stack *stack;
static struct scratch *scratch;
static struct ev_loop *loop;

static const struct pg_statement echo = {
    "echo", "select $1::boolean, $2::smallint, $3::integer, $4::bigint, $5::timestamptz, "
            "$6::uuid, $7::text, $8::bytea, $9::text, $4::bigint::text, $5::timestamptz::text"};
static const struct pg_statement echo_arrays = {
    "echo_arrays",
    "select * from unnest($1::smallint[], $2::integer[], $3::bigint[], $4::timestamptz[], "
    "$5::uuid[], $6::text[], $7::bytea[])"};
static const struct pg_statement add_one = {"add_one", "select $1::integer + 1"};
static const struct pg_statement divide = {"divide", "select 1 / $1::integer"};
static const struct pg_statement insert_user = {
    "insert_user", "insert into users (id, phone, name, password, wallet, created_at) "
                   "values ($1::uuid, $2::text, 'N', 'x', $1::uuid, now())"};
static const struct pg_statement who_am_i = {
    "who_am_i", "select current_setting('application_name'), pg_backend_pid(), "
                "current_setting('client_encoding')"};
static const struct pg_statement sort_keys = {
    "sort_keys", "select o::integer from unnest($1::text[], $2::uuid[]) with ordinality "
                 "as u(key, caller, o) order by key collate \"C\", caller"};
static const struct pg_statement began_at = {
    "began_at", "select (extract(epoch from now()) * 1000000)::bigint + $1::integer"};
static const struct pg_statement *const statements[] = {
    &echo, &echo_arrays, &add_one, &divide, &insert_user, &who_am_i, &sort_keys, &began_at, NULL};

static bool is_ready(void *what)
{
    return pg_pool_is_ready(what);
}

static struct pg_pool *open_pool(const char *conninfo, int connections)
{
    const struct pg_pool_settings settings = {
        .connection = {.conninfo = conninfo,
                       .application_name = "store test",
                       .statements = statements,
                       .setup = "set lock_timeout = '5s'; set statement_timeout = '20s'",
                       .connect_timeout_us = INT64_C(5) * CLOCK_SECOND,
                       .answer_timeout_us = CLOCK_SECOND / 5},
        .connections = connections,
        .queue_max = 20,
        .pipeline_max = 8,
    };
    struct pg_pool *pool = pg_pool_new(loop, &settings);
    assert_non_null(pool);
    assert_true(scratch_await(loop, is_ready, pool));
    return pool;
}

/* One question and what became of it. */
struct asked {
    int answers;
    bool answered;
    enum pg_outcome outcome;
    int64_t number;
    void (*look)(const struct pg_rows *rows);
};

static void on_answer(void *owner, enum pg_outcome outcome, const struct pg_rows *rows)
{
    struct asked *asked = owner;
    asked->answers++;
    asked->answered = true;
    asked->outcome = outcome;
    assert_true((rows != NULL) == (outcome == PG_OK));
    if (rows != NULL && asked->look != NULL)
        asked->look(rows);
    else if (rows != NULL && pg_rows_count(rows) == 1)
        asked->number = pg_rows_int(rows, 0, 0);
}

static enum pg_outcome ask(struct pg_pool *pool, const struct pg_statement *statement,
                           const struct pg_params *params, void (*look)(const struct pg_rows *))
{
    struct asked asked = {.look = look};
    assert_true(pg_pool_ask(pool, statement, params, on_answer, &asked));
    assert_int_equal(asked.answers, 0); /* never from inside */
    assert_true(scratch_await_flag(loop, &asked.answered));
    return asked.outcome;
}

typedef bool ask_pool(struct pg_pool *pool, const struct pg_statement *statement,
                      const struct pg_params *params, pg_answer *answer, void *owner);

static bool ask_number_by(ask_pool *by, struct pg_pool *pool, const struct pg_statement *statement,
                          int number, struct asked *asked)
{
    struct arena arena;
    struct pg_params params;
    arena_init(&arena);
    pg_params_init(&params, &arena);
    pg_params_integer(&params, number);
    bool good = by(pool, statement, &params, on_answer, asked);
    arena_release(&arena);
    return good;
}

static bool ask_number(struct pg_pool *pool, const struct pg_statement *statement, int number,
                       struct asked *asked)
{
    return ask_number_by(pg_pool_ask, pool, statement, number, asked);
}

/* ---- there and back */

static const struct uuid some_id = {{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 255}};
#define SOME_TIME INT64_C(1764547200123456)

static void see_echo(const struct pg_rows *rows)
{
    struct uuid id = pg_rows_uuid(rows, 0, 5);
    assert_int_equal(pg_rows_count(rows), 1);
    assert_true(pg_rows_bool(rows, 0, 0));
    assert_int_equal(pg_rows_int(rows, 0, 1), -32768);
    assert_int_equal(pg_rows_int(rows, 0, 2), INT32_MIN);
    assert_true(pg_rows_int(rows, 0, 3) == INT64_MIN);
    assert_true(pg_rows_time(rows, 0, 4) == SOME_TIME);
    assert_true(uuid_equal(&id, &some_id));
    assert_true(slice_equals(pg_rows_text(rows, 0, 6), "gr\xc3\xbc\xc3\x9f' \\ dich"));
    assert_true(slice_equal(pg_rows_text(rows, 0, 7), (struct slice){"\0\xff\0", 3}));
    assert_true(pg_rows_is_null(rows, 0, 8));
    assert_true(slice_equals(pg_rows_text(rows, 0, 9), "-9223372036854775808"));
    assert_true(slice_equals(pg_rows_text(rows, 0, 10), "2025-12-01 00:00:00.123456+00"));
}

static void test_values_there_and_back(void **state)
{
    struct pg_pool *pool = open_pool(scratch->server, 1);
    struct arena arena;
    struct pg_params params;
    (void)state;
    arena_init(&arena);
    pg_params_init(&params, &arena);
    pg_params_bool(&params, true);
    pg_params_smallint(&params, -32768);
    pg_params_integer(&params, INT32_MIN);
    pg_params_bigint(&params, INT64_MIN);
    pg_params_time(&params, SOME_TIME);
    pg_params_uuid(&params, &some_id);
    pg_params_text(&params, SLICE("gr\xc3\xbc\xc3\x9f' \\ dich"));
    pg_params_text(&params, (struct slice){"\0\xff\0", 3});
    pg_params_null(&params);
    assert_int_equal(ask(pool, &echo, &params, see_echo), PG_OK);
    arena_release(&arena);
    pg_pool_free(pool);
}

enum { ELEMENTS = 300 };

static struct uuid element_id(int i)
{
    return (struct uuid){{(uint8_t)i, 9, (uint8_t)(i >> 8)}};
}

static void see_arrays(const struct pg_rows *rows)
{
    assert_int_equal(pg_rows_count(rows), ELEMENTS);
    for (int i = 0; i < ELEMENTS; i++) {
        struct uuid id = element_id(i);
        assert_int_equal(pg_rows_int(rows, i, 0), i - 150);
        assert_int_equal(pg_rows_int(rows, i, 1), i * 100000 - 15000000);
        assert_true(pg_rows_int(rows, i, 2) == i * INT64_C(10000000000) - INT64_C(5000000000));
        assert_true(pg_rows_time(rows, i, 3) == SOME_TIME + i);
        assert_true(pg_rows_is_null(rows, i, 4) == (i % 7 == 0));
        if (i % 7 != 0) {
            struct uuid got = pg_rows_uuid(rows, i, 4);
            assert_true(uuid_equal(&got, &id));
        }
        assert_true(pg_rows_is_null(rows, i, 5) == (i % 5 == 0));
        if (i % 5 != 0)
            assert_int_equal(pg_rows_text(rows, i, 5).length, i % 5 - 1);
        assert_int_equal(pg_rows_text(rows, i, 6).length, 3);
    }
}

static void see_nothing(const struct pg_rows *rows)
{
    assert_int_equal(pg_rows_count(rows), 0);
}

static void fill_arrays(struct pg_params *params, int count)
{
    static const enum pg_array_type types[] = {PG_SMALLINT, PG_INTEGER, PG_BIGINT, PG_TIME,
                                               PG_UUID,     PG_TEXT,    PG_BYTEA};
    struct pg_array array;
    for (size_t t = 0; t < sizeof types / sizeof types[0]; t++) {
        pg_array_begin(&array, params, types[t], count);
        for (int i = 0; i < count; i++) {
            struct uuid id = element_id(i);
            if (t == 0)
                pg_array_smallint(&array, (int16_t)(i - 150));
            else if (t == 1)
                pg_array_integer(&array, i * 100000 - 15000000);
            else if (t == 2)
                pg_array_bigint(&array, i * INT64_C(10000000000) - INT64_C(5000000000));
            else if (t == 3)
                pg_array_time(&array, SOME_TIME + i);
            else if (t == 4)
                pg_array_uuid(&array, i % 7 == 0 ? NULL : &id);
            else if (t == 5)
                pg_array_text(&array, i % 5 == 0 ? (struct slice){NULL, 0}
                                                 : (struct slice){"xyz", (size_t)(i % 5 - 1)});
            else
                pg_array_text(&array, (struct slice){"a\0b", 3});
        }
        pg_array_end(&array);
    }
}

static void test_arrays_there_and_back(void **state)
{
    struct pg_pool *pool = open_pool(scratch->server, 1);
    struct arena arena;
    struct pg_params params;
    (void)state;
    arena_init(&arena);
    pg_params_init(&params, &arena);
    fill_arrays(&params, ELEMENTS);
    assert_int_equal(ask(pool, &echo_arrays, &params, see_arrays), PG_OK);
    pg_params_init(&params, &arena);
    fill_arrays(&params, 0);
    assert_int_equal(ask(pool, &echo_arrays, &params, see_nothing), PG_OK);
    arena_release(&arena);
    pg_pool_free(pool);
}

/* ---- keys are inserted in the order of their primary key: ours must be the database's */

static struct ledger_key keys[400];
static char key_texts[400][8];

static void see_order(const struct pg_rows *rows)
{
    for (int i = 1; i < pg_rows_count(rows); i++)
        assert_true(ledger_rows_compare_keys(&keys[pg_rows_int(rows, i - 1, 0) - 1],
                                             &keys[pg_rows_int(rows, i, 0) - 1]) <= 0);
}

static void test_keys_are_ordered_as_the_database_does(void **state)
{
    struct pg_pool *pool = open_pool(scratch->server, 1);
    struct arena arena;
    struct pg_params params;
    struct pg_array array;
    unsigned dice = 3;
    (void)state;
    arena_init(&arena);
    pg_params_init(&params, &arena);
    pg_array_begin(&array, &params, PG_TEXT, 400);
    for (int i = 0; i < 400; i++) {
        size_t length = 1 + (size_t)rand_r(&dice) % 4;
        for (size_t k = 0; k < length; k++)
            key_texts[i][k] = "!aAbB~z0"[rand_r(&dice) % 8];
        keys[i].key = (struct slice){key_texts[i], length};
        keys[i].caller.bytes[0] = (uint8_t)(rand_r(&dice) % 3 * 127);
        pg_array_text(&array, keys[i].key);
    }
    pg_array_end(&array);
    pg_array_begin(&array, &params, PG_UUID, 400);
    for (int i = 0; i < 400; i++)
        pg_array_uuid(&array, &keys[i].caller);
    pg_array_end(&array);
    assert_int_equal(ask(pool, &sort_keys, &params, see_order), PG_OK);
    arena_release(&arena);
    pg_pool_free(pool);
}

/* ---- connecting */

static char seen_name[64];

static void see_name(const struct pg_rows *rows)
{
    struct slice name = pg_rows_text(rows, 0, 0);
    snprintf(seen_name, sizeof seen_name, "%.*s", (int)name.length, name.at);
    assert_true(slice_equals(pg_rows_text(rows, 0, 2), "UTF8"));
}

static void expect_name(const char *conninfo, const char *name)
{
    struct pg_pool *pool = open_pool(conninfo, 1);
    struct arena arena;
    struct pg_params params;
    arena_init(&arena);
    pg_params_init(&params, &arena);
    assert_int_equal(ask(pool, &who_am_i, &params, see_name), PG_OK);
    assert_string_equal(seen_name, name);
    arena_release(&arena);
    pg_pool_free(pool);
}

static void test_connection_strings(void **state)
{
    char folder[128];
    char redis[160];
    char uri[400];
    char named[600];
    (void)state;
    scratch_sockets(stack, folder, redis);
    snprintf(uri, sizeof uri, "postgresql://moolah_server@/%s?host=%s&client_encoding=LATIN1",
             scratch->name, folder);
    expect_name(uri, "store test");
    expect_name(scratch->server, "store test");
    snprintf(named, sizeof named, "%s application_name='it\\'s mine' client_encoding=LATIN1",
             scratch->server);
    expect_name(named, "it's mine");
}

/* ---- the pool */

static void test_outcomes(void **state)
{
    struct pg_pool *pool = open_pool(scratch->server, 2);
    struct asked two = {0};
    struct asked zero = {0};
    struct asked late = {0};
    (void)state;
    assert_true(ask_number(pool, &add_one, 1, &two));
    assert_true(ask_number(pool, &divide, 0, &zero));
    assert_true(ask_number(pool, &add_one, 41, &late));
    assert_true(scratch_await_flag(loop, &two.answered));
    assert_true(scratch_await_flag(loop, &zero.answered));
    assert_true(scratch_await_flag(loop, &late.answered));
    assert_int_equal(two.outcome, PG_OK);
    assert_int_equal(two.number, 2);
    assert_int_equal(zero.outcome, PG_REFUSED);
    assert_int_equal(late.outcome, PG_OK);
    assert_int_equal(late.number, 42);
    pg_pool_free(pool);
}

/* A constraint that is looked at when the question's transaction commits: rows came already. */
static void test_a_commit_that_fails(void **state)
{
    struct pg_pool *pool = open_pool(scratch->server, 1);
    struct asked later = {0};
    struct arena arena;
    struct pg_params params;
    const struct uuid id = {{0x77}};
    (void)state;
    scratch_run(scratch, "create or replace function late_no() returns trigger language plpgsql as "
                         "$$ begin raise exception 'late' using errcode = '23503'; end $$; "
                         "create constraint trigger late_no after insert on users deferrable "
                         "initially deferred for each row when (new.phone = '+late') "
                         "execute function late_no()");
    arena_init(&arena);
    pg_params_init(&params, &arena);
    pg_params_uuid(&params, &id);
    pg_params_text(&params, SLICE("+late"));
    struct asked asked = {0};
    assert_true(pg_pool_ask(pool, &insert_user, &params, on_answer, &asked));
    assert_true(ask_number(pool, &add_one, 1, &later));
    assert_true(scratch_await_flag(loop, &later.answered));
    assert_int_equal(asked.answers, 1);
    assert_int_equal(asked.outcome, PG_REFUSED);
    assert_int_equal(later.outcome, PG_OK);
    assert_int_equal(scratch_number(scratch, "select count(*) from users where phone = '+late'"),
                     0);
    arena_release(&arena);
    pg_pool_free(pool);
}

/* Reads of a turn share a transaction, which a write ends: it has its own. */
static void test_reads_share(void **state)
{
    enum { COUNT = 7, WRITE = 3 };
    struct pg_pool *pool = open_pool(scratch->server, 1);
    (void)state;
    for (int round = 0; round < 3; round++) {
        struct asked asked[COUNT] = {{0}};
        for (int i = 0; i < COUNT; i++)
            assert_true(ask_number_by(i == WRITE ? pg_pool_ask : pg_pool_read, pool, &began_at, 0,
                                      &asked[i]));
        for (int i = 0; i < COUNT; i++) {
            assert_true(scratch_await_flag(loop, &asked[i].answered));
            assert_int_equal(asked[i].answers, 1);
            assert_int_equal(asked[i].outcome, PG_OK);
            bool own = i == WRITE || i == WRITE + 1;
            assert_true(i == 0 || (asked[i].number > asked[i - 1].number) == own);
        }
    }
    pg_pool_free(pool);
}

/* One that fails although it shouldn't: those before it and those of the next turn aren't touched.
 */
static void test_a_read_that_fails(void **state)
{
    static const enum pg_outcome expected[] = {PG_OK, PG_REFUSED, PG_UNAVAILABLE, PG_UNAVAILABLE};
    struct pg_pool *pool = open_pool(scratch->server, 1);
    (void)state;
    for (int round = 0; round < 3; round++) {
        struct asked asked[5] = {{0}};
        for (int i = 0; i < 4; i++)
            assert_true(ask_number_by(pg_pool_read, pool, &divide, i == 1 ? 0 : 1, &asked[i]));
        assert_true(ask_number(pool, &add_one, 6, &asked[4]));
        for (int i = 0; i < 5; i++) {
            assert_true(scratch_await_flag(loop, &asked[i].answered));
            assert_int_equal(asked[i].answers, 1);
            assert_int_equal(asked[i].outcome, i == 4 ? PG_OK : expected[i]);
        }
        assert_int_equal(asked[4].number, 7);
    }
    pg_pool_free(pool);
}

static void test_the_queue_is_bounded(void **state)
{
    struct pg_pool *pool = open_pool(scratch->server, 1);
    struct asked asked[10] = {{0}};
    int taken = 0;
    (void)state;
    while (taken < 10 && ask_number(pool, &add_one, taken, &asked[taken]))
        taken++;
    assert_int_equal(taken, 8); /* pipeline_max */
    for (int i = 0; i < taken; i++) {
        assert_true(scratch_await_flag(loop, &asked[i].answered));
        assert_int_equal(asked[i].number, i + 1);
    }
    assert_true(ask_number(pool, &add_one, 1, &asked[8]));
    pg_pool_free(pool); /* tells whoever still waits */
    assert_int_equal(asked[8].answers, 1);
    assert_int_equal(asked[8].outcome, PG_UNAVAILABLE);
}

static struct link *open_link(char conninfo[500])
{
    char folder[128];
    char redis[160];
    char target[200];
    char path[200];
    scratch_sockets(stack, folder, redis);
    snprintf(target, sizeof target, "%s/.s.PGSQL.5432", folder);
    snprintf(path, sizeof path, "%s/.s.PGSQL.6000", folder);
    snprintf(conninfo, 500, "%s port=6000", scratch->server);
    return link_new(path, target, LINK_POSTGRES);
}

/* Whichever answer is lost, torn or held back: each question is answered once, and rightly. */
static void break_each_answer(struct link *link, struct pg_pool *pool, enum link_fault fault,
                              ask_pool *by)
{
    bool struck = true;
    for (long n = 0; struck; n++) {
        struct asked asked[3] = {{0}};
        link_arm(link, LINK_SERVER, n, fault);
        for (int i = 0; i < 3; i++)
            assert_true(ask_number_by(by, pool, &add_one, i, &asked[i]));
        for (int i = 0; i < 3; i++) {
            assert_true(scratch_await_flag(loop, &asked[i].answered));
            assert_int_equal(asked[i].answers, 1);
            assert_true(asked[i].outcome == PG_OK || asked[i].outcome == PG_UNAVAILABLE);
            assert_true(asked[i].outcome != PG_OK || asked[i].number == i + 1);
        }
        struck = link_struck(link);
        link_disarm(link);
        assert_true(struck || asked[2].outcome == PG_OK);
        assert_true(scratch_await(loop, is_ready, pool));
    }
}

static void test_every_answer_may_be_the_last(void **state)
{
    char conninfo[500];
    struct link *link = open_link(conninfo);
    struct pg_pool *pool = open_pool(conninfo, 1);
    (void)state;
    break_each_answer(link, pool, LINK_HANG_UP, pg_pool_ask);
    break_each_answer(link, pool, LINK_TEAR, pg_pool_ask);
    break_each_answer(link, pool, LINK_HANG_UP, pg_pool_read);
    break_each_answer(link, pool, LINK_TEAR, pg_pool_read);
    pg_pool_free(pool);
    link_free(link);
}

/* No byte comes any more: the connection is given up, and made anew. */
static void test_silence_is_a_loss(void **state)
{
    char conninfo[500];
    struct link *link = open_link(conninfo);
    struct pg_pool *pool = open_pool(conninfo, 1);
    struct asked asked = {0};
    (void)state;
    link_arm(link, LINK_SERVER, 1, LINK_STALL);
    assert_true(ask_number(pool, &add_one, 1, &asked));
    assert_true(scratch_await_flag(loop, &asked.answered));
    assert_int_equal(asked.outcome, PG_UNAVAILABLE);
    assert_false(pg_pool_is_ready(pool));
    assert_true(scratch_await(loop, is_ready, pool));
    pg_pool_free(pool);
    link_free(link);
}

/* The same while connecting and preparing, message by message. */
static void test_connecting_may_fail_anywhere(void **state)
{
    char conninfo[500];
    struct link *link = open_link(conninfo);
    (void)state;
    for (long n = 0; n < 110; n += 7) {
        link_arm(link, LINK_SERVER, n, n % 2 == 0 ? LINK_HANG_UP : LINK_TEAR);
        struct pg_pool *pool = open_pool(conninfo, 1);
        pg_pool_free(pool);
    }
    link_free(link);
}

static void test_a_terminated_backend_is_replaced(void **state)
{
    struct pg_pool *pool = open_pool(scratch->server, 1);
    struct asked asked = {0};
    (void)state;
    scratch_run(scratch, "select pg_terminate_backend(pid) from pg_stat_activity "
                         "where application_name = 'store test'");
    while (pg_pool_is_ready(pool))
        ev_run(loop, EVRUN_ONCE);
    assert_false(ask_number(pool, &add_one, 1, &asked));
    assert_true(scratch_await(loop, is_ready, pool));
    assert_true(ask_number(pool, &add_one, 1, &asked));
    assert_true(scratch_await_flag(loop, &asked.answered));
    assert_int_equal(asked.outcome, PG_OK);
    pg_pool_free(pool);
}

static void test_out_of_memory(void **state)
{
    struct pg_pool *pool = NULL;
    const struct pg_pool_settings settings = {
        .connection = {.conninfo = scratch->server, .application_name = "x"},
        .connections = 3,
        .queue_max = 8,
        .pipeline_max = 8};
    (void)state;
    for (long n = 0; pool == NULL; n++) {
        assert_true(n < 50);
        memory_fail_after(n);
        pool = pg_pool_new(loop, &settings);
        memory_fail_never();
    }
    pg_pool_free(pool);
}

static int set_up(void **state)
{
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    stack = stack_start(NULL);
    scratch = scratch_new(stack, true);
    loop = ev_loop_new(0);
    return loop == NULL ? -1 : 0;
}

static int tear_down(void **state)
{
    (void)state;
    ev_loop_destroy(loop);
    scratch_free(scratch);
    stack_stop(stack);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values_there_and_back),
        cmocka_unit_test(test_arrays_there_and_back),
        cmocka_unit_test(test_keys_are_ordered_as_the_database_does),
        cmocka_unit_test(test_connection_strings),
        cmocka_unit_test(test_outcomes),
        cmocka_unit_test(test_a_commit_that_fails),
        cmocka_unit_test(test_reads_share),
        cmocka_unit_test(test_a_read_that_fails),
        cmocka_unit_test(test_the_queue_is_bounded),
        cmocka_unit_test(test_every_answer_may_be_the_last),
        cmocka_unit_test(test_silence_is_a_loss),
        cmocka_unit_test(test_connecting_may_fail_anywhere),
        cmocka_unit_test(test_a_terminated_backend_is_replaced),
        cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
