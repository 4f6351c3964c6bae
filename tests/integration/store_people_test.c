/* Users, wallets and upkeep against a real PostgreSQL.
 *
 * Covers: server/store/users.c server/store/wallets.c server/store/upkeep.c */
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
#include "ledger/account.h"
#include "store/pg_pool.h"
#include "store/upkeep.h"
#include "store/users.h"
#include "store/wallets.h"
#include "support/scratch.h"
#include "support/stack.h"

#define SOME_TIME INT64_C(1764547200123456)

static struct stack *stack;
static struct scratch *scratch;
static struct ev_loop *loop;
static const struct pg_statement *statements[64];

static void gather_statements(void)
{
    const struct pg_statement *const *const lists[] = {users_statements, wallets_statements,
                                                       upkeep_statements};
    size_t count = 0;
    for (size_t l = 0; l < sizeof lists / sizeof lists[0]; l++)
        for (size_t i = 0; lists[l][i] != NULL; i++)
            statements[count++] = lists[l][i];
    assert_true(count < sizeof statements / sizeof statements[0]);
}

static bool is_ready(void *what)
{
    return pg_pool_is_ready(what);
}

static struct pg_pool *open_pool(int connections)
{
    const struct pg_pool_settings settings = {
        .connection = {.conninfo = scratch->server,
                       .application_name = "store test",
                       .statements = statements,
                       .connect_timeout_us = INT64_C(5) * CLOCK_SECOND},
        .connections = connections,
        .queue_max = 20,
        .pipeline_max = 8,
    };
    struct pg_pool *pool = pg_pool_new(loop, &settings);
    assert_non_null(pool);
    assert_true(scratch_await(loop, is_ready, pool));
    return pool;
}

struct waiting {
    struct users_question users;
    bool done;
};

static void users_done(struct users_question *question)
{
    ((struct waiting *)(void *)question)->done = true;
}

static void wait_for(struct waiting *waiting, bool asked)
{
    assert_true(asked);
    assert_false(waiting->done);
    assert_true(scratch_await_flag(loop, &waiting->done));
    waiting->done = false;
}

static struct users_new new_user(uint8_t number, const char *phone, const char *key)
{
    static const uint8_t hash[32] = {7};
    return (struct users_new){.id = {{0x51, number}},
                              .wallet = {{0x52, number}},
                              .phone = slice_of(phone),
                              .name = SLICE("Thandi"),
                              .password_hash = "$argon2id$x",
                              .currency = CURRENCY_ZAR,
                              .zone = 3,
                              .now = SOME_TIME,
                              .key = slice_of(key),
                              .request_hash = hash,
                              .answer_status = 201,
                              .answer_body = SLICE("{\"id\":\"usr_x\"}")};
}

static void test_users(void **state)
{
    struct pg_pool *pool = open_pool(2);
    struct arena arena;
    struct waiting w = {.users = {.arena = &arena, .done = users_done}};
    struct users_question *q = &w.users;
    const struct users_new first = new_user(1, "+27821", "user-key");
    const struct users_new same_phone = new_user(2, "+27821", NULL);
    const struct users_new same_key = new_user(3, "+27823", "user-key");
    const uint8_t other_hash[32] = {8};
    (void)state;
    arena_init(&arena);
    wait_for(&w, users_find_answer(pool, NULL, first.key, first.request_hash, q));
    assert_false(q->found);
    wait_for(&w, users_create(pool, &first, q));
    assert_int_equal(q->outcome, PG_OK);
    assert_true(q->found);
    wait_for(&w, users_create(pool, &same_phone, q));
    assert_int_equal(q->outcome, PG_CONFLICT);
    wait_for(&w, users_create(pool, &same_key, q));
    assert_int_equal(q->outcome, PG_CONFLICT);
    assert_int_equal(scratch_number(scratch,
                                    "select count(*) from accounts where id in "
                                    "(select wallet from users where phone like '+2782%%')"),
                     1); /* all or nothing */
    wait_for(&w, users_find_answer(pool, NULL, first.key, first.request_hash, q));
    assert_true(q->found && q->replayed && !q->key_reused && q->answer_status == 201);
    assert_true(slice_equal(q->answer_body, first.answer_body));
    wait_for(&w, users_find_answer(pool, NULL, first.key, other_hash, q));
    assert_true(q->found && !q->replayed && q->key_reused);
    wait_for(&w, users_find_by_phone(pool, first.phone, q));
    assert_true(q->found && uuid_equal(&q->user.id, &first.id));
    assert_true(uuid_equal(&q->user.wallet, &first.wallet) && q->user.created_at == SOME_TIME);
    wait_for(&w, users_find_by_phone(pool, SLICE("+27 82 nobody"), q));
    assert_true(q->outcome == PG_OK && !q->found);
    wait_for(&w, users_find_sign_in(pool, first.phone, q));
    assert_true(q->found && !q->has_totp_secret && q->totp_last_step == -1);
    assert_string_equal(q->password, "$argon2id$x");
    wait_for(&w, users_set_name(pool, &first.id, SLICE("Sipho"), q));
    assert_true(q->found && slice_equals(q->user.name, "Sipho"));
    arena_release(&arena);
    pg_pool_free(pool);
}

