#include "base/uuid.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/base/chance.h"
#include "tests/unit/base/dies.h"

#define MOMENT INT64_C(1796112000000000) /* 2026-12-01T08:00:00Z */

static struct uuid random_uuid(struct chance *chance)
{
    uint64_t halves[2] = {chance_bits(chance), chance_bits(chance)};
    struct uuid id;

    memcpy(id.bytes, halves, sizeof halves);
    return id;
}

static void test_format_and_parse_round_trip(void **state)
{
    (void)state;
    static const char *const prefixes[] = {"usr_", "wal_", "tx_", "req_", ""};
    struct chance chance = {3};

    for (int i = 0; i < 100000; i++) {
        const char *prefix = prefixes[i % 5];
        struct uuid id = random_uuid(&chance);
        struct uuid back;
        char text[UUID_TEXT_MAX];

        uuid_format(&id, prefix, text);
        assert_int_equal(strlen(text), strlen(prefix) + 26);
        assert_true(uuid_parse(slice_of(text), prefix, &back));
        assert_true(uuid_equal(&id, &back));
        for (size_t k = strlen(prefix); text[k] != '\0'; k++)
            if (text[k] >= 'a' && chance_below(&chance, 2) == 0)
                text[k] = (char)(text[k] - 'a' + 'A');
        memset(&back, 0, sizeof back);
        assert_true(uuid_parse(slice_of(text), prefix, &back));
        assert_true(uuid_equal(&id, &back));
    }
}

static void test_text_sorts_like_the_bytes(void **state)
{
    (void)state;
    struct chance chance = {4};

    for (int i = 0; i < 10000; i++) {
        struct uuid a = random_uuid(&chance), b = random_uuid(&chance);
        char a_text[UUID_TEXT_MAX], b_text[UUID_TEXT_MAX];

        if (i % 2 == 0)
            memcpy(b.bytes, a.bytes, 15);
        uuid_format(&a, "tx_", a_text);
        uuid_format(&b, "tx_", b_text);
        assert_int_equal(uuid_compare(&a, &b) < 0, strcmp(a_text, b_text) < 0);
    }
}

static void test_known_texts(void **state)
{
    (void)state;
    struct uuid id;
    char text[UUID_TEXT_MAX];

    memset(&id, 0, sizeof id);
    assert_true(uuid_is_nil(&id));
    uuid_format(&id, "wal_", text);
    assert_string_equal(text, "wal_00000000000000000000000000");
    memset(&id, 0xff, sizeof id);
    assert_false(uuid_is_nil(&id));
    uuid_format(&id, "tx_", text);
    assert_string_equal(text, "tx_7zzzzzzzzzzzzzzzzzzzzzzzzz");
    memset(&id, 0, sizeof id);
    id.bytes[15] = 32;
    uuid_format(&id, "tx_", text);
    assert_string_equal(text, "tx_00000000000000000000000010");
}

static void test_parse_refuses(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "",
        "tx_",
        "tx_0000000000000000000000000",   /* 25 */
        "tx_000000000000000000000000000", /* 27 */
        "tx_80000000000000000000000000",  /* 129 bits */
        "tx_z0000000000000000000000000",
        "TX_00000000000000000000000000",
        "tx-00000000000000000000000000",
        "wal_00000000000000000000000000",
        "tx_0000000000000-000000000000",
        " tx_00000000000000000000000000",
        "tx_00000000000000000000000000 ",
    };
    struct uuid id;

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_false(uuid_parse(slice_of(wrong[i]), "tx_", &id));
    assert_false(uuid_parse((struct slice){NULL, 0}, "tx_", &id));

    /* Exactly 32 letters, and 22 of them in two cases, are digits; at every place. */
    for (size_t place = 3; place < 29; place++) {
        int accepted = 0;

        for (int c = 0; c < 256; c++) {
            char text[] = "tx_00000000000000000000000000";

            text[place] = (char)c;
            accepted += uuid_parse((struct slice){text, 29}, "tx_", &id);
        }
        assert_int_equal(accepted, place == 3 ? 8 : 32 + 22);
    }
}

static void test_is_version_7(void **state)
{
    (void)state;
    for (int i = 0; i < 1000; i++) {
        int64_t now = MOMENT + i * INT64_C(1000);
        struct uuid id = uuid_new(now);

        assert_int_equal(id.bytes[6] >> 4, 7);
        assert_int_equal(id.bytes[8] >> 6, 2);
        assert_int_equal(uuid_milliseconds(&id), now / 1000);
    }
}

