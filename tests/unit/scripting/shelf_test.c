#include "scripting/shelf.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "base/memory.h"
#include "scripting/bundle.h"
#include "tests/unit/base/chance.h"
#include "tests/unit/scripting/folder.h"

enum { BUNDLES = 4 };

static struct shelf *shelf;
static struct bundle *bundles[BUNDLES];
static struct bundle_report report;

static int begin(void **state)
{
    (void)state;
    struct folder folder;

    folder_make(&folder);
    for (int i = 0; i < BUNDLES; i++) {
        char text[400];

        snprintf(text, sizeof text,
                 "%*s return fee { id = 'x', version = %d, owner = 'x', rounding = 'up', applies = "
                 "{ kind = 'transfer', currency = 'ZAR' }, slabs = { { rate = pct '1' } } }",
                 i * 50, "", i + 1);
        folder_put(&folder, "a.fee.lua", text);
        bundles[i] = bundle_load(folder.path, &report);
    }
    folder_remove(&folder);
    shelf = shelf_new();
    return shelf == NULL || bundles[BUNDLES - 1] == NULL;
}

static int end(void **state)
{
    (void)state;
    for (int i = 0; i < BUNDLES; i++)
        bundle_release(bundles[i]);
    shelf_free(shelf);
    return 0;
}

static bool same(const struct bundle *a, const struct bundle *b)
{
    return memcmp(bundle_hash(a), bundle_hash(b), 32) == 0;
}

static void expect(const struct bundle *bundle, uint64_t number)
{
    uint64_t its_number = 99;
    struct bundle *taken = shelf_take(shelf, &its_number, &report);

    assert_int_equal(its_number, number);
    assert_int_equal(shelf_number(shelf), number);
    assert_int_equal(taken == NULL, bundle == NULL);
    assert_int_equal(report.count, 0);
    if (bundle != NULL)
        assert_true(same(taken, bundle));
    bundle_release(taken);
}

static void test_what_was_put_down_last(void **state)
{
    (void)state;
    expect(NULL, 0);
    assert_int_equal(shelf_put(shelf, bundles[0]), 1);
    expect(bundles[0], 1);
    assert_int_equal(shelf_put(shelf, bundles[0]), 1); /* it lies there */
    assert_int_equal(shelf_put(shelf, bundles[1]), 2);
    expect(bundles[1], 2);
    assert_int_equal(shelf_put(shelf, bundles[0]), 3);
    expect(bundles[0], 3);
    shelf_free(NULL);
}

static void in_child(void (*act)(void))
{
    int status;
    pid_t child = fork();

    if (child == 0) {
        act();
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void put_second(void)
{
    shelf_put(shelf, bundles[1]);
}

static void test_another_process_sees_it(void **state)
{
    (void)state;
    shelf_put(shelf, bundles[0]);
    in_child(put_second);
    expect(bundles[1], 2);
}

/* Puts and takes for ever; each number is one bundle for good. */
static void handle(struct chance chance)
{
    for (;;) {
        uint64_t number;

        shelf_put(shelf, bundles[chance_below(&chance, BUNDLES)]);

        struct bundle *taken = shelf_take(shelf, &number, &report);
        bool known = false;

        for (int i = 0; taken != NULL && i < BUNDLES; i++)
            known = known || same(taken, bundles[i]);
        if (!known)
            _exit(1); /* half of one, or of two */
        bundle_release(taken);
    }
}

/* Workers that are killed wherever they are, with the lock or without: the others go on. */
static void test_killed_anywhere(void **state)
{
    (void)state;
    enum { WORKERS = 3, ROUNDS = 60 };
    pid_t workers[WORKERS] = {0};
    struct chance chance = {77};
    uint64_t before = 0;

    for (int round = 0; round < ROUNDS; round++) {
        pid_t *worker = &workers[round % WORKERS];

        if (*worker != 0) {
            int status;

            while (shelf_number(shelf) < before + 3) /* they have done something since */
                usleep(50);
            kill(*worker, SIGKILL);
            assert_int_equal(waitpid(*worker, &status, 0), *worker);
            assert_true(WIFSIGNALED(status)); /* no exit: it never saw half a bundle */
        }
        before = shelf_number(shelf);
        chance_bits(&chance);
        *worker = fork();
        if (*worker == 0)
            handle(chance);
    }
    for (int i = 0; i < WORKERS; i++) {
        kill(workers[i], SIGKILL);
        assert_int_equal(waitpid(workers[i], NULL, 0), workers[i]);
    }

    uint64_t number = shelf_put(shelf, bundles[2]);

    expect(bundles[2], number);
}

static void test_every_failing_allocation(void **state)
{
    (void)state;
    bool failed = true;

    shelf_put(shelf, bundles[0]);
    for (long n = 0; failed; n++) {
        uint64_t number;

        memory_fail_after(n);

        struct bundle *taken = shelf_take(shelf, &number, &report);

        failed = memory_failed();
        memory_fail_never();
        assert_int_equal(number, 1);
        assert_true(taken != NULL || failed);
        assert_int_equal(taken == NULL, report.count > 0);
        bundle_release(taken);
        assert_true(n < 5000);
    }
    expect(bundles[0], 1); /* no lock was left behind */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_was_put_down_last, begin, end),
        cmocka_unit_test_setup_teardown(test_another_process_sees_it, begin, end),
        cmocka_unit_test_setup_teardown(test_killed_anywhere, begin, end),
        cmocka_unit_test_setup_teardown(test_every_failing_allocation, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
