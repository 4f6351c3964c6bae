#include "ledger/book.h"

#include <assert.h>
#include <stdlib.h>

static int compare_ids(const void *a, const void *b)
{
    return uuid_compare(a, b);
}

size_t book_sort_ids(struct uuid *ids, size_t count)
{
    size_t kept = 0;
    if (count == 0)
        return 0;
    qsort(ids, count, sizeof ids[0], compare_ids);
    for (size_t i = 1; i < count; i++)
        if (!uuid_equal(&ids[i], &ids[kept]))
            ids[++kept] = ids[i];
    return kept + 1;
}

struct account *book_find(const struct book *book, const struct uuid *id)
{
    size_t low = 0;
    size_t high = book->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = uuid_compare(id, &book->accounts[middle].id);
        if (order == 0)
            return &book->accounts[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

struct subject *book_find_subject(const struct book *book, const struct uuid *id)
{
    size_t low = 0;
    size_t high = book->subject_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = uuid_compare(id, &book->subjects[middle].id);
        if (order == 0)
            return &book->subjects[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}
