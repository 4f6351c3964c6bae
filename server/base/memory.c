#include "base/memory.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

/* Per thread, so that a test of one thread doesn't starve a pool thread by accident. */
static _Thread_local bool counting;
static _Thread_local long successes_left;
static _Thread_local bool refused;

bool memory_must_fail(void)
{
    if (!counting)
        return false;
    if (successes_left > 0) {
        successes_left--;
        return false;
    }
    refused = true;
    return true;
}

/* glibc gives the heap's end back as soon as 128 KiB of it are free, and takes it again for the
 * next batch: two system calls and a page fault for each page, all the time. Naming one threshold
 * ends glibc's own moving of the others: the one for blocks of their own is as high as it goes, or
 * each password's 19 MiB (crypto.c) would be mapped and unmapped. */
void memory_keep(void)
{
    mallopt(M_TRIM_THRESHOLD, 64 * 1024 * 1024);
    mallopt(M_MMAP_THRESHOLD, 32 * 1024 * 1024);
    mallopt(M_TOP_PAD, 256 * 1024);
}

void *memory_alloc(size_t size)
{
    if (memory_must_fail())
        return NULL;
    return calloc(1, size == 0 ? 1 : size);
}

void *memory_resize(void *old, size_t size)
{
    if (memory_must_fail())
        return NULL;
    return realloc(old, size == 0 ? 1 : size);
}

void memory_free(void *block)
{
    free(block);
}

void memory_wipe(void *block, size_t size)
{
    if (size > 0)
        explicit_bzero(block, size);
}

void memory_fail_after(long successes)
{
    counting = true;
    successes_left = successes;
    refused = false;
}

void memory_fail_never(void)
{
    counting = false;
}

bool memory_failed(void)
{
    return refused;
}
