/* Cutting a failing sequence down: Zeller's ddmin, first whole chunks, at last single elements. */
#ifndef SUPPORT_SHRINK_H
#define SUPPORT_SHRINK_H

#include <stdbool.h>
#include <stddef.h>

/* Does what is left still fail? */
typedef bool shrink_fails(void *owner, const void *elements, size_t count);

/* `count` elements of `size` bytes, which fail: leaves a selection in their place that fails, too,
 * and of which no single one can be left out, or whatever is reached after `tries` questions.
 * Returns how many. */
size_t shrink_elements(void *elements, size_t count, size_t size, shrink_fails *fails, void *owner,
                       int tries);

#endif
