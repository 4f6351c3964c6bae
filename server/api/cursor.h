/* The opaque `after` of a list: where the next page begins, signed, so that nobody makes one up. It
 * holds for one wallet. */
#ifndef API_CURSOR_H
#define API_CURSOR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "base/uuid.h"

#define CURSOR_TEXT_MAX 40

void cursor_write(const uint8_t key[32], const struct uuid *wallet, int64_t version,
                  char text[CURSOR_TEXT_MAX]);

/* False: not one of ours, or another wallet's. */
bool cursor_read(const uint8_t key[32], const struct uuid *wallet, struct slice text,
                 int64_t *version);

#endif
