/* Nobody makes up a cursor: arbitrary text is never accepted, unless it's exactly one we wrote. */
#include <stddef.h>
#include <stdint.h>

#include <assert.h>

#include "api/cursor.h"
#include "base/crypto.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool reads(const uint8_t key[32], struct cursor expected, struct slice text)
{
    return cursor_read(key, &expected, text);
}

/* A good cursor with one character changed, one less, for another list or scope or under another
 * key. */
static void check_neighbours(const uint8_t key[32], const struct cursor *good,
                             char text[CURSOR_TEXT_MAX], uint8_t with)
{
    const uint8_t other_key[32] = {1, 2, 4};
    struct cursor other_scope = *good;
    struct cursor other_list = *good;
    size_t length = strlen(text);
    other_scope.scope.bytes[0]++;
    other_list.list = CURSOR_SESSIONS;
    assert(!reads(other_key, *good, slice_of(text)));
    assert(!reads(key, other_scope, slice_of(text)));
    assert(!reads(key, other_list, slice_of(text)));
    assert(!reads(key, *good, (struct slice){text, length - 1}));
    for (size_t i = 0; i < length; i++) {
        char was = text[i];
        text[i] = (char)with;
        assert(was == text[i] || !reads(key, *good, (struct slice){text, length}));
        text[i] = was;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t key[32] = {1, 2, 3};
    struct cursor cursor = {.list = CURSOR_WALLETS, .scope = {{7}}};
    char text[CURSOR_TEXT_MAX];
    if (cursor_read(key, &cursor, (struct slice){(const char *)data, size})) {
        cursor_write(key, &cursor, text);
        assert(slice_equals((struct slice){(const char *)data, size}, text));
    }
    if (size >= 16) {
        struct cursor back = cursor;
        memcpy(cursor.position.bytes, data, 16);
        cursor_write(key, &cursor, text);
        assert(cursor_read(key, &back, slice_of(text)));
        assert(uuid_equal(&back.position, &cursor.position));
        check_neighbours(key, &cursor, text, data[size - 1]);
    }
    return 0;
}
