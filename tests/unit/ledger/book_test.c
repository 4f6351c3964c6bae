#include "ledger/book.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#define MANY 300

static struct uuid random_id(unsigned *seed, int range)
{
    struct uuid id = {{0}};
    id.bytes[3] = (uint8_t)(rand_r(seed) % range);
    id.bytes[15] = (uint8_t)(rand_r(seed) % range);
    return id;
}

static void test_sorting_and_finding(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed < 200; seed++) {
        unsigned dice = seed;
        struct uuid ids[MANY];
        struct uuid asked[MANY];
        struct account accounts[MANY] = {{.version = 0}};
        size_t count = (size_t)rand_r(&dice) % MANY;
        for (size_t i = 0; i < count; i++)
            ids[i] = asked[i] = random_id(&dice, 12);
        struct book book = {.accounts = accounts, .count = book_sort_ids(ids, count)};
        for (size_t i = 0; i < book.count; i++) {
            accounts[i].id = ids[i];
            if (i > 0)
                assert_true(uuid_compare(&ids[i - 1], &ids[i]) < 0);
        }
        for (size_t i = 0; i < count; i++) {
            const struct account *found = book_find(&book, &asked[i]);
            assert_non_null(found);
            assert_true(uuid_equal(&found->id, &asked[i]));
        }
        struct uuid stranger = {{1}};
        assert_null(book_find(&book, &stranger));
    }
}

static void test_subjects_are_found(void **state)
{
    struct subject subjects[9] = {{.refunded = 0}};
    struct book book = {.subjects = subjects, .subject_count = 0};
    const struct uuid none = {{7, 1}};
    (void)state;
    for (uint8_t i = 0; i < 9; i++) {
        subjects[i].id = (struct uuid){{i}};
        book.subject_count = i + 1U;
        for (uint8_t k = 0; k <= i; k++)
            assert_ptr_equal(book_find_subject(&book, &subjects[k].id), &subjects[k]);
        assert_null(book_find_subject(&book, &none));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sorting_and_finding),
        cmocka_unit_test(test_subjects_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