static struct users_new_sign_in new_sign_in(uint8_t number, int64_t step)
{
    struct users_new_sign_in fresh = {.id = {{0x53, number}},
                                      .user = {{0x51, 1}},
                                      .token_hash = {number},
                                      .device = SLICE("curl"),
                                      .ip = SLICE("127.0.0.1"),
                                      .now = clock_now(),
                                      .expires_at = clock_now() + INT64_C(3600) * CLOCK_SECOND,
                                      .totp_step = step};
    return fresh;
}

static void test_sign_ins_and_second_factors(void **state)
{
    struct pg_pool *pool = open_pool(1);
    struct arena arena;
    struct waiting w = {.users = {.arena = &arena, .done = users_done}};
    struct users_question *q = &w.users;
    const struct uuid user = {{0x51, 1}};
    const struct uuid stranger = {{0x51, 9}};
    const uint8_t hash[32] = {7};
    const uint8_t secret[CRYPTO_TOTP_SECRET_SIZE] = "12345678901234567890";
    struct users_new_sign_in sign_ins[] = {new_sign_in(1, -1), new_sign_in(2, 100),
                                           new_sign_in(3, 100), new_sign_in(4, 101)};
    (void)state;
    arena_init(&arena);
    const struct users_answer none = {{NULL, 0}, hash, 0, {NULL, 0}};
    const struct users_answer enabled = {SLICE("totp-key"), hash, 200, SLICE("{}")};
    wait_for(&w, users_enable_totp(pool, &user, 99, &none, q));
    assert_false(q->found); /* there is no secret yet */
    wait_for(&w, users_set_totp(pool, &user, secret, q));
    assert_true(q->found && !q->user.totp_enabled);
    wait_for(&w, users_enable_totp(pool, &user, 99, &enabled, q));
    assert_true(q->found && q->user.totp_enabled);
    wait_for(&w, users_find_answer(pool, &user, enabled.key, hash, q));
    assert_true(q->replayed && q->answer_status == 200);
    wait_for(&w, users_find_answer(pool, NULL, enabled.key, hash, q));
    assert_false(q->found); /* another caller's key */
    wait_for(&w, users_set_totp(pool, &user, secret, q));
    assert_false(q->found); /* not over an enabled one */
    wait_for(&w, users_find_secrets(pool, &user, q));
    assert_true(q->has_totp_secret && q->totp_last_step == 99);
    assert_memory_equal(q->totp_secret, secret, sizeof secret);
    for (int i = 0; i < 4; i++) {
        wait_for(&w, users_add_sign_in(pool, &sign_ins[i], q));
        assert_int_equal(q->found, i != 2); /* a code counts once */
    }
    wait_for(&w, users_list_sign_ins(pool, &user, NULL, 100, q));
    assert_int_equal(q->sign_in_count, 3);
    assert_true(uuid_equal(&q->sign_ins[0].id, &sign_ins[3].id)); /* newest first */
    wait_for(&w, users_revoke_sign_in(pool, &stranger, &sign_ins[0].id, q));
    assert_false(q->found); /* not another's */
    wait_for(&w, users_revoke_sign_in(pool, &user, &sign_ins[0].id, q));
    assert_true(q->found && q->token_hash_count == 1);
    assert_memory_equal(q->token_hashes[0], sign_ins[0].token_hash, 32);
    const struct users_new_password password = {
        user, sign_ins[3].id, "$argon2id$y", {{NULL, 0}, hash, 0, {NULL, 0}}};
    wait_for(&w, users_set_password(pool, &password, q));
    assert_int_equal(q->token_hash_count, 1); /* the other one that was still open */
    assert_memory_equal(q->token_hashes[0], sign_ins[1].token_hash, 32);
    wait_for(&w, users_list_sign_ins(pool, &user, NULL, 100, q));
    assert_int_equal(q->sign_in_count, 1);
    arena_release(&arena);
    pg_pool_free(pool);
}

