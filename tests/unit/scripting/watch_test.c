#include "scripting/watch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

#include <cmocka.h>

#include "tests/unit/scripting/folder.h"

static struct folder folder;
static struct watch watch;

static bool look(void)
{
    return watch_poll(&watch, folder.path);
}

/* Seen, settled, reported once, and then quiet. */
static void expect_a_change(void)
{
    assert_false(look());
    assert_false(watch_is_settled(&watch, folder.path));
    assert_true(look());
    assert_true(watch_is_settled(&watch, folder.path));
    assert_false(look());
    assert_false(look());
}

/* Time stamps come from the kernel's coarse clock: wait until it has moved on. */
static void next_tick(void)
{
    struct timespec before, now;

    clock_gettime(CLOCK_REALTIME_COARSE, &before);
    do {
        clock_gettime(CLOCK_REALTIME_COARSE, &now);
    } while (now.tv_sec == before.tv_sec && now.tv_nsec == before.tv_nsec);
}

static int begin(void **state)
{
    (void)state;
    folder_make(&folder);
    folder_put(&folder, "a.fee.lua", "one");
    folder_put(&folder, "b.fee.lua", "two");
    memset(&watch, 0, sizeof watch);
    return 0;
}

static int end(void **state)
{
    (void)state;
    folder_remove(&folder);
    return 0;
}

static void test_the_first_looks(void **state)
{
    (void)state;
    expect_a_change();
}

static void test_a_save_in_several_writes_counts_once(void **state)
{
    (void)state;
    expect_a_change();

    FILE *file = fopen(folder_file(&folder, "a.fee.lua"), "we");

    for (int i = 0; i < 5; i++) {
        assert_true(fputs("part", file) >= 0 && fflush(file) == 0);
        assert_false(look());
    }
    fclose(file);
    assert_true(look());
    assert_false(look());
}

static void test_an_edit_of_the_same_size(void **state)
{
    (void)state;
    expect_a_change();
    next_tick();
    folder_put(&folder, "a.fee.lua", "ONE");
    expect_a_change();
}

static void test_an_edit_whose_times_were_put_back(void **state)
{
    (void)state;
    struct stat status;
    const char *path = folder_file(&folder, "a.fee.lua");

    expect_a_change();
    assert_int_equal(stat(path, &status), 0);
    next_tick();
    folder_put(&folder, "a.fee.lua", "ONE");

    const struct timespec times[2] = {status.st_atim, status.st_mtim};

    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
    expect_a_change(); /* ctime can't be put back */
}

static void test_renamed_over(void **state)
{
    (void)state;
    char from[400];

    expect_a_change();
    folder_put(&folder, ".hidden", "ONE");
    assert_false(look());
    assert_false(look()); /* hidden files don't count */
    snprintf(from, sizeof from, "%s", folder_file(&folder, ".hidden"));
    assert_int_equal(rename(from, folder_file(&folder, "a.fee.lua")), 0);
    expect_a_change();
}

static void test_new_gone_and_renamed_files(void **state)
{
    (void)state;
    char from[400];

    expect_a_change();
    folder_put(&folder, "c.fee.lua", "");
    expect_a_change();
    assert_int_equal(unlink(folder_file(&folder, "c.fee.lua")), 0);
    expect_a_change();
    snprintf(from, sizeof from, "%s", folder_file(&folder, "a.fee.lua"));
    assert_int_equal(rename(from, folder_file(&folder, "d.fee.lua")), 0);
    expect_a_change();
}

static void test_a_change_while_it_is_read(void **state)
{
    (void)state;
    expect_a_change();
    folder_put(&folder, "c.fee.lua", "");
    assert_false(look());
    assert_true(look());
    next_tick();
    folder_put(&folder, "c.fee.lua", "x"); /* while the reader reads */
    assert_false(watch_is_settled(&watch, folder.path));
    expect_a_change();
}

static void test_the_folder_vanishes_and_comes_back(void **state)
{
    (void)state;
    char away[100];

    expect_a_change();
    snprintf(away, sizeof away, "%s-away", folder.path);
    assert_int_equal(rename(folder.path, away), 0);
    expect_a_change();
    assert_int_equal(rename(away, folder.path), 0);
    expect_a_change();
}

static void test_an_empty_folder_is_none_that_is_missing(void **state)
{
    (void)state;
    assert_int_equal(unlink(folder_file(&folder, "a.fee.lua")), 0);
    assert_int_equal(unlink(folder_file(&folder, "b.fee.lua")), 0);
    expect_a_change();
    assert_int_equal(rmdir(folder.path), 0);
    expect_a_change();
    assert_int_equal(mkdir(folder.path, 0700), 0);
    expect_a_change();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_the_first_looks, begin, end),
        cmocka_unit_test_setup_teardown(test_a_save_in_several_writes_counts_once, begin, end),
        cmocka_unit_test_setup_teardown(test_an_edit_of_the_same_size, begin, end),
        cmocka_unit_test_setup_teardown(test_an_edit_whose_times_were_put_back, begin, end),
        cmocka_unit_test_setup_teardown(test_renamed_over, begin, end),
        cmocka_unit_test_setup_teardown(test_new_gone_and_renamed_files, begin, end),
        cmocka_unit_test_setup_teardown(test_a_change_while_it_is_read, begin, end),
        cmocka_unit_test_setup_teardown(test_the_folder_vanishes_and_comes_back, begin, end),
        cmocka_unit_test_setup_teardown(test_an_empty_folder_is_none_that_is_missing, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
