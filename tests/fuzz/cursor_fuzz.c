/* Nobody makes up a cursor: arbitrary text is never accepted, unless it's exactly one we wrote. */
#include <stddef.h>
#include <stdint.h>

#include <assert.h>

#include "api/cursor.h"
#include "base/crypto.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A good cursor with one character changed, one less, for another wallet or under another key. */
static void check_neighbours(const uint8_t key[32], const struct uuid *wallet,
                             char text[CURSOR_TEXT_MAX], uint8_t with)
{
    const uint8_t other_key[32] = {1, 2, 4};
    const struct uuid other_wallet = {{8}};
    size_t length = strlen(text);
    int64_t back;
    assert(!cursor_read(other_key, wallet, slice_of(text), &back));
    assert(!cursor_read(key, &other_wallet, slice_of(text), &back));
    assert(!cursor_read(key, wallet, (struct slice){text, length - 1}, &back));
    for (size_t i = 0; i < length; i++) {
        char was = text[i];
        text[i] = (char)with;
        assert(was == text[i] || !cursor_read(key, wallet, (struct slice){text, length}, &back));
        text[i] = was;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t key[32] = {1, 2, 3};
    const struct uuid wallet = {{7}};
    char text[CURSOR_TEXT_MAX];
    int64_t version;
    if (cursor_read(key, &wallet, (struct slice){(const char *)data, size}, &version)) {
        cursor_write(key, &wallet, version, text);
        assert(slice_equals((struct slice){(const char *)data, size}, text));
    }
    if (size >= 8) {
        int64_t back;
        memcpy(&version, data, 8);
        cursor_write(key, &wallet, version, text);
        assert(cursor_read(key, &wallet, slice_of(text), &back) && back == version);
        check_neighbours(key, &wallet, text, data[size - 1]);
    }
    return 0;
}