struct wallets_waiting {
    struct wallets_question wallets;
    bool done;
};

static void wallets_done(struct wallets_question *question)
{
    ((struct wallets_waiting *)(void *)question)->done = true;
}

static void wait_for_wallets(struct wallets_waiting *waiting, bool asked)
{
    assert_true(asked);
    assert_true(scratch_await_flag(loop, &waiting->done));
    waiting->done = false;
}

static void test_wallets(void **state)
{
    struct pg_pool *pool = open_pool(1);
    struct arena arena;
    struct wallets_waiting w = {.wallets = {.arena = &arena, .done = wallets_done}};
    struct wallets_question *q = &w.wallets;
    const struct uuid user = {{0x51, 1}};
    const struct uuid stranger = {{0x51, 9}};
    struct wallet fresh = {.owner = user,
                           .label = SLICE("Savings"),
                           .currency = CURRENCY_ZAR,
                           .zone = 7,
                           .created_at = SOME_TIME};
    const uint8_t hash[32] = {7};
    const struct wallets_new request = {.wallet = &fresh, .request_hash = hash};
    (void)state;
    arena_init(&arena);
    for (int i = 0; i < 20; i++) {
        fresh.id = (struct uuid){{0x60, (uint8_t)i}};
        wait_for_wallets(&w, wallets_create(pool, &request, q));
        assert_int_equal(q->outcome, PG_OK);
        assert_int_equal(q->wallet_count, i < 19); /* with the first one 20 at most */
    }
    wait_for_wallets(&w, wallets_list(pool, &user, NULL, 100, q));
    assert_int_equal(q->wallet_count, 20);
    assert_true(slice_equals(q->wallets[0].label, "Savings")); /* newest first */
    assert_true(slice_equals(q->wallets[19].label, "Main"));
    assert_int_equal(q->wallets[0].zone, 7);
    assert_int_equal(q->wallets[19].zone, 3);
    wait_for_wallets(&w, wallets_find(pool, &fresh.id, &user, q));
    assert_int_equal(q->wallet_count, 0); /* the one that found no room */
    fresh.id = (struct uuid){{0x60, 3}};
    wait_for_wallets(&w, wallets_find(pool, &fresh.id, &stranger, q));
    assert_int_equal(q->wallet_count, 0);
    wait_for_wallets(&w, wallets_find(pool, &fresh.id, &user, q));
    assert_int_equal(q->wallet_count, 1);
    assert_int_equal(q->wallets[0].status, ACCOUNT_ACTIVE);
    const struct wallets_filter all = {.wallet = fresh.id,
                                       .limit = 10,
                                       .before_version = INT64_MAX,
                                       .from = INT64_MIN,
                                       .to = INT64_MAX,
                                       .max_amount = INT64_MAX};
    wait_for_wallets(&w, wallets_statement(pool, &all, &user, q));
    assert_true(q->outcome == PG_OK && q->wallet_count == 1 && q->transaction_count == 0);
    wait_for_wallets(&w, wallets_statement(pool, &all, &stranger, q));
    assert_true(q->outcome == PG_OK && q->wallet_count == 0 && q->transaction_count == 0);
    fresh.owner = stranger; /* no user */
    fresh.id = (struct uuid){{0x61}};
    wait_for_wallets(&w, wallets_create(pool, &request, q));
    assert_int_equal(q->outcome, PG_REFUSED);
    arena_release(&arena);
    pg_pool_free(pool);
}

/* A filter looks at so many lines for a page and says how far it came: what fits nothing ends soon,
 * and what lies far back is found by going on. */
