/* What the generator remembers of each keyed call. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "benchmarks/journal.h"
#include "tests/unit/base/chance.h"

#define SERIALS 200000

static void test_the_first_final_answer_stays(void **state)
{
    struct journal journal = {0};
    (void)state;
    assert_true(journal_sent(&journal, 3));
    assert_int_equal(journal.count, 4);
    assert_int_equal(journal.entries[0].sent, 0);
    journal_answered(&journal, 3, 503, 1); /* overloaded: not final */
    journal_answered(&journal, 3, 0, 0);   /* lost */
    journal_answered(&journal, 3, 429, 2);
    assert_int_equal(journal.entries[3].status, 0);
    assert_true(journal_sent(&journal, 3));
    journal_answered(&journal, 3, 201, 77);
    journal_answered(&journal, 3, 201, 77);
    journal_answered(&journal, 3, 503, 5);
    assert_int_equal(journal.entries[3].status, 201);
    assert_int_equal(journal.entries[3].hash, 77);
    assert_int_equal(journal.entries[3].sent, 2);
    assert_int_equal(journal.contradictions, 0);
    journal_answered(&journal, 3, 201, 78); /* other bytes */
    journal_answered(&journal, 3, 422, 77); /* another status */
    assert_int_equal(journal.contradictions, 2);
    assert_int_equal(journal.confirmations, 1);
    assert_int_equal(journal.entries[3].hash, 77);
    journal_release(&journal);
}

/* Sent in any order, answered in any order: each number keeps its own. */
static void test_numbers_do_not_mix(void **state)
{
    static uint16_t sent[SERIALS];
    struct journal journal = {0};
    struct chance dice = {7};
    (void)state;
    for (int i = 0; i < 100000; i++) {
        uint64_t serial = chance_below(&dice, SERIALS);
        assert_true(journal_sent(&journal, serial));
        sent[serial]++;
        journal_answered(&journal, serial, serial % 3 == 0 ? 422 : 201, serial * 31);
    }
    for (uint64_t i = 0; i < journal.count; i++) {
        assert_int_equal(journal.entries[i].sent, sent[i]);
        assert_int_equal(journal.entries[i].hash, sent[i] == 0 ? 0 : i * 31);
    }
    assert_int_equal(journal.contradictions, 0);
    journal_release(&journal);
}

static void test_out_of_memory_is_told(void **state)
{
    struct journal journal = {0};
    (void)state;
    memory_fail_after(0);
    assert_false(journal_sent(&journal, 1));
    memory_fail_never();
    assert_int_equal(journal.count, 0);
    assert_true(journal_sent(&journal, 1));
    memory_fail_after(0);
    assert_false(journal_sent(&journal, 10000000));
    memory_fail_never();
    assert_int_equal(journal.entries[1].sent, 1);
    journal_release(&journal);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_first_final_answer_stays),
        cmocka_unit_test(test_numbers_do_not_mix),
        cmocka_unit_test(test_out_of_memory_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
