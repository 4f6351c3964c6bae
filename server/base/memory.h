/* The one door to the heap. Every allocation of our own code goes through here, so that a test can
 * make the n-th one fail and see a clean error. Nothing here aborts: a failed allocation is NULL
 * and the caller says what that means (as a rule: 503 for one request, never a dead worker). */
#ifndef BASE_MEMORY_H
#define BASE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

/* For a process that serves for long, at its start: up to 64 MiB that are free at the heap's end
 * stay ours. */
void memory_keep(void);

/* `size` zeroed bytes, or NULL. Release with memory_free. */
void *memory_alloc(size_t size);

/* Like realloc: new bytes are not zeroed; on failure NULL and `old` stays as it was. */
void *memory_resize(void *old, size_t size);

/* NULL is fine. */
void memory_free(void *block);

/* Overwrite `size` bytes so that the compiler can't leave it out: for secrets that are done with.
 */
void memory_wipe(void *block, size_t size);

/* Tests only: let `successes` more allocations succeed, then fail every one until
 * memory_fail_never(). Returns nothing; memory_failed() tells whether one was refused since. Per
 * thread. */
void memory_fail_after(long successes);
void memory_fail_never(void);
bool memory_failed(void);

/* For who keeps free blocks of his own: whether the allocation that they serve is to fail; it
 * counts as one. */
bool memory_must_fail(void);

#endif