static void test_a_filter_says_how_far_it_looked(void **state)
{
    struct pg_pool *pool = open_pool(1);
    struct arena arena;
    struct wallets_waiting w = {.wallets = {.arena = &arena, .done = wallets_done}};
    struct wallets_question *q = &w.wallets;
    const struct uuid user = {{0x51, 1}};
    struct wallets_filter filter = {.wallet = {{0x60, 4}},
                                    .limit = 10,
                                    .before_version = INT64_MAX,
                                    .from = INT64_MIN,
                                    .to = INT64_MAX,
                                    .max_amount = INT64_MAX,
                                    .reference = SLICE("long ago")};
    int pages = 0;
    size_t found = 0;
    (void)state;
    arena_init(&arena);
    scratch_run(scratch,
                "with ids as (select i, overlay(uuid_floor(now())::text placing "
                "lpad(to_hex(i), 12, '0') from 25)::uuid id from generate_series(1, 2500) i), "
                "w as (select '60040000-0000-0000-0000-000000000000'::uuid id), "
                "t as (insert into transactions (id, kind, currency, amount, fee, from_account, "
                "to_account, from_version, to_version, caller, reference, trace_id, created_at) "
                "select ids.id, 1, 1, 1, 0, w.id, w.id, i, i, w.id, "
                "case when i = 7 then 'long ago' end, '', now() from ids, w), "
                "a as (update accounts set version = 2500, posted = 2500 from w "
                "where accounts.id = w.id) "
                "insert into postings select w.id, i, ids.id, 1, i, 0 from ids, w");
    do {
        wait_for_wallets(&w, wallets_statement(pool, &filter, &user, q));
        assert_true(q->outcome == PG_OK && q->wallet_count == 1);
        found += q->transaction_count;
        pages++;
        assert_true(q->scanned_to < filter.before_version);
        filter.before_version = q->scanned_to;
    } while (q->scanned_to > 0);
    assert_int_equal(found, 1);
    assert_int_equal(pages, 3);
    filter.reference = (struct slice){NULL, 0};
    filter.before_version = 11;
    wait_for_wallets(&w, wallets_statement(pool, &filter, &user, q));
    assert_true(q->transaction_count == 10 && q->scanned_to == 0);
    arena_release(&arena);
    pg_pool_free(pool);
}

/* ---- upkeep */

static bool has_partitions(void *what)
{
    (void)what;
    return scratch_number(scratch, "select count(*) from pg_inherits where inhparent = "
                                   "'postings'::regclass") == 3;
}

/* Months are made while others read and write: neither waits for the other. */
static void test_partitions_wait_for_nobody(void **state)
{
    struct pg_pool *pool = open_pool(1);
    (void)state;
    scratch_run(scratch, "do $$ declare t text; begin for t in select inhrelid::regclass from "
                         "pg_inherits where inhparent in ('postings'::regclass, "
                         "'transactions'::regclass) loop execute 'drop table ' || t; end loop; "
                         "end $$");
    scratch_run(scratch, "begin; select count(*) from postings; select count(*) from transactions; "
                         "lock table postings, transactions in row exclusive mode");
    assert_true(upkeep_make_partitions(pool));
    assert_true(scratch_await(loop, has_partitions, NULL));
    scratch_run(scratch, "commit");
    assert_int_equal(scratch_number(scratch, "select make_partitions(now(), 2)"), 0);
    assert_int_equal(scratch_number(scratch, "select make_partitions(now() + interval '1 month', "
                                             "2)"),
                     2);
    pg_pool_free(pool);
}

static bool are_noted(void *what)
{
    return scratch_number(scratch, "select count(*) from rule_loads where findings = '%s'",
                          (const char *)what) == 1;
}

static void test_rule_loads_are_swept(void **state)
{
    struct pg_pool *pool = open_pool(1);
    const uint8_t hash[32] = {5};
    bool failed = false;
    struct upkeep_rule_load load = {.server = "127.0.0.1:1",
                                    .slot = 1,
                                    .accepted = true,
                                    .hash = hash,
                                    .files = SLICE("{}"),
                                    .failed = &failed};
    char text[16];
    (void)state;
    for (int i = 0; i < 110; i++) {
        snprintf(text, sizeof text, "finding %d", i);
        load.findings = slice_of(text);
        assert_true(upkeep_note_rules(pool, &load));
        assert_true(scratch_await(loop, are_noted, text));
        assert_false(failed);
    }
    assert_in_range(scratch_number(scratch, "select count(*) from rule_loads"), 100, 101);
    assert_int_equal(scratch_number(scratch, "select count(*) from rule_bundles"), 1);
    pg_pool_free(pool);
}

static int set_up(void **state)
{
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    gather_statements();
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
        cmocka_unit_test(test_users),
        cmocka_unit_test(test_sign_ins_and_second_factors),
        cmocka_unit_test(test_wallets),
        cmocka_unit_test(test_a_filter_says_how_far_it_looked),
        cmocka_unit_test(test_partitions_wait_for_nobody),
        cmocka_unit_test(test_rule_loads_are_swept),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
