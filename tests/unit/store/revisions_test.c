#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/revisions.h"

/* `word`: which word of the table it has. */
static struct uuid wallet(uint8_t word)
{
    return (struct uuid){{1, [15] = word}};
}

static struct revisions_change change_of(uint8_t word)
{
    return (struct revisions_change){.wallet = wallet(word)};
}

static bool is_good(uint8_t word, uint64_t revision)
{
    struct uuid id = wallet(word);
    uint64_t now;
    return revisions_read(&id, &now) && now == revision;
}

static int start(void **state)
{
    (void)state;
    return revisions_start() ? 0 : -1;
}

static int stop(void **state)
{
    (void)state;
    revisions_stop();
    return 0;
}

static void test_a_change_voids_what_was_read_before(void **state)
{
    struct revisions_change change = change_of(7);
    struct uuid id = wallet(7);
    uint64_t before;
    (void)state;
    revisions_want(&id);
    assert_true(revisions_read(&id, &before));
    assert_true(is_good(7, before));
    revisions_begin(&change, 1);
    assert_false(is_good(7, before)); /* in doubt: the commit may be there already */
    assert_true(is_good(8, 0));
    revisions_end(&change, 1);
    assert_false(is_good(7, before));
    assert_int_not_equal(change.revision, 0);
    assert_true(is_good(7, change.revision));
}

/* Two workers: the second has the row after the first one's commit, and hears of its own first. */
static void test_the_newest_is_told_apart(void **state)
{
    struct uuid id = wallet(1);
    (void)state;
    for (int order = 0; order < 2; order++) {
        struct revisions_change older = change_of(1);
        struct revisions_change newer = change_of(1);
        revisions_want(&id);
        revisions_begin(&older, 1);
        revisions_begin(&newer, 1);
        struct revisions_change *first = order == 0 ? &older : &newer;
        struct revisions_change *last = order == 0 ? &newer : &older;
        revisions_end(first, 1);
        assert_true(first->revision == REVISIONS_NEVER); /* the other one is in doubt */
        revisions_end(last, 1);
        if (order == 0)
            assert_true(is_good(1, newer.revision));
        else
            assert_true(older.revision == REVISIONS_NEVER); /* what it has isn't the newest */
    }
}

/* Three, of which the last began after the first had ended. */
static void test_one_that_began_later(void **state)
{
    struct uuid id = wallet(2);
    struct revisions_change changes[3] = {change_of(2), change_of(2), change_of(2)};
    (void)state;
    revisions_want(&id);
    revisions_begin(&changes[0], 1);
    revisions_begin(&changes[1], 1);
    revisions_end(&changes[0], 1);
    revisions_begin(&changes[2], 1);
    revisions_end(&changes[2], 1);
    assert_true(changes[2].revision == REVISIONS_NEVER);
    revisions_end(&changes[1], 1);
    assert_true(changes[1].revision == REVISIONS_NEVER);
    revisions_want(&id);
    revisions_begin(&changes[0], 1);
    revisions_begin(&changes[1], 1);
    revisions_end(&changes[0], 1);
    revisions_begin(&changes[2], 1);
    revisions_end(&changes[1], 1);
    revisions_end(&changes[2], 1);
    assert_true(is_good(2, changes[2].revision));
}

static void test_wallets_that_share_a_word(void **state)
{
    struct revisions_change changes[2] = {change_of(3), change_of(3)};
    struct uuid id = wallet(3);
    (void)state;
    changes[1].wallet.bytes[0] = 9;
    revisions_want(&id);
    revisions_begin(changes, 2);
    revisions_end(changes, 2);
    assert_true(changes[0].revision == REVISIONS_NEVER);
    assert_true(is_good(3, changes[1].revision));
}

static void test_what_nobody_reads(void **state)
{
    struct revisions_change change = change_of(4);
    struct uuid id = wallet(4);
    int offers = 0;
    int forgets = 0;
    (void)state;
    revisions_begin(&change, 1);
    revisions_end(&change, 1);
    assert_int_equal(change.revision, 0);
    assert_false(change.forget);
    revisions_want(&id);
    for (int i = 0; i < 20; i++) {
        revisions_begin(&change, 1);
        revisions_end(&change, 1);
        offers += change.revision != 0;
        forgets += change.forget;
        assert_false(change.revision != 0 && change.forget);
    }
    assert_int_equal(offers, 7);
    assert_int_equal(forgets, 1);
}

static void test_a_worker_that_died(void **state)
{
    struct revisions_change lost = change_of(5);
    struct revisions_change change = change_of(5);
    struct uuid id = wallet(5);
    uint64_t revision;
    (void)state;
    revisions_want(&id);
    revisions_begin(&lost, 1); /* and never ends */
    for (int i = 0; i < 3; i++) {
        assert_false(revisions_read(&id, &revision));
        revisions_begin(&change, 1);
        revisions_end(&change, 1);
        assert_true(change.revision == REVISIONS_NEVER);
    }
}

/* More than can be counted: it stays in doubt for ever, and the revision isn't touched by it. */
static void test_too_many_at_once(void **state)
{
    static struct revisions_change changes[400];
    struct uuid id = wallet(6);
    uint64_t revision;
    (void)state;
    for (int i = 0; i < 400; i++)
        changes[i] = change_of(6);
    revisions_begin(changes, 400);
    revisions_end(changes, 400);
    assert_false(revisions_read(&id, &revision));
    assert_int_equal(revision, 400);
}

static void test_touched_and_new_generations(void **state)
{
    struct uuid id = wallet(10);
    struct revisions_change change = change_of(10);
    uint64_t before;
    uint64_t generation = revisions_generation();
    (void)state;
    assert_true(revisions_read(&id, &before));
    revisions_touch(&id);
    assert_false(is_good(10, before));
    revisions_want(&id);
    revisions_begin(&change, 1);
    revisions_new_generation();
    assert_int_not_equal(revisions_generation(), generation);
    revisions_end(&change, 1);
    assert_true(change.revision == REVISIONS_NEVER);
}

static void test_not_started(void **state)
{
    struct revisions_change change = change_of(1);
    struct uuid id = wallet(1);
    uint64_t revision;
    (void)state;
    revisions_stop();
    assert_int_equal(revisions_server(), 0);
    assert_false(revisions_read(&id, &revision));
    revisions_want(&id);
    revisions_touch(&id);
    revisions_new_generation();
    revisions_begin(&change, 1);
    revisions_end(&change, 1);
    assert_int_equal(change.revision, 0);
    assert_true(revisions_start());
    assert_int_not_equal(revisions_server(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_change_voids_what_was_read_before, start, stop),
        cmocka_unit_test_setup_teardown(test_the_newest_is_told_apart, start, stop),
        cmocka_unit_test_setup_teardown(test_one_that_began_later, start, stop),
        cmocka_unit_test_setup_teardown(test_wallets_that_share_a_word, start, stop),
        cmocka_unit_test_setup_teardown(test_what_nobody_reads, start, stop),
        cmocka_unit_test_setup_teardown(test_a_worker_that_died, start, stop),
        cmocka_unit_test_setup_teardown(test_too_many_at_once, start, stop),
        cmocka_unit_test_setup_teardown(test_touched_and_new_generations, start, stop),
        cmocka_unit_test_setup_teardown(test_not_started, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
