#include "base/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "tests/unit/base/chance.h"

enum { PIECES = 600 };

/* What the arena gave, and the byte that was written all over it. */
struct piece {
    unsigned char *at;
    size_t size;
    unsigned char mark;
};

static size_t random_size(struct chance *chance)
{
    switch (chance_below(chance, 8)) {
    case 0:
        return 0;
    case 1:
        return chance_below(chance, 5000);
    case 2:
        return chance_below(chance, 20) == 0 ? 65000 + chance_below(chance, 70000) : 16;
    default:
        return chance_below(chance, 100);
    }
}

static void fill_arena(struct arena *arena, struct chance *chance, struct piece *pieces)
{
    for (int i = 0; i < PIECES; i++) {
        struct piece *piece = &pieces[i];

        piece->size = random_size(chance);
        piece->mark = (unsigned char)(1 + chance_below(chance, 255));
        piece->at = arena_alloc(arena, piece->size);
        assert_non_null(piece->at);
        assert_int_equal((uintptr_t)piece->at % 16, 0);
        for (size_t k = 0; k < piece->size; k++)
            assert_int_equal(piece->at[k], 0);
        memset(piece->at, piece->mark, piece->size);
    }
}

static void test_pieces_are_zeroed_aligned_and_apart(void **state)
{
    (void)state;
    static struct piece pieces[PIECES];
    struct chance chance = {1};
    struct arena arena;

    arena_init(&arena);
    for (int round = 0; round < 5; round++) {
        size_t asked = 0;

        fill_arena(&arena, &chance, pieces);
        for (int i = 0; i < PIECES; i++) {
            asked += pieces[i].size;
            for (size_t k = 0; k < pieces[i].size; k++)
                assert_int_equal(pieces[i].at[k], pieces[i].mark);
        }
        assert_true(arena.total >= asked);
        arena_release(&arena);
        assert_int_equal(arena.total, 0);
        assert_null(arena.newest);
    }
}

/* Released blocks are used again, with what was in them. */
static void test_room_may_be_anything_but_alloc_is_zeroed(void **state)
{
    (void)state;
    struct arena arena;

    arena_init(&arena);
    for (int round = 0; round < 3; round++) {
        for (size_t size = 0; size < 3000; size += 111) {
            unsigned char *room = arena_room(&arena, size);
            unsigned char *zeroed = arena_alloc(&arena, size);

            assert_non_null(room);
            assert_int_equal((uintptr_t)room % 16, 0);
            for (size_t i = 0; i < size; i++)
                assert_int_equal(zeroed[i], 0);
            memset(room, 0xaa, size);
            memset(zeroed, 0xbb, size);
        }
        arena_release(&arena);
    }
}

/* However much was released: a block that is kept must not hide a failure that a test asks for. */
static void test_kept_blocks_fail_too(void **state)
{
    (void)state;
    struct arena arena;

    arena_init(&arena);
    assert_non_null(arena_alloc(&arena, 100));
    arena_release(&arena);
    memory_fail_after(0);
    assert_null(arena_alloc(&arena, 100));
    assert_true(memory_failed());
    memory_fail_never();
    assert_non_null(arena_alloc(&arena, 100));
    arena_release(&arena);
}

/* Many arenas at once give back more than a thread keeps. */
static void test_a_flood_of_arenas(void **state)
{
    (void)state;
    enum { ARENAS = 300 };
    static struct arena arenas[ARENAS];

    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < ARENAS; i++) {
            arena_init(&arenas[i]);
            for (int k = 0; k < 10; k++)
                memset(arena_room(&arenas[i], 1500), i, 1500);
        }
        for (int i = 0; i < ARENAS; i++)
            arena_release(&arenas[i]);
    }
}

static void test_blocks_double_from_2_to_64_kib(void **state)
{
    (void)state;
    struct arena arena;
    size_t expected = 2048, sum = 0, before = 0;

    arena_init(&arena);
    assert_int_equal(arena.total, 0);
    while (sum < 500000) {
        assert_non_null(arena_alloc(&arena, 64));
        if (arena.total == before)
            continue;
        assert_int_equal(arena.total - before, expected);
        sum += expected;
        before = arena.total;
        expected = expected < 65536 ? expected * 2 : 65536;
    }
    arena_release(&arena);
}

static void test_a_large_piece_leaves_the_block_in_use(void **state)
{
    (void)state;
    struct arena arena;

    arena_init(&arena);

    char *first = arena_alloc(&arena, 16);

    assert_non_null(arena_alloc(&arena, 200000));

    char *second = arena_alloc(&arena, 16);

    assert_true(second > first && second - first <= 64);
    arena_release(&arena);
}

static void test_every_failing_allocation(void **state)
{
    (void)state;
    static const size_t sizes[] = {10, 1000, 3000, 100000, 10, 60000};
    bool refused = true;

    for (long n = 0; refused; n++) {
        struct arena arena;

        refused = false;
        arena_init(&arena);
        memory_fail_after(n);
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
            size_t before = arena.total;
            char *piece = arena_alloc(&arena, sizes[i]);

            refused = refused || piece == NULL;
            if (piece == NULL)
                assert_int_equal(arena.total, before);
            else
                memset(piece, 1, sizes[i]);
        }
        assert_int_equal(refused, memory_failed());
        memory_fail_never();
        assert_non_null(arena_alloc(&arena, 5000)); /* it goes on where it was */
        arena_release(&arena);
        assert_true(n < 20);
    }
}

static void test_sizes_that_overflow(void **state)
{
    (void)state;
    struct arena arena;

    arena_init(&arena);
    assert_null(arena_alloc(&arena, SIZE_MAX));
    assert_null(arena_alloc(&arena, SIZE_MAX - 15));
    assert_null(arena_array(&arena, SIZE_MAX / 2, 3));
    assert_null(arena_array(&arena, SIZE_MAX, SIZE_MAX));
    assert_null(arena_copy(&arena, (struct slice){"x", SIZE_MAX}).at);
    assert_int_equal(arena.total, 0);
    assert_non_null(arena_array(&arena, 0, 100));
    assert_non_null(arena_array(&arena, 100, 7));
    arena_release(&arena);
}

static void test_copies(void **state)
{
    (void)state;
    struct arena arena;
    char text[] = "a\0b";

    arena_init(&arena);

    struct slice copy = arena_copy(&arena, (struct slice){text, 3});
    struct slice empty = arena_copy(&arena, (struct slice){NULL, 0});

    text[0] = 'x';
    assert_int_equal(copy.length, 3);
    assert_memory_equal(copy.at, "a\0b", 4);
    assert_int_equal(empty.length, 0);
    assert_string_equal(empty.at, "");
    arena_release(&arena);

    memory_fail_after(0);
    copy = arena_copy(&arena, SLICE("abc"));
    memory_fail_never();
    assert_null(copy.at);
    assert_int_equal(copy.length, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pieces_are_zeroed_aligned_and_apart),
        cmocka_unit_test(test_room_may_be_anything_but_alloc_is_zeroed),
        cmocka_unit_test(test_kept_blocks_fail_too),
        cmocka_unit_test(test_a_flood_of_arenas),
        cmocka_unit_test(test_blocks_double_from_2_to_64_kib),
        cmocka_unit_test(test_a_large_piece_leaves_the_block_in_use),
        cmocka_unit_test(test_every_failing_allocation),
        cmocka_unit_test(test_sizes_that_overflow),
        cmocka_unit_test(test_copies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
