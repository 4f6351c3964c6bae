#include "support/shrink.h"

#include <stdlib.h>
#include <string.h>

/* All but those from `begin` to `end`, into `rest`. */
static size_t leave_out(const char *elements, size_t count, size_t size, const size_t cut[2],
                        char *rest)
{
    memcpy(rest, elements, cut[0] * size);
    memcpy(rest + cut[0] * size, elements + cut[1] * size, (count - cut[1]) * size);
    return count - (cut[1] - cut[0]);
}

size_t shrink_elements(void *elements, size_t count, size_t size, shrink_fails *fails, void *owner,
                       int tries)
{
    char *rest = malloc(count * size + 1);
    size_t chunk = count / 2;
    if (rest == NULL)
        abort();
    while (chunk > 0 && tries > 0) {
        bool smaller = false;
        /* from behind: what comes late is needed by less */
        for (size_t end = count; end > 0 && tries > 0; end = end > chunk ? end - chunk : 0) {
            const size_t cut[2] = {end > chunk ? end - chunk : 0, end};
            size_t left = leave_out(elements, count, size, cut, rest);
            tries -= left > 0;
            if (left == 0 || !fails(owner, rest, left))
                continue;
            memcpy(elements, rest, left * size);
            count = left;
            smaller = true;
        }
        if (!smaller)
            chunk /= 2;
        else if (chunk > count / 2)
            chunk = count / 2 > 0 ? count / 2 : 1;
        if (count == 1)
            break;
    }
    free(rest);
    return count;
}
