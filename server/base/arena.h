/* One arena per request: allocate freely, free everything at once at the end.
 * Blocks come from the heap, first one of 2 KiB, doubling up to 64 KiB; a larger piece gets a block
 * of its own. A thread keeps up to 2 MiB of released blocks for its next arenas. Not thread-safe.
 * Under AddressSanitizer the unused rest of a block is poisoned, and no block is kept. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stddef.h>

#include "base/slice.h"

struct arena_block;

struct arena {
    struct arena_block *newest;
    size_t total; /* bytes taken from the heap so far */
};

/* An empty arena takes nothing from the heap. */
void arena_init(struct arena *arena);

/* Gives everything back; the arena is empty again and may be used further. */
void arena_release(struct arena *arena);

/* `size` zeroed bytes aligned to 16, or NULL. Size 0 gives a valid pointer. */
void *arena_alloc(struct arena *arena, size_t size);

/* The same, not zeroed: for what is written over at once. */
void *arena_room(struct arena *arena, size_t size);

/* `count` zeroed elements of `size` bytes, or NULL, also when the product would overflow. */
void *arena_array(struct arena *arena, size_t count, size_t size);

/* A copy of `text` in the arena, NUL-terminated behind its end. {NULL,0} when memory is out. */
struct slice arena_copy(struct arena *arena, struct slice text);

#endif
