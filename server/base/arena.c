#include "base/arena.h"

#include <assert.h>
#include <stdalign.h>
#include <stdint.h>
#include <string.h>

#include "base/memory.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_POISONS 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define ARENA_POISONS 1
#endif

#ifdef ARENA_POISONS
#include <sanitizer/asan_interface.h>
/* A gap behind each piece, so that running over its end is seen. */
enum { GAP = 16 };
#else
enum { GAP = 0 };
#endif

enum { ALIGNMENT = 16, FIRST_BLOCK = 2048, LARGEST_BLOCK = 65536 };

/* Blocks of the ordinary sizes that wait to be used again, per thread: requests and batches come
 * and go all the time. Not under AddressSanitizer, which then sees every use after the end. */
#ifdef ARENA_POISONS
enum { SPARES = 1, SPARE_BYTES_MAX = 0 };
#else
enum { SPARES = 6, SPARE_BYTES_MAX = 2 * 1024 * 1024 };
#endif

struct arena_block {
    struct arena_block *older;
    size_t size; /* of room */
    size_t used;
    alignas(ALIGNMENT) char room[];
};

static _Thread_local struct {
    struct arena_block *blocks[SPARES]; /* [n]: of FIRST_BLOCK << n bytes in all */
    size_t bytes;
} spare;

static void poison(const void *at, size_t size)
{
#ifdef ARENA_POISONS
    __asan_poison_memory_region(at, size);
#else
    (void)at;
    (void)size;
#endif
}

static void unpoison(const void *at, size_t size)
{
#ifdef ARENA_POISONS
    __asan_unpoison_memory_region(at, size);
#else
    (void)at;
    (void)size;
#endif
}

void arena_init(struct arena *arena)
{
    *arena = (struct arena){0};
}

/* Where spare blocks of that size are kept; NULL: nowhere. */
static struct arena_block **spare_place(size_t total)
{
    for (size_t n = 0; n < SPARES; n++)
        if (total == (size_t)FIRST_BLOCK << n)
            return &spare.blocks[n];
    return NULL;
}

static void give_back(struct arena_block *block)
{
    size_t total = sizeof *block + block->size;
    struct arena_block **place = spare_place(total);

    unpoison(block->room, block->size);
    if (place == NULL || spare.bytes + total > SPARE_BYTES_MAX) {
        memory_free(block);
        return;
    }
    block->older = *place;
    *place = block;
    spare.bytes += total;
}

/* What is in it is anybody's. */
static struct arena_block *take_block(size_t total)
{
    struct arena_block **place = spare_place(total);

    if (place == NULL || *place == NULL)
        return memory_resize(NULL, total);

    if (memory_must_fail())
        return NULL;

    struct arena_block *block = *place;

    *place = block->older;
    spare.bytes -= total;
    return block;
}

void arena_release(struct arena *arena)
{
    struct arena_block *block = arena->newest;

    while (block != NULL) {
        struct arena_block *older = block->older;

        give_back(block);
        block = older;
    }
    arena_init(arena);
}

static struct arena_block *new_block(struct arena *arena, size_t room)
{
    size_t total = sizeof(struct arena_block) + room;
    struct arena_block *block = take_block(total);

    if (block == NULL)
        return NULL;
    block->older = NULL;
    block->used = 0;
    block->size = room;
    poison(block->room, room);
    arena->total += total;
    return block;
}

/* The size of the next ordinary block, header included. */
static size_t next_block_size(const struct arena *arena)
{
    if (arena->newest == NULL)
        return FIRST_BLOCK;

    size_t doubled = 2 * (sizeof(struct arena_block) + arena->newest->size);

    return doubled < LARGEST_BLOCK ? doubled : LARGEST_BLOCK;
}

/* A block with `size` bytes free; a piece too large for an ordinary one gets a block of its own,
 * put behind the newest so that the rest of that one stays in use. */
static struct arena_block *add_block(struct arena *arena, size_t size)
{
    size_t ordinary = next_block_size(arena) - sizeof(struct arena_block);
    struct arena_block *block = new_block(arena, size > ordinary ? size : ordinary);

    if (block == NULL)
        return NULL;
    if (size > ordinary && arena->newest != NULL) {
        block->older = arena->newest->older;
        arena->newest->older = block;
    } else {
        block->older = arena->newest;
        arena->newest = block;
    }
    return block;
}

void *arena_room(struct arena *arena, size_t size)
{
    struct arena_block *block = arena->newest;

    if (size > PTRDIFF_MAX / 2)
        return NULL;

    size_t taken = ((size == 0 ? 1 : size) + GAP + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);

    if (block == NULL || block->size - block->used < taken) {
        block = add_block(arena, taken);
        if (block == NULL)
            return NULL;
    }

    void *piece = block->room + block->used;

    block->used += taken;
    assert(block->used <= block->size);
    unpoison(piece, size == 0 ? 1 : size);
    return piece;
}

void *arena_alloc(struct arena *arena, size_t size)
{
    void *piece = arena_room(arena, size);

    if (piece != NULL)
        memset(piece, 0, size == 0 ? 1 : size);
    return piece;
}

void *arena_array(struct arena *arena, size_t count, size_t size)
{
    size_t total;

    if (__builtin_mul_overflow(count, size, &total))
        return NULL;
    return arena_alloc(arena, total);
}

struct slice arena_copy(struct arena *arena, struct slice text)
{
    char *copy = text.length == SIZE_MAX ? NULL : arena_room(arena, text.length + 1);

    if (copy == NULL)
        return (struct slice){NULL, 0};
    if (text.length > 0)
        memcpy(copy, text.at, text.length);
    copy[text.length] = '\0';
    return (struct slice){copy, text.length};
}
