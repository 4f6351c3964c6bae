#include "base/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>

static void test_alloc_is_zeroed(void **state)
{
    (void)state;
    for (size_t size = 0; size < 5000; size += 97) {
        unsigned char *block = memory_alloc(size);

        assert_non_null(block);
        for (size_t i = 0; i < size; i++)
            assert_int_equal(block[i], 0);
        memset(block, 0xaa, size); /* the next one of this size must be zeroed again */
        memory_free(block);
    }
    memory_free(NULL);
}

static void test_keeping_changes_nothing_else(void **state)
{
    (void)state;
    memory_keep();
    for (int i = 0; i < 20; i++) {
        char *block = memory_alloc(1000000);

        assert_non_null(block);
        assert_int_equal(block[999999], 0);
        memset(block, 1, 1000000);
        memory_free(block);
    }
}

static void test_resize_keeps_content(void **state)
{
    (void)state;
    char *block = memory_resize(NULL, 4);

    assert_non_null(block);
    memset(block, 'a', 4);
    block = memory_resize(block, 100000);
    assert_non_null(block);
    assert_memory_equal(block, "aaaa", 4);

    memory_fail_after(0);
    assert_null(memory_resize(block, 200000));
    memory_fail_never();
    assert_memory_equal(block, "aaaa", 4);
    memory_free(block);
}

static void test_the_nth_fails_and_all_after_it(void **state)
{
    (void)state;
    for (long n = 0; n < 10; n++) {
        void *blocks[10] = {NULL};

        memory_fail_after(n);
        for (int i = 0; i < 10; i++) {
            assert_int_equal(memory_failed(), i > n);
            blocks[i] = i % 2 == 0 ? memory_alloc(1) : memory_resize(NULL, 1);
            assert_int_equal(blocks[i] != NULL, i < n);
        }
        memory_fail_never();
        assert_true(memory_failed());
        for (int i = 0; i < 10; i++)
            memory_free(blocks[i]);
    }
    void *block = memory_alloc(1);

    assert_non_null(block);
    memory_free(block);
    memory_fail_after(1);
    assert_false(memory_failed());
    memory_fail_never();
}

static void *allocate(void *unused)
{
    (void)unused;
    return memory_alloc(1);
}

static void test_failing_is_per_thread(void **state)
{
    (void)state;
    pthread_t thread;
    void *block = NULL;

    memory_fail_after(0);
    assert_int_equal(pthread_create(&thread, NULL, allocate, NULL), 0);
    pthread_join(thread, &block);
    assert_null(memory_alloc(1));
    memory_fail_never();
    assert_non_null(block);
    memory_free(block);
}

static void test_wipe(void **state)
{
    (void)state;
    unsigned char secret[33];

    memset(secret, 0x5a, sizeof secret);
    memory_wipe(secret, 32);
    for (int i = 0; i < 32; i++)
        assert_int_equal(secret[i], 0);
    assert_int_equal(secret[32], 0x5a);
    memory_wipe(NULL, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_alloc_is_zeroed),
        cmocka_unit_test(test_keeping_changes_nothing_else),
        cmocka_unit_test(test_resize_keeps_content),
        cmocka_unit_test(test_the_nth_fails_and_all_after_it),
        cmocka_unit_test(test_failing_is_per_thread),
        cmocka_unit_test(test_wipe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