/* Stopped, forward, backward, jumping: they grow. */
static void test_grows_whatever_the_clock_does(void **state)
{
    (void)state;
    struct chance chance = {5};
    int64_t now = MOMENT + INT64_C(1000000000);
    struct uuid last = uuid_new(now);

    for (int i = 0; i < 300000; i++) {
        switch (chance_below(&chance, 1000)) {
        case 0:
            now -= (int64_t)chance_below(&chance, 10000000);
            break;
        case 1:
            now += (int64_t)chance_below(&chance, 10000000);
            break;
        default:
            now += chance_below(&chance, 100) == 0;
        }

        struct uuid next = uuid_new(now);

        assert_true(uuid_compare(&last, &next) < 0);
        assert_int_equal(next.bytes[6] >> 4, 7);
        last = next;
    }
}

/* More in one millisecond than the counter can tell apart: time is borrowed, a little. */
static void test_a_crowded_millisecond(void **state)
{
    (void)state;
    int64_t now = MOMENT + INT64_C(1000000000000);
    struct uuid last = uuid_new(now);

    for (int i = 0; i < 20000; i++) {
        struct uuid next = uuid_new(now);

        assert_true(uuid_compare(&last, &next) < 0);
        last = next;
    }
    assert_in_range(uuid_milliseconds(&last), now / 1000 + 4, now / 1000 + 10);
}

static int by_tail(const void *a, const void *b)
{
    return memcmp((const struct uuid *)a, (const struct uuid *)b, sizeof(struct uuid));
}

/* Forked while the pool of random bytes is half full: nobody repeats its parent's or brother's. */
static void test_children_differ(void **state)
{
    (void)state;
    enum { CHILDREN = 4, EACH = 1000, ALL = (CHILDREN + 1) * EACH };
    int64_t now = MOMENT + INT64_C(2000000000000);
    struct uuid *ids =
        mmap(NULL, ALL * sizeof *ids, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    assert_ptr_not_equal(ids, MAP_FAILED);
    uuid_new(now);
    for (int child = 0; child < CHILDREN; child++) {
        pid_t pid = fork();

        assert_true(pid >= 0);
        if (pid > 0)
            continue;
        for (int i = 0; i < EACH; i++)
            ids[child * EACH + i] = uuid_new(now);
        _exit(0);
    }
    for (int i = 0; i < EACH; i++)
        ids[CHILDREN * EACH + i] = uuid_new(now);
    for (int child = 0; child < CHILDREN; child++)
        assert_true(wait(NULL) > 0);
    for (int i = 0; i < ALL; i++) /* the random tails alone */
        memset(ids[i].bytes, 0, 8);
    qsort(ids, ALL, sizeof *ids, by_tail);
    for (int i = 1; i < ALL; i++)
        assert_false(uuid_equal(&ids[i - 1], &ids[i]));
    assert_false(uuid_is_nil(&ids[0]));
    munmap(ids, ALL * sizeof *ids);
}

static void test_random_bytes_are_not_repeated(void **state)
{
    (void)state;
    enum { COUNT = 2000 };
    static struct uuid all[COUNT];

    for (int i = 0; i < COUNT; i++)
        uuid_random(all[i].bytes, sizeof all[i].bytes);
    qsort(all, COUNT, sizeof all[0], by_tail);
    for (int i = 1; i < COUNT; i++)
        assert_false(uuid_equal(&all[i - 1], &all[i]));
    assert_false(uuid_is_nil(&all[0]));
}

static void before_1970(void *unused)
{
    (void)unused;
    uuid_new(-1);
}

static void long_prefix(void *unused)
{
    char text[UUID_TEXT_MAX];
    struct uuid id = {{0}};

    (void)unused;
    uuid_format(&id, "wallet", text);
}

static void test_misuse_dies(void **state)
{
    (void)state;
    assert_true(dies(before_1970, NULL));
    assert_true(dies(long_prefix, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_format_and_parse_round_trip),
        cmocka_unit_test(test_text_sorts_like_the_bytes),
        cmocka_unit_test(test_known_texts),
        cmocka_unit_test(test_parse_refuses),
        cmocka_unit_test(test_is_version_7),
        cmocka_unit_test(test_grows_whatever_the_clock_does),
        cmocka_unit_test(test_a_crowded_millisecond),
        cmocka_unit_test(test_children_differ),
        cmocka_unit_test(test_random_bytes_are_not_repeated),
        cmocka_unit_test(test_misuse_dies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
