/* The opaque `after` of a list: where the next page begins, signed, so that nobody makes one up. It
 * holds for one list of one scope (the caller, or the wallet) only. */
#ifndef API_CURSOR_H
#define API_CURSOR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "base/uuid.h"

#define CURSOR_TEXT_MAX 48

/* Part of the signature: never reuse a number. */
enum cursor_list {
    CURSOR_STATEMENT = 1,
    CURSOR_WALLETS = 2,
    CURSOR_SESSIONS = 3,
    CURSOR_HOLDS = 4,
    CURSOR_WEBHOOKS = 7,
    CURSOR_DELIVERIES = 8,
    CURSOR_SEARCH = 10, /* operators' */
    CURSOR_PURCHASES = 11
};

struct cursor {
    enum cursor_list list;
    struct uuid scope;
    struct uuid position; /* of the page's last line: its id, or cursor_position of its number */
};

void cursor_write(const uint8_t key[32], const struct cursor *cursor, char text[CURSOR_TEXT_MAX]);

/* `list` and `scope` say what is expected; `position` is filled. False: not one of ours, or another
 * list's or scope's. */
bool cursor_read(const uint8_t key[32], struct cursor *cursor, struct slice text);

/* For lists in the order of a number: it as a position, and back. */
struct uuid cursor_position(int64_t number);
int64_t cursor_number(const struct uuid *position);

#endif
